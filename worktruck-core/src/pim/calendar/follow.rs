//! What follows a series that is changed: the dates that are left out or added, and the occurrences that differ.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, NaiveTime};
use serde_json::{Map, Value, json};

use crate::entity::event::{Event, EventStatus};
use crate::entity::parse;
use crate::pim::{Operation, Stored};
use crate::recurrence::{Moment, RuleSet, Zone};
use crate::store::Changes;
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

use super::{copies, parts};

/// What an occurrence takes from a series that is changed where it does not differ, together or not at all.
const INHERITED: &[&[&str]] = &[
    &["title"],
    &["description"],
    &["location"],
    &["location_lat", "location_lng"],
    &["conference_url"],
    &["event_type"],
    &["status"],
    &["availability"],
    &["visibility"],
    &["timezone"],
    &["reminders"],
    &["organizer_id"],
    &["color"],
];

/// The fields that say when an event takes place.
const TIMES: [&str; 5] = ["is_all_day", "start_at", "end_at", "start_date", "end_date"];

/// How the occurrences of a series move with its start: by what clocks show.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::event::Event;
/// use worktruck_core::pim::calendar::Move;
///
/// let calendar: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let at = |start: &str| -> worktruck_core::Result<Event> {
///     Ok(Event { timezone: Some("Europe/Berlin".to_owned()), ..Event::at(calendar, "Standup", start.parse()?) })
/// };
/// let an_hour_later = Move::between(&at("2026-03-28T08:00:00Z")?, &at("2026-03-28T09:00:00Z")?)?;
/// // Clocks are set forward on the 29th.
/// let next = "2026-03-29T07:00:00Z".parse()?;
/// assert_eq!(an_hour_later.map(|by| by.of(next)), Some("2026-03-29T08:00:00Z".parse()?));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Move {
    old_zone: Zone,
    old_start: NaiveDateTime,
    new_zone: Zone,
    new_start: NaiveDateTime,
    to_days: bool,
}

impl Move {
    /// The move from one start to another; nothing if occurrences stay where they are.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at the field, of events that do not say when they begin.
    pub fn between(old: &Event, new: &Event) -> Result<Option<Self>> {
        let (old_zone, new_zone) = (old.zone()?, new.zone()?);
        let is_same_zone = old_zone == new_zone || (old.is_all_day && new.is_all_day);
        if is_same_zone && old.start()? == new.start()? {
            return Ok(None);
        }
        let no_date = || Error::invalid("the event must begin in one of the years 1 to 9999").at("/start_at");
        let old_start = wall(old_zone, old.start()?).ok_or_else(no_date)?;
        let new_start = wall(new_zone, new.start()?).ok_or_else(no_date)?;
        Ok(Some(Self { old_zone, old_start, new_zone, new_start, to_days: new.is_all_day }))
    }

    /// Where an occurrence goes.
    #[must_use]
    pub fn of(self, moment: Moment) -> Moment {
        let by = self.new_start - self.old_start;
        let Some(wall) = wall(self.old_zone, moment).and_then(|wall| wall.checked_add_signed(by)) else {
            return moment;
        };
        if self.to_days { Moment::Date(wall.date()) } else { Moment::Instant(self.new_zone.timestamp(wall)) }
    }
}

fn wall(zone: Zone, moment: Moment) -> Option<NaiveDateTime> {
    match moment {
        Moment::Date(date) => Some(date.and_time(NaiveTime::MIN)),
        Moment::Instant(at) => zone.wall(at),
    }
}

/// Takes the times that an event had out of a body that now has times of the other kind.
pub(super) fn drop_times_of_the_other_kind(members: &mut Map<String, Value>, before: Option<&Map<String, Value>>) {
    let is_all_day = |members: &Map<String, Value>| members.get("is_all_day") == Some(&Value::Bool(true));
    let Some(before) = before.filter(|before| is_all_day(before) != is_all_day(members)) else { return };
    for name in &TIMES[1..] {
        // One that differs was asked for, and is refused where it does not belong.
        if members.contains_key(*name) && members.get(*name) == before.get(*name) {
            members.remove(*name);
        }
    }
}

/// Moves the dates of a series with its start, where the change does not name them itself.
pub(super) fn carry_dates(members: &mut Map<String, Value>, old: &Event) -> Result<()> {
    if old.exdates.is_empty() && old.rdates.is_empty() {
        return Ok(());
    }
    // What cannot be read is refused by whoever reads it next.
    let Ok(mut new) = parse::<Event>(&Value::Object(members.clone())) else { return Ok(()) };
    if new.timezone.is_none() {
        new.timezone.clone_from(&old.timezone);
    }
    let (Ok(Some(by)), Ok(before)) = (Move::between(old, &new), old.whole_series()) else { return Ok(()) };
    if new.rdates == old.rdates {
        new.rdates = old.rdates.iter().map(|date| by.of(*date)).collect();
        members.insert("rdates".to_owned(), json!(new.rdates));
    }
    if new.exdates == old.exdates {
        let after = new.whole_series().unwrap_or(before);
        let dates: Vec<Moment> =
            old.exdates.iter().map(|date| place(&after, Some(by), *date).unwrap_or_else(|| by.of(*date))).collect();
        members.insert("exdates".to_owned(), json!(dates));
    }
    Ok(())
}

/// Where the occurrence at `moment` is after a move: moved with it, else where it was if there is one still.
fn place(series: &RuleSet, by: Option<Move>, moment: Moment) -> Option<Moment> {
    let has = |moment: &Moment| series.contains(*moment).unwrap_or(false);
    by.map(|by| by.of(moment)).filter(has).or_else(|| Some(moment).filter(has))
}

/// What follows when a series becomes `new`: occurrences that differ stay at theirs, and take on what changes where
/// they do not differ. Those whose occurrence is gone are deleted.
pub(super) async fn followed(operation: &Operation, old: &Stored<Event>, new: &Event) -> Result<Changes> {
    let like_new = Event {
        sequence: new.sequence,
        next_occurrence: new.next_occurrence,
        metadata: new.metadata.clone(),
        ..old.data.clone()
    };
    if like_new == *new {
        return Ok(Changes::none());
    }
    let guard = parts::guarded(operation, old.id).await?;
    let overrides = parts::overrides(operation, old.id).await?;
    Ok(led(operation, &overrides, &old.data, (old.id, new)).await?.and(guard))
}

/// Leads occurrences that differ from a series to the one that it becomes, which may be another event.
pub(super) async fn led(
    operation: &Operation,
    overrides: &[Stored<Event>],
    old: &Event,
    (id, new): (EntityId, &Event),
) -> Result<Changes> {
    if overrides.is_empty() {
        return Ok(Changes::none());
    }
    let by = Move::between(old, new)?;
    let series = new.series()?;
    let (before, after) = (copies::json(old)?, copies::json(new)?);
    let mut changes = Changes::none();
    let mut taken = BTreeSet::new();
    let mut gone = Vec::new();
    for event in overrides {
        let recurrence = event.data.recurrence_id.and_then(|recurrence| place(&series, by, recurrence));
        let Some(recurrence) = recurrence.filter(|recurrence| taken.insert(*recurrence)) else {
            gone.push(event.clone());
            continue;
        };
        let own = copies::json(&event.data)?;
        let mut patch = Map::new();
        let mut set = |name: &str, value: Option<&Value>| {
            if own.get(name) != value {
                patch.insert(name.to_owned(), value.cloned().unwrap_or(Value::Null));
            }
        };
        for names in INHERITED {
            let is_like = names.iter().all(|name| own.get(name) == before.get(name));
            let is_cancelled = *names == ["status"] && new.status == EventStatus::Cancelled && old.status != new.status;
            if is_like || is_cancelled {
                names.iter().for_each(|name| set(name, after.get(name)));
            }
        }
        let is_in_place = event.data.recurrence_id == Some(event.data.start()?) && event.data.length() == old.length();
        if is_in_place {
            let times = copies::json(&new.clone().moved_to(recurrence))?;
            TIMES.iter().for_each(|name| set(name, times.get(name)));
        }
        for (name, value) in [
            ("recurrence_id", json!(recurrence)),
            ("series_id", json!(id)),
            ("calendar_id", json!(new.calendar_id)),
            ("ical_uid", json!(new.ical_uid)),
        ] {
            set(name, Some(&value));
        }
        if !patch.is_empty() {
            let write = operation.write(WriteOp::Patch(Value::Object(patch)));
            changes = changes.write_valid(event.key(), write);
        }
        changes = changes.require(parts::unchanged(event));
    }
    if !gone.is_empty() {
        changes = changes.and(parts::deleted(operation, &gone).await?);
    }
    Ok(changes)
}
