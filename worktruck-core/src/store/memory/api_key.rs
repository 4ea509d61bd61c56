use std::cmp::Reverse;
use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::store::{ApiKey, ApiKeyStore, AuditEntry, NewApiKey, api_key_scope};
use crate::{ApiKeyId, Cursor, Digest, Page, PageRequest, Result, TenantId, Timestamp};

use super::{MemoryStore, State};

/// The API keys of all tenants.
#[derive(Debug, Default)]
pub(super) struct ApiKeys {
    by_id: BTreeMap<(TenantId, ApiKeyId), ApiKey>,
    by_hash: BTreeMap<Digest, (TenantId, ApiKeyId)>,
}

impl ApiKeys {
    fn check(&self, new: &NewApiKey) -> Result<()> {
        new.key.check()?;
        let place = (new.key.tenant_id, new.key.id);
        if self.by_id.contains_key(&place) || self.by_hash.contains_key(&new.hash) {
            return Err(new.key.taken());
        }
        Ok(())
    }

    fn add(&mut self, NewApiKey { key, hash }: NewApiKey) {
        let place = (key.tenant_id, key.id);
        self.by_hash.insert(hash, place);
        self.by_id.insert(place, key);
    }
}

impl State {
    fn audit_key(&mut self, tenant: TenantId, id: ApiKeyId, audit: AuditEntry, at: Timestamp) {
        let name = audit.about(id);
        let record = audit.recorded(tenant, &name, 0, at);
        self.audit.add(vec![record]);
    }
}

#[async_trait]
impl ApiKeyStore for MemoryStore {
    async fn add_api_key(&self, new: NewApiKey, audit: AuditEntry) -> Result<()> {
        audit.check()?;
        let mut state = self.state();
        state.api_keys.check(&new)?;
        state.audit_key(new.key.tenant_id, new.key.id, audit, new.key.created_at);
        state.api_keys.add(new);
        Ok(())
    }

    async fn api_key_by_hash(&self, hash: Digest) -> Result<Option<ApiKey>> {
        let state = self.state();
        Ok(state.api_keys.by_hash.get(&hash).and_then(|place| state.api_keys.by_id.get(place)).cloned())
    }

    async fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        Ok(self.state().api_keys.by_id.get(&(tenant, id)).cloned())
    }

    async fn api_keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKey>> {
        let scope = api_key_scope(tenant);
        let after: Option<(i64, ApiKeyId)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let place = |key: &ApiKey| (key.created_at.as_micros(), key.id);
        let state = self.state();
        let mut found: Vec<&ApiKey> = state.api_keys.by_id.values().filter(|key| key.tenant_id == tenant).collect();
        found.retain(|key| after.is_none_or(|after| place(key) < after));
        found.sort_by_key(|key| Reverse(place(key)));
        let found = found.into_iter().take(page.limit() + 1).cloned().collect();
        Page::cut(found, page.limit(), |last| Cursor::seal(&scope, &place(last)))
    }

    async fn revoke_api_key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        instead: Option<NewApiKey>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<ApiKey> {
        audit.check()?;
        let mut state = self.state();
        let mut key = state.api_keys.by_id.get(&(tenant, id)).cloned().ok_or_else(|| ApiKey::unknown(id))?;
        key.revoke(now)?;
        if let Some(new) = instead {
            state.api_keys.check(&new)?;
            state.api_keys.add(new);
        }
        state.audit_key(tenant, id, audit, now);
        state.api_keys.by_id.insert((tenant, id), key.clone());
        Ok(key)
    }

    async fn note_api_key_use(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()> {
        let mut state = self.state();
        for (tenant, id, at) in used {
            if let Some(key) = state.api_keys.by_id.get_mut(&(tenant, id)) {
                key.last_used_at = key.last_used_at.max(Some(at));
            }
        }
        Ok(())
    }
}
