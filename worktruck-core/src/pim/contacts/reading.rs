//! How contacts are found: by their ids, also those of contacts that were merged, and by their channels.

use crate::entity::Kind;
use crate::entity::contact::{ChannelKind, Contact, MERGED_TERM, canonical_value};
use crate::pim::{Operation, Records, Stored, Writing};
use crate::store::{EntityKey, ListQuery, Require};
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

/// The ids that may stand for a contact: that of the one that it was merged into, or its own, and those of all that
/// were merged into that.
///
/// What was written for a time to come may still name one of them.
pub(in crate::pim) async fn known_as(operation: &Operation, id: EntityId) -> Result<Vec<EntityId>> {
    match read(operation, id).await {
        Ok(contact) => Ok([contact.id].into_iter().chain(contact.data.merged_ids).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![id]),
        Err(error) => Err(error),
    }
}

/// Asks for what has the term `name` of a contact, if there is one to ask for; what was merged is the survivor.
///
/// # Errors
///
/// Those of the store.
pub(in crate::pim) async fn of_contact(
    query: ListQuery,
    operation: &Operation,
    name: &str,
    id: Option<EntityId>,
) -> Result<ListQuery> {
    let Some(id) = id else { return Ok(query) };
    Ok(query.asked(name, id).with_moving(name, known_as(operation, id).await?))
}

/// Refuses a contact that was merged into another.
///
/// # Errors
///
/// `Conflict` naming the survivor, and those of the store.
pub(in crate::pim) async fn refuse_merged(operation: &Operation, id: EntityId) -> Result<()> {
    match present(operation, id).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
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
pub(in crate::pim) async fn referred(operation: &Operation, pointer: &str, id: EntityId) -> Result<Stored<Contact>> {
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
/// `NotFound` if nobody has it, `InvalidRequest` at `/value` if it has a NUL, and those of the store.
pub async fn find_by_channel(operation: &Operation, kind: ChannelKind, value: &str) -> Result<Stored<Contact>> {
    if value.contains('\0') {
        return Err(Error::invalid("the text contains a NUL character").at("/value"));
    }
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
