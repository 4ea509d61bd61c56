//! Events that are made of others, with their attendees and links.

use serde_json::Value;

use crate::entity::Entity;
use crate::entity::attendee::Attendee;
use crate::entity::event_link::EventLink;
use crate::pim::{Operation, Stored};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

/// Gives the event `to` the attendees and links that the event `from` has now.
pub(super) async fn parts_copied(operation: &Operation, from: EntityId, to: EntityId) -> Result<Changes> {
    let attendees = copied(operation, from, |attendee: Attendee| Attendee { event_id: to, ..attendee }).await?;
    let links = copied(operation, from, |link: EventLink| EventLink { event_id: to, ..link }).await?;
    Ok(attendees.and(links))
}

async fn copied<E: Entity>(operation: &Operation, from: EntityId, change: impl Fn(E) -> E) -> Result<Changes> {
    let parts: Vec<Stored<E>> = operation.all(ListQuery::new(E::KIND).with("event_id", Some(from))).await?;
    let mut changes = Changes::none();
    for part in parts {
        let key = EntityKey::new(E::KIND, operation.new_id());
        let write = operation.write(WriteOp::Put(json(&change(part.data))?));
        changes = changes.require(Require::Absent { key }).write_valid(key, write);
    }
    Ok(changes)
}

/// The JSON of an entity.
pub(super) fn json<E: Entity>(entity: &E) -> Result<Value> {
    serde_json::to_value(entity).map_err(|e| Error::internal(format!("a {} has no JSON form", E::KIND)).with_source(e))
}
