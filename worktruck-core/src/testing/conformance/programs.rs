//! Random programs of writes, and what must hold after each: every point of both axes reads as a naive model says,
//! what was read at a moment is read again, and differences and timelines add up.

use serde_json::{Value, json};

use crate::entity::Kind;
use crate::entity::contact::Contact;
use crate::pim::{Records, Temporal};
use crate::store::{Changes, EntityKey, ListQuery, Provenance};
use crate::temporal::{At, FieldEvent, Slice, Write, WriteOp, apply_diff, fold_timeline, merge_patch, timeline};
use crate::testing::Dice;
use crate::{Clock as _, EntityId, PageRequest, Timestamp};

use super::Stage;
use super::build::contact;
use super::desk::Desk;

/// How many writes a program has.
const WRITES: usize = 40;
const ENTITIES: u32 = 3;
const SEEDS: std::ops::Range<u64> = 0..4;

/// A write that was committed at a moment.
struct Written {
    id: EntityId,
    sys: Timestamp,
    write: Write,
}

/// What was written so far, one write after the other.
#[derive(Default)]
struct Model(Vec<Written>);

impl Model {
    /// What the entity is at a point: the writes known by then that concern that moment, in order.
    fn at(&self, id: EntityId, sys: Timestamp, valid: Timestamp) -> Option<Value> {
        let concerns = |written: &&Written| {
            let Write { valid_from, valid_to, .. } = &written.write;
            let from = valid_from.unwrap_or(written.sys);
            written.id == id && written.sys <= sys && from <= valid && valid_to.is_none_or(|to| valid < to)
        };
        self.0.iter().filter(concerns).fold(None, |body, written| match (&written.write.op, body) {
            (WriteOp::Put(new), _) => Some(new.clone()),
            (WriteOp::Patch(patch), Some(old)) => Some(merge_patch(&old, patch)),
            (WriteOp::Patch(_), None) | (WriteOp::Delete, _) => None,
        })
    }
}

/// Runs a program, and gives what it wrote and when it may be looked at.
async fn run(desk: &Desk, dice: &mut Dice) -> (Model, Vec<Timestamp>) {
    let mut model = Model::default();
    let mut moments = vec![desk.clock.now()];
    for n in 0..WRITES {
        desk.wait(dice.roll(3).unsigned_abs());
        let now = desk.clock.now();
        let id = contact(u32::try_from(dice.roll(i64::from(ENTITIES))).unwrap_or(0)).id;
        let near = |dice: &mut Dice| Timestamp::from_micros(now.as_micros() + (dice.roll(41) - 30) * 1_000_000);
        let valid_from = dice.maybe(3, near);
        let valid_to = dice.maybe(3, near).filter(|to| valid_from.unwrap_or(now) < *to);
        let op = match dice.roll(6) {
            0 => WriteOp::Delete,
            1 | 2 => WriteOp::Put(json!({ "display_name": format!("name {n}"), "tags": [format!("t{}", n % 3)] })),
            _ => WriteOp::Patch(json!({ "nickname": dice.maybe(2, |_| format!("nick {n}")), "bio": format!("{n}") })),
        };
        let write = Write { op, valid_from, valid_to };
        let changes = Changes::none().write_valid(EntityKey::new(Kind::Contact, id), write.clone());
        let provenance = Provenance::new(format!("writer {n}"), "program");
        // A change of what is not there is refused, and nothing is written.
        if let Ok(applied) = desk.pim.store().apply(desk.tenant, changes, provenance, now).await {
            model.0.push(Written { id, sys: applied.at, write });
            moments.push(applied.at);
        }
    }
    desk.wait(60);
    moments.push(desk.clock.now());
    (model, moments)
}

fn ids() -> impl Iterator<Item = EntityId> {
    (0..ENTITIES).map(|n| contact(n).id)
}

/// Every point of both axes reads as what was written to it last.
pub async fn every_point_reads_as_it_was_written_last(stage: Stage) {
    for seed in SEEDS {
        let desk = Desk::of_tenant(&stage, u32::try_from(seed).unwrap_or(0) + 1);
        let mut dice = Dice::new(seed);
        let (model, moments) = run(&desk, &mut dice).await;
        for _ in 0..120 {
            let (sys, valid) = (dice.pick(&moments), dice.pick(&moments));
            let near = |at: Timestamp, by: i64| Timestamp::from_micros(at.as_micros() + by);
            let valid = near(valid, (dice.roll(5) - 2) * 500_000);
            for id in ids() {
                let contacts: Records<Contact> = desk.of();
                let found = contacts.as_of(sys).valid_at(valid).get(id).await.ok();
                let found = found.and_then(|found| found.stored.slice.body);
                assert_eq!(found, model.at(id, sys, valid), "seed {seed}, {id} at {sys} about {valid}");
            }
        }
    }
}

/// What was read at a moment is read again at it, whatever was written since.
pub async fn answers_at_a_moment_stay(stage: Stage) {
    for seed in SEEDS {
        let desk = Desk::of_tenant(&stage, u32::try_from(seed).unwrap_or(0) + 1);
        let mut dice = Dice::new(100 + seed);
        let mut answers: Vec<(At, Vec<Value>)> = Vec::new();
        for _ in 0..3 {
            let (_, moments) = run(&desk, &mut dice).await;
            for _ in 0..6 {
                let at = At { as_of: Some(dice.pick(&moments)), valid_at: dice.maybe(2, |dice| dice.pick(&moments)) };
                answers.push((at, look(&desk, at).await));
            }
            for (at, before) in &answers {
                assert_eq!(&look(&desk, *at).await, before, "seed {seed} at {at:?}");
            }
        }
    }
}

/// All contacts at a moment, page by page, as anybody sees them.
async fn look(desk: &Desk, at: At) -> Vec<Value> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(2, cursor).expect("a page of two");
        let query = ListQuery { at, page, ..ListQuery::new(Kind::Contact) };
        let page = desk.pim.store().list(desk.tenant, query, desk.clock.now()).await.expect("the past is answered");
        seen.extend(page.data.iter().map(|version| json!([version.resource(), version.provenance])));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return seen;
        }
    }
}

/// A difference applied to its first state gives the second, and a timeline folded gives what is known.
pub async fn differences_and_timelines_add_up(stage: Stage) {
    for seed in SEEDS {
        let desk = Desk::of_tenant(&stage, u32::try_from(seed).unwrap_or(0) + 1);
        let mut dice = Dice::new(200 + seed);
        let (model, mut moments) = run(&desk, &mut dice).await;
        moments.sort();
        let contacts: Records<Contact> = desk.of();
        for id in ids().filter(|id| model.0.iter().any(|written| written.id == *id)) {
            for _ in 0..20 {
                let mut window = [dice.pick(&moments), dice.pick(&moments)];
                window.sort();
                let [from, to] = window;
                let (before, after) = (model.at(id, from, from), model.at(id, to, to));
                match contacts.diff(id, from, to).await {
                    Ok(diff) => {
                        assert_eq!(apply_diff(before.clone(), &diff.changes).expect("it fits"), after, "seed {seed}");
                        assert_eq!(
                            (diff.created_in_window, diff.deleted_in_window),
                            (before.is_none(), after.is_none())
                        );
                    }
                    Err(_) => assert_eq!((before, after), (None, None), "seed {seed}, {id} from {from} to {to}"),
                }
            }
            let mut slices: Vec<Slice> = Vec::new();
            let mut cursor = None;
            loop {
                let page = PageRequest::new(7, cursor).expect("a page");
                let page = contacts.history(id, (None, None), page).await.expect("it has one");
                for entry in &page.data {
                    let Temporal { as_of, valid_at, .. } = entry.temporal;
                    let read = contacts.clone().as_of(as_of).valid_at(valid_at).get(id).await.ok();
                    let read = read.map(|read| (read.data, read.stored.slice.version, read.temporal));
                    let temporal = Some(Temporal { sys_to: None, ..entry.temporal.clone() });
                    let told = entry.data.clone().map(|data| (data, entry.version(), temporal));
                    assert_eq!(read, told, "seed {seed}, what {id} was at the two times of an entry");
                }
                slices.extend(page.data.into_iter().map(|entry| entry.stored.slice));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            let now = desk.clock.now();
            for (valid, body) in fold_timeline(&timeline(&slices)).expect("a whole timeline") {
                assert_eq!(model.at(id, now, valid.from()), Some(body), "seed {seed}, {id} about {valid}");
            }
            let told = contacts.timeline(id, (None, None), &[], PageRequest::largest(None)).await.expect("it has one");
            let mut events: Vec<FieldEvent> = Vec::new();
            for event in timeline(&slices) {
                // What a write did alike to several stretches of valid time is told once.
                if !events.iter().any(|other| (other.tx_id, &other.change) == (event.tx_id, &event.change)) {
                    events.push(event);
                }
            }
            assert_eq!(told.has_more, events.len() > told.data.len(), "seed {seed}");
            let fields = |n: usize| events.get(n).map(|event| (event.at, event.change.clone()));
            for (n, entry) in told.data.into_iter().enumerate() {
                assert_eq!(Some((entry.at, entry.change)), fields(n), "seed {seed}, event {n} of {id}");
            }
        }
    }
}
