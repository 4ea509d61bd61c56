//! Guardrails: which tool calls may run, decided without a model.
//!
//! A [`Rule`] is data, as it is saved and journaled. A [`RuleSet`] is rules made ready: patterns and schemas are
//! compiled once, and what cannot be compiled blocks. It [decides](RuleSet::evaluate) about one call at a time, from
//! nothing but the call and what the run did before, so that a replay comes to the same.

mod check;
mod condition;
mod decide;
mod evaluate;
mod history;
mod hours;
mod rule;
pub(crate) mod schema;
#[cfg(test)]
mod tests;

pub use check::check;
pub use evaluate::{Call, Decided, Decision, Outcome, RuleRef, RuleSet, Verdict};
pub use history::History;
pub use hours::{Block, Day, Hours, TimeOfDay};
pub use rule::{
    Condition, ConditionOp, ContextField, Gate, Mode, OnBlock, OnExpiry, Rule, RuleKind, RuleType, Subject, Target,
};
