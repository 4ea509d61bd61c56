//! What tenants do in these tests.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use worktruck_core::entity::Kind;
use worktruck_core::guardrail::OnExpiry;
use worktruck_core::journal::{self, OpenCall, Snapshot, Step, StepKind, StepOutcome};
use worktruck_core::model::Usage;
use worktruck_core::run::{
    Approval, ApprovalStatus, BlueprintVersion, ClaimRequest, Claimed, Commit, CommitStep, Cost, Event, NewRun, Run,
    Transition,
};
use worktruck_core::store::{
    Changes, CommitOutcome, EntityKey, EntityStore as _, NewTenant, Provenance, RunStore as _, TenantStore as _,
};
use worktruck_core::temporal::{Write, WriteOp};
use worktruck_core::{ApprovalId, EntityId, NanoUsd, PageRequest, RunId, StepId, TenantId, Timestamp};
use worktruck_store_pg::PgStore;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;

/// The moment `seconds` after the beginning of 2026.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START + seconds * 1_000_000)
}

pub(crate) async fn tenant(store: &PgStore, slug: &str) -> TenantId {
    let id = TenantId::from_uuid(Uuid::new_v4());
    let new = NewTenant { name: Some(slug.to_owned()), ..NewTenant::new(id, slug) };
    store.create_tenant(new, at(0)).await.expect("a tenant is made").id
}

pub(crate) fn new_key(kind: Kind) -> EntityKey {
    EntityKey::new(kind, EntityId::from_uuid(Uuid::new_v4()))
}

/// Writes a body from `now` on.
pub(crate) async fn put(store: &PgStore, tenant: TenantId, key: EntityKey, body: Value, now: Timestamp) {
    apply(store, tenant, Changes::none().write(key, WriteOp::Put(body)), now).await;
}

/// Writes over a part of the valid axis.
pub(crate) async fn put_valid(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    body: Value,
    (valid_from, valid_to): (Timestamp, Option<Timestamp>),
    now: Timestamp,
) {
    let write = Write { op: WriteOp::Put(body), valid_from: Some(valid_from), valid_to };
    apply(store, tenant, Changes::none().write_valid(key, write), now).await;
}

pub(crate) async fn delete(store: &PgStore, tenant: TenantId, key: EntityKey, now: Timestamp) {
    apply(store, tenant, Changes::none().write(key, WriteOp::Delete), now).await;
}

pub(crate) async fn apply(store: &PgStore, tenant: TenantId, changes: Changes, now: Timestamp) {
    let provenance = Provenance { request_id: Some("r-1".to_owned()), ..Provenance::new("user:ada", "user_edit") };
    store.apply(tenant, changes, provenance, now).await.expect("changes are made");
}

const LEASE: Duration = Duration::from_secs(30);

/// A run of a blueprint of its own, so that nobody else takes it.
pub(crate) fn new_run(input: Value) -> NewRun {
    let id = Uuid::new_v4();
    NewRun::new(RunId::from_uuid(id), format!("blueprint-{}", id.simple()), input)
}

pub(crate) async fn enqueue(store: &PgStore, tenant: TenantId, run: NewRun, now: Timestamp) -> Run {
    store.enqueue(tenant, vec![run], now).await.expect("a run is accepted").remove(0)
}

/// Lets a worker take the run.
pub(crate) async fn claim(store: &PgStore, run: &Run, now: Timestamp) -> Claimed {
    let blueprints = vec![BlueprintVersion { blueprint: run.agent_blueprint.clone(), version: 1 }];
    let request = ClaimRequest { blueprints, limit: 1, lease_for: LEASE };
    store.claim(request, now).await.expect("a claim is answered").pop().expect("there is a run to take")
}

/// Commits a step for each output, the first of a model and the others of a tool, and an open call.
pub(crate) async fn commit(
    store: &PgStore,
    claimed: &Claimed,
    outputs: Vec<Value>,
    then: Transition,
    now: Timestamp,
) -> Run {
    let run = &claimed.run;
    let snapshot = snapshot(run);
    let mut previous = journal::genesis(run.tenant_id, run.id, &run.input, Some(&snapshot)).expect("JSON");
    let mut steps = Vec::new();
    for (seq, output) in (1..).zip(outputs) {
        let step = step(run, seq, previous, output, now);
        previous = step.hash;
        steps.push(CommitStep { step, changes: Changes::none() });
    }
    let (name, next) = ("app_weather__today", u32::try_from(steps.len()).expect("few steps") + 1);
    let call_digest = journal::call_digest(run.id, next, StepKind::Tool, name, &json!({})).expect("JSON");
    let commit = Commit {
        number: claimed.commits + 1,
        snapshot: Some(snapshot),
        steps,
        calls: vec![OpenCall { seq: next, name: name.to_owned(), call_digest, approval: None, receipt: None }],
        approvals: vec![approval(run.id, next, now)],
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: then,
        lease_for: LEASE,
    };
    match store.commit(&claimed.lease, commit, now).await.expect("a commit is made") {
        CommitOutcome::Committed { run, .. } => run,
        CommitOutcome::Conflicted { seq, error } => panic!("step {seq} conflicts: {}", error.chain()),
    }
}

/// What a person was asked about the call `seq`, and did not answer in time.
fn approval(run_id: RunId, seq: u32, now: Timestamp) -> Approval {
    Approval {
        id: ApprovalId::from_uuid(Uuid::new_v4()),
        run_id,
        step_seq: seq,
        tool: "app_weather__today".to_owned(),
        input: json!({}),
        call_digest: worktruck_core::Digest::of_bytes(b"a call"),
        rule_id: "ask".to_owned(),
        summary: None,
        status: ApprovalStatus::Expired,
        requested_at: now,
        expires_at: now,
        on_expiry: OnExpiry::Reject,
        decision: None,
        decided_at: Some(now),
        decided_by: None,
        note: None,
    }
}

/// A run from its beginning to its end, all at one moment.
pub(crate) async fn finished(
    store: &PgStore,
    tenant: TenantId,
    new: NewRun,
    outputs: Vec<Value>,
    now: Timestamp,
) -> Run {
    let run = enqueue(store, tenant, new, now).await;
    let claimed = claim(store, &run, now).await;
    commit(store, &claimed, outputs, Transition::Succeed { output: json!({ "ok": true }) }, now).await
}

pub(crate) async fn events(store: &PgStore, tenant: TenantId, run: RunId) -> Vec<Event> {
    store.events(tenant, run, PageRequest::largest(None)).await.expect("events are read").data
}

fn step(run: &Run, seq: u32, previous: worktruck_core::Digest, output: Value, now: Timestamp) -> Step {
    let (kind, name) = if seq == 1 { (StepKind::Llm, "claude-haiku") } else { (StepKind::Tool, "contacts_get") };
    let input = json!({ "seq": seq, "of": run.input });
    let usage = Usage { input_tokens: 1_000, output_tokens: 20, cache_read_tokens: 3, cache_write_tokens: 4 };
    let mut step = Step {
        id: StepId::from_uuid(Uuid::new_v4()),
        seq,
        kind,
        name: name.to_owned(),
        call_digest: journal::call_digest(run.id, seq, kind, name, &input).expect("JSON"),
        hash: previous,
        input,
        output: Some(output),
        outcome: StepOutcome::Ok,
        model: (kind == StepKind::Llm).then(|| name.to_owned()),
        usage: (kind == StepKind::Llm).then_some(usage),
        cost: Cost(NanoUsd::new(1_234_567)),
        started_at: now,
        completed_at: Some(now.next()),
        payload_ref: None,
        tried: (kind == StepKind::Tool).then(|| json!({ "writes": [], "requires": [], "numbers": [] })),
    };
    step.hash = journal::step_hash(previous, &step).expect("JSON");
    step
}

fn snapshot(run: &Run) -> Snapshot {
    Snapshot {
        blueprint: run.agent_blueprint.clone(),
        blueprint_version: 1,
        config_version: Some(7),
        model: "local/rules".to_owned(),
        system_prompt: "find duplicates".to_owned(),
        first_message: "begin".to_owned(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: Some(500),
        deadline_at: at(86_400),
        max_steps: 50,
        max_tokens: 4096,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}
