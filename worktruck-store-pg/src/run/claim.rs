//! Who gets which runs: candidates are read without a lock and put in order by the rule of core;
//! those that nobody else is taking at that moment are taken.

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use worktruck_core::run::{ClaimRequest, Claimed};
use worktruck_core::store::turn;
use worktruck_core::{Result, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_transient};
use crate::rows::is_kept;
use crate::statement::Statement;

use super::batch::{Batch, Was};
use super::offer::{self, Offer};
use super::record::{self, records};

/// How often a claim looks again when others were faster.
const ROUNDS: usize = 50;
/// How long it waits while another claim counts the runs of a limited lane.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);
/// How many runs more than wanted a claim looks at, because others may take some first.
const SPARE: usize = 16;

/// Takes runs that may be claimed.
pub(super) async fn claim(store: &PgStore, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
    let request = &with_names(request);
    let mut claimed = Vec::new();
    for _ in 0..ROUNDS {
        let wanted = request.limit - claimed.len();
        if wanted == 0 || request.blueprints.is_empty() {
            break;
        }
        let offer = offer::look(store, request, wanted.saturating_add(SPARE), now).await?;
        let within_reach = offer.candidates.len().min(wanted);
        if within_reach == 0 {
            break;
        }
        let mut connection = store.readers.acquire().await.or_failed("claim runs")?;
        let Taken { runs, looked_at } = match take(&mut connection, store, offer, request, wanted, now).await {
            Err(error) if is_transient(&error) => Taken::default(),
            taken => taken.or_failed("claim runs")??,
        };
        drop(connection);
        if runs.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        claimed.extend(runs);
        if looked_at == within_reach {
            break;
        }
    }
    Ok(claimed)
}

/// What one round came to.
#[derive(Default)]
struct Taken {
    runs: Vec<Claimed>,
    /// How many there were, those included that cannot be read.
    looked_at: usize,
}

/// Without the blueprints that no run can have.
fn with_names(mut request: ClaimRequest) -> ClaimRequest {
    request.blueprints.retain(|has| is_kept(&has.blueprint));
    request
}

/// Takes the first `wanted` runs of the offer that are still there.
async fn take(
    connection: &mut PgConnection,
    store: &PgStore,
    offer: Offer,
    request: &ClaimRequest,
    wanted: usize,
    now: Timestamp,
) -> sqlx::Result<Result<Taken>> {
    let mut tx = connection.begin().await?;
    let turn = turn(now, offer.latest_turn);
    let candidates = offer.within_limits(&mut tx, store.options().schema()).await?;
    let (tenants, runs): (Vec<Uuid>, Vec<Uuid>) =
        candidates.iter().map(|candidate| (candidate.tenant.as_uuid(), candidate.run.as_uuid())).unzip();
    // The row is looked at again when it is locked: another claim may have been there since.
    let rows = sqlx::query(records!(
        "FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY c(tenant, run, place)
         JOIN queue q ON q.tenant = c.tenant AND q.run = c.run
         JOIN run r ON r.tenant = c.tenant AND r.id = c.run
         WHERE (q.status = 'queued' AND NOT q.delayed AND q.run_at <= $3) OR (q.status = 'running' AND q.lease_expires_at <= $3)
         ORDER BY c.place LIMIT $4 FOR UPDATE OF q SKIP LOCKED"
    ))
    .bind(tenants)
    .bind(runs)
    .bind(now.as_micros())
    .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await?;
    let mut batch = Batch::default();
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
        let was = Was::of(&record);
        let (taken, events) = record.claim(request.lease_for, now);
        if let Err(error) = batch.push(was, &record, &events, None) {
            return Ok(Err(error));
        }
        claimed.push((taken, record));
    }
    if batch.is_empty() {
        tx.rollback().await?;
        return Ok(Ok(Taken { runs: Vec::new(), looked_at: rows.len() }));
    }
    let mut statement = Statement::default();
    let moment = statement.bind(turn.as_micros());
    batch.write(&mut statement, "TRUE");
    statement.with(
        "served",
        format!(
            "INSERT INTO turn (tenant, served) SELECT DISTINCT tenant, {moment}::bigint FROM written ORDER BY tenant
             ON CONFLICT (tenant) DO UPDATE SET served = excluded.served"
        ),
    );
    let written = statement.fetch(&mut tx, "SELECT i FROM written").await?;
    if written.len() != claimed.len() {
        tx.rollback().await?;
        return Ok(Ok(Taken::default()));
    }
    tx.commit().await?;
    claimed.iter().for_each(|(_, record)| store.records.keep(record));
    let runs = claimed.into_iter().map(|(taken, _)| taken).collect();
    Ok(Ok(Taken { runs, looked_at: rows.len() }))
}
