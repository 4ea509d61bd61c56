//! What a tenant need not keep: the port that removes it, and the rules that all backends share.

use std::fmt;

use async_trait::async_trait;
use serde_json::json;

use super::ChangedEntity;
use crate::{Error, ErrorKind, Period, Result, TenantId, Timestamp};

/// Before what a tenant's history is gone.
///
/// What lies before it is not shown, whether it has been removed by then or not: answers do not
/// depend on how far the removal has come.
///
/// # Examples
///
/// ```
/// use worktruck_core::store::Horizon;
/// use worktruck_core::{ErrorKind, Timestamp};
///
/// let horizon = Horizon { at: Timestamp::from_micros(100), tx_id: 3 };
/// assert!(horizon.admit(Timestamp::from_micros(100)).is_ok());
/// let refused = horizon.admit(Timestamp::from_micros(99)).unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::HistoryExpired);
///
/// // A reader of the feed that has seen commit 3 missed nothing; one that has seen 2 did.
/// assert_eq!(horizon.follow(Some(3))?, 3);
/// assert!(horizon.follow(Some(2)).is_err());
/// assert_eq!(horizon.follow(None)?, 3);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Horizon {
    /// The earliest moment that can still be asked about.
    pub at: Timestamp,
    /// The number of the last commit before it; 0 if there is none.
    pub tx_id: u64,
}

impl Default for Horizon {
    fn default() -> Self {
        Self { at: Timestamp::from_micros(i64::MIN), tx_id: 0 }
    }
}

impl Horizon {
    /// Checks that what was known at `moment` is still there.
    ///
    /// # Errors
    ///
    /// `HistoryExpired`, which names the horizon, if it is not.
    pub fn admit(self, moment: Timestamp) -> Result<()> {
        if moment < self.at { Err(self.expired("what was known before it")) } else { Ok(()) }
    }

    /// Whether a slice that was believed during `sys` lies before it.
    #[must_use]
    pub fn hides(self, sys: Period) -> bool {
        sys.to() <= self.at
    }

    /// The number of the commit after which the feed goes on, for a reader that has seen the
    /// commits up to `since`, or none.
    ///
    /// # Errors
    ///
    /// `HistoryExpired` if commits are gone that the reader has not seen.
    pub fn follow(self, since: Option<u64>) -> Result<u64> {
        match since {
            Some(since) if since < self.tx_id => Err(self.expired("commits before it that come after the cursor")),
            Some(since) => Ok(since),
            None => Ok(self.tx_id),
        }
    }

    fn expired(self, what: &str) -> Error {
        let at = self.at;
        Error::new(ErrorKind::HistoryExpired, format!("history is kept from {at} on, and {what} is gone"))
            .with_details(json!({ "kept_from": at }))
    }
}

/// What [`RetentionStore::expire`] removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Expired {
    /// How many runs, each with all that belongs to it.
    pub runs: u64,
    /// How many slices of entities.
    pub slices: u64,
    /// How many commits of the feed.
    pub commits: u64,
    /// Whether there is more to remove.
    pub has_more: bool,
}

/// Removes what tenants need not keep.
#[async_trait]
pub trait RetentionStore: fmt::Debug + Send + Sync + 'static {
    /// Removes what is older than `before`, in one bounded piece: at most `limit` runs, and what at
    /// most as many commits replaced. Call it again while there is [more](Expired::has_more).
    ///
    /// - Runs that ended before `before` go whole: steps, events, open calls, payloads that no step
    ///   of another run names, and the idempotency key. A reader sees a run whole or not at all. Runs
    ///   that have not ended stay, however old.
    /// - The tenant's [horizon](super::Horizon) is moved to `before`, and never back. Slices that were
    ///   no longer believed at it go; what is believed stays, however old, deletions included.
    /// - Commits before the horizon leave the feed. One that a remaining slice refers to is kept for its
    ///   provenance, and shows with it.
    ///
    /// Version numbers, commit numbers and the numbers of erased entities go on as if nothing were
    /// gone. Any number of processes may remove for the same tenant at once.
    ///
    /// # Contract
    ///
    /// - `expired_run_is_gone_with_all_that_is_its`, `runs_that_ended_later_or_not_at_all_stay`
    /// - `payload_of_a_remaining_run_stays`, `expired_idempotency_key_can_be_used_again`
    /// - `read_before_the_horizon_is_refused`, `pinned_walk_behind_the_horizon_is_refused`
    /// - `what_is_believed_stays_however_old`, `horizon_never_goes_back`
    /// - `history_ends_at_the_horizon`, `versions_are_counted_on_after_expiry`
    /// - `feed_cursor_before_the_horizon_is_refused`, `provenance_outlives_its_commit`
    /// - `answers_are_the_same_between_pieces`, `expiry_by_many_tasks_removes_everything_once`
    /// - `expiry_leaves_other_tenants_alone`, `expiry_of_the_future_is_refused`
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves each part of the piece done or not done; a later call goes on.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: `before` is later than `now`, or `limit` is 0.
    /// - `Unavailable`: the store cannot be reached.
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired>;
}

/// Checks what is asked of [`RetentionStore::expire`].
///
/// # Errors
///
/// `InvalidRequest` if `before` is later than `now` or `limit` is 0.
pub fn check_expiry(before: Timestamp, limit: usize, now: Timestamp) -> Result<()> {
    if before > now {
        return Err(Error::invalid("before must not be in the future").at("/before"));
    }
    if limit == 0 {
        return Err(Error::invalid("limit must be at least 1").at("/limit"));
    }
    Ok(())
}

/// A commit before the horizon.
///
/// Whatever stopped being believed was replaced by some commit, which names its entity. So a backend
/// walks the commits up to the horizon, each once and in order, and removes what each has replaced:
/// it needs no order of slices by their end.
#[derive(Clone, Debug, PartialEq)]
pub struct OldCommit {
    /// Its number.
    pub tx_id: u64,
    /// Its system time: the slices of its entities that were no longer believed then can go.
    pub at: Timestamp,
    /// What it changed.
    pub entities: Vec<ChangedEntity>,
}

impl OldCommit {
    /// How many of `commits` one piece walks: so many that they do not name too many entities, and
    /// one at least.
    #[must_use]
    pub fn piece(commits: &[Self]) -> usize {
        let mut named = 0;
        let fits = commits.iter().take_while(|commit| {
            named += commit.entities.len();
            named <= MOST_ENTITIES
        });
        fits.count().max(1).min(commits.len())
    }
}

/// How many entities the commits of a piece may name together.
const MOST_ENTITIES: usize = 1_000;
