//! From the parts of a streamed answer to a [`ModelReply`]. They are read leniently: what a server
//! adds, leaves out or fills in with nothing is no error.

use serde_json::{Map, Value};
use worktruck_core::Secret;
use worktruck_core::model::{Block, ModelError, ModelReply, ModelRequest, StopReason, Usage};

use super::call::Calls;
use super::error::DIALECT;
use super::own::{self, OF_MESSAGE};
use crate::providers::http::{broken, of_event};

/// An answer of which a part has come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    model: Option<String>,
    text: String,
    refusal: String,
    calls: Calls,
    /// What the server wants back.
    own: Map<String, Value>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
}

impl Assembly {
    /// Takes in the next part, or a whole answer.
    ///
    /// # Errors
    ///
    /// What an error in the place of a part means;
    /// [`ProviderUnavailable`](worktruck_core::model::ModelErrorCategory::ProviderUnavailable) for
    /// what is no part.
    pub(super) fn feed(&mut self, data: &str, key: &Secret) -> Result<(), ModelError> {
        let part: Value = serde_json::from_str(data).map_err(|_| broken("a part of it is not JSON"))?;
        if !part.is_object() || !part["error"].is_null() || part["object"] == "error" {
            let known = part.is_object() || part.is_array();
            return Err(if known { of_event(DIALECT, &part, key) } else { broken("a part of it is no object") });
        }
        if let Some(model) = part["model"].as_str().filter(|model| !model.is_empty()) {
            self.model.get_or_insert_with(|| model.to_owned());
        }
        // The counts of a part are totals, not additions.
        self.usage = counted(&part["usage"]).or(self.usage);
        let choices = part["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        for choice in choices.iter().filter(|choice| choice["index"].as_u64().unwrap_or_default() == 0) {
            self.hear(if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] });
            if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
                self.finish_reason = Some(reason.to_owned());
            }
        }
        Ok(())
    }

    fn hear(&mut self, said: &Value) {
        match &said["content"] {
            Value::String(text) => self.text.push_str(text),
            Value::Array(pieces) => {
                let texts = pieces.iter().filter(|piece| piece["type"] == "text");
                texts.filter_map(|piece| piece["text"].as_str()).for_each(|text| self.text.push_str(text));
            }
            _ => {}
        }
        self.refusal.push_str(said["refusal"].as_str().unwrap_or_default());
        said["tool_calls"].as_array().into_iter().flatten().for_each(|part| self.calls.add(part));
        for name in OF_MESSAGE {
            own::add(&mut self.own, name, &said[name]);
        }
    }

    /// Whether all was said: only counts may follow.
    pub(super) const fn has_ended(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// The answer to `request`.
    ///
    /// # Errors
    ///
    /// [`ProviderUnavailable`](worktruck_core::model::ModelErrorCategory::ProviderUnavailable) if
    /// the reason for its end did not come or is a failure, or if a call names no tool.
    pub(super) fn finish(self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let reason = self.finish_reason.ok_or_else(|| broken("the answer ended early"))?;
        let mut stop_reason = match reason.as_str() {
            "stop" | "eos" => StopReason::EndTurn,
            "tool_calls" => StopReason::ToolUse,
            "length" => StopReason::MaxTokens,
            "content_filter" => StopReason::Refusal,
            "model_length" => StopReason::ContextWindowExceeded,
            "error" | "insufficient_system_resource" => return Err(broken("the server gave up")),
            _ => StopReason::Other(reason),
        };
        let cut_off = !matches!(stop_reason, StopReason::EndTurn | StopReason::ToolUse);
        let mut content = Vec::new();
        if !self.own.is_empty() {
            content.push(Block::Opaque { value: own::block(&request.model, None, self.own) });
        }
        if !self.refusal.is_empty() {
            stop_reason = StopReason::Refusal;
        }
        let texts = [self.text, self.refusal].into_iter().filter(|text| !text.is_empty());
        content.extend(texts.map(|text| Block::Text { text }));
        content.extend(self.calls.finish(&request.model, request.messages.len(), cut_off)?);
        let model = self.model.unwrap_or_else(|| request.model.clone());
        let usage = self.usage.unwrap_or_else(|| most(request));
        Ok(ModelReply { content, stop_reason, model, usage })
    }
}

/// The counts of a server: those of caches are parts of the prompt's. Where the total is more than
/// both sums, the thoughts are not in that of the answer.
fn counted(usage: &Value) -> Option<Usage> {
    let count = |pointer| usage.pointer(pointer).and_then(Value::as_u64);
    let prompt = count("/prompt_tokens")?;
    let answer = count("/completion_tokens").unwrap_or_default();
    let total = count("/total_tokens").unwrap_or_default();
    let read = count("/prompt_tokens_details/cached_tokens").or_else(|| count("/prompt_cache_hit_tokens"));
    let written = count("/prompt_tokens_details/cache_write_tokens");
    let cache_read_tokens = read.unwrap_or_default().min(prompt);
    let cache_write_tokens = written.unwrap_or_default().min(prompt - cache_read_tokens);
    Some(Usage {
        input_tokens: prompt - cache_read_tokens - cache_write_tokens,
        output_tokens: answer.max(total.saturating_sub(prompt)),
        cache_read_tokens,
        cache_write_tokens,
    })
}

/// The most that a turn can have used which nobody counted: a token stands for at least one byte.
fn most(request: &ModelRequest) -> Usage {
    let length = |text: serde_json::Result<String>| text.map_or(0, |text| text.len() as u64);
    let messages = request.messages.iter().map(|message| length(serde_json::to_string(&**message)));
    let parts = [request.system.len() as u64, length(serde_json::to_string(&*request.tools))];
    let input_tokens = parts.into_iter().chain(messages).fold(0, u64::saturating_add);
    Usage { input_tokens, output_tokens: request.max_tokens.into(), ..Usage::default() }
}

#[cfg(test)]
mod tests;
