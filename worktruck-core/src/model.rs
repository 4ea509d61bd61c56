//! Language models as a port: what is asked, what comes back, and how it may fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Secret;
use crate::tool::ToolSpec;

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
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
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
}

impl ModelError {
    /// A failure of `category`.
    pub fn new(category: ModelErrorCategory, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), retry_after: None }
    }
}

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
}
