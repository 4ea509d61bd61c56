//! The clock and the ids of production.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::{ContextV7, Uuid};
use worktruck_core::{Clock, IdSource, Timestamp};

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    /// Where the system has no clock that runs on while the machine sleeps.
    #[cfg(not(target_os = "linux"))]
    started: std::time::Instant,
}

impl SystemClock {
    /// The clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(not(target_os = "linux"))]
            started: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.after(since)
    }

    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> Duration {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Invariant: the kernel counts up from zero.
        Duration::try_from(since_boot).unwrap_or_default()
    }

    #[cfg(not(target_os = "linux"))]
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Random ids that grow in the order in which they are made, also within a millisecond.
#[derive(Debug, Default)]
pub struct RandomIds {
    context: Mutex<Option<ContextV7>>,
}

impl RandomIds {
    /// A new source.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl IdSource for RandomIds {
    fn next_uuid(&self, now: Timestamp) -> Uuid {
        // A panic elsewhere cannot leave the context half made.
        let mut context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let context = context.get_or_insert_with(ContextV7::new);
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, micros / 1_000_000, nanos))
    }
}
