use async_trait::async_trait;
use sqlx::postgres::PgRow;
use worktruck_core::store::{NewTenant, Tenant, TenantStore};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, check_kept, is_kept};

#[async_trait]
impl TenantStore for PgStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        tenant.check()?;
        tenant.name.iter().try_for_each(|name| check_kept("/name", name))?;
        let mut writing = self.writing().await.or_failed("create a tenant")?;
        let written = sqlx::query("INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(tenant.id.as_uuid())
            .bind(&tenant.slug)
            .bind(&tenant.name)
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
        let row = sqlx::query("SELECT id, slug, name, created_at FROM tenant WHERE id = $1")
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
        let row = sqlx::query("SELECT id, slug, name, created_at FROM tenant WHERE slug = $1")
            .bind(slug)
            .fetch_optional(&self.readers)
            .await
            .or_failed("read a tenant")?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &PgRow) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::from_uuid(row.id("id")?),
        slug: row.text("slug")?.to_owned(),
        name: row.maybe_text("name")?.map(str::to_owned),
        created_at: row.time("created_at")?,
    })
}
