//! What is committed together, and what a commit leaves in the file.

use crate::fixture::*;
use futures::future::join_all;
use serde_json::{Value, json};
use worktruck_core::journal::{INLINE_PAYLOAD_BYTES, Snapshot, Step, StepKind, StepOutcome};
use worktruck_core::run::{Commit, CommitStep, Cost, NewRun, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore, RunStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::testing::CountingIds;
use worktruck_core::{Digest, ErrorKind, NanoUsd, RunId, StepId};

fn snapshot() -> Snapshot {
    Snapshot {
        blueprint: "echo".into(),
        blueprint_version: 1,
        config_version: None,
        model: "local/echo".into(),
        system_prompt: String::new(),
        first_message: String::new(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: None,
        deadline_at: at(60_000_000),
        max_steps: 100,
        max_tokens: 100,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}

fn step(seq: u32, output: Value, changes: Changes) -> CommitStep {
    let step = Step {
        id: StepId::new(&CountingIds::new(9), at(i64::from(seq))),
        seq,
        kind: StepKind::Tool,
        name: "echo".into(),
        call_digest: Digest::of_bytes(b"call"),
        hash: Digest::of_bytes(b"hash"),
        input: output.clone(),
        output: Some(output),
        outcome: StepOutcome::Ok,
        model: None,
        usage: None,
        cost: Cost::default(),
        started_at: at(0),
        completed_at: Some(at(1)),
        payload_ref: None,
        tried: None,
    };
    CommitStep { step, changes }
}

pub(crate) fn commit(number: u64, steps: Vec<CommitStep>) -> Commit {
    Commit {
        number,
        snapshot: (number == 1).then(snapshot),
        steps,
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: Transition::Continue,
        lease_for: LEASE,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_transaction_of_a_group_fails_alone() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(0, "Ada"), user(), at(0)).await.unwrap();
    // Every third asks for an entity that exists to be absent, after it has written another one.
    let writes = (1..=60).map(|n| {
        let mut changes = create(n, "Bob");
        if n % 3 == 0 {
            changes = changes.create(contact(0), named("Eve"));
        }
        store.apply(tenant(1), changes, user(), at(1))
    });
    let outcomes = join_all(writes).await;
    for (outcome, n) in outcomes.into_iter().zip(1..) {
        let stored = store.entity(tenant(1), contact(n), At::NOW, at(2)).await.unwrap();
        match outcome {
            Ok(_) => assert!(n % 3 != 0 && stored.is_some()),
            Err(error) => {
                assert_eq!((error.kind(), n % 3), (ErrorKind::Conflict, 0));
                assert!(stored.is_none());
            }
        }
    }
    let feed = store.changes(tenant(1), None, worktruck_core::PageRequest::largest(None)).await.unwrap();
    assert_eq!(feed.data.iter().map(|commit| commit.tx_id).collect::<Vec<_>>(), (1..=41).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_payloads_are_stored_once_per_tenant_and_come_back_whole() {
    let (store, folder) = fresh().await;
    let ids = CountingIds::new(1);
    let long =
        json!({ "text": "é".repeat(INLINE_PAYLOAD_BYTES), "number": 0.1 + 0.2, "big": 9_007_199_254_740_993_u64 });
    for owner in [tenant(1), tenant(2)] {
        let runs = (0..2).map(|_| NewRun::new(RunId::new(&ids, at(0)), "echo", json!({}))).collect();
        store.enqueue(owner, runs, at(0)).await.unwrap();
    }
    for claimed in store.claim(claim_any(4), at(1)).await.unwrap() {
        let steps = vec![
            step(1, long.clone(), Changes::none()),
            step(2, Value::Null, Changes::none()),
            step(3, json!([1.5]), Changes::none()),
        ];
        let outcome = store.commit(&claimed.lease, commit(1, steps.clone()), at(2)).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed { .. }));
        let journal = store.journal(claimed.run.tenant_id, claimed.run.id).await.unwrap().unwrap();
        for (read, CommitStep { step, .. }) in journal.steps.iter().zip(&steps) {
            assert_eq!((&read.input, &read.output), (&step.input, &step.output));
        }
        assert_eq!(journal.steps[0].payload_ref, Some(Digest::of_json(&long).unwrap()));
        assert_eq!(journal.steps[2].payload_ref, None);
    }
    let payloads: i64 =
        sqlx::query_scalar("SELECT count(*) FROM payload").fetch_one(&mut file_of(&folder).await).await.unwrap();
    assert_eq!(payloads, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_names_its_step_and_leaves_nothing() {
    let (store, _folder) = fresh().await;
    store.apply(tenant(1), create(0, "Ada"), user(), at(0)).await.unwrap();
    let run = NewRun::new(RunId::new(&CountingIds::new(1), at(0)), "echo", json!({}));
    store.enqueue(tenant(1), vec![run], at(0)).await.unwrap();
    let claimed = store.claim(claim_any(1), at(1)).await.unwrap().remove(0);
    let gone = Changes::none().write(contact(7), WriteOp::Delete);
    let steps = vec![step(1, json!(1), create(1, "Bob")), step(2, json!(2), gone)];

    let outcome = store.commit(&claimed.lease, commit(1, steps), at(2)).await.unwrap();
    assert!(matches!(&outcome, CommitOutcome::Conflicted { seq: 2, error } if error.kind() == ErrorKind::NotFound));
    assert!(store.entity(tenant(1), contact(1), At::NOW, at(3)).await.unwrap().is_none());
    assert_eq!(store.journal(tenant(1), claimed.run.id).await.unwrap().unwrap().steps, []);

    // Each step sees what those before it in the commit have done, and has a commit of its own.
    let rename = Changes::none().write(contact(1), WriteOp::Patch(named("Robert")));
    let steps = vec![step(1, json!(1), create(1, "Bob")), step(2, json!(2), rename)];
    store.commit(&claimed.lease, commit(1, steps), at(3)).await.unwrap();
    let bob = store.entity(tenant(1), contact(1), At::NOW, at(4)).await.unwrap().unwrap();
    assert_eq!((bob.slice.version, bob.slice.tx_id, bob.provenance.step_seq), (2, 3, Some(2)));
    let history = store.history(tenant(1), contact(1), worktruck_core::PageRequest::default()).await.unwrap();
    assert_eq!(history.data.iter().map(|row| row.slice.version).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_that_overlap_are_refused_by_the_file_itself() {
    let (store, folder) = fresh().await;
    store.apply(tenant(1), create(0, "Ada"), user(), at(0)).await.unwrap();
    let mut file = file_of(&folder).await;
    let twice = sqlx::query(
        "INSERT INTO slice (sys_to, scheduled, tenant, kind, id, created_at, version, carried, tx_id, sys_from,
             valid_from, valid_to)
         SELECT 9223372036854775807, 0, tenant, kind, id, created_at, 2, 0, 2, sys_from + 1, valid_from + 5, valid_to
         FROM head",
    )
    .execute(&mut file)
    .await;
    assert!(twice.unwrap_err().to_string().contains("overlap"));
}
