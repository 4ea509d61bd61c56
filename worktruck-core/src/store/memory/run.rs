use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use crate::journal::Journal;
use crate::model::Usage;
use crate::run::{
    Approval, ClaimRequest, Claimed, Commit, CommitStep, Event, Fork, Lease, NewRun, Renewal, Run, RunRecord,
    RunStatus, Signal,
};
use crate::store::{
    AgentCost, AgentCostQuery, ApprovalQuery, Candidate, CommitOutcome, CostTable, Costs, Provenance, Queue, RunQuery,
    RunStore, approval_scope, event_scope, in_turn, run_content, run_scope,
};
use crate::{ApprovalId, Cursor, Error, ErrorKind, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use super::entities::Staging;
use super::runs::{Runs, StoredRun};
use super::{MemoryStore, State};

#[async_trait]
impl RunStore for MemoryStore {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        let mut state = self.state();
        let accepted = accept(&mut state.runs, tenant, runs, now)?;
        drop(state);
        self.work.notify(usize::MAX);
        Ok(accepted)
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        let (record, events) = RunRecord::fork(&fork, tenant, now)?;
        let mut state = self.state();
        if state.runs.run(tenant, fork.run.id).is_some() {
            return Err(Error::conflict(format!("run {} exists", fork.run.id)));
        }
        let stored = state.runs.put(record, events);
        stored.begin(fork.snapshot, fork.steps, fork.approvals);
        let run = stored.record.run.clone();
        drop(state);
        self.work.notify(usize::MAX);
        Ok(run)
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let mut guard = self.state();
        let state = &mut *guard;
        let room = |tenant, blueprint: &str| {
            let running = state.runs.running(tenant, blueprint);
            let limit = state.entities.get(&tenant)?.limit_of_runs(blueprint, now)?;
            Some(limit.saturating_sub(u32::try_from(running).unwrap_or(u32::MAX)))
        };
        let queues = state.runs.candidates(|record| record.is_claimable(&request, now));
        let taken = in_turn(queues, room, request.limit);
        state.runs.serve(taken.iter().map(|taken| taken.tenant), now);
        let mut claimed = Vec::with_capacity(taken.len());
        for Candidate { tenant, run, .. } in taken {
            let mut record = state.runs.existing(tenant, run)?.record.clone();
            let (given, events) = record.claim(request.lease_for, now);
            state.runs.put(record, events);
            claimed.push(given);
        }
        Ok(claimed)
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        let mut state = self.state();
        let renew = |lease: &Lease| {
            let Some(run) = state.runs.run(lease.tenant(), lease.run()) else { return Renewal::Lost(lease.run()) };
            let mut record = run.record.clone();
            let renewal = record.renew(lease, lease_for, now);
            if matches!(renewal, Renewal::Renewed { .. }) {
                state.runs.put(record, Vec::new());
            }
            renewal
        };
        Ok(leases.iter().map(renew).collect())
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        let state = self.state();
        for run in state.runs.live().map(|record| &record.run) {
            if matches!(run.status, RunStatus::Queued | RunStatus::Waiting) && run.run_at <= now {
                let blueprint = &run.agent_blueprint;
                let new = || Queue { blueprint: blueprint.clone(), depth: 0, oldest: run.run_at };
                let queue = queues.entry(blueprint.clone()).or_insert_with(new);
                queue.depth += 1;
                queue.oldest = queue.oldest.min(run.run_at);
            }
        }
        Ok(queues.into_values().collect())
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut record = state.runs.existing(lease.tenant(), lease.run())?.record.clone();
        if record.is_repeated(lease, &commit) {
            return Ok(CommitOutcome::Committed { lease: record.lease(), run: record.run });
        }
        let (lease, events) = record.commit(lease, &commit, now)?;
        if let Some(conflicted) = apply(state, &record.run, &commit.steps, now)? {
            return Ok(conflicted);
        }
        let approvals = match commit.approvals.as_slice() {
            [] => Vec::new(),
            _ => record.approve(&commit, &state.runs.existing(lease.tenant(), lease.run())?.approvals(), now),
        };
        let run = record.run.clone();
        state.tell(&run, &events, now);
        let stored = state.runs.put(record, events);
        stored.extend(commit);
        stored.approve(approvals);
        drop(guard);
        if matches!(run.status, RunStatus::Queued | RunStatus::Waiting) {
            self.work.notify(usize::MAX);
        }
        Ok(CommitOutcome::Committed { run, lease })
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        let mut state = self.state();
        let mut record = state.runs.existing(tenant, run)?.record.clone();
        let mut approvals = state.runs.existing(tenant, run)?.approvals();
        let events = record.signal(&signal, &mut approvals, now)?;
        let run = record.run.clone();
        state.tell(&run, &events, now);
        state.runs.put(record, events).approve(approvals);
        drop(state);
        if matches!(run.status, RunStatus::Queued | RunStatus::Waiting) {
            self.work.notify(usize::MAX);
        }
        Ok(run)
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        Ok(self.state().runs.run(tenant, run).map(|run| run.record.run.clone()))
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        let scope = run_scope(tenant, &query);
        let after: Option<(i64, RunId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let place = |run: &Run| (run.created_at.as_micros(), run.id);
        let state = self.state();
        let mut runs: Vec<&Run> = state.runs.of_tenant(tenant).map(|run| &run.record.run).collect();
        runs.retain(|run| {
            query.status.is_none_or(|status| run.status == status)
                && query.blueprint.as_ref().is_none_or(|blueprint| run.agent_blueprint == *blueprint)
                && after.is_none_or(|after| place(run) < after)
        });
        runs.sort_by_key(|run| Reverse(place(run)));
        page(&runs, query.page.limit(), |run| Cursor::seal(&scope, &place(run)))
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        let (from, to) = query.span()?;
        let mut table = CostTable::default();
        for stored in self.state().runs.of_tenant(tenant) {
            let run = &stored.record.run;
            let Some(ended) = run.finished_at.filter(|ended| (from..to).contains(ended)) else { continue };
            if query.blueprint.as_ref().is_some_and(|blueprint| run.agent_blueprint != *blueprint) {
                continue;
            }
            let failed_runs = u64::from(run.status == RunStatus::Failed);
            let ended_so = Costs { runs: 1, failed_runs, cost: run.cost.0, ..Costs::default() };
            table.add(ended, &run.agent_blueprint, ended_so)?;
            for Usage { input_tokens, output_tokens, .. } in stored.usages() {
                let used = Costs { input_tokens, output_tokens, ..Costs::default() };
                table.add(ended, &run.agent_blueprint, used)?;
            }
        }
        Ok(table.into_rows())
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        Ok(self.state().runs.run(tenant, run).map(StoredRun::journal))
    }

    async fn events(&self, tenant: TenantId, run: RunId, request: PageRequest) -> Result<Page<Event>> {
        let scope = event_scope(tenant, run);
        let state = self.state();
        let events = &state.runs.existing(tenant, run)?.events;
        let after: u64 = request.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or(0);
        let first = events.partition_point(|event| event.seq <= after);
        let rest: Vec<&Event> = events[first..].iter().collect();
        page(&rest, request.limit(), |event| Cursor::seal(&scope, &event.seq))
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        let state = self.state();
        Ok(state.runs.of_tenant(tenant).flat_map(StoredRun::approvals).find(|approval| approval.id == id))
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        let scope = approval_scope(tenant, &query);
        let after: Option<(i64, ApprovalId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let place = |approval: &Approval| (approval.requested_at.as_micros(), approval.id);
        let mut found: Vec<Approval> = self.state().runs.of_tenant(tenant).flat_map(StoredRun::approvals).collect();
        found.retain(|approval| {
            query.status.is_none_or(|status| approval.status == status)
                && query.run.is_none_or(|run| approval.run_id == run)
                && after.is_none_or(|after| place(approval) > after)
        });
        found.sort_by_key(place);
        page(&found.iter().collect::<Vec<_>>(), query.page.limit(), |approval| Cursor::seal(&scope, &place(approval)))
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        loop {
            // Listening begins before looking: what comes in between wakes the listener.
            let listener = self.work.listen();
            // The first mark must differ from the 0 of a worker that has none.
            let mark = self.state().runs.generation + 1;
            if mark != seen {
                return Ok(mark);
            }
            listener.await;
        }
    }
}

/// What is decided about one of the runs to be accepted.
enum Accept {
    New(NewRun),
    Again(RunId),
}

fn accept(runs: &mut Runs, tenant: TenantId, new: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
    let mut decided: Vec<Accept> = Vec::with_capacity(new.len());
    let mut ids = BTreeSet::new();
    let mut keys = BTreeMap::new();
    new.iter().try_for_each(NewRun::check)?;
    for run in new {
        if let Some(key) = &run.idempotency_key {
            let content = run_content(&run)?;
            let place = (tenant, key.clone());
            let first = keys.get(&place).or_else(|| runs.by_idempotency_key.get(&place));
            match first {
                Some((same, id)) if *same == content => {
                    decided.push(Accept::Again(*id));
                    continue;
                }
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::IdempotencyMismatch,
                        format!("idempotency key {key:?} was used before with other content"),
                    ));
                }
                None => keys.insert(place, (content, run.id)),
            };
        }
        if runs.run(tenant, run.id).is_some() || !ids.insert(run.id) {
            return Err(Error::conflict(format!("run {} exists", run.id)));
        }
        decided.push(Accept::New(run));
    }
    runs.by_idempotency_key.extend(keys);
    let mut accepted = Vec::with_capacity(decided.len());
    for decision in decided {
        accepted.push(match decision {
            Accept::New(run) => {
                let (record, events) = RunRecord::accept(run, tenant, now);
                runs.put(record, events).record.run.clone()
            }
            Accept::Again(id) => runs.existing(tenant, id)?.record.run.clone(),
        });
    }
    Ok(accepted)
}

/// Applies the changes of the steps, each in a commit of its own; all of them, or none.
fn apply(state: &mut State, run: &Run, steps: &[CommitStep], now: Timestamp) -> Result<Option<CommitOutcome>> {
    if steps.iter().all(|step| step.changes.is_empty()) {
        return Ok(None);
    }
    let mut staging = Staging::new(run.tenant_id, state.entities.entry(run.tenant_id).or_default());
    for CommitStep { step, changes } in steps {
        let provenance = Provenance::agent_run(&run.agent_blueprint, run.id, step.seq);
        if let Err(error) = staging.apply(changes, provenance, now) {
            return match error.kind() {
                ErrorKind::VersionMismatch | ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::InvalidRequest => {
                    Ok(Some(CommitOutcome::Conflicted { seq: step.seq, error }))
                }
                _ => Err(error),
            };
        }
    }
    let staged = staging.finish();
    state.absorb(run.tenant_id, staged, now);
    Ok(None)
}

fn page<T: Clone>(items: &[&T], limit: usize, cursor: impl Fn(&T) -> Result<Cursor>) -> Result<Page<T>> {
    let shown = &items[..items.len().min(limit)];
    let next = match shown.last() {
        Some(last) if items.len() > limit => Some(cursor(last)?),
        _ => None,
    };
    Ok(Page::new(shown.iter().map(|item| (*item).clone()).collect(), next))
}
