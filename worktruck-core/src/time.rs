//! Moments and half-open periods.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// A moment: whole microseconds since 1970-01-01T00:00:00Z, in UTC.
///
/// JSON and text are RFC 3339 with microseconds. Core never reads a clock: every function that
/// depends on the present takes `now`.
///
/// # Examples
///
/// ```
/// use worktruck_core::Timestamp;
///
/// let at: Timestamp = "2026-04-14T20:32:10+02:00".parse()?;
/// assert_eq!(at.to_string(), "2026-04-14T18:32:10.000000Z");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Later than every moment: the end of an open period. It has no RFC 3339 form.
    pub const FOREVER: Self = Self(i64::MAX);

    /// The moment `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment one microsecond later.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The moment one microsecond earlier.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The moment `duration` later; [`Timestamp::FOREVER`] at most.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The moment `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long after `earlier` this moment is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => f.write_str("forever"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = DateTime::parse_from_rfc3339(text)
            .map_err(|e| Error::invalid(format!("{text:?} is not an RFC 3339 timestamp")).with_source(e))?;
        Ok(Self(at.timestamp_micros()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where a runtime reads the time. Core itself never does: it is handed `now`.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present. Like every wall clock it may jump, also backwards.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment; never runs backwards.
    ///
    /// It must run on while the process is stopped or the machine sleeps, so that a worker that
    /// wakes up knows how long its leases have been unattended.
    fn monotonic(&self) -> Duration;
}

/// A half-open span of time, `from <= t < to`; it always contains at least one moment.
///
/// An open period ends at [`Timestamp::FOREVER`], which JSON writes as `null`.
///
/// # Examples
///
/// ```
/// use worktruck_core::{Period, Timestamp};
///
/// let period = Period::new(Timestamp::from_micros(1), Timestamp::from_micros(5))?;
/// assert!(period.contains(Timestamp::from_micros(4)));
/// assert!(!period.contains(Timestamp::from_micros(5)));
/// assert!(Period::new(Timestamp::from_micros(5), Timestamp::from_micros(5)).is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Period {
    from: Timestamp,
    to: Timestamp,
}

impl Period {
    /// The period from `from` up to, and not including, `to`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if `to` is not later than `from`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self> {
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(Error::invalid(format!("a period must end after it begins, but {to} is not after {from}")))
        }
    }

    /// The period from `from` on, without end.
    ///
    /// `from` must be earlier than [`Timestamp::FOREVER`], which every moment of a calendar is.
    #[must_use]
    pub fn starting(from: Timestamp) -> Self {
        Self { from: from.min(Timestamp(i64::MAX - 1)), to: Timestamp::FOREVER }
    }

    /// The first moment.
    #[must_use]
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// The first moment after it.
    #[must_use]
    pub const fn to(self) -> Timestamp {
        self.to
    }

    /// Whether it has no end.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.to == Timestamp::FOREVER
    }

    /// Whether `at` lies in it.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The moments that lie in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to)).ok()
    }

    /// What of it lies before `other` begins.
    #[must_use]
    pub fn part_before(self, other: Self) -> Option<Self> {
        Self::new(self.from, self.to.min(other.from)).ok()
    }

    /// What of it lies at or after the end of `other`.
    #[must_use]
    pub fn part_after(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.to), self.to).ok()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.to)
    }
}

#[derive(Deserialize, Serialize)]
struct Bounds {
    from: Timestamp,
    to: Option<Timestamp>,
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bounds { from: self.from, to: (!self.is_open()).then_some(self.to) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bounds = Bounds::deserialize(deserializer)?;
        Self::new(bounds.from, bounds.to.unwrap_or(Timestamp::FOREVER)).map_err(de::Error::custom)
    }
}
