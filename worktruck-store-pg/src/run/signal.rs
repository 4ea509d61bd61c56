use std::time::Duration;

use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::run::{Lease, Renewal, Run, Signal};
use worktruck_core::{Error, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_disconnected, is_transient};
use crate::link::Link;
use crate::rows::{Columns as _, number};
use crate::statement::Statement;
use crate::writer::closed;

use super::batch::{Batch, Was};
use super::{approval, record};

/// How often a signal looks again when the run was changed meanwhile: its worker commits.
const ATTEMPTS: usize = 50;

/// Gives a run a signal.
pub(super) async fn send(
    store: &PgStore,
    tenant: TenantId,
    run: RunId,
    signal: &Signal,
    now: Timestamp,
) -> Result<Run> {
    for _ in 0..ATTEMPTS {
        // What failed may have ended the transaction of a connection that is shared.
        let mut connection = store.writing().await.or_failed("read a run")?;
        let mut record = record::existing(&mut connection, tenant, run).await.or_failed("read a run")?;
        let was = Was::of(&record);
        let mut approvals = approval::of_run(&mut connection, tenant, run).await.or_failed("read approvals")?;
        let events = record.signal(signal, &mut approvals, now)?;
        let mut batch = Batch::default();
        batch.push(was, &record, &events, None)?;
        batch.approve(tenant, &approvals)?;
        let mut statement = Statement::default();
        batch.write(&mut statement, "TRUE");
        match statement.fetch(&mut connection, "SELECT i FROM written").await {
            Ok(written) if written.is_empty() => {}
            Ok(_) => {
                connection.done().await.or_failed("signal a run")?;
                return Ok(record.run);
            }
            Err(error) if is_transient(&error) => tracing::debug!(%error, "the signal is given again"),
            Err(error) => return Err(error).or_failed("signal a run"),
        }
    }
    Err(Error::unavailable(format!("run {run} changes too fast to be signalled")))
}

/// Which of these runs somebody has asked the end of: there are few of them, and an index of them alone.
pub(super) async fn cancel_requests(store: &PgStore, leases: &[Lease]) -> Result<Vec<RunId>> {
    let tenants: Vec<Uuid> = leases.iter().map(|lease| lease.tenant().as_uuid()).collect();
    let runs: Vec<Uuid> = leases.iter().map(|lease| lease.run().as_uuid()).collect();
    let rows = sqlx::query(
        "SELECT q.run FROM queue q WHERE q.cancel_requested_at IS NOT NULL AND (q.tenant, q.run) IN (
             SELECT c.tenant, c.run FROM unnest($1::uuid[], $2::uuid[]) AS c(tenant, run))",
    )
    .bind(tenants)
    .bind(runs)
    .fetch_all(&store.readers)
    .await
    .or_failed("look for cancellations")?;
    rows.iter().map(|row| Ok(RunId::from_uuid(row.id("run")?))).collect()
}

/// Makes leases last longer, all in one statement.
pub(super) async fn renew(
    store: &PgStore,
    leases: &[Lease],
    lease_for: Duration,
    now: Timestamp,
) -> Result<Vec<Renewal>> {
    let expires_at = now.after(lease_for);
    let tenants: Vec<Uuid> = leases.iter().map(|lease| lease.tenant().as_uuid()).collect();
    let runs: Vec<Uuid> = leases.iter().map(|lease| lease.run().as_uuid()).collect();
    let fences = leases.iter().map(|lease| number(lease.fence())).collect::<Result<Vec<i64>>>()?;
    let mut queue = store.queue.lock().await;
    let link = queue.as_mut().ok_or_else(closed)?;
    let keys = (tenants.as_slice(), runs.as_slice(), fences.as_slice());
    let mut rows = renew_once(link, keys, expires_at).await;
    if let Err(error) = &rows
        && (is_disconnected(error) || is_transient(error))
    {
        // The server may have gone away long ago, and what was renewed can be renewed again.
        if is_disconnected(error) {
            link.drop_connection();
        }
        rows = renew_once(link, keys, expires_at).await;
    }
    drop(queue);
    let rows = rows.or_failed("renew leases")?;
    let mut renewed = std::collections::BTreeMap::new();
    for row in &rows {
        let lease = (row.id("tenant")?, row.id("run")?, row.number::<u64>("fence")?);
        renewed.insert(lease, (row.time("lease_expires_at")?, row.maybe_time("cancel_requested_at")?));
    }
    let renewal = |lease: &Lease| match renewed.get(&(lease.tenant().as_uuid(), lease.run().as_uuid(), lease.fence())) {
        Some((expires_at, cancel_requested_at)) => Renewal::Renewed {
            lease: Lease::new(lease.tenant(), lease.run(), lease.fence(), *expires_at),
            cancel_requested_at: *cancel_requested_at,
        },
        None => Renewal::Lost(lease.run()),
    };
    Ok(leases.iter().map(renewal).collect())
}

async fn renew_once(
    link: &mut Link,
    (tenants, runs, fences): (&[Uuid], &[Uuid], &[i64]),
    expires_at: Timestamp,
) -> sqlx::Result<Vec<PgRow>> {
    let wire = link.wire().await?;
    let rows = sqlx::query(
        // By their keys alone, whatever else seems cheap while the queue is empty. What a commit has locked
        // is made to last by that: to wait for it, with others of its runs in hand, could be in a circle.
        "WITH held AS MATERIALIZED (
             SELECT q.tenant, q.run FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS c(tenant, run, fence)
             CROSS JOIN LATERAL (
                 SELECT * FROM queue q WHERE q.tenant = c.tenant AND q.run = c.run FOR UPDATE OF q SKIP LOCKED) q
             WHERE q.fence = c.fence AND q.status = 'running'
         ), renewed AS (
             UPDATE queue q SET lease_expires_at = GREATEST(q.lease_expires_at, $4), look_at = $4 FROM held c
             WHERE q.tenant = c.tenant AND q.run = c.run RETURNING q.tenant, q.run
         )
         SELECT q.tenant, q.run, q.fence, q.cancel_requested_at,
             CASE WHEN (q.tenant, q.run) IN (SELECT tenant, run FROM renewed) THEN GREATEST(q.lease_expires_at, $4)
                 ELSE q.lease_expires_at END
                 AS lease_expires_at
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS c(tenant, run, fence)
         CROSS JOIN LATERAL (SELECT * FROM queue q WHERE q.tenant = c.tenant AND q.run = c.run OFFSET 0) q
         WHERE q.fence = c.fence AND q.status = 'running'",
    )
    .bind(tenants)
    .bind(runs)
    .bind(fences)
    .bind(expires_at.as_micros())
    .fetch_all(&mut wire.connection)
    .await?;
    wire.commit().await?;
    Ok(rows)
}
