use async_trait::async_trait;
use sqlx::postgres::PgRow;
use worktruck_core::store::{NewTenant, Plan, Tenant, TenantPatch, TenantStore, tenant_scope};
use worktruck_core::{Cursor, Error, Page, PageRequest, Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, check_kept, is_kept, number};

#[async_trait]
impl TenantStore for PgStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        tenant.check()?;
        tenant.name.iter().try_for_each(|name| check_kept("/name", name))?;
        let mut writing = self.writing().await.or_failed("create a tenant")?;
        let written = sqlx::query(
            "INSERT INTO tenant (id, slug, name, plan, timezone, retention_days, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(tenant.id.as_uuid())
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(tenant.plan.as_str())
        .bind(&tenant.timezone)
        .bind(tenant.retention_days.map(i64::from))
        .bind(now.as_micros())
        .execute(&mut *writing)
        .await;
        match written {
            Ok(_) => writing.done().await.or_failed("create a tenant").map(|()| tenant.made(now)),
            Err(error) if is_duplicate(&error) => Err(tenant.taken()),
            Err(error) => Err(error).or_failed("create a tenant"),
        }
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        let row =
            sqlx::query("SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE id = $1")
                .bind(id.as_uuid())
                .fetch_optional(&self.readers)
                .await
                .or_failed("read a tenant")?;
        row.as_ref().map(read).transpose()
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        if !is_kept(slug) {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE slug = $1",
        )
        .bind(slug)
        .fetch_optional(&self.readers)
        .await
        .or_failed("read a tenant")?;
        row.as_ref().map(read).transpose()
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        let scope = tenant_scope();
        let after: Option<TenantId> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        // From a place in the index also where the plan is made for any page; of the first no id is left out.
        let rows = sqlx::query(
            "SELECT id, slug, name, plan, timezone, retention_days, created_at FROM tenant WHERE id >= $1 AND id IS DISTINCT FROM $3
             ORDER BY id LIMIT $2",
        )
        .bind(after.map(|id| id.as_uuid()).unwrap_or_default())
        .bind(number(page.limit() + 1)?)
        .bind(after.map(|id| id.as_uuid()))
        .fetch_all(&self.readers)
        .await
        .or_failed("list tenants")?;
        let found = rows.iter().map(read).collect::<Result<_>>()?;
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &last.id))
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        patch.check()?;
        patch.name.iter().flatten().try_for_each(|name| check_kept("/name", name))?;
        let mut writing = self.writing().await.or_failed("change a tenant")?;
        let row = sqlx::query(
            "UPDATE tenant SET name = CASE WHEN $2 THEN $3 ELSE name END, timezone = coalesce($4, timezone),
                 retention_days = CASE WHEN $5 THEN $6 ELSE retention_days END, plan = coalesce($7, plan)
             WHERE id = $1
             RETURNING id, slug, name, plan, timezone, retention_days, created_at",
        )
        .bind(id.as_uuid())
        .bind(patch.name.is_some())
        .bind(patch.name.flatten())
        .bind(patch.timezone)
        .bind(patch.retention_days.is_some())
        .bind(patch.retention_days.flatten().map(i64::from))
        .bind(patch.plan.map(Plan::as_str))
        .fetch_optional(&mut *writing)
        .await
        .or_failed("change a tenant")?;
        let tenant = read(&row.ok_or_else(|| Error::not_found(format!("tenant {id}")))?)?;
        writing.done().await.or_failed("change a tenant")?;
        Ok(tenant)
    }
}

fn read(row: &PgRow) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::from_uuid(row.id("id")?),
        slug: row.text("slug")?.to_owned(),
        name: row.maybe_text("name")?.map(str::to_owned),
        plan: row.text("plan")?.parse()?,
        timezone: row.text("timezone")?.to_owned(),
        retention_days: row.maybe_number("retention_days")?,
        created_at: row.time("created_at")?,
    })
}
