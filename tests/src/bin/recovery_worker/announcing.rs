use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use worktruck_core::journal::Journal;
use worktruck_core::run::{Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, Signal};
use worktruck_core::store::{
    AgentCost, AgentCostQuery, Applied, ApprovalQuery, Attempted, Changes, CommitOutcome, Commits, DataKey, Delivery,
    EntityKey, EntityStore, Expired, ListQuery, NewDelivery, NewTenant, Outbox, Provenance, Put, Queue, RetentionStore,
    RunQuery, RunStore, SealedSecret, SecretName, SecretStore, Store, Tenant, TenantCommit, TenantHead, TenantPatch,
    TenantStore, Version,
};
use worktruck_core::temporal::At;
use worktruck_core::{
    ApprovalId, Cursor, DeliveryId, EntityId, ErrorKind, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp,
};
use worktruck_tests::{Announcement, Answer, Beside, CommitSummary, Moment, Position};

use crate::hold::{announce, hold};

/// A store that announces claims and commits, and stays at one of them when told.
#[derive(Debug)]
pub(crate) struct Announcing {
    inner: Arc<dyn Store>,
    hold: Option<Position>,
    calls: AtomicUsize,
}

impl Announcing {
    pub(crate) const fn new(inner: Arc<dyn Store>, hold: Option<Position>) -> Self {
        Self { inner, hold, calls: AtomicUsize::new(0) }
    }

    /// Counts a call that a run makes.
    fn count(&self) -> usize {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes a read that a run makes, unless it stays before or after it.
    async fn read<T>(&self, read: impl Future<Output = T> + Send) -> T {
        let number = self.count();
        self.hold(Beside::Read, |position| position.is_at_call(Moment::Before, number)).await;
        let answer = read.await;
        self.hold(Beside::Read, |position| position.is_at_call(Moment::After, number)).await;
        answer
    }

    /// Stays if this is the place.
    async fn hold(&self, beside: Beside, is_here: impl Fn(Position) -> bool + Send) {
        if self.hold.is_some_and(is_here) {
            hold(beside).await;
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RunStore for Announcing {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        self.inner.enqueue(tenant, runs, now).await
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        self.inner.fork(tenant, fork, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let claimed = self.inner.claim(request, now).await?;
        announce(&Announcement::Claimed { runs: claimed.len() });
        if !claimed.is_empty() {
            let number = self.count();
            self.hold(Beside::Claim, |position| position.is_at_call(Moment::After, number)).await;
        }
        Ok(claimed)
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        self.inner.renew(leases, lease_for, now).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        self.inner.queues(now).await
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        self.inner.cancel_requests(leases).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let summary = CommitSummary::of(lease.run(), &commit);
        announce(&Announcement::Before { commit: summary.clone() });
        let number = self.count();
        let is_here =
            |position: Position, moment| position.is_at(moment, &summary) || position.is_at_call(moment, number);
        self.hold(Beside::Commit, |position| is_here(position, Moment::Before)).await;
        let outcome = self.inner.commit(lease, commit, now).await;
        let answer = match &outcome {
            Ok(CommitOutcome::Committed { .. }) => Answer::Committed,
            Err(error) if error.kind() == ErrorKind::LeaseLost => Answer::LeaseLost,
            Err(error) if error.is_retryable() => Answer::Unavailable,
            Ok(CommitOutcome::Conflicted { .. }) | Err(_) => Answer::Other,
        };
        announce(&Announcement::After { commit: summary.clone(), answer });
        self.hold(Beside::Commit, |position| is_here(position, Moment::After)).await;
        outcome
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
        self.read(self.inner.journal(tenant, run)).await
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
#[deny(clippy::missing_trait_methods)]
impl EntityStore for Announcing {
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
        self.read(self.inner.entity(tenant, key, at, now)).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.read(self.inner.head(tenant)).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        self.read(self.inner.list(tenant, query, now)).await
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

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TenantStore for Announcing {
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
#[deny(clippy::missing_trait_methods)]
impl RetentionStore for Announcing {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        self.inner.expire(tenant, before, limit, now).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SecretStore for Announcing {
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
#[deny(clippy::missing_trait_methods)]
impl Outbox for Announcing {
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

worktruck_core::hand_on_service_ports!([] Announcing, |store, name, call| *store.inner => call.await);
