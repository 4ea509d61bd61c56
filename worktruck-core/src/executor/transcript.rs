use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::journal::Snapshot;
use crate::model::{Block, Message, Usage, UserBlock};
use crate::tool::ToolSpec;

use super::compact;

/// Tokens that a provider adds of its own, and the framing of messages.
pub(super) const OVERHEAD_TOKENS: u64 = 2_000;

/// The conversation, and an upper bound of its length.
///
/// A token stands for at least one byte, so the bytes of what was added since the provider last
/// counted are a bound that no tokenizer exceeds.
#[derive(Debug)]
pub(super) struct Transcript {
    messages: Vec<Arc<Message>>,
    counted: u64,
    bytes: u64,
    /// Bytes of what goes before the messages.
    before: u64,
    first_message: String,
    /// What takes the place of messages that were too many.
    notes: Option<String>,
}

/// At most this many bytes of a conversation are shown to the model that makes it shorter.
const MOST_TOLD: u64 = 400_000;

impl Transcript {
    pub(super) fn new(snapshot: &Snapshot, tools: &[ToolSpec]) -> Self {
        let before = length(&snapshot.system_prompt) + length(tools);
        let mut transcript = Self {
            messages: Vec::new(),
            counted: OVERHEAD_TOKENS,
            bytes: before,
            before,
            first_message: snapshot.first_message.clone(),
            notes: None,
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

    /// Leaves out what only the model understands that said it: another one goes on.
    pub(super) fn forget_thoughts(&mut self) {
        for message in &mut self.messages {
            let Message::Assistant { content } = &**message else { continue };
            let mut content = content.clone();
            content.retain(|block| !matches!(block, Block::Opaque { .. }));
            if content.is_empty() {
                content.push(Block::Text { text: "…".to_owned() });
            }
            *message = Arc::new(Message::Assistant { content });
        }
    }

    /// Whether notes can take the place of anything. Where the task itself is nearly all, they cannot.
    pub(super) fn is_compactible(&self) -> bool {
        self.compacts() > 0
    }

    /// How many messages behind the first one are to be put into notes: all but those of the last quarter, which
    /// begins with an answer of the model, so that no result loses its call.
    pub(super) fn compacts(&self) -> usize {
        let all: u64 = self.messages.iter().map(|message| length(&**message)).sum();
        let (mut kept, mut cut) = (0, self.messages.len());
        for (at, message) in self.messages.iter().enumerate().skip(1).rev() {
            kept += length(&**message);
            if kept > all / 4 {
                break;
            }
            if matches!(**message, Message::Assistant { .. }) {
                cut = at;
            }
        }
        cut.saturating_sub(1)
    }

    /// What is to be put into notes, in words.
    pub(super) fn told(&self) -> String {
        let parts = &self.messages[1..=self.compacts()];
        let all: u64 = self.messages.iter().map(|message| length(&**message)).sum();
        let each = usize::try_from((all / 4).min(MOST_TOLD)).unwrap_or(usize::MAX) / parts.len().max(1);
        let mut text = format!("task: {}\n", self.first_message);
        if let Some(notes) = &self.notes {
            text.push_str(&format!("earlier notes: {notes}\n"));
        }
        parts.iter().for_each(|message| text.push_str(&compact::told(message, each)));
        text
    }

    /// Puts `notes` in the place of what they are about.
    pub(super) fn compact(&mut self, notes: &str) {
        let rest = self.messages.split_off(1 + self.compacts());
        self.notes = Some(notes.to_owned());
        (self.messages, self.counted, self.bytes) = (Vec::new(), OVERHEAD_TOKENS, self.before);
        let [task, notes] = [self.first_message.clone(), format!("Your notes of what was done so far:\n{notes}")];
        self.push(Message::User { content: vec![UserBlock::Text { text: task }, UserBlock::Text { text: notes }] });
        for message in rest {
            self.bytes = self.bytes.saturating_add(length(&*message));
            self.messages.push(message);
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
