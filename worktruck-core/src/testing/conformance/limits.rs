//! How [`RunStore::claim`](crate::store::RunStore::claim) keeps to limits of runs at once.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use serde_json::Value;

use crate::entity::agent_config::AgentConfig;
use crate::run::{Claimed, NewRun, RunStatus, Transition, WaitingReason};
use crate::store::{Changes, RunQuery};
use crate::temporal::{At, WriteOp};
use crate::{TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// No claim takes more than the limit leaves room for; what ends, waits or is given back makes room.
pub async fn claim_keeps_to_the_limit_of_runs(stage: Stage) {
    let tenant = stage.tenant(1).await;
    limit(&stage, tenant, BLUEPRINT, Some(2), at(0)).await;
    for n in 1..=6 {
        stage.enqueue(tenant, n, at(i64::from(n))).await;
    }
    let claimed = stage.claim(10, at(10)).await;
    assert_eq!(ids_of(&claimed), [1, 2].map(run_id), "two in one claim");
    assert!(stage.claim(10, at(11)).await.is_empty(), "and none in the next");

    let mut held = BTreeMap::new();
    for claimed in claimed {
        held.insert(claimed.run.id, stage.hold(claimed).await);
    }
    let leave = async |held: Option<Held>, transition, now| {
        let mut held = held.expect("the run is held");
        let commit = held.commit(Vec::new(), transition);
        held.send(&stage, commit, now).await;
    };
    leave(held.remove(&run_id(1)), Transition::Succeed { output: Value::Null }, at(12)).await;
    let third = stage.take(at(13)).await;
    assert_eq!(third.run.id, run_id(3), "one has ended");
    assert!(stage.claim(10, at(14)).await.is_empty());

    let reason = WaitingReason::UnknownOutcome;
    leave(held.remove(&run_id(2)), Transition::Wait { reason }, at(15)).await;
    assert_eq!(ids_of(&stage.claim(10, at(16)).await), [run_id(4)], "one waits");

    leave(Some(third), Transition::Release, at(17)).await;
    assert_eq!(ids_of(&stage.claim(10, at(18)).await), [run_id(3)], "what was given back is queued like the others");
}

/// However many claim at once, no more run than the limit allows.
pub async fn many_claims_at_once_keep_to_the_limit_of_runs(stage: Stage) {
    let tenant = stage.tenant(1).await;
    limit(&stage, tenant, BLUEPRINT, Some(3), at(0)).await;
    stage.store.enqueue(tenant, (0..50).map(new_run).collect(), at(0)).await.expect("runs are accepted");
    for (wave, room) in [(1, 3), (2, 1)] {
        let now = at(10 + wave);
        let claimed = stage
            .in_parallel(32, move |n, store| {
                let limit = usize::try_from(n % 3 + 1).expect("a small number");
                async move { store.claim(worker(limit), now).await.expect("a claim is answered") }.boxed()
            })
            .await;
        let mut claimed: Vec<Claimed> = claimed.into_iter().flatten().collect();
        assert_eq!(claimed.len(), room, "handed out in wave {wave}");
        let running = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
        assert_eq!(stage.run_ids(tenant, running).await.len(), 3, "running after wave {wave}");
        let mut held = stage.hold(claimed.remove(0)).await;
        let commit = held.commit(Vec::new(), Transition::Cancel);
        held.send(&stage, commit, now).await;
    }
}

/// A run whose worker is gone takes up room until it ends, and is never held back itself.
pub async fn expired_run_counts_and_is_taken_over_at_the_limit(stage: Stage) {
    let tenant = stage.tenant(1).await;
    limit(&stage, tenant, BLUEPRINT, Some(2), at(0)).await;
    for n in 1..=2 {
        stage.enqueue(tenant, n, at(0)).await;
        // A journal binds it to its version.
        let mut held = stage.take(at(10)).await;
        let commit = held.commit(Vec::new(), Transition::Continue);
        held.send(&stage, commit, at(10)).await;
    }
    stage.accept(tenant, NewRun { priority: 100, ..new_run(3) }, at(20)).await;
    limit(&stage, tenant, BLUEPRINT, Some(1), at(21)).await;

    let newer = stage.store.claim(worker_with(5, BLUEPRINT, 9), at(50)).await.expect("a claim is answered");
    assert!(newer.is_empty(), "expired runs that this worker cannot take count");
    assert_eq!(ids_of(&stage.claim(5, at(50)).await), [1, 2].map(run_id), "both are taken over, the queued one is not");
    assert!(stage.claim(5, at(51)).await.is_empty(), "taken over, they count as before");
}

/// What a limit holds back keeps neither other blueprints nor other tenants waiting.
pub async fn run_held_back_by_a_limit_blocks_no_other(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    limit(&stage, one, BLUEPRINT, Some(1), at(0)).await;
    let urgent = (1..=30).map(|n| NewRun { priority: 100, ..new_run(n) }).collect();
    stage.store.enqueue(one, urgent, at(0)).await.expect("runs are accepted");
    for n in [41, 42] {
        stage.accept(one, NewRun { agent_blueprint: OTHER.to_owned(), ..new_run(n) }, at(1)).await;
    }
    for n in 51..=54 {
        stage.enqueue(two, n, at(2)).await;
    }
    let claim =
        async |limit, now| ids_of(&stage.store.claim(worker_of_both(limit), now).await.expect("a claim is answered"));
    assert_eq!(claim(4, at(10)).await, [1, 41, 51, 52].map(run_id), "29 runs are held back and have no rank");
    assert_eq!(claim(1, at(11)).await, [run_id(42)], "neither keep they their tenant from its turn");
    assert_eq!(claim(9, at(12)).await, [53, 54].map(run_id), "nor another tenant");
}

/// A limit is no other tenant's, and no other blueprint's.
pub async fn limit_is_that_of_one_tenant_and_blueprint(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    limit(&stage, one, BLUEPRINT, Some(1), at(0)).await;
    limit(&stage, two, OTHER, Some(2), at(0)).await;
    for (tenant, n) in [(one, 10), (two, 50)] {
        for n in n..n + 3 {
            stage.enqueue(tenant, n, at(i64::from(n))).await;
            stage
                .accept(tenant, NewRun { agent_blueprint: OTHER.to_owned(), ..new_run(n + 20) }, at(i64::from(n)))
                .await;
        }
    }
    let claimed = stage.store.claim(worker_of_both(50), at(100)).await.expect("a claim is answered");
    let expected = [10, 30, 31, 32, 50, 51, 52, 70, 71].map(run_id);
    assert_eq!(ids_of(&claimed), expected, "one of the first tenant's blueprint, two of the second's other one");
}

/// The limit is the one that a reader of the present sees, which may begin, end and change by plan.
pub async fn limit_holds_as_it_is_at_the_claim(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    limit(&stage, one, BLUEPRINT, Some(1), at(0)).await;
    let wider = valid(WriteOp::Put(config(BLUEPRINT, Some(3))), at(100), Some(at(200)));
    stage.apply(one, Changes::none().write_valid(config_key(BLUEPRINT), wider), at(1)).await;
    let end = valid(WriteOp::Delete, at(300), None);
    stage.apply(one, Changes::none().write_valid(config_key(BLUEPRINT), end), at(2)).await;
    stage.store.enqueue(one, (1..=6).map(new_run).collect(), at(3)).await.expect("runs are accepted");

    assert_eq!(stage.claim(9, at(90)).await.len(), 1, "before it widens");
    assert!(stage.claim(9, just_before(at(100))).await.is_empty());
    assert_eq!(stage.claim(9, at(100)).await.len(), 2, "as soon as it widens");
    let taken_over = stage.claim(9, at(200)).await;
    assert_eq!(taken_over.len(), 3, "it has narrowed again");
    assert!(taken_over.iter().all(|claimed| claimed.run.attempt == 2), "all of them had expired");
    assert!(stage.claim(9, just_before(at(230))).await.is_empty());
    let rest = stage.claim(9, at(300)).await;
    assert_eq!(rest.iter().filter(|claimed| claimed.run.attempt == 1).count(), 3, "it has ended");

    // A worker whose clock runs behind sees the present of all others: what was committed, and what
    // came to be by plan before a moment that somebody has read.
    stage.store.enqueue(two, (11..=14).map(new_run).collect(), at(0)).await.expect("runs are accepted");
    limit(&stage, two, BLUEPRINT, Some(2), at(50)).await;
    assert_eq!(ids_of(&stage.claim(9, at(10)).await), [11, 12].map(run_id));
    let wider = valid(WriteOp::Put(config(BLUEPRINT, Some(3))), at(100), None);
    stage.apply(two, Changes::none().write_valid(config_key(BLUEPRINT), wider), at(51)).await;
    assert!(stage.claim(9, at(11)).await.is_empty(), "its time has not come");
    stage.store.entity(two, config_key(BLUEPRINT), At::as_of(at(100)), at(100)).await.expect("a config is read");
    assert_eq!(ids_of(&stage.claim(9, at(12)).await), [run_id(13)]);
}

/// More runs are given out as soon as the limit is raised or gone; a lower one takes none back.
pub async fn raised_limit_frees_runs_at_once(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.store.enqueue(tenant, (1..=9).map(new_run).collect(), at(0)).await.expect("runs are accepted");
    for (now, most, expected) in [(10, Some(1), 1), (11, Some(4), 3), (12, Some(4), 0), (13, Some(2), 0), (14, None, 5)]
    {
        limit(&stage, tenant, BLUEPRINT, most, at(now)).await;
        assert_eq!(stage.claim(20, at(now)).await.len(), expected, "with the limit {most:?}");
    }
    limit(&stage, tenant, BLUEPRINT, Some(1), at(15)).await;
    stage.enqueue(tenant, 10, at(15)).await;
    assert!(stage.claim(20, at(15)).await.is_empty());
    let running = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
    assert_eq!(stage.run_ids(tenant, running).await.len(), 9, "all go on");
}

/// Another blueprint than that of most scenarios.
const OTHER: &str = "follow_up";

/// A worker that has both blueprints.
fn worker_of_both(limit: usize) -> crate::run::ClaimRequest {
    let mut worker = worker(limit);
    worker.blueprints.extend(worker_with(limit, OTHER, 1).blueprints);
    worker
}

/// Saves a config of `blueprint` with this limit.
async fn limit(stage: &Stage, tenant: TenantId, blueprint: &str, limit: Option<u32>, now: Timestamp) {
    let put = WriteOp::Put(config(blueprint, limit));
    stage.apply(tenant, Changes::none().write(config_key(blueprint), put), now).await;
}

fn config(blueprint: &str, max_concurrent_runs: Option<u32>) -> Value {
    let config = AgentConfig { max_concurrent_runs, ..AgentConfig::new(blueprint) };
    serde_json::to_value(config).expect("a config is JSON")
}

fn config_key(blueprint: &str) -> crate::store::EntityKey {
    agent_config(if blueprint == BLUEPRINT { 1 } else { 2 })
}
