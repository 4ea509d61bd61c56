//! What one rule decides about one call.

use jsonschema::Validator;
use serde_json::Value;
use wildmatch::WildMatchPattern;

use super::condition::{Ready, Truth, hold};
use super::schema::{compile, mistakes};
use super::{Block, Call, Decided, Mode, Rule, RuleKind, Target};

/// A rule made ready.
#[derive(Debug)]
pub(super) struct ReadyRule {
    pub(super) rule: Rule,
    // A tool's name holds no NUL, so that `*` is the only wildcard.
    tools: Vec<WildMatchPattern<'*', '\0'>>,
    when: Vec<Ready>,
    /// The schema of an I/O validation, or why there is none.
    schema: Option<Result<Validator, String>>,
}

/// A decision, and with a block the reason.
pub(super) type Decides = (Decided, Option<String>);

impl From<Rule> for ReadyRule {
    fn from(rule: Rule) -> Self {
        let schema = match &rule.kind {
            RuleKind::IoValidation { schema, .. } => Some(compile(schema).map_err(|(at, why)| format!("{at} {why}"))),
            _ => None,
        };
        Self {
            tools: rule.tools.iter().map(|pattern| WildMatchPattern::new(pattern)).collect(),
            when: rule.when.iter().cloned().map(Ready::from).collect(),
            schema,
            rule,
        }
    }
}

impl ReadyRule {
    pub(super) fn is_enforced(&self) -> bool {
        self.rule.mode == Mode::Enforce
    }

    fn names(&self, tool: &str) -> bool {
        self.tools.iter().any(|pattern| pattern.matches(tool))
    }

    /// Whether no call of the tool can run.
    pub(super) fn blocks_always(&self, tool: &str) -> bool {
        self.when.is_empty()
            && match self.rule.kind {
                RuleKind::Allowlist => !self.names(tool),
                RuleKind::Denylist | RuleKind::RateLimit { max_calls: 0, .. } => self.names(tool),
                RuleKind::RateLimit { .. }
                | RuleKind::ApprovalGate(_)
                | RuleKind::IoValidation { .. }
                | RuleKind::QuietHours(_) => false,
            }
    }

    /// What the rule decides before the call is made.
    pub(super) fn decide(&self, call: &Call<'_>) -> Decides {
        let is_of_output = matches!(self.rule.kind, RuleKind::IoValidation { target: Target::Output, .. });
        if is_of_output || (self.rule.kind != RuleKind::Allowlist && !self.names(call.tool)) {
            return (Decided::NotApplicable, None);
        }
        self.decide_where_it_holds(call, || self.decide_here(call))
    }

    /// What the rule decides about what came out of the call.
    pub(super) fn decide_output(&self, call: &Call<'_>, output: &Value) -> Decides {
        match self.rule.kind {
            RuleKind::IoValidation { target: Target::Output, .. } if self.names(call.tool) => {
                self.decide_where_it_holds(call, || self.validate(output))
            }
            _ => (Decided::NotApplicable, None),
        }
    }

    fn decide_where_it_holds(&self, call: &Call<'_>, decide: impl FnOnce() -> Result<Decides, String>) -> Decides {
        let decided = match hold(&self.when, call) {
            Truth::Holds => decide(),
            Truth::Fails => return (Decided::NotApplicable, None),
            Truth::Unknown(why) => Err(why),
        };
        decided.unwrap_or_else(|why| (Decided::Block, Some(format!("the rule cannot be evaluated: {why}"))))
    }

    fn decide_here(&self, call: &Call<'_>) -> Result<Decides, String> {
        let tool = call.tool;
        let conditions = if self.when.is_empty() { "" } else { " for calls like this one" };
        let block = |reason: String| (Decided::Block, Some(reason));
        Ok(match &self.rule.kind {
            RuleKind::Allowlist if !self.names(tool) => block(format!("{tool} is not on the allowlist{conditions}")),
            RuleKind::Denylist => block(format!("{tool} is on the denylist{conditions}")),
            RuleKind::RateLimit { max_calls, window_secs } => {
                let begin = call.now.as_micros().saturating_sub(i64::from(*window_secs) * 1_000_000);
                let lately = call.history.calls(tool).iter().filter(|at| at.as_micros() > begin).count();
                if u32::try_from(lately).is_ok_and(|lately| lately < *max_calls) {
                    (Decided::Allow, None)
                } else {
                    let most = if *max_calls == 1 { "once" } else { &format!("{max_calls} times") };
                    block(format!("{tool} may be called {most} in {window_secs} seconds"))
                }
            }
            RuleKind::ApprovalGate(_) => (Decided::Suspend, None),
            RuleKind::IoValidation { .. } => self.validate(call.input)?,
            RuleKind::QuietHours(hours) => {
                let is_within = hours.place(call.now, call.zone)?;
                let (from, to) = (hours.from, hours.to);
                match hours.block {
                    Block::Outside if !is_within => block(format!("{tool} may be called from {from} to {to} only")),
                    Block::Inside if is_within => block(format!("{tool} may not be called from {from} to {to}")),
                    Block::Outside | Block::Inside => (Decided::Allow, None),
                }
            }
            RuleKind::Allowlist => (Decided::Allow, None),
        })
    }

    fn validate(&self, value: &Value) -> Result<Decides, String> {
        let (what, validator) = match (&self.rule.kind, &self.schema) {
            (RuleKind::IoValidation { target: Target::Input, .. }, Some(validator)) => ("input", validator),
            (RuleKind::IoValidation { target: Target::Output, .. }, Some(validator)) => ("output", validator),
            _ => return Err("there is no schema".to_owned()),
        };
        let validator = validator.as_ref().map_err(|why| format!("its schema cannot be used: {why}"))?;
        Ok(match mistakes(validator, value) {
            Some(mistakes) => (Decided::Block, Some(format!("the {what} does not fit the rule's schema: {mistakes}"))),
            None => (Decided::Allow, None),
        })
    }
}
