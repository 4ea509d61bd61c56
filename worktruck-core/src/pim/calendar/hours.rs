//! Working hours: their grammar, and which moments they are in a time zone.

use std::str::FromStr;

use crate::recurrence::Zone;
use crate::{Error, Result, Timestamp};

use super::slots::{Slot, merged};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The hours of a week in which somebody works, such as `mon-fri@09:00-17:00,sat@10:00-12:00`.
///
/// Parts are separated by commas and add up. Each has a day or a range of days, which may go past Sunday (`fri-mon`),
/// and a range of times, which goes on into the next day if it ends before it begins (`sat@22:00-02:00`). A day ends
/// at `24:00`.
///
/// # Examples
///
/// ```
/// use worktruck_core::pim::calendar::WorkingHours;
///
/// let hours: WorkingHours = "mon-fri@09:00-17:00,sat@22:00-02:00".parse()?;
/// assert_ne!(hours, "mon-fri@09:00-17:00".parse()?);
/// assert_eq!("mon-fri@9-17".parse::<WorkingHours>().unwrap_err().pointer(), Some("/working_hours"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkingHours {
    /// For each day from Monday, the ranges that begin on it, in minutes of the day and of the next.
    days: [Vec<(i64, i64)>; 7],
}

impl FromStr for WorkingHours {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|e| e.at("/working_hours"))
    }
}

impl WorkingHours {
    fn parse(text: &str) -> Result<Self> {
        let mut hours = Self { days: Default::default() };
        for part in text.split(',').map(str::trim) {
            let (days, times) = part.split_once('@').ok_or_else(|| {
                Error::invalid(format!("{part:?} is not days and times, such as mon-fri@09:00-17:00"))
            })?;
            let (first, last) = days.split_once('-').unwrap_or((days, days));
            let (first, last) = (weekday(first)?, weekday(last)?);
            let (from, to) = times
                .split_once('-')
                .ok_or_else(|| Error::invalid(format!("{times:?} is not a range of times, such as 09:00-17:00")))?;
            let (from, mut to) = (minute(from)?, minute(to)?);
            if from == 24 * 60 {
                return Err(Error::invalid("no day has anything after 24:00; begin the next one at 00:00"));
            }
            if from == to {
                return Err(Error::invalid(format!("{times:?} has no length; a whole day is 00:00-24:00")));
            }
            if to < from {
                to += 24 * 60;
            }
            let count = (last + 7 - first) % 7 + 1;
            let wanted = (0..7).cycle().skip(first).take(count);
            for day in wanted {
                if let Some(ranges) = hours.days.get_mut(day) {
                    ranges.push((from, to));
                }
            }
        }
        Ok(hours)
    }

    /// The moments of `window` at which clocks of `zone` show working hours. A time that clocks show twice counts
    /// twice, one that they skip not at all.
    pub(super) fn moments(&self, zone: Zone, window: Slot) -> Vec<Slot> {
        let mut found = Vec::new();
        for (part, ahead) in parts(zone, window) {
            let wall = Slot { start: moved(part.start, ahead), end: moved(part.end, ahead) };
            // What began the evening before may go on.
            let first = wall.start.as_micros().div_euclid(DAY) - 1;
            for day in first..=wall.end.as_micros().div_euclid(DAY) {
                let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
                for (from, to) in self.days.get(weekday).into_iter().flatten() {
                    let at = |minute: i64| Timestamp::from_micros(day * DAY + minute * MINUTE);
                    let range = Slot { start: at(*from), end: at(*to) }.within(wall);
                    let back = |slot: Slot| Slot { start: moved(slot.start, -ahead), end: moved(slot.end, -ahead) };
                    found.extend(range.map(back));
                }
            }
        }
        merged(found)
    }
}

const fn moved(at: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(by))
}

/// The pieces of a window in which clocks are ahead of UTC by the same time, in microseconds.
fn parts(zone: Zone, window: Slot) -> Vec<(Slot, i64)> {
    let ahead = |at: i64| {
        let wall = zone.wall(Timestamp::from_micros(at));
        wall.map_or(0, |wall| wall.and_utc().timestamp_micros().saturating_sub(at))
    };
    let (mut start, end) = (window.start.as_micros(), window.end.as_micros());
    let mut parts = Vec::new();
    let (mut at, mut offset) = (start, ahead(start));
    while at < end {
        let next = at.saturating_add(HOUR).min(end);
        let changed = ahead(next);
        if changed != offset {
            // Clocks change at whole seconds: halve the hour until one is left.
            let (mut before, mut after) = (at, next);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if ahead(middle) == offset { before = middle } else { after = middle }
            }
            parts.push((slot(start, after), offset));
            (start, offset) = (after, ahead(after));
            at = after;
        } else {
            at = next;
        }
    }
    parts.push((slot(start, end), offset));
    parts.retain(|(part, _)| part.start < part.end);
    parts
}

const fn slot(start: i64, end: i64) -> Slot {
    Slot { start: Timestamp::from_micros(start), end: Timestamp::from_micros(end) }
}

fn weekday(text: &str) -> Result<usize> {
    let found = WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
    found.ok_or_else(|| Error::invalid(format!("{text:?} is not a day; days are {}", WEEKDAYS.join(", "))))
}

/// Minutes from midnight.
fn minute(text: &str) -> Result<i64> {
    let number = |text: &str| -> Option<i64> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse().ok() } else { None }
    };
    let time = text.trim().split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
    match time {
        Some((hour, minute)) if (hour < 24 && minute < 60) || (hour, minute) == (24, 0) => Ok(hour * 60 + minute),
        _ => Err(Error::invalid(format!("{text:?} is not a time between 00:00 and 24:00, such as 09:30"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use chrono::{Datelike, Timelike};

    use super::*;

    fn span(from: &str, to: &str) -> Slot {
        Slot { start: from.parse().unwrap(), end: to.parse().unwrap() }
    }

    fn moments(hours: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let found = hours.parse::<WorkingHours>().unwrap().moments(Zone::parse(zone).unwrap(), span(from, to));
        let text = |at: Timestamp| at.to_string().replace(":00.000000Z", "");
        found.into_iter().map(|slot| format!("{}/{}", text(slot.start), text(slot.end))).collect()
    }

    #[test]
    fn days_and_times_are_read() {
        let week = |text: &str| text.parse::<WorkingHours>().unwrap();
        assert_eq!(week("mon-wed@09:00-17:00"), week("mon@09:00-17:00, TUE@09:00-17:00 ,Wed@09:00-17:00"));
        assert_eq!(week("sat-mon@00:00-24:00").days.map(|ranges| ranges.len()), [1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(week("sun@22:00-02:00").days[6], [(22 * 60, 26 * 60)]);
        assert_eq!(week("sun@22:00-00:00").days[6], [(22 * 60, 24 * 60)]);
    }

    #[test]
    fn what_is_no_hours_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "\"\" is not days"),
            ("mon", "\"mon\" is not days"),
            ("mon@09:00-17:00,", "\"\" is not days"),
            ("mox@09:00-17:00", "\"mox\" is not a day"),
            ("mon-tue-wed@09:00-17:00", "\"tue-wed\" is not a day"),
            ("mon@9:00-17:00", "\"9:00\" is not a time"),
            ("mon@09:00", "\"09:00\" is not a range"),
            ("mon@09:60-17:00", "\"09:60\" is not a time"),
            ("mon@09:00-24:01", "\"24:01\" is not a time"),
            ("mon@+9:00-17:00", "\"+9:00\" is not a time"),
            ("mon@24:00-02:00", "no day has anything after 24:00"),
            ("mon@09:00-09:00", "\"09:00-09:00\" has no length"),
        ] {
            let error = text.parse::<WorkingHours>().unwrap_err();
            assert_eq!(error.pointer(), Some("/working_hours"), "{text}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn hours_are_those_of_the_wall_where_clocks_change() {
        // 2026-03-08 is a Sunday: New York skips 02:00 to 03:00.
        let skipped = moments("sun@01:30-03:30", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z");
        assert_eq!(skipped, ["2026-03-08T06:30/2026-03-08T07:30"]);
        // 2026-11-01 is a Sunday: New York has 01:00 to 02:00 twice.
        let twice = moments("sun@01:30-02:30", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
        assert_eq!(twice, ["2026-11-01T05:30/2026-11-01T06:00", "2026-11-01T06:30/2026-11-01T07:30"]);
        let work = |from, to| moments("mon-sun@09:00-17:00", "Europe/London", from, to);
        // Clocks go forward on the 29th of March, and back on the 25th of October.
        assert_eq!(
            work("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"),
            ["2026-03-28T09:00/2026-03-28T17:00", "2026-03-29T08:00/2026-03-29T16:00"]
        );
        assert_eq!(
            work("2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z"),
            ["2026-10-24T08:00/2026-10-24T16:00", "2026-10-25T09:00/2026-10-25T17:00"]
        );
        // Lord Howe changes by half an hour: on 2026-04-05 it has 01:30 to 02:00 twice.
        let lord_howe =
            moments("sun@01:00-02:30", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z");
        assert_eq!(lord_howe, ["2026-04-04T14:00/2026-04-04T16:00"]);
        // Apia had no 30th of December 2011, a Friday.
        let apia = moments("thu-sat@09:00-17:00", "Pacific/Apia", "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z");
        assert_eq!(
            apia,
            ["2011-12-29T19:00/2011-12-30T03:00", "2011-12-30T19:00/2011-12-31T03:00"],
            "Thursday in the old zone, Saturday in the new one"
        );
        let night = moments("sat@22:00-06:00", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z");
        assert_eq!(night, ["2026-03-28T21:00/2026-03-29T04:00"]);
    }

    #[test]
    fn a_window_that_begins_in_the_night_has_the_rest_of_it() {
        let night = moments("sun-mon@22:00-02:00", "UTC", "2026-04-13T01:00:00Z", "2026-04-13T23:00:00Z");
        assert_eq!(night, ["2026-04-13T01:00/2026-04-13T02:00", "2026-04-13T22:00/2026-04-13T23:00"]);
    }

    proptest! {
        #[test]
        fn a_moment_is_in_working_hours_if_the_wall_says_so(
            zone in prop::sample::select(vec![
                "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC",
            ]),
            from in 1_293_840_000_i64..1_356_998_400,
            days in 1_i64..300,
            first in 0_usize..7,
            last in 0_usize..7,
            start in 0_i64..24 * 60,
            length in 1_i64..24 * 60,
            probes in prop::collection::vec(0.0_f64..1.0, 40),
        ) {
            let zone = Zone::parse(zone).unwrap();
            let window = slot(from * SECOND, from * SECOND + days * DAY);
            let end = if start + length <= 24 * 60 { start + length } else { start + length - 24 * 60 };
            let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
            let days_text = format!("{}-{}", WEEKDAYS[first], WEEKDAYS[last]);
            let hours: WorkingHours = format!("{days_text}@{}-{}", clock(start), clock(end)).parse().unwrap();
            let found = hours.moments(zone, window);
            let works = |day: usize| (day + 7 - first) % 7 <= (last + 7 - first) % 7;
            for probe in probes {
                let seconds = (probe * 86_400.0 * f64::from(i32::try_from(days).unwrap())).round();
                let offset: i64 = format!("{seconds:.0}").parse().unwrap();
                let at = Timestamp::from_micros(window.start.as_micros() + offset.min(days * 86_400 - 1) * SECOND);
                let wall = zone.wall(at).unwrap();
                let day = usize::try_from(wall.weekday().num_days_from_monday()).unwrap();
                let minute = i64::from(wall.hour()) * 60 + i64::from(wall.minute());
                let today = works(day) && start <= minute && minute < start + length;
                let yesterday = works((day + 6) % 7) && minute + 24 * 60 < start + length;
                let is_found = found.iter().any(|slot| slot.start <= at && at < slot.end);
                prop_assert_eq!(is_found, today || yesterday, "{} in {}", at, zone);
            }
        }
    }
}
