mod approval;
mod candidates;
mod claim;
mod commit;
mod cost;
mod enqueue;
mod journal;
mod record;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};
use worktruck_core::journal::Journal;
use worktruck_core::run::{Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, Signal};
use worktruck_core::store::{
    AgentCost, AgentCostQuery, ApprovalQuery, CommitOutcome, Queue, RunQuery, RunStore, approval_scope, event_scope,
    run_scope,
};
use worktruck_core::{ApprovalId, Cursor, Error, Page, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, number};

use record::records;

#[async_trait]
impl RunStore for SqliteStore {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        let (accepted, generation) = self.writer.transact(enqueue::Enqueue { tenant, runs, now }).await?;
        self.announce(generation);
        Ok(accepted)
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        let (run, generation) = self.writer.transact(enqueue::EnqueueFork { tenant, fork, now }).await?;
        self.announce(generation);
        Ok(run)
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        self.writer.transact(claim::Claim { request, now }).await
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        self.writer.transact(claim::Renew { leases: leases.to_vec(), lease_for, now }).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        // Each half has an index of its own, without the runs that have ended.
        let rows = sqlx::query(
            "SELECT blueprint, sum(depth) AS depth, min(oldest) AS oldest FROM (
                 SELECT blueprint, count(*) AS depth, min(run_at) AS oldest FROM run
                 WHERE status IN ('queued', 'waiting') AND delayed = 0 AND run_at <= ?1 GROUP BY blueprint
                 UNION ALL
                 SELECT blueprint, count(*), min(run_at) FROM run
                 WHERE status IN ('queued', 'waiting') AND delayed = 1 AND run_at <= ?1 GROUP BY blueprint)
             GROUP BY blueprint ORDER BY blueprint",
        )
        .bind(now.as_micros())
        .fetch_all(&self.readers)
        .await
        .or_failed("count what waits")?;
        let queue = |row: &SqliteRow| {
            let blueprint = row.text("blueprint")?.to_owned();
            Ok(Queue { blueprint, depth: row.number("depth")?, oldest: row.time("oldest")? })
        };
        rows.iter().map(queue).collect()
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let work = commit::CommitRun { lease: lease.clone(), commit, now };
        let (outcome, generation) = self.writer.transact(work).await?;
        self.announce(generation);
        Ok(outcome)
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        let (run, generation) = self.writer.transact(claim::Send { tenant, run, signal, now }).await?;
        self.announce(generation);
        Ok(run)
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        let mut reader = self.readers.acquire().await.or_failed("read a run")?;
        Ok(record::load(&mut reader, tenant, run).await?.map(|record| record.run))
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        let scope = run_scope(tenant, &query);
        let after: Option<(i64, RunId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let limit = query.page.limit();
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(records!(
            "FROM run r JOIN run_content c ON c.tenant = r.tenant AND c.id = r.id WHERE r.tenant = "
        ));
        sql.push_bind(tenant.bytes());
        if let Some(status) = query.status {
            sql.push(" AND r.status = ").push_bind(status.as_str());
        }
        if let Some(blueprint) = &query.blueprint {
            sql.push(" AND r.blueprint = ").push_bind(blueprint.clone());
        }
        if let Some((created_at, id)) = after {
            sql.push(" AND (r.created_at, r.id) < (").push_bind(created_at);
            sql.push(", ").push_bind(id.bytes()).push(")");
        }
        sql.push(" ORDER BY r.created_at DESC, r.id DESC LIMIT ").push_bind(number(limit + 1)?);
        let rows = sql.build().fetch_all(&self.readers).await.or_failed("list runs")?;
        let runs = rows.iter().take(limit).map(|row| Ok(record::read(row)?.run)).collect::<Result<Vec<Run>>>()?;
        let next = match runs.last() {
            Some(last) if rows.len() > limit => Some(Cursor::seal(&scope, &(last.created_at.as_micros(), last.id))?),
            _ => None,
        };
        Ok(Page::new(runs, next))
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        cost::read(&mut *self.read().await?, tenant, &query).await
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        journal::read(&mut *self.read().await?, tenant, run).await
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        let scope = event_scope(tenant, run);
        let after: u64 = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or(0);
        let mut tx = self.read().await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM run WHERE tenant = ? AND id = ?)")
            .bind(tenant.bytes())
            .bind(run.bytes())
            .fetch_one(&mut *tx)
            .await
            .or_failed("read a run")?;
        if !exists {
            return Err(Error::not_found(format!("run {run}")));
        }
        // Every row has an event or more, so that these are enough rows.
        let rows = sqlx::query(
            "SELECT last_seq, at, body FROM event WHERE tenant = ? AND run = ? AND last_seq > ?
             ORDER BY last_seq LIMIT ?",
        )
        .bind(tenant.bytes())
        .bind(run.bytes())
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(number(page.limit() + 1)?)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read events")?;
        let mut events = Vec::new();
        for row in &rows {
            events.extend(record::read_events(row, run)?.into_iter().filter(|event| event.seq > after));
        }
        let has_more = events.len() > page.limit();
        events.truncate(page.limit());
        let next = match events.last() {
            Some(last) if has_more => Some(Cursor::seal(&scope, &last.seq)?),
            _ => None,
        };
        Ok(Page::new(events, next))
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        let row = sqlx::query("SELECT body FROM approval WHERE tenant = ? AND id = ?")
            .bind(tenant.bytes())
            .bind(id.bytes())
            .fetch_optional(&self.readers)
            .await
            .or_failed("read an approval")?;
        row.map(|row| row.json("body")).transpose()
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        let scope = approval_scope(tenant, &query);
        let after: Option<(i64, ApprovalId)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let limit = query.page.limit();
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT body FROM approval WHERE tenant = ");
        sql.push_bind(tenant.bytes());
        if let Some(status) = query.status {
            sql.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(run) = query.run {
            sql.push(" AND run = ").push_bind(run.bytes());
        }
        if let Some((requested_at, id)) = after {
            sql.push(" AND (requested_at, id) > (").push_bind(requested_at);
            sql.push(", ").push_bind(id.bytes()).push(")");
        }
        sql.push(" ORDER BY requested_at, id LIMIT ").push_bind(number(limit + 1)?);
        let rows = sql.build().fetch_all(&self.readers).await.or_failed("list approvals")?;
        let approvals: Vec<Approval> = rows.iter().take(limit).map(|row| row.json("body")).collect::<Result<_>>()?;
        let next = match approvals.last() {
            Some(last) if rows.len() > limit => Some(Cursor::seal(&scope, &(last.requested_at.as_micros(), last.id))?),
            _ => None,
        };
        Ok(Page::new(approvals, next))
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.work.wait(seen).await
    }
}

impl SqliteStore {
    fn announce(&self, generation: Option<u64>) {
        if let Some(generation) = generation {
            self.work.announce(generation);
        }
    }
}
