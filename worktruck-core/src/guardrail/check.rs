use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Error, Result};

use super::condition::{is_pointer, pattern};
use super::{Condition, ConditionOp, Rule};

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
        for (place, condition) in rule.when.iter().enumerate() {
            condition.check(&format!("{at}/when/{place}"))?;
        }
    }
    Ok(())
}

impl Condition {
    fn check(&self, at: &str) -> Result<()> {
        if !is_pointer(&self.pointer) {
            let message = format!(
                "{:?} is not a JSON pointer: it must be empty or begin with /, with ~0 for ~ and ~1 for /",
                self.pointer
            );
            return Err(Error::invalid(message).at(format!("{at}/pointer")));
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
