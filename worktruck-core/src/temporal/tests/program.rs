//! Random programs of commits, the plain model that they are checked against, and the rows of a
//! store that executes plans.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FOREVER, Period, RowOp, Slice, Stamp, Write, WriteOp, at, write};
use crate::temporal::merge_patch;
use crate::{ErrorKind, Timestamp};

/// The moments of valid time that are looked at: each stands for the stretch up to the next, and
/// the last for all time after it.
pub(super) const VALID: Range<i64> = -3..18;

/// The moments of system time that are looked at.
pub(super) const SYS: Range<i64> = 0..18;

/// The writes of one commit, and how long after the one before it comes.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) wait: i64,
    pub(super) writes: Vec<Write>,
}

pub(super) fn program() -> impl Strategy<Value = Vec<Commit>> {
    let commit =
        (1_i64..=2, prop::collection::vec(any_write(), 1..4)).prop_map(|(wait, writes)| Commit { wait, writes });
    prop::collection::vec(commit, 1..9)
}

fn any_write() -> impl Strategy<Value = Write> {
    let op = prop_oneof![
        4 => any_body().prop_map(WriteOp::Put),
        4 => any_patch().prop_map(WriteOp::Patch),
        2 => Just(WriteOp::Delete),
    ];
    let bound = || prop::option::weighted(0.8, prop_oneof![8 => -2_i64..13, 1 => Just(FOREVER)]);
    let range = prop_oneof![7 => Just((None, None)), 3 => (bound(), bound())];
    (op, range).prop_map(|(op, (from, to))| write(op, from, to))
}

fn any_body() -> impl Strategy<Value = Value> {
    (0..3, prop::option::of(0..2), any::<bool>()).prop_map(|(name, city, tagged)| {
        let mut body = json!({"name": name, "tags": if tagged { vec!["x"] } else { vec![] }});
        if let Some(city) = city {
            body["address"] = json!({"city": city});
        }
        body
    })
}

fn any_patch() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..3).prop_map(|name| json!({"name": name})),
        (0..2).prop_map(|city| json!({"address": {"city": city}})),
        Just(json!({"address": null})),
        Just(json!({})),
    ]
}

/// What an entity is at one moment of valid time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Gap,
    Tombstone,
    Live(Value),
}

impl Cell {
    pub(super) fn body(&self) -> Option<&Value> {
        match self {
            Self::Live(body) => Some(body),
            Self::Gap | Self::Tombstone => None,
        }
    }
}

/// An entity as a value for every moment of valid time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cells(Vec<(i64, Cell)>);

impl Cells {
    pub(super) fn empty() -> Self {
        Self(VALID.map(|valid| (valid, Cell::Gap)).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Cell)> {
        self.0.iter().map(|(valid, cell)| (*valid, cell))
    }

    /// The cells after `writes` at `sys`, or the kind of the error of the first that fails.
    pub(super) fn after(&self, writes: &[Write], sys: i64) -> Result<Self, ErrorKind> {
        let mut cells = self.clone();
        for write in writes {
            if covered(write, sys).is_empty() {
                return Err(ErrorKind::InvalidRequest);
            }
            let mut found = matches!(write.op, WriteOp::Put(_));
            for (valid, cell) in &mut cells.0 {
                if !covered(write, sys).contains(valid) {
                    continue;
                }
                let next = match (&write.op, &*cell) {
                    (WriteOp::Put(body), _) => Cell::Live(body.clone()),
                    (WriteOp::Patch(patch), Cell::Live(body)) => Cell::Live(merge_patch(body, patch)),
                    (WriteOp::Delete, Cell::Live(_)) => Cell::Tombstone,
                    (WriteOp::Patch(_) | WriteOp::Delete, Cell::Gap | Cell::Tombstone) => continue,
                };
                *cell = next;
                found = true;
            }
            if !found {
                return Err(ErrorKind::NotFound);
            }
        }
        Ok(cells)
    }
}

/// The part of the valid axis that a write names.
pub(super) fn covered(write: &Write, sys: i64) -> Range<i64> {
    write.valid_from.map_or(sys, Timestamp::as_micros)..write.valid_to.map_or(FOREVER, Timestamp::as_micros)
}

/// All slices of one entity, open and closed, as a backend would keep them.
#[derive(Debug, Default)]
pub(super) struct Rows(pub(super) Vec<Slice>);

impl Rows {
    pub(super) fn open(&self) -> Vec<Slice> {
        self.0.iter().filter(|slice| slice.sys.is_open()).cloned().collect()
    }

    /// Does what a plan says, and checks that it says it in order and rewrites nothing.
    pub(super) fn execute(&mut self, ops: &[RowOp], stamp: Stamp) {
        let place = |op: &RowOp| match op {
            RowOp::Close { valid_from, .. } => (false, *valid_from),
            RowOp::Insert(slice) => (true, slice.valid.from()),
        };
        assert!(ops.is_sorted_by(|a, b| place(a) < place(b)), "closes, then inserts, each by valid time: {ops:?}");
        let mut closed = Vec::new();
        for op in ops {
            match op {
                RowOp::Close { valid_from, at } => {
                    assert_eq!(*at, stamp.sys);
                    let named = |row: &&mut Slice| row.sys.is_open() && row.valid.from() == *valid_from;
                    let row = self.0.iter_mut().find(named).expect("an open slice begins there");
                    row.sys = Period::new(row.sys.from(), *at).unwrap();
                    closed.push(row.clone());
                }
                RowOp::Insert(slice) => {
                    assert_eq!(slice.sys, Period::starting(stamp.sys));
                    let rest_of = |old: &&Slice| {
                        old.valid.intersect(slice.valid) == Some(slice.valid) && old.version == slice.version
                    };
                    let old = closed.iter().find(rest_of);
                    assert_eq!(slice.carried, old.is_some(), "{slice:?}");
                    if let Some(old) = old {
                        assert_ne!(old.valid, slice.valid, "an untouched slice is rewritten");
                        assert_eq!((&old.body, old.tx_id), (&slice.body, slice.tx_id));
                    } else {
                        assert_eq!(slice.tx_id, stamp.tx_id);
                    }
                    self.0.push(slice.clone());
                }
            }
        }
    }

    /// Every slice that contains the point.
    pub(super) fn at(&self, sys: i64, valid: i64) -> Vec<&Slice> {
        self.0.iter().filter(|slice| slice.sys.contains(at(sys)) && slice.valid.contains(at(valid))).collect()
    }
}
