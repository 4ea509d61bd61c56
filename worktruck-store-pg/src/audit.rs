//! Who did what.

#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;
use worktruck_core::store::{AuditEntry, AuditQuery, AuditRecord, AuditStore};
use worktruck_core::{Cursor, Page, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, is_kept, number, to_json};
use crate::statement::{Rows as _, Statement, columns};

columns! {
    /// New rows of `audit`.
    Audit {
        tenant: Uuid = "uuid", created_at: i64 = "bigint", id: Uuid = "uuid", action: String = "text",
        resource_type: Option<String> = "text", actor_id: String = "text", entry: String = "text",
    }
}

impl Audit {
    pub(crate) fn add(&mut self, record: &AuditRecord) -> Result<()> {
        let AuditEntry { action, resource_type, actor_id, .. } = &record.entry;
        self.push(
            record.tenant_id.as_uuid(),
            record.created_at.as_micros(),
            record.id,
            action.clone(),
            resource_type.clone(),
            actor_id.clone(),
            to_json(&record.entry)?,
        );
        Ok(())
    }

    /// Adds the part that writes the rows, where the condition holds.
    pub(crate) fn write(self, only_if: &str, statement: &mut Statement) {
        if self.is_empty() {
            return;
        }
        let rows = self.bind(statement, "c");
        statement.with(
            "audited",
            format!(
                "INSERT INTO audit (tenant, created_at, id, action, resource_type, actor_id, entry)
                 SELECT tenant, created_at, id, action, resource_type, actor_id, entry::json FROM {rows}
                 WHERE {only_if}"
            ),
        );
    }
}

#[async_trait]
impl AuditStore for PgStore {
    async fn add_audit_entry(&self, tenant: TenantId, id: Uuid, entry: AuditEntry, now: Timestamp) -> Result<()> {
        entry.check()?;
        let mut audit = Audit::default();
        audit.add(&AuditRecord { id, tenant_id: tenant, created_at: now, entry })?;
        let mut statement = Statement::default();
        audit.write("TRUE", &mut statement);
        let mut writing = self.writing().await.or_failed("add to the audit log")?;
        statement.fetch(&mut writing, "SELECT 1").await.or_failed("add to the audit log")?;
        writing.done().await.or_failed("add to the audit log")
    }

    async fn audit_log(&self, tenant: TenantId, query: AuditQuery) -> Result<Page<AuditRecord>> {
        let scope = query.scope(tenant);
        let before: Option<(i64, Uuid)> = query.page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let mut sql: QueryBuilder<Postgres> =
            QueryBuilder::new("SELECT tenant, created_at, id, entry::text AS entry FROM audit WHERE tenant = ");
        sql.push_bind(tenant.as_uuid());
        for (column, value) in
            [("action", &query.action), ("resource_type", &query.resource_type), ("actor_id", &query.actor_id)]
        {
            let Some(value) = value else { continue };
            if !is_kept(value) {
                return Ok(Page::new(Vec::new(), None));
            }
            sql.push(" AND ").push(column).push(" = ").push_bind(value);
        }
        if let Some((at, id)) = before {
            sql.push(" AND (created_at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(number(query.page.limit() + 1)?);
        let rows = sql.build().fetch_all(&self.readers).await.or_failed("list the audit log")?;
        let found = rows.iter().map(read).collect::<Result<_>>()?;
        Page::cut(found, query.page.limit(), |last| Cursor::seal(&scope, &(last.created_at.as_micros(), last.id)))
    }
}

fn read(row: &PgRow) -> Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.id("id")?,
        tenant_id: TenantId::from_uuid(row.id("tenant")?),
        created_at: row.time("created_at")?,
        entry: row.json("entry")?,
    })
}
