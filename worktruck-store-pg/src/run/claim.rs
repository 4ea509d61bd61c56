//! Who gets which runs: candidates are read without a lock and put in order by the rule of core;
//! those that nobody else is taking at that moment are taken.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;
use worktruck_core::run::{ClaimRequest, Claimed};
use worktruck_core::store::{Candidate, turn};
use worktruck_core::{Result, Timestamp};

use crate::PgStore;
use crate::error::{Failure, is_disconnected};
use crate::link::{Link, Wire};
use crate::rows::is_kept;
use crate::statement::Statement;
use crate::writer::closed;

use super::batch::{Batch, Locked, Was};
use super::offer;
use super::record::{self, records};

/// How often a claim looks again when others were faster.
const ROUNDS: usize = 50;
/// How long it waits while another claim counts the runs of a limited lane.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// Takes runs that may be claimed.
pub(super) async fn claim(store: &PgStore, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
    let request = &with_names(request);
    let mut queue = store.queue.lock().await;
    let link = queue.as_mut().ok_or_else(closed)?;
    let mut claimed = Vec::new();
    for _ in 0..ROUNDS {
        let wanted = request.limit - claimed.len();
        if wanted == 0 || request.blueprints.is_empty() {
            break;
        }
        let Round { runs, is_last } = match round(link, store, request, wanted, now).await {
            Ok(round) => round,
            Err(failure) if failure.is_transient() => Round::default(),
            // What was taken before is this caller's.
            Err(failure) if !claimed.is_empty() => {
                tracing::warn!(%failure, "a claim ends early");
                break;
            }
            Err(failure) => return Err(failure.or_failed("claim runs")),
        };
        if runs.is_empty() && !is_last {
            tokio::time::sleep(PAUSE).await;
        }
        claimed.extend(runs);
        if is_last {
            break;
        }
    }
    Ok(claimed)
}

/// What one round came to.
#[derive(Default)]
struct Round {
    runs: Vec<Claimed>,
    /// Whether nobody else took what this one could have, and there is no more.
    is_last: bool,
}

/// Without the blueprints that no run can have.
fn with_names(mut request: ClaimRequest) -> ClaimRequest {
    request.blueprints.retain(|has| is_kept(&has.blueprint));
    request
}

async fn round(
    link: &mut Link,
    store: &PgStore,
    request: &ClaimRequest,
    wanted: usize,
    now: Timestamp,
) -> Result<Round, Failure> {
    match take(link, store, request, wanted, now).await {
        // The server may have gone away while nothing was claimed.
        Err(Failure::Sql(error)) if is_disconnected(&error) => {
            link.drop_connection();
            take(link, store, request, wanted, now).await
        }
        Err(failure) => {
            if failure.is_disconnected() {
                link.drop_connection();
            }
            link.roll_back().await;
            Err(failure)
        }
        taken => taken,
    }
}

/// Takes the first `wanted` runs on offer that are still there.
async fn take(
    link: &mut Link,
    store: &PgStore,
    request: &ClaimRequest,
    wanted: usize,
    now: Timestamp,
) -> Result<Round, Failure> {
    let wire = link.wire().await?;
    let offer = offer::look(store, wire, request, wanted, now).await?;
    let within_reach = offer.candidates.len().min(wanted);
    if within_reach == 0 {
        wire.commit().await?;
        return Ok(Round { runs: Vec::new(), is_last: true });
    }
    let (turn, is_whole) = (turn(now, offer.latest_turn), offer.is_whole);
    let candidates = offer.within_limits(wire, store.options().schema()).await?;
    let rows = records_of(&mut wire.connection, &candidates, wanted, now).await?;
    let mut batch = Batch::default();
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut record = match record::read(row) {
            Ok(record) => record,
            Err(error) => {
                // One damaged run must not keep all others from being claimed.
                tracing::error!(error = %error.chain(), "a run cannot be read and is passed over");
                continue;
            }
        };
        let was = Was::of(&record);
        let (claimed, events) = record.claim(request.lease_for, now);
        batch.push(was, &record, &events, None)?;
        taken.push((claimed, record));
    }
    let written = write(wire, batch, turn).await?;
    let is_last = is_whole && rows.len() == within_reach && written.len() == taken.len();
    let runs = (0..).zip(taken).filter(|(i, _)| written.contains(i)).map(|(_, (claimed, record))| {
        store.records.keep(&record);
        claimed
    });
    Ok(Round { runs: runs.collect(), is_last })
}

/// The first `wanted` of the candidates that can still be claimed.
async fn records_of(
    connection: &mut PgConnection,
    candidates: &[Candidate],
    wanted: usize,
    now: Timestamp,
) -> sqlx::Result<Vec<PgRow>> {
    let (tenants, runs): (Vec<Uuid>, Vec<Uuid>) =
        candidates.iter().map(|candidate| (candidate.tenant.as_uuid(), candidate.run.as_uuid())).unzip();
    sqlx::query(records!(
        "FROM (
             SELECT q.*, c.place FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY c(tenant, run, place)
             -- By its key alone, whatever else seems cheap while the queue is empty.
             CROSS JOIN LATERAL (SELECT * FROM queue q WHERE q.tenant = c.tenant AND q.run = c.run OFFSET 0) q
             WHERE (q.status <> 'running' AND NOT q.delayed AND q.run_at <= $3)
                 OR (q.status = 'running' AND q.lease_expires_at <= $3)
             ORDER BY c.place LIMIT $4
         ) q JOIN run r ON r.tenant = q.tenant AND r.id = q.run ORDER BY q.place"
    ))
    .bind(tenants)
    .bind(runs)
    .bind(now.as_micros())
    .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

/// Writes the runs that are what they were and that nobody else is writing; gives which these are.
async fn write(wire: &mut Wire, batch: Batch, turn: Timestamp) -> Result<BTreeSet<i32>, Failure> {
    if batch.is_empty() {
        wire.commit().await?;
        return Ok(BTreeSet::new());
    }
    let mut statement = Statement::default();
    let moment = statement.bind(turn.as_micros());
    batch.lock(&mut statement, Locked::Skipped);
    batch.write(&mut statement, "((q.tenant, q.run) IN (SELECT tenant, run FROM runs)) IS TRUE");
    statement.with(
        "served",
        format!(
            "INSERT INTO turn (tenant, served) SELECT DISTINCT tenant, {moment}::bigint FROM stayed ORDER BY tenant
             ON CONFLICT (tenant) DO UPDATE SET served = excluded.served"
        ),
    );
    let rows = statement.fetch(&mut wire.connection, "SELECT i FROM written").await.map_err(Failure::of_write)?;
    wire.commit().await.map_err(Failure::of_write)?;
    Ok(rows.iter().map(|row| row.try_get("i")).collect::<sqlx::Result<_>>()?)
}
