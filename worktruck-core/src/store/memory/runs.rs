use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Journal, OpenCall, Snapshot, Step};
use crate::run::{Commit, Event, RunRecord, RunStatus};
use crate::{Digest, Error, Result, RunId, TenantId, Timestamp};

/// The runs of all tenants.
#[derive(Debug, Default)]
pub(super) struct Runs {
    by_id: BTreeMap<(TenantId, RunId), StoredRun>,
    /// Runs that may be claimed now or later, in the order in which they are.
    queue: BTreeSet<Place>,
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
    pub(super) events: Vec<Event>,
}

/// Where a run stands in the queue: by priority, then age.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    priority: Reverse<i8>,
    created_at: Timestamp,
    run: RunId,
    tenant: TenantId,
}

impl Place {
    fn of(record: &RunRecord) -> Self {
        let run = &record.run;
        Self { priority: Reverse(run.priority), created_at: run.created_at, run: run.id, tenant: run.tenant_id }
    }
}

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

    /// The records of the queue, in order.
    pub(super) fn queued(&self) -> impl Iterator<Item = &RunRecord> {
        self.queue.iter().filter_map(|place| Some(&self.run(place.tenant, place.run)?.record))
    }

    /// Writes back a record that changed, with what happened to it.
    pub(super) fn put(&mut self, record: RunRecord, events: Vec<Event>) -> &mut StoredRun {
        let place = Place::of(&record);
        if matches!(record.run.status, RunStatus::Queued | RunStatus::Running) {
            self.queue.insert(place);
        } else {
            self.queue.remove(&place);
        }
        if record.run.status == RunStatus::Queued {
            self.generation += 1;
        }
        let run = self.by_id.entry((place.tenant, place.run)).or_insert_with(|| StoredRun::new(record.clone()));
        run.record = record;
        run.events.extend(events);
        run
    }
}

impl StoredRun {
    const fn new(record: RunRecord) -> Self {
        Self { record, snapshot: None, steps: Vec::new(), calls: BTreeMap::new(), events: Vec::new() }
    }

    /// Takes in what a commit adds to the journal.
    pub(super) fn extend(&mut self, commit: Commit) {
        if commit.snapshot.is_some() {
            self.snapshot = commit.snapshot;
        }
        self.steps.extend(commit.steps.into_iter().map(|step| step.step));
        self.calls.extend(commit.calls.into_iter().map(|call| (call.seq, call)));
        let head = self.record.head_seq;
        self.calls.retain(|seq, _| *seq > head);
    }

    pub(super) fn journal(&self) -> Journal {
        Journal {
            snapshot: self.snapshot.clone(),
            steps: self.steps.clone(),
            calls: self.calls.values().cloned().collect(),
            commits: self.record.commits,
            reserved: self.record.reserved,
            forfeited: self.record.forfeited,
        }
    }
}
