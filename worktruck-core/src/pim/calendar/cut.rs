//! "This and following": a series that is cut in two.

use serde_json::Value;

use crate::entity::event::Event;
use crate::entity::{Entity, parse};
use crate::pim::write::create_as;
use crate::pim::{Operation, Stored, delete, update};
use crate::recurrence::{Moment, RuleSet};
use crate::store::{Changes, EntityKey};
use crate::temporal::{WriteOp, merge_patch};
use crate::{EntityId, Error, Result};

use super::{copies, follow, parts, series};

/// Changes the occurrence and all after it: they become a series of their own, with the attendees and links of the
/// one that they leave. If nothing is before it, the series itself is changed.
pub(super) async fn change(
    operation: &Operation,
    old: &Stored<Event>,
    recurrence: Moment,
    patch: &Value,
) -> Result<(Changes, EntityId)> {
    let split = old.data.series()?.split_at(recurrence).map_err(|e| e.at("/recurrence_id"))?;
    let Some(before) = split.before else {
        return Ok((update::<Event>(operation, old.id, None, patch).await?, old.id));
    };
    let guard = parts::guarded(operation, old.id).await?;
    let id = operation.new_id();
    let rest = Event {
        ical_uid: String::new(),
        sequence: 0,
        next_occurrence: None,
        ..with_dates(old.data.clone().moved_to(split.after.start().moment()), &split.after)
    };
    let from = copies::json(&rest)?;
    let mut body = merge_patch(&from, patch);
    if let Some(members) = body.as_object_mut() {
        follow::drop_times_of_the_other_kind(members, from.as_object());
        follow::carry_dates(members, &rest)?;
    }
    let mut changes = create_as::<Event>(operation, id, body).await?;
    let new = created(&changes, id)?;
    changes = changes.and(series::shortened(operation, old, with_dates(old.data.clone(), &before)).await?);
    let following = following(operation, old.id, recurrence).await?;
    changes = changes.and(follow::led(operation, &following, &rest, (id, &new)).await?);
    changes = changes.and(copies::parts_copied(operation, old.id, id).await?);
    Ok((changes.and(guard), id))
}

/// Ends a series before an occurrence; deletes it if nothing is before that.
pub(super) async fn delete_following(
    operation: &Operation,
    old: &Stored<Event>,
    recurrence: Moment,
) -> Result<Changes> {
    let split = old.data.series()?.split_at(recurrence).map_err(|e| e.at("/recurrence_id"))?;
    let Some(before) = split.before else { return delete::<Event>(operation, old.id, None).await };
    let guard = parts::guarded(operation, old.id).await?;
    let changes = series::shortened(operation, old, with_dates(old.data.clone(), &before)).await?;
    let following = following(operation, old.id, recurrence).await?;
    Ok(changes.and(parts::deleted(operation, &following).await?).and(guard))
}

/// The event with the rule and the dates of `set`.
fn with_dates(event: Event, set: &RuleSet) -> Event {
    let rrule = set.rules().first().map(ToString::to_string);
    Event { rrule, exdates: set.exdates(), rdates: set.rdates(), ..event }
}

/// The occurrences from `recurrence` on that differ.
async fn following(operation: &Operation, series: EntityId, recurrence: Moment) -> Result<Vec<Stored<Event>>> {
    let mut overrides = parts::overrides(operation, series).await?;
    overrides.retain(|event| event.data.recurrence_id >= Some(recurrence));
    Ok(overrides)
}

/// The event that changes make.
fn created(changes: &Changes, id: EntityId) -> Result<Event> {
    let key = EntityKey::new(Event::KIND, id);
    let body = changes.writes.iter().find_map(|change| match &change.write.op {
        WriteOp::Put(body) if change.key == key => Some(body),
        _ => None,
    });
    parse(body.ok_or_else(|| Error::internal("a new event is not written"))?)
}
