//! Time zones: wall-clock time to moments and back.

use std::fmt;
use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::windows_zones::WINDOWS_ZONES;
use crate::{Error, Result, Timestamp};

const DAY: i64 = 86_400;
/// The most that clocks have ever been set forward by, and a second.
const LONGEST_GAP: i64 = DAY + 1;

/// A time zone of the IANA database.
///
/// It is read from an IANA name in any case, from a name Windows has for zones, and from a longer
/// name that ends in an IANA name, as some calendar programs write them.
///
/// # Examples
///
/// ```
/// use worktruck_core::recurrence::Zone;
///
/// assert_eq!(Zone::parse("europe/paris")?.name(), "Europe/Paris");
/// assert_eq!(Zone::parse("Romance Standard Time")?.name(), "Europe/Paris");
/// assert_eq!(Zone::parse("/freeassociation.sourceforge.net/Europe/Berlin")?.name(), "Europe/Berlin");
/// assert!(Zone::parse("Middle-earth/Shire").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone with this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if no zone has this name.
    pub fn parse(name: &str) -> Result<Self> {
        let wanted = name.trim().trim_matches('"');
        let windows = || WINDOWS_ZONES.iter().find(|(windows, _)| windows.eq_ignore_ascii_case(wanted));
        if let Some(zone) = iana(wanted).or_else(|| iana(windows()?.1)) {
            return Ok(zone);
        }
        // "/vendor/2024/Europe/Berlin": what is left after any slash may be a name.
        wanted.match_indices('/').find_map(|(slash, _)| iana(wanted.get(slash + 1..)?)).ok_or_else(|| {
            Error::invalid(format!("{name:?} is not a time zone; use an IANA name such as Europe/Paris"))
        })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The moment at which clocks of this zone show `wall`.
    ///
    /// A time that clocks skip is read with the offset before the change, as if they had not
    /// changed yet; a time they show twice is the first.
    #[must_use]
    pub fn timestamp(self, wall: NaiveDateTime) -> Timestamp {
        let wall = wall.and_utc();
        let at = self.resolve(wall.timestamp()).at;
        Timestamp::from_micros(at.saturating_mul(1_000_000).saturating_add(wall.timestamp_subsec_micros().into()))
    }

    /// What clocks of this zone show at `at`; nothing for moments that have no date.
    #[must_use]
    pub fn wall(self, at: Timestamp) -> Option<NaiveDateTime> {
        let utc = DateTime::<Utc>::from_timestamp_micros(at.as_micros())?;
        let seconds = utc.timestamp() + self.offset_at(utc.timestamp());
        Some(DateTime::<Utc>::from_timestamp(seconds, utc.timestamp_subsec_nanos())?.naive_utc())
    }

    pub(super) fn is_utc(self) -> bool {
        self.0 == Tz::UTC || self.0 == Tz::Etc__UTC
    }

    /// The first second at which clocks show the second `wall` or a later one.
    pub(crate) fn reaches(self, wall: i64) -> i64 {
        let Resolved { at, skipped } = self.resolve(wall);
        if !skipped {
            return at;
        }
        // Clocks went on before `at`, by less than a day more than what is behind the change.
        self.change_within(at - LONGEST_GAP, at).unwrap_or(at)
    }

    /// The first second after `from`, up to and with `to`, at which clocks are set another way than at `from`.
    pub(crate) fn change_within(self, from: i64, to: i64) -> Option<i64> {
        if self.is_utc() {
            return None;
        }
        let (offset, mut same) = (self.offset_at(from), from);
        while same < to {
            let mut other = (same + DAY).min(to);
            if self.offset_at(other) == offset {
                same = other;
                continue;
            }
            while other - same > 1 {
                let middle = same + (other - same) / 2;
                if self.offset_at(middle) == offset {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            return Some(other);
        }
        None
    }

    /// Seconds that clocks are ahead of UTC at `utc`, in seconds.
    pub(crate) fn offset_at(self, utc: i64) -> i64 {
        match DateTime::<Utc>::from_timestamp(utc, 0) {
            Some(at) if !self.is_utc() => {
                self.0.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into()
            }
            _ => 0,
        }
    }

    /// The second at which clocks show the second `wall`.
    pub(super) fn resolve(self, wall: i64) -> Resolved {
        if self.is_utc() {
            return Resolved { at: wall, skipped: false };
        }
        if let Some(offset) = self.local_offset(wall, Fold::First) {
            return Resolved { at: wall - offset, skipped: false };
        }
        // Apia once skipped a whole day, which is the longest gap. Any time before it and near it
        // has the offset looked for; the one after it is an hour or more away.
        let before = (1..=100).find_map(|quarter| self.local_offset(wall - quarter * 900, Fold::Second));
        Resolved { at: wall - before.unwrap_or(0), skipped: true }
    }

    fn local_offset(self, wall: i64, fold: Fold) -> Option<i64> {
        let local = DateTime::<Utc>::from_timestamp(wall, 0)?.naive_utc();
        let offset = match (self.0.offset_from_local_datetime(&local), fold) {
            (LocalResult::Single(offset), _)
            | (LocalResult::Ambiguous(offset, _), Fold::First)
            | (LocalResult::Ambiguous(_, offset), Fold::Second) => offset,
            (LocalResult::None, _) => return None,
        };
        Some(offset.fix().local_minus_utc().into())
    }
}

/// Which of two equal times of a clock that was set back.
#[derive(Clone, Copy)]
enum Fold {
    First,
    Second,
}

/// A moment found for a time on the wall.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Resolved {
    /// Seconds of UTC.
    pub(super) at: i64,
    /// Whether clocks never show that time.
    pub(super) skipped: bool,
}

fn iana(name: &str) -> Option<Zone> {
    TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied().map(Zone)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Zone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
