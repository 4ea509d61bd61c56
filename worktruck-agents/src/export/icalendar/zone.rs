//! The definition of a time zone (VTIMEZONE), made from what its clocks do.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use worktruck_core::Timestamp;
use worktruck_core::recurrence::Zone;

use super::line::put;

/// The last year of which the clocks of zones are known.
pub(super) const LAST_YEAR: i32 = 2099;
const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// A change of clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Onset {
    /// What clocks show when they are changed.
    wall: NaiveDateTime,
    /// Seconds ahead of UTC before and after.
    from: i64,
    to: i64,
}

/// Adds the definition of a zone whose clocks are needed from the year `first` to the year `last`.
pub(super) fn put_zone(out: &mut String, zone: Zone, first: i32, last: i32) {
    let (first, last) = (first.clamp(1, LAST_YEAR), last.clamp(1, LAST_YEAR));
    let start = NaiveDate::from_ymd_opt(first - 1, 1, 1).unwrap_or(NaiveDate::MIN).and_time(NaiveTime::MIN);
    let end = NaiveDate::from_ymd_opt(last + 1, 1, 1).unwrap_or(NaiveDate::MAX).and_time(NaiveTime::MIN);
    for line in ["BEGIN:VTIMEZONE", &format!("TZID:{zone}"), &format!("X-LIC-LOCATION:{zone}")] {
        put(out, line);
    }
    let begin = start.and_utc().timestamp();
    let offset = offset_at(zone, begin);
    // What clocks show before the first change.
    put_observance(out, &[Onset { wall: start, from: offset, to: offset }], None);
    let onsets = onsets(zone, begin, end.and_utc().timestamp());
    for run in runs(&onsets) {
        let rule = yearly(&run).filter(|_| run.len() > 1).map(|rule| {
            let is_last = run.last().is_some_and(|onset| onset.wall.year() >= last);
            let until = run.last().filter(|_| !is_last).map(|onset| onset.wall - TimeDelta::seconds(onset.from));
            let until = until.map(|until| format!(";UNTIL={}Z", until.format("%Y%m%dT%H%M%S")));
            format!("{rule}{}", until.unwrap_or_default())
        });
        put_observance(out, &run, rule);
    }
    put(out, "END:VTIMEZONE");
}

/// Adds the changes of a run: by its rule, else one by one.
fn put_observance(out: &mut String, run: &[Onset], rule: Option<String>) {
    let Some(first) = run.first() else { return };
    let name = if first.to > first.from { "DAYLIGHT" } else { "STANDARD" };
    put(out, &format!("BEGIN:{name}"));
    put(out, &format!("DTSTART:{}", first.wall.format("%Y%m%dT%H%M%S")));
    put(out, &format!("TZOFFSETFROM:{}", written(first.from)));
    put(out, &format!("TZOFFSETTO:{}", written(first.to)));
    match rule {
        Some(rule) => put(out, &format!("RRULE:{rule}")),
        None => {
            for onset in run.iter().skip(1) {
                put(out, &format!("RDATE:{}", onset.wall.format("%Y%m%dT%H%M%S")));
            }
        }
    }
    put(out, &format!("END:{name}"));
}

/// The changes between two moments, in seconds of UTC.
fn onsets(zone: Zone, begin: i64, end: i64) -> Vec<Onset> {
    let mut onsets = Vec::new();
    let (mut at, mut from) = (begin, offset_at(zone, begin));
    while at < end {
        let next = at + DAY;
        let to = offset_at(zone, next);
        if to != from {
            let (mut low, mut high) = (at, next);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset_at(zone, middle) == from { low = middle } else { high = middle }
            }
            if let Some(wall) = DateTime::<Utc>::from_timestamp(high + from, 0) {
                onsets.push(Onset { wall: wall.naive_utc(), from, to: offset_at(zone, high) });
            }
            (at, from) = (high, offset_at(zone, high));
        } else {
            at = next;
        }
    }
    onsets
}

fn offset_at(zone: Zone, utc: i64) -> i64 {
    let at = Timestamp::from_micros(utc.saturating_mul(1_000_000));
    zone.wall(at).map_or(0, |wall| wall.and_utc().timestamp() - utc)
}

/// Changes of one sort in years that follow each other, in the order of their first.
fn runs(onsets: &[Onset]) -> Vec<Vec<Onset>> {
    let mut open: BTreeMap<(i64, i64, u32, u32, NaiveTime), Vec<Onset>> = BTreeMap::new();
    let mut runs = Vec::new();
    for onset in onsets {
        let wall = onset.wall;
        let key = (onset.from, onset.to, wall.month(), wall.weekday().num_days_from_monday(), wall.time());
        let run = open.entry(key).or_default();
        let goes_on = run.last().is_none_or(|last| last.wall.year() + 1 == wall.year());
        let mut longer = run.clone();
        longer.push(*onset);
        if goes_on && yearly(&longer).is_some() {
            *run = longer;
        } else {
            runs.push(std::mem::replace(run, vec![*onset]));
        }
    }
    runs.extend(open.into_values());
    // Those that do not repeat are one part with several dates.
    let (mut whole, single): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.len() > 1);
    let mut listed: BTreeMap<(i64, i64), Vec<Onset>> = BTreeMap::new();
    for onset in single.into_iter().flatten() {
        listed.entry((onset.from, onset.to)).or_default().push(onset);
    }
    for mut list in listed.into_values() {
        list.sort_by_key(|onset| onset.wall);
        whole.push(list);
    }
    whole.sort_by_key(|run| run.first().map(|onset| onset.wall));
    whole
}

/// The rule that all changes of a run follow, once a year.
fn yearly(run: &[Onset]) -> Option<String> {
    let first = run.first()?;
    let is_alike = |onset: &Onset| {
        (onset.wall.month(), onset.wall.weekday(), onset.wall.time())
            == (first.wall.month(), first.wall.weekday(), first.wall.time())
    };
    if !run.iter().all(is_alike) || !run.windows(2).all(|pair| pair[0].wall.year() + 1 == pair[1].wall.year()) {
        return None;
    }
    let is_last = |onset: &Onset| (onset.wall + TimeDelta::days(7)).month() != onset.wall.month();
    let number = |onset: &Onset| (onset.wall.day() - 1) / 7 + 1;
    let place = if run.iter().all(is_last) {
        "-1".to_owned()
    } else {
        Some(number(first)).filter(|place| run.iter().all(|onset| number(onset) == *place))?.to_string()
    };
    let weekday = WEEKDAYS.get(usize::try_from(first.wall.weekday().num_days_from_monday()).ok()?)?;
    Some(format!("FREQ=YEARLY;BYMONTH={};BYDAY={place}{weekday}", first.wall.month()))
}

/// An offset as iCalendar writes it: `+0100`.
fn written(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.abs();
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let tail = if second == 0 { String::new() } else { format!("{second:02}") };
    format!("{sign}{hour:02}{minute:02}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(zone: &str, first: i32, last: i32) -> String {
        let mut out = String::new();
        put_zone(&mut out, Zone::parse(zone).unwrap(), first, last);
        out
    }

    #[test]
    fn a_zone_that_changes_by_a_rule_has_that_rule() {
        let berlin = definition("Europe/Berlin", 2026, LAST_YEAR);
        assert!(berlin.contains("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"), "{berlin}");
        assert!(berlin.contains("RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"), "{berlin}");
        assert_eq!(berlin.matches("BEGIN:DAYLIGHT").count(), 1);
        assert_eq!(berlin.matches("BEGIN:STANDARD").count(), 2);
    }

    #[test]
    fn a_zone_that_never_changes_has_one_offset() {
        let kolkata = definition("Asia/Kolkata", 2026, 2030);
        assert!(kolkata.contains("TZOFFSETTO:+0530"), "{kolkata}");
        assert_eq!(kolkata.matches("BEGIN:").count(), 2);
    }
}
