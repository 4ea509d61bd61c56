//! What [`RunStore::commit`](crate::store::RunStore::commit) promises.

use futures::FutureExt as _;
use serde_json::json;

use crate::entity::Kind;
use crate::journal::OpenCall;
use crate::run::{Commit, EventType, FailureCategory, Lease, NewEvent, RunStatus, Signal, Transition};
use crate::store::{Changes, CommitOutcome, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{ApprovalId, Digest, ErrorKind, NanoUsd, TenantId};

use super::Stage;
use super::build::*;

fn creates(n: u32) -> Done {
    Done::with(Changes::none().create(contact(n), named(&format!("number {n}"))))
}

fn succeed() -> Transition {
    Transition::Succeed { output: json!({ "proposals": 2 }) }
}

async fn run_in_hand(stage: &Stage, tenant: TenantId) -> Held {
    stage.enqueue(tenant, 1, at(0)).await;
    stage.take(at(10)).await
}

/// Everything of a tenant and a run that a commit can touch.
async fn picture(stage: &Stage, tenant: TenantId) -> impl PartialEq + std::fmt::Debug {
    (
        stage.run(tenant, run_id(1)).await,
        stage.journal(tenant, run_id(1)).await,
        stage.events(tenant, run_id(1), 200).await,
        stage.feed(tenant).await,
        stage.walk(tenant, &ListQuery::new(Kind::Contact), 50, at(500)).await,
    )
}

async fn refuse(stage: &Stage, lease: &Lease, commit: Commit, kind: ErrorKind, what: &str) {
    let before = picture(stage, lease.tenant()).await;
    assert_refused(stage.store.commit(lease, commit, at(20)).await, kind, what);
    assert_eq!(picture(stage, lease.tenant()).await, before, "{what} left something");
}

/// A commit takes effect with its steps, its changes, its events and its move, or leaves no trace.
pub async fn commit_is_all_or_nothing_with_its_changes(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;

    // A fault in the last step undoes the first; one in the chain undoes the changes.
    let before = picture(&stage, tenant).await;
    let faulty = || held.commit(vec![creates(1), creates(2), creates(1)], succeed());
    let outcome = stage.store.commit(&held.lease, faulty(), at(20)).await.expect("a conflict is an outcome");
    assert!(matches!(outcome, CommitOutcome::Conflicted { .. }), "the third step conflicts: {outcome:?}");
    assert_eq!(picture(&stage, tenant).await, before, "a conflict left something");
    let mut gap = held.commit(vec![creates(1), creates(2), creates(3)], succeed());
    gap.steps.remove(1);
    refuse(&stage, &held.lease, gap, ErrorKind::Conflict, "a gap in the chain").await;

    // Without a fault every part of it is there.
    let mut commit = held.commit(vec![creates(1), Done::nothing("read"), creates(2)], succeed());
    commit.events.push(NewEvent::with(EventType::GuardrailDecision, json!({ "verdict": "allow" })));
    let steps: Vec<_> = commit.steps.iter().map(|step| step.step.clone()).collect();
    held.send(&stage, commit, at(30)).await;

    assert_eq!(stage.journal(tenant, run_id(1)).await.steps, steps, "the steps are journaled");
    let names = stage.walk(tenant, &ListQuery::new(Kind::Contact), 10, at(40)).await;
    assert_eq!(names, ["number 1", "number 2"], "the changes are made");
    let run = stage.run(tenant, run_id(1)).await;
    assert_eq!(run, held.run, "the answer is what is stored");
    assert_eq!(
        (run.status, run.output, run.finished_at),
        (RunStatus::Succeeded, Some(json!({"proposals": 2})), Some(at(30)))
    );
    assert_eq!(run.cost.0, NanoUsd::new(1_001 + 1_002 + 1_003), "the cost is the sum of the steps");
    let kinds: Vec<_> = stage.events(tenant, run_id(1), 50).await.iter().map(|event| event.event_type).collect();
    assert!(kinds.contains(&EventType::GuardrailDecision), "its own events are recorded: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == EventType::StepRecorded).count(), 3, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EventType::RunSucceeded), "the move is recorded last: {kinds:?}");
}

/// Who lost the run can write nothing of it, however it tries.
pub async fn commit_under_a_stale_lease_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let zombie = run_in_hand(&stage, tenant).await;
    let mut held = stage.take(at(50)).await;

    // Before and after the new holder has written.
    let commits = |zombie: &Held| {
        [
            zombie.commit(vec![creates(1)], Transition::Continue),
            zombie.commit(Vec::new(), succeed()),
            zombie.commit(Vec::new(), Transition::Release),
        ]
    };
    for commit in commits(&zombie) {
        refuse(&stage, &zombie.lease, commit, ErrorKind::LeaseLost, "a commit after a takeover").await;
    }
    let commit = held.commit(vec![creates(2)], Transition::Continue);
    held.send(&stage, commit, at(60)).await;
    for commit in commits(&zombie) {
        refuse(&stage, &zombie.lease, commit, ErrorKind::LeaseLost, "a commit after the new holder's").await;
    }

    // Neither a number too high nor a later end makes a lease good.
    let forged = Lease::new(tenant, run_id(1), held.lease.fence() + 1, at(9_999));
    let commit = held.commit(vec![creates(3)], Transition::Continue);
    refuse(&stage, &forged, commit, ErrorKind::LeaseLost, "a commit under a number that was never given").await;
    let late = Lease::new(tenant, run_id(1), zombie.lease.fence(), at(9_999));
    let commit = held.commit(vec![creates(3)], Transition::Continue);
    refuse(&stage, &late, commit, ErrorKind::LeaseLost, "a commit under an old number").await;

    // The holder goes on undisturbed.
    let commit = held.commit(vec![creates(3)], succeed());
    held.send(&stage, commit, at(70)).await;
    let names = stage.walk(tenant, &ListQuery::new(Kind::Contact), 10, at(80)).await;
    assert_eq!(names, ["number 2", "number 3"], "what the holder wrote, and nothing else");
}

/// A lease that expired but was not taken can still commit: safety rests on the number, not on clocks.
pub async fn late_commit_before_a_takeover_takes_effect(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let commit = held.commit(vec![creates(1)], Transition::Continue);
    held.send(&stage, commit, at(1_000)).await;
    assert_eq!(held.lease.expires_at(), at(1_000).after(LEASE), "it is held again");
    assert!(stage.claim(1, at(1_010)).await.is_empty());
}

/// A step whose changes rest on something that is no longer so is named, and nothing is written.
pub async fn commit_of_a_conflicting_change_names_the_step_and_writes_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 9, named("Ada"), at(1)).await;
    let mut held = run_in_hand(&stage, tenant).await;

    // The agent read version 1; a person writes version 2 before the commit.
    stage.write(tenant, 9, WriteOp::Put(named("Ada King")), at(15)).await;
    let changes = Changes::none()
        .require(Require::Version { key: contact(9), version: 1 })
        .write(contact(9), WriteOp::Put(named("overwritten")));
    let before = picture(&stage, tenant).await;
    let commit = held.commit(vec![creates(1), Done::with(changes), creates(2)], succeed());
    match stage.store.commit(&held.lease, commit, at(20)).await.expect("a conflict is an outcome") {
        CommitOutcome::Conflicted { seq, error } => {
            assert_eq!((seq, error.kind()), (2, ErrorKind::VersionMismatch), "{}", error.chain());
        }
        CommitOutcome::Committed { .. } => panic!("a step that rests on an old version is committed"),
    }
    assert_eq!(picture(&stage, tenant).await, before, "a conflict left something");

    // A duplicate and a deletion of nothing are conflicts of the same sort.
    let others = [
        (creates(9), ErrorKind::Conflict),
        (Done::with(Changes::none().write(contact(8), WriteOp::Delete)), ErrorKind::NotFound),
    ];
    for (done, kind) in others {
        let commit = held.commit(vec![done], Transition::Continue);
        match stage.store.commit(&held.lease, commit, at(20)).await.expect("a conflict is an outcome") {
            CommitOutcome::Conflicted { seq, error } => assert_eq!((seq, error.kind()), (1, kind)),
            CommitOutcome::Committed { .. } => panic!("a step that cannot be applied is committed"),
        }
    }

    // The worker still holds the run, and the step made again on what is so now goes through.
    let changes = Changes::none()
        .require(Require::Version { key: contact(9), version: 2 })
        .write(contact(9), WriteOp::Put(named("Ada Lovelace")));
    let commit = held.commit(vec![creates(1), Done::with(changes)], succeed());
    held.send(&stage, commit, at(30)).await;
    assert_eq!(stage.name(tenant, 9, At::NOW, at(40)).await.as_deref(), Some("Ada Lovelace"));
}

/// Steps join the chain one after the other, and the snapshot comes with the first commit only.
pub async fn commit_refuses_steps_out_of_order(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let three = |held: &Held| held.commit(vec![creates(1), creates(2), creates(3)], Transition::Continue);

    let mut skipping = three(&held);
    skipping.steps.remove(0);
    refuse(&stage, &held.lease, skipping, ErrorKind::Conflict, "a chain that skips its first step").await;
    let mut swapped = three(&held);
    swapped.steps.swap(1, 2);
    refuse(&stage, &held.lease, swapped, ErrorKind::Conflict, "swapped steps").await;
    let mut twice = three(&held);
    twice.steps[2] = twice.steps[1].clone();
    refuse(&stage, &held.lease, twice, ErrorKind::Conflict, "a step that comes twice").await;
    let mut without = three(&held);
    let snapshot = without.snapshot.take();
    refuse(&stage, &held.lease, without, ErrorKind::Conflict, "a first commit without a snapshot").await;

    let first = three(&held);
    held.send(&stage, first.clone(), at(20)).await;
    let mut again = first;
    (again.snapshot, again.number) = (None, 2);
    refuse(&stage, &held.lease, again, ErrorKind::Conflict, "steps that are in the chain").await;
    let mut skipping = held.commit(vec![creates(4)], Transition::Continue);
    skipping.number = 3;
    refuse(&stage, &held.lease, skipping, ErrorKind::Conflict, "a commit that skips a number").await;
    let mut late = held.commit(vec![creates(4)], Transition::Continue);
    late.snapshot = snapshot;
    refuse(&stage, &held.lease, late, ErrorKind::Conflict, "a second snapshot").await;
    let next = held.commit(vec![creates(4)], Transition::Continue);
    held.send(&stage, next, at(30)).await;
    assert_eq!(stage.journal(tenant, run_id(1)).await.steps.len(), 4);
}

/// A commit made again because its answer was lost is answered, and does nothing twice.
pub async fn commit_made_again_changes_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let again = async |lease: &Lease, commit: &Commit, what: &str| {
        let before = picture(&stage, tenant).await;
        match stage.store.commit(lease, commit.clone(), at(35)).await {
            Ok(CommitOutcome::Committed { run, .. }) => {
                assert_eq!(run, stage.run(tenant, run_id(1)).await, "{what} is answered with the run as it is");
            }
            other => panic!("{what} is answered with {other:?}"),
        }
        assert_eq!(picture(&stage, tenant).await, before, "{what} did something twice");
    };

    // Whether the run goes on, is given back or ends.
    let lease = held.lease.clone();
    let first = held.commit(vec![creates(1), creates(2)], Transition::Continue);
    held.send(&stage, first.clone(), at(20)).await;
    again(&lease, &first, "a commit made again").await;
    again(&lease, &first, "a commit made a third time").await;
    let release = held.commit(vec![creates(3)], Transition::Release);
    held.send(&stage, release.clone(), at(21)).await;
    again(&lease, &release, "a release made again").await;

    // Only the last commit, and only by who made it.
    refuse(&stage, &lease, first, ErrorKind::LeaseLost, "a commit before the last, made again").await;
    let mut held = stage.take(at(30)).await;
    refuse(&stage, &lease, release, ErrorKind::LeaseLost, "a commit made again after a takeover").await;
    assert_eq!(stage.journal(tenant, run_id(1)).await.commits, 2, "the journal counts them");
    let lease = held.lease.clone();
    let last = held.commit(vec![creates(4)], succeed());
    held.send(&stage, last.clone(), at(31)).await;
    again(&lease, &last, "the last commit made again").await;
    let names = stage.walk(tenant, &ListQuery::new(Kind::Contact), 10, at(50)).await;
    assert_eq!(names, ["number 1", "number 2", "number 3", "number 4"]);
}

/// A worker can give back or end a run before anything is recorded of it.
pub async fn run_can_be_given_back_before_it_has_a_snapshot(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    for transition in [Transition::Release, Transition::Release, Transition::Cancel] {
        let mut commit = held.commit(Vec::new(), transition);
        commit.snapshot = None;
        held.send(&stage, commit, at(11)).await;
        if held.run.status == RunStatus::Queued {
            held = stage.take(at(12)).await;
        }
    }
    assert_eq!(stage.run(tenant, run_id(1)).await.status, RunStatus::Cancelled);
    assert_eq!(stage.journal(tenant, run_id(1)).await.snapshot, None, "nothing was recorded");
}

/// A commit on a run that does not exist, or is another tenant's, is refused.
pub async fn commit_of_an_unknown_run_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let held = run_in_hand(&stage, tenant).await;
    let commit = held.commit(vec![Done::nothing("read")], Transition::Continue);
    let unknown = Lease::new(tenant, run_id(2), 1, at(100));
    let refused = stage.store.commit(&unknown, commit, at(20)).await;
    assert_refused(refused, ErrorKind::NotFound, "a commit on a run that does not exist");
}

/// A run given back can be taken at once, and the attempt does not count.
pub async fn released_run_is_claimed_at_once_and_keeps_its_attempts(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let old = held.lease.clone();
    let commit = held.commit(vec![creates(1)], Transition::Release);
    held.send(&stage, commit, at(12)).await;
    assert_eq!((held.run.status, held.run.attempt), (RunStatus::Queued, 0));

    let next = stage.claim(1, at(12)).await.pop().expect("a released run can be taken at once");
    assert!(next.has_journal, "it goes on from its journal");
    assert!(next.lease.fence() > old.fence(), "under a higher fencing number");
    assert_eq!((next.run.attempt, next.run.started_at), (1, Some(at(10))));
    let mut late = held.commit(vec![creates(2)], Transition::Continue);
    late.snapshot = None;
    refuse(&stage, &old, late, ErrorKind::LeaseLost, "a commit after a release").await;
}

/// The changes of every step are a commit of their own, made by that step, later than the last.
pub async fn changes_of_every_step_are_a_commit_of_their_own(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.create(tenant, 9, named("Ada"), at(100)).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;

    // A later step sees what an earlier one of the same commit wrote; the clock runs behind.
    let first = creates(1);
    let third = Done::with(
        Changes::none()
            .require(Require::Version { key: contact(1), version: 1 })
            .write(contact(1), WriteOp::Patch(json!({ "nickname": "one" })))
            .create(contact(3), named("number 3")),
    );
    let commit = held.commit(vec![first, Done::nothing("read"), third], Transition::Continue);
    held.send(&stage, commit, at(20)).await;

    let feed = stage.feed(tenant).await;
    let numbers: Vec<_> = feed.iter().map(|commit| commit.tx_id).collect();
    assert_eq!(numbers, [1, 2, 3], "a number for each step that changes something, and for no other");
    assert!(feed.is_sorted_by(|a, b| a.committed_at < b.committed_at), "system time grows: {feed:?}");
    let steps: Vec<_> = feed[1..].iter().map(|c| (c.provenance.run_id, c.provenance.step_seq)).collect();
    assert_eq!(steps, [(Some(run_id(1)), Some(1)), (Some(run_id(1)), Some(3))], "each says which step made it");
    let version = stage.read(tenant, 1, At::NOW, at(200)).await.expect("the contact exists");
    assert_eq!((version.slice.version, version.slice.tx_id), (2, 3));
    assert_eq!(version.provenance, feed[2].provenance, "so does the version");
    assert!(feed[1].provenance.captured_by.contains(BLUEPRINT), "the agent is named: {:?}", feed[1].provenance);

    // A commit that only journals takes no number.
    let commit = held.commit(vec![Done::nothing("read")], Transition::Continue);
    held.send(&stage, commit, at(21)).await;
    assert_eq!(stage.create(tenant, 5, named("Eve"), at(300)).await.tx_id, 4, "the next number");
}

/// Workers that commit at the same moment lose nothing and share no number.
pub async fn commits_of_many_runs_at_once_are_all_kept(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let held = many_runs_in_hand(&stage, tenant, 16).await;
    let shared = stage.clone();
    let mut done = stage
        .in_parallel(16, move |n, _| {
            let (stage, mut held) = (shared.clone(), held[index(n)].clone());
            async move {
                for m in 0..3 {
                    let steps = vec![Done::nothing("read"), creates(10 * n + m)];
                    let commit = held.commit(steps, Transition::Continue);
                    held.send(&stage, commit, at(20)).await;
                }
                let commit = held.commit(Vec::new(), succeed());
                held.send(&stage, commit, at(21)).await;
                held.run
            }
            .boxed()
        })
        .await;
    done.sort_by_key(|run| run.id);
    for (n, run) in (1..).zip(done) {
        assert_eq!(run.id, run_id(n));
        assert_eq!(stage.run(tenant, run.id).await, run, "the answer is what is stored");
        assert_eq!(stage.journal(tenant, run.id).await.steps.len(), 6, "every step of {} is kept", run.id);
    }
    let feed = stage.feed(tenant).await;
    let numbers: Vec<_> = feed.iter().map(|commit| commit.tx_id).collect();
    assert_eq!(numbers, (1..=48).collect::<Vec<u64>>(), "a number for each step that changed something");
    assert!(feed.is_sorted_by(|a, b| a.committed_at < b.committed_at), "system time grows with the numbers");
    assert_eq!(stage.walk(tenant, &ListQuery::new(Kind::Contact), 200, at(500)).await.len(), 48);
}

/// Of workers that want the same at the same moment one wins, and the others are told and go on.
pub async fn one_of_many_runs_creates_an_entity(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let held = many_runs_in_hand(&stage, tenant, 16).await;
    let shared = stage.clone();
    let outcomes = stage
        .in_parallel(16, move |n, store| {
            let (stage, mut held) = (shared.clone(), held[index(n)].clone());
            async move {
                let commit = held.commit(vec![creates(1)], Transition::Continue);
                match store.commit(&held.lease, commit, at(20)).await.expect("every worker holds its run") {
                    CommitOutcome::Committed { .. } => true,
                    CommitOutcome::Conflicted { error, .. } => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
                        let commit = held.commit(vec![Done::nothing("it exists")], succeed());
                        held.send(&stage, commit, at(21)).await;
                        false
                    }
                }
            }
            .boxed()
        })
        .await;
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "one creates it: {outcomes:?}");
    assert_eq!(stage.feed(tenant).await.len(), 1, "it was created once");
}

async fn many_runs_in_hand(stage: &Stage, tenant: TenantId, count: u32) -> Vec<Held> {
    let mut held = Vec::new();
    for n in 1..=count {
        stage.enqueue(tenant, n, at(0)).await;
        held.push(stage.take(at(10)).await);
    }
    held
}

fn index(n: u32) -> usize {
    usize::try_from(n).expect("a small number")
}

/// The holder learns of a cancellation from its commit, which still counts.
pub async fn commit_tells_of_a_cancellation(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let cancel = Signal::Cancel { actor: None };
    stage.store.signal(tenant, run_id(1), cancel, at(15)).await.expect("a running run is cancelled");
    let commit = held.commit(vec![creates(1)], Transition::Continue);
    held.send(&stage, commit, at(20)).await;
    assert_eq!((held.run.status, held.run.cancel_requested_at), (RunStatus::Running, Some(at(15))));
    let commit = held.commit(Vec::new(), Transition::Cancel);
    held.send(&stage, commit, at(21)).await;
    assert_eq!(held.run.status, RunStatus::Cancelled);
    assert_eq!(stage.name(tenant, 1, At::NOW, at(30)).await.as_deref(), Some("number 1"), "what was done stays");
}

/// Calls that are open, and money set aside, are there for whoever takes over.
pub async fn open_calls_and_reservations_are_kept_until_settled(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant).await;
    let open = |seq| OpenCall {
        seq,
        name: "http_post".to_owned(),
        call_digest: Digest::of_bytes(&[u8::try_from(seq).expect("small")]),
        approval: (seq == 3).then(|| ApprovalId::from_uuid(uuid(6, 1))),
        receipt: None,
    };

    // Two calls are opened before they are made.
    let mut commit = held.commit(vec![Done::nothing("turn")], Transition::Continue);
    commit.calls = vec![open(2), open(3)];
    (commit.reserved, commit.forfeited) = (NanoUsd::new(500), NanoUsd::new(70));
    held.send(&stage, commit, at(12)).await;
    let journal = stage.journal(tenant, run_id(1)).await;
    assert_eq!(journal.calls, [open(2), open(3)]);
    assert_eq!((journal.reserved, journal.forfeited), (NanoUsd::new(500), NanoUsd::new(70)));

    // The second comes back first: its receipt waits for the first.
    let receipt = crate::journal::Receipt {
        outcome: crate::journal::StepOutcome::Error,
        output: json!({ "status": 503 }),
        fatal: Some(FailureCategory::ToolFailed),
        started_at: at(12),
        completed_at: at(13),
    };
    let back = OpenCall { receipt: Some(receipt), ..open(3) };
    let mut commit = held.commit(Vec::new(), Transition::Continue);
    commit.calls = vec![back.clone()];
    held.send(&stage, commit, at(13)).await;
    let taken = stage.take(at(100)).await;
    let journal = stage.journal(tenant, taken.run.id).await;
    assert_eq!(journal.calls, [open(2), back], "whoever takes over sees both");
    assert_eq!((journal.reserved, journal.forfeited), (NanoUsd::ZERO, NanoUsd::ZERO), "as the last commit said");

    // What joins the chain is open no longer.
    let mut taken = taken;
    let commit = taken.commit(vec![Done::nothing("one")], Transition::Continue);
    taken.send(&stage, commit, at(101)).await;
    let calls: Vec<_> = stage.journal(tenant, run_id(1)).await.calls.into_iter().map(|call| call.seq).collect();
    assert_eq!(calls, [3]);
    let commit = taken.commit(vec![Done::nothing("two")], Transition::Continue);
    taken.send(&stage, commit, at(102)).await;
    assert_eq!(stage.journal(tenant, run_id(1)).await.calls, []);
}
