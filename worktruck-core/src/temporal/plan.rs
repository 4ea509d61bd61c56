use std::collections::BTreeSet;

use serde_json::Value;

use super::{RowOp, Slice, Stamp, Write, WriteOp, merge_patch};
use crate::{Error, ErrorKind, Period, Result, Timestamp};

/// What one commit does to the slices of one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The newest version of the entity after the commit: a new one if there are `ops`, the one
    /// that was newest before if there are none, 0 if the entity was never written.
    pub version: u64,
    /// What to do, in this order: every close by the begin of its slice, then every insert.
    pub ops: Vec<RowOp>,
}

/// Plans what `writes`, in order, do to an entity whose slices with open system time are `open`.
///
/// A write holds over its own part of the valid axis, by default from the commit on without end.
/// Slices that it touches are closed, and what it leaves of them is put back as carried. The
/// writes together make one version, made of what they change in the end: where they come back to
/// the body that was there before, the old slice stays.
///
/// Slices that no write touches may be left out of `open`, but for one of the newest version.
///
/// - A put is one slice over its whole part, gaps included.
/// - A patch changes every live slice in its part by itself, and neither gaps nor deletions.
/// - A deletion leaves a tombstone wherever something was live.
///
/// # Errors
///
/// - `InvalidRequest` at `/valid_to`: a write ends before or when it begins.
/// - `NotFound`: a patch or a deletion finds nothing live in its part.
/// - `Internal`: `open` overlaps, or holds a slice that is not open or not older than the stamp.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{RowOp, Stamp, Write, WriteOp, plan};
/// use worktruck_core::{Period, Timestamp};
///
/// let write = |op| [Write { op, valid_from: None, valid_to: None }];
/// let at = Timestamp::from_micros;
///
/// let first = plan(&[], &write(WriteOp::Put(json!({"name": "Ada"}))), Stamp { sys: at(5), tx_id: 1 })?;
/// let [RowOp::Insert(ada)] = &first.ops[..] else { panic!("one slice is made") };
/// assert_eq!((ada.version, ada.valid), (1, Period::starting(at(5))));
///
/// let patch = WriteOp::Patch(json!({"name": "Ada King"}));
/// let second = plan(&[ada.clone()], &write(patch), Stamp { sys: at(9), tx_id: 2 })?;
/// let [RowOp::Close { valid_from, .. }, RowOp::Insert(before), RowOp::Insert(king)] = &second.ops[..] else {
///     panic!("the old slice is closed and cut")
/// };
/// assert_eq!(*valid_from, at(5));
/// assert_eq!((before.version, before.valid, before.carried), (1, Period::new(at(5), at(9))?, true));
/// assert_eq!((king.version, king.valid, king.carried), (2, Period::starting(at(9)), false));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn plan<'w>(open: &[Slice], writes: impl IntoIterator<Item = &'w Write>, stamp: Stamp) -> Result<Planned> {
    let open = in_order(open, stamp)?;
    let newest = open.iter().map(|slice| slice.version).max().unwrap_or(0);
    let mut parts: Vec<Part<'_>> =
        open.iter().map(|slice| Part { valid: slice.valid, state: State::Kept(slice) }).collect();
    for write in writes {
        parts = written(parts, write, stamp)?;
    }
    let parts: Vec<Part<'_>> = parts.into_iter().flat_map(|part| restored(part, &open)).collect();
    if parts.iter().all(|part| matches!(part.state, State::Kept(_))) {
        return Ok(Planned { version: newest, ops: Vec::new() });
    }
    let version = newest + 1;
    Ok(Planned { version, ops: ops(&open, parts, version, stamp) })
}

/// A stretch of the valid axis while the plan is made.
#[derive(Clone)]
struct Part<'a> {
    valid: Period,
    state: State<'a>,
}

#[derive(Clone)]
enum State<'a> {
    /// What is left of an open slice.
    Kept(&'a Slice),
    /// What a write made; `None` is a tombstone.
    New(Option<Value>),
}

impl Part<'_> {
    fn new(valid: Period, body: Option<Value>) -> Self {
        Self { valid, state: State::New(body) }
    }

    fn body(&self) -> Option<&Value> {
        match &self.state {
            State::Kept(slice) => slice.body.as_ref(),
            State::New(body) => body.as_ref(),
        }
    }

    fn outside(&self, range: Period) -> impl Iterator<Item = Self> {
        [self.valid.part_before(range), self.valid.part_after(range)]
            .into_iter()
            .flatten()
            .map(|valid| Self { valid, state: self.state.clone() })
    }
}

/// The slices by valid time, if they are what a plan may start from.
fn in_order(open: &[Slice], stamp: Stamp) -> Result<Vec<&Slice>> {
    let mut open: Vec<&Slice> = open.iter().collect();
    open.sort_by_key(|slice| slice.valid);
    if let Some(slice) = open.iter().find(|slice| !slice.sys.is_open() || slice.sys.from() >= stamp.sys) {
        return Err(Error::internal(format!(
            "a slice with system time {} cannot be changed at {}",
            slice.sys, stamp.sys
        )));
    }
    if let Some(pair) = open.windows(2).find(|pair| pair[0].valid.intersect(pair[1].valid).is_some()) {
        return Err(Error::internal(format!("slices overlap: {} and {}", pair[0].valid, pair[1].valid)));
    }
    Ok(open)
}

fn range(write: &Write, stamp: Stamp) -> Result<Period> {
    let from = write.valid_from.unwrap_or(stamp.sys);
    Period::new(from, write.valid_to.unwrap_or(Timestamp::FOREVER)).map_err(|e| e.at("/valid_to"))
}

/// What `write` makes of `parts`, by valid time.
fn written<'a>(parts: Vec<Part<'a>>, write: &Write, stamp: Stamp) -> Result<Vec<Part<'a>>> {
    let range = range(write, stamp)?;
    let mut found = false;
    let mut out = Vec::with_capacity(parts.len() + 2);
    for part in parts {
        let Some(inside) = part.valid.intersect(range) else {
            out.push(part);
            continue;
        };
        let body = match (&write.op, part.body()) {
            (WriteOp::Put(_), _) => {
                out.extend(part.outside(inside));
                continue;
            }
            (_, None) => {
                out.push(part);
                continue;
            }
            (WriteOp::Patch(patch), Some(body)) => Some(merge_patch(body, patch)),
            (WriteOp::Delete, Some(_)) => None,
        };
        found = true;
        if body.as_ref() == part.body() {
            out.push(part);
        } else {
            out.extend(part.outside(inside));
            out.push(Part::new(inside, body));
        }
    }
    match &write.op {
        WriteOp::Put(body) => out.push(Part::new(range, Some(body.clone()))),
        WriteOp::Patch(_) | WriteOp::Delete if !found => {
            return Err(Error::new(ErrorKind::NotFound, format!("nothing exists within {range}")));
        }
        WriteOp::Patch(_) | WriteOp::Delete => {}
    }
    out.sort_by_key(|part| part.valid);
    Ok(out)
}

/// The part itself, or the open slices in its place if they say the same all along.
fn restored<'a>(part: Part<'a>, open: &[&'a Slice]) -> Vec<Part<'a>> {
    if matches!(part.state, State::Kept(_)) {
        return vec![part];
    }
    let mut at = part.valid.from();
    let mut kept = Vec::new();
    for &slice in open {
        let Some(valid) = slice.valid.intersect(part.valid) else { continue };
        if valid.from() != at || slice.body.as_ref() != part.body() {
            return vec![part];
        }
        at = valid.to();
        kept.push(Part { valid, state: State::Kept(slice) });
    }
    if at == part.valid.to() { kept } else { vec![part] }
}

/// What turns `open` into `parts`, which are in order of valid time.
fn ops(open: &[&Slice], mut parts: Vec<Part<'_>>, version: u64, stamp: Stamp) -> Vec<RowOp> {
    parts.dedup_by(|next, last| match (&last.state, &next.state) {
        (State::Kept(one), State::Kept(other)) if one.valid == other.valid => {
            Period::new(last.valid.from(), next.valid.to()).map(|both| last.valid = both).is_ok()
        }
        _ => false,
    });
    let is_whole = |part: &Part<'_>| matches!(part.state, State::Kept(slice) if slice.valid == part.valid);
    let untouched: BTreeSet<Timestamp> =
        parts.iter().filter(|part| is_whole(part)).map(|part| part.valid.from()).collect();
    let closes = open
        .iter()
        .map(|slice| slice.valid.from())
        .filter(|from| !untouched.contains(from))
        .map(|valid_from| RowOp::Close { valid_from, at: stamp.sys });
    let sys = Period::starting(stamp.sys);
    let inserts = parts.into_iter().filter(|part| !is_whole(part)).map(|Part { valid, state }| {
        RowOp::Insert(match state {
            State::New(body) => Slice { version, body, sys, valid, carried: false, tx_id: stamp.tx_id },
            State::Kept(slice) => Slice { sys, valid, carried: true, ..slice.clone() },
        })
    });
    closes.chain(inserts).collect()
}
