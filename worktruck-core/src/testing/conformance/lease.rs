//! What [`RunStore::renew`](crate::store::RunStore::renew) promises.

use crate::TenantId;
use crate::run::{Lease, Renewal, Signal, Transition};

use super::Stage;
use super::build::*;

async fn renew(stage: &Stage, leases: &[Lease], now: i64) -> Vec<Renewal> {
    stage.store.renew(leases, LEASE, at(now)).await.expect("a renewal is answered")
}

async fn run_in_hand(stage: &Stage, tenant: TenantId, n: u32) -> Held {
    stage.enqueue(tenant, n, at(0)).await;
    stage.take(at(10)).await
}

/// A renewed lease lasts from the moment of the renewal.
pub async fn renew_keeps_a_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut held = run_in_hand(&stage, tenant, 1).await;
    let renewed = renew(&stage, std::slice::from_ref(&held.lease), 30).await;
    let lease = Lease::new(tenant, run_id(1), held.lease.fence(), at(60));
    assert_eq!(renewed, [Renewal::Renewed { lease, cancel_requested_at: None }]);
    assert!(stage.claim(1, at(50)).await.is_empty(), "the first lease would have expired, the renewed one has not");

    // What was sent before the renewal, and comes after it, makes no lease end earlier.
    let late = renew(&stage, std::slice::from_ref(&held.lease), 20).await;
    assert_eq!(late, renewed);
    let begin = held.commit(Vec::new(), Transition::Continue);
    held.send(&stage, begin, at(25)).await;
    assert!(stage.claim(1, just_before(at(60))).await.is_empty(), "it lasts to its end");
    assert_eq!(stage.claim(1, at(60)).await.len(), 1, "and not longer");
}

/// Whoever lost a run learns it, and keeps nobody else from it.
pub async fn renew_of_a_stale_lease_is_lost(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let old = run_in_hand(&stage, tenant, 1).await;
    let new = stage.take(at(50)).await;
    assert_eq!(renew(&stage, std::slice::from_ref(&old.lease), 60).await, [Renewal::Lost(run_id(1))]);
    assert!(matches!(renew(&stage, &[new.lease], 61).await[..], [Renewal::Renewed { .. }]), "the new holder goes on");

    // The old holder did not extend anything.
    assert_eq!(renew(&stage, &[old.lease], 80).await, [Renewal::Lost(run_id(1))]);
    assert_eq!(stage.claim(1, at(91)).await.len(), 1, "the lease of the new holder expires in its own time");
}

/// A worker learns of a cancellation when it renews.
pub async fn renew_tells_of_a_cancellation(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let held = run_in_hand(&stage, tenant, 1).await;
    let cancel = Signal::Cancel { actor: Some("user:ada".to_owned()) };
    stage.store.signal(tenant, run_id(1), cancel, at(15)).await.expect("a running run is cancelled");
    match &renew(&stage, &[held.lease], 20).await[..] {
        [Renewal::Renewed { cancel_requested_at, .. }] => assert_eq!(*cancel_requested_at, Some(at(15))),
        other => panic!("the holder keeps its lease until it ends the run, but {other:?}"),
    }
}

/// A worker can learn of a cancellation without renewing anything.
pub async fn cancellation_is_seen_between_renewals(stage: Stage) {
    let [tenant, other] = stage.tenants().await;
    let mut leases = Vec::new();
    for (owner, n) in [(tenant, 1), (other, 2), (tenant, 3)] {
        leases.push(run_in_hand(&stage, owner, n).await.lease);
    }
    let requests = async || stage.store.cancel_requests(&leases).await.expect("requests are read");
    assert!(requests().await.is_empty(), "nobody asked");
    for (owner, n) in [(other, 2), (tenant, 3)] {
        let cancel = Signal::Cancel { actor: None };
        stage.store.signal(owner, run_id(n), cancel, at(15)).await.expect("a running run is cancelled");
    }
    let mut seen = requests().await;
    seen.sort_unstable();
    assert_eq!(seen, [run_id(2), run_id(3)]);
    let of_one = stage.store.cancel_requests(&leases[..2]).await.expect("requests are read");
    assert_eq!(of_one, [run_id(2)], "only what is asked about");
    assert!(stage.store.cancel_requests(&[]).await.expect("nothing is asked").is_empty());
}

/// Every lease of a batch has its own answer, in the order of the batch.
pub async fn renew_answers_for_each_lease(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut ended = run_in_hand(&stage, tenant, 1).await;
    let commit = ended.commit(Vec::new(), Transition::Succeed { output: 1.into() });
    let lease_of_ended = ended.lease.clone();
    ended.send(&stage, commit, at(11)).await;
    let mut released = run_in_hand(&stage, tenant, 2).await;
    let commit = released.commit(Vec::new(), Transition::Release);
    let lease_of_released = released.lease.clone();
    released.send(&stage, commit, at(11)).await;
    stage.take(at(12)).await;
    let good = run_in_hand(&stage, tenant, 3).await.lease;
    let unknown = Lease::new(tenant, run_id(4), 1, at(40));

    let answers = renew(&stage, &[lease_of_ended, good, lease_of_released, unknown], 20).await;
    match &answers[..] {
        [Renewal::Lost(one), Renewal::Renewed { lease, .. }, Renewal::Lost(two), Renewal::Lost(four)] => {
            assert_eq!((*one, lease.run(), *two, *four), (run_id(1), run_id(3), run_id(2), run_id(4)));
        }
        other => panic!("an ended, a good, a released and an unknown run are answered with {other:?}"),
    }
    assert_eq!(renew(&stage, &[], 20).await, [], "nothing is asked and nothing answered");
}

/// A lease that expired but was not taken is still good: only a takeover ends it.
pub async fn late_renewal_before_a_takeover_keeps_the_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let held = run_in_hand(&stage, tenant, 1).await;
    assert!(matches!(renew(&stage, &[held.lease], 100).await[..], [Renewal::Renewed { .. }]), "nobody took it");
    assert!(stage.claim(1, at(120)).await.is_empty(), "it is held again");
    assert_eq!(stage.run(tenant, run_id(1)).await.attempt, 1);
}
