use worktruck_core::store::{EntityKey, Horizon, TenantHead, Version};
use worktruck_core::temporal::At;
use worktruck_core::{Period, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, OPEN};

use super::read::{fix, horizon_of};
use super::version::{self, version_columns};

/// What an entity is over a stretch of valid time, as known at `as_of`, or as the newest commit has left it.
pub(super) async fn slices(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    valid: Period,
    as_of: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Version>> {
    let (before, found) = known(store, tenant, key, valid, as_of).await?;
    let Some(as_of) = as_of else { return Ok(found) };
    let mut head = before;
    head.read(At::as_of(as_of), now)?;
    if head.floor == before.floor {
        return Ok(found);
    }
    fix(store, tenant, Some(head.floor)).await?;
    // What was committed before the floor was raised belongs to the answer.
    let (mut head, found) = known(store, tenant, key, valid, Some(as_of)).await?;
    head.read(At::as_of(as_of), now)?;
    Ok(found)
}

/// How far the commits have come, but for their number, and what is known; one statement, so that they are of one
/// moment.
async fn known(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    valid: Period,
    as_of: Option<Timestamp>,
) -> Result<(TenantHead, Vec<Version>)> {
    let rows = sqlx::query(concat!(
        "SELECT f.floor, f.horizon, f.horizon_tx, e.* FROM (
             SELECT coalesce(max(floor), $7) AS floor, coalesce(max(horizon), $8) AS horizon,
                 coalesce(max(horizon_tx), 0) AS horizon_tx
             FROM tenant_head WHERE tenant = $1
         ) f LEFT JOIN (
             (SELECT ",
        version_columns!("h", "9223372036854775807", "h"),
        " FROM head h WHERE h.tenant = $1 AND h.kind = $2 AND h.id = $3
                  AND h.sys_from <= $4 AND h.valid_from < $6 AND h.valid_to > $5)
             UNION ALL
             (SELECT ",
        version_columns!("s", "s.sys_to", "c"),
        " FROM slice s JOIN entity_commit c ON c.tenant = s.tenant AND c.tx_id = s.tx_id
              WHERE s.tenant = $1 AND s.kind = $2 AND s.id = $3
                  AND s.sys_from <= $4 AND s.sys_to > $4 AND s.valid_from < $6 AND s.valid_to > $5)
         ) e ON TRUE ORDER BY e.valid_from"
    ))
    .bind(tenant.as_uuid())
    .bind(key.kind.as_str())
    .bind(key.id.as_uuid())
    // The last moment of system time is one that only open slices reach.
    .bind(as_of.map_or(OPEN - 1, Timestamp::as_micros))
    .bind(valid.from().as_micros())
    .bind(valid.to().as_micros())
    .bind(TenantHead::default().floor.as_micros())
    .bind(Horizon::default().at.as_micros())
    .fetch_all(&store.readers)
    .await
    .or_failed("read an entity")?;
    let mut head = TenantHead::default();
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        head = TenantHead { floor: row.time("floor")?, horizon: horizon_of(row)?, ..head };
        if row.maybe_number::<u64>("version")?.is_some() {
            found.push(version::read(row, tenant)?);
        }
    }
    Ok((head, found))
}
