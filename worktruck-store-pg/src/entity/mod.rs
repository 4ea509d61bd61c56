mod commits;
mod found;
mod index;
mod list;
mod load;
mod purge;
mod read;
mod slices;
mod version;
mod write;

use async_trait::async_trait;
use worktruck_core::store::{
    Applied, Changes, Commits, EntityKey, EntityStore, ListQuery, Provenance, TenantCommit, TenantHead, Version,
};
use worktruck_core::temporal::At;
use worktruck_core::{Cursor, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use crate::PgStore;

pub(crate) use found::{Unfound, unfound};
pub(crate) use load::Drafts;
pub(crate) use read::horizon_of;
pub(crate) use write::EntityBatch;

#[async_trait]
impl EntityStore for PgStore {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.writer.apply(tenant, changes, provenance, now).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        read::entity(self, tenant, key, at, now).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        read::head(self, tenant).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        list::list(self, tenant, &query, now).await
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        read::history(self, tenant, key, &page).await
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        slices::slices(self, tenant, key, valid, as_of, now).await
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        commits::commits_of(self, tenant, run, &page).await
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        commits::changes(self, tenant, since, &limit).await
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        purge::purge(self, tenant, key, provenance, now).await
    }
}
