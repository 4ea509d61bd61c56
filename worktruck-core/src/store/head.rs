use crate::temporal::{At, Point, Stamp};
use crate::{Error, Result, Timestamp};

use super::Horizon;

/// How far a tenant's commits have come: what a backend keeps per tenant and locks last.
///
/// # Examples
///
/// ```
/// use worktruck_core::Timestamp;
/// use worktruck_core::store::TenantHead;
/// use worktruck_core::temporal::At;
///
/// let noon = Timestamp::from_micros(12);
/// let mut head = TenantHead::default();
/// head.read(At::as_of(noon), noon)?;
/// assert_eq!(head.stamp(noon).sys, noon.next());
/// assert_eq!(head.stamp(noon).tx_id, 1);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantHead {
    /// The number of the last commit; 0 before the first.
    pub tx_id: u64,
    /// The system time of the last commit or the latest moment that was read as fixed, whichever
    /// is later: every later commit gets a later system time.
    pub floor: Timestamp,
    /// Before what the tenant's history is gone; never later than the floor.
    pub horizon: Horizon,
}

impl Default for TenantHead {
    fn default() -> Self {
        Self { tx_id: 0, floor: Timestamp::from_micros(i64::MIN), horizon: Horizon::default() }
    }
}

impl TenantHead {
    /// What the next commit is stamped with: `max(now, floor + 1 µs)` and the next number.
    #[must_use]
    pub fn stamp(&self, now: Timestamp) -> Stamp {
        Stamp { sys: now.max(self.floor.next()), tx_id: self.tx_id + 1 }
    }

    /// Takes in a commit.
    pub const fn advance(&mut self, stamp: Stamp) {
        self.tx_id = stamp.tx_id;
        self.floor = stamp.sys;
    }

    /// The point that a read at `at` is about. Raises the floor to `as_of`, so that no later
    /// commit changes the answer: a backend must keep the raised head before it answers.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: `as_of` is later than `now`.
    /// - `HistoryExpired`: `as_of` lies before the horizon.
    pub fn read(&mut self, at: At, now: Timestamp) -> Result<Point> {
        if at.as_of.is_some_and(|as_of| as_of > now) {
            return Err(Error::invalid("as_of must not be in the future").at("/as_of"));
        }
        if let Some(as_of) = at.as_of {
            self.horizon.admit(as_of).map_err(|e| e.at("/as_of"))?;
            self.raise(as_of);
        }
        Ok(at.resolve(self.floor, now))
    }

    /// Moves the horizon to `to`, unless it is there or later already. No commit that comes after
    /// this one is stamped before it.
    pub fn expire(&mut self, to: Horizon) {
        self.horizon = self.horizon.max(to);
        self.raise(self.horizon.at);
    }

    /// Fixes the present: the moment that a walk over a changing field is pinned to.
    pub(super) fn pin(&mut self, now: Timestamp) -> Timestamp {
        self.raise(now);
        self.floor
    }

    fn raise(&mut self, to: Timestamp) {
        self.floor = self.floor.max(to);
    }
}
