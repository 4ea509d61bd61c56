use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::Notify;
use worktruck_core::Result;

use crate::checkpoint::{self, Checkpointer};
use crate::error::{OrFailed as _, cannot_migrate, cannot_open};
use crate::options::SqliteOptions;
use crate::work::Work;
use crate::writer::Writer;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// A store in one SQLite file.
///
/// It may be shared by any number of tasks. It needs the tokio runtime that it was opened in.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) work: Work,
    checkpointer: Checkpointer,
    options: SqliteOptions,
}

impl SqliteStore {
    /// Opens the store that `url` names, `sqlite://` and a path, and creates it if it does not
    /// exist.
    ///
    /// # Errors
    ///
    /// As for [`open_with`](Self::open_with).
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(SqliteOptions::parse(url)?).await
    }

    /// Opens a store, creates it if it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the file cannot be used: its folder does not exist or cannot be written,
    ///   it is no SQLite database, or a newer version of this software wrote it.
    /// - `Unavailable`: another process keeps it locked.
    pub async fn open_with(options: SqliteOptions) -> Result<Self> {
        let path = options.path();
        let mut connection = connect(&options).await?;
        migrate(&mut connection, path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers())
            // A connection to a file does not break while nobody looks.
            .test_before_acquire(false)
            .connect_with(options.reading())
            .await
            .map_err(|e| cannot_open(path, e))?;
        let looker = options.reading().connect().await.map_err(|e| cannot_open(path, e))?;
        let mover = options.checkpointing().connect().await.map_err(|e| cannot_open(path, e))?;
        let committed = Arc::new(Notify::new());
        Ok(Self {
            writer: Writer::start(connection, Arc::clone(&committed)),
            readers,
            work: Work::new(looker, options.poll_interval()),
            checkpointer: Checkpointer::start(mover, path, committed),
            options,
        })
    }

    /// Where the store is, and how it is used.
    #[must_use]
    pub const fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// Commits what is queued, moves the log into the file, and takes nothing more.
    ///
    /// A store that is dropped instead loses nothing that it has answered; the log is moved when
    /// the file is next used.
    pub async fn close(&self) {
        self.writer.close().await;
        self.checkpointer.stop();
        self.readers.close().await;
        if let Ok(connection) = self.options.checkpointing().connect().await {
            checkpoint::last(connection).await;
        }
    }

    /// Several reads that see one moment.
    pub(crate) async fn read(&self) -> Result<sqlx::Transaction<'_, sqlx::Sqlite>> {
        self.readers.begin().await.or_failed("begin to read")
    }
}

/// A connection that writes. While another process turns a new file to write-ahead logging, SQLite
/// says at once that the file is locked, without waiting as it does otherwise.
async fn connect(options: &SqliteOptions) -> Result<SqliteConnection> {
    let path = options.path();
    for _ in 0..OPENINGS {
        match options.writing().connect().await.map_err(|e| cannot_open(path, e)) {
            Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
            opened => return opened,
        }
    }
    options.writing().connect().await.map_err(|e| cannot_open(path, e))
}

/// How often a file is found locked before it is given up.
const OPENINGS: usize = 40;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Two processes may create the same store at once: the second waits for the first, and then finds
/// nothing left to do.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|e| cannot_open(path, e))?;
    catch_up(&mut tx).await.map_err(|e| cannot_migrate(path, e))?;
    tx.commit().await.map_err(|e| cannot_open(path, e))
}

/// What `Migrator::run` does, whose future cannot change threads when it is given a connection.
async fn catch_up(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(MIGRATION_TABLE).await?;
    let applied = connection.list_applied_migrations(MIGRATION_TABLE).await?;
    if let Some(unknown) = applied.iter().find(|applied| !MIGRATIONS.version_exists(applied.version)) {
        return Err(MigrateError::VersionMissing(unknown.version));
    }
    for migration in MIGRATIONS.iter() {
        match applied.iter().find(|applied| applied.version == migration.version) {
            Some(applied) if applied.checksum == migration.checksum => {}
            Some(applied) => return Err(MigrateError::VersionMismatch(applied.version)),
            None => {
                connection.apply(MIGRATION_TABLE, migration).await?;
            }
        }
    }
    Ok(())
}

const MIGRATION_TABLE: &str = "_sqlx_migrations";
