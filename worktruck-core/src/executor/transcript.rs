use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::journal::Snapshot;
use crate::model::{Block, Message, Usage, UserBlock};
use crate::tool::ToolSpec;

/// Tokens that a provider adds of its own, and the framing of messages.
const OVERHEAD_TOKENS: u64 = 2_000;

/// The conversation, and an upper bound of its length.
///
/// A token stands for at least one byte, so the bytes of what was added since the provider last
/// counted are a bound that no tokenizer exceeds.
#[derive(Debug)]
pub(super) struct Transcript {
    messages: Vec<Arc<Message>>,
    counted: u64,
    bytes: u64,
}

impl Transcript {
    pub(super) fn new(snapshot: &Snapshot, tools: &[ToolSpec]) -> Self {
        let mut transcript = Self {
            messages: Vec::new(),
            counted: OVERHEAD_TOKENS,
            bytes: length(&snapshot.system_prompt) + length(tools),
        };
        transcript.push_text(&snapshot.first_message);
        transcript
    }

    pub(super) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// No prompt made of this conversation has more tokens.
    pub(super) const fn token_bound(&self) -> u64 {
        self.counted.saturating_add(self.bytes)
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.push(Message::User { content: vec![UserBlock::Text { text: text.to_owned() }] });
    }

    pub(super) fn push_results(&mut self, results: Vec<(String, Value, bool)>) {
        let content = results
            .into_iter()
            .map(|(call_id, output, is_error)| UserBlock::ToolResult { call_id, output, is_error })
            .collect();
        self.push(Message::User { content });
    }

    pub(super) fn push_reply(&mut self, content: Vec<Block>, usage: Option<Usage>) {
        self.push(Message::Assistant { content });
        if let Some(usage) = usage.filter(|usage| usage.prompt_tokens() > 0) {
            self.counted = usage.prompt_tokens().saturating_add(usage.output_tokens).saturating_add(OVERHEAD_TOKENS);
            self.bytes = 0;
        }
    }

    /// Takes back the newest message.
    pub(super) fn pop(&mut self) {
        if let Some(message) = self.messages.pop() {
            self.bytes = self.bytes.saturating_sub(length(&*message));
        }
    }

    fn push(&mut self, message: Message) {
        self.bytes = self.bytes.saturating_add(length(&message));
        self.messages.push(Arc::new(message));
    }
}

/// Bytes of the JSON of `value`.
fn length<T: Serialize + ?Sized>(value: &T) -> u64 {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // Invariant: messages and tools are made of JSON; should they not be, no budget fits.
        Err(_) => u64::MAX / 4,
    }
}
