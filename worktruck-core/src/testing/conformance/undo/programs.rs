//! Random runs: undone, they leave every entity that they alone touched as it was before, at every moment.

use serde_json::{Value, json};

use crate::store::{Changes, Provenance};
use crate::temporal::{At, Write, WriteOp};
use crate::testing::Dice;
use crate::undo::Force;
use crate::{Clock as _, ErrorKind, Timestamp};

use super::super::Stage;
use super::super::build::{contact, run_id};
use super::Bench;

const ENTITIES: u32 = 4;
const SEEDS: std::ops::Range<u64> = 0..5;

/// A write to a contact about some part of time.
fn write(dice: &mut Dice, now: Timestamp, name: &str) -> Write {
    let near = |dice: &mut Dice| Timestamp::from_micros(now.as_micros() + (dice.roll(61) - 40) * 1_000_000);
    let valid_from = dice.maybe(2, near);
    let valid_to = dice.maybe(3, near).filter(|to| valid_from.unwrap_or(now) < *to);
    let op = match dice.roll(5) {
        0 => WriteOp::Delete,
        1 | 2 => WriteOp::Put(json!({ "display_name": name })),
        _ => WriteOp::Patch(json!({ "bio": name })),
    };
    Write { op, valid_from, valid_to }
}

/// What is known now, or was known, of every contact at many moments.
async fn look(bench: &Bench, moments: &[Timestamp], as_of: Option<Timestamp>, n: u32) -> Vec<Option<Value>> {
    let mut bodies = Vec::new();
    for valid in moments {
        bodies.push(bench.body(contact(n), At { as_of, valid_at: Some(*valid) }).await);
    }
    bodies
}

/// Whatever a run wrote, in whatever order, about whatever time: undone, it has left no trace but in history.
pub async fn random_runs_are_undone(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (mut refused, mut undone) = (0, 0);
    for seed in SEEDS {
        let run = u32::try_from(seed).unwrap_or(0) + 1;
        let mut dice = Dice::new(seed);
        let (tenant, store) = (bench.desk.tenant, bench.desk.pim.store());
        let person = async |dice: &mut Dice, n: u32, name: String| {
            bench.desk.wait(dice.roll(3).unsigned_abs());
            let now = bench.desk.clock.now();
            let changes = Changes::none().write_valid(contact(n), write(dice, now, &name));
            store.apply(tenant, changes, Provenance::new("user:bob", "user_edit"), now).await.is_ok()
        };
        let pick = |dice: &mut Dice| u32::try_from(dice.roll(i64::from(ENTITIES))).unwrap_or(0) + 100 * run;
        for n in 0..10 {
            let key = pick(&mut dice);
            person(&mut dice, key, format!("before {n}")).await;
        }
        bench.desk.wait(2);
        let before = bench.desk.clock.now();
        let mut held = bench.begin(run).await;
        // Of the contacts that others edit too, the last is one.
        let shared = 100 * run + ENTITIES - 1;
        let mut edited = false;
        for n in 0..12 {
            bench.desk.wait(1 + dice.roll(3).unsigned_abs());
            let now = bench.desk.clock.now();
            let mut changes = Changes::none();
            for _ in 0..=dice.roll(2) {
                let key = contact(pick(&mut dice));
                let write = write(&mut dice, now, &format!("run {n}"));
                changes = changes.write_valid(key, write);
            }
            bench.try_step(&mut held, changes).await;
            if dice.one_in(4) {
                edited |= person(&mut dice, shared, format!("edit {n}")).await;
            }
        }
        bench.end(&mut held).await;
        let during = bench.desk.clock.now();
        let moments: Vec<Timestamp> =
            (-80..60).map(|at| Timestamp::from_micros(before.as_micros() + at * 1_000_000)).collect();
        let mut memories = Vec::new();
        for n in (100 * run..shared).chain([shared]) {
            memories.push((
                n,
                look(&bench, &moments, Some(before), n).await,
                look(&bench, &moments, Some(during), n).await,
            ));
        }
        bench.desk.wait(5);

        let alone = bench.undo.revert(tenant, run_id(run), &Force::None, "user:ada").await;
        match alone {
            Ok(_) => undone += 1,
            Err(error) => {
                assert!(edited, "seed {seed}: {}", error.chain());
                assert_eq!(error.kind(), ErrorKind::Conflict, "seed {seed}: {}", error.chain());
                refused += 1;
                for (n, _, meant) in &memories {
                    assert_eq!(&look(&bench, &moments, None, *n).await, meant, "seed {seed}: nothing was written");
                }
                bench.undo.revert(tenant, run_id(run), &Force::All, "user:ada").await.unwrap();
            }
        }
        bench.desk.wait(5);
        for (n, was, meant) in &memories {
            if *n != shared || !edited {
                assert_eq!(&look(&bench, &moments, None, *n).await, was, "seed {seed}, contact {n}: it is as it was");
            }
            assert_eq!(&look(&bench, &moments, Some(before), *n).await, was, "seed {seed}: history stays");
            assert_eq!(&look(&bench, &moments, Some(during), *n).await, meant, "seed {seed}: history stays");
        }
        let again = bench.undo.revert(tenant, run_id(run), &Force::None, "user:ada").await.unwrap();
        assert_eq!(again.tx_id, None, "seed {seed}: it is undone");
    }
    assert!(refused > 0 && undone > 0, "both happen: {undone} undone, {refused} refused");
}
