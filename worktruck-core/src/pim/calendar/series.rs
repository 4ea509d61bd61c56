//! Changes of a part of a series.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::event::Event;
use crate::pim::write::{create_as, present};
use crate::pim::{Operation, Records, Stored, delete, update};
use crate::recurrence::{Moment, RuleSet, Zone, expand};
use crate::store::Changes;
use crate::temporal::{WriteOp, merge_patch};
use crate::{EntityId, Error, Period, Result, Timestamp};

use super::events::next_occurrence;
use super::{copies, cut, follow, parts};

/// How much of a series a change is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UpdateScope {
    /// One occurrence.
    This,
    /// One occurrence and all after it, which become a series of their own.
    ThisAndFollowing,
    /// All of it.
    All,
}

/// Which part of a series a change is about. An event that takes place once is changed as a whole.
///
/// Without a scope, an occurrence that is named is meant alone, and else the whole event. The event that is asked to
/// change may be the series, or one of its occurrences that differs.
///
/// A change of all moves the dates and the differing occurrences of a series with its start, by what clocks show, and
/// changes what differs only where it does not differ.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EventPart {
    /// How much.
    pub update_scope: Option<UpdateScope>,
    /// Which occurrence, by when the series would have it start.
    pub recurrence_id: Option<Moment>,
}

impl EventPart {
    /// One occurrence.
    #[must_use]
    pub const fn this(recurrence: Moment) -> Self {
        Self { update_scope: Some(UpdateScope::This), recurrence_id: Some(recurrence) }
    }

    /// One occurrence and all after it.
    #[must_use]
    pub const fn this_and_following(recurrence: Moment) -> Self {
        Self { update_scope: Some(UpdateScope::ThisAndFollowing), recurrence_id: Some(recurrence) }
    }

    /// All of a series.
    #[must_use]
    pub const fn all() -> Self {
        Self { update_scope: Some(UpdateScope::All), recurrence_id: None }
    }
}

/// What a change of a part comes to.
enum Target {
    /// Of this event, as it is stored.
    Event(EntityId),
    /// Of one occurrence that has no event of its own yet.
    Occurrence(Stored<Event>, Moment),
    /// Of the series from here on.
    Following(Stored<Event>, Moment),
}

/// Changes a part of an event by a JSON merge patch, and gives the event that now is what was asked for.
///
/// With `expected`, only if that is the version of the event `id`.
///
/// # Errors
///
/// `NotFound` if the event does not exist or has no such occurrence, `InvalidRequest` at `/recurrence_id` if it is
/// missing or of the wrong type, and those of [`update`].
pub async fn update_part(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    part: &EventPart,
    patch: &Value,
) -> Result<(Changes, EntityId)> {
    if !patch.is_object() {
        return Err(Error::invalid("a merge patch must be an object"));
    }
    let (target, rests_on) = target(operation, id, expected, part).await?;
    let (changes, id) = match target {
        Target::Event(id) => (update::<Event>(operation, id, None, patch).await?, id),
        Target::Occurrence(series, recurrence) => make_differ(operation, &series, recurrence, patch).await?,
        Target::Following(series, recurrence) => cut::change(operation, &series, recurrence, patch).await?,
    };
    Ok((changes.and(rests_on), id))
}

/// Deletes a part of an event. A series of which no occurrence is left is deleted with it.
///
/// With `expected`, only if that is the version of the event `id`.
///
/// # Errors
///
/// As for [`update_part`].
pub async fn delete_part(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    part: &EventPart,
) -> Result<Changes> {
    let (target, rests_on) = target(operation, id, expected, part).await?;
    let changes = match target {
        Target::Event(id) => delete::<Event>(operation, id, None).await?,
        Target::Occurrence(series, recurrence) => left_out(operation, &series, recurrence).await?,
        Target::Following(series, recurrence) => cut::delete_following(operation, &series, recurrence).await?,
    };
    Ok(changes.and(rests_on))
}

async fn target(
    operation: &Operation,
    id: EntityId,
    expected: Option<u64>,
    part: &EventPart,
) -> Result<(Target, Changes)> {
    let (event, rests_on) = present::<Event>(operation, id, expected).await?;
    let mut changes = Changes::none();
    changes.requires.extend(rests_on);
    let target = if let Some((series, recurrence)) = event.data.series_id.zip(event.data.recurrence_id) {
        if part.recurrence_id.is_some_and(|asked| asked != recurrence) {
            return Err(no_occurrence(id, part.recurrence_id.unwrap_or(recurrence)));
        }
        match part.update_scope {
            None | Some(UpdateScope::This) => Target::Event(id),
            Some(UpdateScope::All) => Target::Event(series),
            Some(UpdateScope::ThisAndFollowing) => {
                let (series, _) = present::<Event>(operation, series, None).await?;
                Target::Following(series, recurrence)
            }
        }
    } else if event.data.is_series() {
        let default = if part.recurrence_id.is_some() { UpdateScope::This } else { UpdateScope::All };
        let scope = part.update_scope.unwrap_or(default);
        if scope == UpdateScope::All {
            return Ok((Target::Event(id), changes));
        }
        let recurrence = part
            .recurrence_id
            .ok_or_else(|| Error::invalid("say which occurrence is meant: its recurrence_id").at("/recurrence_id"))?;
        check_occurrence(&event, recurrence)?;
        if scope == UpdateScope::ThisAndFollowing {
            Target::Following(event, recurrence)
        } else {
            match parts::override_at(operation, id, recurrence).await? {
                Some(differing) => Target::Event(differing.id),
                None => Target::Occurrence(event, recurrence),
            }
        }
    } else {
        let start = event.data.start()?;
        if let Some(asked) = part.recurrence_id.filter(|asked| *asked != start) {
            return Err(no_occurrence(id, asked));
        }
        Target::Event(id)
    };
    Ok((target, changes))
}

fn no_occurrence(id: EntityId, recurrence: Moment) -> Error {
    Error::not_found(format!("the occurrence of event {id} at {recurrence}"))
}

/// Checks that a series has an occurrence.
///
/// # Errors
///
/// `NotFound` if it has not, `InvalidRequest` at `/recurrence_id` if a date is given for a moment or the reverse.
pub(super) fn check_occurrence(series: &Stored<Event>, recurrence: Moment) -> Result<()> {
    if series.data.series()?.contains(recurrence).map_err(|e| e.at("/recurrence_id"))? {
        return Ok(());
    }
    Err(no_occurrence(series.id, recurrence))
}

/// Makes an event of one occurrence, with the attendees and links of the series.
async fn make_differ(
    operation: &Operation,
    series: &Stored<Event>,
    recurrence: Moment,
    patch: &Value,
) -> Result<(Changes, EntityId)> {
    let once = Event {
        rrule: None,
        exdates: Vec::new(),
        rdates: Vec::new(),
        series_id: Some(series.id),
        recurrence_id: Some(recurrence),
        next_occurrence: None,
        ..series.data.clone().moved_to(recurrence)
    };
    let before = copies::json(&once)?;
    let mut body = merge_patch(&before, patch);
    for (pointer, name) in [("/series_id", "series_id"), ("/recurrence_id", "recurrence_id")] {
        if body.get(name) != before.get(name) {
            return Err(Error::invalid("an occurrence stays in its series").at(pointer));
        }
    }
    if let Some(members) = body.as_object_mut() {
        follow::drop_times_of_the_other_kind(members, before.as_object());
    }
    let id = operation.new_id();
    let changes = create_as::<Event>(operation, id, body).await?;
    Ok((changes.and(parts::unchanged_of(series)).and(copies::parts_copied(operation, series.id, id).await?), id))
}

/// Leaves an occurrence out of a series.
pub(super) async fn left_out(operation: &Operation, series: &Stored<Event>, recurrence: Moment) -> Result<Changes> {
    let mut left = series.data.clone();
    if !left.exdates.contains(&recurrence) {
        left.exdates.push(recurrence);
    }
    let guarded = parts::guarded(operation, series.id).await?;
    Ok(shortened(operation, series, left).await?.and(guarded))
}

/// Puts `left`, which has fewer occurrences, in the place of a series; deletes it if it has none.
pub(super) async fn shortened(operation: &Operation, series: &Stored<Event>, mut left: Event) -> Result<Changes> {
    let set = left.series()?;
    if !has_occurrence(&set)? {
        return parts::deleted(operation, std::slice::from_ref(series)).await;
    }
    left.next_occurrence = next_occurrence(&left, operation)?;
    let patch = json!({
        "rrule": left.rrule,
        "exdates": left.exdates,
        "rdates": left.rdates,
        "next_occurrence": left.next_occurrence,
        "sequence": left.sequence.saturating_add(1),
    });
    let write = operation.write(WriteOp::Patch(patch));
    Ok(Changes::none().write_valid(series.key(), write).and(parts::unchanged_of(series)))
}

/// Whether a series has any occurrence.
pub(super) fn has_occurrence(set: &RuleSet) -> Result<bool> {
    let ever = Period::new(Timestamp::from_micros(-100_000_000_000_000_000), Timestamp::FOREVER)?;
    let found = expand(set, crate::recurrence::Window::new(ever, Zone::UTC), 1)?;
    Ok(!found.moments.is_empty())
}

impl Records<Event> {
    /// Changes a part of an event by a JSON merge patch, and gives the event that now is what was asked for.
    ///
    /// # Errors
    ///
    /// As for [`update_part`].
    pub async fn update_part(&self, id: EntityId, part: EventPart, patch: Value) -> Result<Stored<Event>> {
        let (patch, expected) = (&patch, self.expected);
        let run = |operation: Operation| async move { update_part(&operation, id, expected, &part, patch).await };
        let (applied, id) = self.commit(run).await?;
        self.written(id, &applied).await
    }

    /// Deletes a part of an event.
    ///
    /// # Errors
    ///
    /// As for [`delete_part`].
    pub async fn delete_part(&self, id: EntityId, part: EventPart) -> Result<()> {
        let expected = self.expected;
        self.commit_all(|operation| async move { delete_part(&operation, id, expected, &part).await }).await?;
        Ok(())
    }
}
