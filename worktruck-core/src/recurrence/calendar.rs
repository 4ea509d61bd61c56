//! The proleptic Gregorian calendar as numbers: days and seconds counted from 1970-01-01.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// 0001-01-01, the first day of the years a recurrence may reach.
pub(super) const FIRST_DAY: i64 = -719_162;
/// 9999-12-31, the last one.
pub(super) const LAST_DAY: i64 = 2_932_896;

const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A year: its number, the day it begins with, and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Year {
    pub(super) number: i64,
    pub(super) first: i64,
    pub(super) len: i64,
}

impl Year {
    pub(super) const fn new(number: i64) -> Self {
        let first = year_start(number);
        Self { number, first, len: year_start(number + 1) - first }
    }

    pub(super) const fn of(day: i64) -> Self {
        // The estimate is off by one at most.
        let mut number = ((day - FIRST_DAY) * 400).div_euclid(146_097) + 1;
        if year_start(number) > day {
            number -= 1;
        }
        if year_start(number + 1) <= day {
            number += 1;
        }
        Self::new(number)
    }

    /// The day that begins the month of this number; 13 is January of the next year.
    pub(super) fn month_start(self, month: i64) -> i64 {
        let Some(before) = usize::try_from(month - 1).ok().and_then(|i| BEFORE_MONTH.get(i)) else {
            return self.first + self.len;
        };
        self.first + before + if month > 2 { self.len - 365 } else { 0 }
    }
}

/// A day in all its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) day: i64,
    pub(super) year: Year,
    pub(super) month: i64,
    pub(super) day_of_month: i64,
    pub(super) month_len: i64,
}

impl Date {
    pub(super) fn of(day: i64) -> Self {
        let year = Year::of(day);
        // A month has 29 to 31 days, so that this is the month or the one before it.
        let mut month = ((day - year.first) / 32) + 1;
        if year.month_start(month + 1) <= day {
            month += 1;
        }
        Self::in_month(year, month, day)
    }

    pub(super) fn in_month(year: Year, month: i64, day: i64) -> Self {
        let start = year.month_start(month);
        let month_len = year.month_start(month + 1) - start;
        Self { day, year, month, day_of_month: day - start + 1, month_len }
    }

    pub(super) const fn day_of_year(self) -> i64 {
        self.day - self.year.first + 1
    }

    pub(super) const fn weekday(self) -> i64 {
        weekday(self.day)
    }
}

/// The day with this date, if there is one.
pub(super) fn day_of(year: i64, month: i64, day_of_month: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day_of_month < 1 {
        return None;
    }
    let year = Year::new(year);
    let day = year.month_start(month) + day_of_month - 1;
    (day < year.month_start(month + 1)).then_some(day)
}

/// Monday is 0.
pub(super) const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// The number of the week a day lies in, and how many weeks the year has that this week is one of.
///
/// Week 1 is the first with at least four days in the year.
pub(super) const fn week_of(day: i64, first_weekday: i64) -> (i64, i64) {
    let start = day - (weekday(day) - first_weekday).rem_euclid(7);
    let year = Year::of(start + 3).number;
    let first = first_week(year, first_weekday);
    ((start - first) / 7 + 1, (first_week(year + 1, first_weekday) - first) / 7)
}

/// The day that begins week 1.
const fn first_week(year: i64, first_weekday: i64) -> i64 {
    let fourth = year_start(year) + 3;
    fourth - (weekday(fourth) - first_weekday).rem_euclid(7)
}

const fn year_start(year: i64) -> i64 {
    let past = year - 1;
    FIRST_DAY + 365 * past + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}
