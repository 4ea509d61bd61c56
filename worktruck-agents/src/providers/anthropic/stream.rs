//! From the events of a streamed answer to a [`ModelReply`].

use std::collections::BTreeMap;

use serde_json::Value;
use worktruck_core::Secret;
use worktruck_core::model::{Block, ModelError, ModelReply, StopReason, Usage};

use super::error::DIALECT;
use super::wire::{Counts, Delta, Event};
use crate::providers::http::{broken, of_event};

/// An answer of which a part has come.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    model: Option<String>,
    usage: Usage,
    stop_reason: Option<String>,
    /// By their place in the answer.
    blocks: BTreeMap<u64, Part>,
    complete: bool,
}

/// A block of which a part has come.
#[derive(Debug)]
struct Part {
    /// As it began, with what was added since; without the input below.
    value: Value,
    /// The JSON text of a tool call's input.
    input: String,
    /// It got something that this software does not know, and is not what the provider holds it for.
    damaged: bool,
}

impl Assembly {
    /// Takes the data of the next event.
    ///
    /// # Errors
    ///
    /// What an `error` event reports; [`ProviderUnavailable`](worktruck_core::model::ModelErrorCategory::ProviderUnavailable) for an event that
    /// cannot be understood.
    pub(crate) fn feed(&mut self, data: &str, key: &Secret) -> Result<(), ModelError> {
        let value: Value = serde_json::from_str(data).map_err(|_| broken("an event is not JSON"))?;
        if value["type"] == "error" {
            return Err(of_event(DIALECT, &value, key));
        }
        // The text of serde's error could show what the model said.
        match serde_json::from_value(value).map_err(|_| broken("an event is not of the known form"))? {
            Event::MessageStart { message } => {
                self.model = message.model;
                self.count(message.usage);
            }
            Event::ContentBlockStart { index, content_block } => {
                let part = Part { value: content_block, input: String::new(), damaged: false };
                if self.blocks.insert(index, part).is_some() {
                    return Err(broken("a block begins twice"));
                }
            }
            Event::ContentBlockDelta { index, delta } => {
                self.blocks.get_mut(&index).ok_or_else(|| broken("a block goes on that never began"))?.add(delta);
            }
            Event::MessageDelta { delta, usage } => {
                self.stop_reason = delta.stop_reason.or_else(|| self.stop_reason.take());
                self.count(usage);
            }
            Event::MessageStop => self.complete = true,
            Event::Unknown => {}
        }
        Ok(())
    }

    /// Whether the answer has come to its end.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The answer; `asked` names the model if the answer does not.
    ///
    /// # Errors
    ///
    /// [`ProviderUnavailable`](worktruck_core::model::ModelErrorCategory::ProviderUnavailable) if the end or the reason for it did not come, or
    /// if a tool call that is to be executed is not whole.
    pub(crate) fn finish(self, asked: &str) -> Result<ModelReply, ModelError> {
        let stop_reason = match self.stop_reason {
            Some(reason) if self.complete => stop_reason(reason),
            _ => return Err(broken("the answer ended early")),
        };
        // Only the last block can have been cut off.
        let cut_off = match stop_reason {
            StopReason::EndTurn | StopReason::ToolUse => None,
            _ => self.blocks.last_key_value().map(|(index, _)| *index),
        };
        let mut content = Vec::with_capacity(self.blocks.len());
        for (index, part) in self.blocks {
            let cut_off = cut_off == Some(index);
            match part.finish(cut_off) {
                Finished::Whole(block) => content.push(block),
                Finished::Unreturnable => {}
                Finished::PartOfCall if cut_off => {}
                Finished::PartOfCall => return Err(broken("the input of a tool call is not JSON")),
            }
        }
        let model = self.model.unwrap_or_else(|| asked.to_owned());
        Ok(ModelReply { content, stop_reason, model, usage: self.usage })
    }

    /// The counts of an event are totals, not additions.
    fn count(&mut self, counts: Counts) {
        let Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = &mut self.usage;
        for (total, count) in [
            (input_tokens, counts.input_tokens),
            (output_tokens, counts.output_tokens),
            (cache_read_tokens, counts.cache_read_input_tokens),
            (cache_write_tokens, counts.cache_creation_input_tokens),
        ] {
            *total = count.unwrap_or(*total);
        }
    }
}

/// What has become of a block.
enum Finished {
    Whole(Block),
    /// A tool call whose input was cut off.
    PartOfCall,
    /// A block of the provider's own that it would refuse to take back.
    Unreturnable,
}

impl Part {
    fn add(&mut self, delta: Delta) {
        match delta {
            Delta::InputJson { partial_json } => self.input.push_str(&partial_json),
            Delta::Text { text } => self.append("text", &text),
            Delta::Thinking { thinking } => self.append("thinking", &thinking),
            Delta::Signature { signature } => self.set("signature", Value::String(signature)),
            Delta::Citations { citation } => match self.value.get_mut("citations") {
                Some(Value::Array(citations)) => citations.push(citation),
                _ => self.set("citations", Value::Array(vec![citation])),
            },
            Delta::Unknown => self.damaged = true,
        }
    }

    fn append(&mut self, field: &str, text: &str) {
        match self.value.get_mut(field) {
            Some(Value::String(so_far)) => so_far.push_str(text),
            _ => self.set(field, Value::String(text.to_owned())),
        }
    }

    fn set(&mut self, field: &str, value: Value) {
        match &mut self.value {
            Value::Object(fields) => drop(fields.insert(field.to_owned(), value)),
            _ => self.damaged = true,
        }
    }

    fn finish(mut self, cut_off: bool) -> Finished {
        match (self.value["type"].as_str(), self.value["text"].as_str()) {
            (Some("text"), Some(text)) => Finished::Whole(Block::Text { text: text.to_owned() }),
            (Some("tool_use"), _) => self.call(cut_off),
            // A thought that was cut off before it was signed.
            (Some("thinking"), _) if self.value["signature"].as_str().is_none_or(str::is_empty) => {
                Finished::Unreturnable
            }
            (None, _) => Finished::Unreturnable,
            _ => {
                if !self.input.is_empty() {
                    match serde_json::from_str(&self.input) {
                        Ok(input) => self.set("input", input),
                        Err(_) => return Finished::Unreturnable,
                    }
                }
                if self.damaged { Finished::Unreturnable } else { Finished::Whole(Block::Opaque { value: self.value }) }
            }
        }
    }

    fn call(&mut self, cut_off: bool) -> Finished {
        // A call of a tool without parameters may come without an input. One that was cut off
        // before its input began looks the same.
        let input = match serde_json::from_str(&self.input) {
            Ok(input @ Value::Object(_)) => input,
            Err(_) if self.input.is_empty() && !cut_off => self.value["input"].take(),
            _ => return Finished::PartOfCall,
        };
        match (self.value["id"].as_str(), self.value["name"].as_str()) {
            (Some(id), Some(name)) if input.is_object() => {
                Finished::Whole(Block::ToolCall { id: id.to_owned(), name: name.to_owned(), input })
            }
            _ => Finished::PartOfCall,
        }
    }
}

fn stop_reason(reason: String) -> StopReason {
    match reason.as_str() {
        // Only a caller that sets stop sequences is told of one; for it the model is done.
        "end_turn" | "stop_sequence" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "pause_turn" => StopReason::PauseTurn,
        "refusal" => StopReason::Refusal,
        "model_context_window_exceeded" => StopReason::ContextWindowExceeded,
        _ => StopReason::Other(reason),
    }
}

#[cfg(test)]
mod tests;
