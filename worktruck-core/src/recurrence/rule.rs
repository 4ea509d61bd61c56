//! One recurrence rule as data, and its canonical text.

use std::fmt;

use super::calendar::DAY;
use super::moment::{Start, date_of};

/// How far apart the periods of a rule are that each have occurrences of their own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Frequency {
    pub(super) const ALL: [Self; 7] =
        [Self::Secondly, Self::Minutely, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Secondly => "SECONDLY",
            Self::Minutely => "MINUTELY",
            Self::Hourly => "HOURLY",
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

/// The last moment a rule may name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// All of this day, in the zone of the series.
    Date(i64),
    /// This second of UTC.
    Second(i64),
}

impl Until {
    /// The last microsecond, counting days of an all-day series as if they were in UTC.
    pub(super) fn last_micro(self, start: &Start) -> i64 {
        let second = match self {
            Self::Date(day) => {
                let end = day.saturating_add(1).saturating_mul(DAY);
                start.zone.resolve(end).at.saturating_sub(1)
            }
            Self::Second(second) if start.all_day => second.div_euclid(DAY) * DAY,
            Self::Second(second) => second,
        };
        second.saturating_mul(1_000_000).saturating_add(999_999)
    }
}

/// A weekday, 0 for Monday, and which of those of its month or year; 0 for each of them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct WeekdayNumber {
    pub(super) ordinal: i64,
    pub(super) weekday: i64,
}

pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// A recurrence rule (RFC 5545 RRULE), checked.
///
/// `Display` writes its canonical text: parts in a fixed order, values sorted, defaults left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    pub(super) frequency: Frequency,
    pub(super) interval: i64,
    pub(super) count: Option<u64>,
    pub(super) until: Option<Until>,
    pub(super) seconds: Vec<i64>,
    pub(super) minutes: Vec<i64>,
    pub(super) hours: Vec<i64>,
    pub(super) weekdays: Vec<WeekdayNumber>,
    pub(super) month_days: Vec<i64>,
    pub(super) year_days: Vec<i64>,
    pub(super) weeks: Vec<i64>,
    pub(super) months: Vec<i64>,
    pub(super) positions: Vec<i64>,
    pub(super) week_start: i64,
}

impl Rule {
    pub(super) const fn new(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            count: None,
            until: None,
            seconds: Vec::new(),
            minutes: Vec::new(),
            hours: Vec::new(),
            weekdays: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            week_start: 0,
        }
    }

    /// Whether it ends, by COUNT or UNTIL.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }

    /// Names the time that a start would imply.
    pub(super) fn keep_times(&mut self, wall: i64) {
        let time = wall.rem_euclid(DAY);
        let parts = [
            (Frequency::Hourly, &mut self.hours, time / 3600),
            (Frequency::Minutely, &mut self.minutes, time / 60 % 60),
            (Frequency::Secondly, &mut self.seconds, time % 60),
        ];
        for (unit, values, value) in parts {
            if self.frequency > unit && values.is_empty() {
                values.push(value);
            }
        }
    }

    /// How many occurrences it has at most (COUNT), if it says so.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        self.count
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.frequency.name())?;
        match self.until {
            Some(Until::Date(day)) => write!(f, ";UNTIL={}", date_of(day).format("%Y%m%d"))?,
            Some(Until::Second(second)) => {
                let (date, time) = (date_of(second.div_euclid(DAY)), second.rem_euclid(DAY));
                let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
                write!(f, ";UNTIL={}T{hour:02}{minute:02}{second:02}Z", date.format("%Y%m%d"))?;
            }
            None => {}
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        list(f, "BYSECOND", &self.seconds)?;
        list(f, "BYMINUTE", &self.minutes)?;
        list(f, "BYHOUR", &self.hours)?;
        list(f, "BYDAY", &self.weekdays)?;
        list(f, "BYMONTHDAY", &self.month_days)?;
        list(f, "BYYEARDAY", &self.year_days)?;
        list(f, "BYWEEKNO", &self.weeks)?;
        list(f, "BYMONTH", &self.months)?;
        list(f, "BYSETPOS", &self.positions)?;
        match WEEKDAYS.get(usize::try_from(self.week_start).unwrap_or(0)) {
            Some(name) if self.week_start != 0 => write!(f, ";WKST={name}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for WeekdayNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ordinal != 0 {
            write!(f, "{}", self.ordinal)?;
        }
        f.write_str(usize::try_from(self.weekday).ok().and_then(|i| WEEKDAYS.get(i)).unwrap_or(&"MO"))
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        if i == 0 {
            write!(f, ";{name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}
