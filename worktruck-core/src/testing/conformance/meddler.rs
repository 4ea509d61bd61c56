//! A store in which somebody commits after every read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use crate::store::{
    Applied, Changes, Commits, EntityKey, EntityStore, ListQuery, Provenance, Store, TenantCommit, TenantHead, Version,
};
use crate::temporal::At;
use crate::{Cursor, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

/// What is committed after the read with this number.
type Meddling = Arc<dyn Fn(u32) -> Changes + Send + Sync>;

/// A store in which somebody commits after every read of an entity or a list.
pub(super) struct Meddler {
    inner: Arc<dyn Store>,
    changes: Meddling,
    reads: AtomicU32,
}

impl Meddler {
    pub(super) fn new(inner: Arc<dyn Store>, changes: Meddling) -> Self {
        Self { inner, changes, reads: AtomicU32::new(0) }
    }

    async fn meddle(&self, tenant: TenantId, now: Timestamp) -> Result<()> {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        let changes = (self.changes)(read);
        if changes.is_empty() {
            return Ok(());
        }
        self.inner.apply(tenant, changes, Provenance::new("meddler", "meddling"), now).await.map(drop)
    }
}

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddler").field("reads", &self.reads).finish_non_exhaustive()
    }
}

#[async_trait]
impl EntityStore for Meddler {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.inner.apply(tenant, changes, provenance, now).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        let found = self.inner.entity(tenant, key, at, now).await?;
        self.meddle(tenant, now).await?;
        Ok(found)
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.inner.head(tenant).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let page = self.inner.list(tenant, query, now).await?;
        self.meddle(tenant, now).await?;
        Ok(page)
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        self.inner.history(tenant, key, page).await
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        self.inner.slices(tenant, key, valid, as_of, now).await
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        self.inner.commits_of(tenant, run, page).await
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        self.inner.changes(tenant, since, limit).await
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        self.inner.purge(tenant, key, provenance, now).await
    }
}
