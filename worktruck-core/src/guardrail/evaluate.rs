use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

use super::decide::{Decides, ReadyRule};
use super::{Gate, History, Mode, OnBlock, Rule, RuleKind, RuleType};

/// A tool call that the rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a str,
    /// Its input.
    pub input: &'a Value,
    /// When the model asked for it.
    pub now: Timestamp,
    /// The time zone of the tenant.
    pub zone: Tz,
    /// What the run did before.
    pub history: &'a History,
}

/// What the rules say about a call: what happens, and what every rule decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What happens.
    pub outcome: Outcome,
    /// One decision per rule, in the order of the rules.
    pub decisions: Vec<Decision>,
}

/// What happens to a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It runs.
    Allow,
    /// A person decides whether it runs.
    Suspend {
        /// The rule that asks.
        rule: RuleRef,
        /// How the person is asked.
        gate: Gate,
    },
    /// It does not run.
    Block {
        /// What becomes of the run.
        on_block: OnBlock,
        /// The rule that blocked it; `None` if no rule is enforced, which blocks everything.
        rule: Option<RuleRef>,
        /// Why, for people and for the model.
        reason: String,
    },
}

impl Outcome {
    /// Whether the call runs.
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    /// Higher is stricter; the strictest enforced outcome wins.
    const fn strictness(&self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Suspend { .. } => 1,
            Self::Block { on_block: OnBlock::RefuseCall, .. } => 2,
            Self::Block { on_block: OnBlock::FailRun, .. } => 3,
        }
    }
}

/// A rule of a set, named by its place and, where it has one, its id.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RuleRef {
    /// Its place in the set, from 0.
    pub rule_index: usize,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
}

/// What one rule decided about a call; the data of a `guardrail.decision` event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decision {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// Its kind.
    pub rule_type: RuleType,
    /// Whether the decision takes effect.
    pub mode: Mode,
    /// What it decided.
    pub decision: Decided,
    /// Why it blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a rule decides about a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// As far as this rule goes the call may run.
    Allow,
    /// A person decides.
    Suspend,
    /// The call may not run.
    Block,
    /// The rule is about other calls.
    NotApplicable,
}

/// Rules made ready to decide: patterns and schemas are compiled, each once.
///
/// # Examples
///
/// ```
/// use chrono_tz::Tz;
/// use serde_json::{Value, from_value, json};
/// use worktruck_core::Timestamp;
/// use worktruck_core::guardrail::{Call, History, RuleSet};
///
/// let rules = RuleSet::new(from_value(json!([
///     {"type": "allowlist", "mode": "enforce", "tools": ["contacts_*"]},
///     {"type": "denylist", "mode": "enforce", "tools": ["contacts_merge"],
///      "when": [{"pointer": "/score", "op": "lt", "value": 0.9}]},
/// ]))?);
/// let runs = |rules: &RuleSet, tool: &str, input: Value| {
///     let (now, history) = (Timestamp::EPOCH, History::default());
///     rules.evaluate(&Call { tool, input: &input, now, zone: Tz::UTC, history: &history }).outcome.is_allow()
/// };
/// assert!(runs(&rules, "contacts_get", json!({})));
/// assert!(!runs(&rules, "contacts_merge", json!({"score": 0.5})));
/// assert!(!runs(&rules, "mail_send", json!({})));
/// assert!(!runs(&RuleSet::new(Vec::new()), "contacts_get", json!({})));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct RuleSet(Vec<ReadyRule>);

impl RuleSet {
    /// The rules, made ready. What cannot be made ready blocks the calls it is about.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into_iter().map(ReadyRule::from).collect())
    }

    /// Decides about a call before it is made.
    ///
    /// Every rule is evaluated, and the strictest outcome of the enforced ones wins: a block that fails
    /// the run, then a block that refuses the call, then a person's decision, then leave to run. Shadow rules are
    /// decided and change nothing. Without any enforced rule the call is blocked. A rule that cannot be evaluated,
    /// because a condition compares things that do not compare, blocks.
    #[must_use]
    pub fn evaluate(&self, call: &Call<'_>) -> Verdict {
        self.verdict(call, |rule| rule.decide(call))
    }

    /// Decides about a call that a person has approved: the other rules are evaluated again.
    #[must_use]
    pub fn evaluate_approved(&self, call: &Call<'_>) -> Verdict {
        self.verdict(call, |rule| match rule.decide(call) {
            (Decided::Suspend, _) => (Decided::Allow, None),
            decided => decided,
        })
    }

    /// Decides about what came out of a call. Rules about other things do not apply.
    #[must_use]
    pub fn evaluate_output(&self, call: &Call<'_>, output: &Value) -> Verdict {
        self.verdict(call, |rule| rule.decide_output(call, output))
    }

    /// Whether there may be an input with which `tool` runs; a model is not offered the other tools.
    ///
    /// `false` is certain. `true` is certain where the enforced rules have no conditions and are about names only.
    #[must_use]
    pub fn is_offerable(&self, tool: &str) -> bool {
        let mut enforced = self.0.iter().filter(|rule| rule.is_enforced()).peekable();
        enforced.peek().is_some() && !enforced.any(|rule| rule.blocks_always(tool))
    }

    fn verdict(&self, call: &Call<'_>, decide: impl Fn(&ReadyRule) -> Decides) -> Verdict {
        let mut outcome = if self.0.iter().any(ReadyRule::is_enforced) {
            Outcome::Allow
        } else {
            Outcome::Block {
                on_block: OnBlock::FailRun,
                rule: None,
                reason: format!("no guardrail is in mode enforce, so that {} may not run", call.tool),
            }
        };
        let mut decisions = Vec::with_capacity(self.0.len());
        for (rule_index, ready) in self.0.iter().enumerate() {
            let (decision, reason) = decide(ready);
            let Rule { id, kind, mode, on_block, .. } = &ready.rule;
            let rule = RuleRef { rule_index, rule_id: id.clone() };
            let own = match (decision, &reason, kind) {
                (Decided::Block, Some(reason), _) => {
                    Outcome::Block { on_block: *on_block, rule: Some(rule.clone()), reason: reason.clone() }
                }
                (Decided::Suspend, _, RuleKind::ApprovalGate(gate)) => {
                    Outcome::Suspend { rule: rule.clone(), gate: gate.clone() }
                }
                _ => Outcome::Allow,
            };
            if ready.is_enforced() && own.strictness() > outcome.strictness() {
                outcome = own;
            }
            decisions.push(Decision { rule, rule_type: kind.rule_type(), mode: *mode, decision, reason });
        }
        Verdict { outcome, decisions }
    }
}
