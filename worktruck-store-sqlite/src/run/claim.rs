use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use worktruck_core::run::{ClaimRequest, Claimed, Lease, Renewal, Run, RunRecord, RunStatus, Signal};
use worktruck_core::store::{Candidate, turn};
use worktruck_core::{Result, RunId, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::outbox;
use crate::rows::{IdBytes as _, to_json};
use crate::work;
use crate::writer::Transact;

use super::record::{self, records};
use super::{approval, candidates};

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
        if request.limit == 0 || request.blueprints.is_empty() {
            return Ok(Vec::new());
        }
        let due = sqlx::query(
            "UPDATE run SET delayed = 0 WHERE status IN ('queued', 'waiting') AND delayed = 1 AND run_at <= ?",
        );
        due.bind(now.as_micros()).execute(&mut *tx).await.or_failed("look for runs whose time has come")?;
        let mut damaged = BTreeSet::new();
        let records = loop {
            let taken = candidates::choose(tx, request, &damaged, *now).await?;
            let known = damaged.len();
            let records = load(tx, &taken, &mut damaged).await?;
            if damaged.len() == known {
                break records;
            }
        };
        let served: BTreeSet<TenantId> = records.iter().map(|record| record.run.tenant_id).collect();
        serve(tx, &served, *now).await?;
        let mut claimed = Vec::with_capacity(records.len());
        for mut record in records {
            let (taken, events) = record.claim(request.lease_for, *now);
            record::save(tx, &record).await?;
            record::add_events(tx, record.run.tenant_id, &[events]).await?;
            claimed.push(taken);
        }
        Ok(claimed)
    }
}

/// Keeps that a claim at `now` serves these tenants.
async fn serve(tx: &mut SqliteConnection, tenants: &BTreeSet<TenantId>, now: Timestamp) -> Result<()> {
    if tenants.is_empty() {
        return Ok(());
    }
    let latest: Option<i64> = sqlx::query_scalar(
        "SELECT max(latest) FROM (
             SELECT max(served) AS latest FROM turn WHERE waiting = 0
             UNION ALL SELECT max(served) FROM turn WHERE waiting = 1)",
    )
    .fetch_one(&mut *tx)
    .await
    .or_failed("look whose turn it was")?;
    let turn = turn(now, latest.map(Timestamp::from_micros));
    let tenants: Vec<String> = tenants.iter().map(|tenant| tenant.hex()).collect();
    sqlx::query(
        "INSERT INTO turn (tenant, served, waiting) SELECT unhex(value), ?1, 0 FROM json_each(?2) WHERE TRUE
         ON CONFLICT (tenant) DO UPDATE SET served = ?1",
    )
    .bind(turn.as_micros())
    .bind(to_json(&tenants)?)
    .execute(tx)
    .await
    .or_failed("keep whose turn it was")
    .map(drop)
}

/// The records of `taken`, but for those that cannot be read: one damaged run must not keep all
/// others from being claimed.
async fn load(
    tx: &mut SqliteConnection,
    taken: &[Candidate],
    damaged: &mut BTreeSet<(TenantId, RunId)>,
) -> Result<Vec<RunRecord>> {
    let ids: Vec<_> = taken.iter().map(|taken| (taken.tenant.hex(), taken.run.hex())).collect();
    let rows = sqlx::query(records!(
        "FROM json_each(?) w CROSS JOIN run r ON r.tenant = unhex(w.value ->> 0) AND r.id = unhex(w.value ->> 1)
         LEFT JOIN run_content c ON c.tenant = r.tenant AND c.id = r.id
         ORDER BY w.key"
    ))
    .bind(to_json(&ids)?)
    .fetch_all(tx)
    .await
    .or_failed("read runs to claim")?;
    let mut records = Vec::with_capacity(rows.len());
    for (row, taken) in rows.iter().zip(taken) {
        match record::read(row) {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::error!(error = %error.chain(), run = %taken.run, "a run cannot be read and is passed over");
                damaged.insert((taken.tenant, taken.run));
            }
        }
    }
    Ok(records)
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
        let mut approvals = approval::of_run(tx, self.tenant, self.run).await?;
        let events = record.signal(&self.signal, &mut approvals, self.now)?;
        approval::save(tx, self.tenant, &approvals).await?;
        record::save(tx, &record).await?;
        outbox::tell(tx, &record.run, &events).await?;
        record::add_events(tx, self.tenant, &[events]).await?;
        let generation = match record.run.status {
            RunStatus::Queued | RunStatus::Waiting => Some(work::count(tx).await?),
            _ => None,
        };
        Ok((record.run, generation))
    }
}
