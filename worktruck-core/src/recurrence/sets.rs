//! Values of BY parts as sets of bits.

use super::calendar::Date;
use super::rule::{Frequency, Rule, WeekdayNumber};

/// Values that count from the front, and values that count from the back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Signed {
    pub(super) front: u64,
    pub(super) back: u64,
}

/// The weekdays of BYDAY.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Weekdays {
    pub(super) each: u64,
    /// Ordinal and weekday.
    pub(super) numbered: Vec<(i64, i64)>,
    pub(super) in_year: bool,
}

/// The hours, minutes and seconds a frequency within a day is limited to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Limits {
    pub(super) hours: u64,
    pub(super) minutes: u64,
    pub(super) seconds: u64,
}

impl Signed {
    pub(super) fn of(values: &[i64]) -> Self {
        let negative: Vec<i64> = values.iter().map(|value| -value).collect();
        Self { front: bits(values), back: bits(&negative) }
    }

    /// The bits of the numbers meant when there are `length` of them.
    pub(super) fn in_length(self, length: i64) -> u64 {
        let front = self.front & (bit(length + 1) - 1);
        (1..=length).filter(|n| self.back & bit(*n) != 0).fold(front, |all, n| all | bit(length + 1 - n))
    }
}

impl Weekdays {
    pub(super) fn of(rule: &Rule) -> Self {
        let (each, numbered): (Vec<_>, Vec<_>) = rule.weekdays.iter().partition(|day| day.ordinal == 0);
        Self {
            each: each.iter().fold(0, |all: u64, day: &&WeekdayNumber| all | bit(day.weekday)),
            numbered: numbered.iter().map(|day| (day.ordinal, day.weekday)).collect(),
            in_year: rule.frequency == Frequency::Yearly && rule.months.is_empty(),
        }
    }

    pub(super) fn allow(&self, date: Date) -> bool {
        if self.each & bit(date.weekday()) != 0 {
            return true;
        }
        let (nth, of) =
            if self.in_year { (date.day_of_year(), date.year.len) } else { (date.day_of_month, date.month_len) };
        let (front, back) = ((nth - 1) / 7 + 1, -((of - nth) / 7 + 1));
        self.numbered.iter().any(|(n, weekday)| *weekday == date.weekday() && (*n == front || *n == back))
    }
}

impl Limits {
    pub(super) const NONE: Self = Self { hours: u64::MAX, minutes: u64::MAX, seconds: u64::MAX };

    pub(super) fn of(rule: &Rule, frequency: Frequency) -> Self {
        let limit = |values: &[i64], coarsest: Frequency| {
            if values.is_empty() || frequency > coarsest { u64::MAX } else { bits(values) }
        };
        Self {
            hours: limit(&rule.hours, Frequency::Hourly),
            minutes: limit(&rule.minutes, Frequency::Minutely),
            seconds: limit(&rule.seconds, Frequency::Secondly),
        }
    }
}

pub(super) fn bit(number: i64) -> u64 {
    u32::try_from(number).ok().and_then(|number| 1u64.checked_shl(number)).unwrap_or(0)
}

pub(super) fn bits(numbers: &[i64]) -> u64 {
    numbers.iter().fold(0, |all, number| all | bit(*number))
}

/// The first number from `from` on that is in the set, or `end`.
pub(super) fn next_in(set: u64, from: i64, end: i64) -> i64 {
    (from..end).find(|number| set & bit(*number) != 0).unwrap_or(end)
}
