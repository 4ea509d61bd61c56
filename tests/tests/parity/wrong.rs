//! Stores that are wrong in one small thing: the comparison must find it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use worktruck_core::journal::Journal;
use worktruck_core::run::{Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, Signal};
use worktruck_core::store::{
    AgentCost, AgentCostQuery, Applied, ApprovalQuery, Attempted, Changes, CommitOutcome, Commits, DataKey, Delivery,
    EntityKey, EntityStore, Expired, ListQuery, MemoryStore, NewDelivery, NewTenant, Outbox, Provenance, Put, Queue,
    RetentionStore, RunQuery, RunStore, SealedSecret, SecretName, SecretStore, Sort, SortField, Tenant, TenantCommit,
    TenantHead, TenantPatch, TenantStore, Version,
};
use worktruck_core::temporal::At;
use worktruck_core::{
    ApprovalId, Cursor, DeliveryId, EntityId, Error, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp,
};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defect {
    /// A walk that goes backwards over a field that changes loses an entity at the end of a page.
    LosesAnEntity,
    /// What ends by itself ends a microsecond late, if it began in the past.
    EndsLate,
    /// A number comes back with fewer digits.
    RoundsNumbers,
    /// Of two runs that are claimed together the wrong one comes first.
    ClaimsInWrongOrder,
    /// A lease is renewed for less time than was asked for.
    RenewsForLess,
    /// An error says the same in other words.
    SaysOtherwise,
}

pub(crate) const DEFECTS: [Defect; 6] = [
    Defect::LosesAnEntity,
    Defect::EndsLate,
    Defect::RoundsNumbers,
    Defect::ClaimsInWrongOrder,
    Defect::RenewsForLess,
    Defect::SaysOtherwise,
];

/// The reference store with a defect.
#[derive(Debug)]
pub(crate) struct Wrong {
    inner: MemoryStore,
    defect: Defect,
}

impl Wrong {
    pub(crate) fn new(defect: Defect) -> Self {
        Self { inner: MemoryStore::default(), defect }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }
}

#[async_trait]
impl EntityStore for Wrong {
    async fn apply(
        &self,
        tenant: TenantId,
        mut changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        if self.has(Defect::EndsLate) {
            for write in changes.writes.iter_mut().map(|change| &mut change.write) {
                if write.valid_from.is_some_and(|from| from < now) {
                    write.valid_to = write.valid_to.map(Timestamp::next);
                }
            }
        }
        self.inner.apply(tenant, changes, provenance, now).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        self.inner.entity(tenant, key, at, now).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.inner.head(tenant).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let backwards = query.sort == Sort { field: SortField::UpdatedAt, descending: true };
        let mut page = self.inner.list(tenant, query, now).await?;
        if self.has(Defect::LosesAnEntity) && backwards && page.has_more {
            page.data.pop();
        }
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
        let purged = self.inner.purge(tenant, key, provenance, now).await;
        if self.has(Defect::SaysOtherwise) {
            return purged.map_err(|error| Error::new(error.kind(), format!("{key} is not there")));
        }
        purged
    }
}

#[async_trait]
impl RunStore for Wrong {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        self.inner.enqueue(tenant, runs, now).await
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        self.inner.fork(tenant, fork, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let mut claimed = self.inner.claim(request, now).await?;
        if self.has(Defect::ClaimsInWrongOrder) && claimed.len() == 2 {
            claimed.reverse();
        }
        Ok(claimed)
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        let short = if self.has(Defect::RenewsForLess) { Duration::from_micros(1) } else { Duration::ZERO };
        self.inner.renew(leases, lease_for.saturating_sub(short), now).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        self.inner.queues(now).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        self.inner.commit(lease, commit, now).await
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        self.inner.signal(tenant, run, signal, now).await
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        self.inner.run(tenant, run).await
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        self.inner.runs(tenant, query).await
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        self.inner.agent_costs(tenant, query).await
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        let mut journal = self.inner.journal(tenant, run).await?;
        if self.has(Defect::RoundsNumbers) {
            for output in
                journal.iter_mut().flat_map(|journal| &mut journal.steps).filter_map(|step| step.output.as_mut())
            {
                if output.as_f64() == Some(0.1 + 0.2) {
                    *output = Value::from(0.3);
                }
            }
        }
        Ok(journal)
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        self.inner.events(tenant, run, page).await
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        self.inner.approval(tenant, id).await
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        self.inner.approvals(tenant, query).await
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.inner.wait_for_work(seen).await
    }
}

#[async_trait]
impl TenantStore for Wrong {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        self.inner.create_tenant(tenant, now).await
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.inner.tenant(id).await
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        self.inner.tenant_by_slug(slug).await
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        self.inner.tenants(page).await
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        self.inner.update_tenant(id, patch).await
    }
}

#[async_trait]
impl RetentionStore for Wrong {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        self.inner.expire(tenant, before, limit, now).await
    }
}

#[async_trait]
impl SecretStore for Wrong {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        self.inner.put_secret(tenant, secret).await
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        self.inner.secret(tenant, name).await
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        self.inner.secrets(tenant, purpose, page).await
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        self.inner.swap_secret(tenant, old, new).await
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        self.inner.remove_secret(tenant, name).await
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        self.inner.data_keys(tenant).await
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        self.inner.add_data_key(tenant, key).await
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        self.inner.swap_data_key(tenant, old, new).await
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        self.inner.remove_data_key(tenant, number).await
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        self.inner.all_data_keys(page).await
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.inner.shred(tenant).await
    }
}

#[async_trait]
impl Outbox for Wrong {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        self.inner.take_deliveries(limit, lease_for, now).await
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.inner.settle_delivery(tenant, id, attempt, attempted, now).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        self.inner.add_delivery(tenant, new, now).await
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        self.inner.redeliver(tenant, id, now).await
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        self.inner.deliveries(tenant, webhook, page).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        self.inner.forget_deliveries(before, limit).await
    }
}

worktruck_core::hand_on_service_ports!([] Wrong, |store, name, call| store.inner => call.await);
