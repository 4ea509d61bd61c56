//! Guardrails: which tool calls may run, decided without a model.

mod check;
mod condition;
mod evaluate;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::check;
pub use evaluate::{Call, Decided, Decision, Outcome, RuleRef, Verdict, evaluate, is_offerable};

/// One rule of a guardrail set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names the rule; its index in the set if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What kind of rule.
    #[serde(rename = "type")]
    pub rule_type: RuleType,
    /// Whether its decision takes effect.
    pub mode: Mode,
    /// The tools it is about: names or patterns with `*`.
    #[serde(default = "every_tool")]
    pub tools: Vec<String>,
    /// When it applies; always if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// What a block does to the run.
    #[serde(default)]
    pub on_block: OnBlock,
}

fn every_tool() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What kind of rule it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleType {
    /// Only the tools it names may run.
    Allowlist,
    /// The tools it names may not run.
    Denylist,
}

/// Whether the decision of a rule takes effect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is recorded and changes nothing.
    Shadow,
    /// It takes effect.
    Enforce,
}

/// What a block does to the run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlock {
    /// The run fails.
    #[default]
    FailRun,
    /// The model is told that the call was refused, and goes on.
    RefuseCall,
}

/// One condition on a call; all conditions of a rule must hold for it to apply.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is compared, as a JSON pointer (RFC 6901) into the tool's input.
    pub pointer: String,
    /// How.
    pub op: ConditionOp,
    /// With what.
    #[serde(default)]
    pub value: Value,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of a list.
    In,
    /// Matches a regular expression.
    Matches,
    /// Present, or with `false` absent.
    Exists,
}
