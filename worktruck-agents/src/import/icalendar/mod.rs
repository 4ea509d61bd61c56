//! Events from iCalendar files (RFC 5545).
//!
//! Each line is read by itself, so that a broken one spoils no other. What cannot be understood is a [`Problem`] with
//! its line: of an event that has no usable start, nothing is taken; anything else that an event has no field for is
//! kept as it stands in its metadata, under `icalendar`, and an [export](crate::export::icalendar) writes it again.
//!
//! A TZID is read as the name of an IANA zone, as one of Windows, or as another that its definition in the file
//! names. Where none of these helps, the clocks that the definition describes are compared with those of known zones
//! in the years of the events, and the best known zone that agrees is taken. If none does, times become moments in
//! UTC. Times without any zone are those of the calendar's (`X-WR-TIMEZONE`), else of [`Options::zone`].
//!
//! Where a file changes an occurrence and all later ones (`RANGE=THISANDFUTURE`), the series is cut there: what comes
//! after is a series of its own, which moves as the occurrence does. Its UID is made of that of the whole and of the
//! occurrence, so that it is the same when the file is imported again.

mod alarm;
mod attendee;
mod event;
mod fields;
mod following;
mod lines;
mod load;
mod more;
mod people;
mod preferred;
mod property;
mod rules;
mod series;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod whole;
mod zones;

use std::fmt;
use std::sync::Arc;

use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::event::Event;
use worktruck_core::recurrence::{Moment, Zone};
use worktruck_core::{EntityId, Error, Result};

use super::Problem;

pub(crate) use self::alarm::reminder_of;
pub(crate) use self::attendee::understand as understand_attendee;
pub(crate) use self::fields::set_field;
pub use self::load::{Target, load};
pub(crate) use self::more::differences;
pub(crate) use self::property::Property;

/// Where lines are kept, within the metadata of events and attendees, that they have no field for.
pub(crate) const KEPT: &str = "icalendar";
/// Where the definition of a time zone is kept that is like no known one.
pub(crate) const ZONE_KEPT: &str = "icalendar_timezone";
/// Where it is kept which occurrence an event was of a series that is not there.
pub(crate) const RECURRENCE_KEPT: &str = "icalendar_recurrence_id";
/// The property that says what iCalendar has no words for.
pub(crate) const MORE: &str = "X-WORKTRUCK-MORE";
/// What an event without a summary is called.
pub(crate) const UNTITLED: &str = "Untitled";

/// How a file is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The zone of times that name none, if the file names none for all of them either.
    pub zone: Zone,
}

impl Default for Options {
    /// UTC.
    fn default() -> Self {
        Self { zone: Zone::UTC }
    }
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What the file says of the calendar itself.
    pub calendar: CalendarInfo,
    /// The events, in the order of the file.
    pub events: Vec<ImportedEvent>,
    /// What was not understood, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Parsed {
    /// How many events, tasks and journal entries were left out.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.problems.iter().filter(|problem| problem.skipped).count()
    }
}

/// What a file says of its calendar.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CalendarInfo {
    /// What it is called (`X-WR-CALNAME`, `NAME`).
    pub name: Option<String>,
    /// What it is for (`X-WR-CALDESC`, `DESCRIPTION`).
    pub description: Option<String>,
    /// How it is shown (`X-APPLE-CALENDAR-COLOR`, `COLOR`).
    pub color: Option<String>,
    /// Its time zone (`X-WR-TIMEZONE`, `TIMEZONE-ID`), if that is one.
    pub timezone: Option<Zone>,
    /// What it is sent for (`METHOD`), in upper case. Events of a `CANCEL` are cancelled.
    pub method: Option<String>,
}

/// An event, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedEvent {
    /// The line of the file on which it begins; the first is 1.
    pub line: u64,
    /// The event, normalised. Its calendar and series are for the caller to say.
    pub event: Event,
    /// Who is asked to it. Their event is for the caller to say.
    pub attendees: Vec<Attendee>,
    /// The e-mail address of who asks them, in lower case. The contact is for the caller to find.
    pub organizer: Option<String>,
    /// Which occurrence of the series with the same UID it stands for.
    pub recurrence_id: Option<Moment>,
    /// Whether it stands for all later occurrences too (`RANGE=THISANDFUTURE`), of a series that the file does not have.
    pub and_following: bool,
}

/// Reads the events in `bytes`, the content of the file that messages call `source`.
///
/// UTF-8 and, by its byte order mark, UTF-16 are read as such; lines that are neither are read as Windows-1252, with
/// one warning. A file may have no event at all. Tasks and journal entries are not read; each is a skipped problem.
///
/// An event without a UID gets one made of what its lines say, the same each time.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if the file is empty, binary or no
/// calendar, or if it has events and none of them can be used. The message names file, line and reason.
///
/// # Examples
///
/// ```
/// use worktruck_agents::import::icalendar::{Options, parse};
///
/// let file = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Lunch\n\
///     DTSTART;TZID=Romance Standard Time:20260414T120000\nDURATION:PT45M\nEND:VEVENT\n\
///     BEGIN:VEVENT\nUID:2\nDTSTART:noon\nEND:VEVENT\nEND:VCALENDAR\n";
/// let parsed = parse("lunch.ics", file.as_bytes(), &Options::default())?;
///
/// let lunch = &parsed.events[0].event;
/// assert_eq!(lunch.timezone.as_deref(), Some("Europe/Paris"));
/// assert_eq!(lunch.end_at, Some("2026-04-14T12:45:00+02:00".parse()?));
/// assert_eq!(
///     parsed.problems[0].to_string(),
///     r#"lunch.ics:10: DTSTART "noon" is neither a date nor a time; the event is skipped"#
/// );
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn parse(source: &str, bytes: &[u8], options: &Options) -> Result<Parsed> {
    let mut problems = Problems::new(source);
    let text = text::decode(source, bytes, &mut problems)?;
    whole::read(source, &text, options, problems)
}

/// The event that is read in `text`; nothing if there is none.
///
/// This is how an export finds out what it must say besides.
pub(crate) fn read_back(text: &str) -> Option<ImportedEvent> {
    whole::read("", text, &Options::default(), Problems::new("")).ok()?.events.pop()
}

/// The id of a calendar, a series or an event that the caller will say.
pub(crate) const UNSAID: EntityId = EntityId::from_uuid(uuid::Uuid::nil());

/// The error's sentence without the pointer, which means nothing to the reader of a file.
pub(crate) fn reason(error: &Error) -> String {
    let text = error.to_string();
    let at = error.pointer().map(|pointer| format!(" (at {pointer})")).unwrap_or_default();
    text.strip_suffix(&at).unwrap_or(&text).to_owned()
}

/// What was not understood.
#[derive(Debug)]
struct Problems {
    source: Arc<str>,
    list: Vec<Problem>,
}

impl Problems {
    fn new(source: &str) -> Self {
        Self { source: source.into(), list: Vec::new() }
    }

    /// Something is kept or ignored.
    fn warn(&mut self, line: u64, field: Option<&str>, message: impl fmt::Display) {
        self.push(line, field, message, false);
    }

    /// An event, or something else in its place, is left out.
    fn skip(&mut self, line: u64, field: Option<&str>, message: impl fmt::Display) {
        self.push(line, field, message, true);
    }

    fn push(&mut self, line: u64, field: Option<&str>, message: impl fmt::Display, skipped: bool) {
        let (source, field, message) = (Arc::clone(&self.source), field.map(str::to_owned), message.to_string());
        self.list.push(Problem { source, line, field, message, skipped });
    }
}
