//! How contacts are found: by their ids, also those of contacts that were merged, and by their channels.

use crate::entity::Kind;
use crate::entity::contact::{ChannelKind, Contact, MERGED_TERM, canonical_value};
use crate::pim::{Operation, Records, Stored, Writing};
use crate::store::{EntityKey, Require};
use crate::temporal::At;
use crate::{EntityId, Error, ErrorKind, Result};

/// The contact, or the one that it was merged into.
pub(super) async fn read(operation: &Operation, id: EntityId) -> Result<Stored<Contact>> {
    if let Some(contact) = operation.find(id).await? {
        return Ok(contact);
    }
    let survivor = operation.first(operation.query::<Contact>().with(MERGED_TERM, Some(id))).await?;
    survivor.ok_or_else(|| Error::not_found(EntityKey::new(Kind::Contact, id)))
}

/// The id of the contact that it was merged into; its own if it was not.
pub(in crate::pim) async fn resolved(operation: &Operation, id: EntityId) -> Result<EntityId> {
    match read(operation, id).await {
        Ok(contact) => Ok(contact.id),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(id),
        Err(error) => Err(error),
    }
}

/// The contact as it is now, for a write that rests on it.
///
/// # Errors
///
/// `NotFound` if it does not exist, `Conflict` naming the survivor if it was merged.
pub(super) async fn present(operation: &Operation, id: EntityId) -> Result<Stored<Contact>> {
    let now = Operation { at: At::NOW, ..operation.clone() };
    let contact = read(&now, id).await?;
    if contact.id == id { Ok(contact) } else { Err(merged(id, contact.id)) }
}

/// The contact that is referred to from `pointer`, as it is now.
///
/// # Errors
///
/// `InvalidRequest` at `pointer` if it does not exist, `Conflict` there if it was merged.
pub(super) async fn referred(operation: &Operation, pointer: &str, id: EntityId) -> Result<Stored<Contact>> {
    present(operation, id).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::invalid(error.to_string()).at(pointer),
        ErrorKind::Conflict => error.at(pointer),
        _ => error,
    })
}

/// Requires that a contact that is referred to exists, if the reference is new.
pub(super) async fn refer<E>(writing: &mut Writing<'_, E>, pointer: &str, id: EntityId, is_new: bool) -> Result<()> {
    if is_new {
        let contact = referred(writing.operation, pointer, id).await?;
        writing.changes.requires.push(Require::Exists { key: contact.key() });
    }
    Ok(())
}

pub(super) fn merged(id: EntityId, survivor: EntityId) -> Error {
    Error::conflict(format!("contact {id} was merged into contact {survivor}; write to that"))
        .with_details(serde_json::json!({ "survivor_id": survivor }))
}

/// The contact with a channel, however its value is spelled; the oldest, if several have it.
///
/// # Errors
///
/// `NotFound` if nobody has it, and those of the store.
pub async fn find_by_channel(operation: &Operation, kind: ChannelKind, value: &str) -> Result<Stored<Contact>> {
    let canonical = canonical_value(kind, value, operation.locale.region);
    let query = operation.query::<Contact>().with(&format!("channel:{kind}"), Some(&canonical));
    let found = operation.first(query).await?;
    found.ok_or_else(|| Error::not_found(format!("a contact with the {kind} channel {canonical:?}")))
}

impl Records<Contact> {
    /// The contact with a channel, however its value is spelled; the oldest, if several have it.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody has it, and those of the store.
    pub async fn find_by_channel(&self, kind: ChannelKind, value: &str) -> Result<Stored<Contact>> {
        find_by_channel(&self.operation(), kind, value).await
    }
}
