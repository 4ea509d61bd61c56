//! What occurrences that differ take on of the attendees of their series.
//!
//! Whoever is asked to a series is asked to all of it: to an occurrence that differs too, unless that asks them by itself.
//! What changes of an attendee changes there where it did not differ, and whoever is no longer asked to the series is
//! not asked there either. Whom an occurrence asks beside, or no longer asks, is its own matter.

use serde_json::{Map, Value};

use crate::entity::attendee::Attendee;
use crate::entity::event::Event;
use crate::entity::{Entity as _, Kind};
use crate::pim::{Operation, Stored, Writing};
use crate::store::{Changes, EntityKey, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Result};

use super::{copies, parts};

/// The fields of an attendee that an occurrence may have otherwise.
const FIELDS: [&str; 7] =
    ["email", "display_name", "contact_id", "role", "participant_type", "response_status", "comment"];

/// What a written attendee changes elsewhere.
pub(super) async fn written(writing: &Writing<'_, Attendee>) -> Result<Changes> {
    let (operation, new) = (writing.operation, &*writing.new);
    let Some(Differing { guard, occurrences, attendees }) = differing(operation, new.event_id).await? else {
        return Ok(Changes::none());
    };
    let mut changes = guard;
    for occurrence in occurrences {
        let asked: Vec<&Stored<Attendee>> =
            attendees.iter().filter(|other| other.data.event_id == occurrence).collect();
        let with = |email: &str| asked.iter().copied().find(|other| other.data.email == email);
        changes = match writing.old {
            None if with(&new.email).is_none() => changes.and(copied(operation, occurrence, new)?),
            None => changes,
            Some(old) => match with(&old.data.email) {
                Some(theirs) if old.data.email != new.email && with(&new.email).is_some() => {
                    changes.and(ended(operation, theirs))
                }
                Some(theirs) => changes.and(followed(operation, theirs, &old.data, new)?),
                None => changes,
            },
        };
    }
    Ok(changes)
}

/// What a deleted attendee changes elsewhere.
pub(super) async fn deleted(operation: &Operation, old: &Stored<Attendee>) -> Result<Changes> {
    let Some(Differing { guard, attendees, .. }) = differing(operation, old.data.event_id).await? else {
        return Ok(Changes::none());
    };
    let mut changes = guard;
    for theirs in attendees.iter().filter(|other| other.data.email == old.data.email) {
        changes = changes.and(ended(operation, theirs));
    }
    Ok(changes)
}

/// The occurrences of a series that differ, and whom they ask.
struct Differing {
    /// What keeps it so until the commit.
    guard: Changes,
    occurrences: Vec<EntityId>,
    attendees: Vec<Stored<Attendee>>,
}

/// Nothing if the event is no series.
async fn differing(operation: &Operation, event: EntityId) -> Result<Option<Differing>> {
    let now = Operation { at: At::NOW, ..operation.clone() };
    if !now.find::<Event>(event).await?.is_some_and(|event| event.data.is_series()) {
        return Ok(None);
    }
    let guard = parts::guarded(&now, event).await?;
    let occurrences: Vec<EntityId> = parts::overrides(&now, event).await?.iter().map(|event| event.id).collect();
    let attendees = parts::having::<Attendee>(&now, "event_id", &occurrences).await?;
    Ok(Some(Differing { guard, occurrences, attendees }))
}

fn copied(operation: &Operation, occurrence: EntityId, new: &Attendee) -> Result<Changes> {
    let copy = Attendee { event_id: occurrence, ..new.clone() };
    let key = EntityKey::new(Attendee::KIND, operation.new_id());
    let write = operation.write(WriteOp::Put(copies::json(&copy)?));
    let is_one = Require::UniqueTerm { kind: Kind::Attendee, term: copy.email_term() };
    Ok(Changes::none().require(Require::Absent { key }).require(is_one).write_valid(key, write))
}

fn followed(operation: &Operation, theirs: &Stored<Attendee>, old: &Attendee, new: &Attendee) -> Result<Changes> {
    let (before, after, own) = (copies::json(old)?, copies::json(new)?, copies::json(&theirs.data)?);
    let changed = |name: &&str| before.get(*name) != after.get(*name) && own.get(*name) == before.get(*name);
    let value = |name: &str| after.get(name).cloned().unwrap_or(Value::Null);
    let patch: Map<String, Value> =
        FIELDS.into_iter().filter(|name| changed(name)).map(|name| (name.to_owned(), value(name))).collect();
    if patch.is_empty() {
        return Ok(Changes::none());
    }
    let mut changes = parts::unchanged_of(theirs);
    if patch.contains_key("email") {
        let term = Attendee { event_id: theirs.data.event_id, ..new.clone() }.email_term();
        changes = changes.require(Require::UniqueTerm { kind: Kind::Attendee, term });
    }
    let write = operation.write(WriteOp::Patch(Value::Object(patch)));
    Ok(changes.write_valid(theirs.key(), write))
}

fn ended(operation: &Operation, theirs: &Stored<Attendee>) -> Changes {
    parts::unchanged_of(theirs).write_valid(theirs.key(), operation.write(WriteOp::Delete))
}
