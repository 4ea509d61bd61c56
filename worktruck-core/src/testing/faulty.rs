use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::journal::Journal;
use crate::run::{Approval, ClaimRequest, Claimed, Commit, Event, Fork, Lease, NewRun, Renewal, Run, Signal};
use crate::store::{
    AgentCost, AgentCostQuery, Applied, ApprovalQuery, Attempted, Changes, CommitOutcome, Commits, DataKey, Delivery,
    EntityKey, EntityStore, Expired, ListQuery, NewDelivery, NewTenant, Outbox, Provenance, Put, Queue, RetentionStore,
    RunQuery, RunStore, SealedSecret, SecretName, SecretStore, Store, Tenant, TenantCommit, TenantHead, TenantPatch,
    TenantStore, Version,
};
use crate::temporal::At;
use crate::{
    ApprovalId, Cursor, DeliveryId, EntityId, Error, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp,
};

/// Where a call fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Before it reaches the store: it has no effect.
    Before,
    /// After the store has done it: the effect stays, and the caller does not hear of it.
    After,
}

/// A store whose calls fail by plan, as a store does that cannot be reached for a moment.
///
/// It counts the calls of every port from 1 and hands them to the store inside; a call that the
/// plan names fails as `Unavailable`. Without a plan it changes nothing.
///
/// # Examples
///
/// ```
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore};
/// use worktruck_core::testing::{Fault, FaultyStore};
/// use worktruck_core::{ErrorKind, TenantId, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let store = FaultyStore::new(MemoryStore::default());
/// store.fail(1, Fault::After);
/// let id: TenantId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
/// let tenant = NewTenant::new(id, "acme");
///
/// let error = store.create_tenant(tenant, Timestamp::EPOCH).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(store.tenant(id).await?.is_some(), "the call took effect");
/// assert_eq!(store.calls(), ["create_tenant", "tenant"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    script: Mutex<Script>,
}

#[derive(Debug)]
struct Script {
    calls: Vec<&'static str>,
    faults: BTreeMap<usize, Fault>,
}

impl<S: Store> FaultyStore<S> {
    /// `inner` without faults.
    pub const fn new(inner: S) -> Self {
        Self { inner, script: Mutex::new(Script { calls: Vec::new(), faults: BTreeMap::new() }) }
    }

    /// Lets the call with this number fail, counted from 1.
    pub fn fail(&self, call: usize, fault: Fault) {
        self.script().faults.insert(call, fault);
    }

    /// The names of all calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.script().calls.clone()
    }

    /// The store inside, which never fails by plan.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and makes it, unless the plan says otherwise.
    async fn call<T>(&self, name: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let (number, fault) = {
            let mut script = self.script();
            script.calls.push(name);
            let number = script.calls.len();
            (number, script.faults.get(&number).copied())
        };
        let failed = |when| Err(Error::unavailable(format!("call {number}, {name}, failed {when} it took effect")));
        match fault {
            None => call.await,
            Some(Fault::Before) => failed("before"),
            Some(Fault::After) => {
                call.await?;
                failed("after")
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> EntityStore for FaultyStore<S> {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.call("apply", self.inner.apply(tenant, changes, provenance, now)).await
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        self.call("entity", self.inner.entity(tenant, key, at, now)).await
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.call("head", self.inner.head(tenant)).await
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        self.call("list", self.inner.list(tenant, query, now)).await
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        self.call("history", self.inner.history(tenant, key, page)).await
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        self.call("slices", self.inner.slices(tenant, key, valid, as_of, now)).await
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        self.call("commits_of", self.inner.commits_of(tenant, run, page)).await
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        self.call("changes", self.inner.changes(tenant, since, limit)).await
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        self.call("purge", self.inner.purge(tenant, key, provenance, now)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> RunStore for FaultyStore<S> {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        self.call("enqueue", self.inner.enqueue(tenant, runs, now)).await
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        self.call("fork", self.inner.fork(tenant, fork, now)).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        self.call("claim", self.inner.claim(request, now)).await
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        self.call("renew", self.inner.renew(leases, lease_for, now)).await
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        self.call("queues", self.inner.queues(now)).await
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        self.call("cancel_requests", self.inner.cancel_requests(leases)).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        self.call("commit", self.inner.commit(lease, commit, now)).await
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        self.call("signal", self.inner.signal(tenant, run, signal, now)).await
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        self.call("run", self.inner.run(tenant, run)).await
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        self.call("runs", self.inner.runs(tenant, query)).await
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        self.call("agent_costs", self.inner.agent_costs(tenant, query)).await
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        self.call("journal", self.inner.journal(tenant, run)).await
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        self.call("events", self.inner.events(tenant, run, page)).await
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        self.call("approval", self.inner.approval(tenant, id)).await
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        self.call("approvals", self.inner.approvals(tenant, query)).await
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.call("wait_for_work", self.inner.wait_for_work(seen)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> TenantStore for FaultyStore<S> {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        self.call("create_tenant", self.inner.create_tenant(tenant, now)).await
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.call("tenant", self.inner.tenant(id)).await
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        self.call("tenant_by_slug", self.inner.tenant_by_slug(slug)).await
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        self.call("tenants", self.inner.tenants(page)).await
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        self.call("update_tenant", self.inner.update_tenant(id, patch)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> RetentionStore for FaultyStore<S> {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        self.call("expire", self.inner.expire(tenant, before, limit, now)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> SecretStore for FaultyStore<S> {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        self.call("put_secret", self.inner.put_secret(tenant, secret)).await
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        self.call("secret", self.inner.secret(tenant, name)).await
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        self.call("secrets", self.inner.secrets(tenant, purpose, page)).await
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        self.call("swap_secret", self.inner.swap_secret(tenant, old, new)).await
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        self.call("remove_secret", self.inner.remove_secret(tenant, name)).await
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        self.call("data_keys", self.inner.data_keys(tenant)).await
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        self.call("add_data_key", self.inner.add_data_key(tenant, key)).await
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        self.call("swap_data_key", self.inner.swap_data_key(tenant, old, new)).await
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        self.call("remove_data_key", self.inner.remove_data_key(tenant, number)).await
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        self.call("all_data_keys", self.inner.all_data_keys(page)).await
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        self.call("shred", self.inner.shred(tenant)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Outbox for FaultyStore<S> {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        self.call("take_deliveries", self.inner.take_deliveries(limit, lease_for, now)).await
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.call("settle_delivery", self.inner.settle_delivery(tenant, id, attempt, attempted, now)).await
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        self.call("add_delivery", self.inner.add_delivery(tenant, new, now)).await
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        self.call("redeliver", self.inner.redeliver(tenant, id, now)).await
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        self.call("deliveries", self.inner.deliveries(tenant, webhook, page)).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        self.call("forget_deliveries", self.inner.forget_deliveries(before, limit)).await
    }
}

crate::hand_on_service_ports!([<S: Store>] FaultyStore<S>, |store, name, call| store.inner => store.call(name, call).await);

#[cfg(test)]
mod tests;
