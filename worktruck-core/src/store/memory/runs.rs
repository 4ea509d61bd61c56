use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Journal, OpenCall, Snapshot, Step, payload_ref};
use crate::model::Usage;
use crate::run::{Approval, Commit, Event, RunRecord, RunStatus};
use crate::store::{Candidate, turn};
use crate::{Digest, Error, Result, RunId, TenantId, Timestamp};

/// The runs of all tenants.
#[derive(Debug, Default)]
pub(super) struct Runs {
    by_id: BTreeMap<(TenantId, RunId), StoredRun>,
    /// Runs that may be claimed now or later, in the order in which they are within a tenant.
    queues: BTreeMap<TenantId, BTreeSet<Place>>,
    /// Runs that are running, by tenant and blueprint.
    running: BTreeMap<(TenantId, String), BTreeSet<RunId>>,
    /// When tenants were last served.
    turns: BTreeMap<TenantId, Timestamp>,
    pub(super) by_idempotency_key: BTreeMap<(TenantId, String), (Digest, RunId)>,
    /// How many times there came to be work.
    pub(super) generation: u64,
}

/// A run, its journal and its events.
#[derive(Debug)]
pub(super) struct StoredRun {
    pub(super) record: RunRecord,
    snapshot: Option<Snapshot>,
    steps: Vec<Step>,
    calls: BTreeMap<u32, OpenCall>,
    approvals: BTreeMap<u32, Approval>,
    pub(super) events: Vec<Event>,
}

/// Where a run stands in the queue of its tenant: by priority, then age.
type Place = (Reverse<i8>, Timestamp, RunId);

impl Runs {
    pub(super) fn run(&self, tenant: TenantId, run: RunId) -> Option<&StoredRun> {
        self.by_id.get(&(tenant, run))
    }

    pub(super) fn existing(&self, tenant: TenantId, run: RunId) -> Result<&StoredRun> {
        self.run(tenant, run).ok_or_else(|| Error::not_found(format!("run {run}")))
    }

    pub(super) fn of_tenant(&self, tenant: TenantId) -> impl Iterator<Item = &StoredRun> {
        let first = (tenant, RunId::from_uuid(uuid::Uuid::nil()));
        self.by_id.range(first..).take_while(move |((of, _), _)| *of == tenant).map(|(_, run)| run)
    }

    /// The runs that have not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &RunRecord> {
        self.queues.iter().flat_map(move |(tenant, queue)| {
            queue.iter().filter_map(move |(_, _, run)| Some(&self.run(*tenant, *run)?.record))
        })
    }

    /// What of the queues is `claimable`, by tenants: when each was last served, and its candidates.
    pub(super) fn candidates(
        &self,
        claimable: impl Fn(&RunRecord) -> bool + Copy,
    ) -> impl Iterator<Item = (Option<Timestamp>, impl Iterator<Item = Candidate>)> {
        self.queues.iter().map(move |(tenant, queue)| {
            let records = queue.iter().filter_map(|(_, _, run)| Some(&self.run(*tenant, *run)?.record));
            let candidate = |record: &RunRecord| Candidate {
                priority: Reverse(record.run.priority),
                created_at: record.run.created_at,
                run: record.run.id,
                tenant: *tenant,
                blueprint: record.run.agent_blueprint.clone(),
                is_running: record.run.status == RunStatus::Running,
            };
            (self.turns.get(tenant).copied(), records.filter(move |record| claimable(record)).map(candidate))
        })
    }

    /// How many runs of a blueprint are running.
    pub(super) fn running(&self, tenant: TenantId, blueprint: &str) -> usize {
        self.running.get(&(tenant, blueprint.to_owned())).map_or(0, BTreeSet::len)
    }

    /// Keeps that a claim at `now` has served these tenants.
    pub(super) fn serve(&mut self, tenants: impl IntoIterator<Item = TenantId>, now: Timestamp) {
        let turn = turn(now, self.turns.values().max().copied());
        self.turns.extend(tenants.into_iter().map(|tenant| (tenant, turn)));
    }

    /// Removes up to `limit` runs of a tenant that ended before `before`, those first that ended first;
    /// gives how many.
    pub(super) fn expire(&mut self, tenant: TenantId, before: Timestamp, limit: usize) -> usize {
        let ended = self.of_tenant(tenant).filter_map(|run| Some((run.record.run.finished_at?, run.record.run.id)));
        let mut gone: Vec<_> = ended.filter(|(finished_at, _)| *finished_at < before).collect();
        gone.sort_unstable();
        gone.truncate(limit);
        for (_, run) in &gone {
            self.by_id.remove(&(tenant, *run));
        }
        let by_id = &self.by_id;
        self.by_idempotency_key.retain(|(of, _), (_, run)| *of != tenant || by_id.contains_key(&(tenant, *run)));
        gone.len()
    }

    /// Writes back a record that changed, with what happened to it.
    pub(super) fn put(&mut self, record: RunRecord, events: Vec<Event>) -> &mut StoredRun {
        let run = &record.run;
        let (tenant, id) = (run.tenant_id, run.id);
        let place = (Reverse(run.priority), run.created_at, id);
        let queue = self.queues.entry(tenant).or_default();
        if matches!(run.status, RunStatus::Queued | RunStatus::Running | RunStatus::Waiting) {
            queue.insert(place);
        } else {
            queue.remove(&place);
        }
        let running = self.running.entry((tenant, run.agent_blueprint.clone())).or_default();
        if run.status == RunStatus::Running {
            running.insert(id);
        } else {
            running.remove(&id);
        }
        if matches!(run.status, RunStatus::Queued | RunStatus::Waiting) {
            self.generation += 1;
        }
        let run = self.by_id.entry((tenant, id)).or_insert_with(|| StoredRun::new(record.clone()));
        run.record = record;
        run.events.extend(events);
        run
    }
}

impl StoredRun {
    const fn new(record: RunRecord) -> Self {
        Self {
            record,
            snapshot: None,
            steps: Vec::new(),
            calls: BTreeMap::new(),
            approvals: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Takes in what a commit adds to the journal.
    pub(super) fn extend(&mut self, commit: Commit) {
        if commit.snapshot.is_some() {
            self.snapshot = commit.snapshot;
        }
        self.steps.extend(commit.steps.into_iter().map(|step| named(step.step)));
        self.calls.extend(commit.calls.into_iter().map(|call| (call.seq, call)));
        let head = self.record.head_seq;
        self.calls.retain(|seq, _| *seq > head);
    }

    /// Takes in the journal that a fork begins with.
    pub(super) fn begin(&mut self, snapshot: Snapshot, steps: Vec<Step>, approvals: Vec<Approval>) {
        self.snapshot = Some(snapshot);
        self.steps.extend(steps.into_iter().map(named));
        self.approve(approvals);
    }

    /// The tokens of each step that used some.
    pub(super) fn usages(&self) -> impl Iterator<Item = Usage> {
        self.steps.iter().filter_map(|step| step.usage)
    }

    /// What people were asked, in order of the calls.
    pub(super) fn approvals(&self) -> Vec<Approval> {
        self.approvals.values().cloned().collect()
    }

    /// Keeps these approvals.
    pub(super) fn approve(&mut self, approvals: Vec<Approval>) {
        self.approvals.extend(approvals.into_iter().map(|approval| (approval.step_seq, approval)));
    }

    pub(super) fn journal(&self) -> Journal {
        Journal {
            snapshot: self.snapshot.clone(),
            steps: self.steps.clone(),
            calls: self.calls.values().cloned().collect(),
            approvals: self.approvals(),
            commits: self.record.commits,
            reserved: self.record.reserved,
            forfeited: self.record.forfeited,
        }
    }
}

/// What other backends store out of line has the same name here.
fn named(step: Step) -> Step {
    Step { payload_ref: step.output.as_ref().and_then(payload_ref), ..step }
}
