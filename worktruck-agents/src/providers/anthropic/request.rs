//! The body of a request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use worktruck_core::model::{Block, Message, ModelError, ModelErrorCategory, ModelRequest, UserBlock};
use worktruck_core::tool::ToolSpec;

/// The body that asks for the turn of `request` as a stream.
///
/// Everything before the last message is the same, byte for byte, in the next turn's body, so that
/// the provider's prompt cache serves it. There is no sampling parameter: the API refuses them.
///
/// # Errors
///
/// [`ModelErrorCategory::InvalidRequest`] if a tool's name is one that the API refuses.
pub(crate) fn body(request: &ModelRequest) -> Result<Body<'_>, ModelError> {
    if let Some(tool) = request.tools.iter().find(|tool| !ToolSpec::is_name(&tool.name)) {
        let text = format!("{:?} cannot name a tool: 1 to 64 of a-z, A-Z, 0-9, _ and -", tool.name);
        return Err(ModelError::new(ModelErrorCategory::InvalidRequest, text));
    }
    let tools = request.tools.iter().map(|tool| Tool {
        name: &tool.name,
        description: &tool.description,
        input_schema: &tool.input_schema,
    });
    Ok(Body {
        model: &request.model,
        max_tokens: request.max_tokens,
        stream: true,
        cache_control: CacheControl { kind: "ephemeral" },
        system: &request.system,
        tools: tools.collect(),
        messages: request.messages.iter().filter_map(|message| turn(message)).collect(),
    })
}

/// The body of `POST /v1/messages`.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    /// At this place it stands for a marker on the last block that can be cached.
    cache_control: CacheControl,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Turn<'a>>,
}

#[derive(Debug, Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Content<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Known(Known<'a>),
    Opaque(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Known<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: &'a Value,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: Cow<'a, str>,
        #[serde(skip_serializing_if = "is_false")]
        is_error: bool,
    },
}

/// A message as the API takes it, or nothing if it has nothing to say: the API refuses empty
/// messages and blank text, and joins neighbours of the same role itself.
fn turn(message: &Message) -> Option<Turn<'_>> {
    let turn = match message {
        Message::User { content } => {
            // The results come first, or the API takes the calls for unanswered.
            let (results, texts): (Vec<_>, Vec<_>) =
                content.iter().partition(|block| matches!(block, UserBlock::ToolResult { .. }));
            Turn { role: "user", content: results.into_iter().chain(texts).filter_map(said_by_user).collect() }
        }
        Message::Assistant { content } => {
            Turn { role: "assistant", content: content.iter().filter_map(said_by_model).collect() }
        }
    };
    (!turn.content.is_empty()).then_some(turn)
}

fn said_by_user(block: &UserBlock) -> Option<Content<'_>> {
    match block {
        UserBlock::ToolResult { call_id, output, is_error } => {
            let content = match output {
                Value::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(other.to_string()),
            };
            Some(Content::Known(Known::ToolResult { tool_use_id: call_id, content, is_error: *is_error }))
        }
        UserBlock::Text { text } => said(text),
    }
}

fn said_by_model(block: &Block) -> Option<Content<'_>> {
    match block {
        Block::Text { text } => said(text),
        Block::ToolCall { id, name, input } => Some(Content::Known(Known::ToolUse { id, name, input })),
        Block::Opaque { value } => Some(Content::Opaque(value)),
    }
}

fn said(text: &str) -> Option<Content<'_>> {
    (!text.trim().is_empty()).then_some(Content::Known(Known::Text { text }))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests;
