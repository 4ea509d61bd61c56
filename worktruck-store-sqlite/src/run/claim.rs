use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use worktruck_core::run::{ClaimRequest, Claimed, Lease, Renewal, Run, RunStatus, Signal};
use worktruck_core::{Result, RunId, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{number, to_json};
use crate::work;
use crate::writer::Transact;

use super::record::{self, records};

/// Takes runs that may be claimed.
pub(super) struct Claim {
    pub(super) request: ClaimRequest,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Transact for Claim {
    type Output = Vec<Claimed>;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Vec<Claimed>> {
        let Self { request, now } = self;
        let has: Vec<(&str, u32)> =
            request.blueprints.iter().map(|has| (has.blueprint.as_str(), has.version)).collect();
        let rows = sqlx::query(records!(
            "FROM (
                 SELECT * FROM (
                     SELECT tenant, id, priority, created_at FROM run q WHERE status = 'queued' AND run_at <= ?1
                         AND EXISTS (SELECT 1 FROM json_each(?2) w WHERE w.value ->> 0 = q.blueprint
                             AND (q.blueprint_version IS NULL OR q.blueprint_version = w.value ->> 1))
                     ORDER BY priority DESC, created_at, id, tenant LIMIT ?3
                 )
                 UNION ALL
                 SELECT * FROM (
                     SELECT tenant, id, priority, created_at FROM run q
                     WHERE status = 'running' AND (lease_expires_at <= ?1 OR lease_expires_at IS NULL)
                         AND EXISTS (SELECT 1 FROM json_each(?2) w WHERE w.value ->> 0 = q.blueprint
                             AND (q.blueprint_version IS NULL OR q.blueprint_version = w.value ->> 1))
                     ORDER BY priority DESC, created_at, id, tenant LIMIT ?3
                 )
                 ORDER BY priority DESC, created_at, id, tenant LIMIT ?3
             ) q
             CROSS JOIN run r ON r.tenant = q.tenant AND r.id = q.id
             JOIN run_content c ON c.tenant = r.tenant AND c.id = r.id
             ORDER BY q.priority DESC, q.created_at, q.id, q.tenant"
        ))
        .bind(now.as_micros())
        .bind(to_json(&has)?)
        .bind(number(request.limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await
        .or_failed("look for runs to claim")?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut record = match record::read(row) {
                Ok(record) => record,
                Err(error) => {
                    // One damaged run must not keep all others from being claimed.
                    tracing::error!(error = %error.chain(), "a run cannot be read and is passed over");
                    continue;
                }
            };
            let (taken, events) = record.claim(request.lease_for, *now);
            record::save(tx, &record).await?;
            record::add_events(tx, record.run.tenant_id, &[events]).await?;
            claimed.push(taken);
        }
        Ok(claimed)
    }
}

/// Makes leases last longer.
pub(super) struct Renew {
    pub(super) leases: Vec<Lease>,
    pub(super) lease_for: Duration,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Transact for Renew {
    type Output = Vec<Renewal>;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Vec<Renewal>> {
        let mut renewals = Vec::with_capacity(self.leases.len());
        for lease in &self.leases {
            let Some(mut record) = record::load(tx, lease.tenant(), lease.run()).await? else {
                renewals.push(Renewal::Lost(lease.run()));
                continue;
            };
            let renewal = record.renew(lease, self.lease_for, self.now);
            if matches!(renewal, Renewal::Renewed { .. }) {
                record::advance(tx, &record).await?;
            }
            renewals.push(renewal);
        }
        Ok(renewals)
    }
}

/// Gives a run a signal; answers with the run and the generation of work that it makes, if any.
pub(super) struct Send {
    pub(super) tenant: TenantId,
    pub(super) run: RunId,
    pub(super) signal: Signal,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Transact for Send {
    type Output = (Run, Option<u64>);

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Self::Output> {
        let mut record = record::existing(tx, self.tenant, self.run).await?;
        let events = record.signal(&self.signal, self.now)?;
        record::save(tx, &record).await?;
        record::add_events(tx, self.tenant, &[events]).await?;
        let generation = match record.run.status {
            RunStatus::Queued => Some(work::count(tx).await?),
            _ => None,
        };
        Ok((record.run, generation))
    }
}
