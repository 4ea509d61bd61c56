//! The providers of models against a server that speaks the wire format of each.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

mod anthropic;
mod openai;
mod runtime;
mod server;

use std::sync::Arc;

use serde_json::json;
use worktruck_core::model::{Block, Message, ModelRequest, UserBlock};
use worktruck_core::tool::{ToolEffect, ToolSpec};

/// A request to `model` that goes on from `messages`.
fn asked(model: &str, messages: Vec<Message>) -> ModelRequest {
    let spec = ToolSpec {
        name: "contacts_get".into(),
        title: "Get a contact".into(),
        description: "Gives the contact with an id.".into(),
        input_schema: json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}),
        effect: ToolEffect::Read,
        is_untrusted: false,
    };
    ModelRequest {
        model: model.into(),
        system: "You find people who are in the list twice.".into(),
        tools: [spec].into(),
        messages: messages.into_iter().map(Arc::new).collect(),
        max_tokens: 256,
    }
}

fn question() -> Vec<Message> {
    vec![Message::User { content: vec![text_of_user("Find the doubles.")] }]
}

fn text_of_user(text: &str) -> UserBlock {
    UserBlock::Text { text: text.into() }
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}
