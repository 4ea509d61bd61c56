use serde_json::json;

use crate::entity::deal::{Deal, DealContact};
use crate::store::Changes;
use crate::{EntityId, Error, Result};

use super::super::contacts::refuse_merged;
use super::super::write::present;
use super::super::{Operation, Records, Stored, update};

/// Links a deal with a contact. One that becomes the primary one takes that from the one that was.
///
/// # Errors
///
/// `NotFound` or `VersionMismatch` for the deal, `Conflict` at `/contact_id` if it is linked already or the contact was
/// merged, `InvalidRequest` at the field that is wrong, and those of the store.
pub async fn add_contact(
    operation: &Operation,
    deal: EntityId,
    expected: Option<u64>,
    link: DealContact,
) -> Result<Changes> {
    let (found, rests_on) = present::<Deal>(operation, deal, expected).await?;
    let mut contacts = found.data.contacts;
    if link.is_primary {
        for known in &mut contacts {
            known.is_primary = false;
        }
    }
    let place = format!("/contacts/{}", contacts.len());
    contacts.push(link);
    let changes = update::<Deal>(operation, deal, None, &json!({ "contacts": contacts })).await;
    let mut changes = changes.map_err(|error| {
        let field = error.pointer().and_then(|pointer| pointer.strip_prefix(&place)).map(str::to_owned);
        match field {
            Some(field) => error.at(field),
            None => error,
        }
    })?;
    // The list rests on what was read here.
    changes.requires.extend(rests_on);
    Ok(changes)
}

/// Ends the link of a deal with a contact.
///
/// # Errors
///
/// `NotFound` if there is no such deal or no such link, `VersionMismatch`, `Conflict` if the contact was merged, and those
/// of the store.
pub async fn remove_contact(
    operation: &Operation,
    deal: EntityId,
    expected: Option<u64>,
    contact: EntityId,
) -> Result<Changes> {
    let (found, rests_on) = present::<Deal>(operation, deal, expected).await?;
    let mut contacts = found.data.contacts;
    let before = contacts.len();
    contacts.retain(|link| link.contact_id != contact);
    if contacts.len() == before {
        refuse_merged(operation, contact).await?;
        return Err(Error::not_found(format!("a link of deal {deal} with contact {contact}")));
    }
    let mut changes = update::<Deal>(operation, deal, None, &json!({ "contacts": contacts })).await?;
    changes.requires.extend(rests_on);
    Ok(changes)
}

impl Records<Deal> {
    /// Links a deal with a contact.
    ///
    /// # Errors
    ///
    /// As for [`add_contact`].
    pub async fn add_contact(&self, id: EntityId, link: DealContact) -> Result<Stored<Deal>> {
        let (link, expected) = (&link, self.expected);
        let run = |operation: Operation| async move { add_contact(&operation, id, expected, link.clone()).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Ends the link of a deal with a contact.
    ///
    /// # Errors
    ///
    /// As for [`remove_contact`].
    pub async fn remove_contact(&self, id: EntityId, contact: EntityId) -> Result<Stored<Deal>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { remove_contact(&operation, id, expected, contact).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }
}
