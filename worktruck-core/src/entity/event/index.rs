//! What events are found by: the time they take, so that a window needs no look at what lies outside.

use std::time::Duration;

use chrono::{Datelike, NaiveDate};

use crate::entity::Index;
use crate::recurrence::{Moment, Zone};
use crate::{Result, Timestamp};

use super::Event;

/// How many months of an event are indexed; a longer one is looked at for every window.
pub const MONTHS_INDEXED: usize = 24;

/// Later than every key of a time.
const ENDLESS: &str = "T~";

/// No clock was ever further from UTC.
const FURTHEST_CLOCK: Duration = Duration::from_secs(16 * 3600);

/// The names of the sort keys of events.
#[derive(Clone, Copy, Debug)]
pub struct EventKeys;

impl EventKeys {
    /// When it begins, a day at midnight in UTC: what lists are sorted by.
    pub const START: &'static str = "start";
    /// [`day_key`] or [`time_key`] of when it begins: what windows are cut by.
    pub const BEGINS: &'static str = "begins";
    /// [`day_key`] of the day after the last, or [`time_key`] of the first moment after the last occurrence.
    pub const ENDS: &'static str = "ends";

    pub(super) const ALL: &'static [&'static str] = &[Self::START, Self::BEGINS, Self::ENDS];
}

/// The key of a day, which sorts before those of moments.
#[must_use]
pub fn day_key(date: NaiveDate) -> String {
    // The display of a longer year sorts wrongly.
    if date.year() > 9999 { "D~".to_owned() } else { format!("D{date}") }
}

/// The key of a moment.
#[must_use]
pub fn time_key(at: Timestamp) -> String {
    if is_written(at) { format!("T{at}") } else { ENDLESS.to_owned() }
}

/// Whether the text of a moment sorts.
fn is_written(at: Timestamp) -> bool {
    Zone::UTC.wall(at).is_some_and(|wall| (0..=9999).contains(&wall.year()))
}

pub(super) fn index(event: &Event) -> Result<Index> {
    let start = event.start()?;
    let length = event.length();
    let mut index = Index::default()
        .term("calendar_id", event.calendar_id)
        .term("status", event.status.as_str())
        .terms("series_id", event.series_id)
        .terms("organizer_id", event.organizer_id)
        .terms("ical_uid", Some(&event.ical_uid).filter(|uid| !uid.is_empty()));
    if let Some((series, recurrence)) = event.series_id.zip(event.recurrence_id) {
        index.terms.push(Event::occurrence_term(series, recurrence));
    }
    let last = if event.is_series() {
        index = index.term("span", "recurring");
        let series = event.series()?;
        // Whether it ends within reach was checked when it was written.
        if series.is_endless() { None } else { Some(series.last().unwrap_or_default().unwrap_or(start)) }
    } else {
        index = spans(index, start, length.end_of(start));
        Some(start)
    };
    let ends = last.map(|last| match length.end_of(last) {
        Moment::Date(date) => day_key(date),
        // What takes no time is there at its moment.
        Moment::Instant(at) if Moment::Instant(at) == last => time_key(at.next()),
        Moment::Instant(at) => time_key(at),
    });
    let endless = if event.is_all_day { "D~" } else { ENDLESS };
    let sorted = match start {
        Moment::Date(date) => Zone::UTC.timestamp(date.into()),
        Moment::Instant(at) => at,
    };
    // A date that is added may be before the start.
    let begins = match event.rdates.iter().copied().min().map_or(start, |added| added.min(start)) {
        Moment::Date(date) => day_key(date),
        Moment::Instant(at) => time_key(at),
    };
    Ok(index
        .key(EventKeys::START, sorted.to_string())
        .key(EventKeys::BEGINS, begins)
        .key(EventKeys::ENDS, ends.unwrap_or_else(|| endless.to_owned())))
}

/// The months and years that an event lies in, in UTC. Days lie in all in which they may be somewhere.
fn spans(index: Index, start: Moment, end: Moment) -> Index {
    let bound = |moment: Moment| match moment {
        Moment::Date(date) => Zone::UTC.timestamp(date.into()),
        Moment::Instant(at) => at,
    };
    let (mut from, mut to) = (bound(start), bound(end));
    if let Moment::Date(_) = start {
        from = from.before(FURTHEST_CLOCK);
        to = to.after(FURTHEST_CLOCK);
    }
    let months = months(from, to, MONTHS_INDEXED);
    if months.is_empty() {
        return index.term("span", "long");
    }
    let mut years: Vec<i32> = months.iter().map(|(year, _)| *year).collect();
    years.dedup();
    let months = months.iter().map(|(year, month)| month_name(*year, *month));
    index.terms("month", months).terms("year", years.iter().map(|year| year_name(*year)))
}

/// The value of the term `month`.
pub(crate) fn month_name(year: i32, month: u32) -> String {
    format!("{year:04}-{month:02}")
}

/// The value of the term `year`.
pub(crate) fn year_name(year: i32) -> String {
    format!("{year:04}")
}

/// The months that `from <= t < to` lies in, at least that of `from`; none if they are more than `most`.
pub(crate) fn months(from: Timestamp, to: Timestamp, most: usize) -> Vec<(i32, u32)> {
    let last = Timestamp::from_micros(to.as_micros().saturating_sub(1)).max(from);
    let (Some(from), Some(last)) = (Zone::UTC.wall(from), Zone::UTC.wall(last)) else { return Vec::new() };
    let (mut year, mut month) = (from.year(), from.month());
    let mut months = Vec::new();
    while (year, month) <= (last.year(), last.month()) {
        if months.len() == most {
            return Vec::new();
        }
        months.push((year, month));
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    months
}
