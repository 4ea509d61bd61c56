use std::time::Duration;

use sqlx::PgConnection;
use sqlx::Row as _;
use worktruck_core::store::draft::Place;
use worktruck_core::store::{AuditEntry, ChangedEntity, Changes, EntityKey, Operation, Provenance};
use worktruck_core::{Error, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{Failure, OrFailed as _};
use crate::rows::{Columns as _, number};
use crate::run::Batch;
use crate::statement::Statement;

use super::load::{Drafts, stored};
use super::write::EntityBatch;

/// How often the erasure is tried when others change the tenant's entities.
const ATTEMPTS: u32 = 40;

/// Erases every version of an entity.
pub(super) async fn purge(
    store: &PgStore,
    tenant: TenantId,
    key: EntityKey,
    provenance: Provenance,
    now: Timestamp,
) -> Result<()> {
    for attempt in 1..=ATTEMPTS {
        // What failed may have ended the transaction of a connection that is shared.
        let mut connection = store.writing().await.or_failed("erase an entity")?;
        let done = purge_once(&mut connection, tenant, key, &provenance, now).await;
        if matches!(&done, Err(failure) if failure.is_transient()) || matches!(done, Ok(false)) {
            drop(connection);
            tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
            continue;
        }
        done.or_failed("erase an entity")?;
        return connection.done().await.or_failed("erase an entity");
    }
    Err(Error::unavailable("others change the tenant's entities too fast; try again"))
}

async fn purge_once(
    connection: &mut PgConnection,
    tenant: TenantId,
    key: EntityKey,
    provenance: &Provenance,
    now: Timestamp,
) -> Result<bool, Failure> {
    let mut drafts = Drafts::load(connection, &[(tenant, &Changes::none(), now)]).await?;
    let newest = newest_version(connection, tenant, key).await?.ok_or_else(|| Error::not_found(key))?;
    let head = sqlx::query(
        "SELECT kind, id, created_at, version, tx_id, sys_from, valid_from, valid_to, carried, FALSE AS scheduled,
             NULL AS body, terms::text AS terms, sort::text AS sort
         FROM head WHERE tenant = $1 AND kind = $2 AND id = $3",
    )
    .bind(tenant.as_uuid())
    .bind(key.kind.as_str())
    .bind(key.id.as_uuid())
    .fetch_optional(&mut *connection)
    .await?;
    let erased = ChangedEntity { kind: key.kind, id: key.id, version: newest + 1, operation: Operation::Purged };
    drafts.record(tenant, erased, provenance.clone(), AuditEntry::purged(key, provenance), now)?;
    let mut batch: EntityBatch = drafts.batch_without(Some(key))?;
    if let Some(head) = head {
        let stored = stored(&head, true)?;
        if let (Place::Head(old), Some(index)) = (stored.place, stored.index) {
            batch.push_erased(tenant, key, old, &index);
        }
    }
    let mut statement = Statement::default();
    batch.guard(&mut statement, &Batch::default());
    let [of, kind, id, version] = [
        statement.bind(tenant.as_uuid()),
        statement.bind(key.kind.as_str()),
        statement.bind(key.id.as_uuid()),
        statement.bind(number(newest + 1)?),
    ];
    batch.write(&mut statement);
    statement.with(
        "erased_slices",
        format!("DELETE FROM slice WHERE tenant = {of} AND kind = {kind} AND id = {id} AND (SELECT holds FROM guard)"),
    );
    statement.with(
        "erasure",
        format!(
            "INSERT INTO erased (tenant, kind, id, version) SELECT {of}, {kind}, {id}, {version}
             WHERE (SELECT holds FROM guard)"
        ),
    );
    let rows = statement.fetch(connection, "SELECT holds FROM guard").await?;
    let holds = rows.first().map(|row| row.try_get("holds")).transpose()?;
    Ok(holds.unwrap_or(false))
}

async fn newest_version(
    connection: &mut PgConnection,
    tenant: TenantId,
    key: EntityKey,
) -> Result<Option<u64>, Failure> {
    let row = sqlx::query(
        "SELECT max(version) AS version FROM (
             SELECT version FROM head WHERE tenant = $1 AND kind = $2 AND id = $3
             UNION ALL SELECT version FROM slice WHERE tenant = $1 AND kind = $2 AND id = $3) e",
    )
    .bind(tenant.as_uuid())
    .bind(key.kind.as_str())
    .bind(key.id.as_uuid())
    .fetch_one(connection)
    .await?;
    Ok(row.maybe_number("version")?)
}
