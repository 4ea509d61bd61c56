use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;

use crate::store::{NewTenant, Tenant, TenantPatch, TenantStore, tenant_scope};
use crate::{Cursor, Error, Page, PageRequest, Result, TenantId, Timestamp};

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

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        let scope = tenant_scope();
        let after: Option<TenantId> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let mut rest = state.tenants.range((after.map_or(Unbounded, Excluded), Unbounded)).map(|(_, tenant)| tenant);
        let data: Vec<Tenant> = rest.by_ref().take(page.limit()).cloned().collect();
        let next = match (data.last(), rest.next()) {
            (Some(last), Some(_)) => Some(Cursor::seal(&scope, &last.id)?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        patch.check()?;
        let mut state = self.state();
        let tenant = state.tenants.get_mut(&id).ok_or_else(|| Error::not_found(format!("tenant {id}")))?;
        *tenant = patch.apply(tenant.clone());
        Ok(tenant.clone())
    }
}
