//! Tools as a port: what they are called, what they do, and what they give back.

mod spec;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::run::FailureCategory;
use crate::store::{Changes, View};
use crate::{DerivedIds, Digest, RunId, TenantId, Timestamp};

pub use spec::{ToolEffect, ToolSpec};

/// What a call of a tool may use.
#[derive(Debug)]
pub struct ToolContext {
    /// Whose data it may touch.
    pub tenant: TenantId,
    /// The run that calls.
    pub run: RunId,
    /// The place of the call in the journal.
    pub seq: u32,
    /// When the model asked for the call: the same when the call is made again after a crash.
    pub now: Timestamp,
    /// The store as the call may see it: with the changes of earlier calls of the same turn.
    pub view: View,
    /// Ids for what the call makes: the same when it is made again.
    pub ids: DerivedIds,
    /// Names the call for the outside: the same when it is made again.
    pub idempotency_key: Digest,
}

/// What a call of a tool gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolOutput {
    /// What the model sees.
    pub output: Value,
    /// What is committed with the step; only from a tool whose effect is [`ToolEffect::Write`].
    pub changes: Changes,
}

impl ToolOutput {
    /// An output without changes.
    #[must_use]
    pub fn new(output: Value) -> Self {
        Self { output, changes: Changes::none() }
    }

    /// The same output with changes.
    #[must_use]
    pub fn with_changes(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }
}

/// A call of a tool that failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// For the model: what is wrong and what to do instead. Never a secret.
    pub message: String,
    /// Why the run must end; without it the model goes on with the message.
    pub fatal: Option<FailureCategory>,
    /// Whether the store could not be reached. Such a call is made again, unless it may have had
    /// an outside effect.
    pub transient: bool,
}

impl ToolError {
    /// A failure that the model may work around.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), fatal: None, transient: false }
    }

    /// A failure that ends the run.
    pub fn fatal(category: FailureCategory, message: impl Into<String>) -> Self {
        Self { message: message.into(), fatal: Some(category), transient: false }
    }
}

impl ToolError {
    /// The changes of a call in a trial, which no commit would have made.
    #[must_use]
    pub fn not_made(error: &crate::Error) -> Self {
        Self { transient: error.is_retryable(), ..Self::new(format!("the change was not made: {error}")) }
    }
}

impl From<crate::Error> for ToolError {
    fn from(error: crate::Error) -> Self {
        Self { transient: error.is_retryable(), ..Self::new(error.to_string()) }
    }
}

/// Something that an agent can call.
///
/// # Contract
///
/// - A tool of effect [`ToolEffect::Read`] or [`ToolEffect::Write`] changes nothing but through
///   the changes it returns.
/// - A tool of effect [`ToolEffect::OutsideIdempotent`] hands its idempotency key to the outside.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Tool: fmt::Debug + Send + Sync + 'static {
    /// What it is.
    fn spec(&self) -> Arc<ToolSpec>;

    /// Calls it. The input fits the tool's schema.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the run is cancelled or its deadline passes; an outside effect
    /// may have happened then.
    ///
    /// # Errors
    ///
    /// [`ToolError`] with a text that the model can act on.
    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError>;
}
