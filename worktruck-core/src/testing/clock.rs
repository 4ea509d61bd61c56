use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::{Clock, Timestamp};

/// A clock that a test moves.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use worktruck_core::testing::SimClock;
/// use worktruck_core::{Clock, Timestamp};
///
/// let clock = SimClock::starting_at("2026-04-14T12:00:00Z".parse()?);
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now(), "2026-04-14T12:00:30Z".parse()?);
/// assert_eq!(clock.monotonic(), Duration::from_secs(30));
///
/// // Somebody sets the wall clock back: the monotonic time does not notice.
/// clock.set(Timestamp::EPOCH);
/// assert_eq!(clock.now(), Timestamp::EPOCH);
/// assert_eq!(clock.monotonic(), Duration::from_secs(30));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SimClock {
    now: AtomicI64,
    elapsed: AtomicU64,
}

impl SimClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn starting_at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.as_micros()), elapsed: AtomicU64::new(0) }
    }

    /// Lets `duration` pass, in whole microseconds.
    pub fn advance(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(micros, Ordering::SeqCst);
        self.now.fetch_add(i64::try_from(micros).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock, forwards or backwards, while no time passes.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::SeqCst))
    }
}
