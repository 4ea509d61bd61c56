use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use worktruck_core::store::{NewTenant, Plan, Tenant, TenantPatch, TenantStore, tenant_scope};
use worktruck_core::{Cursor, Error, Page, PageRequest, Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, IdBytes as _, number};
use crate::writer::Transact;

#[async_trait]
impl TenantStore for SqliteStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        tenant.check()?;
        self.writer.transact(Create { tenant, now }).await
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        let row =
            sqlx::query("SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE id = ?")
                .bind(id.bytes())
                .fetch_optional(&self.readers)
                .await
                .or_failed("read a tenant")?;
        row.as_ref().map(tenant).transpose()
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        let row =
            sqlx::query("SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE slug = ?")
                .bind(slug)
                .fetch_optional(&self.readers)
                .await
                .or_failed("read a tenant")?;
        row.as_ref().map(tenant).transpose()
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        let scope = tenant_scope();
        let after: Option<TenantId> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let rows = sqlx::query(
            "SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE ?1 IS NULL OR id > ?1
             ORDER BY id LIMIT ?2",
        )
        .bind(after.map(TenantId::bytes))
        .bind(number(page.limit() + 1)?)
        .fetch_all(&self.readers)
        .await
        .or_failed("list tenants")?;
        let found = rows.iter().map(tenant).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &last.id))
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        patch.check()?;
        self.writer.transact(Update { id, patch }).await
    }
}

struct Update {
    id: TenantId,
    patch: TenantPatch,
}

#[async_trait]
impl Transact for Update {
    type Output = Tenant;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Tenant> {
        let row = sqlx::query(
            "UPDATE tenant SET name = iif(?2, ?3, name), timezone = ifnull(?4, timezone),
                 retention_days = iif(?5, ?6, retention_days), plan = ifnull(?7, plan)
             WHERE id = ?1 RETURNING id, slug, name, plan, timezone, retention_days, created_at",
        )
        .bind(self.id.bytes())
        .bind(self.patch.name.is_some())
        .bind(self.patch.name.clone().flatten())
        .bind(&self.patch.timezone)
        .bind(self.patch.retention_days.is_some())
        .bind(self.patch.retention_days.flatten())
        .bind(self.patch.plan.map(Plan::as_str))
        .fetch_optional(tx)
        .await
        .or_failed("change a tenant")?;
        tenant(&row.ok_or_else(|| Error::not_found(format!("tenant {}", self.id)))?)
    }
}

struct Create {
    tenant: NewTenant,
    now: Timestamp,
}

#[async_trait]
impl Transact for Create {
    type Output = Tenant;

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Tenant> {
        let Self { tenant, now } = self;
        let inserted = sqlx::query(
            "INSERT INTO tenant (id, slug, name, plan, timezone, retention_days, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant.id.bytes())
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(tenant.plan.as_str())
        .bind(&tenant.timezone)
        .bind(tenant.retention_days)
        .bind(now.as_micros())
        .execute(tx)
        .await;
        match inserted {
            Ok(_) => Ok(tenant.clone().made(*now)),
            Err(error) if is_duplicate(&error) => Err(tenant.taken()),
            Err(error) => Err(error).or_failed("make a tenant"),
        }
    }
}

fn tenant(row: &SqliteRow) -> Result<Tenant> {
    use sqlx::Row as _;

    Ok(Tenant {
        id: row.bytes("id")?,
        slug: row.text("slug")?.to_owned(),
        name: row.try_get("name").or_failed("read a tenant")?,
        plan: row.text("plan")?.parse()?,
        timezone: row.text("timezone")?.to_owned(),
        retention_days: row.try_get("retention_days").or_failed("read a tenant")?,
        created_at: row.time("created_at")?,
    })
}
