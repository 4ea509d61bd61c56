//! How a waiting worker learns of new work, in this process and in others on the same file.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::sync::{Mutex, watch};
use worktruck_core::{Error, Result};

use crate::error::OrFailed as _;

/// The newest generation of work that this process knows of.
///
/// The generation is counted in the file, in the transaction that makes the work. This process
/// tells its own waiters at once; commits of others are seen by the number that SQLite keeps of
/// the versions of a file, which costs no lock to read.
#[derive(Debug)]
pub(crate) struct Work {
    known: watch::Sender<u64>,
    looker: Mutex<SqliteConnection>,
    data_version: AtomicI64,
    interval: Duration,
}

/// Counts the work that the transaction makes; the number is to be [announced](Work::announce)
/// when it is committed.
pub(crate) async fn count(tx: &mut SqliteConnection) -> Result<u64> {
    let generation: i64 = sqlx::query_scalar("UPDATE work SET generation = generation + 1 RETURNING generation")
        .fetch_one(tx)
        .await
        .or_failed("count new work")?;
    u64::try_from(generation).or_failed("count new work")
}

impl Work {
    /// Looks through `looker`, which nobody else may use, as often as `interval` says.
    pub(crate) fn new(looker: SqliteConnection, interval: Duration) -> Self {
        Self { known: watch::Sender::new(0), looker: Mutex::new(looker), data_version: AtomicI64::new(-1), interval }
    }

    /// Wakes those who wait for a generation before this one.
    pub(crate) fn announce(&self, generation: u64) {
        self.known.send_if_modified(|known| {
            let is_new = *known < generation;
            *known = generation.max(*known);
            is_new
        });
    }

    /// Waits for a mark other than `seen`. Marks are generations plus one, so that 0 is none.
    pub(crate) async fn wait(&self, seen: u64) -> Result<u64> {
        let mut known = self.known.subscribe();
        self.look().await?;
        loop {
            let mark = known.borrow_and_update().saturating_add(1);
            if mark != seen {
                return Ok(mark);
            }
            tokio::select! {
                changed = known.changed() => changed.map_err(|_| Error::unavailable("the store is closed"))?,
                () = tokio::time::sleep(self.interval) => self.look().await?,
            }
        }
    }

    /// Takes in what was committed since the last look. One look at a time serves all who wait.
    async fn look(&self) -> Result<()> {
        let Ok(mut looker) = self.looker.try_lock() else {
            return Ok(());
        };
        // The version is read first: what is committed between the two is seen by the next look.
        let version: i64 =
            sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *looker).await.or_failed("look for new work")?;
        if self.data_version.load(Ordering::Relaxed) == version {
            return Ok(());
        }
        let generation: i64 = sqlx::query_scalar("SELECT generation FROM work")
            .fetch_one(&mut *looker)
            .await
            .or_failed("look for new work")?;
        self.announce(u64::try_from(generation).or_failed("look for new work")?);
        self.data_version.store(version, Ordering::Relaxed);
        Ok(())
    }
}
