//! What [`RunStore::fork`](crate::store::RunStore::fork) promises, and what stores keep of trials.

use serde_json::json;

use crate::ErrorKind;
use crate::executor::{Departure, fork};
use crate::guardrail::OnExpiry;
use crate::journal::{INLINE_PAYLOAD_BYTES, Step, Trial, step_hash, verify};
use crate::run::{
    Approval, ApprovalStatus, Commit, Decision, EventType, Fork, ForkedFrom, NewRun, Run, RunStatus, Transition,
};
use crate::store::{ApprovalQuery, Changes, RunQuery};
use crate::temporal::At;
use crate::{ApprovalId, Digest, TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// A run of three steps, the second of which has a long output.
async fn source(stage: &Stage, tenant: TenantId) -> Run {
    stage.enqueue(tenant, 1, at(0)).await;
    let mut held = stage.take(at(10)).await;
    let long = "x".repeat(INLINE_PAYLOAD_BYTES);
    for output in [json!({ "found": 1 }), json!(long), json!(null)] {
        let commit = held.commit(vec![Done::nothing(output)], Transition::Continue);
        held.send(stage, commit, at(11)).await;
    }
    let commit = held.commit(Vec::new(), Transition::Succeed { output: json!({}) });
    held.send(stage, commit, at(12)).await;
    held.run
}

/// Run number 2, which goes on from the last step of the source, about whose first step a person was asked.
async fn departure(stage: &Stage, source: &Run) -> Fork {
    let journal = stage.journal(source.tenant_id, source.id).await;
    let run = NewRun { deadline_secs: Some(60), ..new_run(2) };
    let mut fork =
        fork(source, &journal, Departure { from_seq: 3, run, snapshot: snapshot() }).expect("there is a place");
    fork.approvals.push(Approval {
        id: ApprovalId::from_uuid(uuid::Uuid::from_u128(77)),
        run_id: fork.run.id,
        step_seq: 1,
        tool: "contacts_propose_merge".to_owned(),
        input: json!({}),
        call_digest: Digest::of_bytes(b"call"),
        rule_id: "0".to_owned(),
        summary: None,
        status: ApprovalStatus::Approved,
        requested_at: at(3),
        expires_at: at(4),
        on_expiry: OnExpiry::Reject,
        decision: Some(Decision::Approve { edited_input: Some(json!({ "seq": 1 })) }),
        decided_at: Some(at(4)),
        decided_by: None,
        note: None,
    });
    fork
}

/// The steps as a store gives them back: it may name long outputs.
fn unnamed(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().map(|step| Step { payload_ref: None, ..step }).collect()
}

/// A fork is there with all that it begins with, and is given to a worker that has the version of its snapshot.
pub async fn fork_is_queued_with_its_journal(stage: Stage) {
    let [tenant, other] = stage.tenants().await;
    let source = source(&stage, tenant).await;
    let fork = departure(&stage, &source).await;
    let run = stage.store.fork(tenant, fork.clone(), at(20)).await.expect("the fork is accepted");
    assert_eq!(run.forked_from, Some(ForkedFrom { run: source.id, from_seq: 3 }));
    assert_eq!((run.status, run.attempt, run.created_at), (RunStatus::Queued, 0, at(20)));
    assert_eq!((run.cost.0, source.cost.0.as_nanos() > 0), (crate::NanoUsd::ZERO, true), "what was paid stays paid");
    assert_eq!((run.config_version, run.budget_usd_cents, run.deadline_at), (Some(7), Some(500), None));
    assert_eq!((run.dry_run, run.as_of), (false, None));
    assert_eq!(stage.run(tenant, run.id).await, run, "the answer is what is stored");
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, [run_id(2), run_id(1)]);

    let journal = stage.journal(tenant, run.id).await;
    assert_eq!(unnamed(journal.steps.clone()), fork.steps, "the steps before the place");
    assert_eq!(journal.snapshot.as_ref(), Some(&fork.snapshot));
    assert_eq!(journal.approvals, fork.approvals);
    assert_eq!((journal.calls.len(), journal.commits), (0, 0), "it has made no commit of its own");
    assert!(verify(tenant, run.id, &run.input, &journal).expect("JSON").valid, "the chain is its own");
    let query = ApprovalQuery { run: Some(run.id), ..ApprovalQuery::default() };
    assert_eq!(stage.store.approvals(tenant, query).await.expect("a page").data, fork.approvals);
    let events = stage.events(tenant, run.id, 200).await;
    let types: Vec<_> = events.iter().map(|event| (event.seq, event.event_type)).collect();
    let recorded = EventType::StepRecorded;
    assert_eq!(types, [(1, EventType::RunQueued), (2, recorded), (3, recorded)]);

    // Nothing of it is the source's or another tenant's.
    assert_eq!(stage.journal(tenant, source.id).await.steps.len(), 3);
    assert_eq!(stage.store.run(other, run.id).await.expect("an answer"), None);

    let newer = stage.store.claim(worker_with(10, BLUEPRINT, 2), at(21)).await.expect("an answer");
    assert_eq!(ids_of(&newer), [], "a worker that has another version does not get it");
    let claimed = stage.claim(10, at(21)).await;
    assert_eq!(ids_of(&claimed), [run_id(2)]);
    assert_eq!((claimed[0].has_journal, claimed[0].commits), (true, 0));
}

/// A fork is a run like any other from its first step of its own on.
pub async fn fork_goes_on_where_its_steps_end(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let source = source(&stage, tenant).await;
    let fork = departure(&stage, &source).await;
    stage.store.fork(tenant, fork.clone(), at(20)).await.expect("the fork is accepted");
    let mut held = stage.take(at(21)).await;
    assert_eq!(held.run.id, run_id(2));
    let wrong = Commit { snapshot: Some(snapshot()), ..held.commit(Vec::new(), Transition::Continue) };
    let wrong = stage.store.commit(&held.lease, wrong, at(22)).await;
    assert_refused(wrong, ErrorKind::Conflict, "a second snapshot");
    let change = Changes::none().create(contact(1), named("Ada"));
    let commit = held.commit(vec![Done::with(change)], Transition::Continue);
    assert_eq!((commit.number, commit.steps[0].step.seq), (1, 3));
    held.send(&stage, commit, at(23)).await;
    let commit = held.commit(Vec::new(), Transition::Succeed { output: json!({}) });
    held.send(&stage, commit, at(24)).await;

    let journal = stage.journal(tenant, run_id(2)).await;
    assert_eq!(unnamed(journal.steps[..2].to_vec()), fork.steps);
    assert_eq!((journal.steps.len(), journal.commits), (3, 2));
    let run = stage.run(tenant, run_id(2)).await;
    assert_eq!((run.status, run.cost.0), (RunStatus::Succeeded, journal.steps[2].cost.0));
    assert!(verify(tenant, run.id, &run.input, &journal).expect("JSON").valid);
    let numbers: Vec<_> = stage.events(tenant, run.id, 200).await.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=6).collect::<Vec<u64>>(), "queued, two steps, started, a step, succeeded");
    let written = stage.read(tenant, 1, At::NOW, at(25)).await.expect("the contact is there");
    assert_eq!((written.provenance.run_id, written.provenance.step_seq), (Some(run.id), Some(3)));
}

/// A fork that is refused is not there, and neither is anything of its journal.
pub async fn refused_fork_leaves_nothing(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let source = source(&stage, tenant).await;
    let fork = departure(&stage, &source).await;
    let with = |run: NewRun| Fork { run, ..fork.clone() };
    let gap = Fork { steps: fork.steps[1..].to_vec(), ..fork.clone() };
    let bad = [
        (with(NewRun { id: source.id, ..fork.run.clone() }), ErrorKind::Conflict),
        (with(NewRun { priority: 101, ..fork.run.clone() }), ErrorKind::InvalidRequest),
        (with(NewRun { idempotency_key: Some("key".to_owned()), ..fork.run.clone() }), ErrorKind::InvalidRequest),
        (gap, ErrorKind::InvalidRequest),
    ];
    let before = stage.journal(tenant, source.id).await;
    for (fork, kind) in bad {
        assert_refused(stage.store.fork(tenant, fork, at(20)).await, kind, "a fork that cannot be");
        assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, [source.id]);
        assert_eq!(stage.store.journal(tenant, run_id(2)).await.expect("an answer"), None);
        let asked = stage.store.approvals(tenant, ApprovalQuery::default()).await.expect("a page").data;
        assert_eq!(asked, [], "nobody was asked anything");
        assert_eq!(stage.journal(tenant, source.id).await, before, "the source is as it was");
    }
    assert_eq!(ids_of(&stage.claim(10, at(21)).await), [], "nothing is handed out");
    stage.store.fork(tenant, fork, at(22)).await.expect("the id is not used up");
}

/// How long a fork may take counts from when a worker first takes it.
pub async fn deadline_of_a_fork_counts_from_its_first_start(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let source = source(&stage, tenant).await;
    let fork = departure(&stage, &source).await;
    stage.store.fork(tenant, fork, at(20)).await.expect("the fork is accepted");
    let mut held = stage.take(at(100)).await;
    assert_eq!((held.run.started_at, held.run.deadline_at), (Some(at(100)), Some(at(160))));
    assert_eq!(stage.run(tenant, run_id(2)).await.deadline_at, Some(at(160)));
    let commit = held.commit(vec![Done::nothing("a")], Transition::Continue);
    held.send(&stage, commit, at(101)).await;
    let again = stage.take(at(150)).await.run;
    assert_eq!((again.started_at, again.deadline_at), (Some(at(100)), Some(at(160))), "whoever goes on with it");
}

/// What the steps of a trial would have written is kept with them, whatever its size, and nothing else is.
pub async fn what_a_trial_tried_comes_back_and_is_not_written(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let known: Timestamp = at(5);
    stage.accept(tenant, NewRun { as_of: Some(known), ..new_run(1) }, at(6)).await;
    let run = stage.run(tenant, run_id(1)).await;
    assert_eq!((run.dry_run, run.as_of), (true, Some(known)), "who looks at the past writes nothing");
    stage.accept(tenant, NewRun { dry_run: true, ..new_run(2) }, at(7)).await;
    assert_eq!(stage.run(tenant, run_id(2)).await.as_of, None, "it has no present before it begins");

    let mut held = stage.take(at(10)).await;
    let long = "x".repeat(3 * INLINE_PAYLOAD_BYTES);
    let tries = [
        Some(Changes::none().create(contact(1), named("Ada"))),
        None,
        Some(Changes::none().create(contact(2), json!({ "display_name": "Bob", "bio": long }))),
    ];
    let mut steps = Vec::new();
    for tried in tries {
        let mut commit = held.commit(vec![Done::nothing("done")], Transition::Continue);
        commit.snapshot = commit.snapshot.map(|pinned| crate::journal::Snapshot {
            trial: Some(Trial { as_of: known, answers: Vec::new() }),
            ..pinned
        });
        let step = &mut commit.steps[0].step;
        step.tried = tried.map(|changes| serde_json::to_value(changes).expect("changes are JSON"));
        let before = steps.last().map_or_else(|| Digest::of_bytes(b"genesis"), |before: &Step| before.hash);
        step.hash = step_hash(before, step).expect("the payloads are JSON");
        steps.push(step.clone());
        held.send(&stage, commit, at(11)).await;
    }
    let journal = stage.journal(tenant, run_id(1)).await;
    assert!(unnamed(journal.steps) == steps, "what was tried is damaged");
    assert_eq!(stage.run(tenant, run_id(1)).await.as_of, Some(known));
    assert_eq!(stage.feed(tenant).await, [], "nothing is written");
    assert_eq!(stage.read(tenant, 1, At::NOW, at(12)).await, None);
}
