use sqlx::SqliteConnection;
use worktruck_core::store::{EntityKey, Version};
use worktruck_core::{Period, Result, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::IdBytes as _;

use super::version;

/// What an entity is over a stretch of valid time, as known at `as_of`, which no later commit comes before, or as
/// the newest commit has left it. One statement, so that it sees one state of the file.
pub(super) async fn known(
    reader: &mut SqliteConnection,
    tenant: TenantId,
    key: EntityKey,
    valid: Period,
    as_of: Option<Timestamp>,
) -> Result<Vec<Version>> {
    // The last moment of system time is one that only open slices reach.
    let known = as_of.map_or(i64::MAX - 1, Timestamp::as_micros);
    let rows = sqlx::query(concat!(
        "SELECT ",
        version::columns!("h", "9223372036854775807"),
        " FROM head h JOIN entity_commit c ON c.tenant = h.tenant AND c.tx_id = h.tx_id
         WHERE h.tenant = ?1 AND h.kind = ?2 AND h.id = ?3
             AND h.sys_from <= ?4 AND h.valid_from < ?6 AND ?5 < h.valid_to
         UNION ALL SELECT ",
        version::columns!("s", "s.sys_to"),
        " FROM slice s JOIN entity_commit c ON c.tenant = s.tenant AND c.tx_id = s.tx_id
         WHERE s.tenant = ?1 AND s.kind = ?2 AND s.id = ?3
             AND s.sys_from <= ?4 AND ?4 < s.sys_to AND s.valid_from < ?6 AND ?5 < s.valid_to
         ORDER BY valid_from"
    ))
    .bind(tenant.bytes())
    .bind(key.kind.as_str())
    .bind(key.id.bytes())
    .bind(known)
    .bind(valid.from().as_micros())
    .bind(valid.to().as_micros())
    .fetch_all(reader)
    .await
    .or_failed("read an entity")?;
    rows.iter().map(|row| version::read(row, tenant)).collect()
}
