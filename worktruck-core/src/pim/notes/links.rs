//! The links of notes: those of the text on every write, and who leads where when titles come and go.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::entity::note::{LinkTarget, Note, WikiLink, title_key};
use crate::entity::note_link::{LinkTargetType, NoteLink};
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::contacts::resolved;
use crate::pim::{Deleting, Operation, Stored, Writing};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result, Timestamp};

use super::names::Names;
use super::resolve::Resolver;
use super::span::{Span, Written};

/// What a written note changes of links: its own, if its text is new, and those of others to the names that it gains
/// or loses.
pub(super) async fn on_write(writing: &Writing<'_, Note>) -> Result<Changes> {
    let names = Names::of(writing.new);
    let before = writing.old.map(|old| Names::of(&old.data)).unwrap_or_default();
    let changed = before.changed(&names);
    let has_new_text = writing.is_changed(|note| &note.body);
    if changed.is_empty() && !has_new_text {
        return Ok(Changes::none());
    }
    // A new note is younger than all that there are.
    let created_at = writing.old.map_or(Timestamp::FOREVER, Stored::created_at);
    let mut resolver = Resolver::new(writing.operation, Written { id: writing.id, created_at, names });
    let mut changes = Changes::none();
    if has_new_text {
        let own = own_links(writing.operation, &mut resolver, writing.new.links(), &changed).await?;
        changes = changes.and(own);
    }
    for key in &changed {
        let others = lead_anew(writing.operation, &mut resolver, key, has_new_text).await?;
        changes = changes.and(others);
    }
    Ok(changes.and(resolver.rests_on()))
}

/// What the deletion of a note changes of links: its own go, those that somebody made to it too, and those by one of
/// its names lead elsewhere or nowhere. What names it by id in a text still does.
pub(super) async fn on_delete(deleting: &Deleting<'_, Note>) -> Result<Changes> {
    let (operation, note) = (deleting.operation, deleting.old);
    let written = Written { id: note.id, created_at: note.created_at(), names: Names::default() };
    let mut resolver = Resolver::new(operation, written);
    let mut changes = Changes::none();
    for id in of_note(operation, resolver.span, note.id).await?.into_keys() {
        changes = changes.write_valid(EntityKey::new(NoteLink::KIND, id), operation.write(WriteOp::Delete));
    }
    for key in Names::of(&note.data).changed(&Names::default()) {
        changes = changes.and(lead_anew(operation, &mut resolver, &key, true).await?);
    }
    let made = NoteLink::manual_term(LinkTargetType::Note, note.id);
    for link in with_term(operation, resolver.span.elsewhere(), made.clone()).await? {
        if link.data.note_id != note.id {
            changes = changes.and(write_other(resolver.span, &link, WriteOp::Delete));
        }
    }
    if resolver.span.is_present {
        let of_note = Term::new("note_id", note.id.to_string());
        for term in [of_note, made] {
            changes = changes.require(Require::NoTerm { kind: NoteLink::KIND, term });
        }
    }
    Ok(changes.and(resolver.rests_on()))
}

/// Makes the links that the text has, ends those that it no longer has, and leaves the others as they are.
async fn own_links(
    operation: &Operation,
    resolver: &mut Resolver<'_>,
    wanted: Vec<WikiLink>,
    changed: &BTreeSet<String>,
) -> Result<Changes> {
    let note_id = resolver.written.id;
    let mut changes = Changes::none();
    let mut present = BTreeMap::new();
    let mut gone = Vec::new();
    for link in of_note(operation, resolver.span, note_id).await?.into_values() {
        if link.data.is_manual {
            continue;
        }
        if let Some(twice) = present.insert(identity(&link.data), link) {
            gone.push(twice.id);
        }
    }
    for link in led_to_survivors(operation, wanted).await? {
        let found = present.remove(&link.identity());
        let key = title_of(&link.target);
        let mut new = NoteLink::of_text(note_id, link);
        match (&found, key) {
            (Some(old), Some(key)) if !changed.contains(&key) => new.target_id = old.data.target_id,
            (_, Some(key)) => new.target_id = resolver.target(&key).await?,
            (_, None) => {}
        }
        let id = match found {
            Some(old) => {
                new.metadata.clone_from(&old.data.metadata);
                if !resolver.span.names_its_beginning() {
                    if old.data == new {
                        continue;
                    }
                    changes = changes.require(version_of(&old));
                }
                old.id
            }
            None => operation.new_id(),
        };
        changes =
            changes.write_valid(EntityKey::new(NoteLink::KIND, id), operation.write(WriteOp::Put(json_of(&new)?)));
    }
    gone.extend(present.into_values().map(|link| link.id));
    for id in gone {
        changes = changes.write_valid(EntityKey::new(NoteLink::KIND, id), operation.write(WriteOp::Delete));
    }
    Ok(changes)
}

/// The links, each once, where those to a contact that was merged lead to what it has become.
async fn led_to_survivors(operation: &Operation, links: Vec<WikiLink>) -> Result<Vec<WikiLink>> {
    let mut led: Vec<WikiLink> = Vec::with_capacity(links.len());
    for mut link in links {
        if let LinkTarget::Entity(LinkTargetType::Contact, id) = &mut link.target {
            *id = resolved(operation, *id).await?;
        }
        if !led.contains(&link) {
            led.push(link);
        }
    }
    Ok(led)
}

/// Lets all links by a title lead to the note that it will stand for.
async fn lead_anew(
    operation: &Operation,
    resolver: &mut Resolver<'_>,
    key: &str,
    without_own: bool,
) -> Result<Changes> {
    let target = resolver.target(key).await?;
    let (span, own) = (resolver.span, resolver.written.id);
    let mut changes = Changes::none();
    for link in with_term(operation, span.elsewhere(), Term::new("title_key", key)).await? {
        if link.data.target_id == target || (without_own && link.data.note_id == own) {
            continue;
        }
        changes = changes.and(write_other(span, &link, WriteOp::Patch(json!({ "target_id": target }))));
    }
    if span.is_present {
        // A link that came meanwhile must not keep leading where it would no longer.
        let rival = if target == Some(own) { resolver.rival(key).await? } else { None };
        for wrong in BTreeSet::from([None, Some(own), rival]).into_iter().filter(|wrong| *wrong != target) {
            let term = NoteLink::resolved_term(key, wrong);
            changes = changes.require(Require::NoTerm { kind: NoteLink::KIND, term });
        }
    }
    Ok(changes)
}

/// A write to a link as it was read.
fn write_other(span: Span, link: &Stored<NoteLink>, op: WriteOp) -> Changes {
    let changes = Changes::none().write_valid(link.key(), span.write_elsewhere(op));
    // What is read elsewhere is not what the commit compares with.
    if span.is_present { changes.require(version_of(link)) } else { changes }
}

fn version_of(link: &Stored<NoteLink>) -> Require {
    Require::Version { key: link.key(), version: link.version() }
}

/// The links of a note wherever it is written.
async fn of_note(operation: &Operation, span: Span, note: EntityId) -> Result<BTreeMap<EntityId, Stored<NoteLink>>> {
    let mut found = BTreeMap::new();
    for at in span.places() {
        for link in with_term(operation, at, Term::new("note_id", note.to_string())).await? {
            found.insert(link.id, link);
        }
    }
    Ok(found)
}

async fn with_term(operation: &Operation, at: At, term: Term) -> Result<Vec<Stored<NoteLink>>> {
    let mut query = ListQuery { at, ..ListQuery::new(Kind::NoteLink) };
    query.terms.push(term);
    operation.all(query).await
}

fn title_of(target: &LinkTarget) -> Option<String> {
    match target {
        LinkTarget::Title(title) => Some(title_key(title)),
        LinkTarget::Entity(..) => None,
    }
}

/// What a link of a text shares with the one that it was made of.
fn identity(link: &NoteLink) -> (String, Option<String>, Option<String>) {
    let target = match (&link.title, link.target_id) {
        (Some(title), _) => title_key(title),
        (None, Some(id)) => format!("{}:{id}", link.target_type.as_str()),
        (None, None) => String::new(),
    };
    (target, link.alias.clone(), link.heading.clone())
}

fn json_of(link: &NoteLink) -> Result<Value> {
    serde_json::to_value(link).map_err(|e| Error::internal("a link has no JSON form").with_source(e))
}
