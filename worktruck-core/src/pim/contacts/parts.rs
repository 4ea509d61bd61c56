//! The channels, addresses, dates and tags of a contact, one at a time.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::entity::check_taken;
use crate::entity::contact::{Address, Channel, Contact, ContactDate};
use crate::pim::write::edit;
use crate::pim::{Operation, Records, Stored};
use crate::store::Changes;
use crate::temporal::merge_patch;
use crate::{EntityId, Error, ErrorKind, ItemId, Result};

/// A part of a contact that has an id of its own: a channel, an address or a date.
pub trait Part: Clone + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// The field of the contact that it is in.
    const LIST: &'static str;

    /// The parts of a contact.
    fn of(contact: &Contact) -> &[Self];

    /// Which one.
    fn id(&self) -> ItemId;
}

impl Part for Channel {
    const LIST: &'static str = "channels";

    fn of(contact: &Contact) -> &[Self] {
        &contact.channels
    }

    fn id(&self) -> ItemId {
        self.id
    }
}

impl Part for Address {
    const LIST: &'static str = "addresses";

    fn of(contact: &Contact) -> &[Self] {
        &contact.addresses
    }

    fn id(&self) -> ItemId {
        self.id
    }
}

impl Part for ContactDate {
    const LIST: &'static str = "dates";

    fn of(contact: &Contact) -> &[Self] {
        &contact.dates
    }

    fn id(&self) -> ItemId {
        self.id
    }
}

/// Adds a part with the JSON `body` to a contact. An id that is given is refused.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if the contact was merged or has the channel already, `InvalidRequest`
/// with the JSON pointer of the field in `body`, and those of the store.
pub async fn add_part<P: Part>(
    operation: &Operation,
    contact: EntityId,
    expected: Option<u64>,
    body: &Value,
) -> Result<(Changes, ItemId)> {
    let id = ItemId::new(&*operation.ids, operation.now());
    let mut body = body.clone();
    let Some(members) = body.as_object_mut() else {
        return Err(Error::invalid(format!("what is added to {} must be an object", P::LIST)));
    };
    if members.get("id").is_some_and(|id| !id.is_null()) {
        return Err(Error::invalid("the id is not chosen; leave it out").at("/id"));
    }
    members.insert("id".to_owned(), json!(id));
    let changes = edit_list::<P>(operation, contact, expected, |items| {
        items.push(body);
        Ok(items.len() - 1)
    });
    Ok((changes.await?, id))
}

/// Changes a part of a contact by a JSON merge patch (RFC 7396).
///
/// # Errors
///
/// As for [`add_part`], and `NotFound` if the contact has no such part.
pub async fn change_part<P: Part>(
    operation: &Operation,
    contact: EntityId,
    item: ItemId,
    expected: Option<u64>,
    patch: &Value,
) -> Result<Changes> {
    let Some(members) = patch.as_object() else {
        return Err(Error::invalid("a merge patch must be an object"));
    };
    if members.get("id").is_some_and(|id| *id != json!(item)) {
        return Err(Error::invalid("the id does not change").at("/id"));
    }
    check_taken::<P>(members)?;
    edit_list::<P>(operation, contact, expected, |items| {
        let at = place(items, P::LIST, item)?;
        items[at] = merge_patch(&items[at], patch);
        Ok(at)
    })
    .await
}

/// Takes a part from a contact.
///
/// # Errors
///
/// As for [`change_part`].
pub async fn remove_part<P: Part>(
    operation: &Operation,
    contact: EntityId,
    item: ItemId,
    expected: Option<u64>,
) -> Result<Changes> {
    edit_list::<P>(operation, contact, expected, |items| {
        let at = place(items, P::LIST, item)?;
        items.remove(at);
        Ok(at)
    })
    .await
}

/// Gives a contact a tag; nothing changes if it has it.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if the contact was merged, `InvalidRequest` at `/name` if it is no tag, and
/// those of the store.
pub async fn tag(operation: &Operation, contact: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    let changes = edit::<Contact>(operation, contact, expected, |old| {
        let mut tags = old.data.tags.clone();
        if !tags.iter().any(|tag| tag == name.trim()) {
            tags.push(name.to_owned());
        }
        Ok(json!({ "tags": tags }))
    });
    // The place in the list of tags says nothing to whoever gave one.
    changes.await.map_err(|error| relative(error, "/tags", |_| "/name".to_owned()))
}

/// Takes a tag from a contact; nothing changes if it does not have it.
///
/// # Errors
///
/// As for [`tag`].
pub async fn untag(operation: &Operation, contact: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    edit::<Contact>(operation, contact, expected, |old| {
        let tags: Vec<&String> = old.data.tags.iter().filter(|tag| *tag != name.trim()).collect();
        Ok(json!({ "tags": tags }))
    })
    .await
}

/// Changes one item of a list, at the place that `change` gives.
async fn edit_list<P: Part>(
    operation: &Operation,
    contact: EntityId,
    expected: Option<u64>,
    change: impl FnOnce(&mut Vec<Value>) -> Result<usize>,
) -> Result<Changes> {
    let mut place = 0;
    let changes = edit::<Contact>(operation, contact, expected, |old| {
        let items: Result<Vec<Value>, _> = P::of(&old.data).iter().map(serde_json::to_value).collect();
        let mut items = items.map_err(|e| Error::internal("a part has no JSON form").with_source(e))?;
        place = change(&mut items)?;
        Ok(json!({ (P::LIST): items }))
    })
    .await;
    changes.map_err(|error| relative(error, &format!("/{}/{place}", P::LIST), str::to_owned))
}

fn place(items: &[Value], list: &str, item: ItemId) -> Result<usize> {
    let found = items.iter().position(|value| value.get("id") == Some(&json!(item)));
    found.ok_or_else(|| Error::not_found(format!("item {item} of the contact's {list}")))
}

/// The error with its pointer made relative to the item that was given.
fn relative(error: Error, prefix: &str, rest: impl Fn(&str) -> String) -> Error {
    match error.pointer().and_then(|pointer| pointer.strip_prefix(prefix)).map(rest) {
        Some(pointer) => error.at(pointer),
        None => error,
    }
}

impl Records<Contact> {
    /// Adds a channel, an address or a date with the JSON `body`, which needs no id.
    ///
    /// # Errors
    ///
    /// As for [`add_part`].
    pub async fn add<P: Part>(&self, contact: EntityId, body: Value) -> Result<P> {
        let (body, expected) = (&body, self.expected);
        let run = |operation: Operation| async move { add_part::<P>(&operation, contact, expected, body).await };
        let (applied, item) = self.commit(run).await?;
        part(&self.written(contact, &applied).await?, item)
    }

    /// Changes a channel, an address or a date by a JSON merge patch (RFC 7396).
    ///
    /// # Errors
    ///
    /// As for [`change_part`].
    pub async fn change<P: Part>(&self, contact: EntityId, item: ItemId, patch: Value) -> Result<P> {
        let (patch, expected) = (&patch, self.expected);
        let run =
            |operation: Operation| async move { change_part::<P>(&operation, contact, item, expected, patch).await };
        let applied = self.commit_all(run).await?;
        part(&self.written(contact, &applied).await?, item)
    }

    /// Takes a channel, an address or a date away.
    ///
    /// # Errors
    ///
    /// As for [`remove_part`].
    pub async fn remove<P: Part>(&self, contact: EntityId, item: ItemId) -> Result<()> {
        let expected = self.expected;
        self.commit_all(|operation| async move { remove_part::<P>(&operation, contact, item, expected).await }).await?;
        Ok(())
    }

    /// Gives a tag; nothing changes if the contact has it.
    ///
    /// # Errors
    ///
    /// As for [`tag`].
    pub async fn tag(&self, contact: EntityId, name: &str) -> Result<Stored<Contact>> {
        let expected = self.expected;
        let applied =
            self.commit_all(|operation| async move { tag(&operation, contact, expected, name).await }).await?;
        self.written(contact, &applied).await
    }

    /// Takes a tag away; nothing changes if the contact does not have it.
    ///
    /// # Errors
    ///
    /// As for [`untag`].
    pub async fn untag(&self, contact: EntityId, name: &str) -> Result<Stored<Contact>> {
        let expected = self.expected;
        let applied =
            self.commit_all(|operation| async move { untag(&operation, contact, expected, name).await }).await?;
        self.written(contact, &applied).await
    }
}

fn part<P: Part>(contact: &Stored<Contact>, item: ItemId) -> Result<P> {
    let found = P::of(&contact.data).iter().find(|part| part.id() == item);
    found.cloned().ok_or_else(|| Error::new(ErrorKind::Internal, "a part is gone after it was written"))
}
