use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use worktruck_core::{Error, Result};

/// Where a store is, and how it is used.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worktruck_store_sqlite::SqliteOptions;
///
/// let options = SqliteOptions::parse("sqlite://contacts.db")?.with_busy_timeout(Duration::from_secs(5));
/// assert_eq!(options.path().to_str(), Some("contacts.db"));
/// assert!(SqliteOptions::parse("postgres://localhost/contacts").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    path: PathBuf,
    busy_timeout: Duration,
    readers: u32,
    poll_interval: Duration,
}

/// Pages that the writer keeps in memory, in kibibytes, negative as SQLite wants it: entities have
/// random ids, so that writing many touches pages all over the indexes.
const WRITER_CACHE: &str = "-65536";
/// The same of each reader.
const READER_CACHE: &str = "-8192";

impl SqliteOptions {
    /// The store in the file at `path`, which is created if it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            busy_timeout: Duration::from_secs(30),
            readers: 4,
            poll_interval: Duration::from_millis(25),
        }
    }

    /// The store that `url` names: `sqlite://` and a path, absolute or from the current folder.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not such a URL.
    pub fn parse(url: &str) -> Result<Self> {
        match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Some("" | ":memory:") => Err(Error::invalid("a store needs a file: write sqlite:// and its path")),
            Some(path) => Ok(Self::new(path)),
            None => {
                Err(Error::invalid("the address of a SQLite store is sqlite:// and a path, such as sqlite://my.db"))
            }
        }
    }

    /// How long a write waits for another process to finish its own; 30 seconds unless set.
    #[must_use]
    pub const fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many reads may go on at once; 4 unless set, and at least 1.
    #[must_use]
    pub const fn with_readers(mut self, readers: u32) -> Self {
        self.readers = if readers == 0 { 1 } else { readers };
        self
    }

    /// How often a waiting worker looks for work from other processes; every 25 milliseconds
    /// unless set.
    #[must_use]
    pub const fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// The file that the store is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn readers(&self) -> u32 {
        self.readers
    }

    pub(crate) const fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    /// How the one connection that writes is opened.
    pub(crate) fn writing(&self) -> SqliteConnectOptions {
        self.connect(WRITER_CACHE).create_if_missing(true).journal_mode(SqliteJournalMode::Wal)
    }

    /// How connections that only look are opened.
    pub(crate) fn reading(&self) -> SqliteConnectOptions {
        self.connect(READER_CACHE).pragma("query_only", "1")
    }

    /// How the connection is opened that moves the log into the file. It gives way to everybody.
    pub(crate) fn checkpointing(&self) -> SqliteConnectOptions {
        self.connect(READER_CACHE).busy_timeout(Duration::from_millis(50))
    }

    fn connect(&self, cache: &'static str) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(self.busy_timeout)
            // A checkpoint inside a commit costs most of the write rate: they have their own task.
            .pragma("wal_autocheckpoint", "0")
            .pragma("cache_size", cache)
            .statement_cache_capacity(256)
            .disable_statement_logging()
    }
}
