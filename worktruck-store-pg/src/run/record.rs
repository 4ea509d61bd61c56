//! A run's record as the tables `run` and `queue` have it.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;
use worktruck_core::run::{Cost, Lease, Run, RunRecord, RunStatus};
use worktruck_core::{Error, NanoUsd, Result, RunId, TenantId, Timestamp};

use crate::error::Failure;
use crate::rows::{Columns as _, to_json};

/// What [`read`] reads: the run `r`, and its row `q` of the queue if it has one.
macro_rules! records {
    ($rest:literal) => {
        concat!(
            "SELECT r.outcome, r.state::text AS state, r.input::text AS input, r.metadata::text AS metadata,
                 r.output::text AS output,
                 coalesce(q.blueprint_version, r.blueprint_version) AS blueprint_version,
                 coalesce(q.fence, r.fence) AS fence, coalesce(q.head_seq, r.head_seq) AS head_seq,
                 coalesce(q.commits, r.commits) AS commits, coalesce(q.event_seq, r.event_seq) AS event_seq,
                 coalesce(q.cost, r.cost) AS cost, coalesce(q.reserved, r.reserved) AS reserved,
                 coalesce(q.forfeited, r.forfeited) AS forfeited, q.run_at, q.status, q.waiting_reason, q.attempt,
                 q.started_at, q.cancel_requested_at, q.updated_at, q.lease_expires_at ",
            $rest
        )
    };
}
pub(super) use records;

/// The record that a row is.
pub(super) fn read(row: &PgRow) -> Result<RunRecord> {
    let mut state: Value = row.json("state")?;
    let in_queue = row.maybe_text("status")?;
    if let Some(members) = state.as_object_mut() {
        members.insert("input".into(), row.json("input")?);
        members.insert("metadata".into(), row.json("metadata")?);
        if let Some(status) = in_queue {
            members.insert("status".into(), status.into());
            members.insert("waiting_reason".into(), row.maybe_text("waiting_reason")?.into());
        }
    }
    let damaged = |e| Error::internal("the store holds a damaged run").with_source(e);
    let run_at = state.get("run_at_micros").and_then(Value::as_i64).map(Timestamp::from_micros);
    let mut run: Run = serde_json::from_value(state).map_err(damaged)?;
    run.output = row.maybe_json("output")?;
    run.cost = Cost(NanoUsd::new(row.number("cost")?));
    if let Some(run_at) = run_at {
        run.run_at = run_at;
    }
    if in_queue.is_some() {
        run.run_at = row.time("run_at")?;
        run.attempt = row.number("attempt")?;
        run.started_at = row.maybe_time("started_at")?;
        run.cancel_requested_at = row.maybe_time("cancel_requested_at")?;
        run.updated_at = row.time("updated_at")?;
    }
    Ok(RunRecord {
        run,
        blueprint_version: row.maybe_number("blueprint_version")?,
        fence: row.number("fence")?,
        lease_expires_at: row.maybe_time("lease_expires_at")?,
        head_seq: row.number("head_seq")?,
        commits: row.number("commits")?,
        event_seq: row.number("event_seq")?,
        reserved: NanoUsd::new(row.number("reserved")?),
        forfeited: NanoUsd::new(row.number("forfeited")?),
    })
}

/// The run without what has a column of its own.
pub(super) fn state(run: &Run) -> Result<String> {
    let mut state = serde_json::to_value(run).map_err(|e| Error::invalid("run has no JSON form").with_source(e))?;
    if let Some(members) = state.as_object_mut() {
        for name in ["input", "metadata", "output"] {
            members.remove(name);
        }
        // A moment after the calendar's end has no text.
        members.insert("run_at".into(), Value::from(Timestamp::EPOCH.to_string()));
        members.insert("run_at_micros".into(), Value::from(run.run_at.as_micros()));
    }
    to_json(&state)
}

/// The record of a run.
pub(crate) async fn load(
    connection: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
) -> Result<Option<RunRecord>, Failure> {
    let row = sqlx::query(records!(
        "FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id WHERE r.tenant = $1 AND r.id = $2"
    ))
    .bind(tenant.as_uuid())
    .bind(run.as_uuid())
    .fetch_optional(connection)
    .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// As [`load`], for a run that must exist.
pub(crate) async fn existing(
    connection: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
) -> Result<RunRecord, Failure> {
    load(connection, tenant, run).await?.ok_or_else(|| Error::not_found(format!("run {run}")).into())
}

/// The records of runs that this process holds, as their last commits left them.
///
/// Whoever changes a record elsewhere gives it another fencing number or event, and every write
/// checks both: a record that is out of date costs a second attempt and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<HashMap<(Uuid, Uuid), RunRecord>>);

/// Runs that were abandoned are forgotten when there are more than this.
const MOST: usize = 10_000;

impl Records {
    /// Takes out the record of the run that `lease` is for, if it is known under that lease.
    pub(crate) fn take(&self, lease: &Lease) -> Option<RunRecord> {
        let record = self.records().remove(&key(lease.tenant(), lease.run()))?;
        (record.fence == lease.fence()).then_some(record)
    }

    /// Remembers a record while its run is held.
    pub(crate) fn keep(&self, record: &RunRecord) {
        if record.run.status != RunStatus::Running {
            return;
        }
        let mut records = self.records();
        if records.len() >= MOST {
            records.clear();
        }
        records.insert(key(record.run.tenant_id, record.run.id), record.clone());
    }

    fn records(&self) -> std::sync::MutexGuard<'_, HashMap<(Uuid, Uuid), RunRecord>> {
        // A panic elsewhere cannot leave the map half written.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn key(tenant: TenantId, run: RunId) -> (Uuid, Uuid) {
    (tenant.as_uuid(), run.as_uuid())
}
