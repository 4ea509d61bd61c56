//! The one error type of the SDK.

use std::error::Error as StdError;
use std::fmt;

use serde_json::Value;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for programs.
///
/// A caller branches on the kind; the text of an [`Error`] is for people and may change.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value is malformed, missing, unknown or out of range.
    InvalidRequest,
    /// A page cursor is damaged, or belongs to another list.
    InvalidCursor,
    /// The thing does not exist, is deleted, or belongs to another tenant.
    NotFound,
    /// The thing is a duplicate, or its present state forbids what was asked.
    Conflict,
    /// The blueprint is disabled for the tenant: somebody must enable it first.
    ConfigDisabled,
    /// The expected version is not the present one.
    VersionMismatch,
    /// An idempotency key was used before with other content.
    IdempotencyMismatch,
    /// The lease is not the current one: the worker has lost the run.
    LeaseLost,
    /// What was asked for lies before the tenant's horizon: that part of its history is gone.
    HistoryExpired,
    /// The store or a provider cannot be reached now; the same call may succeed later.
    Unavailable,
    /// A defect of this software, or damaged data.
    Internal,
}

impl ErrorKind {
    /// The stable name that programs outside this process see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidCursor => "invalid_cursor",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::ConfigDisabled => "config_disabled",
            Self::VersionMismatch => "version_mismatch",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::LeaseLost => "lease_lost",
            Self::HistoryExpired => "history_expired",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call may succeed when it is made again, unchanged.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Unavailable => true,
            Self::InvalidRequest
            | Self::InvalidCursor
            | Self::NotFound
            | Self::Conflict
            | Self::ConfigDisabled
            | Self::VersionMismatch
            | Self::IdempotencyMismatch
            | Self::LeaseLost
            | Self::HistoryExpired
            | Self::Internal => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error of the SDK: a kind for programs, a sentence for people, and its cause.
///
/// `Display` prints the sentence and never the cause; [`Error::chain`] prints both.
///
/// # Examples
///
/// ```
/// use worktruck_core::{Error, ErrorKind};
///
/// let error = Error::invalid("limit must be between 1 and 200").at("/limit");
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// assert_eq!(error.pointer(), Some("/limit"));
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    pointer: Option<String>,
    details: Option<Value>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a lower-case sentence without a final period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), pointer: None, details: None, source: None }))
    }

    /// An [`ErrorKind::InvalidRequest`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// An [`ErrorKind::NotFound`] for the thing named.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("{what} does not exist"))
    }

    /// An [`ErrorKind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// An [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Names the place of a bad value as a JSON pointer (RFC 6901).
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// Attaches data for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed when it is made again, unchanged.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The place of a bad value as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// Data for programs.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// The sentence followed by those of all causes, for a log or a terminal.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.pointer {
            Some(pointer) => write!(f, " (at {pointer})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
