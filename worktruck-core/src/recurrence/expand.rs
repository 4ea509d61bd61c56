//! The occurrences that start within a window.

use chrono::NaiveDate;

use super::budget::Budget;
use super::calendar::{DAY, FIRST_DAY, LAST_DAY};
use super::moment::{Start, day_number};
use super::walk::SetWalk;
use super::{Moment, RuleSet, Zone};
use crate::{Period, Result, Timestamp};

/// The time in which occurrences are looked for.
///
/// An occurrence lies in it if it starts in it; a whole day starts at midnight in the zone of the
/// window. To find what is still going on when the window begins, begin it earlier by the duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    period: Period,
    zone: Zone,
}

impl Window {
    /// The window `period`, with the zone that says when whole days begin.
    #[must_use]
    pub const fn new(period: Period, zone: Zone) -> Self {
        Self { period, zone }
    }

    /// The days from `from` up to, and not including, `to`; each begins at midnight UTC.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if `to` is not later than `from`.
    pub fn dates(from: NaiveDate, to: NaiveDate) -> Result<Self> {
        let midnight = |date| Timestamp::from_micros(day_number(date) * DAY * 1_000_000);
        Ok(Self::new(Period::new(midnight(from), midnight(to))?, Zone::UTC))
    }

    /// Its bounds in the way a series counts its occurrences.
    fn range(self, start: &Start) -> (i64, i64) {
        (self.bound(start, self.period.from()), self.bound(start, self.period.to()))
    }

    fn bound(self, start: &Start, at: Timestamp) -> i64 {
        if !start.all_day {
            return at.as_micros();
        }
        let second = at.as_micros().div_euclid(1_000_000).clamp((FIRST_DAY - 9) * DAY, (LAST_DAY + 9) * DAY);
        let near = (second + self.zone.offset_at(second)).div_euclid(DAY);
        // The first day that begins at or after the bound. Clocks may skip a midnight, or a day.
        let begins = |day: i64| self.zone.resolve(day * DAY).at.saturating_mul(1_000_000);
        let day = (near - 1..near + 3).find(|day| begins(*day) >= at.as_micros()).unwrap_or(near + 3);
        day * DAY * 1_000_000
    }
}

/// Occurrences found in a window.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Occurrences {
    /// The first of them, in order; as many as asked for at most.
    pub moments: Vec<Moment>,
    /// The one that follows them within the window; nothing if these are all.
    pub next: Option<Moment>,
    /// Steps taken to find them, which depends on the rules, hardly on how far away the window is.
    pub steps: u64,
}

/// The first `limit` occurrences of `set` that start in `window`.
///
/// They are in order and each is there once. The work is limited too: a rule that takes too many
/// steps ends in an error, not in a long wait.
///
/// # Errors
///
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if finding them takes too much work.
///
/// # Examples
///
/// ```
/// use worktruck_core::recurrence::{Mode, RuleSet, Start, Window, Zone, expand};
/// use worktruck_core::{Period, Timestamp};
///
/// let zone = Zone::parse("America/New_York")?;
/// let start = Start::instant("2026-01-05T09:00:00-05:00".parse()?, zone)?;
/// let (set, _) = RuleSet::new(start, &["FREQ=WEEKLY;BYDAY=MO,WE"], &[], &[], Mode::Strict)?;
/// let july = Window::new(Period::new("2056-07-01T00:00:00Z".parse()?, "2056-07-08T00:00:00Z".parse()?)?, zone);
/// let found = expand(&set, july, 100)?;
/// assert_eq!(found.moments, ["2056-07-03T09:00:00-04:00".parse()?, "2056-07-05T09:00:00-04:00".parse()?]);
/// assert_eq!(found.next, None);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn expand(set: &RuleSet, window: Window, limit: usize) -> Result<Occurrences> {
    let mut budget = Budget::new();
    let mut walk = SetWalk::new(set, window.range(set.start()), &mut budget)?;
    let mut moments = Vec::new();
    let next = loop {
        match walk.next(&mut budget)? {
            Some(at) if moments.len() < limit => moments.push(set.start().moment_at(at)),
            other => break other.map(|at| set.start().moment_at(at)),
        }
    };
    Ok(Occurrences { moments, next, steps: budget.used() })
}
