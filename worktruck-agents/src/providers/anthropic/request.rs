//! The body of a request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};
use worktruck_core::model::{Block, Message, ModelError, ModelErrorCategory, ModelRequest, UserBlock};
use worktruck_core::tool::ToolSpec;

use crate::providers::openai;

/// The body that asks for the turn of `request` as a stream.
///
/// What is before the last message is said in the same words in the next turn's body, so that the
/// provider's prompt cache serves it. Three markers say where a later prompt may go on from: the end
/// of the system prompt, which the runs of a blueprint share; the end of the turn before, which the
/// provider does not find by itself where a turn had many calls; and the end. Blocks of other
/// providers are left out. There is no sampling parameter: the API refuses them.
///
/// # Errors
///
/// [`ModelErrorCategory::InvalidRequest`] if a tool's name is one that the API refuses.
pub(crate) fn body(request: &ModelRequest) -> Result<Body<'_>, ModelError> {
    if let Some(tool) = request.tools.iter().find(|tool| !ToolSpec::is_name(&tool.name)) {
        let text = format!("{:?} cannot name a tool: 1 to 64 of a-z, A-Z, 0-9, _ and -", tool.name);
        return Err(ModelError::new(ModelErrorCategory::InvalidRequest, text));
    }
    let mut tools: Vec<_> = request.tools.iter().map(Tool::of).collect();
    let system = said(&request.system).map(Content::marked);
    if let Some(last) = tools.last_mut().filter(|_| system.is_none()) {
        last.cache_control = Some(EPHEMERAL);
    }
    let mut messages: Vec<_> = request.messages.iter().filter_map(|message| turn(message)).collect();
    let answered = messages.iter().rposition(|turn| turn.role == ASSISTANT).and_then(|at| at.checked_sub(1));
    if let Some(block) = answered.and_then(|at| messages[at].content.last_mut()) {
        block.mark();
    }
    Ok(Body {
        model: &request.model,
        max_tokens: request.max_tokens,
        stream: true,
        cache_control: EPHEMERAL,
        system: Vec::from_iter(system),
        tools,
        messages,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<Turn<'a>>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// For five minutes, which is what [`Usage`](worktruck_core::model::Usage) counts and prices are for.
const EPHEMERAL: CacheControl = CacheControl { kind: "ephemeral" };

#[derive(Debug, Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

impl<'a> Tool<'a> {
    fn of(spec: &'a ToolSpec) -> Self {
        Self { name: &spec.name, description: &spec.description, input_schema: &spec.input_schema, cache_control: None }
    }
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Content<'a>>,
}

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Known {
        #[serde(flatten)]
        block: Known<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Opaque(&'a Value),
}

impl Content<'_> {
    fn marked(mut self) -> Self {
        self.mark();
        self
    }

    /// Marks a block of ours: those of the provider stay as they are.
    fn mark(&mut self) {
        if let Self::Known { cache_control, .. } = self {
            *cache_control = Some(EPHEMERAL);
        }
    }
}

impl<'a> From<Known<'a>> for Content<'a> {
    fn from(block: Known<'a>) -> Self {
        Self::Known { block, cache_control: None }
    }
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
        input: Cow<'a, Value>,
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
            Turn { role: USER, content: results.into_iter().chain(texts).filter_map(said_by_user).collect() }
        }
        Message::Assistant { content } => {
            Turn { role: ASSISTANT, content: content.iter().filter_map(said_by_model).collect() }
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
            Some(Known::ToolResult { tool_use_id: call_id, content, is_error: *is_error }.into())
        }
        UserBlock::Text { text } => said(text),
    }
}

fn said_by_model(block: &Block) -> Option<Content<'_>> {
    match block {
        Block::Text { text } => said(text),
        // The API takes objects only. A model of another provider may have said something else.
        Block::ToolCall { id, name, input } => {
            let input = if input.is_object() { Cow::Borrowed(input) } else { Cow::Owned(json!({ "input": input })) };
            Some(Known::ToolUse { id, name, input }.into())
        }
        Block::Opaque { value } => (!openai::is_own(value)).then_some(Content::Opaque(value)),
    }
}

fn said(text: &str) -> Option<Content<'_>> {
    (!text.trim().is_empty()).then(|| Known::Text { text }.into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests;
