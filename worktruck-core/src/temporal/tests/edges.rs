use super::{FOREVER, WriteOp, at, body, delete, outcome, patch, plan, put, slice, write};
use crate::temporal::{Slice, Stamp, Write};
use serde_json::json;

/// Checks what the writes do to slices given as `(version, name, from, to)`.
#[track_caller]
fn check(open: &[(u64, Option<&str>, i64, i64)], writes: &[Write], expected: &str) {
    let mut open: Vec<Slice> = open.iter().map(|&(version, name, from, to)| slice(version, name, from, to)).collect();
    assert_eq!(outcome(&open, writes), expected);
    open.reverse();
    assert_eq!(outcome(&open, writes), expected, "slices in another order");
}

#[test]
fn first_write_holds_from_the_commit_on() {
    check(&[], &[write(WriteOp::Put(body("A")), None, None)], "5.. A v1");
    check(&[], &[write(WriteOp::Put(body("A")), None, Some(9))], "5..9 A v1");
    check(&[], &[write(WriteOp::Put(body("A")), Some(2), None)], "2.. A v1");
    check(&[], &[write(WriteOp::Put(body("A")), Some(8), None)], "8.. A v1");
}

#[test]
fn ordinary_update_leaves_what_held_before_it() {
    let open = [(1, Some("A"), 2, FOREVER)];
    check(&open, &[write(WriteOp::Put(body("B")), None, None)], "close 2, 2..5 A v1 carried, 5.. B v2");
    check(&open, &[write(WriteOp::Delete, None, None)], "close 2, 2..5 A v1 carried, 5.. - v2");
}

#[test]
fn touching_bounds_cut_nothing() {
    let open = [(1, Some("A"), 0, 4), (2, Some("B"), 6, 9)];
    check(&open, &[put("C", 4, 6)], "4..6 C v3");
    check(&open, &[patch("C", 4, 6)], "not_found");
}

#[test]
fn equal_bounds_replace() {
    let open = [(1, Some("A"), 0, 4), (2, Some("B"), 4, 9), (3, Some("C"), 9, 12)];
    check(&open, &[put("D", 4, 9)], "close 4, 4..9 D v4");
}

#[test]
fn put_over_everything_supersedes_it() {
    let open = [(1, Some("A"), 0, 4), (2, None, 4, 6), (3, Some("C"), 9, 12)];
    check(&open, &[put("D", -1, FOREVER)], "close 0, close 4, close 9, -1.. D v4");
}

#[test]
fn hole_is_punched() {
    check(&[(3, Some("A"), 0, FOREVER)], &[delete(4, 6)], "close 0, 0..4 A v3 carried, 4..6 - v4, 6.. A v3 carried");
}

#[test]
fn same_body_extends_to_either_side() {
    check(&[(1, Some("A"), 4, 8)], &[put("A", 2, 6)], "close 4, 2..6 A v2, 6..8 A v1 carried");
    check(&[(1, Some("A"), 4, 8)], &[put("A", 6, 10)], "close 4, 4..6 A v1 carried, 6..10 A v2");
    check(&[(1, Some("A"), 4, 8)], &[put("A", 8, 10)], "8..10 A v2");
}

#[test]
fn several_writes_make_one_version_and_show_only_the_end() {
    check(&[], &[put("A", 0, 9), put("B", 0, 9)], "0..9 B v1");
    check(&[], &[put("A", 0, 9), patch("B", 3, 6)], "0..3 A v1, 3..6 B v1, 6..9 A v1");
    check(
        &[(7, Some("A"), 0, 9)],
        &[put("B", 0, 3), put("C", 3, 6)],
        "close 0, 0..3 B v8, 3..6 C v8, 6..9 A v7 carried",
    );
    check(&[], &[put("A", 0, 9), patch("A", 3, 6)], "0..9 A v1");
    check(&[], &[put("A", 0, 9), delete(0, 9)], "0..9 - v1");
    check(&[], &[put("A", 0, 9), delete(0, 9), patch("B", 0, 9)], "not_found");
    check(&[(1, Some("A"), 0, 9)], &[delete(0, 9), put("B", 2, 4)], "close 0, 0..2 - v2, 2..4 B v2, 4..9 - v2");
}

#[test]
fn writes_that_undo_each_other_leave_the_slice_alone() {
    let open = [(1, Some("A"), 0, 4), (2, Some("B"), 4, 9)];
    check(&open, &[put("C", 2, 6), put("A", 2, 4), put("B", 4, 6)], "");
    check(&open, &[put("C", 2, 6), put("A", 2, 4)], "close 4, 4..6 C v3, 6..9 B v2 carried");
    check(&[(1, None, 0, 4)], &[put("C", 1, 3), delete(1, 3)], "");
}

#[test]
fn back_dated_put_comes_back_after_a_deletion() {
    let open = [(1, Some("A"), 0, 4), (2, None, 4, FOREVER)];
    check(&open, &[put("B", 2, 7)], "close 0, close 4, 0..2 A v1 carried, 2..7 B v3, 7.. - v2 carried");
}

#[test]
fn put_inside_a_gap_touches_nothing() {
    check(&[(1, Some("A"), 0, 2), (2, Some("B"), 8, FOREVER)], &[put("C", 4, 6)], "4..6 C v3");
}

#[test]
fn patch_and_deletion_take_each_live_slice_by_itself() {
    let open = [(1, Some("A"), 0, 2), (2, None, 2, 4), (3, Some("C"), 6, 9)];
    check(&open, &[patch("D", 1, 7)], "close 0, close 6, 0..1 A v1 carried, 1..2 D v4, 6..7 D v4, 7..9 C v3 carried");
    check(&open, &[delete(1, 7)], "close 0, close 6, 0..1 A v1 carried, 1..2 - v4, 6..7 - v4, 7..9 C v3 carried");
}

#[test]
fn write_without_effect_makes_no_version() {
    let open = [(1, Some("A"), 0, 4), (2, Some("A"), 4, 6), (3, Some("B"), 6, 9)];
    check(&open, &[put("A", 1, 5)], "");
    check(&open, &[patch("A", 1, 5)], "");
    check(&open, &[patch("A", 1, 8)], "close 6, 6..8 A v4, 8..9 B v3 carried");
    check(&open, &[put("A", 1, 5), put("B", 7, 8)], "");
    let slices = open.map(|(version, name, from, to)| slice(version, name, from, to));
    assert_eq!(plan(&slices, &[put("A", 1, 5)], super::STAMP).unwrap().version, 3);
    assert_eq!(plan(&[], &[], super::STAMP).unwrap().version, 0);
}

#[test]
fn patch_keeps_what_each_slice_has_of_its_own() {
    let with =
        |city: &str, from, to| Slice { body: Some(json!({"name": "A", "city": city})), ..slice(1, None, from, to) };
    let planned = plan(
        &[with("Rome", 0, 4), with("Oslo", 4, 8)],
        &[write(WriteOp::Patch(json!({"name": null, "tag": 1})), Some(2), Some(6))],
        Stamp { sys: at(5), tx_id: 2 },
    );
    let bodies: Vec<_> = planned
        .unwrap()
        .ops
        .into_iter()
        .filter_map(|op| match op {
            crate::temporal::RowOp::Insert(slice) if !slice.carried => slice.body,
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [json!({"city": "Rome", "tag": 1}), json!({"city": "Oslo", "tag": 1})]);
}
