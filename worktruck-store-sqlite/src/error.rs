//! What errors of the database become: the one place that knows their codes.

use std::path::Path;

use sqlx::migrate::MigrateError;
use worktruck_core::{Error, ErrorKind, Result};

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const INTERRUPTED: i32 = 9;
const IO: i32 = 10;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

/// Says what was attempted when the database fails.
pub(crate) trait OrFailed<T> {
    /// The value, or an error saying that the store could not do `what`.
    fn or_failed(self, what: &str) -> Result<T>;
}

impl<T> OrFailed<T> for sqlx::Result<T> {
    fn or_failed(self, what: &str) -> Result<T> {
        self.map_err(|error| Error::new(kind(&error), format!("the store could not {what}")).with_source(cause(error)))
    }
}

impl<T> OrFailed<T> for serde_json::Result<T> {
    fn or_failed(self, what: &str) -> Result<T> {
        self.map_err(|error| Error::internal(format!("the store could not {what}")).with_source(error))
    }
}

impl<T> OrFailed<T> for Result<T, std::num::TryFromIntError> {
    fn or_failed(self, what: &str) -> Result<T> {
        self.map_err(|error| Error::internal(format!("the store could not {what}")).with_source(error))
    }
}

/// Why the file at `path` cannot be used as a store, and what to do about it.
pub(crate) fn cannot_open(path: &Path, error: sqlx::Error) -> Error {
    let path = path.display();
    let message = match code(&error) {
        Some(CANNOT_OPEN) => {
            format!("store {path} cannot be opened: name a file in a folder that exists and that you may write to")
        }
        Some(READ_ONLY) => {
            format!("store {path} cannot be written: make the file and its folder writable, or name another file")
        }
        Some(NOT_A_DATABASE) => {
            format!("store {path} is not a SQLite database: name another file, or one that does not exist yet")
        }
        Some(BUSY | LOCKED) => format!("store {path} is kept locked by another program: end it, or try again later"),
        Some(FULL) => format!("store {path} cannot be written: its disk is full"),
        _ => format!("store {path} cannot be opened"),
    };
    let kind = match code(&error) {
        Some(BUSY | LOCKED | FULL) => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidRequest,
    };
    Error::new(kind, message).with_source(cause(error))
}

/// Why the schema of the file at `path` cannot be brought up to date.
pub(crate) fn cannot_migrate(path: &Path, error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => cannot_open(path, error),
        MigrateError::VersionMissing(version) => Error::invalid(format!(
            "store {} was written by a newer version of this software (schema {version}): use that one, or another file",
            path.display()
        )),
        MigrateError::VersionMismatch(version) => Error::invalid(format!(
            "store {} has a schema of another software (at step {version}): name another file",
            path.display()
        )),
        other => Error::invalid(format!(
            "store {} holds something else than a store, or is damaged: name another file",
            path.display()
        ))
        .with_source(other),
    }
}

/// Whether the database refused a row because one like it exists.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

fn kind(error: &sqlx::Error) -> ErrorKind {
    match (error, code(error)) {
        (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_), _)
        | (_, Some(BUSY | LOCKED | READ_ONLY | INTERRUPTED | IO | FULL | CANNOT_OPEN)) => ErrorKind::Unavailable,
        (_, Some(CONSTRAINT)) => ErrorKind::Conflict,
        _ => ErrorKind::Internal,
    }
}

/// The error of the database itself, which its wrapper only says again.
fn cause(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        sqlx::Error::Database(error) => error.into_error(),
        error => Box::new(error),
    }
}

/// The primary result code of SQLite.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
