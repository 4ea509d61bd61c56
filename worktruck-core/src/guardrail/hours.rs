//! Hours of the day in a time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Timelike as _, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp};

/// A stretch of certain days, in which calls are allowed or in which they are not.
///
/// It may pass midnight: then its days are those on which it begins. What counts is what a clock on the wall shows, so
/// that an hour which the zone skips is not there, and one that it has twice is there twice.
///
/// # Examples
///
/// ```
/// use worktruck_core::guardrail::{Block, Day, Hours};
///
/// let night = Hours {
///     from: "22:00".parse()?,
///     to: "06:00".parse()?,
///     days: Some(vec![Day::Fri]),
///     timezone: None,
///     block: Block::Inside,
/// };
/// let zone = chrono_tz::Europe::Berlin;
/// // Saturday at 03:00 is still the night of Friday; Sunday at 03:00 is that of Saturday.
/// assert!(night.contains("2026-06-06T01:00:00Z".parse()?, zone));
/// assert!(!night.contains("2026-06-07T01:00:00Z".parse()?, zone));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours {
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; the minute itself is not in it.
    pub to: TimeOfDay,
    /// The days on which it begins; every day if absent.
    pub days: Option<Vec<Day>>,
    /// The IANA time zone; the tenant's if absent.
    pub timezone: Option<String>,
    /// Which calls are blocked.
    pub block: Block,
}

/// Which calls hours block.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Those outside them.
    #[default]
    Outside,
    /// Those within them.
    Inside,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Mon => Self::Mon,
            Weekday::Tue => Self::Tue,
            Weekday::Wed => Self::Wed,
            Weekday::Thu => Self::Thu,
            Weekday::Fri => Self::Fri,
            Weekday::Sat => Self::Sat,
            Weekday::Sun => Self::Sun,
        }
    }
}

/// A minute of the day, `HH:MM` from `00:00` to `23:59`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl FromStr for TimeOfDay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("{text:?} is not a time of day; write HH:MM, from 00:00 to 23:59"));
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let part = |part: &str, most: u16| -> Result<u16> {
            let is_two_digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            let number = part.parse().ok().filter(|number| is_two_digits && *number <= most);
            number.ok_or_else(wrong)
        };
        Ok(Self(part(hours, 23)? * 60 + part(minutes, 59)?))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Hours {
    /// Whether a moment lies in them, in their own zone or else in `zone`.
    ///
    /// A zone that does not exist, or a moment that no calendar shows, lies in none.
    #[must_use]
    pub fn contains(&self, at: Timestamp, zone: Tz) -> bool {
        self.place(at, zone).unwrap_or(false)
    }

    /// Whether a moment lies in them, if that can be said.
    pub(super) fn place(&self, at: Timestamp, zone: Tz) -> Result<bool, String> {
        let zone = match &self.timezone {
            Some(name) => name.parse().map_err(|_| format!("{name:?} is not a time zone"))?,
            None => zone,
        };
        let utc = DateTime::from_timestamp_micros(at.as_micros()).ok_or("the moment is not in the calendar")?;
        let local = utc.with_timezone(&zone);
        let now = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or_default();
        let today = local.weekday();
        let begins_on = |day: Weekday| self.days.as_ref().is_none_or(|days| days.contains(&day.into()));
        let (from, to) = (self.from.0, self.to.0);
        Ok(if from < to {
            begins_on(today) && (from..to).contains(&now)
        } else {
            (begins_on(today) && now >= from) || (begins_on(today.pred()) && now < to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, days: Option<Vec<Day>>) -> Hours {
        Hours {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            days,
            timezone: Some("Europe/London".to_owned()),
            block: Block::Outside,
        }
    }

    #[test]
    fn times_of_day_are_minutes() {
        for text in ["00:00", "07:05", "23:59"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in ["", "7:00", "24:00", "12:60", "12", "12:0a", "+1:00", "12:00:00", "１2:00"] {
            assert!(text.parse::<TimeOfDay>().unwrap_err().to_string().contains("HH:MM"), "{text}");
        }
    }

    #[test]
    fn hours_go_by_the_clock_on_the_wall() {
        // In London clocks go from 01:00 to 02:00 on 2026-03-29, and from 02:00 back to 01:00 on 2026-10-25.
        let early = hours("01:00", "02:00", None);
        let table = [
            ("2026-03-28T01:30:00Z", true),
            // The hour that is skipped: a minute before it is 00:59, and then it is 02:00.
            ("2026-03-29T00:59:00Z", false),
            ("2026-03-29T01:00:00Z", false),
            ("2026-03-30T00:30:00Z", true),
            // The hour that is there twice.
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:00:00Z", false),
        ];
        for (at, expected) in table {
            assert_eq!(early.contains(at.parse().unwrap(), Tz::UTC), expected, "{at}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = hours("22:00", "06:00", Some(vec![Day::Sun]));
        // 2026-01-04 is a Sunday.
        let table = [
            ("2026-01-04T21:59:59Z", false),
            ("2026-01-04T22:00:00Z", true),
            ("2026-01-05T05:59:59Z", true),
            ("2026-01-05T06:00:00Z", false),
            ("2026-01-04T03:00:00Z", false),
            ("2026-01-05T22:00:00Z", false),
        ];
        for (at, expected) in table {
            assert_eq!(night.contains(at.parse().unwrap(), Tz::UTC), expected, "{at}");
        }
    }

    #[test]
    fn an_unknown_zone_cannot_be_told() {
        let hours = Hours { timezone: Some("Mars/Olympus".to_owned()), ..hours("01:00", "02:00", None) };
        assert_eq!(hours.place(Timestamp::EPOCH, Tz::UTC).unwrap_err(), "\"Mars/Olympus\" is not a time zone");
    }
}
