//! The agent of the fleet: it notes down a visitor and counts the visits, one turn for each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_agents::RuntimeBuilder;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::providers::{Local, Policy};
use worktruck_core::Secret;
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{Block, Message, ModelError, ModelProvider, ModelReply, ModelRequest, UserBlock};

use super::tools::{COUNT, DeskCount, DeskNote, NOTE};

/// The name of the blueprint.
pub const FRONT_DESK: &str = "front_desk";
/// How often each visitor comes.
pub const VISITS: usize = 3;
/// How many effects a run has on the store: it notes the visitor down, and counts each visit.
pub const EFFECTS: usize = 1 + VISITS;

/// What a run is asked to do.
#[must_use]
pub fn input(visitor: usize) -> Value {
    json!({ "visitor": format!("Visitor {visitor}"), "visits": VISITS })
}

/// Gives a runtime all that the agent needs: the blueprint, its tools, and rules that play its
/// model and take `pause` to think, as a model would.
pub fn serve(builder: RuntimeBuilder, pause: Duration) -> RuntimeBuilder {
    let model = Thoughtful { local: Local::new(Arc::new(Routine)), pause };
    builder
        .provider("thoughtful", Arc::new(model))
        .tool(Arc::new(DeskNote::default()))
        .tool(Arc::new(DeskCount::default()))
        .blueprint(front_desk())
}

fn front_desk() -> Blueprint {
    let tools = vec![NOTE.to_owned(), COUNT.to_owned()];
    Blueprint {
        name: FRONT_DESK.to_owned(),
        version: 1,
        title: "Front desk".to_owned(),
        description: "Notes a visitor down and counts the visits.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": { "visitor": { "type": "string" }, "visits": { "type": "integer", "minimum": 1 } },
            "required": ["visitor", "visits"],
            "additionalProperties": false
        }),
        system_prompt: format!("Note the visitor down with {NOTE}, then count each visit with {COUNT}."),
        default_guardrails: vec![Rule {
            id: Some("desk_tools".to_owned()),
            ..Rule::new(RuleKind::Allowlist, tools.clone())
        }],
        tools,
        default_model: format!("thoughtful/{}", Local::MODEL),
        default_budget_cents: None,
        default_deadline_seconds: 3_600,
        default_max_steps: 1_000,
        max_tokens: 1_000,
        policy: None,
    }
}

/// The rules that play the model.
#[derive(Debug)]
struct Routine;

impl Policy for Routine {
    fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
        let input = input_of(request)?;
        let results: Vec<&Value> = request.messages.iter().flat_map(|message| results(message)).collect();
        let call =
            |name: &str, input| Block::ToolCall { id: format!("call_{}", results.len()), name: name.to_owned(), input };
        let visits = input["visits"].as_u64().and_then(|visits| usize::try_from(visits).ok());
        let visits = visits.ok_or("the input has no visits")?;
        Ok(vec![match results.as_slice() {
            [] => call(NOTE, json!({ "visitor": input["visitor"] })),
            [noted, counted @ ..] if counted.len() < visits => call(COUNT, json!({ "id": noted["id"] })),
            [.., last] => Block::Text { text: json!({ "visits": last["visits"] }).to_string() },
        }])
    }
}

/// The input of the run, which the first message ends with.
fn input_of(request: &ModelRequest) -> Result<Value, String> {
    let Some(Message::User { content }) = request.messages.first().map(|message| &**message) else {
        return Err("the conversation does not begin with the run's input".to_owned());
    };
    let text = content.iter().find_map(|block| match block {
        UserBlock::Text { text } => text.find('{').map(|at| &text[at..]),
        UserBlock::ToolResult { .. } => None,
    });
    let input = text.and_then(|text| serde_json::from_str(text).ok());
    input.ok_or_else(|| "the first message does not hold the run's input as JSON".to_owned())
}

fn results(message: &Message) -> Vec<&Value> {
    match message {
        Message::Assistant { .. } => Vec::new(),
        Message::User { content } => content
            .iter()
            .filter_map(|block| match block {
                UserBlock::ToolResult { output, .. } => Some(output),
                UserBlock::Text { .. } => None,
            })
            .collect(),
    }
}

/// Takes its time before it answers.
#[derive(Debug)]
struct Thoughtful {
    local: Local,
    pause: Duration,
}

#[async_trait]
impl ModelProvider for Thoughtful {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        tokio::time::sleep(self.pause).await;
        self.local.complete(request).await
    }

    async fn probe(&self, key: &Secret) -> Result<(), ModelError> {
        self.local.probe(key).await
    }

    fn secrets(&self) -> Vec<Secret> {
        self.local.secrets()
    }
}
