//! What [`RunStore::wait_for_work`](crate::store::RunStore::wait_for_work) promises.

use std::pin::pin;

use futures::future::join_all;
use futures::poll;

use crate::run::Transition;

use super::Stage;
use super::build::*;

/// What waiting since `seen` gives, in bearable time.
pub(super) async fn mark(stage: &Stage, seen: u64) -> u64 {
    let wait = stage.store.wait_for_work(seen);
    stage.in_time("a wake-up", wait).await.expect("waiting does not fail")
}

/// The first call gives a mark without waiting for anything.
pub async fn first_wait_returns_at_once(stage: Stage) {
    mark(&stage, 0).await;
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    mark(&stage, 0).await;
}

/// A worker that waits is woken by a new run, each time.
pub async fn enqueue_wakes_a_waiting_worker(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut seen = mark(&stage, 0).await;
    for n in 1..=3 {
        let waiting = stage.store.wait_for_work(seen);
        let mut waiting = pin!(waiting);
        // Waking without a reason is allowed; sleeping on is not.
        let early = poll!(&mut waiting);
        stage.enqueue(tenant, n, at(0)).await;
        if early.is_pending() {
            seen = stage.in_time("the wake-up after an enqueue", waiting).await.expect("waiting does not fail");
        }
        assert_eq!(stage.take(at(1)).await.run.id, run_id(n), "the worker finds what it was woken for");
    }
}

/// What comes after the mark was given and before the wait begins wakes as well.
pub async fn work_between_claim_and_wait_is_not_missed(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut seen = mark(&stage, 0).await;
    for n in 1..=3 {
        assert!(stage.claim(1, at(1)).await.is_empty(), "the worker finds nothing");
        stage.enqueue(tenant, n, at(0)).await;
        seen = mark(&stage, seen).await;
        assert_eq!(stage.take(at(1)).await.run.id, run_id(n));
    }
}

/// One new run wakes everybody who waits: any of them may be the one that can take it.
pub async fn every_waiting_worker_is_woken(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let seen = mark(&stage, 0).await;
    let mut waiting: Vec<_> = (0..8).map(|_| stage.store.wait_for_work(seen)).collect();
    for wait in &mut waiting {
        if poll!(&mut *wait).is_ready() {
            *wait = stage.store.wait_for_work(0);
        }
    }
    stage.enqueue(tenant, 1, at(0)).await;
    let woken = stage.in_time("the wake-up of all", join_all(waiting)).await;
    assert!(woken.iter().all(Result::is_ok), "{woken:?}");
}

/// A run that is given back is work, too.
pub async fn release_wakes_a_waiting_worker(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(1)).await;
    let seen = mark(&stage, 0).await;
    let commit = held.commit(Vec::new(), Transition::Release);
    held.send(&stage, commit, at(2)).await;
    mark(&stage, seen).await;
    assert_eq!(stage.take(at(2)).await.run.id, run_id(1));
}

/// A wait that is given up takes no wake-up with it.
pub async fn dropped_wait_loses_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let seen = mark(&stage, 0).await;
    {
        let dropped = stage.store.wait_for_work(seen);
        let mut dropped = pin!(dropped);
        let _ = poll!(&mut dropped);
    }
    stage.enqueue(tenant, 1, at(0)).await;
    mark(&stage, seen).await;
    assert_eq!(stage.take(at(1)).await.run.id, run_id(1));
}
