//! The body of a request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};
use worktruck_core::model::{Block, Message, ModelError, ModelErrorCategory, ModelRequest, UserBlock};
use worktruck_core::tool::ToolSpec;

use super::TokenLimit;
use super::own::{self, OF_CALL, OF_MESSAGE};

/// The body that asks for the turn of `request` as a stream.
///
/// What is before the last message is the same in the next turn's body, byte for byte, so that
/// caches of prompts serve it.
///
/// # Errors
///
/// [`ModelErrorCategory::InvalidRequest`] if a tool's name is one that servers refuse.
pub(super) fn body(request: &ModelRequest, limit: TokenLimit, count: bool) -> Result<Body<'_>, ModelError> {
    if let Some(tool) = request.tools.iter().find(|tool| !ToolSpec::is_name(&tool.name)) {
        let text = format!("{:?} cannot name a tool: 1 to 64 of a-z, A-Z, 0-9, _ and -", tool.name);
        return Err(ModelError::new(ModelErrorCategory::InvalidRequest, text));
    }
    let function = |tool| ToolOf { kind: FUNCTION, function: Function::of(tool) };
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.trim().is_empty() {
        messages.push(Turn::System { content: &request.system });
    }
    for message in &request.messages {
        match &**message {
            Message::User { content } => said_by_user(content, &mut messages),
            Message::Assistant { content } => messages.extend(said_by_model(content, &request.model)),
        }
    }
    let is_new = limit == TokenLimit::MaxCompletionTokens;
    Ok(Body {
        model: &request.model,
        max_completion_tokens: Some(request.max_tokens).filter(|_| is_new),
        max_tokens: Some(request.max_tokens).filter(|_| !is_new),
        stream: true,
        stream_options: count.then_some(StreamOptions { include_usage: true }),
        tools: request.tools.iter().map(function).collect(),
        messages,
    })
}

/// The body of `POST /chat/completions`.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOf<'a>>,
    messages: Vec<Turn<'a>>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct ToolOf<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

impl<'a> Function<'a> {
    fn of(spec: &'a ToolSpec) -> Self {
        Self { name: &spec.name, description: &spec.description, parameters: &spec.input_schema }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Turn<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Cow<'a, str>,
    },
    Tool {
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
    Assistant {
        content: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Called<'a>>,
        #[serde(flatten)]
        own: Map<String, Value>,
    },
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Asked<'a>,
    #[serde(flatten)]
    own: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct Asked<'a> {
    name: &'a str,
    arguments: String,
}

/// The results come first, each on its own: they must follow the calls at once.
fn said_by_user<'a>(content: &'a [UserBlock], messages: &mut Vec<Turn<'a>>) {
    let mut texts = Vec::new();
    for block in content {
        match block {
            UserBlock::ToolResult { call_id, output, is_error } => {
                messages.push(Turn::Tool { tool_call_id: call_id, content: result(output, *is_error) });
            }
            UserBlock::Text { text } => texts.push(text.as_str()),
        }
    }
    messages.extend(joined(&texts).map(|content| Turn::User { content }));
}

/// There is no other place to say that it is an error.
fn result(output: &Value, is_error: bool) -> Cow<'_, str> {
    match output {
        Value::String(text) if is_error => Cow::Owned(json!({ "error": text }).to_string()),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn said_by_model<'a>(content: &'a [Block], model: &str) -> Option<Turn<'a>> {
    let (mut texts, mut tool_calls, mut own) = (Vec::new(), Vec::<Called<'a>>::new(), Map::new());
    // What belongs to a call stands before it.
    let mut of_next: Option<(&str, &Map<String, Value>)> = None;
    for block in content {
        match block {
            Block::Text { text } => texts.push(text.as_str()),
            Block::ToolCall { id, name, input } => {
                let fields = of_next.take().filter(|(call, _)| call == id).map(|(_, fields)| known(fields, &[OF_CALL]));
                let function = Asked { name, arguments: arguments(input) };
                tool_calls.push(Called { id, kind: FUNCTION, function, own: fields.unwrap_or_default() });
            }
            Block::Opaque { value } => match own::fields(value, model) {
                Some((Some(call), fields)) => of_next = Some((call, fields)),
                Some((None, fields)) => own.extend(known(fields, &OF_MESSAGE)),
                None => {}
            },
        }
    }
    let content = joined(&texts);
    (content.is_some() || !tool_calls.is_empty()).then_some(Turn::Assistant { content, tool_calls, own })
}

/// A journal is data: nothing in it may take the place of another member.
fn known(fields: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let known = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
    known.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The JSON text of an object, which templates of prompts rely on.
fn arguments(input: &Value) -> String {
    if input.is_object() { input.to_string() } else { json!({ "input": input }).to_string() }
}

fn joined<'a>(texts: &[&'a str]) -> Option<Cow<'a, str>> {
    let texts: Vec<&str> = texts.iter().copied().filter(|text| !text.trim().is_empty()).collect();
    match texts[..] {
        [] => None,
        [text] => Some(Cow::Borrowed(text)),
        _ => Some(Cow::Owned(texts.join("\n\n"))),
    }
}

const FUNCTION: &str = "function";

#[cfg(test)]
mod tests;
