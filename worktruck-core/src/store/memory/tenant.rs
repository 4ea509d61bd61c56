use async_trait::async_trait;

use crate::store::{NewTenant, Tenant, TenantStore};
use crate::{Result, TenantId, Timestamp};

use super::MemoryStore;

#[async_trait]
impl TenantStore for MemoryStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        tenant.check()?;
        let mut state = self.state();
        if state.tenants.values().any(|other| other.id == tenant.id || other.slug == tenant.slug) {
            return Err(tenant.taken());
        }
        let tenant = tenant.made(now);
        state.tenants.insert(tenant.id, tenant.clone());
        Ok(tenant)
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        Ok(self.state().tenants.get(&id).cloned())
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        Ok(self.state().tenants.values().find(|tenant| tenant.slug == slug).cloned())
    }
}
