//! Moves the write-ahead log into the file, beside the commits and not inside them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// From this size on the log is moved while others go on writing and reading.
const PASSIVE_BYTES: u64 = 4 << 20;
/// From this size on it is also cut, which waits for a moment without readers and writers.
const TRUNCATE_BYTES: u64 = 64 << 20;
/// The least time between two checkpoints.
const PAUSE: Duration = Duration::from_millis(250);

/// The task that does it; it ends with the value.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    task: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the task for the store at `path`; it looks at the log after every `committed`.
    pub(crate) fn start(mut connection: SqliteConnection, path: &Path, committed: Arc<Notify>) -> Self {
        let log = log_of(path);
        let task = tokio::spawn(async move {
            loop {
                let size = std::fs::metadata(&log).map_or(0, |log| log.len());
                if size >= TRUNCATE_BYTES {
                    checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
                } else if size >= PASSIVE_BYTES {
                    checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
                }
                tokio::time::sleep(PAUSE).await;
                committed.notified().await;
            }
        });
        Self { task }
    }

    /// Ends the task.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Moves the whole log, where nobody else uses the file.
pub(crate) async fn last(mut connection: SqliteConnection) {
    checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection failed");
    }
}

async fn checkpoint(connection: &mut SqliteConnection, pragma: &'static str) {
    // Nothing is lost when it fails: the log is as durable as the file, and the next one moves it.
    if let Err(error) = sqlx::query(pragma).fetch_optional(connection).await {
        tracing::debug!(%error, "checkpoint put off");
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = OsString::from(path);
    log.push("-wal");
    PathBuf::from(log)
}
