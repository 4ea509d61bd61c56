use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use worktruck_core::store::SecretName;
use worktruck_core::{EntityId, ErrorKind, Result, Secret, TenantId};

use crate::vault::Vault;

/// Keeps what signs the messages to webhooks, one text for each, and shows it to nobody else.
#[async_trait]
pub trait SigningSecrets: fmt::Debug + Send + Sync + 'static {
    /// The text kept for a webhook, if there is one.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be reached, `Internal` if it cannot be opened.
    async fn get(&self, tenant: TenantId, webhook: EntityId) -> Result<Option<Secret>>;

    /// Keeps a text for a webhook, in the place of another if there is one.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be reached.
    async fn put(&self, tenant: TenantId, webhook: EntityId, text: &Secret) -> Result<()>;

    /// Forgets what is kept for a webhook; nothing happens if there is nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be reached.
    async fn remove(&self, tenant: TenantId, webhook: EntityId) -> Result<()>;
}

/// Keeps secrets in this process, and loses them with it: for tests and for trying things out.
#[derive(Debug, Default)]
pub struct MemorySecrets(Mutex<BTreeMap<(TenantId, EntityId), Secret>>);

impl MemorySecrets {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<(TenantId, EntityId), Secret>> {
        // A panic elsewhere cannot leave the map half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SigningSecrets for MemorySecrets {
    async fn get(&self, tenant: TenantId, webhook: EntityId) -> Result<Option<Secret>> {
        Ok(self.kept().get(&(tenant, webhook)).cloned())
    }

    async fn put(&self, tenant: TenantId, webhook: EntityId, text: &Secret) -> Result<()> {
        self.kept().insert((tenant, webhook), text.clone());
        Ok(())
    }

    async fn remove(&self, tenant: TenantId, webhook: EntityId) -> Result<()> {
        self.kept().remove(&(tenant, webhook));
        Ok(())
    }
}

/// Signing secrets among the other secrets of tenants: what an application uses.
#[async_trait]
impl SigningSecrets for Vault {
    async fn get(&self, tenant: TenantId, webhook: EntityId) -> Result<Option<Secret>> {
        Self::get(self, tenant, &name(webhook)).await
    }

    async fn put(&self, tenant: TenantId, webhook: EntityId, text: &Secret) -> Result<()> {
        Self::put(self, tenant, &name(webhook), text).await.map(drop)
    }

    async fn remove(&self, tenant: TenantId, webhook: EntityId) -> Result<()> {
        match Self::remove(self, tenant, &name(webhook)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

fn name(webhook: EntityId) -> SecretName {
    SecretName::new("webhook", webhook.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use worktruck_core::store::MemoryStore;

    use super::*;
    use crate::clock::SystemClock;
    use crate::vault::{KeyBytes, KeyRing};

    #[tokio::test]
    async fn the_vault_keeps_what_signs() {
        let ring = KeyRing::new(KeyBytes::random().unwrap());
        let vault = Vault::new(Arc::new(MemoryStore::default()), Arc::new(ring), Arc::new(SystemClock::new()));
        for secrets in [Arc::new(MemorySecrets::default()) as Arc<dyn SigningSecrets>, Arc::new(vault)] {
            let [tenant, other] = [1, 2].map(|n| TenantId::from_uuid(uuid::Uuid::from_u128(n)));
            let [first, second] = [3, 4].map(|n| EntityId::from_uuid(uuid::Uuid::from_u128(n)));
            secrets.remove(tenant, first).await.unwrap();
            for text in ["one", "another"] {
                secrets.put(tenant, first, &Secret::new(text)).await.unwrap();
                let kept = secrets.get(tenant, first).await.unwrap();
                assert_eq!(kept.map(|secret| secret.expose().to_owned()).as_deref(), Some(text), "{secrets:?}");
            }
            assert!(secrets.get(tenant, second).await.unwrap().is_none());
            assert!(secrets.get(other, first).await.unwrap().is_none());
            secrets.remove(tenant, first).await.unwrap();
            assert!(secrets.get(tenant, first).await.unwrap().is_none());
        }
    }
}
