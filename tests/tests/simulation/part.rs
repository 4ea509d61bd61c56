//! What the runs of a seed do: what their models say, what their tools are, and by which rules they live.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_core::guardrail::{Gate, Mode, OnBlock, OnExpiry, Rule, RuleKind};
use worktruck_core::journal::Snapshot;
use worktruck_core::model::{Block, ModelReply, StopReason, Usage};
use worktruck_core::pricing::Price;
use worktruck_core::run::Run;
use worktruck_core::testing::Dice;
use worktruck_core::tool::{ToolEffect, ToolSpec};
use worktruck_core::{Secret, Timestamp};

/// The tools, by effect.
pub(crate) const READ: &str = "tally_read";
pub(crate) const ADD: &str = "tally_add";
pub(crate) const PUBLISH: &str = "page_publish";
pub(crate) const MAIL: &str = "mail_send";
const TOOLS: [(&str, ToolEffect); 4] = [
    (READ, ToolEffect::Read),
    (ADD, ToolEffect::Write),
    (PUBLISH, ToolEffect::OutsideIdempotent),
    (MAIL, ToolEffect::Outside),
];

pub(crate) const BLUEPRINT: &str = "simulated";
pub(crate) const MODEL: &str = "simulated/one";
/// What the outside tells runs, and nobody may keep.
pub(crate) const SECRET: &str = "sk-3f9a1c77e2d84b60";
/// Why a rule refuses a call, as the journal has it.
pub(crate) const REFUSED: &str = "refused by a guardrail";

/// What one run does.
#[derive(Debug)]
pub(crate) struct Part {
    /// The calls of each turn of the model, by tool and text; a turn more, and it is done.
    pub(crate) turns: Vec<Vec<(&'static str, String)>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) budget_cents: Option<u32>,
    pub(crate) deadline: Duration,
    /// Whether all its rules are in shadow, so that nothing may run.
    pub(crate) is_denied: bool,
    /// The tool that its rules refuse.
    pub(crate) denied: Option<&'static str>,
}

impl Part {
    pub(crate) fn draw(dice: &mut Dice, number: usize) -> Self {
        let turns = (0..=dice.roll(3)).map(|turn| Self::calls(dice, number, turn)).collect();
        let is_denied = dice.one_in(12);
        let mode = if is_denied { Mode::Shadow } else { Mode::Enforce };
        let mut rules = vec![Rule { mode, ..Rule::new(RuleKind::Allowlist, ["*"]) }];
        if dice.one_in(3) {
            for kind in [RuleKind::Denylist, RuleKind::ApprovalGate(gate(dice))] {
                let tool = dice.pick(&TOOLS).0;
                rules.push(Rule { mode: Mode::Shadow, ..Rule::new(kind, [tool]) });
            }
        }
        let denied = dice.maybe(10, |dice| dice.pick(&TOOLS).0).filter(|_| !is_denied);
        if let Some(tool) = denied {
            let on_block = dice.pick(&[OnBlock::RefuseCall, OnBlock::FailRun]);
            rules.push(Rule { on_block, ..Rule::new(RuleKind::Denylist, [tool]) });
        }
        if dice.one_in(2) && !is_denied {
            let tool = dice.pick(&[MAIL, MAIL, ADD, PUBLISH, READ]);
            rules.push(Rule::new(RuleKind::ApprovalGate(gate(dice)), [tool]));
        }
        let budget_cents = dice.pick(&[None, None, Some(3), Some(6), Some(10), Some(20), Some(100)]);
        let deadline = dice.pick(&[3_600, 3_600, 3_600, 3_600, 120]);
        Self { turns, rules, budget_cents, deadline: Duration::from_secs(deadline), is_denied, denied }
    }

    fn calls(dice: &mut Dice, number: usize, turn: i64) -> Vec<(&'static str, String)> {
        let call = |(place, tool)| (tool, format!("run {number}, turn {turn}, call {place}"));
        let tools: Vec<_> = (0..=dice.roll(4)).map(|_| dice.pick(&[READ, ADD, ADD, PUBLISH, MAIL])).collect();
        tools.into_iter().enumerate().map(call).collect()
    }

    /// What the model says in this turn, counted from 1.
    pub(crate) fn reply(&self, turn: usize, usage: Usage) -> ModelReply {
        let mut content = vec![Block::Text { text: format!("turn {turn}, and the key is {SECRET}") }];
        let calls = self.turns.get(turn - 1);
        for (place, (tool, text)) in calls.into_iter().flatten().enumerate() {
            let (id, name, input) = (format!("call-{place}"), (*tool).to_owned(), json!({ "text": text }));
            content.push(Block::ToolCall { id, name, input });
        }
        let stop_reason = if calls.is_some() { StopReason::ToolUse } else { StopReason::EndTurn };
        ModelReply { content, stop_reason, model: "one".to_owned(), usage }
    }

    /// What the run lives by if it starts at `now`.
    pub(crate) fn snapshot(&self, run: &Run, now: Timestamp) -> Snapshot {
        Snapshot {
            blueprint: BLUEPRINT.to_owned(),
            blueprint_version: 1,
            config_version: None,
            model: MODEL.to_owned(),
            fallback_models: Vec::new(),
            system_prompt: String::new(),
            first_message: String::new(),
            tools: specs().iter().map(|spec| ToolSpec::clone(spec)).collect(),
            guardrails: self.rules.clone(),
            prices: vec![price()],
            budget_usd_cents: self.budget_cents,
            on_budget: Vec::new(),
            deadline_at: run.started_at.unwrap_or(now).after(self.deadline),
            max_steps: 100,
            max_tokens: 2_000,
            max_repeats: 5,
            timezone: None,
            trial: None,
        }
    }
}

fn gate(dice: &mut Dice) -> Gate {
    let expires_secs = dice.pick(&[15, 60, 3_600]);
    let on_expiry = dice.pick(&[OnExpiry::Reject, OnExpiry::Approve, OnExpiry::FailRun]);
    Gate { expires_secs, on_expiry, summary: None }
}

pub(crate) fn price() -> Price {
    Price {
        model: MODEL.to_owned(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens: 0,
        input: 2_000,
        output: 10_000,
        cache_write: 2_000,
        cache_read: 200,
    }
}

/// The tools as models know them.
pub(crate) fn specs() -> &'static [Arc<ToolSpec>] {
    static SPECS: OnceLock<Vec<Arc<ToolSpec>>> = OnceLock::new();
    SPECS.get_or_init(|| {
        let spec = |(name, effect): &(&str, ToolEffect)| ToolSpec {
            name: (*name).to_owned(),
            title: String::new(),
            description: String::new(),
            input_schema: json!({ "type": "object" }),
            effect: *effect,
            is_untrusted: false,
        };
        TOOLS.iter().map(|tool| Arc::new(spec(tool))).collect()
    })
}

pub(crate) fn secrets() -> Arc<[Secret]> {
    [Secret::new(SECRET)].into()
}

/// What a call outside answers with.
pub(crate) fn delivered(input: &Value) -> Value {
    json!({ "delivered": input["text"], "with": SECRET })
}
