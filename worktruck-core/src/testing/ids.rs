use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

use crate::{IdSource, Timestamp};

/// Ids that count: the same test makes the same ids, in ascending order within a millisecond.
///
/// # Examples
///
/// ```
/// use worktruck_core::testing::CountingIds;
/// use worktruck_core::{IdSource, Timestamp};
///
/// let ids = CountingIds::new(7);
/// let (first, second) = (ids.next_uuid(Timestamp::EPOCH), ids.next_uuid(Timestamp::EPOCH));
/// assert!(first < second);
/// assert_eq!(CountingIds::new(7).next_uuid(Timestamp::EPOCH), first);
/// assert_ne!(CountingIds::new(8).next_uuid(Timestamp::EPOCH), first);
/// ```
#[derive(Debug)]
pub struct CountingIds {
    seed: u16,
    next: AtomicU64,
}

impl CountingIds {
    /// The ids of `seed`, of which the lower 12 bits count: sources with different seeds never
    /// make the same id.
    #[must_use]
    pub const fn new(seed: u16) -> Self {
        Self { seed, next: AtomicU64::new(1) }
    }
}

impl IdSource for CountingIds {
    fn next_uuid(&self, now: Timestamp) -> Uuid {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[..2].copy_from_slice(&self.seed.to_be_bytes());
        random[2..].copy_from_slice(&count.to_be_bytes());
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
