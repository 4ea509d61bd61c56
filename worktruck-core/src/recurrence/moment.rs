//! Where a series starts, and what names one of its occurrences.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Zone;
use super::calendar::{DAY, FIRST_DAY, LAST_DAY};
use crate::{Error, Result, Timestamp};

/// What identifies an occurrence: its date if it is all day, else the moment it starts at.
///
/// JSON and text are `YYYY-MM-DD` or RFC 3339.
///
/// # Examples
///
/// ```
/// use worktruck_core::recurrence::Moment;
///
/// let day: Moment = "2026-03-29".parse()?;
/// let at: Moment = "2026-03-29T09:00:00+02:00".parse()?;
/// assert_eq!(day.to_string(), "2026-03-29");
/// assert_eq!(at.to_string(), "2026-03-29T07:00:00.000000Z");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Moment {
    /// A whole day, wherever one is.
    Date(NaiveDate),
    /// A moment.
    Instant(Timestamp),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Instant(at) => at.fmt(f),
        }
    }
}

impl FromStr for Moment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse::<NaiveDate>() {
            // chrono reads "2026-1-1" too.
            Ok(date) if text.len() == 10 => Ok(Self::Date(date)),
            _ => text.parse().map(Self::Instant).map_err(|e: Error| {
                Error::invalid(format!("{text:?} is neither a date (YYYY-MM-DD) nor an RFC 3339 timestamp"))
                    .with_source(e)
            }),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The start of a series: a date, or a time on the clocks of a zone.
///
/// Rules repeat what the clock shows, not the moment. A time that floats, which no zone belongs
/// to, is given the zone it is to be read in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Start {
    pub(super) all_day: bool,
    pub(super) zone: Zone,
    /// Whole seconds on the wall, which rules repeat.
    pub(super) wall: i64,
    /// The microseconds that the wall leaves out.
    pub(super) fraction: i64,
    /// The moment of the first instance in microseconds. The wall alone does not say it when it
    /// shows the same time twice.
    pub(super) at: i64,
}

impl Start {
    /// A series of whole days, the first of which is `date`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the year is not one of 1 to 9999.
    pub fn date(date: NaiveDate) -> Result<Self> {
        let wall = day_number(date) * DAY;
        in_years(wall)?;
        Ok(Self { all_day: true, zone: Zone::UTC, wall, fraction: 0, at: wall * 1_000_000 })
    }

    /// A series that begins at the moment `at`, and repeats what clocks of `zone` show then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the year is not one of 1 to 9999.
    pub fn instant(at: Timestamp, zone: Zone) -> Result<Self> {
        let seconds = at.as_micros().div_euclid(1_000_000);
        in_years(seconds)?;
        let wall = seconds + zone.offset_at(seconds);
        in_years(wall)?;
        let fraction = at.as_micros().rem_euclid(1_000_000);
        Ok(Self { all_day: false, zone, wall, fraction, at: at.as_micros() })
    }

    /// A series that begins when clocks of `zone` show `wall`.
    ///
    /// It differs from [`Start::instant`] for a time that clocks skip: the first instance is later
    /// by the length of the gap, the following ones are at `wall`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the year is not one of 1 to 9999.
    pub fn wall(wall: NaiveDateTime, zone: Zone) -> Result<Self> {
        let seconds = wall.and_utc().timestamp();
        in_years(seconds)?;
        let fraction = i64::from(wall.and_utc().timestamp_subsec_micros()).min(999_999);
        let at = zone.resolve(seconds).at * 1_000_000 + fraction;
        Ok(Self { all_day: false, zone, wall: seconds, fraction, at })
    }

    /// What identifies the first instance.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment_at(self.at)
    }

    /// Whether it is a series of whole days.
    #[must_use]
    pub const fn is_date(&self) -> bool {
        self.all_day
    }

    /// The zone whose clocks it keeps to; [`Zone::UTC`] for whole days.
    #[must_use]
    pub const fn zone(&self) -> Zone {
        self.zone
    }

    /// The occurrence at `micros`, which counts days as if they were in UTC.
    pub(super) fn moment_at(&self, micros: i64) -> Moment {
        if self.all_day {
            Moment::Date(date_of(micros.div_euclid(1_000_000 * DAY)))
        } else {
            Moment::Instant(Timestamp::from_micros(micros))
        }
    }

    /// The reverse of [`Start::moment_at`].
    pub(super) fn micros(&self, moment: Moment) -> Result<i64> {
        match (self.all_day, moment) {
            (true, Moment::Date(date)) => Ok(day_number(date) * DAY * 1_000_000),
            (false, Moment::Instant(at)) => Ok(at.as_micros()),
            (true, Moment::Instant(at)) => {
                Err(Error::invalid(format!("an occurrence of an all-day series is named by its date, not by {at}")))
            }
            (false, Moment::Date(date)) => Err(Error::invalid(format!(
                "an occurrence of this series is named by its moment, not by the date {date}"
            ))),
        }
    }
}

/// Days since 1970-01-01.
pub(super) fn day_number(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().div_euclid(DAY)
}

/// The reverse of [`day_number`]; days outside the calendar are its first.
pub(super) fn date_of(day: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp(day.saturating_mul(DAY), 0).unwrap_or_default().date_naive()
}

fn in_years(seconds: i64) -> Result<()> {
    if (FIRST_DAY * DAY..(LAST_DAY + 1) * DAY).contains(&seconds) {
        Ok(())
    } else {
        Err(Error::invalid("a series must start in one of the years 1 to 9999").at("/start"))
    }
}
