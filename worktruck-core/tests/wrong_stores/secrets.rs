use async_trait::async_trait;
use worktruck_core::store::{DataKey, Put, SealedSecret, SecretName, SecretStore};
use worktruck_core::{ErrorKind, Page, PageRequest, Result, TenantId};

use super::broken::Broken;
use super::defects::Defect::*;

#[async_trait]
impl SecretStore for Broken {
    async fn put_secret(&self, tenant: TenantId, mut secret: SealedSecret) -> Result<Put> {
        match self.defect {
            SealedValuesCut if (1_000..=1 << 17).contains(&secret.sealed.len()) => drop(secret.sealed.pop()),
            KeyOfValueUnchecked => self.lend_key(tenant, secret.key).await?,
            _ => {}
        }
        match (self.defect, self.inner.put_secret(tenant, secret).await) {
            (PutAlwaysAdds, Ok(_)) => Ok(Put::Added),
            (MalformedSecretPassedOver, Err(error)) if error.kind() == ErrorKind::InvalidRequest => Ok(Put::Added),
            (_, answer) => answer,
        }
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        let found = self.inner.secret(tenant, name).await?;
        if self.defect == SecretOfAnyTenant && found.is_none() {
            for other in self.others(tenant) {
                let foreign = self.inner.secret(other, name).await?;
                if foreign.is_some() {
                    return Ok(foreign);
                }
            }
        }
        Ok(found)
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        let secrets = self.inner.secrets(tenant, purpose, page).await?;
        Ok(if self.defect == SecretsCut { Page::new(secrets.data, None) } else { secrets })
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        if self.defect == SwapUnchecked {
            self.lend_key(tenant, new.key).await?;
            return self.inner.put_secret(tenant, new).await.map(drop);
        }
        self.inner.swap_secret(tenant, old, new).await
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        match self.inner.remove_secret(tenant, name).await {
            Err(error) if self.defect == RemovalForgiven && error.kind() == ErrorKind::NotFound => Ok(()),
            answer => answer,
        }
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        let mut keys = self.inner.data_keys(tenant).await?;
        let removed = self.notes().removed_keys.clone();
        keys.retain(|key| !removed.contains(&(tenant, key.number)));
        Ok(keys)
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        match self.inner.add_data_key(tenant, key.clone()).await {
            Err(error) if self.defect == DataKeyReplaced && error.kind() == ErrorKind::Conflict => {
                let keys = self.inner.data_keys(tenant).await?;
                match keys.iter().find(|there| there.number == key.number) {
                    Some(old) => self.inner.swap_data_key(tenant, old, key).await,
                    None => Err(error),
                }
            }
            Err(error) if self.defect == MalformedSecretPassedOver && error.kind() == ErrorKind::InvalidRequest => {
                Ok(())
            }
            answer => answer,
        }
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        if self.defect == RewrapUnchecked {
            let keys = self.inner.data_keys(tenant).await?;
            if let Some(there) = keys.iter().find(|there| there.number == old.number) {
                return self.inner.swap_data_key(tenant, there, new).await;
            }
        }
        self.inner.swap_data_key(tenant, old, new).await
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        match self.inner.remove_data_key(tenant, number).await {
            Err(error) if self.defect == KeyInUseRemoved && error.kind() == ErrorKind::Conflict => {
                // The store inside keeps it, and nobody sees it any more.
                self.notes().removed_keys.push((tenant, number));
                Ok(())
            }
            answer => answer,
        }
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        let keys = self.inner.all_data_keys(page).await?;
        Ok(if self.defect == DataKeysCut { Page::new(keys.data, None) } else { keys })
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        let keys = self.inner.data_keys(tenant).await?;
        self.inner.shred(tenant).await?;
        if self.defect == KeysOutliveValues {
            for key in keys {
                self.inner.add_data_key(tenant, key).await?;
            }
        }
        Ok(())
    }
}

impl Broken {
    /// Sees to it that there is a data key of this number.
    async fn lend_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        let keys = self.inner.data_keys(tenant).await?;
        if let Some(like) = keys.first().filter(|_| keys.iter().all(|key| key.number != number)) {
            return self.inner.add_data_key(tenant, DataKey { number, ..like.clone() }).await;
        }
        if keys.is_empty() && number > 0 {
            let new = DataKey {
                number,
                wrapped_by: "nobody".to_owned(),
                wrapped: vec![0],
                made_at: worktruck_core::Timestamp::EPOCH,
            };
            return self.inner.add_data_key(tenant, new).await;
        }
        Ok(())
    }
}
