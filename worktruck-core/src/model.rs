//! Language models as a port: what is asked, what comes back, and how it may fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tool::ToolSpec;
use crate::{Digest, Secret};

/// What a model is asked for one turn.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// The model, without its provider.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// The tools it may call, in a stable order.
    pub tools: Arc<[ToolSpec]>,
    /// The conversation so far, oldest first; the first and the last message are the user's.
    pub messages: Vec<Arc<Message>>,
    /// How many tokens it may answer with.
    pub max_tokens: u32,
}

/// One message of a conversation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// From the user: text, or the results of all tool calls of the turn before.
    User {
        /// Results first, then text.
        content: Vec<UserBlock>,
    },
    /// From the model.
    Assistant {
        /// In the order in which it was said.
        content: Vec<Block>,
    },
}

/// A part of a user's message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserBlock {
    /// The result of a tool call.
    ToolResult {
        /// The call it answers.
        call_id: String,
        /// What came out.
        output: Value,
        /// Whether it is an error.
        is_error: bool,
    },
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

/// A part of a model's message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A tool is to be called.
    ToolCall {
        /// Names the call within the conversation.
        id: String,
        /// The tool.
        name: String,
        /// Its input.
        input: Value,
    },
    /// Something of the provider's own, such as a signed thought, which goes back to it unchanged.
    Opaque {
        /// As it came.
        value: Value,
    },
}

/// Why a model stopped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is done.
    EndTurn,
    /// It wants tools to be called.
    ToolUse,
    /// It was cut off: a tool call at the end may be incomplete and is never executed.
    MaxTokens,
    /// It wants to go on; the conversation is sent again as it is.
    PauseTurn,
    /// It refused.
    Refusal,
    /// The conversation is too long for it.
    ContextWindowExceeded,
    /// Something newer than this software.
    Other(String),
}

/// The tokens of a turn. The whole prompt is the sum of the input and both cache counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// Prompt tokens that no cache served.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Prompt tokens that a cache served.
    pub cache_read_tokens: u64,
    /// Prompt tokens written to the five-minute cache.
    pub cache_write_tokens: u64,
}

impl Usage {
    /// Tokens of the whole prompt.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.cache_read_tokens).saturating_add(self.cache_write_tokens)
    }
}

/// What a model answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ModelReply {
    /// In the order in which it was said.
    pub content: Vec<Block>,
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// What it used.
    pub usage: Usage,
}

/// What kind of failure a provider reported.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorCategory {
    /// The key is not one.
    InvalidKey,
    /// The key was one.
    RevokedOrExpired,
    /// The key may not do this.
    InsufficientPermissions,
    /// The account has no credit left.
    QuotaExhausted,
    /// The provider is away or overloaded.
    ProviderUnavailable,
    /// Too many requests at once.
    RateLimited,
    /// The request can never succeed: an unknown model, a malformed conversation.
    InvalidRequest,
    /// The conversation is too long for the model.
    ContextWindowExceeded,
}

impl ModelErrorCategory {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::ProviderUnavailable | Self::RateLimited)
    }

    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::RevokedOrExpired => "revoked_or_expired",
            Self::InsufficientPermissions => "insufficient_permissions",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::RateLimited => "rate_limited",
            Self::InvalidRequest => "invalid_request",
            Self::ContextWindowExceeded => "context_window_exceeded",
        }
    }
}

/// A turn that failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}: {message}", category.as_str())]
pub struct ModelError {
    /// What kind.
    pub category: ModelErrorCategory,
    /// For people; never a secret.
    pub message: String,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the provider may have answered all the same, and bill it: what was set aside for
    /// the turn then counts against the budget.
    pub may_be_billed: bool,
}

impl ModelError {
    /// A failure of `category`.
    pub fn new(category: ModelErrorCategory, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), retry_after: None, may_be_billed: false }
    }
}

/// What became of a probe of a key, in the words of the API.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::model::{ModelError, ModelErrorCategory, ProbeResult};
///
/// let refused: Result<(), _> = Err(ModelError::new(ModelErrorCategory::InvalidKey, "no such key"));
/// let result = ProbeResult::from(refused);
/// assert_eq!(json!(result), json!({"status": "invalid", "category": "invalid_key", "message": "no such key"}));
/// assert_eq!(json!(ProbeResult::from(Ok(()))), json!({"status": "valid"}));
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ProbeResult {
    /// The key is accepted.
    Valid,
    /// It is not, or nobody can say.
    Invalid {
        /// Why; never [`ModelErrorCategory::InvalidRequest`] or [`ModelErrorCategory::ContextWindowExceeded`], which tell
        /// nothing about a key.
        category: ModelErrorCategory,
        /// For people; never a secret.
        message: String,
    },
}

impl From<Result<(), ModelError>> for ProbeResult {
    fn from(probed: Result<(), ModelError>) -> Self {
        match probed {
            Ok(()) => Self::Valid,
            Err(ModelError {
                category: ModelErrorCategory::InvalidRequest | ModelErrorCategory::ContextWindowExceeded,
                message,
                ..
            }) => {
                // Whatever is at that address, it is not the provider as it is known.
                Self::Invalid { category: ModelErrorCategory::ProviderUnavailable, message }
            }
            Err(ModelError { category, message, .. }) => Self::Invalid { category, message },
        }
    }
}

/// How long to wait before the attempt after `attempt` failed attempts (0 for the first), given
/// how the last one failed.
///
/// Half a second, doubled with each attempt up to a minute, less up to a quarter so that runs
/// which failed together do not return together. What the provider asks for in
/// [`ModelError::retry_after`] is the least. The same arguments give the same wait; the seed should
/// differ between runs, such as the digest of a call.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worktruck_core::Digest;
/// use worktruck_core::model::{ModelError, ModelErrorCategory, backoff};
///
/// let error = ModelError::new(ModelErrorCategory::ProviderUnavailable, "overloaded");
/// let wait = backoff(2, &error, Digest::of_bytes(b"a run"));
/// assert!(wait > Duration::from_millis(1500) && wait <= Duration::from_secs(2));
/// ```
#[must_use]
pub fn backoff(attempt: u32, error: &ModelError, jitter_seed: Digest) -> Duration {
    let whole = FIRST_WAIT_MICROS.saturating_mul(2_u64.saturating_pow(attempt)).min(LONGEST_WAIT_MICROS);
    let mut seed = [0; 36];
    seed[..32].copy_from_slice(jitter_seed.as_bytes());
    seed[32..].copy_from_slice(&attempt.to_be_bytes());
    let draw = Digest::of_bytes(&seed);
    let [a, b, c, d, ..] = *draw.as_bytes();
    // A quarter of the longest wait times 2^32 stays far below 2^64.
    let jitter = (whole / 4 * u64::from(u32::from_be_bytes([a, b, c, d]))) >> 32;
    Duration::from_micros(whole - jitter).max(error.retry_after.unwrap_or_default())
}

const FIRST_WAIT_MICROS: u64 = 500_000;
const LONGEST_WAIT_MICROS: u64 = 60_000_000;

/// A provider of language models.
///
/// # Contract
///
/// - A request is made once: the executor decides about repeating it.
/// - An error never shows the key.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ModelProvider: fmt::Debug + Send + Sync + 'static {
    /// Asks for one turn.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection, so that the provider stops answering. What had
    /// been used by then is not reported.
    ///
    /// # Errors
    ///
    /// [`ModelError`] with its category.
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError>;

    /// Asks whether `key` is accepted, without spending anything.
    ///
    /// # Errors
    ///
    /// [`ModelError`] with its category.
    async fn probe(&self, key: &Secret) -> Result<(), ModelError>;

    /// The same provider, asked with another key; `None` if it knows no keys.
    fn with_key(&self, _key: &Secret) -> Option<Arc<dyn ModelProvider>> {
        None
    }

    /// What it holds that must not be shown, its key above all: a runtime replaces these values in
    /// journals and failures. A provider that hands requests on to another one names its secrets, too.
    fn secrets(&self) -> Vec<Secret>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable() -> ModelError {
        ModelError::new(ModelErrorCategory::ProviderUnavailable, "overloaded")
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute_less_a_quarter_at_most() {
        let wholes = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
        for seed in 0..50_u8 {
            for (attempt, whole) in (0..).zip(wholes) {
                let wait = backoff(attempt, &unavailable(), Digest::of_bytes(&[seed]));
                assert!(wait <= Duration::from_millis(whole), "attempt {attempt}: {wait:?}");
                assert!(wait > Duration::from_millis(whole * 3 / 4), "attempt {attempt}: {wait:?}");
            }
        }
        assert!(backoff(u32::MAX, &unavailable(), Digest::of_bytes(b"")) <= Duration::from_secs(60));
    }

    #[test]
    fn the_wait_depends_on_seed_and_attempt_alone() {
        let at = |attempt, seed: &[u8]| backoff(attempt, &unavailable(), Digest::of_bytes(seed));
        assert_eq!(at(3, b"one"), at(3, b"one"));
        assert_ne!(at(3, b"one"), at(3, b"two"));
        assert_ne!(at(7, b"one"), at(8, b"one"), "the draw differs although the whole is the same");
    }

    #[test]
    fn the_provider_decides_how_long_at_least() {
        let mut error = unavailable();
        error.retry_after = Some(Duration::from_secs(90));
        assert_eq!(backoff(0, &error, Digest::of_bytes(b"")), Duration::from_secs(90));
        error.retry_after = Some(Duration::from_millis(1));
        assert!(backoff(0, &error, Digest::of_bytes(b"")) > Duration::from_millis(374));
    }

    #[test]
    fn a_probe_that_is_not_understood_says_nothing_about_the_key() {
        let odd = ModelError::new(ModelErrorCategory::InvalidRequest, "HTTP status 404");
        let category = ModelErrorCategory::ProviderUnavailable;
        assert_eq!(ProbeResult::from(Err(odd)), ProbeResult::Invalid { category, message: "HTTP status 404".into() });
    }

    #[test]
    fn a_whole_prompt_never_overflows() {
        let usage = Usage { input_tokens: u64::MAX, cache_read_tokens: 1, ..Usage::default() };
        assert_eq!(usage.prompt_tokens(), u64::MAX);
    }
}
