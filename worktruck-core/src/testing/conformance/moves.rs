//! Which moves of a run [`RunStore`](crate::store::RunStore) makes, and which it refuses.

use serde_json::json;

use crate::run::{FailureCategory, RunStatus, Signal, Transition, WaitingReason};
use crate::store::CommitOutcome;
use crate::{ErrorKind, TenantId};

use super::Stage;
use super::build::*;

/// Every move from every status: the legal ones of the table are made, the others change nothing.
pub async fn illegal_moves_are_refused(stage: Stage) {
    let mut n = 0;
    for from in RunStatus::ALL {
        for to in RunStatus::ALL {
            n += 1;
            let tenant = stage.tenant(n).await;
            let held = run_in(&stage, tenant, from, n).await;
            let what = format!("{from} to {to}");
            let run = run_id(n);
            assert_eq!(stage.run(tenant, run).await.status, from, "a run is {from}");

            // The way to a status: a claim, a cancellation by somebody, or a commit.
            let before = (stage.run(tenant, run).await, stage.events(tenant, run, 200).await);
            let moved = match (from, to) {
                (_, RunStatus::Running) => !stage.claim(1, at(40)).await.is_empty(),
                (RunStatus::Running, _) | (_, RunStatus::Waiting | RunStatus::Queued) => {
                    try_commit(&stage, &held, to).await
                }
                (_, RunStatus::Cancelled) => {
                    let signal = Signal::Cancel { actor: None };
                    let by_commit = try_commit(&stage, &held, to).await;
                    assert!(!by_commit, "{what}: a commit without a lease is accepted");
                    match stage.store.signal(tenant, run, signal, at(40)).await {
                        Ok(_) => true,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Conflict, "{what}: {}", error.chain());
                            false
                        }
                    }
                }
                (_, RunStatus::Succeeded | RunStatus::Failed) => try_commit(&stage, &held, to).await,
            };

            // Only the holder of a lease can end a run with a result, so a waiting one cannot fail here.
            let no_way = (from, to) == (RunStatus::Waiting, RunStatus::Failed)
                || (from, to) == (RunStatus::Waiting, RunStatus::Running)
                || (from, to) == (RunStatus::Running, RunStatus::Running);
            let legal = from.may_become(to) && !no_way;
            assert_eq!(moved, legal, "{what}");
            let after = (stage.run(tenant, run).await, stage.events(tenant, run, 200).await);
            if legal {
                assert_eq!(after.0.status, to, "{what}");
            } else {
                assert_eq!(after, before, "{what}: a refused move left something");
            }
            let _ = stage.store.signal(tenant, run, Signal::Cancel { actor: None }, at(10_000)).await;
        }
    }
}

/// How a run ended, or what it waits for, is kept with it.
pub async fn outcome_of_a_run_is_kept(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let detail = "the key was refused".to_owned();
    let ends = [
        Transition::Fail { category: FailureCategory::AuthFailed, detail: detail.clone() },
        Transition::Wait { reason: WaitingReason::UnknownOutcome },
    ];
    for (n, end) in (1..).zip(ends) {
        stage.enqueue(tenant, n, at(0)).await;
        let mut held = stage.take(at(10)).await;
        let commit = held.commit(Vec::new(), end);
        held.send(&stage, commit, at(20)).await;
    }
    let failed = stage.run(tenant, run_id(1)).await;
    assert_eq!(failed.status, RunStatus::Failed);
    assert_eq!((failed.failure_category, failed.failure_detail), (Some(FailureCategory::AuthFailed), Some(detail)));
    assert_eq!(failed.finished_at, Some(at(20)));
    let waiting = stage.run(tenant, run_id(2)).await;
    assert_eq!((waiting.status, waiting.finished_at), (RunStatus::Waiting, None));
    assert_eq!(waiting.waiting_reason, Some(WaitingReason::UnknownOutcome));
    assert_eq!((waiting.config_version, waiting.budget_usd_cents), (Some(7), Some(500)), "as its snapshot says");
    assert_eq!(waiting.deadline_at, Some(snapshot().deadline_at));
}

/// Run number `n` in `status`, and the lease that was last given for it.
async fn run_in(stage: &Stage, tenant: TenantId, status: RunStatus, n: u32) -> Held {
    stage.enqueue(tenant, n, at(0)).await;
    let mut held = stage.take(at(30)).await;
    let transition = match status {
        RunStatus::Queued => Transition::Release,
        RunStatus::Running => Transition::Continue,
        RunStatus::Waiting => Transition::Wait { reason: WaitingReason::UnknownOutcome },
        RunStatus::Succeeded => Transition::Succeed { output: json!(1) },
        RunStatus::Failed => Transition::Fail { category: FailureCategory::Timeout, detail: "late".to_owned() },
        RunStatus::Cancelled => Transition::Cancel,
    };
    let commit = held.commit(vec![Done::nothing("read")], transition);
    held.send(stage, commit, at(35)).await;
    held
}

/// Whether a commit moves the run to `to`; one that does not is refused for its lease or its move.
async fn try_commit(stage: &Stage, held: &Held, to: RunStatus) -> bool {
    let transition = match to {
        RunStatus::Queued => Transition::Release,
        RunStatus::Waiting => Transition::Wait { reason: WaitingReason::UnknownOutcome },
        RunStatus::Succeeded => Transition::Succeed { output: json!(1) },
        RunStatus::Failed => Transition::Fail { category: FailureCategory::Timeout, detail: "late".to_owned() },
        RunStatus::Cancelled => Transition::Cancel,
        RunStatus::Running => Transition::Continue,
    };
    let commit = held.commit(vec![Done::nothing("more")], transition);
    match stage.store.commit(&held.lease, commit, at(40)).await {
        Ok(CommitOutcome::Committed { .. }) => true,
        Ok(outcome) => panic!("a commit without changes is answered with {outcome:?}"),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::Conflict),
                "a move to {to} is refused for the wrong reason: {}",
                error.chain()
            );
            false
        }
    }
}
