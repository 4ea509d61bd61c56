mod allen;
mod edges;
mod fields;
mod model;
mod program;

use serde_json::{Value, json};

use super::{Planned, RowOp, Slice, Stamp, Write, WriteOp, plan};
use crate::{ErrorKind, Period, Timestamp};

const FOREVER: i64 = i64::MAX;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn period(from: i64, to: i64) -> Period {
    Period::new(at(from), at(to)).unwrap()
}

fn body(name: &str) -> Value {
    json!({"name": name})
}

/// An open slice known since moment 1.
fn slice(version: u64, name: Option<&str>, from: i64, to: i64) -> Slice {
    Slice {
        version,
        body: name.map(body),
        sys: Period::starting(at(1)),
        valid: period(from, to),
        carried: false,
        tx_id: version,
    }
}

fn write(op: WriteOp, from: Option<i64>, to: Option<i64>) -> Write {
    Write { op, valid_from: from.map(at), valid_to: to.map(at) }
}

fn put(name: &str, from: i64, to: i64) -> Write {
    write(WriteOp::Put(body(name)), Some(from), Some(to))
}

fn patch(name: &str, from: i64, to: i64) -> Write {
    write(WriteOp::Patch(body(name)), Some(from), Some(to))
}

fn delete(from: i64, to: i64) -> Write {
    write(WriteOp::Delete, Some(from), Some(to))
}

/// The stamp of the commits that the tables make.
const STAMP: Stamp = Stamp { sys: Timestamp::from_micros(5), tx_id: 50 };

/// What the writes do to the slices, one clause for each row operation, or the kind of the error.
///
/// `close 1` closes the slice that begins at 1, `1..4 A v2` inserts a slice, with `-` for a
/// tombstone and `carried` behind the rest of an older one.
fn outcome(open: &[Slice], writes: &[Write]) -> String {
    match plan(open, writes, STAMP) {
        Ok(planned) => rendered(&planned, open),
        Err(error) => error.kind().to_string(),
    }
}

fn rendered(planned: &Planned, open: &[Slice]) -> String {
    let clauses = planned.ops.iter().map(|op| match op {
        RowOp::Close { valid_from, at } => {
            assert_eq!(*at, STAMP.sys);
            format!("close {}", valid_from.as_micros())
        }
        RowOp::Insert(slice) => {
            assert_eq!(slice.sys, Period::starting(STAMP.sys));
            let tx_id = open.iter().find(|old| old.version == slice.version).map_or(STAMP.tx_id, |old| old.tx_id);
            assert_eq!(slice.tx_id, tx_id);
            let to = if slice.valid.is_open() { String::new() } else { slice.valid.to().as_micros().to_string() };
            let name = slice.body.as_ref().map_or("-", |body| body["name"].as_str().unwrap());
            let carried = if slice.carried { " carried" } else { "" };
            format!("{}..{to} {name} v{}{carried}", slice.valid.from().as_micros(), slice.version)
        }
    });
    clauses.collect::<Vec<_>>().join(", ")
}

#[test]
fn write_that_ends_before_it_begins_is_refused_at_its_end() {
    for (from, to) in [(Some(9), Some(9)), (Some(9), Some(8)), (None, Some(5)), (Some(FOREVER), None)] {
        let error = plan(&[], &[write(WriteOp::Put(body("A")), from, to)], STAMP).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/valid_to")), "{from:?} {to:?}");
    }
}

#[test]
fn slices_that_contradict_the_stamp_or_each_other_are_refused() {
    let put = [put("B", 30, 40)];
    let late = Slice { sys: Period::starting(STAMP.sys), ..slice(1, Some("A"), 1, 9) };
    let closed = Slice { sys: period(1, 4), ..slice(1, Some("A"), 1, 9) };
    for open in [vec![late], vec![closed], vec![slice(1, Some("A"), 1, 9), slice(2, Some("B"), 8, 12)]] {
        assert_eq!(plan(&open, &put, STAMP).unwrap_err().kind(), ErrorKind::Internal, "{open:?}");
    }
}
