use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;

use crate::store::{
    DataKey, Put, SealedSecret, SecretName, SecretStore, check_key_swap, check_swap, data_key_scope, secret_scope,
};
use crate::{Cursor, Error, Page, PageRequest, Result, TenantId};

use super::MemoryStore;

/// What one tenant has sealed.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    keys: BTreeMap<u32, DataKey>,
    values: BTreeMap<SecretName, SealedSecret>,
}

#[async_trait]
impl SecretStore for MemoryStore {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        secret.check()?;
        let mut state = self.state();
        let secrets = state.secrets.entry(tenant).or_default();
        if !secrets.keys.contains_key(&secret.key) {
            return Err(secret.without_key());
        }
        let replaced = secrets.values.insert(secret.name.clone(), secret);
        Ok(if replaced.is_some() { Put::Replaced } else { Put::Added })
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        Ok(self.state().secrets.get(&tenant).and_then(|secrets| secrets.values.get(name)).cloned())
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        let scope = secret_scope(tenant, purpose);
        let after: Option<SecretName> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let Some(secrets) = state.secrets.get(&tenant) else { return Ok(Page::new(Vec::new(), None)) };
        let all = secrets.values.range((after.map_or(Unbounded, Excluded), Unbounded)).map(|(_, secret)| secret);
        let mut rest = all.filter(|secret| purpose.is_none_or(|purpose| secret.name.purpose == purpose));
        let data: Vec<SealedSecret> = rest.by_ref().take(page.limit()).cloned().collect();
        let next = match (data.last(), rest.next()) {
            (Some(last), Some(_)) => Some(Cursor::seal(&scope, &last.name)?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        check_swap(old, &new)?;
        let mut state = self.state();
        let secrets = state.secrets.entry(tenant).or_default();
        if !secrets.keys.contains_key(&new.key) {
            return Err(new.without_key());
        }
        if secrets.values.get(&old.name).is_none_or(|there| there.sealed != old.sealed) {
            return Err(old.overtaken());
        }
        secrets.values.insert(new.name.clone(), new);
        Ok(())
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        let removed = self.state().secrets.get_mut(&tenant).and_then(|secrets| secrets.values.remove(name));
        removed.map(drop).ok_or_else(|| Error::not_found(name))
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        let state = self.state();
        Ok(state.secrets.get(&tenant).map(|secrets| secrets.keys.values().cloned().collect()).unwrap_or_default())
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        key.check()?;
        let mut state = self.state();
        let keys = &mut state.secrets.entry(tenant).or_default().keys;
        if keys.contains_key(&key.number) {
            return Err(key.taken());
        }
        keys.insert(key.number, key);
        Ok(())
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        check_key_swap(old, &new)?;
        let mut state = self.state();
        let there = state.secrets.get_mut(&tenant).and_then(|secrets| secrets.keys.get_mut(&old.number));
        let there = there.filter(|there| there.wrapped == old.wrapped).ok_or_else(|| old.overtaken())?;
        *there = new;
        Ok(())
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        let mut state = self.state();
        let secrets = state.secrets.get_mut(&tenant).filter(|secrets| secrets.keys.contains_key(&number));
        let secrets = secrets.ok_or_else(|| DataKey::unknown(number))?;
        if secrets.values.values().any(|secret| secret.key == number) {
            return Err(DataKey::in_use(number));
        }
        secrets.keys.remove(&number);
        Ok(())
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        let scope = data_key_scope();
        let after: Option<(TenantId, u32)> = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?;
        let state = self.state();
        let all = state.secrets.iter().flat_map(|(tenant, secrets)| secrets.keys.values().map(|key| (*tenant, key)));
        let mut rest = all.filter(|(tenant, key)| after.is_none_or(|after| (*tenant, key.number) > after));
        let data: Vec<_> = rest.by_ref().take(page.limit()).map(|(tenant, key)| (tenant, key.clone())).collect();
        let next = match (data.last(), rest.next()) {
            (Some((tenant, key)), Some(_)) => Some(Cursor::seal(&scope, &(tenant, key.number))?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.state().secrets.remove(&tenant);
        Ok(())
    }
}
