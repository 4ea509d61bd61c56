use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgRow;
use worktruck_core::store::{EntityKey, Horizon, TenantHead, Version};
use worktruck_core::temporal::At;
use worktruck_core::{Cursor, Page, PageRequest, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, OPEN, number};

use super::version::{self, version_columns};

/// How far the tenant's commits have come.
pub(super) async fn head(store: &PgStore, tenant: TenantId) -> Result<TenantHead> {
    let row = sqlx::query("SELECT tx_id, floor, horizon, horizon_tx FROM tenant_head WHERE tenant = $1")
        .bind(tenant.as_uuid())
        .fetch_optional(&store.readers)
        .await
        .or_failed("read how far the commits have come")?;
    let Some(row) = row else { return Ok(TenantHead::default()) };
    Ok(TenantHead { tx_id: row.number("tx_id")?, floor: row.time("floor")?, horizon: horizon_of(&row)? })
}

/// The entity as it was at `at`.
pub(super) async fn entity(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    at: At,
    now: Timestamp,
) -> Result<Option<Version>> {
    if at == At::NOW
        && let Some(head) = newest(&store.readers, tenant, key).await?
        && head.valid().is_open()
    {
        return Ok(Some(head));
    }
    let (before, found) = visible(&store.readers, tenant, key, at, now).await?;
    let mut head = before;
    head.read(at, now)?;
    if head.floor == before.floor {
        return Ok(found);
    }
    fix(store, tenant, Some(head.floor)).await?;
    // What was committed before the floor was raised belongs to the answer.
    let (mut head, found) = visible(&store.readers, tenant, key, at, now).await?;
    head.read(at, now)?;
    Ok(found)
}

/// What the newest commit left of an entity: the present, if it holds without an end.
async fn newest(readers: &PgPool, tenant: TenantId, key: EntityKey) -> Result<Option<Version>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        version_columns!("h", "9223372036854775807", "h"),
        " FROM head h WHERE h.tenant = $1 AND h.kind = $2 AND h.id = $3"
    ))
    .bind(tenant.as_uuid())
    .bind(key.kind.as_str())
    .bind(key.id.as_uuid())
    .fetch_optional(readers)
    .await
    .or_failed("read an entity")?;
    row.map(|row| version::read(&row, tenant)).transpose()
}

/// How far the commits have come, and what was visible at the moment given.
macro_rules! visible {
    ($sys:literal, $valid:literal) => {
        concat!(
            "WITH tenant_floor AS MATERIALIZED (
                 SELECT coalesce(max(floor), $6) AS floor, coalesce(max(horizon), $8) AS horizon,
                     coalesce(max(horizon_tx), 0) AS horizon_tx
                 FROM tenant_head WHERE tenant = $1
             ), moment AS MATERIALIZED (
                 SELECT coalesce($4, greatest($5, floor)) AS sys, coalesce($7, $4, greatest($5, floor)) AS valid
                 FROM tenant_floor
             )
             SELECT f.floor, f.horizon, f.horizon_tx, e.* FROM tenant_floor f LEFT JOIN (
                 (SELECT ",
            version_columns!("h", "9223372036854775807", "h"),
            " FROM head h WHERE h.tenant = $1 AND h.kind = $2 AND h.id = $3
                      AND h.sys_from <= ",
            $sys,
            " AND h.valid_from <= ",
            $valid,
            " AND h.valid_to > ",
            $valid,
            ")
                 UNION ALL
                 (SELECT ",
            version_columns!("s", "s.sys_to", "c"),
            " FROM slice s JOIN entity_commit c ON c.tenant = s.tenant AND c.tx_id = s.tx_id
                  WHERE s.tenant = $1 AND s.kind = $2 AND s.id = $3 AND s.body IS NOT NULL
                      AND s.sys_from <= ",
            $sys,
            " AND s.sys_to > ",
            $sys,
            " AND s.valid_from <= ",
            $valid,
            " AND s.valid_to > ",
            $valid,
            ")
                 LIMIT 1
             ) e ON TRUE"
        )
    };
}

/// How far the commits have come, but for their number, and what was visible; one statement, so that
/// they are of one moment.
async fn visible(
    readers: &PgPool,
    tenant: TenantId,
    key: EntityKey,
    at: At,
    now: Timestamp,
) -> Result<(TenantHead, Option<Version>)> {
    // A moment that is given need not be found out.
    let (sql, valid_at) = match at.as_of {
        Some(as_of) => (visible!("$4", "$7"), Some(at.valid_at.unwrap_or(as_of))),
        None => (visible!("(SELECT sys FROM moment)", "(SELECT valid FROM moment)"), at.valid_at),
    };
    let row = sqlx::query(sql)
        .bind(tenant.as_uuid())
        .bind(key.kind.as_str())
        .bind(key.id.as_uuid())
        .bind(at.as_of.map(Timestamp::as_micros))
        .bind(now.as_micros())
        .bind(TenantHead::default().floor.as_micros())
        .bind(valid_at.map(Timestamp::as_micros))
        .bind(Horizon::default().at.as_micros())
        .fetch_one(readers)
        .await
        .or_failed("read an entity")?;
    let version = if row.maybe_number::<u64>("version")?.is_some() { Some(version::read(&row, tenant)?) } else { None };
    let head = TenantHead { floor: row.time("floor")?, horizon: horizon_of(&row)?, ..TenantHead::default() };
    Ok((head, version))
}

/// The horizon of a row with `horizon` and `horizon_tx`.
pub(crate) fn horizon_of(row: &PgRow) -> Result<Horizon> {
    Ok(Horizon { at: row.time("horizon")?, tx_id: row.number("horizon_tx")? })
}

/// How far the commits have come, but for their number, with the floor raised to `to` if it is below:
/// no later commit is made at that moment or before.
pub(super) async fn fix(store: &PgStore, tenant: TenantId, to: Option<Timestamp>) -> Result<TenantHead> {
    let mut writing = store.writing().await.or_failed("fix a moment")?;
    // Nobody is waited for where the floor is high enough.
    let row = sqlx::query(
        "WITH known AS MATERIALIZED (
             SELECT coalesce(max(floor), $3) AS floor, coalesce(max(horizon), $4) AS horizon,
                 coalesce(max(horizon_tx), 0) AS horizon_tx
             FROM tenant_head WHERE tenant = $1
         ), raised AS (
             INSERT INTO tenant_head AS h (tenant, tx_id, floor) SELECT $1, 0, $2 FROM known WHERE floor < $2
             ON CONFLICT (tenant) DO UPDATE SET floor = greatest(h.floor, excluded.floor)
         )
         SELECT * FROM known",
    )
    .bind(tenant.as_uuid())
    .bind(to.map(Timestamp::as_micros))
    .bind(TenantHead::default().floor.as_micros())
    .bind(Horizon::default().at.as_micros())
    .fetch_one(&mut *writing)
    .await
    .or_failed("fix a moment")?;
    writing.done().await.or_failed("fix a moment")?;
    Ok(TenantHead { floor: row.time("floor")?, horizon: horizon_of(&row)?, ..TenantHead::default() })
}

/// The writes to an entity, newest first.
pub(super) async fn history(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    page: &PageRequest,
) -> Result<Page<Version>> {
    let scope = Scope { list: "history", tenant, key: Some(key) };
    let after: Option<(i64, i64)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
    let (last_tx, last_from) = after.unwrap_or((i64::MAX, i64::MIN));
    // What was written and not carried began to be known with its commit: the later, the newer.
    let rows = sqlx::query(concat!(
        "WITH bound AS MATERIALIZED (
             SELECT coalesce((SELECT at FROM entity_commit WHERE tenant = $1 AND tx_id = $4), $7) AS at)
         SELECT ",
        version_columns!("e", "e.sys_to", "c"),
        " FROM (
             (SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from, $7 AS sys_to, valid_from, valid_to,
                  body
              FROM head WHERE tenant = $1 AND kind = $2 AND id = $3
                  AND NOT carried AND (tx_id < $4 OR (tx_id = $4 AND valid_from > $5)))
             UNION ALL
             (SELECT tenant, kind, id, created_at, version, carried, tx_id, sys_from, sys_to, valid_from, valid_to, body
              FROM slice WHERE tenant = $1 AND kind = $2 AND id = $3 AND sys_from <= (SELECT at FROM bound)
                  AND sys_to > coalesce((SELECT horizon FROM tenant_head WHERE tenant = $1), $8)
                  AND NOT carried AND (tx_id < $4 OR (tx_id = $4 AND valid_from > $5))
              ORDER BY sys_from DESC, valid_from LIMIT $6)
         ) e CROSS JOIN LATERAL (
             SELECT provenance FROM entity_commit c WHERE c.tenant = $1 AND c.tx_id = e.tx_id LIMIT 1) c
         ORDER BY e.tx_id DESC, e.valid_from LIMIT $6"
    ))
    .bind(tenant.as_uuid())
    .bind(key.kind.as_str())
    .bind(key.id.as_uuid())
    .bind(last_tx)
    .bind(last_from)
    .bind(number(page.limit() + 1)?)
    .bind(OPEN)
    .bind(Horizon::default().at.as_micros())
    .fetch_all(&store.readers)
    .await
    .or_failed("read the history of an entity")?;
    let has_more = rows.len() > page.limit();
    let shown = rows.iter().take(page.limit()).map(|row| version::read(row, tenant));
    let versions = shown.collect::<Result<Vec<_>>>()?;
    let next = match versions.last() {
        Some(last) if has_more => Some(Cursor::seal(&scope, &(last.slice.tx_id, last.valid().from().as_micros()))?),
        _ => None,
    };
    Ok(Page::new(versions, next))
}

#[derive(Serialize)]
pub(super) struct Scope {
    pub(super) list: &'static str,
    pub(super) tenant: TenantId,
    pub(super) key: Option<EntityKey>,
}
