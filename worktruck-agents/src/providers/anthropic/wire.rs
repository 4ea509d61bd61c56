//! The events of a streamed answer, read leniently: new kinds of events, deltas and fields may
//! appear at any time.

use serde::Deserialize;
use serde_json::Value;

/// One event; the name beside it on the wire repeats its `type`.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: Counts,
    },
    MessageStop,
    #[serde(other)]
    Unknown,
}

/// How an answer begins.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) usage: Counts,
}

/// How an answer ends.
#[derive(Debug, Deserialize)]
pub(crate) struct End {
    pub(crate) stop_reason: Option<String>,
}

/// What is added to a block.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "citations_delta")]
    Citations { citation: Value },
    #[serde(other)]
    Unknown,
}

/// Tokens so far: a count that is missing has not changed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Counts {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cache_read_input_tokens: Option<u64>,
    pub(crate) cache_creation_input_tokens: Option<u64>,
}
