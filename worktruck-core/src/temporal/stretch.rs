use serde_json::Value;

use super::{Slice, Write, WriteOp};
use crate::Period;

/// A stretch of valid time over which an entity is something else at one moment of system time than at another.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// When it holds in the world.
    pub valid: Period,
    /// What the entity was at the first moment; `None` if it was not.
    pub before: Option<Value>,
    /// What it is at the second.
    pub after: Option<Value>,
}

/// The writes that make an entity what it was before over all of `stretches`, which are in order.
#[must_use]
pub fn undo(stretches: &[Stretch]) -> Vec<Write> {
    let mut parts: Vec<(Period, Option<&Value>)> = Vec::new();
    for Stretch { valid, before, .. } in stretches {
        if let Some((last, body)) = parts.last_mut()
            && last.to() == valid.from()
            && *body == before.as_ref()
            && let Ok(whole) = Period::new(last.from(), valid.to())
        {
            *last = whole;
            continue;
        }
        parts.push((*valid, before.as_ref()));
    }
    let write = |(valid, body): (Period, Option<&Value>)| Write {
        op: body.cloned().map_or(WriteOp::Delete, WriteOp::Put),
        valid_from: Some(valid.from()),
        valid_to: Some(valid.to()).filter(|_| !valid.is_open()),
    };
    parts.into_iter().map(write).collect()
}

/// The stretches within `over` where what is known of an entity at one moment differs from what is known at another, in
/// order; each as long as nothing changes. Deletions and gaps are alike.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{Slice, WriteOp, compare, undo};
/// use worktruck_core::{Period, Timestamp};
///
/// let at = Timestamp::from_micros;
/// let slice = |name: &str, valid| Slice {
///     version: 1, body: Some(json!({ "name": name })), sys: Period::starting(at(1)), valid, carried: false, tx_id: 1,
/// };
/// let before = [slice("Ada", Period::starting(at(10)))];
/// let after = [slice("Ada", Period::new(at(10), at(20))?), slice("Bob", Period::starting(at(20)))];
/// let stretches = compare(&before, &after, Period::starting(at(0)));
/// assert_eq!((stretches.len(), stretches[0].valid), (1, Period::starting(at(20))));
/// assert_eq!(undo(&stretches)[0].op, WriteOp::Put(json!({ "name": "Ada" })));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[must_use]
pub fn compare<'a>(
    before: impl IntoIterator<Item = &'a Slice>,
    after: impl IntoIterator<Item = &'a Slice>,
    over: Period,
) -> Vec<Stretch> {
    let (before, after) = (Axis::of(before), Axis::of(after));
    let ends = before.0.iter().chain(&after.0).flat_map(|slice| [slice.valid.from(), slice.valid.to()]);
    let within = ends.filter(|end| over.from() < *end && *end < over.to());
    let mut edges: Vec<_> = within.chain([over.from(), over.to()]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut stretches: Vec<Stretch> = Vec::new();
    for pair in edges.windows(2) {
        let Ok(valid) = Period::new(pair[0], pair[1]) else { continue };
        let (was, is) = (before.body(&valid), after.body(&valid));
        if was == is {
            continue;
        }
        if let Some(last) = stretches.last_mut()
            && last.valid.to() == valid.from()
            && (last.before.as_ref(), last.after.as_ref()) == (was, is)
            && let Ok(whole) = Period::new(last.valid.from(), valid.to())
        {
            last.valid = whole;
            continue;
        }
        stretches.push(Stretch { valid, before: was.cloned(), after: is.cloned() });
    }
    stretches
}

/// The slices of one moment of system time, by valid time.
struct Axis<'a>(Vec<&'a Slice>);

impl<'a> Axis<'a> {
    fn of(slices: impl IntoIterator<Item = &'a Slice>) -> Self {
        let mut slices: Vec<_> = slices.into_iter().collect();
        slices.sort_by_key(|slice| slice.valid);
        Self(slices)
    }

    /// What the entity is over a stretch in which no slice begins or ends.
    fn body(&self, valid: &Period) -> Option<&'a Value> {
        let place = self.0.partition_point(|slice| slice.valid.to() <= valid.from());
        self.0.get(place).filter(|slice| slice.valid.contains(valid.from()))?.body.as_ref()
    }
}
