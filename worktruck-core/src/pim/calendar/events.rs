use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::calendar::Calendar;
use crate::entity::event::{Event, EventKeys, EventStatus};
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::{Deleting, Filter, Operation, Record, Stored, Writing};
use crate::recurrence::{Moment, Zone};
use crate::store::{Changes, ListQuery, Require, SortField};
use crate::temporal::At;
use crate::{EntityId, Error, ErrorKind, Result, Timestamp};

use super::occurrences::home;
use super::window::Window;
use super::{follow, parts, series};

/// What lists of events can be filtered by.
///
/// Without `expand`, a list shows events as they are stored: a series lies in a window from its first occurrence to
/// the end of its last, also where none is between.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// The calendar.
    pub calendar_id: Option<EntityId>,
    /// Only what is not over then; a date is the midnight that it begins with, where the tenant is at home.
    pub from: Option<Moment>,
    /// Only what begins before then.
    pub to: Option<Moment>,
    /// The series from which it differs.
    pub series_id: Option<EntityId>,
    /// What names it in iCalendar.
    pub ical_uid: Option<String>,
    /// Whether it takes place.
    pub status: Option<EventStatus>,
}

impl EventFilter {
    pub(super) fn window(&self, operation: &Operation) -> Result<Window> {
        Window::new(self.from, self.to, home(operation)?)
    }
}

/// What lists of events can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By when it begins; a day begins at midnight in UTC.
    Start,
}

impl From<EventSort> for SortField {
    fn from(by: EventSort) -> Self {
        match by {
            EventSort::CreatedAt => Self::CreatedAt,
            EventSort::UpdatedAt => Self::UpdatedAt,
            EventSort::Start => Self::Key(EventKeys::START.to_owned()),
        }
    }
}

#[async_trait]
impl Filter for EventFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = query
            .with("calendar_id", self.calendar_id)
            .with("series_id", self.series_id)
            .with("ical_uid", self.ical_uid.as_ref())
            .with("status", self.status.map(EventStatus::as_str));
        Ok(self.window(operation)?.apply(query))
    }
}

/// A change of a series is one of all its occurrences: those that differ follow it, see [`super::EventPart`].
#[async_trait]
impl Record for Event {
    type Filter = EventFilter;
    type Sort = EventSort;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        let Some(members) = body.as_object_mut() else { return Ok(()) };
        if let Some(old) = old {
            let before = old.stored.slice.body.as_ref().and_then(Value::as_object);
            follow::drop_times_of_the_other_kind(members, before);
            for name in ["ical_uid", "sequence"] {
                if let Some(value) = before.and_then(|before| before.get(name)) {
                    members.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        if members.contains_key("start_date") && !members.contains_key("start_at") {
            members.entry("is_all_day").or_insert(Value::Bool(true));
        }
        if let Some(old) = old {
            follow::carry_dates(members, &old.data)?;
        }
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        writing.refer("/calendar_id", Kind::Calendar, |event| Some(event.calendar_id)).await?;
        writing.refer("/organizer_id", Kind::Contact, |event| event.organizer_id).await?;
        if writing.new.timezone.is_none() && !writing.new.is_all_day {
            writing.new.timezone = Some(zone_of(writing.operation, writing.new.calendar_id).await?);
            writing.new.normalise(&writing.operation.locale)?;
        }
        place_in_series(writing).await?;
        if writing.new.ical_uid.is_empty() {
            writing.new.ical_uid = writing.id.to_string();
        }
        if let Some(old) = writing.old {
            let new = &mut *writing.new;
            if new.sequence == old.data.sequence && matters_to_attendees(&old.data, new) {
                new.sequence = new.sequence.saturating_add(1);
            }
        }
        writing.new.next_occurrence = next_occurrence(writing.new, writing.operation)?;
        if let Some(old) = writing.old.filter(|old| old.data.is_series()) {
            let changes = follow::followed(writing.operation, old, writing.new).await?;
            writing.changes = std::mem::take(&mut writing.changes).and(changes);
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let (operation, old) = (deleting.operation, deleting.old);
        let mut changes = Changes::none();
        let mut ids = vec![old.id];
        if let Some((series, recurrence)) = old.data.series_id.zip(old.data.recurrence_id) {
            // Without its own event the occurrence would be as the series says.
            if let Some(series) = operation.find_at::<Self>(series, At::NOW).await? {
                changes = series::left_out(operation, &series, recurrence).await?;
            }
        } else if old.data.is_series() {
            let overrides = parts::overrides(operation, old.id).await?;
            for event in &overrides {
                changes = changes
                    .write_valid(event.key(), operation.write(crate::temporal::WriteOp::Delete))
                    .require(parts::unchanged(event));
            }
            ids.extend(overrides.iter().map(|event| event.id));
            let term = Term::new("series_id", old.id.to_string());
            changes = changes.require(Require::NoTerm { kind: Kind::Event, term });
        }
        let parts = parts::parts_deleted(operation, &ids).await?;
        deleting.changes = std::mem::take(&mut deleting.changes).and(changes).and(parts);
        Ok(())
    }
}

/// The zone of events of a calendar that name none.
async fn zone_of(operation: &Operation, calendar: EntityId) -> Result<String> {
    let calendar = operation.find_at::<Calendar>(calendar, At::NOW).await?;
    let zone = calendar.and_then(|calendar| calendar.data.timezone);
    Ok(zone.unwrap_or_else(|| operation.locale.timezone.name().to_owned()))
}

/// Checks what an occurrence that differs says of its series.
async fn place_in_series(writing: &mut Writing<'_, Event>) -> Result<()> {
    if writing.old.is_some() {
        for (pointer, is_changed) in [
            ("/series_id", writing.is_changed(|event| &event.series_id)),
            ("/recurrence_id", writing.is_changed(|event| &event.recurrence_id)),
            ("/calendar_id", writing.new.series_id.is_some() && writing.is_changed(|event| &event.calendar_id)),
        ] {
            if is_changed {
                let message = "an occurrence stays in its series and its calendar; change the series, or make an event";
                return Err(Error::invalid(message).at(pointer));
            }
        }
        return Ok(());
    }
    let Some((id, recurrence)) = writing.new.series_id.zip(writing.new.recurrence_id) else { return Ok(()) };
    let operation = writing.operation;
    let no_series = || Error::invalid(format!("event {id} is not a series")).at("/series_id");
    let series = operation.find_at::<Event>(id, At::NOW).await?.ok_or_else(no_series)?;
    if !series.data.is_series() {
        return Err(no_series());
    }
    if series.data.calendar_id != writing.new.calendar_id {
        return Err(Error::invalid("an occurrence is in the calendar of its series").at("/calendar_id"));
    }
    series::check_occurrence(&series, recurrence).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::invalid(error.to_string()).at("/recurrence_id"),
        _ => error,
    })?;
    if parts::override_at(operation, id, recurrence).await?.is_some() {
        let message = "an event stands for this occurrence already; change that one";
        return Err(Error::conflict(message).at("/recurrence_id"));
    }
    writing.new.ical_uid.clone_from(&series.data.ical_uid);
    writing.require(parts::unchanged(&series));
    writing.require(Require::UniqueTerm { kind: Kind::Event, term: Event::occurrence_term(id, recurrence) });
    let guarded = parts::guarded(operation, id).await?;
    writing.changes = std::mem::take(&mut writing.changes).and(guarded);
    Ok(())
}

/// Whether attendees must learn of a change.
fn matters_to_attendees(old: &Event, new: &Event) -> bool {
    let times = |event: &Event| (event.is_all_day, event.start_at, event.end_at, event.start_date, event.end_date);
    let dates = |event: &Event| (event.exdates.clone(), event.rdates.clone());
    times(old) != times(new)
        || (&old.timezone, &old.rrule, old.status) != (&new.timezone, &new.rrule, new.status)
        || old.location != new.location
        || dates(old) != dates(new)
}

/// The first occurrence of a series that is still to come.
pub(super) fn next_occurrence(event: &Event, operation: &Operation) -> Result<Option<Moment>> {
    if !event.is_series() || event.status == EventStatus::Cancelled {
        return Ok(None);
    }
    let now: Timestamp = operation.now();
    let now = if event.is_all_day {
        let wall = Zone::wall(home(operation)?, now);
        wall.map(|wall| Moment::Date(wall.date()))
    } else {
        Some(Moment::Instant(now))
    };
    now.map_or(Ok(None), |now| event.series()?.next_after(now)).map_err(|e| e.at("/rrule"))
}
