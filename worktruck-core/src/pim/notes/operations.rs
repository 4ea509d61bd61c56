//! The operations over notes that are more than one write or one list.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::entity::attachment::Attachment;
use crate::entity::note::{FrontMatter, Note};
use crate::entity::note_link::{LinkTargetType, NoteLink};
use crate::entity::{Kind, Term};
use crate::pim::part::{body_of_part, part_of};
use crate::pim::search::around;
use crate::pim::write::create_as;
use crate::pim::{MOST_TOGETHER, Operation, Stored, create, delete, update};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::span::Span;
use super::with;

/// A note with the numbers of its links. Its JSON is that of the note with both.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteDetail {
    /// The note.
    pub note: Stored<Note>,
    /// How many links lead from it, those that lead nowhere yet too.
    pub outgoing_link_count: usize,
    /// How many links lead to it, 10,000 at most.
    pub backlink_count: usize,
}

impl Serialize for NoteDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (outgoing, back) = (self.outgoing_link_count, self.backlink_count);
        let counts = [("outgoing_link_count", outgoing), ("backlink_count", back)];
        with(self.note.resource(), counts).serialize(serializer)
    }
}

/// A link to an entity, with what stands around it. Its JSON is that of the link with `note_title` and `context`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlink {
    /// The link.
    pub link: Stored<NoteLink>,
    /// The title of the note that it is in.
    pub note_title: String,
    /// The line that it is in, or the part of it around the link; absent for one that is not in the text.
    pub context: Option<String>,
}

impl Serialize for Backlink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = self.link.resource();
        if let Some(members) = resource.as_object_mut() {
            members.insert("note_title".to_owned(), json!(self.note_title));
            members.extend(self.context.iter().map(|context| ("context".to_owned(), json!(context))));
        }
        resource.serialize(serializer)
    }
}

/// A note with the numbers of its links, at the times of the operation and of one moment.
///
/// # Errors
///
/// `NotFound` if it does not exist, and those of the store.
pub async fn note_detail(operation: &Operation, id: EntityId) -> Result<NoteDetail> {
    let operation = &operation.fixed().await?;
    let note = operation.expect::<Note>(id).await?;
    let outgoing = operation.query::<NoteLink>().with("note_id", Some(id));
    let mut incoming = operation.query::<NoteLink>();
    incoming.terms.push(NoteLink::target_term(LinkTargetType::Note, id));
    Ok(NoteDetail {
        note,
        outgoing_link_count: count(operation, outgoing).await?,
        backlink_count: count(operation, incoming).await?,
    })
}

/// How many entities a query asks for, [`MOST_TOGETHER`] at most: they are counted one by one.
pub(super) async fn count(operation: &Operation, query: ListQuery) -> Result<usize> {
    let (mut count, mut cursor) = (0, None);
    loop {
        let page = operation.view.list(ListQuery { page: PageRequest::largest(cursor), ..query.clone() }).await?;
        count += page.data.len();
        cursor = page.next_cursor;
        if cursor.is_none() || count >= MOST_TOGETHER {
            return Ok(count.min(MOST_TOGETHER));
        }
    }
}

/// A page of the links from a note, in the order in which they were made.
///
/// # Errors
///
/// `NotFound` if the note does not exist, `InvalidCursor`, and those of the store.
pub async fn links(operation: &Operation, note: EntityId, page: PageRequest) -> Result<Page<Stored<NoteLink>>> {
    operation.expect::<Note>(note).await?;
    let query = ListQuery { page, ..operation.query::<NoteLink>().with("note_id", Some(note)) };
    operation.page(query).await
}

/// A page of the links from notes to an entity, in the order in which they were made.
///
/// # Errors
///
/// `NotFound` if the entity does not exist, `InvalidCursor`, and those of the store.
pub async fn backlinks(
    operation: &Operation,
    target_type: LinkTargetType,
    target: EntityId,
    page: PageRequest,
) -> Result<Page<Backlink>> {
    let key = EntityKey::new(target_type.kind(), target);
    if operation.view.entity(key, operation.at).await?.is_none_or(|found| found.slice.body.is_none()) {
        return Err(Error::not_found(key));
    }
    let mut query = ListQuery { page, ..operation.query::<NoteLink>() };
    query.terms.push(NoteLink::target_term(target_type, target));
    let found = operation.page::<NoteLink>(query).await?;
    let mut notes: BTreeMap<EntityId, Note> = BTreeMap::new();
    for link in &found.data {
        let id = link.data.note_id;
        if !notes.contains_key(&id)
            && let Some(note) = operation.find::<Note>(id).await?
        {
            notes.insert(id, note.data);
        }
    }
    Ok(found.map(|link| {
        let note = notes.get(&link.data.note_id);
        let context = note.and_then(|note| context(note, &link.data));
        Backlink { link, note_title: note.map(|note| note.title.clone()).unwrap_or_default(), context }
    }))
}

/// What stands around a link in the text of its note.
fn context(note: &Note, link: &NoteLink) -> Option<String> {
    if link.is_manual {
        return None;
    }
    let name = match (&link.title, link.target_id) {
        (Some(title), _) => title.clone(),
        (None, id) => format!("{}:{}", link.target_type.as_str(), id?),
    };
    // Titles stand in the text as they are; an id may be written in capitals, and is then not found.
    let rest = FrontMatter::read(&note.body).map_or(&*note.body, |found| found.rest);
    let opened = rest.match_indices("[[").map(|(at, mark)| at + mark.len());
    let mut places = opened.filter(|at| {
        let inner = rest[*at..].trim_start();
        inner.strip_prefix(&*name).is_some_and(|rest| rest.trim_start().starts_with(['|', '#', ']', '\\']))
    });
    places.next().map(|at| around(rest, at).to_owned())
}

/// A link from a note to an entity, beside those of its text.
///
/// # Errors
///
/// `NotFound` if the note does not exist, `InvalidRequest` at `/target_id` if the target does not, `Conflict` if there
/// is such a link, and those of the store.
pub async fn link(
    operation: &Operation,
    note: EntityId,
    target_type: LinkTargetType,
    target: EntityId,
) -> Result<(Changes, EntityId)> {
    operation.expect::<Note>(note).await?;
    let id = operation.new_id();
    let body = json!({ "note_id": note, "target_type": target_type, "target_id": target });
    Ok((create_as::<NoteLink>(operation, id, body).await?, id))
}

/// Ends a link that somebody made.
///
/// # Errors
///
/// `NotFound` if the note has no such link, `Conflict` if it is in the text, and those of the store.
pub async fn unlink(operation: &Operation, note: EntityId, link: EntityId) -> Result<Changes> {
    part_of::<NoteLink>(operation, link, |data| data.note_id == note).await?;
    delete::<NoteLink>(operation, link, None).await
}

/// A page of the attachments of a note, in the order in which they were added.
///
/// # Errors
///
/// `NotFound` if the note does not exist, `InvalidCursor`, and those of the store.
pub async fn attachments(operation: &Operation, note: EntityId, page: PageRequest) -> Result<Page<Stored<Attachment>>> {
    operation.expect::<Note>(note).await?;
    let query = ListQuery { page, ..operation.query::<Attachment>().with("note_id", Some(note)) };
    operation.page(query).await
}

/// A new attachment of a note, of its JSON without the note.
///
/// # Errors
///
/// `NotFound` if there is no such note, `InvalidRequest` at the field that is wrong, and those of the store.
pub async fn attach(operation: &Operation, note: EntityId, body: Value) -> Result<(Changes, EntityId)> {
    create::<Attachment>(operation, body_of_part(operation, ("note_id", Kind::Note, note), body).await?).await
}

/// Ends an attachment of a note.
///
/// # Errors
///
/// `NotFound` if the note has no such attachment, and those of the store.
pub async fn detach(operation: &Operation, note: EntityId, attachment: EntityId) -> Result<Changes> {
    part_of::<Attachment>(operation, attachment, |data| data.note_id == note).await?;
    delete::<Attachment>(operation, attachment, None).await
}

/// Ends all attachments of a note that is deleted.
pub(super) async fn delete_attachments(operation: &Operation, note: EntityId) -> Result<Changes> {
    let span = Span::of(operation);
    let term = Term::new("note_id", note.to_string());
    let mut changes = Changes::none();
    let mut gone = std::collections::BTreeSet::new();
    for at in span.places() {
        let mut query = ListQuery { at, ..ListQuery::new(Kind::Attachment) };
        query.terms.push(term.clone());
        gone.extend(operation.all::<Attachment>(query).await?.into_iter().map(|found| found.key()));
    }
    for key in gone {
        changes = changes.write_valid(key, operation.write(WriteOp::Delete));
    }
    if span.is_present {
        changes = changes.require(Require::NoTerm { kind: Kind::Attachment, term });
    }
    Ok(changes)
}

/// Tags a note; changes nothing if it is tagged so.
///
/// With `expected`, only if that is the version of the note.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `InvalidRequest` at the tag, and those of the store.
pub async fn tag(operation: &Operation, note: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    retag(operation, note, expected, |tags| {
        tags.retain(|tag| tag != name.trim());
        tags.push(name.trim().to_owned());
        tags.sort_unstable();
    })
    .await
}

/// Takes a tag from a note; changes nothing if it is not tagged so.
///
/// With `expected`, only if that is the version of the note.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, and those of the store.
pub async fn untag(operation: &Operation, note: EntityId, expected: Option<u64>, name: &str) -> Result<Changes> {
    retag(operation, note, expected, |tags| tags.retain(|tag| tag != name.trim())).await
}

async fn retag(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    change: impl FnOnce(&mut Vec<String>),
) -> Result<Changes> {
    let note = operation.expect::<Note>(id).await?;
    let mut tags = note.data.tags.clone();
    change(&mut tags);
    let is_same = tags == note.data.tags && expected.is_none_or(|expected| expected == note.version());
    if is_same && !Span::of(operation).names_its_beginning() {
        return Ok(Changes::none());
    }
    let changes = update::<Note>(operation, id, expected, &json!({ "tags": tags })).await?;
    // The list is written as a whole: it must still be the one that was read.
    let rests_on = Require::Version { key: note.key(), version: note.version() };
    Ok(if operation.valid_from.is_none() { changes.require(rests_on) } else { changes })
}
