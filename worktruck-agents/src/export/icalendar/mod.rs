//! Events to iCalendar files (RFC 5545).
//!
//! An event that is exported and [imported](crate::import::icalendar) again is the same, but for its ids. What other
//! programs understand is written in their words; the export reads these back, and what they do not say is written
//! beside them as `X-WORKTRUCK-MORE`, differences that each name the value that they replace. Lines that an import
//! kept are written as they were, unless a field that they speak of has changed since.
//!
//! calcard reads calendars for us but does not write them: it cannot write a line that was kept as it was.

mod event;
mod kept;
mod line;
#[cfg(test)]
mod tests;
mod zone;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use chrono::Datelike;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::event::Event;
use worktruck_core::recurrence::{Moment, Zone};
use worktruck_core::{EntityId, Result, Timestamp};

use self::line::{put, put_text};
use self::zone::{LAST_YEAR, put_zone};
use super::unwritten;

/// The media type of what is written.
pub const MEDIA_TYPE: &str = "text/calendar; charset=utf-8";

/// An event that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Exported<'e> {
    /// Its id, which is its UID if it has no other.
    pub id: EntityId,
    /// The event.
    pub event: &'e Event,
    /// Who is asked to it.
    pub attendees: &'e [Attendee],
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// Writes a calendar with its events to `out`, and answers with how many they were.
///
/// An occurrence that differs from its series is written in the zone of that series, if that is among `events`. The
/// file defines the zones that it uses, for the years that the events need.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](worktruck_core::ErrorKind::Unavailable) if `out` cannot be written to.
///
/// # Examples
///
/// ```
/// use worktruck_agents::export::icalendar::{Exported, write};
/// use worktruck_agents::import::icalendar::{Options, parse};
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::calendar::Calendar;
/// use worktruck_core::entity::event::Event;
///
/// let id: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let at = "2026-04-14T09:00:00+02:00".parse()?;
/// let standup = Event {
///     timezone: Some("Europe/Berlin".to_owned()),
///     rrule: Some("FREQ=DAILY".to_owned()),
///     ..Event::at(id, "Standup; short", at)
/// };
/// let mut file = Vec::new();
/// let exported = Exported { id, event: &standup, attendees: &[], updated_at: at };
/// assert_eq!(write(&Calendar::new("Work"), &[exported], &mut file)?, 1);
///
/// let text = String::from_utf8_lossy(&file);
/// assert!(text.contains("DTSTART;TZID=Europe/Berlin:20260414T090000\r\n"));
/// let parsed = parse("work.ics", &file, &Options::default())?;
/// assert_eq!(parsed.events[0].event.title, standup.title);
/// assert_eq!(parsed.events[0].event.rrule, standup.rrule);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn write(calendar: &Calendar, events: &[Exported<'_>], mut out: impl Write) -> Result<u64> {
    let mut text = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Worktruck//Worktruck//EN", "CALSCALE:GREGORIAN"] {
        put(&mut text, line);
    }
    let properties = [
        ("X-WR-CALNAME", Some(&calendar.name)),
        ("X-WR-CALDESC", calendar.description.as_ref()),
        ("X-WR-TIMEZONE", calendar.timezone.as_ref()),
        ("X-APPLE-CALENDAR-COLOR", calendar.color.as_ref()),
    ];
    for (name, value) in properties {
        if let Some(value) = value {
            put_text(&mut text, name, value);
        }
    }
    let series: HashMap<EntityId, Zone> =
        events.iter().map(|exported| (exported.id, exported.event.zone().unwrap_or(Zone::UTC))).collect();
    let series_of = |event: &Event| event.series_id.and_then(|id| series.get(&id)).copied();
    for (name, (first, last)) in years(events, series_of) {
        if let Ok(zone) = Zone::parse(name) {
            put_zone(&mut text, zone, first, last);
        }
    }
    let mut written = 0;
    for exported in events {
        event::put_event(&mut text, exported, series_of(exported.event));
        written += 1;
        // Only so much is held in memory.
        if text.len() > 1 << 16 {
            out.write_all(text.as_bytes()).map_err(unwritten)?;
            text.clear();
        }
    }
    put(&mut text, "END:VCALENDAR");
    out.write_all(text.as_bytes()).map_err(unwritten)?;
    out.flush().map_err(unwritten)?;
    Ok(written)
}

/// The years in which the clocks of zones are needed, by the names of the zones.
fn years(events: &[Exported<'_>], series_of: impl Fn(&Event) -> Option<Zone>) -> BTreeMap<&'static str, (i32, i32)> {
    let mut years: BTreeMap<&'static str, (i32, i32)> = BTreeMap::new();
    for event in events.iter().map(|exported| exported.event).filter(|event| !event.is_all_day) {
        let zones = [event.zone().ok(), series_of(event)];
        let whole = event.series().ok();
        let is_endless = event.rrule.is_some() && whole.as_ref().is_none_or(|series| series.is_endless());
        let last = whole.filter(|_| !is_endless).and_then(|series| series.last().ok().flatten());
        let own = [event.start_at, event.end_at].into_iter().flatten().map(Moment::Instant);
        let dates = event.rdates.iter().chain(&event.exdates).copied().chain(event.recurrence_id);
        let moments: Vec<i32> = own.chain(dates).chain(last).filter_map(year).collect();
        let (Some(first), Some(last)) = (moments.iter().min(), moments.iter().max()) else { continue };
        let last = if is_endless { LAST_YEAR } else { *last + 1 };
        for zone in zones.into_iter().flatten().filter(|zone| !event::is_utc(*zone)) {
            let span = years.entry(zone.name()).or_insert((*first, last));
            *span = (span.0.min(*first), span.1.max(last));
        }
    }
    years
}

fn year(moment: Moment) -> Option<i32> {
    match moment {
        Moment::Date(date) => Some(date.year()),
        Moment::Instant(at) => Zone::UTC.wall(at).map(|wall| wall.year()),
    }
}
