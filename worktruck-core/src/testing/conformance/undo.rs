//! What a run wrote is shown, and undone.

#![expect(clippy::unwrap_used, reason = "a scenario panics where a store breaks its promise")]

mod programs;

use std::sync::Arc;

use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::entity::affiliation::Affiliation;
use crate::entity::contact::Contact;
use crate::entity::label::Label;
use crate::entity::{Entity as _, Kind};
use crate::run::Transition;
use crate::store::{Changes, CommitOutcome, EntityKey, Provenance, Require};
use crate::temporal::{At, WriteOp};
use crate::undo::{Force, Obstacles, RunChange, Undo};
use crate::{Clock as _, Error, ErrorKind, PageRequest, Timestamp};

use super::Stage;
use super::build::*;
use super::desk::Desk;

pub use programs::random_runs_are_undone;

/// Where runs are undone.
pub(super) struct Bench {
    pub(super) stage: Stage,
    pub(super) desk: Desk,
    pub(super) undo: Undo,
}

impl Bench {
    pub(super) async fn new(stage: Stage) -> Self {
        stage.tenant(1).await;
        let desk = Desk::new(&stage);
        let undo = Undo::new(Arc::clone(&stage.store), Arc::clone(&desk.clock) as _);
        Self { stage, desk, undo }
    }

    /// A run in the hands of a worker.
    pub(super) async fn begin(&self, n: u32) -> Held {
        self.stage.enqueue(self.desk.tenant, n, self.desk.clock.now()).await;
        self.stage.take(self.desk.clock.now()).await
    }

    /// One more step of a run, with changes.
    pub(super) async fn step(&self, held: &mut Held, changes: Changes) {
        self.desk.wait(1);
        let commit = held.commit(vec![Done::with(changes)], Transition::Continue);
        held.send(&self.stage, commit, self.desk.clock.now()).await;
    }

    /// One more step of a run, unless its changes cannot be made.
    pub(super) async fn try_step(&self, held: &mut Held, changes: Changes) {
        let commit = held.commit(vec![Done::with(changes.clone())], Transition::Continue);
        match self.stage.store.commit(&held.lease, commit, self.desk.clock.now()).await.unwrap() {
            CommitOutcome::Conflicted { .. } => {}
            // Made again, it changes nothing.
            CommitOutcome::Committed { .. } => {
                let commit = held.commit(vec![Done::with(changes)], Transition::Continue);
                held.send(&self.stage, commit, self.desk.clock.now()).await;
            }
        }
    }

    pub(super) async fn end(&self, held: &mut Held) {
        self.desk.wait(1);
        let commit = held.commit(Vec::new(), Transition::Succeed { output: json!(null) });
        held.send(&self.stage, commit, self.desk.clock.now()).await;
        self.desk.wait(1);
    }

    /// A run that has ended, with a step for each of these changes.
    async fn run(&self, n: u32, steps: impl IntoIterator<Item = Changes>) {
        let mut held = self.begin(n).await;
        for changes in steps {
            self.step(&mut held, changes).await;
        }
        self.end(&mut held).await;
    }

    async fn changes(&self, n: u32, limit: u16) -> Vec<RunChange> {
        walk_pages(limit, |page| {
            async move { self.undo.changes(self.desk.tenant, run_id(n), page).await.unwrap() }.boxed()
        })
        .await
    }

    /// Undoes run 1 as Ada.
    pub(super) async fn revert(&self, force: &Force) -> Result<crate::undo::Reverted, Error> {
        self.undo.revert(self.desk.tenant, run_id(1), force, "user:ada").await
    }

    /// What stands in the way.
    pub(super) async fn obstacles(&self, force: &Force) -> Obstacles {
        let refused = assert_refused(self.revert(force).await, ErrorKind::Conflict, "a revert with an obstacle");
        serde_json::from_value(refused.details().unwrap().clone()).unwrap()
    }

    async fn body(&self, key: EntityKey, at: At) -> Option<Value> {
        let found = self.desk.pim.store().entity(self.desk.tenant, key, at, self.desk.clock.now()).await.unwrap();
        found.and_then(|found| found.slice.body)
    }

    /// A person's write.
    async fn edit(&self, who: &str, key: EntityKey, op: WriteOp) {
        self.desk.wait(1);
        let (changes, provenance) = (Changes::none().write(key, op), Provenance::new(who, "user_edit"));
        let now = self.desk.clock.now();
        self.stage.store.apply(self.desk.tenant, changes, provenance, now).await.unwrap();
        self.desk.wait(1);
    }
}

fn bio(text: &str) -> WriteOp {
    WriteOp::Patch(json!({ "bio": text }))
}

fn forced(key: EntityKey) -> Force {
    format!("{}:{}", key.kind, key.id).parse().unwrap()
}

/// Each line says what a step made of an entity over a stretch of time.
pub async fn changes_of_a_run_show_before_and_after(stage: Stage) {
    let bench = Bench::new(stage).await;
    let now = bench.desk.clock.now();
    bench.stage.create(bench.desk.tenant, 1, named("Ada"), now).await;
    let trip = bench.desk.wait(10);
    let on_tour = valid(WriteOp::Put(named("Ada on tour")), trip, Some(trip.next()));
    bench
        .run(
            1,
            [
                Changes::none().create(contact(2), named("Bob")).write(contact(1), bio("maths")),
                Changes::none(),
                Changes::none().write_valid(contact(1), on_tour),
                Changes::none().write(contact(1), WriteOp::Delete),
            ],
        )
        .await;
    bench.run(2, [Changes::none()]).await;
    bench.edit("user:bob", contact(2), bio("his own")).await;

    let shown = bench.changes(1, 50).await;
    let lines: Vec<_> = shown
        .iter()
        .map(|change| {
            let name =
                |body: &Option<Value>| body.as_ref().map(|body| body["display_name"].as_str().unwrap().to_owned());
            (change.entity.id, change.step_seq, change.version, name(&change.before), name(&change.after))
        })
        .collect();
    let [ada, bob] = [1, 2].map(|n| contact(n).id);
    let some = |name: &str| Some(name.to_owned());
    let maths = (ada, 1, 2, some("Ada"), some("Ada"));
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[..2].contains(&(bob, 1, 1, None, some("Bob"))) && lines[..2].contains(&maths), "{lines:?}");
    assert_eq!(lines[2..], [(ada, 3, 3, some("Ada"), some("Ada on tour")), (ada, 4, 4, some("Ada"), None),]);
    let maths = shown.iter().find(|change| change.version == 2).unwrap();
    assert_eq!(json!(maths.diff), json!([{ "field": "/bio", "to": "maths" }]));
    assert_eq!((shown[2].valid_from, shown[2].valid_to), (trip, Some(trip.next())));
    assert_eq!(shown[3].valid_to, None);
    let json = json!(shown[2]);
    assert_eq!(json["entity"], json!({ "type": "contact", "id": ada }));

    assert_eq!(bench.changes(1, 1).await, shown, "one by one");
    assert_eq!(bench.changes(1, 3).await, shown, "three by three");
    assert_eq!(bench.changes(2, 50).await, [], "a run that wrote nothing");
    for (tenant, run) in [(bench.stage.tenant(2).await, run_id(1)), (bench.desk.tenant, run_id(9))] {
        let unknown = bench.undo.changes(tenant, run, PageRequest::default()).await;
        assert_refused(unknown, ErrorKind::NotFound, "a run that the tenant does not have");
    }
}

/// Of an entity that was erased since nothing is told but that the run wrote to it, and nothing comes back.
pub async fn changes_of_an_erased_entity_say_so(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (tenant, now) = (bench.desk.tenant, bench.desk.clock.now());
    bench.stage.create(tenant, 1, named("Ada"), now).await;
    bench.run(1, [Changes::none().write(contact(1), bio("secret")).create(contact(2), named("Bob"))]).await;
    bench.stage.store.purge(tenant, contact(1), person(), bench.desk.clock.now()).await.unwrap();
    let shown = bench.changes(1, 50).await;
    let erased: Vec<_> = shown.iter().filter(|change| change.is_erased).collect();
    assert_eq!((shown.len(), erased.len(), erased[0].entity.id), (2, 1, contact(1).id));
    assert!(!json!(shown).to_string().contains("secret"));
    let reverted = bench.revert(&Force::None).await.unwrap();
    assert_eq!(reverted.entities.iter().map(|it| it.entity.id).collect::<Vec<_>>(), [contact(2).id]);
    assert_eq!(bench.body(contact(1), At::NOW).await, None);
}

/// What was changed is as before, what was made is gone, what was ended is back; history keeps it all.
pub async fn reverted_run_leaves_everything_as_it_was(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (tenant, now) = (bench.desk.tenant, bench.desk.clock.now());
    for (n, name) in [(1, "Ada"), (2, "Bob"), (4, "Dora")] {
        bench.stage.create(tenant, n, named(name), now).await;
    }
    bench.desk.wait(5);
    let before = bench.desk.wait(5);
    bench
        .run(
            1,
            [
                Changes::none().write(contact(1), bio("one")).create(contact(3), named("Cleo")),
                Changes::none().write(contact(1), bio("two")).write(contact(2), WriteOp::Delete),
                Changes::none().write(contact(3), bio("three")),
            ],
        )
        .await;
    let during = bench.desk.wait(10);
    bench.edit("user:bob", contact(4), bio("not the run's")).await;
    let look = async |at: At| {
        let mut bodies = Vec::new();
        for n in 1..=3 {
            bodies.push(bench.body(contact(n), at).await);
        }
        bodies
    };
    let (was, meant) = (look(At::as_of(before)).await, look(At::as_of(during)).await);
    assert_ne!(was, meant);

    let reverted = bench.revert(&Force::None).await.unwrap();
    assert_eq!(reverted.entities.len(), 3);
    assert_eq!(look(At::NOW).await, was);
    assert_eq!(bench.body(contact(4), At::NOW).await.unwrap()["bio"], "not the run's");
    let feed = bench.stage.feed(tenant).await;
    let last = feed.last().unwrap();
    assert_eq!(Some(last.tx_id), reverted.tx_id);
    assert_eq!(last.provenance, Provenance::revert("user:ada", run_id(1)));
    assert_eq!((last.entities.len(), last.provenance.step_seq), (3, None), "one commit");

    // It is undone, and nothing was rewritten.
    bench.desk.wait(10);
    assert_eq!((look(At::as_of(before)).await, look(At::as_of(during)).await), (was.clone(), meant));
    assert_eq!(bench.changes(1, 50).await.len(), 5, "what it wrote can be seen, and what undid it is not of it");
    assert_eq!(bench.stage.history(tenant, 1, 10).await.len(), 4);

    // Undone again, there is nothing to undo.
    let again = bench.revert(&Force::None).await.unwrap();
    assert_eq!((again.tx_id, again.entities.len()), (None, 0));
    assert_eq!(bench.stage.feed(tenant).await, feed);
    let unknown = bench.undo.revert(bench.stage.tenant(2).await, run_id(1), &Force::None, "user:ada").await;
    assert_refused(unknown, ErrorKind::NotFound, "another tenant's run");
}

/// Where others have edited what the run wrote, nothing is written, and who did is said; unless it is forced.
pub async fn revert_refuses_where_others_have_edited(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (tenant, now) = (bench.desk.tenant, bench.desk.clock.now());
    for n in 1..=3 {
        bench.stage.create(tenant, n, named("Ada"), now).await;
    }
    bench.desk.wait(10);
    let all = (1..=3).fold(Changes::none(), |changes, n| changes.write(contact(n), bio("the run's")));
    bench.run(1, [all]).await;
    bench.edit("user:bob", contact(1), WriteOp::Patch(json!({ "nickname": "A" }))).await;
    bench.edit("user:cleo", contact(1), bio("hers")).await;
    let edited_at = bench.desk.clock.now();
    bench.edit("user:dora", contact(2), bio("hers too")).await;

    let feed = bench.stage.feed(tenant).await;
    let obstacles = bench.obstacles(&Force::None).await;
    assert_eq!(obstacles.edited.iter().map(|it| it.entity.id).collect::<Vec<_>>(), [contact(1).id, contact(2).id]);
    let edits: Vec<_> = obstacles.edited[0].edits.iter().map(|it| (it.version, it.captured_by.as_str())).collect();
    assert_eq!(edits, [(3, "user:bob"), (4, "user:cleo")]);
    assert!(obstacles.edited[1].edits[0].at > edited_at && obstacles.dangling.is_empty());
    assert_eq!(bench.stage.feed(tenant).await, feed, "nothing was written");

    // Forcing one leaves the other in the way.
    let obstacles = bench.obstacles(&forced(contact(1))).await;
    assert_eq!(obstacles.edited.iter().map(|it| it.entity.id).collect::<Vec<_>>(), [contact(2).id]);
    let wrong = bench.revert(&forced(contact(7))).await;
    assert_eq!(assert_refused(wrong, ErrorKind::InvalidRequest, "a stranger").pointer(), Some("/force"));

    let both = Force::Entities([contact(1), contact(2)].map(Into::into).into());
    bench.revert(&both).await.unwrap();
    for n in 1..=3 {
        assert_eq!(bench.body(contact(n), At::NOW).await, Some(named("Ada")), "contact {n}");
    }
    bench.edit("user:bob", contact(3), bio("again")).await;
    bench.obstacles(&Force::None).await;
    assert_eq!(bench.revert(&Force::All).await.unwrap().entities.len(), 1);
    assert_eq!(bench.body(contact(3), At::NOW).await, Some(named("Ada")));
}

/// An edit that somebody has taken back, or that was about another time and is not touched, is not lost.
pub async fn edit_that_was_taken_back_is_no_obstacle(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (tenant, now) = (bench.desk.tenant, bench.desk.clock.now());
    bench.stage.create(tenant, 1, named("Ada"), now).await;
    bench.stage.create(tenant, 2, named("Bob"), now).await;
    bench.desk.wait(50);
    let past = bench.desk.wait(50);
    bench.run(1, [1, 2].map(|n| Changes::none().write(contact(n), bio("the run's")))).await;
    bench.edit("user:bob", contact(1), WriteOp::Patch(json!({ "nickname": "A" }))).await;
    bench.edit("user:bob", contact(1), WriteOp::Patch(json!({ "nickname": null }))).await;
    // The stretch in which the nickname stood is known to have had it.
    assert_eq!(bench.obstacles(&Force::None).await.edited.len(), 1);
    let since = bench.stage.history(tenant, 1, 10).await[1].valid();
    let correction = valid(WriteOp::Patch(json!({ "nickname": null })), since.from(), Some(since.to()));
    let changes = Changes::none().write_valid(contact(1), correction);
    bench.stage.store.apply(tenant, changes, person(), bench.desk.clock.now()).await.unwrap();
    bench.desk.wait(1);

    // What is corrected of the time before the run stands in the way, and is not touched when forced.
    let correction = valid(WriteOp::Put(named("Robert")), now, Some(past));
    let changes = Changes::none().write_valid(contact(2), correction);
    bench.stage.store.apply(tenant, changes, person(), bench.desk.clock.now()).await.unwrap();
    bench.desk.wait(1);
    let edited = bench.obstacles(&Force::None).await.edited;
    assert_eq!(edited.iter().map(|it| it.entity.id).collect::<Vec<_>>(), [contact(2).id]);
    bench.revert(&Force::All).await.unwrap();
    assert_eq!(bench.body(contact(1), At::NOW).await, Some(named("Ada")));
    assert_eq!(bench.body(contact(2), At::NOW).await, Some(named("Bob")));
    let before = valid_at(Timestamp::from_micros(now.as_micros() + 1));
    assert_eq!(bench.body(contact(2), before).await, Some(named("Robert")));
}

/// What others refer to does not go, what refers to what is gone does not come back, and nothing is there twice.
pub async fn revert_leaves_nothing_dangling_or_twice(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (desk, now) = (&bench.desk, bench.desk.clock.now());
    for n in [1, 2] {
        bench.stage.create(desk.tenant, n, json!({ "display_name": "Acme", "kind": "organization" }), now).await;
    }
    let job =
        desk.create::<Affiliation>(json!({ "contact_id": contact(1).id, "organization_id": contact(2).id })).await;
    let label = desk.create::<Label>(json!({ "name": "urgent", "color": "#ff0000" })).await;
    desk.wait(10);
    let wipe = Changes::none().write(job.key(), WriteOp::Delete).write(label.key(), WriteOp::Delete);
    bench.run(1, [wipe.create(contact(3), named("Cleo"))]).await;

    // Others build on what is there, and take what is free.
    let friend = json!({ "contact_id": contact(3).id, "organization_id": contact(1).id });
    let friend = desk.create::<Affiliation>(friend).await;
    let taken = desk.create::<Label>(json!({ "name": "urgent", "color": "#00ff00" })).await;
    desk.wait(1);
    desk.of::<Contact>().delete(contact(2).id).await.unwrap();
    desk.wait(1);
    let obstacles = bench.obstacles(&Force::All).await;
    let dangling: Vec<_> = obstacles.dangling.iter().map(|it| (it.entity.id, it.refers_to.id)).collect();
    assert_eq!(dangling, [(friend.id, contact(3).id), (job.id, contact(2).id)]);
    assert_eq!(obstacles.taken.len(), 1);
    assert_eq!((obstacles.taken[0].entity.id, obstacles.taken[0].by.id), (label.id, taken.id));
    assert_eq!(bench.body(contact(3), At::NOW).await, Some(named("Cleo")), "nothing was written");

    // With all of that out of the way it is undone.
    desk.of::<Affiliation>().delete(friend.id).await.unwrap();
    desk.of::<Label>().delete(taken.id).await.unwrap();
    let back = json!({ "display_name": "Acme", "kind": "organization" });
    bench.stage.write(desk.tenant, 2, WriteOp::Put(back), desk.clock.now()).await;
    desk.wait(1);
    bench.revert(&Force::None).await.unwrap();
    assert_eq!(bench.body(contact(3), At::NOW).await, None);
    assert_eq!(desk.of::<Label>().get(label.id).await.unwrap().data, label.data);
    assert_eq!(desk.of::<Affiliation>().get(job.id).await.unwrap().data, job.data);
    assert_eq!(job.key(), EntityKey::new(Affiliation::KIND, job.id));
}

/// A run that may write more is not undone, nor one whose beginning is not known any more.
pub async fn revert_needs_an_ended_run_that_is_known(stage: Stage) {
    let bench = Bench::new(stage).await;
    let mut held = bench.begin(1).await;
    bench.step(&mut held, Changes::none().create(contact(1), named("Ada"))).await;
    let refused = assert_refused(bench.revert(&Force::All).await, ErrorKind::Conflict, "a run under way");
    assert!(refused.to_string().contains("has not ended"), "{refused}");
    assert_eq!(bench.changes(1, 50).await.len(), 1, "what it has written can be seen");
    let horizon = bench.desk.clock.now();
    bench.desk.wait(5);
    bench.stage.store.expire(bench.desk.tenant, horizon, 100, bench.desk.clock.now()).await.unwrap();
    bench.end(&mut held).await;
    assert_refused(bench.revert(&Force::All).await, ErrorKind::HistoryExpired, "a run that began before the horizon");
    let changes = bench.undo.changes(bench.desk.tenant, run_id(1), PageRequest::default()).await;
    assert_refused(changes, ErrorKind::HistoryExpired, "a run that began before the horizon");
}

/// However edits and reverts meet, no edit is written over: what undid the run came before every edit that took effect.
pub async fn edit_that_races_with_a_revert_is_not_lost(stage: Stage) {
    let bench = Bench::new(stage).await;
    let (tenant, now) = (bench.desk.tenant, bench.desk.clock.now());
    for run in 1..=6 {
        let key = contact(run);
        bench.stage.create(tenant, run, named("Ada"), bench.desk.clock.now()).await;
        bench.run(run, [Changes::none().write(key, bio("the run's"))]).await;
        let clock = Arc::clone(&bench.desk.clock);
        let reverted = bench.stage.in_parallel(4, move |n, store| {
            let clock = Arc::clone(&clock);
            async move {
                if n % 2 == 0 {
                    let changes = Changes::none().write(key, WriteOp::Patch(json!({ "nickname": n.to_string() })));
                    let exists = Require::Exists { key };
                    store.apply(tenant, changes.require(exists), person(), clock.now()).await.unwrap();
                    return true;
                }
                let undo = Undo::new(store, clock as _);
                match undo.revert(tenant, run_id(run), &Force::None, "user:ada").await {
                    Ok(_) => true,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
                        false
                    }
                }
            }
            .boxed()
        });
        reverted.await;
        let mut rows = bench.stage.history(tenant, run, 50).await;
        rows.sort_by_key(|row| row.slice.tx_id);
        let reasons: Vec<&str> = rows.iter().map(|row| row.provenance.capture_reason.as_str()).collect();
        let undone = reasons.iter().position(|reason| *reason == Provenance::REVERT);
        assert!(undone.is_none_or(|place| place == 2), "an edit came before what undid the run: {reasons:?}");
        bench.desk.wait(10);
    }
    assert!(bench.body(EntityKey::new(Kind::Contact, contact(1).id), At::as_of(now)).await.is_some());
}
