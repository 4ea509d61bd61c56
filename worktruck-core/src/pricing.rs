//! Prices of model tokens, as data, and what a turn costs.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What the tokens of a model cost from a day on, for prompts of a length and more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Price {
    /// The model, `provider/model`.
    pub model: String,
    /// From this moment on.
    pub effective_from: Timestamp,
    /// For whole requests whose prompt has more tokens than this.
    pub above_prompt_tokens: u64,
    /// Nano-dollars for a prompt token that no cache served.
    pub input: i64,
    /// Nano-dollars for a token of the answer.
    pub output: i64,
    /// Nano-dollars for a prompt token written to the five-minute cache.
    pub cache_write: i64,
    /// Nano-dollars for a prompt token that a cache served.
    pub cache_read: i64,
}
