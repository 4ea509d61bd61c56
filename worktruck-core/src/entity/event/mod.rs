//! Events: what happens at a time, once or again and again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::recurrence::Moment;
use crate::{EntityId, Result, Timestamp};

use super::{Entity, Index, Kind, Locale, Term, Texts};

mod check;
mod index;
#[cfg(test)]
mod tests;
mod times;
mod words;

pub use index::{EventKeys, MONTHS_INDEXED, day_key, time_key};
pub(crate) use index::{month_name, months, year_name};
pub use times::Length;
pub use words::{Availability, EventStatus, EventType, Reminder, ReminderMethod, Visibility};

/// The most dates that are added to a series or left out of it.
pub const MAX_DATES: usize = 10_000;
/// The most reminders of an event.
pub const MAX_REMINDERS: usize = 100;

/// An event: one that happens once, a series that happens again and again, or one occurrence of a series that
/// differs from the others.
///
/// An all-day event has dates, which are the same days wherever one is, and its `end_date` is the day after the
/// last; without one it is one day long. Any other event has moments, and without `end_at` takes no time. A series
/// repeats what clocks of its `timezone` show.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::event::Event;
/// use worktruck_core::entity::{Entity, Locale};
///
/// let calendar: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let at = "2026-04-14T09:00:00+02:00".parse()?;
/// let mut standup = Event {
///     timezone: Some("Europe/Berlin".to_owned()),
///     rrule: Some("FREQ=DAILY".to_owned()),
///     ..Event::at(calendar, "Standup", at)
/// };
/// standup.normalise(&Locale::default())?;
/// assert!(standup.is_series());
/// assert!(Event { rrule: Some("FREQ=NEVER".to_owned()), ..standup }.normalise(&Locale::default()).is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The calendar that it is in.
    pub calendar_id: EntityId,
    /// What people call it.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_lat: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_lng: Option<f64>,
    /// Where one joins from afar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conference_url: Option<String>,
    /// What it is.
    #[serde(default)]
    pub event_type: EventType,
    /// Whether it takes place.
    #[serde(default)]
    pub status: EventStatus,
    /// Whether it leaves time for anything else.
    #[serde(default)]
    pub availability: Availability,
    /// Who may see it.
    #[serde(default)]
    pub visibility: Visibility,
    /// Whether it has dates instead of moments.
    #[serde(default)]
    pub is_all_day: bool,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// When it is over; when it begins if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// Its first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<NaiveDate>,
    /// The day after its last; the day after its first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<NaiveDate>,
    /// The time zone (IANA) whose clocks a series keeps to. On an all-day event it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How it repeats (RRULE of RFC 5545).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrule: Option<String>,
    /// The occurrences that are left out, by their starts.
    #[serde(default)]
    pub exdates: Vec<Moment>,
    /// The occurrences that are added, by their starts.
    #[serde(default)]
    pub rdates: Vec<Moment>,
    /// The series of which this is an occurrence that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<EntityId>,
    /// Which occurrence: when the series would have it start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence_id: Option<Moment>,
    /// What names it in iCalendar; its id if nothing else is said.
    #[serde(default)]
    pub ical_uid: String,
    /// How often what matters to attendees was changed.
    #[serde(default)]
    pub sequence: u32,
    /// When to remind people of it.
    #[serde(default)]
    pub reminders: Vec<Reminder>,
    /// The contact who asks people to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer_id: Option<EntityId>,
    /// The first occurrence of a series after it was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_occurrence: Option<Moment>,
    /// How it is shown, such as `#3366cc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Event {
    /// An event that begins at a moment and takes no time.
    pub fn at(calendar_id: EntityId, title: impl Into<String>, start: Timestamp) -> Self {
        Self { start_at: Some(start), ..Self::bare(calendar_id, title.into()) }
    }

    /// An event that takes a whole day.
    pub fn on(calendar_id: EntityId, title: impl Into<String>, date: NaiveDate) -> Self {
        Self { is_all_day: true, start_date: Some(date), ..Self::bare(calendar_id, title.into()) }
    }

    fn bare(calendar_id: EntityId, title: String) -> Self {
        Self {
            calendar_id,
            title,
            description: None,
            location: None,
            location_lat: None,
            location_lng: None,
            conference_url: None,
            event_type: EventType::default(),
            status: EventStatus::default(),
            availability: Availability::default(),
            visibility: Visibility::default(),
            is_all_day: false,
            start_at: None,
            end_at: None,
            start_date: None,
            end_date: None,
            timezone: None,
            rrule: None,
            exdates: Vec::new(),
            rdates: Vec::new(),
            series_id: None,
            recurrence_id: None,
            ical_uid: String::new(),
            sequence: 0,
            reminders: Vec::new(),
            organizer_id: None,
            next_occurrence: None,
            color: None,
            metadata: Map::new(),
        }
    }

    /// Whether it happens again and again.
    #[must_use]
    pub fn is_series(&self) -> bool {
        self.rrule.is_some() || !self.rdates.is_empty()
    }

    /// The index term that no two occurrences of a series that differ share.
    #[must_use]
    pub fn occurrence_term(series: EntityId, recurrence: Moment) -> Term {
        Term::new("occurrence", format!("{series}/{recurrence}"))
    }
}

impl Entity for Event {
    const KIND: Kind = Kind::Event;

    const SORT_KEYS: &'static [&'static str] = EventKeys::ALL;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check::normalise(self)
    }

    fn index(&self) -> Result<Index> {
        index::index(self)
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.title).heading([self.location.as_deref()]).body([self.description.as_deref()])
    }
}
