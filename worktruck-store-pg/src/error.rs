//! What errors of the database become: the one place that knows their codes.

use worktruck_core::{Error, ErrorKind, Result};

/// Says what was attempted when the database fails.
pub(crate) trait OrFailed<T> {
    /// The value, or an error saying that the store could not do `what`.
    fn or_failed(self, what: &str) -> Result<T>;
}

impl<T> OrFailed<T> for sqlx::Result<T> {
    fn or_failed(self, what: &str) -> Result<T> {
        self.map_err(|error| failed(what, error))
    }
}

impl<T> OrFailed<T> for Result<T, Failure> {
    fn or_failed(self, what: &str) -> Result<T> {
        self.map_err(|failure| failure.or_failed(what))
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

/// The error of a store that could not do `what`.
pub(crate) fn failed(what: &str, error: sqlx::Error) -> Error {
    let why = match code(&error).as_deref() {
        Some(READ_ONLY) => ": its server takes no writes, as a standby does; connect to the primary",
        Some(QUERY_CANCELED) => TOO_LONG,
        Some(PERMISSION) => ": this user may not do it; grant it the schema and its tables",
        Some(UNTRANSLATABLE | UNTRANSLATABLE_ESCAPE) => ": a text has a character that PostgreSQL cannot keep (NUL)",
        _ => "",
    };
    Error::new(kind(&error), format!("the store could not {what}{why}")).with_source(cause(error))
}

const TOO_LONG: &str = ": the statement took longer than it may";

/// The error of a store that could not do `what` in time, for those who asked for it together.
pub(crate) fn out_of_time(what: &str) -> Error {
    Error::unavailable(format!("the store could not {what}{TOO_LONG}"))
}

/// Why the store at `place` cannot be used.
pub(crate) fn cannot_open(place: &str, error: sqlx::Error) -> Error {
    let (kind, why) = match code(&error).as_deref() {
        Some(READ_ONLY) => {
            (ErrorKind::InvalidRequest, "its server takes no writes, as a standby does; connect to the primary")
        }
        Some("3D000") => (ErrorKind::InvalidRequest, "there is no such database: create it, or name another"),
        Some("28P01" | "28000") => (ErrorKind::InvalidRequest, "the server does not accept this user and password"),
        Some(PERMISSION) => {
            (ErrorKind::InvalidRequest, "this user may not do what the store needs: grant it the schema")
        }
        // A table or a column is not what it would be if it were ours.
        Some("42P07" | "42710" | "42723" | "42703" | "42846" | "22P02") => {
            (ErrorKind::InvalidRequest, "the schema has tables of another software: name another schema")
        }
        Some("53300") => (ErrorKind::Unavailable, "the server has too many connections already"),
        _ => (kind(&error), "it cannot be reached"),
    };
    Error::new(kind, format!("the store {place} cannot be opened: {why}")).with_source(cause(error))
}

/// Whether the database refused a row because one like it exists.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the database refused a row because it refers to one that is not there, or refused to remove
/// one that others refer to.
pub(crate) fn is_referred_to(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// Whether the statement did nothing and may simply be made again. Of the foreign keys that commits
/// meet all are of payloads: one that a step names was removed while the step was written.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01" | "55P03" | "23503"))
}

/// Whether the connection is of no use any more.
pub(crate) fn is_disconnected(error: &sqlx::Error) -> bool {
    match error {
        // The server ends connections by itself: when it is told to, and where a transaction stood still.
        sqlx::Error::Database(_) => code(error).is_some_and(|code| {
            code.starts_with("57P") || code.starts_with("08") || matches!(code.as_str(), "25P03" | "25P04")
        }),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Why an attempt to write failed, while it still matters what the database said.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database failed.
    Sql(sqlx::Error),
    /// The connection broke while it wrote: whether anything was written is not known.
    Unanswered(sqlx::Error),
    /// Something else did, for good.
    Core(Error),
}

impl Failure {
    /// What the failure of a statement that writes is.
    pub(crate) fn of_write(error: sqlx::Error) -> Self {
        if is_disconnected(&error) { Self::Unanswered(error) } else { Self::Sql(error) }
    }

    /// Whether the statement took longer than it may: it would take as long again.
    pub(crate) fn is_out_of_time(&self) -> bool {
        matches!(self, Self::Sql(error) if code(error).as_deref() == Some(QUERY_CANCELED))
    }

    /// Whether it is worth another attempt at once.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Sql(error) => kind(error).is_retryable() && !self.is_out_of_time(),
            Self::Unanswered(_) => true,
            Self::Core(_) => false,
        }
    }

    /// Whether it may have been written all the same.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unanswered(_))
    }

    /// As for an error of the database.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Sql(error) if is_transient(error))
    }

    /// As for an error of the database.
    pub(crate) fn is_disconnected(&self) -> bool {
        match self {
            Self::Sql(error) => is_disconnected(error),
            Self::Unanswered(_) => true,
            Self::Core(_) => false,
        }
    }

    /// The error of a store that could not do `what`.
    pub(crate) fn or_failed(self, what: &str) -> Error {
        match self {
            Self::Sql(error) | Self::Unanswered(error) => failed(what, error),
            Self::Core(error) => error,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sql(error) | Self::Unanswered(error) => error.fmt(f),
            Self::Core(error) => error.fmt(f),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

const READ_ONLY: &str = "25006";
const QUERY_CANCELED: &str = "57014";
const PERMISSION: &str = "42501";
const UNTRANSLATABLE: &str = "22021";
const UNTRANSLATABLE_ESCAPE: &str = "22P05";

fn kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => ErrorKind::Unavailable,
        error if is_disconnected(error) || is_transient(error) => ErrorKind::Unavailable,
        error => match code(error).as_deref() {
            Some(UNTRANSLATABLE | UNTRANSLATABLE_ESCAPE | PERMISSION) => ErrorKind::InvalidRequest,
            // The class of the code: out of resources, or told to stop.
            Some(code) if code.starts_with("53") || code.starts_with("57") || code == READ_ONLY => {
                ErrorKind::Unavailable
            }
            Some(code) if code.starts_with("23") => ErrorKind::Conflict,
            _ => ErrorKind::Internal,
        },
    }
}

/// The error of the database itself, which its wrapper only says again.
fn cause(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        sqlx::Error::Database(error) => error.into_error(),
        error => Box::new(error),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}
