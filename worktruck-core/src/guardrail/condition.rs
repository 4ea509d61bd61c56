use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use super::{Condition, ConditionOp};

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

/// Whether all `conditions` hold of `input`, in whatever order they stand: one that fails decides,
/// also where another cannot be evaluated.
pub(super) fn hold(conditions: &[Condition], input: &Value) -> Truth {
    let mut all = Truth::Holds;
    for condition in conditions {
        match condition.holds(input) {
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

impl Condition {
    fn holds(&self, input: &Value) -> Truth {
        if !is_pointer(&self.pointer) {
            return Truth::Unknown(format!("{:?} is not a JSON pointer", self.pointer));
        }
        let found = input.pointer(&self.pointer);
        match (self.op, found) {
            (ConditionOp::Exists, _) => match self.value {
                Value::Null | Value::Bool(true) => found.is_some().into(),
                Value::Bool(false) => found.is_none().into(),
                _ => Truth::Unknown("exists takes true or false".to_owned()),
            },
            (ConditionOp::Ne, found) => (!found.is_some_and(|found| equal(found, &self.value))).into(),
            (_, None) => Truth::Fails,
            (ConditionOp::Eq, Some(found)) => equal(found, &self.value).into(),
            (ConditionOp::In, Some(found)) => match &self.value {
                Value::Array(list) => list.iter().any(|one| equal(found, one)).into(),
                _ => Truth::Unknown("in takes a list".to_owned()),
            },
            (ConditionOp::Matches, Some(found)) => self.matches(found),
            (ConditionOp::Gt, Some(found)) => self.ordered(found, Ordering::is_gt),
            (ConditionOp::Gte, Some(found)) => self.ordered(found, Ordering::is_ge),
            (ConditionOp::Lt, Some(found)) => self.ordered(found, Ordering::is_lt),
            (ConditionOp::Lte, Some(found)) => self.ordered(found, Ordering::is_le),
        }
    }

    fn matches(&self, found: &Value) -> Truth {
        let (Value::String(text), Value::String(wanted)) = (found, &self.value) else {
            return self.incomparable(found);
        };
        match pattern(wanted) {
            Ok(regex) => regex.is_match(text).into(),
            Err(_) => Truth::Unknown(format!("{wanted:?} is not a regular expression")),
        }
    }

    fn ordered(&self, found: &Value, holds: fn(Ordering) -> bool) -> Truth {
        match (found, &self.value) {
            (Value::Number(a), Value::Number(b)) => holds(compare(a, b)).into(),
            (Value::String(a), Value::String(b)) => holds(a.cmp(b)).into(),
            _ => self.incomparable(found),
        }
    }

    fn incomparable(&self, found: &Value) -> Truth {
        let at = if self.pointer.is_empty() { "the input" } else { &self.pointer };
        Truth::Unknown(format!("{at} is {}, which does not compare with {}", noun(found), noun(&self.value)))
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
