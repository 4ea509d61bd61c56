//! Conversations that are too long are made shorter by a step like any other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::executor::{Effect, Event, Executor, Options};
use crate::guardrail::{Rule, RuleKind};
use crate::journal::{Journal, Snapshot, verify};
use crate::model::{
    Block, Message, ModelError, ModelErrorCategory, ModelReply, ModelRequest, StopReason, Usage, UserBlock,
};
use crate::run::{FailureCategory, NewRun, Run, RunStatus, Transition};
use crate::tool::{ToolEffect, ToolOutput, ToolSpec};
use crate::{NanoUsd, RunId, TenantId, Timestamp};

fn run() -> Run {
    let id = RunId::from_uuid(uuid::Uuid::from_u128(1));
    NewRun::new(id, "any", json!({})).accept(TenantId::from_uuid(uuid::Uuid::from_u128(2)), Timestamp::EPOCH)
}

fn snapshot() -> Snapshot {
    let look = ToolSpec {
        name: "look".to_owned(),
        title: String::new(),
        description: String::new(),
        input_schema: json!({ "type": "object" }),
        effect: ToolEffect::Read,
        is_untrusted: false,
    };
    Snapshot {
        blueprint: "any".to_owned(),
        blueprint_version: 1,
        config_version: None,
        model: "a/b".to_owned(),
        fallback_models: Vec::new(),
        system_prompt: String::new(),
        first_message: "count the stars".to_owned(),
        tools: vec![look],
        guardrails: vec![Rule::new(RuleKind::Allowlist, ["*"])],
        prices: Vec::new(),
        budget_usd_cents: None,
        on_budget: Vec::new(),
        deadline_at: Timestamp::FOREVER,
        max_steps: 100,
        max_tokens: 1_000,
        max_repeats: 100,
        timezone: None,
        trial: None,
    }
}

fn reply(content: Vec<Block>, stop_reason: StopReason) -> Result<ModelReply, ModelError> {
    Ok(ModelReply { content, stop_reason, model: "b".to_owned(), usage: Usage::default() })
}

fn text(text: &str) -> Result<ModelReply, ModelError> {
    reply(vec![Block::Text { text: text.to_owned() }], StopReason::EndTurn)
}

fn is_compaction(request: &ModelRequest) -> bool {
    request.system.starts_with("You keep the notes")
}

/// A model with a small window: it looks ten times, and cannot read more than `window` bytes.
struct Model {
    window: usize,
    /// Whether it says so before it answers, or instead of an answer.
    refuses: bool,
    /// Whether it makes no notes.
    is_mute: bool,
    requests: Vec<ModelRequest>,
}

impl Model {
    fn answer(&mut self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let (length, is_compaction) = (json!(request.messages).to_string().len(), is_compaction(&request));
        let looked = self.requests.iter().filter(|earlier| !self::is_compaction(earlier)).count();
        self.requests.push(request);
        if length > self.window && self.refuses {
            return Err(ModelError::new(ModelErrorCategory::ContextWindowExceeded, "too long"));
        } else if length > self.window {
            return reply(Vec::new(), StopReason::ContextWindowExceeded);
        } else if is_compaction && self.is_mute {
            return text(" ");
        } else if is_compaction {
            return text(&format!("notes {}", self.requests.len()));
        } else if looked > 10 {
            return text("all counted");
        }
        let (id, name, input) = (format!("call-{looked}"), "look".to_owned(), json!({ "at": looked }));
        reply(vec![Block::ToolCall { id, name, input }], StopReason::ToolUse)
    }
}

/// What a worker makes of a journal, and how it left the run.
fn work(journal: &mut Journal, model: &mut Model, most_commits: usize) -> Option<Transition> {
    let options = || Options { lease_for: Duration::from_secs(30), secrets: std::sync::Arc::new([]) };
    let now = Timestamp::EPOCH;
    let mut executor = if journal.snapshot.is_some() {
        Executor::resume(run(), journal.clone(), options()).unwrap()
    } else {
        Executor::begin(run(), 0, snapshot(), options()).unwrap()
    };
    for _ in 0..500 {
        match executor.next(now).unwrap() {
            Effect::Ask(request) => executor.handle(Event::Replied(model.answer(request)), now).unwrap(),
            Effect::Call(call) => {
                let output = Ok(ToolOutput::new(json!({ "seen": "*".repeat(200), "at": call.input["at"] })));
                executor.handle(Event::Returned { seq: call.seq, result: output }, now).unwrap();
            }
            Effect::Commit(commit) => {
                journal.commits = commit.number;
                journal.snapshot = commit.snapshot.clone().or_else(|| journal.snapshot.take());
                journal.steps.extend(commit.steps.iter().map(|step| step.step.clone()));
                if commit.transition != Transition::Continue {
                    return Some(commit.transition.clone());
                }
                if usize::try_from(commit.number).unwrap() >= most_commits {
                    return None;
                }
                executor.handle(Event::Committed, now).unwrap();
            }
            Effect::Wait { .. } | Effect::Stop(RunStatus::Failed) => panic!("nothing is under way"),
            Effect::Stop(status) => panic!("left as {status}"),
        }
    }
    panic!("it goes on for ever");
}

fn model(window: usize, refuses: bool) -> Model {
    Model { window, refuses, is_mute: false, requests: Vec::new() }
}

fn assert_paired(request: &ModelRequest) {
    let mut open: Vec<String> = Vec::new();
    for message in &request.messages {
        match &**message {
            Message::User { content } => {
                for block in content {
                    if let UserBlock::ToolResult { call_id, .. } = block {
                        assert_eq!(open.pop().as_ref(), Some(call_id), "a result without its call");
                    }
                }
                assert!(open.is_empty(), "a call without its result");
            }
            Message::Assistant { content } => {
                open.extend(content.iter().filter_map(|block| match block {
                    Block::ToolCall { id, .. } => Some(id.clone()),
                    _ => None,
                }));
            }
        }
    }
}

#[test]
fn a_conversation_that_is_too_long_goes_on_with_notes() {
    for refuses in [false, true] {
        let (mut journal, mut model) = (Journal::default(), model(1_500, refuses));
        let left = work(&mut journal, &mut model, usize::MAX);
        assert_eq!(left, Some(Transition::Succeed { output: json!({ "text": "all counted" }) }), "{refuses}");
        assert!(verify(run().tenant_id, run().id, &run().input, &journal).unwrap().valid);
        let compactions: Vec<&Value> =
            journal.steps.iter().map(|step| &step.input).filter(|it| it.get("compacts_messages").is_some()).collect();
        assert!(compactions.len() > 1, "{}", compactions.len());
        model.requests.iter().for_each(assert_paired);
        let after = model.requests.iter().rposition(is_compaction).unwrap() + 1;
        let said = serde_json::to_string(&model.requests[after].messages).unwrap();
        assert!(said.contains("count the stars") && said.contains("notes "), "{said}");
        let told = serde_json::to_string(&model.requests[after - 1].messages).unwrap();
        assert!(told.contains("earlier notes: notes") && told.contains("assistant called: look with"), "{told}");
        assert!(model.requests[after - 1].tools.is_empty());
    }
}

#[test]
fn a_run_taken_over_after_any_commit_comes_to_the_same_end() {
    for refuses in [false, true] {
        let (mut whole, mut first) = (Journal::default(), model(1_500, refuses));
        work(&mut whole, &mut first, usize::MAX);
        for commits in 1..usize::try_from(whole.commits).unwrap() {
            let (mut journal, mut model) = (Journal::default(), model(1_500, refuses));
            assert_eq!(work(&mut journal, &mut model, commits), None);
            // The answers depend on how often it was asked: the second worker takes that over.
            let left = work(&mut journal, &mut model, usize::MAX);
            assert!(matches!(left, Some(Transition::Succeed { .. })), "after {commits} commits: {left:?}");
            assert!(verify(run().tenant_id, run().id, &run().input, &journal).unwrap().valid);
            model.requests.iter().for_each(assert_paired);
        }
    }
}

#[test]
fn a_task_that_is_too_long_by_itself_fails() {
    for refuses in [false, true] {
        let (mut journal, mut model) = (Journal::default(), model(10, refuses));
        let Some(Transition::Fail { category, detail }) = work(&mut journal, &mut model, usize::MAX) else {
            panic!("it does not fail");
        };
        assert_eq!(category, FailureCategory::ConfigError);
        assert!(detail.contains("too long"), "{detail}");
        assert_eq!(model.requests.len(), 1, "there is nothing to leave out");
        assert_eq!(journal.cost(), NanoUsd::ZERO);
    }
}

#[test]
fn a_task_that_leaves_no_room_for_notes_fails_at_once() {
    let mut journal = Journal::default();
    // The task is nearly all of the conversation, which gets too long with the first result.
    let task = "count the stars ".repeat(100);
    let length = json!([Message::User { content: vec![UserBlock::Text { text: task.clone() }] }]).to_string().len();
    journal.snapshot = Some(Snapshot { first_message: task, ..snapshot() });
    let mut model = model(length + 100, true);
    let left = work(&mut journal, &mut model, usize::MAX);
    assert!(matches!(left, Some(Transition::Fail { category: FailureCategory::ConfigError, .. })), "{left:?}");
    assert_eq!(model.requests.len(), 2, "notes would take the place of nothing");
}

#[test]
fn notes_that_are_none_end_the_run() {
    let mut mute = Model { is_mute: true, ..model(1_500, false) };
    let mut journal = Journal::default();
    let left = work(&mut journal, &mut mute, usize::MAX);
    let Some(Transition::Fail { category: FailureCategory::ConfigError, detail }) = left else {
        panic!("{left:?}");
    };
    assert!(detail.ends_with("cannot be made shorter"), "{detail}");
}
