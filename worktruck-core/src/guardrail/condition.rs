use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use super::{Call, Condition, ConditionOp, ContextField, Subject};

/// A compiled pattern takes at most this many bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// Whether something holds of an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Truth {
    Holds,
    Fails,
    /// It cannot be said, and why.
    Unknown(String),
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// A condition made ready.
#[derive(Debug)]
pub(super) struct Ready {
    condition: Condition,
    /// The pattern, or why there is none.
    pattern: Option<Result<Regex, String>>,
}

impl From<Condition> for Ready {
    fn from(condition: Condition) -> Self {
        let pattern = match (condition.op, &condition.value) {
            (ConditionOp::Matches, Value::String(text)) => {
                Some(pattern(text).map_err(|_| format!("{text:?} is not a regular expression")))
            }
            _ => None,
        };
        Self { condition, pattern }
    }
}

/// Whether all `conditions` hold of a call, in whatever order they stand: one that fails decides,
/// also where another cannot be evaluated.
pub(super) fn hold(conditions: &[Ready], call: &Call<'_>) -> Truth {
    let mut all = Truth::Holds;
    for condition in conditions {
        match condition.holds(call) {
            Truth::Holds => {}
            Truth::Fails => return Truth::Fails,
            unknown @ Truth::Unknown(_) => all = if all == Truth::Holds { unknown } else { all },
        }
    }
    all
}

/// Whether `text` is a JSON pointer (RFC 6901).
pub(super) fn is_pointer(text: &str) -> bool {
    let escapes_are_whole = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes_are_whole
}

/// Compiles a pattern of a condition.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES).build()
}

impl Ready {
    fn holds(&self, call: &Call<'_>) -> Truth {
        match &self.condition.subject {
            Subject::Pointer(pointer) if !is_pointer(pointer) => {
                Truth::Unknown(format!("{pointer:?} is not a JSON pointer"))
            }
            Subject::Pointer(pointer) => self.compares(call.input.pointer(pointer)),
            Subject::Context(ContextField::Untrusted) => self.compares(Some(&call.history.is_untrusted().into())),
            Subject::Context(ContextField::Calls) => self.compares(Some(&call.history.calls(call.tool).len().into())),
        }
    }

    fn compares(&self, found: Option<&Value>) -> Truth {
        let value = &self.condition.value;
        match (self.condition.op, found) {
            (ConditionOp::Exists, _) => match value {
                Value::Null | Value::Bool(true) => found.is_some().into(),
                Value::Bool(false) => found.is_none().into(),
                _ => Truth::Unknown("exists takes true or false".to_owned()),
            },
            (ConditionOp::Ne, found) => (!found.is_some_and(|found| equal(found, value))).into(),
            (_, None) => Truth::Fails,
            (ConditionOp::Eq, Some(found)) => equal(found, value).into(),
            (ConditionOp::In, Some(found)) => match value {
                Value::Array(list) => list.iter().any(|one| equal(found, one)).into(),
                _ => Truth::Unknown("in takes a list".to_owned()),
            },
            (ConditionOp::Matches, Some(found)) => match (found, &self.pattern) {
                (Value::String(text), Some(Ok(pattern))) => pattern.is_match(text).into(),
                (Value::String(_), Some(Err(why))) => Truth::Unknown(why.clone()),
                _ => self.incomparable(found),
            },
            (ConditionOp::Gt, Some(found)) => self.ordered(found, Ordering::is_gt),
            (ConditionOp::Gte, Some(found)) => self.ordered(found, Ordering::is_ge),
            (ConditionOp::Lt, Some(found)) => self.ordered(found, Ordering::is_lt),
            (ConditionOp::Lte, Some(found)) => self.ordered(found, Ordering::is_le),
        }
    }

    fn ordered(&self, found: &Value, holds: fn(Ordering) -> bool) -> Truth {
        match (found, &self.condition.value) {
            (Value::Number(a), Value::Number(b)) => holds(compare(a, b)).into(),
            (Value::String(a), Value::String(b)) => holds(a.cmp(b)).into(),
            _ => self.incomparable(found),
        }
    }

    fn incomparable(&self, found: &Value) -> Truth {
        let at = match &self.condition.subject {
            Subject::Pointer(pointer) if pointer.is_empty() => "the input",
            Subject::Pointer(pointer) => pointer,
            Subject::Context(ContextField::Untrusted) => "untrusted",
            Subject::Context(ContextField::Calls) => "calls",
        };
        let wanted = noun(&self.condition.value);
        Truth::Unknown(format!("{at} is {}, which does not compare with {wanted}", noun(found)))
    }
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// JSON equality with numbers compared by value, so that `1` equals `1.0`.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Compares exactly: a conversion to floats would make different large integers equal.
fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => integer_with_float(a, b),
        (None, Some(b)) => integer_with_float(b, a).reverse(),
        // Invariant: a JSON number is finite, so that two floats always compare.
        (None, None) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    }
}

fn integer_with_float(integer: i128, float: &Number) -> Ordering {
    let float = float.as_f64().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "saturates beyond i128, which no JSON integer reaches")]
    let whole = float.trunc() as i128;
    integer.cmp(&whole).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}
