//! A store of one's own: the reference store, with a count of what it is asked.
//!
//! Whoever writes a store for another database implements the same traits, each method with a statement of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use worktruck_core::journal::Journal;
use worktruck_core::run::{Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, Signal};
use worktruck_core::store::{
    AgentCost, AgentCostQuery, Applied, ApprovalQuery, Attempted, Changes, CommitOutcome, Commits, DataKey, Delivery,
    EntityKey, EntityStore, Expired, ListQuery, MemoryStore, NewDelivery, NewTenant, Outbox, Provenance, Put, Queue,
    RetentionStore, RunQuery, RunStore, SealedSecret, SecretName, SecretStore, Tenant, TenantCommit, TenantHead,
    TenantPatch, TenantStore, Version,
};
use worktruck_core::temporal::At;
use worktruck_core::{
    ApprovalId, Cursor, DeliveryId, EntityId, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp,
};

/// The reference store, which counts its calls by their names.
#[derive(Debug, Default)]
pub struct CountingStore {
    inner: MemoryStore,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl CountingStore {
    /// How often each method was called.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn count<T>(&self, name: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        call.await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EntityStore for CountingStore {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.count("apply", self.inner.apply(tenant, changes, provenance, now)).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        self.count("entity", self.inner.entity(tenant, key, at, now)).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.count("head", self.inner.head(tenant)).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        self.count("list", self.inner.list(tenant, query, now)).await
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        self.count("history", self.inner.history(tenant, key, page)).await
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        self.count("slices", self.inner.slices(tenant, key, valid, as_of, now)).await
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        self.count("commits_of", self.inner.commits_of(tenant, run, page)).await
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        self.count("changes", self.inner.changes(tenant, since, limit)).await
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        self.count("purge", self.inner.purge(tenant, key, provenance, now)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RunStore for CountingStore {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        self.count("enqueue", self.inner.enqueue(tenant, runs, now)).await
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        self.count("fork", self.inner.fork(tenant, fork, now)).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        self.count("claim", self.inner.claim(request, now)).await
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        self.count("renew", self.inner.renew(leases, lease_for, now)).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        self.count("queues", self.inner.queues(now)).await
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        self.count("cancel_requests", self.inner.cancel_requests(leases)).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        self.count("commit", self.inner.commit(lease, commit, now)).await
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        self.count("signal", self.inner.signal(tenant, run, signal, now)).await
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        self.count("run", self.inner.run(tenant, run)).await
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        self.count("runs", self.inner.runs(tenant, query)).await
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        self.count("agent_costs", self.inner.agent_costs(tenant, query)).await
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        self.count("journal", self.inner.journal(tenant, run)).await
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        self.count("events", self.inner.events(tenant, run, page)).await
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        self.count("approval", self.inner.approval(tenant, id)).await
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        self.count("approvals", self.inner.approvals(tenant, query)).await
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.count("wait_for_work", self.inner.wait_for_work(seen)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TenantStore for CountingStore {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        self.count("create_tenant", self.inner.create_tenant(tenant, now)).await
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.count("tenant", self.inner.tenant(id)).await
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        self.count("tenant_by_slug", self.inner.tenant_by_slug(slug)).await
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        self.count("tenants", self.inner.tenants(page)).await
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        self.count("update_tenant", self.inner.update_tenant(id, patch)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RetentionStore for CountingStore {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        self.count("expire", self.inner.expire(tenant, before, limit, now)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SecretStore for CountingStore {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        self.count("put_secret", self.inner.put_secret(tenant, secret)).await
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        self.count("secret", self.inner.secret(tenant, name)).await
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        self.count("secrets", self.inner.secrets(tenant, purpose, page)).await
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        self.count("swap_secret", self.inner.swap_secret(tenant, old, new)).await
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        self.count("remove_secret", self.inner.remove_secret(tenant, name)).await
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        self.count("data_keys", self.inner.data_keys(tenant)).await
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        self.count("add_data_key", self.inner.add_data_key(tenant, key)).await
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        self.count("swap_data_key", self.inner.swap_data_key(tenant, old, new)).await
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        self.count("remove_data_key", self.inner.remove_data_key(tenant, number)).await
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        self.count("all_data_keys", self.inner.all_data_keys(page)).await
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.count("shred", self.inner.shred(tenant)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Outbox for CountingStore {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        self.count("take_deliveries", self.inner.take_deliveries(limit, lease_for, now)).await
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.count("settle_delivery", self.inner.settle_delivery(tenant, id, attempt, attempted, now)).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        self.count("add_delivery", self.inner.add_delivery(tenant, new, now)).await
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        self.count("redeliver", self.inner.redeliver(tenant, id, now)).await
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        self.count("deliveries", self.inner.deliveries(tenant, webhook, page)).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        self.count("forget_deliveries", self.inner.forget_deliveries(before, limit)).await
    }
}

worktruck_core::hand_on_service_ports!([] CountingStore, |store, name, call| store.inner => store.count(name, call).await);
