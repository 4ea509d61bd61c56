mod accept;
mod approval;
mod batch;
mod chains;
mod claim;
mod cost;
mod enqueue;
mod journal;
mod list;
mod offer;
mod record;
mod signal;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use worktruck_core::journal::Journal;
use worktruck_core::run::{
    Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, RunStatus, Signal,
};
use worktruck_core::store::{AgentCost, AgentCostQuery, ApprovalQuery, CommitOutcome, Queue, RunQuery, RunStore};
use worktruck_core::{ApprovalId, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::Columns as _;

pub(crate) use accept::{Accept, Intake, NewRuns};
pub(crate) use approval::of_run as approvals_of_run;
pub(crate) use batch::{Batch, Locked, Messages, Was, write_messages};
pub(crate) use chains::unchained;
pub(crate) use record::{Records, existing};

#[async_trait]
impl RunStore for PgStore {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        let (accepted, is_new) = enqueue::enqueue(self, tenant, &runs, now).await?;
        if is_new {
            self.work.announce();
        }
        Ok(accepted)
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        let run = enqueue::fork(self, tenant, fork, now).await?;
        self.work.announce();
        Ok(run)
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        claim::claim(self, request, now).await
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        signal::renew(self, leases, lease_for, now).await
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        signal::cancel_requests(self, leases).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        let rows = sqlx::query(
            "SELECT blueprint, count(*) AS depth, min(run_at) AS oldest FROM queue
             WHERE status <> 'running' AND run_at <= $1 GROUP BY blueprint ORDER BY blueprint",
        )
        .bind(now.as_micros())
        .fetch_all(&self.readers)
        .await
        .or_failed("count what waits")?;
        let queue = |row: &PgRow| {
            let blueprint = row.text("blueprint")?.to_owned();
            Ok(Queue { blueprint, depth: row.number("depth")?, oldest: row.time("oldest")? })
        };
        rows.iter().map(queue).collect()
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let outcome = self.writer.commit(lease.clone(), commit, now).await?;
        if let CommitOutcome::Committed { run, .. } = &outcome
            && matches!(run.status, RunStatus::Queued | RunStatus::Waiting)
        {
            self.work.announce();
        }
        Ok(outcome)
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        let run = signal::send(self, tenant, run, &signal, now).await?;
        if run.status == RunStatus::Waiting {
            self.work.announce();
        }
        Ok(run)
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        let mut connection = self.readers.acquire().await.or_failed("read a run")?;
        Ok(record::load(&mut connection, tenant, run).await.or_failed("read a run")?.map(|record| record.run))
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        list::runs(self, tenant, &query).await
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        cost::read(self, tenant, &query).await
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        journal::read(self, tenant, run).await
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        journal::events(self, tenant, run, &page).await
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        approval::read(self, tenant, id).await
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        approval::list(self, tenant, query).await
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.work.wait(seen).await
    }
}
