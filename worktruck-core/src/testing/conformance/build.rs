//! Values that scenarios are made of: fixed moments and ids, small bodies, chained steps.

use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};
use uuid::Builder;

use crate::entity::Kind;
use crate::journal::{self, Snapshot, Step, StepKind, StepOutcome};
use crate::model::Usage;
use crate::run::{
    BlueprintVersion, ClaimRequest, Claimed, Commit, CommitStep, Cost, Event, Lease, NewRun, Run, Transition,
};
use crate::store::{
    Applied, Changes, CommitOutcome, EntityKey, ListQuery, NewTenant, Provenance, RunQuery, TenantCommit, Version,
};
use crate::temporal::{At, Write, WriteOp};
use crate::{
    Cursor, Digest, EntityId, Error, ErrorKind, NanoUsd, Page, PageRequest, Result, RunId, StepId, TenantId, Timestamp,
};

use super::Stage;

/// How long leases last in scenarios.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// The blueprint of the runs in scenarios.
pub(super) const BLUEPRINT: &str = "contact_deduper";

/// 2026-01-01T00:00:00Z, the zero of scenarios.
const START: i64 = 1_767_225_600_000_000;

/// The moment `seconds` after the zero of scenarios.
pub(super) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START + seconds * 1_000_000)
}

/// The moment just before `moment`.
pub(super) fn just_before(moment: Timestamp) -> Timestamp {
    moment.before(Duration::from_micros(1))
}

pub(super) fn uuid(what: u8, n: u32) -> uuid::Uuid {
    let mut random = [what; 10];
    random[6..].copy_from_slice(&n.to_be_bytes());
    Builder::from_unix_timestamp_millis(START.unsigned_abs() / 1000, &random).into_uuid()
}

/// The contact number `n`; greater numbers have greater ids.
pub(super) fn contact(n: u32) -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::from_uuid(uuid(1, n)))
}

/// The agent config number `n`.
pub(super) fn agent_config(n: u32) -> EntityKey {
    EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(uuid(5, n)))
}

/// The id of run number `n`.
pub(super) fn run_id(n: u32) -> RunId {
    RunId::from_uuid(uuid(2, n))
}

/// The id of tenant number `n`.
pub(super) fn tenant_id(n: u32) -> TenantId {
    TenantId::from_uuid(uuid(3, n))
}

/// The body of a contact.
pub(super) fn named(name: &str) -> Value {
    json!({ "display_name": name })
}

/// The body of a contact with one tag.
pub(super) fn tagged(name: &str, tag: &str) -> Value {
    json!({ "display_name": name, "tags": [tag] })
}

/// A person at a keyboard.
pub(super) fn person() -> Provenance {
    Provenance::new("user:ada", "user_edit")
}

/// A write that holds from `from` to before `to`.
pub(super) fn valid(op: WriteOp, from: Timestamp, to: Option<Timestamp>) -> Write {
    Write { op, valid_from: Some(from), valid_to: to }
}

/// What is known now about `moment`.
pub(super) const fn valid_at(moment: Timestamp) -> At {
    At { as_of: None, valid_at: Some(moment) }
}

/// What was known at `sys` about `moment`.
pub(super) const fn known_at(sys: Timestamp, moment: Timestamp) -> At {
    At { as_of: Some(sys), valid_at: Some(moment) }
}

/// The page of at most `limit` items from `cursor` on.
pub(super) fn page(limit: u16, cursor: Option<Cursor>) -> PageRequest {
    PageRequest::new(limit, cursor).expect("scenarios ask for legal pages")
}

/// The name in the body of a contact.
pub(super) fn name_of(version: &Version) -> String {
    let body = version.slice.body.as_ref().unwrap_or_else(|| panic!("{} has no body: {version:?}", version.key));
    body["display_name"].as_str().unwrap_or_else(|| panic!("{body} has no name")).to_owned()
}

/// The names in the bodies of contacts.
pub(super) fn names_of(versions: &[Version]) -> Vec<String> {
    versions.iter().map(name_of).collect()
}

/// Asserts that `result` is an error of `kind`.
#[track_caller]
pub(super) fn assert_refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, what: &str) -> Error {
    match result {
        Ok(answer) => panic!("{what} must be refused as {kind}, but the answer is {answer:?}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{what} is refused for the wrong reason: {}", error.chain());
            error
        }
    }
}

/// The ids of the runs of a claim, sorted: its answer is in no order.
pub(super) fn ids_of(claimed: &[Claimed]) -> Vec<RunId> {
    let mut ids: Vec<_> = claimed.iter().map(|claimed| claimed.run.id).collect();
    ids.sort_unstable();
    ids
}

/// A run of the scenarios' blueprint.
pub(super) fn new_run(n: u32) -> NewRun {
    NewRun::new(run_id(n), BLUEPRINT, json!({ "number": n }))
}

/// A worker that has version 1 of the scenarios' blueprint and takes up to `limit` runs.
pub(super) fn worker(limit: usize) -> ClaimRequest {
    worker_with(limit, BLUEPRINT, 1)
}

/// A worker that has `version` of `blueprint` and takes up to `limit` runs.
pub(super) fn worker_with(limit: usize, blueprint: &str, version: u32) -> ClaimRequest {
    let blueprints = vec![BlueprintVersion { blueprint: blueprint.to_owned(), version }];
    ClaimRequest { blueprints, limit, lease_for: LEASE }
}

/// What the runs of scenarios live by.
pub(super) fn snapshot() -> Snapshot {
    Snapshot {
        blueprint: BLUEPRINT.to_owned(),
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

/// What a step comes out with and changes.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) output: Value,
    pub(super) changes: Changes,
    pub(super) usage: Option<Usage>,
}

impl Done {
    /// A step that only reads.
    pub(super) fn nothing(output: impl Into<Value>) -> Self {
        Self { output: output.into(), changes: Changes::none(), usage: None }
    }

    /// A step that used up tokens.
    pub(super) fn using(usage: Usage) -> Self {
        Self { usage: Some(usage), ..Self::nothing("used") }
    }

    /// A step that changes something.
    pub(super) fn with(changes: Changes) -> Self {
        Self { output: json!({ "ok": true }), changes, usage: None }
    }
}

/// A run in the hands of a worker, which knows where its chain ends.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) run: Run,
    pub(super) lease: Lease,
    head: Digest,
    seq: u32,
    commits: u64,
    begun: bool,
}

impl Held {
    /// A commit of these steps. The first of a run brings its snapshot.
    pub(super) fn commit(&self, steps: Vec<Done>, transition: Transition) -> Commit {
        let mut previous = self.head;
        let steps = (self.seq + 1..).zip(steps).map(|(seq, done)| {
            let step = self.step(seq, previous, done.output, done.usage);
            previous = step.hash;
            CommitStep { step, changes: done.changes }
        });
        Commit {
            number: self.commits + 1,
            steps: steps.collect(),
            snapshot: (!self.begun).then(snapshot),
            calls: Vec::new(),
            approvals: Vec::new(),
            events: Vec::new(),
            reserved: NanoUsd::ZERO,
            forfeited: NanoUsd::ZERO,
            transition,
            lease_for: LEASE,
        }
    }

    fn step(&self, seq: u32, previous: Digest, output: Value, usage: Option<Usage>) -> Step {
        let input = json!({ "seq": seq });
        let name = "contacts_propose_merge";
        let mut step = Step {
            id: StepId::from_uuid(uuid(4, seq)),
            seq,
            kind: StepKind::Tool,
            name: name.to_owned(),
            call_digest: journal::call_digest(self.run.id, seq, StepKind::Tool, name, &input)
                .expect("the input is JSON"),
            hash: previous,
            input,
            output: Some(output),
            outcome: StepOutcome::Ok,
            model: None,
            usage,
            cost: Cost(NanoUsd::new(1_000 + i64::from(seq))),
            started_at: at(1),
            completed_at: Some(at(2)),
            payload_ref: None,
            tried: None,
        };
        step.hash = journal::step_hash(previous, &step).expect("the payloads are JSON");
        step
    }

    /// Commits, and takes in the run and the lease as they are afterwards.
    pub(super) async fn send(&mut self, stage: &Stage, commit: Commit, now: Timestamp) {
        let (number, pins) = (commit.number, commit.snapshot.is_some());
        let last = commit.steps.last().map(|last| (last.step.seq, last.step.hash));
        match stage.store.commit(&self.lease, commit, now).await {
            Ok(CommitOutcome::Committed { run, lease }) => {
                self.run = run;
                self.lease = lease;
                self.begun |= pins;
                self.commits = number;
                (self.seq, self.head) = last.unwrap_or_else(|| (self.seq, self.genesis_or_head()));
            }
            Ok(CommitOutcome::Conflicted { seq, error }) => {
                panic!("a commit without conflict is answered with one at step {seq}: {}", error.chain())
            }
            Err(error) => panic!("a commit under a good lease is refused: {}", error.chain()),
        }
    }

    fn genesis_or_head(&self) -> Digest {
        if self.seq > 0 {
            return self.head;
        }
        genesis(&self.run)
    }
}

fn genesis(run: &Run) -> Digest {
    journal::genesis(run.tenant_id, run.id, &run.input, Some(&snapshot())).expect("the input is JSON")
}

/// What most scenarios begin with.
impl Stage {
    /// Makes tenant number `n`.
    pub(super) async fn tenant(&self, n: u32) -> TenantId {
        let new = NewTenant::new(tenant_id(n), format!("tenant-{n}"));
        self.store.create_tenant(new, at(0)).await.expect("a tenant is made").id
    }

    /// Makes the first `N` tenants.
    pub(super) async fn tenants<const N: usize>(&self) -> [TenantId; N] {
        let mut tenants = [tenant_id(0); N];
        for (n, tenant) in (1..).zip(&mut tenants) {
            *tenant = self.tenant(n).await;
        }
        tenants
    }

    /// Applies changes that must succeed.
    pub(super) async fn apply(&self, tenant: TenantId, changes: Changes, now: Timestamp) -> Applied {
        match self.store.apply(tenant, changes, person(), now).await {
            Ok(applied) => applied,
            Err(error) => panic!("changes that break no rule are refused: {}", error.chain()),
        }
    }

    /// Creates a contact that must not exist.
    pub(super) async fn create(&self, tenant: TenantId, n: u32, body: Value, now: Timestamp) -> Applied {
        self.apply(tenant, Changes::none().create(contact(n), body), now).await
    }

    /// Writes to a contact from the moment of the commit on.
    pub(super) async fn write(&self, tenant: TenantId, n: u32, op: WriteOp, now: Timestamp) -> Applied {
        self.apply(tenant, Changes::none().write(contact(n), op), now).await
    }

    /// Writes to a contact over a part of the valid axis.
    pub(super) async fn write_valid(
        &self,
        tenant: TenantId,
        n: u32,
        op: WriteOp,
        (from, to): (Timestamp, Option<Timestamp>),
        now: Timestamp,
    ) -> Applied {
        self.apply(tenant, Changes::none().write_valid(contact(n), valid(op, from, to)), now).await
    }

    /// Reads a contact.
    pub(super) async fn read(&self, tenant: TenantId, n: u32, when: At, now: Timestamp) -> Option<Version> {
        self.store.entity(tenant, contact(n), when, now).await.expect("a contact is read")
    }

    /// Reads the name of a contact.
    pub(super) async fn name(&self, tenant: TenantId, n: u32, when: At, now: Timestamp) -> Option<String> {
        self.read(tenant, n, when, now).await.as_ref().map(name_of)
    }

    /// One page of a list.
    pub(super) async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Page<Version> {
        match self.store.list(tenant, query, now).await {
            Ok(page) => page,
            Err(error) => panic!("a list is refused: {}", error.chain()),
        }
    }

    /// The names on all pages of a list.
    pub(super) async fn walk(&self, tenant: TenantId, query: &ListQuery, limit: u16, now: Timestamp) -> Vec<String> {
        let walk = walk_pages(limit, |page| {
            let query = ListQuery { page, ..query.clone() };
            async move { self.list(tenant, query, now).await }.boxed()
        });
        names_of(&walk.await)
    }

    /// All the rows of a contact's history.
    pub(super) async fn history(&self, tenant: TenantId, n: u32, limit: u16) -> Vec<Version> {
        walk_pages(limit, |page| {
            async move { self.store.history(tenant, contact(n), page).await.expect("a history is read") }.boxed()
        })
        .await
    }

    /// All commits of a tenant.
    pub(super) async fn feed(&self, tenant: TenantId) -> Vec<TenantCommit> {
        self.store.changes(tenant, None, PageRequest::largest(None)).await.expect("the feed is read").data
    }

    /// Accepts run number `n`.
    pub(super) async fn enqueue(&self, tenant: TenantId, n: u32, now: Timestamp) -> Run {
        self.accept(tenant, new_run(n), now).await
    }

    /// Accepts a run.
    pub(super) async fn accept(&self, tenant: TenantId, new: NewRun, now: Timestamp) -> Run {
        let mut runs = self.store.enqueue(tenant, vec![new], now).await.expect("a run is accepted");
        assert_eq!(runs.len(), 1, "one run is accepted");
        runs.remove(0)
    }

    /// Takes up to `limit` runs.
    pub(super) async fn claim(&self, limit: usize, now: Timestamp) -> Vec<Claimed> {
        self.store.claim(worker(limit), now).await.expect("a claim is answered")
    }

    /// Takes the one run that there is to take.
    pub(super) async fn take(&self, now: Timestamp) -> Held {
        let claimed = self.claim(1, now).await.pop().expect("there is a run to take");
        self.hold(claimed).await
    }

    /// Goes on with a run that was taken.
    pub(super) async fn hold(&self, claimed: Claimed) -> Held {
        let run = claimed.run;
        let journal = self.journal(run.tenant_id, run.id).await;
        let head = journal.steps.last().map_or_else(|| genesis(&run), |step| step.hash);
        let seq = u32::try_from(journal.steps.len()).expect("scenarios make few steps");
        Held { run, lease: claimed.lease, head, seq, commits: claimed.commits, begun: claimed.has_journal }
    }

    /// Reads a run that must exist.
    pub(super) async fn run(&self, tenant: TenantId, run: RunId) -> Run {
        self.store.run(tenant, run).await.expect("a run is read").expect("the run exists")
    }

    /// The ids of all runs of a tenant, newest first.
    pub(super) async fn run_ids(&self, tenant: TenantId, query: RunQuery) -> Vec<RunId> {
        let runs = walk_pages(200, |page| {
            let query = RunQuery { page, ..query.clone() };
            async move { self.store.runs(tenant, query).await.expect("runs are listed") }.boxed()
        });
        runs.await.into_iter().map(|run| run.id).collect()
    }

    /// Reads the journal of a run that must exist.
    pub(super) async fn journal(&self, tenant: TenantId, run: RunId) -> journal::Journal {
        self.store.journal(tenant, run).await.expect("a journal is read").expect("the run exists")
    }

    /// All events of a run.
    pub(super) async fn events(&self, tenant: TenantId, run: RunId, limit: u16) -> Vec<Event> {
        walk_pages(limit, |page| {
            async move { self.store.events(tenant, run, page).await.expect("events are read") }.boxed()
        })
        .await
    }
}

/// How many pages a walk may have before it is held to be endless.
const MOST_PAGES: usize = 1_000;

/// Walks a list from its first page to its last.
pub(super) async fn walk_pages<'a, T>(
    limit: u16,
    read: impl Fn(PageRequest) -> futures::future::BoxFuture<'a, Page<T>>,
) -> Vec<T> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let got = read(page(limit, cursor)).await;
        assert!(got.data.len() <= usize::from(limit), "a page holds at most what was asked for");
        assert_eq!(got.has_more, got.next_cursor.is_some(), "a page that has more says where");
        items.extend(got.data);
        cursor = got.next_cursor;
        if cursor.is_none() {
            return items;
        }
    }
    panic!("the walk does not end")
}
