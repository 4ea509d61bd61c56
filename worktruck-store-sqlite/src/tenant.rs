use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use worktruck_core::store::{NewTenant, Tenant, TenantStore};
use worktruck_core::{Result, TenantId, Timestamp};

use crate::SqliteStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, IdBytes as _};
use crate::writer::Transact;

#[async_trait]
impl TenantStore for SqliteStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        tenant.check()?;
        self.writer.transact(Create { tenant, now }).await
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT id, slug, name, created_at FROM tenant WHERE id = ?")
            .bind(id.bytes())
            .fetch_optional(&self.readers)
            .await
            .or_failed("read a tenant")?;
        row.as_ref().map(tenant).transpose()
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        let row = sqlx::query("SELECT id, slug, name, created_at FROM tenant WHERE slug = ?")
            .bind(slug)
            .fetch_optional(&self.readers)
            .await
            .or_failed("read a tenant")?;
        row.as_ref().map(tenant).transpose()
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
        let inserted = sqlx::query("INSERT INTO tenant (id, slug, name, created_at) VALUES (?, ?, ?, ?)")
            .bind(tenant.id.bytes())
            .bind(&tenant.slug)
            .bind(&tenant.name)
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
        created_at: row.time("created_at")?,
    })
}
