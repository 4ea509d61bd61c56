use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;

use crate::{Error, Result, Timestamp};

use super::condition::{is_pointer, pattern};
use super::schema::compile;
use super::{Condition, ConditionOp, ContextField, Gate, Rule, RuleKind, Subject};

/// The longest summary of an approval.
const MOST_CHARACTERS: usize = 512;

/// Checks a set of rules before it is saved.
///
/// # Errors
///
/// `InvalidRequest` at the place of the first mistake, such as `/guardrails/3/when/0/pointer`.
///
/// # Examples
///
/// ```
/// use serde_json::{from_value, json};
/// use worktruck_core::guardrail::check;
///
/// let rules: Vec<_> = from_value(json!([
///     {"type": "denylist", "mode": "shadow", "when": [{"pointer": "to", "op": "exists"}]},
/// ]))?;
/// assert_eq!(check(&rules).unwrap_err().pointer(), Some("/guardrails/0/when/0/pointer"));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn check(rules: &[Rule]) -> Result<()> {
    let mut ids = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("/guardrails/{index}");
        if let Some(id) = &rule.id {
            if id.is_empty() {
                return Err(Error::invalid("the id of a rule must not be empty").at(format!("{at}/id")));
            }
            if let Some(first) = ids.insert(id, index) {
                let message = format!("rule {first} has the id {id:?} already; ids must differ");
                return Err(Error::invalid(message).at(format!("{at}/id")));
            }
        }
        if rule.tools.is_empty() {
            let message = r#"tools must name at least one tool; ["*"] names every tool"#;
            return Err(Error::invalid(message).at(format!("{at}/tools")));
        }
        if let Some(place) = rule.tools.iter().position(|tool| tool.is_empty() || tool.contains('\0')) {
            let message = "a tool pattern must be a name, in which * stands for any characters";
            return Err(Error::invalid(message).at(format!("{at}/tools/{place}")));
        }
        rule.kind.check(&at)?;
        for (place, condition) in rule.when.iter().enumerate() {
            condition.check(&format!("{at}/when/{place}"))?;
        }
    }
    Ok(())
}

impl RuleKind {
    fn check(&self, at: &str) -> Result<()> {
        let wrong = |field: &str, message: String| Err(Error::invalid(message).at(format!("{at}/{field}")));
        match self {
            Self::Allowlist | Self::Denylist => Ok(()),
            Self::RateLimit { window_secs: 0, .. } => wrong("window_secs", "window_secs must be at least 1".to_owned()),
            Self::ApprovalGate(Gate { expires_secs: 0, .. }) => {
                wrong("expires_secs", "expires_secs must be at least 1".to_owned())
            }
            Self::RateLimit { .. } | Self::ApprovalGate(Gate { summary: None, .. }) => Ok(()),
            Self::ApprovalGate(Gate { summary: Some(summary), .. }) => match summary.chars().count() {
                1..=MOST_CHARACTERS if !summary.contains('\0') => Ok(()),
                _ => wrong("summary", format!("a summary has 1 to {MOST_CHARACTERS} characters, and no NUL")),
            },
            Self::IoValidation { schema, .. } => compile(schema).map(drop).or_else(|(place, why)| {
                let message = format!("the schema cannot be used: {why}");
                wrong(&format!("schema{place}"), message)
            }),
            Self::QuietHours(hours) => {
                if hours.from == hours.to {
                    return wrong("to", format!("from and to are both {}; hours must begin and end", hours.from));
                }
                if hours.days.as_ref().is_some_and(Vec::is_empty) {
                    return wrong("days", "days must name at least one day; leave them out for every day".to_owned());
                }
                match hours.place(Timestamp::EPOCH, Tz::UTC) {
                    Ok(_) => Ok(()),
                    Err(why) => wrong("timezone", format!("{why}; use an IANA name such as Europe/Berlin")),
                }
            }
        }
    }
}

impl Condition {
    /// Comparisons that could never hold, or could not be evaluated.
    fn check_context(&self, field: ContextField, at: &str) -> Result<()> {
        use ConditionOp::{Eq, Exists, Gt, Gte, In, Lt, Lte, Matches, Ne};
        let (is_fitting, expected) = match (field, self.op) {
            (ContextField::Untrusted, Eq | Ne) => (self.value.is_boolean(), "untrusted compares with true or false"),
            (ContextField::Calls, Eq | Ne | Gt | Gte | Lt | Lte) => {
                (self.value.is_u64(), "calls compares with a count")
            }
            (ContextField::Calls, In) => (true, ""),
            (ContextField::Untrusted, In | Exists | Matches | Gt | Gte | Lt | Lte) => {
                return Err(Error::invalid("untrusted takes eq or ne").at(format!("{at}/op")));
            }
            (ContextField::Calls, Exists | Matches) => {
                return Err(Error::invalid("calls takes eq, ne, gt, gte, lt, lte or in").at(format!("{at}/op")));
            }
        };
        if is_fitting { Ok(()) } else { Err(Error::invalid(expected).at(format!("{at}/value"))) }
    }

    fn check(&self, at: &str) -> Result<()> {
        match &self.subject {
            Subject::Pointer(pointer) if !is_pointer(pointer) => {
                let message = format!(
                    "{pointer:?} is not a JSON pointer: it must be empty or begin with /, with ~0 for ~ and ~1 for /"
                );
                return Err(Error::invalid(message).at(format!("{at}/pointer")));
            }
            Subject::Context(field) => self.check_context(*field, at)?,
            Subject::Pointer(_) => {}
        }
        let expected = match (self.op, &self.value) {
            (ConditionOp::Eq | ConditionOp::Ne, _)
            | (ConditionOp::In, Value::Array(_))
            | (ConditionOp::Exists, Value::Null | Value::Bool(_))
            | (
                ConditionOp::Gt | ConditionOp::Gte | ConditionOp::Lt | ConditionOp::Lte,
                Value::Number(_) | Value::String(_),
            ) => return Ok(()),
            (ConditionOp::Matches, Value::String(text)) => {
                return pattern(text).map(drop).map_err(|e| {
                    // The last line says what is wrong; those before it draw where.
                    let why = e.to_string();
                    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    Error::invalid(format!("{text:?} is not a usable regular expression: {why}"))
                        .at(format!("{at}/value"))
                        .with_source(e)
                });
            }
            (ConditionOp::Matches, _) => "matches takes a regular expression as a string",
            (ConditionOp::In, _) => "in takes a list",
            (ConditionOp::Exists, _) => "exists takes true or false",
            (ConditionOp::Gt | ConditionOp::Gte | ConditionOp::Lt | ConditionOp::Lte, _) => {
                "an ordering takes a number or a string"
            }
        };
        Err(Error::invalid(expected).at(format!("{at}/value")))
    }
}
