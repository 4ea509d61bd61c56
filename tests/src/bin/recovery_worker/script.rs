use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_agents::blueprint::Blueprint;
use worktruck_core::guardrail::{Condition, ConditionOp, OnBlock, Rule, RuleKind, Subject};
use worktruck_core::model::{
    Block, Message, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, StopReason, Usage,
    UserBlock,
};
use worktruck_core::pricing::Price;
use worktruck_core::{Secret, Timestamp};

use crate::outside::Outside;

const MODEL: &str = "scripted/model";

/// A model that says what its script says, and tells the server in the test before it speaks.
#[derive(Debug)]
pub(crate) struct Scripted {
    outside: Arc<Outside>,
}

impl Scripted {
    pub(crate) const fn new(outside: Arc<Outside>) -> Self {
        Self { outside }
    }
}

#[async_trait]
impl ModelProvider for Scripted {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let failed = |e: String| ModelError::new(ModelErrorCategory::InvalidRequest, e);
        let input = input(&request).map_err(failed)?;
        let turn = request.messages.iter().filter(|m| matches!(&***m, Message::Assistant { .. })).count();
        let told = self.outside.call("model", json!({ "label": input["label"], "turn": turn }));
        told.await.and_then(reqwest::Response::error_for_status).map_err(|e| failed(e.to_string()))?;
        let content = match input["script"].as_str() {
            Some("whole") => whole(turn, &input, &request),
            _ => small(turn, &input),
        };
        let calls = content.iter().any(|block| matches!(block, Block::ToolCall { .. }));
        Ok(ModelReply {
            content,
            stop_reason: if calls { StopReason::ToolUse } else { StopReason::EndTurn },
            model: MODEL.to_owned(),
            usage: Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() },
        })
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

/// Reads, writes, calls outside of both kinds, calls side by side, a block, errors and a retry.
fn whole(turn: usize, input: &Value, request: &ModelRequest) -> Vec<Block> {
    let [a, b] = [&input["contacts"][0], &input["contacts"][1]];
    let calls = match turn {
        0 => vec![("contacts_search", json!({ "q": "Okafor" })), ("contacts_get", json!({ "id": a }))],
        1 => vec![
            (
                "contacts_propose_merge",
                json!({ "contact_ids": [a, b], "survivor_id": a, "score": 0.97, "reasons": ["same e-mail"] }),
            ),
            ("contacts_create", json!({ "name": "Mary Seacole" })),
            ("letters_send", json!({ "to": "alice" })),
            ("letters_send", json!({ "to": "the press" })),
            ("letters_send", json!({ "to": "bob" })),
        ],
        2 => vec![
            ("contacts_create", json!({ "name": "Ada Lovelace" })),
            ("faxes_send", json!({ "to": "carol" })),
            ("letters_send", json!({ "to": "dave" })),
            ("contacts_get", json!({ "id": b })),
            ("contacts_create", json!({ "name": "Grace Hopper" })),
        ],
        3 => vec![
            ("letters_send", json!({ "to": "nobody" })),
            ("contacts_get", json!({ "id": "0194a8b3-7e5a-77c1-9d0f-00000000dead" })),
        ],
        // The two that failed are made again with what is right.
        4 if errors(request) == 3 => vec![
            ("letters_send", json!({ "to": "erin" })),
            ("contacts_get", json!({ "id": a })),
            ("faxes_send", json!({ "to": "frank" })),
        ],
        _ => return vec![Block::Text { text: json!({ "turns": turn, "errors": errors(request) }).to_string() }],
    };
    tool_calls(turn, calls)
}

/// One write and one letter.
fn small(turn: usize, input: &Value) -> Vec<Block> {
    match turn {
        0 => tool_calls(
            turn,
            vec![
                ("contacts_create", json!({ "name": input["label"] })),
                ("letters_send", json!({ "to": input["label"] })),
            ],
        ),
        _ => vec![Block::Text { text: "done".to_owned() }],
    }
}

fn tool_calls(turn: usize, calls: Vec<(&str, Value)>) -> Vec<Block> {
    let block = |(n, (name, input)): (usize, (&str, Value))| Block::ToolCall {
        id: format!("call_{turn}_{n}"),
        name: name.to_owned(),
        input,
    };
    calls.into_iter().enumerate().map(block).collect()
}

/// How many calls failed or were refused.
fn errors(request: &ModelRequest) -> usize {
    let is_error = |block: &&UserBlock| matches!(block, UserBlock::ToolResult { is_error: true, .. });
    let of_message = |message: &Message| match message {
        Message::User { content } => content.iter().filter(is_error).count(),
        Message::Assistant { .. } => 0,
    };
    request.messages.iter().map(|message| of_message(message)).sum()
}

/// The run's input, from the first message.
fn input(request: &ModelRequest) -> Result<Value, String> {
    let Some(Message::User { content }) = request.messages.first().map(|message| &**message) else {
        return Err("the conversation does not begin with the run's input".to_owned());
    };
    let Some(UserBlock::Text { text }) = content.first() else {
        return Err("the conversation does not begin with text".to_owned());
    };
    let json = text.find('{').map_or("", |at| &text[at..]);
    serde_json::from_str(json).map_err(|e| format!("the run's input is unreadable: {e}"))
}

/// The model has a price, so that what a crash costs can be seen.
pub(crate) fn price() -> Price {
    Price {
        model: MODEL.to_owned(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens: 0,
        input: 1_000,
        output: 5_000,
        cache_write: 1_250,
        cache_read: 100,
    }
}

pub(crate) fn blueprint() -> Blueprint {
    let tools =
        ["contacts_search", "contacts_get", "contacts_propose_merge", "contacts_create", "letters_send", "faxes_send"];
    let tools: Vec<String> = tools.map(str::to_owned).to_vec();
    let to_the_press =
        Condition { subject: Subject::Pointer("/to".to_owned()), op: ConditionOp::Eq, value: Value::from("the press") };
    Blueprint {
        name: "scripted".to_owned(),
        version: 1,
        title: "Scripted".to_owned(),
        description: String::new(),
        input_schema: json!({ "type": "object", "required": ["script", "label"] }),
        system_prompt: "Do what the script says.".to_owned(),
        default_guardrails: vec![
            Rule::new(RuleKind::Allowlist, tools.clone()),
            Rule {
                when: vec![to_the_press],
                on_block: OnBlock::RefuseCall,
                ..Rule::new(RuleKind::Denylist, ["letters_*"])
            },
        ],
        tools,
        default_model: MODEL.to_owned(),
        default_budget_cents: Some(100),
        default_deadline_seconds: 86_400,
        default_max_steps: 100,
        max_tokens: 1_000,
        policy: None,
    }
}
