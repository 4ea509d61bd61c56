//! Conversations that have become too long for a model: a turn of it makes them shorter, and is a step like any other.

use serde_json::{Value, json};

use crate::model::{Block, Message, ModelRequest, StopReason, UserBlock};
use crate::run::{FailureCategory, Transition};

use super::Executor;
use super::reply::{RecordedReply, text_of};

/// Said to a model that is to make a conversation shorter.
const PROMPT: &str = "You keep the notes of an assistant that works with tools. Below is the first part of its \
    conversation. Write down what it needs to go on without it: the task, what was found out (names, ids, numbers and \
    dates exactly as they are), what was done and what came of it, what failed, and what is still to be done. Write \
    nothing else, and do none of the work.";

/// The fewest bytes of a part that are shown.
const LEAST: usize = 200;

impl Executor {
    /// Sets out to make the conversation shorter. Fails if it cannot be.
    pub(super) fn begin_compaction(&mut self) -> Result<(), Transition> {
        if self.compacting || !self.transcript.is_compactible() {
            return Err(too_long());
        }
        self.compacting = true;
        Ok(())
    }

    /// Takes in the notes that take the place of what they are about.
    pub(super) fn end_compaction(&mut self, reply: &RecordedReply) -> Result<(), Transition> {
        self.compacting = false;
        let notes = text_of(&reply.content);
        let is_whole = matches!(reply.stop_reason, StopReason::EndTurn | StopReason::MaxTokens);
        if !is_whole || notes.trim().is_empty() {
            return Err(too_long());
        }
        self.transcript.compact(&notes);
        Ok(())
    }

    /// The turn that makes the conversation shorter.
    pub(super) fn compaction(&self) -> ModelRequest {
        let text = self.transcript.told();
        let message = Message::User { content: vec![UserBlock::Text { text }] };
        ModelRequest {
            system: PROMPT.to_owned(),
            tools: std::sync::Arc::new([]),
            messages: vec![std::sync::Arc::new(message)],
            ..self.request_of_nothing()
        }
    }

    /// A bound of the tokens of that turn.
    pub(super) fn compaction_bound(&self) -> u64 {
        let bytes = PROMPT.len() + self.transcript.told().len();
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(super::transcript::OVERHEAD_TOKENS)
    }

    /// What its step records of what went in.
    pub(super) fn compaction_input(&self) -> Value {
        json!({
            "transcript_through": self.seq, "transcript": self.head,
            "compacts_messages": self.transcript.compacts(),
        })
    }
}

/// Whether a step is one that made a conversation shorter.
pub(super) fn is_compaction(input: &Value) -> bool {
    input.get("compacts_messages").is_some()
}

fn too_long() -> Transition {
    let detail = "the conversation is too long for the model, and cannot be made shorter".to_owned();
    Transition::Fail { category: FailureCategory::ConfigError, detail }
}

/// A message in words, of about `most` bytes.
pub(super) fn told(message: &Message, most: usize) -> String {
    let mut parts = Vec::new();
    match message {
        Message::User { content } => {
            for block in content {
                parts.push(match block {
                    UserBlock::Text { text } => ("user", text.clone()),
                    UserBlock::ToolResult { output, is_error: true, .. } => ("the call failed", output.to_string()),
                    UserBlock::ToolResult { output, .. } => ("the call returned", output.to_string()),
                });
            }
        }
        Message::Assistant { content } => {
            for block in content {
                match block {
                    Block::Text { text } => parts.push(("assistant", text.clone())),
                    Block::ToolCall { name, input, .. } => {
                        parts.push(("assistant called", format!("{name} with {input}")));
                    }
                    Block::Opaque { .. } => {}
                }
            }
        }
    }
    let each = (most / parts.len().max(1)).max(LEAST);
    parts.iter().map(|(who, text)| format!("{who}: {}\n", shortened(text, each))).collect()
}

/// The beginning and the end of a text that is too long.
fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let (mut head, mut tail) = (most / 2, text.len() - most / 2);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{} … {}", &text[..head], &text[tail..])
}
