//! The commits of a tenant, and those of a run.

use sqlx::postgres::PgRow;
use worktruck_core::store::{Commits, Horizon, TenantCommit, run_commit_scope};
use worktruck_core::{Cursor, Page, PageRequest, Result, RunId, TenantId};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, number};

use super::read::{Scope, horizon_of};

/// The tenant's commits after `since`, in order.
pub(super) async fn changes(
    store: &PgStore,
    tenant: TenantId,
    since: Option<Cursor>,
    limit: &PageRequest,
) -> Result<Commits> {
    let scope = Scope { list: "changes", tenant, key: None };
    let since: Option<u64> = since.map(|cursor| cursor.open(&scope)).transpose()?;
    // One statement, so that what is missing of the commits is behind the horizon that it tells.
    let rows = sqlx::query(
        "SELECT h.horizon, h.horizon_tx, c.* FROM (
             SELECT coalesce(max(horizon), $4) AS horizon, coalesce(max(horizon_tx), 0) AS horizon_tx
             FROM tenant_head WHERE tenant = $1) h
         LEFT JOIN LATERAL (
             SELECT tx_id, at, provenance::text AS provenance, entities::text AS entities FROM entity_commit
             WHERE tenant = $1 AND tx_id > coalesce($2, h.horizon_tx) ORDER BY tx_id LIMIT $3) c ON TRUE
         ORDER BY c.tx_id",
    )
    .bind(tenant.as_uuid())
    .bind(since.map(|since| i64::try_from(since).unwrap_or(i64::MAX)))
    .bind(number(limit.limit() + 1)?)
    .bind(Horizon::default().at.as_micros())
    .fetch_all(&store.readers)
    .await
    .or_failed("read the feed of changes")?;
    let since = rows.first().map_or_else(|| Ok(Horizon::default()), horizon_of)?.follow(since)?;
    let mut commits = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.maybe_number::<u64>("tx_id")?.is_some() {
            commits.push(row);
        }
    }
    let data = commits.iter().take(limit.limit()).map(|row| commit(row)).collect::<Result<Vec<_>>>()?;
    let last = data.last().map_or(since, |commit| commit.tx_id);
    Ok(Commits { has_more: commits.len() > data.len(), data, next_cursor: Cursor::seal(&scope, &last)? })
}

/// The tenant's commits that name `run`, in order.
pub(super) async fn commits_of(
    store: &PgStore,
    tenant: TenantId,
    run: RunId,
    page: &PageRequest,
) -> Result<Page<TenantCommit>> {
    let scope = run_commit_scope(tenant, run);
    let after: Option<i64> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
    let rows = sqlx::query(
        "SELECT tx_id, at, provenance::text AS provenance, entities::text AS entities FROM entity_commit
         WHERE tenant = $1 AND provenance ->> 'run_id' = $2
             AND tx_id > greatest($3, (SELECT horizon_tx FROM tenant_head WHERE tenant = $1))
         ORDER BY tx_id LIMIT $4",
    )
    .bind(tenant.as_uuid())
    .bind(run.to_string())
    .bind(after.unwrap_or(0))
    .bind(number(page.limit() + 1)?)
    .fetch_all(&store.readers)
    .await
    .or_failed("read the commits of a run")?;
    let data = rows.iter().take(page.limit()).map(commit).collect::<Result<Vec<_>>>()?;
    let next = match data.last() {
        Some(last) if rows.len() > data.len() => Some(Cursor::seal(&scope, &last.tx_id)?),
        _ => None,
    };
    Ok(Page::new(data, next))
}

fn commit(row: &PgRow) -> Result<TenantCommit> {
    Ok(TenantCommit {
        tx_id: row.number("tx_id")?,
        committed_at: row.time("at")?,
        provenance: row.json("provenance")?,
        entities: row.json("entities")?,
    })
}
