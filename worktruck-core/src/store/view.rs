use std::sync::Arc;

use crate::temporal::At;
use crate::{Page, Result, TenantId, Timestamp};

use super::{Changes, EntityKey, EntityStore, ListQuery, Version};

/// The entities of one tenant as one operation may see them: the store, and on top of it changes
/// that are not committed yet.
#[derive(Clone, Debug)]
pub struct View {
    store: Arc<dyn EntityStore>,
    tenant: TenantId,
    now: Timestamp,
    pending: Arc<[Changes]>,
}

impl View {
    /// The entities of `tenant` at `now` with nothing pending.
    #[must_use]
    pub fn new(store: Arc<dyn EntityStore>, tenant: TenantId, now: Timestamp) -> Self {
        Self { store, tenant, now, pending: Arc::from([]) }
    }

    /// The same view with `pending` on top, oldest first.
    #[must_use]
    pub fn with_pending(mut self, pending: Arc<[Changes]>) -> Self {
        self.pending = pending;
        self
    }

    /// The entity as it was at `at`. Pending changes show when `at` is the present.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::entity`].
    pub async fn entity(&self, key: EntityKey, at: At) -> Result<Option<Version>> {
        self.store.entity(self.tenant, key, at, self.now).await
    }

    /// A page of entities. Pending changes show when the query asks about the present.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::list`].
    pub async fn list(&self, query: ListQuery) -> Result<Page<Version>> {
        self.store.list(self.tenant, query, self.now).await
    }
}
