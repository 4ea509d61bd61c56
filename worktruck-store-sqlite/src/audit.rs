//! Who did what.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;
use worktruck_core::store::{AuditEntry, AuditQuery, AuditRecord, AuditStore};
use worktruck_core::{Cursor, Page, Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, insert, number, to_json};
use crate::writer::Transact;

#[async_trait]
impl AuditStore for SqliteStore {
    async fn add_audit_entry(&self, tenant: TenantId, id: Uuid, entry: AuditEntry, now: Timestamp) -> Result<()> {
        entry.check()?;
        self.writer.transact(Add(AuditRecord { id, tenant_id: tenant, created_at: now, entry })).await
    }

    async fn audit_log(&self, tenant: TenantId, query: AuditQuery) -> Result<Page<AuditRecord>> {
        let scope = query.scope(tenant);
        let before: Option<(i64, Uuid)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT tenant, created_at, id, entry FROM audit WHERE tenant = ");
        sql.push_bind(tenant.bytes());
        for (column, value) in
            [("action", &query.action), ("resource_type", &query.resource_type), ("actor_id", &query.actor_id)]
        {
            if let Some(value) = value {
                sql.push(" AND ").push(column).push(" = ").push_bind(value);
            }
        }
        if let Some((at, id)) = before {
            sql.push(" AND (created_at, id) < (")
                .push_bind(at)
                .push(", ")
                .push_bind(id.into_bytes().to_vec())
                .push(")");
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(number(query.page.limit() + 1)?);
        let rows = sql.build().fetch_all(&self.readers).await.or_failed("list the audit log")?;
        let found = rows.iter().map(read).collect::<Result<_>>()?;
        Page::cut(found, query.page.limit(), |last| Cursor::seal(&scope, &(last.created_at.as_micros(), last.id)))
    }
}

/// Adds records, in the transaction of what they are about.
pub(crate) async fn add(tx: &mut SqliteConnection, records: &[AuditRecord]) -> Result<()> {
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        rows.push((record, to_json(&record.entry)?));
    }
    let into = "audit (tenant, created_at, id, action, resource_type, actor_id, entry)";
    insert(tx, into, 7, "", &rows, |query, (record, entry)| {
        query
            .bind(record.tenant_id.bytes())
            .bind(record.created_at.as_micros())
            .bind(record.id.into_bytes().to_vec())
            .bind(record.entry.action.clone())
            .bind(record.entry.resource_type.clone())
            .bind(record.entry.actor_id.clone())
            .bind(entry.clone())
    })
    .await
    .or_failed("add to the audit log")
}

fn read(row: &SqliteRow) -> Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.bytes("id")?,
        tenant_id: row.bytes("tenant")?,
        created_at: row.time("created_at")?,
        entry: row.json("entry")?,
    })
}

struct Add(AuditRecord);

#[async_trait]
impl Transact for Add {
    type Output = ();

    async fn run(&self, tx: &mut SqliteConnection) -> Result<()> {
        add(tx, std::slice::from_ref(&self.0)).await
    }
}
