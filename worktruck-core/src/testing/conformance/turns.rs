//! In which order [`RunStore::claim`](crate::store::RunStore::claim) takes the runs of tenants.

use serde_json::json;

use crate::run::{BlueprintVersion, ClaimRequest, Claimed, NewRun, RunStatus, Signal};
use crate::store::Queue;
use crate::{TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// An expired run is taken where its priority and age put it among the queued ones.
pub async fn expired_runs_stand_among_the_queued(stage: Stage) {
    let tenant = stage.tenant(1).await;
    accept(&stage, tenant, &[(1, 1), (2, -1)], at(0)).await;
    assert_eq!(stage.claim(2, at(10)).await.len(), 2);
    accept(&stage, tenant, &[(3, 0), (4, 5), (5, 1)], at(20)).await;

    let mut order = Vec::new();
    for _ in 0..5 {
        order.extend(ids_of(&stage.claim(1, at(50)).await));
    }
    assert_eq!(order, [4, 1, 5, 3, 2].map(run_id), "4 and 3 and 5 were queued, 1 and 2 had expired");
}

/// However high their priority, the second run of a tenant comes after the first of every other.
pub async fn claim_takes_one_run_of_every_tenant_before_a_second(stage: Stage) {
    let [busy, calm, other] = stage.tenants::<3>().await;
    accept(&stage, busy, &[(1, 100), (2, 100), (3, 100), (4, 100)], at(0)).await;
    accept(&stage, calm, &[(11, -100), (12, 0)], at(1)).await;
    accept(&stage, other, &[(21, -50)], at(2)).await;

    let claimed = ids_of(&stage.claim(4, at(10)).await);
    assert_eq!(claimed, [1, 2, 12, 21].map(run_id), "one of each, and then the second of the highest priority");
    let claimed = ids_of(&stage.claim(2, at(11)).await);
    assert_eq!(claimed, [3, 11].map(run_id), "again one of each that has any");
    assert_eq!(ids_of(&stage.claim(9, at(12)).await), [run_id(4)], "and at last what is left");
}

/// Whoever waits longest for a turn has it, those first that never had one.
pub async fn tenant_served_longest_ago_goes_first(stage: Stage) {
    let tenants = stage.tenants::<5>().await;
    for (n, now) in [(2, at(10)), (1, at(20))] {
        stage.enqueue(tenants[n - 1], u32::try_from(n).expect("a small number"), at(0)).await;
        assert_eq!(stage.take(now).await.run.tenant_id, tenants[n - 1]);
    }
    // The runs of those who were served are the most urgent ones, and the oldest.
    for (n, priority, age) in [(1, 50, 25), (2, 100, 25), (3, -100, 30), (4, -50, 30), (5, -50, 29)] {
        let runs = [1, 2, 3].map(|k| (10 * n + k, priority));
        accept(&stage, tenants[usize::try_from(n).expect("a small number") - 1], &runs, at(age)).await;
    }
    let mut order = Vec::new();
    for now in 31..41 {
        order.push(stage.take(at(now)).await.run.tenant_id);
    }
    let turns = [5, 4, 3, 2, 1, 5, 4, 3, 2, 1].map(tenant_id);
    assert_eq!(order, turns, "never served by priority and age, then by when they were");
    let claimed = tenants_of(&stage.claim(2, at(41)).await);
    assert_eq!(claimed, [4, 5].map(tenant_id), "one claim goes on where the last one stopped");
}

/// Taking a run over serves its tenant as well as taking a new one.
pub async fn takeover_is_a_turn(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    for (n, tenant) in [(1, one), (2, two)] {
        stage.enqueue(tenant, n, at(0)).await;
        assert_eq!(stage.take(at(10)).await.run.tenant_id, tenant);
    }
    accept(&stage, one, &[(3, 0)], at(20)).await;
    accept(&stage, two, &[(4, 0)], at(20)).await;
    let mut order = Vec::new();
    for now in 50..54 {
        order.push(stage.take(at(now)).await.run.id);
    }
    assert_eq!(order, [1, 2, 3, 4].map(run_id));
}

/// A tenant with any number of the most urgent runs costs another at most one claim.
pub async fn busy_tenant_delays_another_by_one_claim(stage: Stage) {
    let [busy, calm] = stage.tenants::<2>().await;
    let urgent: Vec<_> = (1000..1300).map(|n| (n, 100)).collect();
    accept(&stage, busy, &urgent, at(0)).await;
    let mut now = 10;
    // No lease expires as long as this takes.
    for round in 1..=8 {
        // Between the runs of the calm tenant the busy one has none, one or more turns alone.
        for _ in 0..round % 4 {
            now += 1;
            assert_eq!(stage.take(at(now)).await.run.tenant_id, busy);
        }
        accept(&stage, calm, &[(round, -100)], at(now)).await;
        let mut claims = 0;
        loop {
            claims += 1;
            now += 1;
            if stage.take(at(now)).await.run.id == run_id(round) {
                break;
            }
            assert!(claims < 2, "run {round} is not among the next {claims}");
        }
    }
    assert!(stage.run(busy, run_id(1299)).await.status == RunStatus::Queued, "the busy tenant was busy throughout");
}

/// Workers whose clocks stand still, go back or are far ahead take turns all the same.
pub async fn turns_do_not_depend_on_clocks(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    let runs = |from| (from..from + 10).map(|n| (n, if from == 1 { 100 } else { 0 })).collect::<Vec<_>>();
    accept(&stage, one, &runs(1), at(0)).await;
    accept(&stage, two, &runs(11), at(0)).await;
    let mut order = Vec::new();
    for now in [20, 20, 20, 5, 5, 20, 1_000_000, 21, 22, 22] {
        order.push(stage.take(at(now)).await.run.tenant_id);
    }
    assert_eq!(order, [one, two].repeat(5));
}

/// A claim that finds nothing, or wants nothing, is no turn.
pub async fn empty_claim_is_nobodys_turn(stage: Stage) {
    let [one, two] = stage.tenants::<2>().await;
    for (n, tenant) in [(1, one), (2, two)] {
        stage.enqueue(tenant, n, at(0)).await;
        assert_eq!(stage.take(at(i64::from(n))).await.run.tenant_id, tenant);
    }
    accept(&stage, one, &[(3, 0)], at(10)).await;
    accept(&stage, two, &[(4, 100)], at(10)).await;
    let other = stage.store.claim(worker_with(5, "other", 1), at(11)).await.expect("a claim is answered");
    assert!(other.is_empty(), "there is nothing for another worker");
    assert!(stage.claim(0, at(12)).await.is_empty(), "nothing is wanted");
    let order = [stage.take(at(13)).await.run.id, stage.take(at(14)).await.run.id];
    assert_eq!(order, [3, 4].map(run_id), "it is still the turn of the first tenant");
}

/// Accepts runs by number and priority.
async fn accept(stage: &Stage, tenant: TenantId, runs: &[(u32, i8)], now: Timestamp) {
    let runs = runs.iter().map(|(n, priority)| NewRun { priority: *priority, ..new_run(*n) }).collect();
    stage.store.enqueue(tenant, runs, now).await.expect("runs are accepted");
}

/// The tenants of a claim, whose answer is in no order.
fn tenants_of(claimed: &[Claimed]) -> Vec<TenantId> {
    let mut tenants: Vec<_> = claimed.iter().map(|claimed| claimed.run.tenant_id).collect();
    tenants.sort_unstable();
    tenants
}

/// What waits for a worker is counted for all tenants together: neither what is held, nor what has ended, nor what is to
/// begin later.
pub async fn queues_are_counted_by_blueprint(stage: Stage) {
    let (ada, bob) = (stage.tenant(1).await, stage.tenant(2).await);
    let of = |n, blueprint: &str| NewRun::new(run_id(n), blueprint, json!({}));
    assert_eq!(stage.store.queues(at(100)).await.expect("an answer"), []);
    stage.accept(ada, of(1, "alpha"), at(1)).await;
    stage.accept(ada, of(2, "alpha"), at(2)).await;
    stage.accept(bob, of(3, "alpha"), at(3)).await;
    stage.accept(bob, of(4, "beta"), at(4)).await;
    stage.accept(bob, NewRun { run_at: Some(at(50)), ..of(5, "beta") }, at(5)).await;
    let queue = |blueprint: &str, depth, oldest| Queue { blueprint: blueprint.to_owned(), depth, oldest };
    let seen = async |now| stage.store.queues(now).await.expect("an answer");
    assert_eq!(seen(at(6)).await, [queue("alpha", 3, at(1)), queue("beta", 1, at(4))]);
    assert_eq!(seen(at(50)).await, [queue("alpha", 3, at(1)), queue("beta", 2, at(4))]);
    let cancel = Signal::Cancel { actor: None };
    stage.store.signal(bob, run_id(4), cancel, at(7)).await.expect("it is cancelled");
    let blueprints = vec![BlueprintVersion { blueprint: "alpha".to_owned(), version: 1 }];
    let request = ClaimRequest { blueprints, limit: 2, lease_for: LEASE };
    assert_eq!(stage.store.claim(request, at(8)).await.expect("a claim is answered").len(), 2);
    let left = seen(at(9)).await;
    assert_eq!((left.len(), &*left[0].blueprint, left[0].depth), (1, "alpha", 1));
}
