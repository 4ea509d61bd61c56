//! What [`RetentionStore::expire`](crate::store::RetentionStore::expire) promises.

use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::entity::{Kind, Term};
use crate::run::{NewRun, RunStatus, Signal, Transition, WaitingReason};
use crate::store::{Changes, Expired, ListQuery, Provenance, Require, RunQuery, Sort, SortField, Store};
use crate::temporal::{At, WriteOp};
use crate::{ErrorKind, RunId, TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// Removes piece by piece until nothing is left; gives what was removed in all.
async fn expire_all(store: &dyn Store, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Expired {
    let mut all = Expired::default();
    for _ in 0..1_000 {
        let piece = store.expire(tenant, before, limit, now).await.expect("a piece is removed");
        all.runs += piece.runs;
        all.slices += piece.slices;
        all.commits += piece.commits;
        if !piece.has_more {
            return all;
        }
    }
    panic!("the removal does not end")
}

impl Stage {
    async fn expire(&self, tenant: TenantId, before: Timestamp, now: Timestamp) -> Expired {
        expire_all(&*self.store, tenant, before, 100, now).await
    }

    /// Accepts a run at 10, records `output` in a step, and ends it at `end`.
    async fn ended(&self, tenant: TenantId, new: NewRun, output: Value, end: Timestamp) -> RunId {
        let id = self.accept(tenant, new, at(10)).await.id;
        let mut held = self.take(at(11)).await;
        assert_eq!(held.run.id, id, "there is no other run to take");
        let commit = held.commit(vec![Done::nothing(output)], Transition::Continue);
        held.send(self, commit, at(12)).await;
        let commit = held.commit(Vec::new(), Transition::Succeed { output: json!("done") });
        held.send(self, commit, end).await;
        id
    }
}

/// A payload that is kept apart from its step.
fn large(seed: &str) -> Value {
    json!({ "text": seed.repeat(40_000) })
}

fn keyed(n: u32, key: &str) -> NewRun {
    NewRun { idempotency_key: Some(key.to_owned()), ..new_run(n) }
}

/// Of a run that ended before, nothing is left.
pub async fn expired_run_is_gone_with_all_that_is_its(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let gone = stage.ended(tenant, keyed(1, "key"), large("a"), at(20)).await;
    stage.enqueue(tenant, 2, at(13)).await;
    let cancel = Signal::Cancel { actor: None };
    stage.store.signal(tenant, run_id(2), cancel.clone(), at(29)).await.expect("the run is cancelled");
    let expired = stage.expire(tenant, at(30), at(100)).await;
    assert_eq!((expired.runs, expired.slices, expired.commits), (2, 0, 0));

    for run in [gone, run_id(2)] {
        assert_eq!(stage.store.run(tenant, run).await.expect("an answer"), None);
        assert_eq!(stage.store.journal(tenant, run).await.expect("an answer"), None);
        let events = stage.store.events(tenant, run, page(10, None)).await;
        assert_refused(events, ErrorKind::NotFound, "the events of a run that is gone");
        let signal = stage.store.signal(tenant, run, cancel.clone(), at(100)).await;
        assert_refused(signal, ErrorKind::NotFound, "a signal to a run that is gone");
    }
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, []);
    let ended = RunQuery { status: Some(RunStatus::Succeeded), ..RunQuery::default() };
    assert_eq!(stage.run_ids(tenant, ended).await, []);
    assert_eq!(stage.expire(tenant, at(30), at(100)).await, Expired::default(), "nothing is left to remove");
}

/// Runs that have not ended stay, however old, and so do those that ended at the moment or later.
pub async fn runs_that_ended_later_or_not_at_all_stay(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let at_the_moment = stage.ended(tenant, keyed(1, "one"), large("a"), at(30)).await;
    let later = stage.ended(tenant, new_run(2), json!("b"), at(40)).await;
    stage.enqueue(tenant, 3, at(10)).await;
    let mut held = stage.take(at(13)).await;
    let commit = held.commit(vec![Done::nothing("c")], Transition::Wait { reason: WaitingReason::UnknownOutcome });
    held.send(&stage, commit, at(14)).await;
    stage.enqueue(tenant, 4, at(10)).await;
    let mut held = stage.take(at(13)).await;
    let commit = held.commit(vec![Done::nothing("d")], Transition::Continue);
    held.send(&stage, commit, at(14)).await;
    stage.enqueue(tenant, 5, at(10)).await;

    let ids = [at_the_moment, later, run_id(3), run_id(4), run_id(5)];
    let mut before = Vec::new();
    for id in ids {
        before.push((stage.run(tenant, id).await, stage.journal(tenant, id).await, stage.events(tenant, id, 50).await));
    }
    assert_eq!(stage.expire(tenant, at(30), at(10_000)).await.runs, 0);
    for (id, before) in ids.into_iter().zip(before) {
        let after = (stage.run(tenant, id).await, stage.journal(tenant, id).await, stage.events(tenant, id, 50).await);
        assert_eq!(after, before, "run {id}");
    }
    let mut held = stage.take(at(100)).await;
    let commit = held.commit(vec![Done::nothing("e")], Transition::Continue);
    held.send(&stage, commit, at(101)).await;
}

/// A payload that two runs name goes with the last of them.
pub async fn payload_of_a_remaining_run_stays(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.ended(tenant, new_run(1), large("a"), at(20)).await;
    let later = stage.ended(tenant, new_run(2), large("a"), at(40)).await;
    let before = stage.journal(tenant, later).await;
    assert_eq!(stage.expire(tenant, at(30), at(100)).await.runs, 1);
    assert_eq!(stage.journal(tenant, later).await, before, "its payload is there");
    assert_eq!(stage.expire(tenant, at(50), at(100)).await.runs, 1);

    // Named again after it has gone.
    let again = stage.ended(tenant, new_run(3), large("a"), at(60)).await;
    let output = stage.journal(tenant, again).await.steps.remove(0).output;
    assert!(output == Some(large("a")), "the payload is damaged");
}

/// The key goes with its run, and not before.
pub async fn expired_idempotency_key_can_be_used_again(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.ended(tenant, keyed(1, "old"), json!("a"), at(20)).await;
    let kept = stage.ended(tenant, keyed(2, "new"), json!("a"), at(40)).await;
    stage.expire(tenant, at(30), at(100)).await;
    let again = NewRun { input: json!("other"), ..keyed(3, "old") };
    assert_eq!(stage.accept(tenant, again.clone(), at(100)).await.id, run_id(3), "the key is free");
    let same = NewRun { id: run_id(4), ..again };
    assert_eq!(stage.accept(tenant, same, at(100)).await.id, run_id(3), "the key is taken again");
    let same = NewRun { input: json!({ "number": 2 }), ..keyed(5, "new") };
    assert_eq!(stage.accept(tenant, same, at(100)).await.id, kept, "the key of a run that stays");
    let reused = NewRun { input: json!("a run of this id is gone"), ..new_run(1) };
    assert_eq!(stage.accept(tenant, reused, at(100)).await.id, run_id(1));
}

/// What was known before the horizon cannot be asked about, and what was known at it can.
pub async fn read_before_the_horizon_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(20)).await;
    stage.write(tenant, 1, WriteOp::Put(named("Countess")), at(40)).await;
    let expired = stage.expire(tenant, at(30), at(100)).await;
    // The first write is still believed of the time before the second.
    assert_eq!((expired.runs, expired.slices), (0, 1));

    let all = ListQuery::new(Kind::Contact);
    for (when, name) in [
        (At::NOW, "Countess"),
        (At::as_of(at(30)), "Ada King"),
        (At::as_of(at(50)), "Countess"),
        (known_at(at(30), at(15)), "Ada"),
        (valid_at(at(15)), "Ada"),
        (valid_at(at(25)), "Ada King"),
    ] {
        assert_eq!(stage.name(tenant, 1, when, at(100)).await.as_deref(), Some(name), "{when:?}");
        let query = ListQuery { at: when, ..all.clone() };
        assert_eq!(stage.walk(tenant, &query, 10, at(100)).await, [name], "{when:?}");
    }
    for when in [At::as_of(just_before(at(30))), At::as_of(at(5)), known_at(at(25), at(50))] {
        for key in [contact(1), contact(2)] {
            let refused = stage.store.entity(tenant, key, when, at(100)).await;
            let error = assert_refused(refused, ErrorKind::HistoryExpired, "a read before the horizon");
            let kept_from = error.details().map(|details| details["kept_from"].clone());
            assert_eq!(kept_from, Some(json!(at(30))), "the error names the horizon");
            assert!(!error.is_retryable(), "it does not come back");
        }
        let refused = stage.store.list(tenant, ListQuery { at: when, ..all.clone() }, at(100)).await;
        assert_refused(refused, ErrorKind::HistoryExpired, "a list before the horizon");
    }
}

/// A walk that is about a moment ends where that moment has passed the horizon.
pub async fn pinned_walk_behind_the_horizon_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 1..=3 {
        stage.create(tenant, n, named(&format!("Ada {n}")), at(10)).await;
    }
    let sort = Sort { field: SortField::Key("display_name".to_owned()), descending: false };
    let by_name = ListQuery { sort, page: page(1, None), ..ListQuery::new(Kind::Contact) };
    let first = stage.list(tenant, by_name.clone(), at(20)).await;
    stage.write(tenant, 2, WriteOp::Put(named("Zoe")), at(30)).await;
    let next = ListQuery { page: page(1, first.next_cursor), ..by_name.clone() };
    assert_eq!(names_of(&stage.list(tenant, next.clone(), at(40)).await.data), ["Ada 2"], "as it was");

    stage.expire(tenant, at(20), at(100)).await;
    assert_eq!(names_of(&stage.list(tenant, next.clone(), at(100)).await.data), ["Ada 2"], "at the horizon");
    stage.expire(tenant, at(50), at(100)).await;
    let refused = stage.store.list(tenant, next, at(100)).await;
    assert_refused(refused, ErrorKind::HistoryExpired, "a walk that was pinned before the horizon");

    let first = stage.list(tenant, by_name.clone(), at(100)).await;
    let next = ListQuery { page: page(2, first.next_cursor), ..by_name };
    assert_eq!(names_of(&stage.list(tenant, next, at(110)).await.data), ["Ada 3", "Zoe"], "a walk begun anew");

    // One in an order that does not change is about the present, and goes on.
    let in_order = ListQuery { page: page(1, None), ..ListQuery::new(Kind::Contact) };
    let first = stage.list(tenant, in_order.clone(), at(110)).await;
    stage.expire(tenant, at(120), at(130)).await;
    let next = ListQuery { page: page(2, first.next_cursor), ..in_order };
    assert_eq!(names_of(&stage.list(tenant, next, at(130)).await.data), ["Zoe", "Ada 3"]);
}

/// A tenant with something of everything: what was never changed, corrected, deleted, scheduled,
/// undeleted and erased, all before 50, and one write at 60.
async fn varied(stage: &Stage) -> TenantId {
    let tenant = stage.tenant(1).await;
    for n in 1..=6 {
        stage.create(tenant, n, tagged(&format!("Ada {n}"), "vip"), at(10)).await;
    }
    stage.write(tenant, 2, WriteOp::Put(tagged("Bob", "vip")), at(20)).await;
    stage.write(tenant, 2, WriteOp::Patch(json!({ "nickname": "B" })), at(25)).await;
    stage.write_valid(tenant, 2, WriteOp::Put(named("Bob on tour")), (at(12), Some(at(15))), at(26)).await;
    stage.write(tenant, 3, WriteOp::Delete, at(30)).await;
    stage.write_valid(tenant, 4, WriteOp::Put(named("Ada to be")), (at(70), None), at(31)).await;
    stage.write(tenant, 5, WriteOp::Delete, at(32)).await;
    stage.write(tenant, 5, WriteOp::Put(named("Ada again")), at(33)).await;
    stage.store.purge(tenant, contact(6), person(), at(34)).await.expect("a contact is erased");
    let both = Changes::none().create(contact(7), named("Cleo")).create(contact(8), named("Dora"));
    stage.apply(tenant, both, at(40)).await;
    stage.write(tenant, 7, WriteOp::Put(named("Cleopatra")), at(45)).await;
    stage.write(tenant, 8, WriteOp::Put(named("Theodora")), at(60)).await;
    tenant
}

/// All that can be asked about [`varied`] once its horizon is at 50, as text.
async fn answers(stage: &Stage, tenant: TenantId) -> Vec<String> {
    let mut answers = Vec::new();
    let moments = [11, 13, 17, 22, 27, 31, 33, 35, 42, 50, 55, 65, 75].map(at);
    let all = ListQuery::new(Kind::Contact);
    for n in 1..=9 {
        for sys in [None, Some(at(50)), Some(at(59)), Some(at(61))] {
            for valid in moments {
                let when = At { as_of: sys, valid_at: Some(valid) };
                answers.push(format!("{n} {when:?} {:?}", stage.read(tenant, n, when, at(80)).await));
            }
        }
        answers.push(format!("{n} {:?}", stage.history(tenant, n, 50).await));
        let old = stage.store.entity(tenant, contact(n), At::as_of(at(49)), at(80)).await;
        answers.push(format!("{n} {:?}", old.map_err(|error| error.kind())));
    }
    for sys in [None, Some(at(50)), Some(at(61))] {
        for valid in moments {
            let when = At { as_of: sys, valid_at: Some(valid) };
            let query = ListQuery { at: when, ..all.clone() };
            answers.push(format!("{when:?} {:?}", stage.walk(tenant, &query, 2, at(80)).await));
        }
    }
    let tagged = ListQuery { terms: vec![Term::new("tag", "vip")], ..all.clone() };
    answers.push(format!("{:?}", stage.walk(tenant, &tagged, 2, at(80)).await));
    let searched = ListQuery { text: Some("ada".to_owned()), ..all };
    answers.push(format!("{:?}", stage.walk(tenant, &searched, 2, at(80)).await));
    answers.push(format!("{:?}", stage.feed(tenant).await));
    answers
}

/// What is believed stays: what was never changed, what holds of the past, deletions, what is
/// scheduled.
pub async fn what_is_believed_stays_however_old(stage: Stage) {
    let tenant = varied(&stage).await;
    let moments = [11, 13, 17, 22, 27, 31, 33, 35, 42, 50, 55, 65, 75].map(at);
    let mut before = Vec::new();
    for n in 1..=8 {
        for valid in moments {
            before.push(stage.read(tenant, n, valid_at(valid), at(80)).await);
        }
    }
    let expired = stage.expire(tenant, at(78), at(80)).await;
    assert!(expired.slices > 0, "there was something to remove");
    let mut after = Vec::new();
    for n in 1..=8 {
        for valid in moments {
            after.push(stage.read(tenant, n, valid_at(valid), at(80)).await);
        }
    }
    assert_eq!(after, before);

    // What decides about writes is there as well.
    let unique = Require::UniqueTerm { kind: Kind::Contact, term: Term::new("tag", "vip") };
    let taken = Changes::none().require(unique);
    let refused = stage.store.apply(tenant, taken, person(), at(81)).await;
    assert_refused(refused, ErrorKind::Conflict, "a term that several have");
    let patch = Changes::none().write(contact(3), WriteOp::Patch(json!({ "nickname": "gone" })));
    let refused = stage.store.apply(tenant, patch, person(), at(81)).await;
    assert_refused(refused, ErrorKind::NotFound, "a patch of what was deleted");
    stage.write(tenant, 3, WriteOp::Put(named("Ada anew")), at(82)).await;
    assert_eq!(stage.name(tenant, 3, At::NOW, at(83)).await.as_deref(), Some("Ada anew"));
    assert_eq!(stage.name(tenant, 3, valid_at(at(35)), at(83)).await, None, "it stays deleted in between");
}

/// A horizon once reached stays, whatever is asked for later.
pub async fn horizon_never_goes_back(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(20)).await;
    stage.expire(tenant, at(50), at(100)).await;
    stage.expire(tenant, at(15), at(100)).await;
    let refused = stage.store.entity(tenant, contact(1), At::as_of(at(49)), at(100)).await;
    assert_refused(refused, ErrorKind::HistoryExpired, "a read before the later horizon");
    assert_eq!(stage.name(tenant, 1, At::as_of(at(50)), at(100)).await.as_deref(), Some("Ada King"));

    // Nor does a commit come in behind it, whatever the writer's clock says.
    let applied = stage.write(tenant, 1, WriteOp::Put(named("Countess")), at(30)).await;
    assert!(applied.at > at(50), "a commit at {} behind the horizon", applied.at);
    assert_eq!(stage.name(tenant, 1, At::as_of(at(50)), at(100)).await.as_deref(), Some("Ada King"));
}

/// A history shows what was still believed at the horizon.
pub async fn history_ends_at_the_horizon(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    for (n, second) in (0..).zip([20, 30, 40]) {
        stage.write(tenant, 1, WriteOp::Put(named(&format!("Ada {n}"))), at(second)).await;
    }
    let all = stage.history(tenant, 1, 10).await;
    assert_eq!(names_of(&all), ["Ada 2", "Ada 1", "Ada 0", "Ada"]);
    stage.expire(tenant, at(30), at(100)).await;
    let left = stage.history(tenant, 1, 10).await;
    assert_eq!(left[..], all[..2], "what was replaced before is not shown, and the rest is as it was");
    assert_eq!(stage.history(tenant, 1, 1).await, left, "page by page");
    stage.expire(tenant, at(90), at(100)).await;
    assert_eq!(stage.history(tenant, 1, 10).await[..], all[..1], "the newest write stays");
}

/// Versions, commits and erased entities are counted on as if nothing were gone.
pub async fn versions_are_counted_on_after_expiry(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for second in 10..15 {
        stage.write(tenant, 1, WriteOp::Put(named(&format!("Ada {second}"))), at(second)).await;
    }
    stage.write(tenant, 2, WriteOp::Put(named("Bob")), at(20)).await;
    stage.write(tenant, 2, WriteOp::Delete, at(21)).await;
    stage.write(tenant, 3, WriteOp::Put(named("Cleo")), at(22)).await;
    stage.store.purge(tenant, contact(3), person(), at(23)).await.expect("a contact is erased");
    stage.expire(tenant, at(50), at(100)).await;

    let nothing = stage.apply(tenant, Changes::none(), at(100)).await;
    assert_eq!((nothing.tx_id, nothing.at), (9, at(23)), "the last commit, though it is gone");
    let changes = Changes::none()
        .require(Require::Version { key: contact(1), version: 5 })
        .create(contact(2), named("Bob"))
        .create(contact(3), named("Cleo"))
        .write(contact(1), WriteOp::Patch(json!({ "nickname": "A" })));
    let applied = stage.apply(tenant, changes, at(100)).await;
    assert_eq!(applied.tx_id, 10);
    assert_eq!(applied.versions, [(contact(2), 3), (contact(3), 3), (contact(1), 6)]);
    let created: Vec<_> =
        [stage.read(tenant, 1, At::NOW, at(101)).await, stage.read(tenant, 2, At::NOW, at(101)).await]
            .into_iter()
            .map(|version| version.map(|version| version.created_at))
            .collect();
    assert_eq!(created, [Some(at(10)), Some(at(20))], "when they were first written");
}

/// A reader of the feed that would miss something is told.
pub async fn feed_cursor_before_the_horizon_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let feed = async |since| stage.store.changes(tenant, since, page(1, None)).await;
    let zero = feed(None).await.expect("the feed is read").next_cursor;
    for (n, second) in (1..).zip([10, 20, 30, 40]) {
        stage.create(tenant, n, named("Ada"), at(second)).await;
    }
    let mut cursors = vec![zero];
    for _ in 0..4 {
        let last = cursors.last().cloned();
        cursors.push(feed(last).await.expect("the feed is read").next_cursor);
    }
    stage.expire(tenant, at(30), at(100)).await;

    for (seen, cursor) in cursors.iter().enumerate() {
        let answer = feed(Some(cursor.clone())).await;
        if seen < 2 {
            assert_refused(answer, ErrorKind::HistoryExpired, "a cursor before commits that are gone");
            continue;
        }
        let commits = answer.expect("nothing after the cursor is gone");
        let numbers: Vec<_> = commits.data.iter().map(|commit| commit.tx_id).collect();
        let expected: &[u64] = [&[3][..], &[4], &[]][seen - 2];
        assert_eq!((numbers.as_slice(), commits.has_more), (expected, seen == 2), "after {seen} commits");
    }
    let from_the_first: Vec<_> = stage.feed(tenant).await.iter().map(|commit| commit.tx_id).collect();
    assert_eq!(from_the_first, [3, 4], "without a cursor it begins at the horizon");

    stage.expire(tenant, at(90), at(100)).await;
    assert_eq!(stage.feed(tenant).await, []);
    let end = feed(None).await.expect("the feed is read").next_cursor;
    stage.create(tenant, 5, named("Ada"), at(100)).await;
    let new = feed(Some(end)).await.expect("nothing after the cursor is gone");
    assert_eq!(new.data.iter().map(|commit| commit.tx_id).collect::<Vec<_>>(), [5]);
}

/// Who wrote what is there is known, whatever became of the commit.
pub async fn provenance_outlives_its_commit(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let import = Provenance { request_id: Some("r1".to_owned()), ..Provenance::new("user:bob", "import") };
    let both = Changes::none().create(contact(1), named("Ada")).create(contact(2), named("Bob"));
    stage.store.apply(tenant, both, import.clone(), at(10)).await.expect("contacts are created");
    stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(20)).await;
    let expired = stage.expire(tenant, at(50), at(100)).await;
    assert_eq!((expired.slices, expired.commits), (1, 0), "both commits are referred to");
    let of = async |n, when| stage.read(tenant, n, when, at(100)).await.map(|version| version.provenance);
    assert_eq!(of(2, At::NOW).await, Some(import.clone()));
    assert_eq!(of(1, valid_at(at(15))).await, Some(import), "of what is left of the first write");
    assert_eq!(of(1, At::NOW).await, Some(person()));

    // A commit that nothing refers to any more goes: a write over all time leaves nothing of the first.
    let always = (at(0), None);
    stage.write_valid(tenant, 1, WriteOp::Put(named("Countess")), always, at(100)).await;
    let expired = stage.expire(tenant, at(150), at(200)).await;
    assert_eq!((expired.slices, expired.commits), (2, 1));
    assert_eq!(of(1, At::NOW).await, Some(person()));
}

/// Nothing that can be asked depends on how far the removal has come.
pub async fn answers_are_the_same_between_pieces(stage: Stage) {
    let tenant = varied(&stage).await;
    stage.ended(tenant, new_run(1), large("a"), at(20)).await;
    stage.ended(tenant, new_run(2), large("a"), at(30)).await;
    let kept = stage.ended(tenant, new_run(3), large("a"), at(60)).await;
    let journal = stage.journal(tenant, kept).await;

    let mut piece = stage.store.expire(tenant, at(50), 1, at(80)).await.expect("a piece is removed");
    assert!(piece.has_more, "one piece is not all");
    let first = answers(&stage, tenant).await;
    let mut removed = (piece.runs, piece.slices, piece.commits);
    for _ in 0..100 {
        if !piece.has_more {
            break;
        }
        piece = stage.store.expire(tenant, at(50), 1, at(80)).await.expect("a piece is removed");
        removed = (removed.0 + piece.runs, removed.1 + piece.slices, removed.2 + piece.commits);
        assert_eq!(answers(&stage, tenant).await, first);
        assert_eq!(stage.journal(tenant, kept).await, journal);
        let ids = stage.run_ids(tenant, RunQuery::default()).await;
        for id in ids {
            assert!(stage.journal(tenant, id).await.steps.len() == 1, "run {id} is there in part");
        }
    }
    assert!(!piece.has_more, "the removal does not end");
    assert_eq!(removed.0, 2, "runs");
    assert!(removed.1 > 5 && removed.2 > 1, "{removed:?}");
}

/// Any number of tasks may remove at once: each thing goes once, and all of it.
pub async fn expiry_by_many_tasks_removes_everything_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 0..12 {
        stage.ended(tenant, keyed(n, &format!("key-{n}")), large(&format!("{}", n % 2)), at(20)).await;
    }
    for n in 0..12 {
        stage.create(tenant, n, named("Ada"), at(10)).await;
        stage.write(tenant, n, WriteOp::Put(named("Bob")), at(20)).await;
    }
    let removing = stage
        .in_parallel(6, move |_, store| async move { expire_all(&*store, tenant, at(50), 2, at(100)).await }.boxed());
    let all = removing.await;
    let sum = |of: fn(&Expired) -> u64| all.iter().map(of).sum::<u64>();
    assert_eq!((sum(|e| e.runs), sum(|e| e.slices), sum(|e| e.commits)), (12, 12, 0));
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, []);
    assert_eq!(stage.expire(tenant, at(50), at(100)).await, Expired::default());
    assert_eq!(stage.walk(tenant, &ListQuery::new(Kind::Contact), 20, at(100)).await, vec!["Bob"; 12]);
}

/// What is removed is one tenant's.
pub async fn expiry_leaves_other_tenants_alone(stage: Stage) {
    let [one, two] = stage.tenants().await;
    for tenant in [one, two] {
        stage.create(tenant, 1, named("Ada"), at(10)).await;
        stage.write(tenant, 1, WriteOp::Put(named("Ada King")), at(20)).await;
        stage.ended(tenant, keyed(1, "key"), large("a"), at(20)).await;
    }
    let before = (stage.journal(two, run_id(1)).await, stage.history(two, 1, 10).await, stage.feed(two).await);
    let expired = stage.expire(one, at(50), at(100)).await;
    assert_eq!((expired.runs, expired.slices), (1, 1));
    let after = (stage.journal(two, run_id(1)).await, stage.history(two, 1, 10).await, stage.feed(two).await);
    assert_eq!(after, before);
    assert_eq!(stage.name(two, 1, At::as_of(at(15)), at(100)).await.as_deref(), Some("Ada"));
    assert_eq!(stage.accept(two, keyed(1, "key"), at(100)).await.status, RunStatus::Succeeded, "the key is kept");
}

/// What has just happened is always kept.
pub async fn expiry_of_the_future_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 1, named("Ada"), at(10)).await;
    let future = stage.store.expire(tenant, at(101), 10, at(100)).await;
    assert_refused(future, ErrorKind::InvalidRequest, "a horizon in the future");
    let nothing = stage.store.expire(tenant, at(50), 0, at(100)).await;
    assert_refused(nothing, ErrorKind::InvalidRequest, "a piece of nothing");
    assert_eq!(stage.name(tenant, 1, At::as_of(at(20)), at(100)).await.as_deref(), Some("Ada"), "nothing was done");
    let present = stage.store.expire(tenant, at(100), 10, at(100)).await;
    assert!(present.is_ok(), "up to the present");
    assert_eq!(stage.name(tenant, 1, At::as_of(at(100)), at(100)).await.as_deref(), Some("Ada"));
}
