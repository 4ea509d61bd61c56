use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Block, ModelError, ModelErrorCategory, ModelReply, StopReason};
use crate::run::{FailureCategory, Transition};
use crate::{Error, Result};

/// What a model step records of an answer.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RecordedReply {
    pub(super) content: Vec<Block>,
    pub(super) stop_reason: StopReason,
}

impl RecordedReply {
    pub(super) fn of(reply: &ModelReply) -> Self {
        Self { content: reply.content.clone(), stop_reason: reply.stop_reason.clone() }
    }

    pub(super) fn parse(output: Option<&Value>) -> Result<Self> {
        let output = output.ok_or_else(|| Error::internal("a model step has no output"))?;
        Self::deserialize(output).map_err(|e| Error::internal(format!("a model step has an unreadable output: {e}")))
    }
}

/// A tool call as the model asked for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) input: Value,
}

/// What follows an answer.
#[derive(Debug)]
pub(super) enum Disposition {
    /// Tools are called.
    Call(Vec<Asked>),
    /// The model is asked again, after this text if there is one.
    AskAgain(Option<String>),
    /// The conversation is made shorter, and the model asked again.
    Compact,
    /// The run ends.
    End(Transition),
}

/// What follows an answer. It depends on nothing else, so that replay comes to the same.
pub(super) fn dispose(reply: &RecordedReply) -> Disposition {
    let calls: Vec<Asked> = reply
        .content
        .iter()
        .filter_map(|block| match block {
            Block::ToolCall { id, name, input } => {
                Some(Asked { call_id: id.clone(), name: name.clone(), input: input.clone() })
            }
            Block::Text { .. } | Block::Opaque { .. } => None,
        })
        .collect();
    match &reply.stop_reason {
        StopReason::EndTurn | StopReason::ToolUse if !calls.is_empty() => Disposition::Call(calls),
        StopReason::EndTurn | StopReason::ToolUse => {
            Disposition::End(Transition::Succeed { output: output_of(&reply.content) })
        }
        StopReason::PauseTurn => Disposition::AskAgain(None),
        StopReason::MaxTokens => {
            Disposition::AskAgain(Some("The answer was cut off at its token limit. Go on in smaller parts.".to_owned()))
        }
        StopReason::Refusal => {
            fail(FailureCategory::GuardrailBlocked, format!("the model refused: {}", text_of(&reply.content)))
        }
        StopReason::ContextWindowExceeded => Disposition::Compact,
        StopReason::Other(reason) => {
            fail(FailureCategory::ConfigError, format!("the model stopped for an unknown reason, {reason:?}"))
        }
    }
}

/// What goes into the conversation of an answer: a cut-off answer loses its tool calls, which may
/// be incomplete and have no results.
pub(super) fn spoken(reply: RecordedReply) -> Vec<Block> {
    if reply.stop_reason != StopReason::MaxTokens {
        return reply.content;
    }
    let mut content = reply.content;
    content.retain(|block| !matches!(block, Block::ToolCall { .. }));
    if content.is_empty() {
        content.push(Block::Text { text: "…".to_owned() });
    }
    content
}

/// Why a run fails whose model cannot be asked.
pub(super) const fn category_of(error: &ModelError) -> FailureCategory {
    match error.category {
        ModelErrorCategory::InvalidKey
        | ModelErrorCategory::RevokedOrExpired
        | ModelErrorCategory::InsufficientPermissions
        | ModelErrorCategory::QuotaExhausted => FailureCategory::AuthFailed,
        ModelErrorCategory::ProviderUnavailable | ModelErrorCategory::RateLimited => FailureCategory::Timeout,
        ModelErrorCategory::InvalidRequest | ModelErrorCategory::ContextWindowExceeded => FailureCategory::ConfigError,
    }
}

fn fail(category: FailureCategory, detail: String) -> Disposition {
    Disposition::End(Transition::Fail { category, detail })
}

/// The output of a run: the JSON object that the model ended with, or its text.
fn output_of(content: &[Block]) -> Value {
    let text = text_of(content);
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => value,
        _ => json!({ "text": text }),
    }
}

pub(super) fn text_of(content: &[Block]) -> String {
    let texts: Vec<&str> = content
        .iter()
        .filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            Block::ToolCall { .. } | Block::Opaque { .. } => None,
        })
        .collect();
    texts.join("\n")
}
