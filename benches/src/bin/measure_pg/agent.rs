//! An agent that does the same steps with the whole runtime: a blueprint whose rules play the model,
//! and a tool of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::providers::Policy;
use worktruck_benches::workload::person;
use worktruck_core::EntityId;
use worktruck_core::entity::Kind;
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{Block, Message, ModelRequest};
use worktruck_core::store::{Changes, EntityKey};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

use crate::plan::Work;

/// The blueprint's name.
pub(crate) const NAME: &str = "bench";
const TOOL: &str = "bench_work";

/// A blueprint that calls its tool in each turn, `calls` times, and then ends.
pub(crate) fn blueprint(policy: Arc<dyn Policy>) -> Blueprint {
    Blueprint {
        name: NAME.to_owned(),
        version: 1,
        title: "Bench".to_owned(),
        description: "Calls a tool again and again.".to_owned(),
        input_schema: json!({ "type": "object" }),
        system_prompt: "Call the tool.".to_owned(),
        tools: vec![TOOL.to_owned()],
        default_model: "local/rules".to_owned(),
        default_budget_cents: None,
        default_deadline_seconds: 3_600,
        default_max_steps: 100_000,
        max_tokens: 1_000,
        default_guardrails: vec![Rule::new(RuleKind::Allowlist, vec![TOOL.to_owned()])],
        policy: Some(policy),
    }
}

/// Rules that play the model: so many calls, each in a turn of its own, then the end.
#[derive(Debug)]
pub(crate) struct CallsThenEnds {
    calls: usize,
    bytes: usize,
    ended: AtomicUsize,
    changed: Notify,
}

impl CallsThenEnds {
    /// Calls whose input has so many bytes.
    pub(crate) fn new(calls: usize, bytes: usize) -> Self {
        Self { calls, bytes, ended: AtomicUsize::new(0), changed: Notify::new() }
    }

    /// Returns when so many runs have had their last turn. Their worker ends them before it stops.
    pub(crate) async fn until_ended(&self, runs: usize) {
        while self.ended.load(Ordering::SeqCst) < runs {
            self.changed.notified().await;
        }
    }
}

impl Policy for CallsThenEnds {
    fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
        let turn = turn(request);
        if turn == self.calls {
            self.ended.fetch_add(1, Ordering::SeqCst);
            self.changed.notify_one();
            return Ok(vec![Block::Text { text: "y".repeat(self.bytes) }]);
        }
        Ok(vec![call(turn, self.bytes)])
    }
}

/// How many turns the conversation has had.
pub(crate) fn turn(request: &ModelRequest) -> usize {
    request.messages.iter().filter(|message| matches!(&***message, Message::Assistant { .. })).count()
}

/// A call of the tool.
pub(crate) fn call(turn: usize, bytes: usize) -> Block {
    let input = json!({ "turn": turn, "text": "x".repeat(bytes) });
    Block::ToolCall { id: format!("call-{turn}"), name: TOOL.to_owned(), input }
}

/// A tool that does what a step is to do.
#[derive(Debug)]
pub(crate) struct BenchTool {
    spec: Arc<ToolSpec>,
    work: Work,
    takes: Duration,
    contacts: AtomicU32,
}

impl BenchTool {
    /// A tool whose calls take so long.
    pub(crate) fn new(work: Work, takes: Duration) -> Self {
        let effect = match work {
            Work::Journal => ToolEffect::Read,
            Work::Entity => ToolEffect::Write,
        };
        let spec = ToolSpec {
            name: TOOL.to_owned(),
            title: "Work".to_owned(),
            description: "Does a step.".to_owned(),
            input_schema: json!({ "type": "object" }),
            effect,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec), work, takes, contacts: AtomicU32::new(0) }
    }
}

#[async_trait]
impl Tool for BenchTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let output = ToolOutput::new(json!({ "turn": input["turn"] }));
        if self.work == Work::Journal {
            return Ok(output);
        }
        let key = EntityKey::new(Kind::Contact, EntityId::new(&context.ids, context.now));
        let contact = person(self.contacts.fetch_add(1, Ordering::SeqCst));
        Ok(output.with_changes(Changes::none().create(key, contact)))
    }
}
