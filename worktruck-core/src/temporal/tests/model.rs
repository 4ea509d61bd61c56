use std::collections::BTreeMap;

use proptest::prelude::*;

use super::program::{Cells, Commit, Rows, SYS, covered, program};
use super::{Stamp, at, plan};
use crate::temporal::{Point, RowOp, Slice, fold_timeline, timeline, visible};

/// What a program left behind, in the rows of a store and in the model.
struct Outcome {
    rows: Rows,
    /// The cells as of every moment of system time.
    cells: BTreeMap<i64, Cells>,
    /// The system times of the commits that had an effect; the nth made version n.
    effective: Vec<i64>,
}

/// Runs a program in both, and checks what each commit does.
fn run(program: &[Commit]) -> Outcome {
    run_and(program, |_, _| {})
}

/// The same, and looks at both after each commit.
fn run_and(program: &[Commit], look: impl Fn(&Rows, &BTreeMap<i64, Cells>)) -> Outcome {
    let mut rows = Rows::default();
    let mut cells = BTreeMap::from_iter(SYS.map(|sys| (sys, Cells::empty())));
    let mut effective = Vec::new();
    let mut sys = SYS.start;
    for Commit { wait, writes } in program {
        sys += wait;
        let version = u64::try_from(effective.len()).unwrap();
        let stamp = Stamp { sys: at(sys), tx_id: 100 + u64::try_from(sys).unwrap() };
        let before = cells[&sys].clone();
        let planned = plan(&rows.open(), writes, stamp);
        let after = match (before.after(writes, sys), planned) {
            (Err(expected), planned) => {
                assert_eq!(planned.expect_err("the model refuses it").kind(), expected);
                continue;
            }
            (Ok(after), planned) => {
                let planned = planned.expect("the model takes it");
                let made = planned.ops.iter().filter(|op| matches!(op, RowOp::Insert(slice) if !slice.carried)).count();
                assert_eq!(made > 0, after != before, "a version is made if something changes");
                assert_eq!(planned.ops.is_empty(), after == before);
                assert_eq!(planned.version, version + u64::from(after != before));
                rows.execute(&planned.ops, stamp);
                after
            }
        };
        if after != before {
            effective.push(sys);
            check_versions(&rows, &before, &after, writes, (sys, version + 1, stamp.tx_id));
        }
        cells.range_mut(sys..).for_each(|(_, then)| *then = after.clone());
        look(&rows, &cells);
    }
    Outcome { rows, cells, effective }
}

/// What changed is of the new version; what no write names is as it was.
fn check_versions(
    rows: &Rows,
    before: &Cells,
    after: &Cells,
    writes: &[super::Write],
    (sys, version, tx_id): (i64, u64, u64),
) {
    for ((valid, old), (_, new)) in before.iter().zip(after.iter()) {
        let label = |sys| rows.at(sys, valid).first().map(|slice| (slice.version, slice.tx_id));
        if old != new {
            assert_eq!(label(sys), Some((version, tx_id)), "at {valid}");
        } else if !writes.iter().any(|write| covered(write, sys).contains(&valid)) {
            assert_eq!(label(sys), label(sys - 1), "at {valid}");
        }
    }
}

/// Every point of the past and the present reads as the model says, from at most one slice.
fn check_reads(rows: &Rows, cells: &BTreeMap<i64, Cells>) {
    for (&sys, cells) in cells {
        for (valid, cell) in cells.iter() {
            let seen = visible(&rows.0, Point { sys: at(sys), valid: at(valid) });
            assert_eq!(seen.and_then(|slice| slice.body.as_ref()), cell.body(), "sys {sys}, valid {valid}");
            let covering = rows.at(sys, valid).len();
            assert_eq!(covering, usize::from(*cell != super::program::Cell::Gap), "sys {sys}, valid {valid}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plans_agree_with_the_model_at_every_point_and_never_change_the_past(program in program()) {
        let outcome = run_and(&program, check_reads);
        prop_assert!(outcome.effective.len() <= program.len());
    }

    #[test]
    fn no_two_slices_overlap_in_both_times(program in program()) {
        let rows = run(&program).rows.0;
        for (i, one) in rows.iter().enumerate() {
            for other in &rows[i + 1..] {
                let overlap = one.sys.intersect(other.sys).and_then(|_| one.valid.intersect(other.valid));
                prop_assert_eq!(overlap, None, "{:?} and {:?}", one, other);
            }
        }
    }

    #[test]
    fn versions_count_the_commits_with_effect(program in program()) {
        let Outcome { rows, effective, .. } = run(&program);
        let mut made: BTreeMap<u64, i64> = BTreeMap::new();
        for slice in rows.0.iter().filter(|slice| !slice.carried) {
            let sys = slice.sys.from().as_micros();
            prop_assert_eq!(*made.entry(slice.version).or_insert(sys), sys, "one version is one commit");
        }
        prop_assert_eq!(made.into_iter().collect::<Vec<_>>(), (1..).zip(effective).collect::<Vec<_>>());
    }

    #[test]
    fn plan_needs_neither_an_order_nor_untouched_slices(program in program(), writes in program()) {
        let mut open = run(&program).rows.open();
        let stamp = Stamp { sys: at(SYS.end), tx_id: 1 };
        let outcome = |open: &[_]| plan(open, &writes[0].writes, stamp).map_err(|e| e.to_string());
        let expected = outcome(&open);
        open.reverse();
        prop_assert_eq!(&outcome(&open), &expected);

        let touched = |slice: &Slice| {
            let valid = slice.valid.from().as_micros()..slice.valid.to().as_micros();
            let ranges = writes[0].writes.iter().map(|write| covered(write, SYS.end));
            ranges.into_iter().any(|range| range.start < valid.end && valid.start < range.end)
        };
        let newest = open.iter().map(|slice| slice.version).max();
        open.retain(|slice| touched(slice) || Some(slice.version) == newest);
        prop_assert_eq!(outcome(&open), expected);
    }

    #[test]
    fn timeline_folded_gives_what_was_known_at_every_moment(program in program()) {
        let Outcome { mut rows, cells, .. } = run(&program);
        rows.0.reverse();
        let events = timeline(&rows.0);
        prop_assert!(events.is_sorted_by_key(|event| event.at));
        for event in &events {
            let sys = event.at.as_micros();
            let written = rows.at(sys, event.valid.from().as_micros());
            prop_assert_eq!((written[0].version, written[0].tx_id), (event.version, event.tx_id));
        }
        for (&sys, cells) in &cells {
            let known = fold_timeline(events.iter().filter(|event| event.at <= at(sys))).unwrap();
            for (valid, cell) in cells.iter() {
                let body = known.iter().find(|(period, _)| period.contains(at(valid))).map(|(_, body)| body);
                prop_assert_eq!(body, cell.body(), "sys {}, valid {}", sys, valid);
            }
            for pair in known.windows(2) {
                prop_assert!(pair[0].0.to() < pair[1].0.from() || pair[0].1 != pair[1].1);
            }
        }
    }

    #[test]
    fn timeline_needs_no_carried_slices(program in program()) {
        let rows = run(&program).rows.0;
        prop_assert_eq!(timeline(&rows), timeline(rows.iter().filter(|slice| !slice.carried)));
    }
}
