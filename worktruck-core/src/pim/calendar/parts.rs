//! What belongs to events, and goes with them.

use serde_json::json;

use crate::entity::attendee::Attendee;
use crate::entity::counter::Counter;
use crate::entity::event::Event;
use crate::entity::event_link::EventLink;
use crate::entity::{Entity, Kind, Term};
use crate::pim::{MOST_TOGETHER, Operation, Stored};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result};

/// How many terms one query asks for.
const TERMS_TOGETHER: usize = 100;

/// What must hold for a write that rests on what was read.
pub(super) const fn unchanged<E: Entity>(stored: &Stored<E>) -> Require {
    Require::Version { key: stored.key(), version: stored.version() }
}

/// [`unchanged`] as what a change rests on.
pub(super) fn unchanged_of<E: Entity>(stored: &Stored<E>) -> Changes {
    Changes::none().require(unchanged(stored))
}

/// The entities that have one of the terms `name` with these values, at the times of the operation.
pub(super) async fn having<E: Entity>(
    operation: &Operation,
    name: &str,
    values: &[EntityId],
) -> Result<Vec<Stored<E>>> {
    let mut found = Vec::new();
    for some in values.chunks(TERMS_TOGETHER) {
        found.extend(operation.all::<E>(operation.query::<E>().with_any(name, some)).await?);
        if found.len() > MOST_TOGETHER {
            let message = format!("more than {MOST_TOGETHER} entities of kind {} are concerned", E::KIND);
            return Err(Error::conflict(message));
        }
    }
    Ok(found)
}

/// The occurrences of a series that differ, as they are now.
pub(super) async fn overrides(operation: &Operation, series: EntityId) -> Result<Vec<Stored<Event>>> {
    operation.all(ListQuery::new(Kind::Event).with("series_id", Some(series))).await
}

/// The occurrence of a series that differs and would start then, as it is now.
pub(super) async fn override_at(
    operation: &Operation,
    series: EntityId,
    recurrence: crate::recurrence::Moment,
) -> Result<Option<Stored<Event>>> {
    let terms = vec![Event::occurrence_term(series, recurrence)];
    operation.first(ListQuery { terms, ..ListQuery::new(Kind::Event) }).await
}

/// Deletes events and all that belongs to them, the occurrences that differ excepted.
pub(super) async fn deleted(operation: &Operation, events: &[Stored<Event>]) -> Result<Changes> {
    let mut changes = Changes::none();
    for event in events {
        changes = changes.write_valid(event.key(), operation.write(WriteOp::Delete)).require(unchanged(event));
    }
    let ids: Vec<EntityId> = events.iter().map(|event| event.id).collect();
    Ok(changes.and(parts_deleted(operation, &ids).await?))
}

/// Deletes the attendees and links of events.
pub(super) async fn parts_deleted(operation: &Operation, events: &[EntityId]) -> Result<Changes> {
    let now = Operation { at: At::NOW, ..operation.clone() };
    let attendees = having::<Attendee>(&now, "event_id", events).await?;
    let links = having::<EventLink>(&now, "event_id", events).await?;
    let keys = attendees.iter().map(Stored::key).chain(links.iter().map(Stored::key));
    let mut changes = Changes::none();
    for key in keys {
        changes = changes.write_valid(key, operation.write(WriteOp::Delete));
    }
    if changes.writes.len() > MOST_TOGETHER {
        let message = format!("more than {MOST_TOGETHER} attendees and links are concerned; delete some events first");
        return Err(Error::conflict(message));
    }
    for event in events {
        // What is added to an event meanwhile must not outlive it.
        for kind in [Kind::Attendee, Kind::EventLink] {
            changes = changes.require(Require::NoTerm { kind, term: Term::new("event_id", event.to_string()) });
        }
    }
    Ok(changes)
}

/// Makes sure that nobody decides at the same time which occurrences of a series differ, or whom they ask: what is read
/// of that afterwards holds still at the commit.
pub(super) async fn guarded(operation: &Operation, series: EntityId) -> Result<Changes> {
    let key = EntityKey::new(Kind::Counter, series);
    let (next, require) = match operation.find_at::<Counter>(series, At::NOW).await? {
        Some(counter) => (counter.data.next.saturating_add(1), unchanged(&counter)),
        None => (1, Require::Absent { key }),
    };
    Ok(Changes::none().require(require).write(key, WriteOp::Put(json!({ "next": next }))))
}
