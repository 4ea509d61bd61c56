//! What [`RunStore::claim`](crate::store::RunStore::claim) promises.

use std::collections::BTreeSet;

use futures::FutureExt as _;

use crate::run::{EventType, NewRun, RunStatus, Signal, Transition, WaitingReason};

use super::Stage;
use super::build::*;

/// However many ask at once, a run goes to one of them.
pub async fn claim_gives_a_run_to_one_worker(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let runs = (0..20).map(new_run).collect();
    stage.store.enqueue(tenant, runs, at(10)).await.expect("runs are accepted");

    let claimed = stage
        .in_parallel(32, |_, store| {
            async move { store.claim(worker(1), at(20)).await.expect("a claim is answered") }.boxed()
        })
        .await;
    assert!(claimed.iter().all(|claimed| claimed.len() <= 1), "nobody gets more than was asked for");
    let taken: Vec<_> = claimed.into_iter().flatten().map(|claimed| claimed.run.id).collect();
    let distinct: BTreeSet<_> = taken.iter().collect();
    assert_eq!(taken.len(), distinct.len(), "a run was handed out twice");
    assert_eq!(distinct.len(), 20, "every run was handed out");
    assert!(stage.claim(10, at(20)).await.is_empty(), "nothing is left");
}

/// A run whose lease has expired goes to one of many as well.
pub async fn expired_run_is_taken_over_by_one_worker(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    stage.take(at(10)).await;
    let claimed = stage
        .in_parallel(32, |_, store| {
            async move { store.claim(worker(4), at(60)).await.expect("a claim is answered").len() }.boxed()
        })
        .await;
    assert_eq!(claimed.iter().sum::<usize>(), 1, "one worker takes it over: {claimed:?}");
    assert_eq!(stage.run(tenant, run_id(1)).await.attempt, 2, "it was taken twice in all");
}

/// Higher priority goes first, then the older run.
pub async fn claim_takes_priority_then_age(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for (n, priority) in (1..).zip([0, 5, 5, -5, 0, 100]) {
        stage.accept(tenant, NewRun { priority, ..new_run(n) }, at(i64::from(n))).await;
    }
    let mut order = Vec::new();
    for limit in [1, 2, 1, 1] {
        let mut ids: Vec<_> = stage.claim(limit, at(10)).await.into_iter().map(|claimed| claimed.run.id).collect();
        ids.sort();
        order.push(ids);
    }
    let expected = [vec![run_id(6)], vec![run_id(2), run_id(3)], vec![run_id(1)], vec![run_id(5)]];
    assert_eq!(order, expected);
    assert_eq!(stage.take(at(10)).await.run.id, run_id(4));
}

/// A claim takes no more than was asked for, of whatever tenant.
pub async fn claim_takes_up_to_its_limit_of_every_tenant(stage: Stage) {
    for n in 1..=3 {
        let tenant = stage.tenant(n).await;
        stage.store.enqueue(tenant, vec![new_run(n), new_run(n + 10)], at(10)).await.expect("runs are accepted");
    }
    let first = stage.claim(4, at(20)).await;
    assert_eq!(first.len(), 4, "as many as asked for");
    let rest = stage.claim(100, at(20)).await;
    assert_eq!(rest.len(), 2, "as many as there are");
    for claimed in first.iter().chain(&rest) {
        assert_eq!(claimed.lease.tenant(), claimed.run.tenant_id, "a lease names the tenant of its run");
        assert_eq!(claimed.lease.run(), claimed.run.id);
    }
    let tenants: BTreeSet<_> = first.iter().chain(&rest).map(|claimed| claimed.run.tenant_id).collect();
    assert_eq!(tenants.len(), 3, "runs of every tenant are taken");
}

/// A delayed run is not taken before its time, by whatever clock.
pub async fn claim_waits_for_run_at(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 1..=2 {
        stage.accept(tenant, NewRun { run_at: Some(at(100)), ..new_run(n) }, at(10)).await;
    }
    assert!(stage.claim(1, just_before(at(100))).await.is_empty(), "its time has not come");
    assert_eq!(stage.take(at(100)).await.run.id, run_id(1));
    assert!(stage.claim(1, just_before(at(100))).await.is_empty(), "by a clock that runs behind it has not");
    assert_eq!(stage.take(at(101)).await.run.id, run_id(2));
}

/// A worker gets runs of its blueprints; one that has begun, only at the version it began with.
pub async fn claim_takes_only_what_the_worker_has(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let claim = async |blueprint, version, now| {
        stage.store.claim(worker_with(5, blueprint, version), at(now)).await.expect("a claim is answered").len()
    };
    assert_eq!(claim("other", 1, 10).await, 0, "another blueprint");
    let none = crate::run::ClaimRequest { blueprints: Vec::new(), ..worker(5) };
    assert!(stage.store.claim(none, at(10)).await.expect("an answer").is_empty(), "no blueprint at all");

    // A run that never committed is not bound to a version.
    assert_eq!(claim(BLUEPRINT, 9, 10).await, 1, "a run that has not begun");
    let mut held = stage.take(at(50)).await;

    // Its first commit binds it.
    let commit = held.commit(Vec::new(), Transition::Continue);
    held.send(&stage, commit, at(50)).await;
    assert_eq!(claim(BLUEPRINT, 9, 100).await, 0, "another version than the run began with");
    assert_eq!(claim("other", 1, 100).await, 0, "another blueprint of the same version");
    assert_eq!(claim(BLUEPRINT, 1, 100).await, 1, "the version that the run began with");
}

/// The first claim starts a run, and says so.
pub async fn first_claim_starts_the_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let claimed = stage.claim(1, at(10)).await.pop().expect("there is a run");
    assert!(!claimed.has_journal, "nothing is journaled yet");
    assert_eq!(claimed.lease.expires_at(), at(10).after(LEASE));
    let run = stage.run(tenant, run_id(1)).await;
    assert_eq!(claimed.run, run, "the answer is what is stored");
    assert_eq!((run.status, run.attempt, run.started_at), (RunStatus::Running, 1, Some(at(10))));
    let events: Vec<_> = stage.events(tenant, run_id(1), 10).await.iter().map(|event| event.event_type).collect();
    assert_eq!(events, [EventType::RunQueued, EventType::RunStarted]);
}

/// Until it expires a lease keeps everybody else away.
pub async fn live_lease_is_not_claimed(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let held = stage.take(at(10)).await;
    assert!(stage.claim(5, at(10)).await.is_empty(), "just taken");
    assert!(stage.claim(5, just_before(held.lease.expires_at())).await.is_empty(), "about to expire");
    assert!(stage.claim(5, at(0)).await.is_empty(), "by a worker whose clock runs behind");
    assert_eq!(stage.run(tenant, run_id(1)).await.attempt, 1);
}

/// A lease that has expired is replaced by one with a higher fencing number.
pub async fn expired_lease_is_claimed_again_under_a_higher_fence(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.enqueue(tenant, 1, at(0)).await;
    let mut first = stage.take(at(10)).await;
    let commit = first.commit(vec![Done::nothing("read")], Transition::Continue);
    first.send(&stage, commit, at(12)).await;
    let expires = first.lease.expires_at();
    assert_eq!(expires, at(12).after(LEASE), "a commit extends the lease");

    // An expired run reads as running until somebody takes it.
    assert_eq!(stage.run(tenant, run_id(1)).await.status, RunStatus::Running);
    let second = stage.claim(1, expires).await.pop().expect("an expired lease can be taken");
    assert!(second.lease.fence() > first.lease.fence(), "the fencing number grows");
    assert!(second.has_journal, "it is gone on with");
    assert_eq!((second.run.attempt, second.run.started_at), (2, Some(at(10))));

    let third = stage.claim(1, second.lease.expires_at()).await.pop().expect("it expires again");
    assert!(third.lease.fence() > second.lease.fence(), "the fencing number grows each time");
    let events: Vec<_> = stage.events(tenant, run_id(1), 50).await.iter().map(|event| event.event_type).collect();
    let takeover = [EventType::LeaseLost, EventType::RunResumed];
    assert_eq!(events[events.len() - 4..], [takeover, takeover].concat(), "both takeovers are recorded");
}

/// Runs that wait or have ended are not taken, whenever.
pub async fn waiting_and_ended_runs_are_not_claimed(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let ends = [
        Transition::Wait { reason: WaitingReason::UnknownOutcome },
        Transition::Succeed { output: 1.into() },
        Transition::Fail { category: crate::run::FailureCategory::Timeout, detail: "late".to_owned() },
        Transition::Cancel,
    ];
    for (n, end) in (1..).zip(ends) {
        stage.enqueue(tenant, n, at(0)).await;
        let mut held = stage.take(at(10)).await;
        let commit = held.commit(Vec::new(), end);
        held.send(&stage, commit, at(11)).await;
    }
    stage.enqueue(tenant, 9, at(0)).await;
    let cancel = Signal::Cancel { actor: None };
    stage.store.signal(tenant, run_id(9), cancel, at(12)).await.expect("a queued run is cancelled");
    for now in [12, 100, 1_000_000] {
        let claimed = stage.claim(10, at(now)).await;
        assert!(claimed.is_empty(), "at second {now} there is nothing to take, but {claimed:?}");
    }
}
