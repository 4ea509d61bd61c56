use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use worktruck_core::{EntityId, Result, Secret, TenantId};

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
