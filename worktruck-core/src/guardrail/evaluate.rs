use serde::{Deserialize, Serialize};
use serde_json::Value;
use wildmatch::WildMatchPattern;

use super::condition::{Truth, hold};
use super::{Mode, OnBlock, Rule, RuleType};

/// A tool call that the rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a str,
    /// Its input.
    pub input: &'a Value,
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
            Self::Block { on_block: OnBlock::RefuseCall, .. } => 1,
            Self::Block { on_block: OnBlock::FailRun, .. } => 2,
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
    /// The call may not run.
    Block,
    /// The rule is about other calls.
    NotApplicable,
}

/// Decides about `call` by `rules`.
///
/// Every rule is evaluated, and the strictest outcome of the enforced ones wins: a block that fails
/// the run, then a block that refuses the call, then leave to run. Shadow rules are decided and
/// change nothing. Without any enforced rule the call is blocked. A rule that cannot be evaluated,
/// because a condition compares things that do not compare, blocks.
///
/// # Examples
///
/// ```
/// use serde_json::{from_value, json};
/// use worktruck_core::guardrail::{Call, Rule, evaluate};
///
/// let rules: Vec<Rule> = from_value(json!([
///     {"type": "allowlist", "mode": "enforce", "tools": ["contacts_*"]},
///     {"type": "denylist", "mode": "enforce", "tools": ["contacts_merge"],
///      "when": [{"pointer": "/score", "op": "lt", "value": 0.9}]},
/// ]))?;
/// let input = json!({"score": 0.5});
/// assert!(evaluate(&rules, &Call { tool: "contacts_get", input: &input }).outcome.is_allow());
/// assert!(!evaluate(&rules, &Call { tool: "contacts_merge", input: &input }).outcome.is_allow());
/// assert!(!evaluate(&rules, &Call { tool: "mail_send", input: &input }).outcome.is_allow());
/// assert!(!evaluate(&[], &Call { tool: "contacts_get", input: &input }).outcome.is_allow());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn evaluate(rules: &[Rule], call: &Call<'_>) -> Verdict {
    let mut outcome = if rules.iter().any(Rule::is_enforced) {
        Outcome::Allow
    } else {
        Outcome::Block {
            on_block: OnBlock::FailRun,
            rule: None,
            reason: format!("no guardrail is in mode enforce, so that {} may not run", call.tool),
        }
    };
    let mut decisions = Vec::with_capacity(rules.len());
    for (rule_index, rule) in rules.iter().enumerate() {
        let (decision, reason) = rule.decide(call);
        let rule_ref = RuleRef { rule_index, rule_id: rule.id.clone() };
        if let (true, Decided::Block, Some(reason)) = (rule.is_enforced(), decision, &reason) {
            let block =
                Outcome::Block { on_block: rule.on_block, rule: Some(rule_ref.clone()), reason: reason.clone() };
            if block.strictness() > outcome.strictness() {
                outcome = block;
            }
        }
        decisions.push(Decision { rule: rule_ref, rule_type: rule.rule_type, mode: rule.mode, decision, reason });
    }
    Verdict { outcome, decisions }
}

/// Whether there may be an input with which `tool` runs; a model is not offered the other tools.
///
/// `false` is certain. `true` is certain where the enforced rules have no conditions.
#[must_use]
pub fn is_offerable(rules: &[Rule], tool: &str) -> bool {
    let mut enforced = rules.iter().filter(|rule| rule.is_enforced()).peekable();
    enforced.peek().is_some() && !enforced.any(|rule| rule.when.is_empty() && rule.blocks_where_it_applies(tool))
}

impl Rule {
    fn is_enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }

    fn names(&self, tool: &str) -> bool {
        // A tool's name holds no NUL, so that `*` is the only wildcard.
        self.tools.iter().any(|pattern| WildMatchPattern::<'*', '\0'>::new(pattern).matches(tool))
    }

    fn blocks_where_it_applies(&self, tool: &str) -> bool {
        match self.rule_type {
            RuleType::Allowlist => !self.names(tool),
            RuleType::Denylist => self.names(tool),
        }
    }

    /// The decision, and with a block the reason.
    fn decide(&self, call: &Call<'_>) -> (Decided, Option<String>) {
        let tool = call.tool;
        if self.rule_type == RuleType::Denylist && !self.names(tool) {
            return (Decided::NotApplicable, None);
        }
        match hold(&self.when, call.input) {
            Truth::Holds if self.blocks_where_it_applies(tool) => {
                let list = match self.rule_type {
                    RuleType::Allowlist => "is not on the allowlist",
                    RuleType::Denylist => "is on the denylist",
                };
                let conditions = if self.when.is_empty() { "" } else { " for calls like this one" };
                (Decided::Block, Some(format!("{tool} {list}{conditions}")))
            }
            Truth::Holds => (Decided::Allow, None),
            Truth::Fails => (Decided::NotApplicable, None),
            Truth::Unknown(why) => (Decided::Block, Some(format!("the rule cannot be evaluated: {why}"))),
        }
    }
}
