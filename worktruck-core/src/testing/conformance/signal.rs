//! What [`RunStore::signal`](crate::store::RunStore::signal) promises.

use crate::run::{EventType, Run, RunStatus, Signal, Transition, WaitingReason};
use crate::{ErrorKind, Result, TenantId};

use super::Stage;
use super::build::*;

async fn cancel(stage: &Stage, tenant: TenantId, now: i64) -> Result<Run> {
    let signal = Signal::Cancel { actor: Some("user:ada".to_owned()) };
    stage.store.signal(tenant, run_id(1), signal, at(now)).await
}

async fn assert_cancelled(stage: &Stage, tenant: TenantId, answer: Result<Run>, now: i64) {
    let run = stage.run(tenant, run_id(1)).await;
    assert_eq!(answer.expect("the run is cancelled"), run, "the answer is what is stored");
    assert_eq!((run.status, run.finished_at), (RunStatus::Cancelled, Some(at(now))));
    let events = stage.events(tenant, run_id(1), 50).await;
    let last: Vec<_> = events[events.len() - 2..].iter().map(|e| (e.event_type, e.actor.as_deref())).collect();
    assert_eq!(last, [(EventType::RunCancelRequested, Some("user:ada")), (EventType::RunCancelled, None)]);
    assert!(stage.claim(1, at(100_000)).await.is_empty(), "a cancelled run is not handed out");
}

/// A run that nobody has begun ends when it is cancelled.
pub async fn cancel_ends_a_queued_run_at_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let answer = cancel(&stage, tenant, 10).await;
    assert_cancelled(&stage, tenant, answer, 10).await;
}

/// A run in a worker's hands is marked; the worker ends it.
pub async fn cancel_marks_a_running_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let run = cancel(&stage, tenant, 20).await.expect("the run is marked");
    assert_eq!((run.status, run.cancel_requested_at), (RunStatus::Running, Some(at(20))));
    assert_eq!(stage.run(tenant, run_id(1)).await, run, "the answer is what is stored");
    assert!(stage.claim(1, at(21)).await.is_empty(), "the worker still holds it");

    // The first request counts, and is recorded once.
    let again = cancel(&stage, tenant, 25).await.expect("a second request is harmless");
    assert_eq!(again.cancel_requested_at, Some(at(20)));
    let kinds: Vec<_> = stage.events(tenant, run_id(1), 50).await.iter().map(|event| event.event_type).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventType::RunCancelRequested).count(), 1, "{kinds:?}");

    let commit = held.commit(Vec::new(), Transition::Cancel);
    held.send(&stage, commit, at(26)).await;
    assert_eq!(stage.run(tenant, run_id(1)).await.status, RunStatus::Cancelled);
}

/// Nobody would end a run whose worker is gone, so the cancellation does; the worker gets nothing in.
pub async fn cancel_ends_a_run_without_a_live_lease(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let held = stage.take(at(10)).await;
    let answer = cancel(&stage, tenant, 40).await;
    assert_cancelled(&stage, tenant, answer, 40).await;
    let commit = held.commit(vec![Done::nothing("late")], Transition::Continue);
    let late = stage.store.commit(&held.lease, commit, at(41)).await;
    assert_refused(late, ErrorKind::LeaseLost, "a commit after the cancellation");
}

/// A run that waits for a person ends when it is cancelled.
pub async fn cancel_ends_a_waiting_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let commit = held.commit(Vec::new(), Transition::Wait { reason: WaitingReason::UnknownOutcome });
    held.send(&stage, commit, at(11)).await;
    let answer = cancel(&stage, tenant, 20).await;
    assert_eq!(answer.as_ref().ok().and_then(|run| run.waiting_reason), None, "it waits for nothing any more");
    assert_cancelled(&stage, tenant, answer, 20).await;
}

/// What has ended stays as it ended.
pub async fn cancel_of_an_ended_run_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let commit = held.commit(Vec::new(), Transition::Succeed { output: "done".into() });
    held.send(&stage, commit, at(11)).await;
    let before = (stage.run(tenant, run_id(1)).await, stage.events(tenant, run_id(1), 50).await);
    assert_refused(cancel(&stage, tenant, 20).await, ErrorKind::Conflict, "a cancellation after the end");
    let after = (stage.run(tenant, run_id(1)).await, stage.events(tenant, run_id(1), 50).await);
    assert_eq!(after, before, "a refused cancellation left something");
}

/// A signal needs a run.
pub async fn signal_to_an_unknown_run_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    assert_refused(cancel(&stage, tenant, 10).await, ErrorKind::NotFound, "a cancellation of nothing");
}
