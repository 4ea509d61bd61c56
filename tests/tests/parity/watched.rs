use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
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
    ApprovalId, Cursor, DeliveryId, EntityId, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp,
};

use crate::normalise::told;

/// A store that writes down every call and its answer.
///
/// Behind it there may be several openings of one store: calls go to each in turn, as those of
/// several processes do.
#[derive(Debug)]
pub(crate) struct Watched {
    openings: Vec<Arc<dyn Store>>,
    trace: Mutex<Vec<Line>>,
}

/// A call, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    pub(crate) call: String,
    pub(crate) answer: String,
}

impl Watched {
    pub(crate) fn new(openings: Vec<Arc<dyn Store>>) -> Self {
        Self { openings, trace: Mutex::default() }
    }

    pub(crate) fn trace(&self) -> Vec<Line> {
        self.lines().clone()
    }

    /// Commits that have nothing to do with each other, all at the same time.
    pub(crate) async fn commit_together(
        &self,
        commits: Vec<(Lease, Commit)>,
        now: Timestamp,
    ) -> Vec<Result<CommitOutcome>> {
        let call = format!("commit together {commits:?} at {}", now.as_micros());
        let stores = self.openings.iter().cycle();
        let all = commits.iter().zip(stores).map(|((lease, commit), store)| store.commit(lease, commit.clone(), now));
        let answers = join_all(all).await;
        let answer = answers.iter().map(told).collect::<Vec<_>>().join("\n");
        self.lines().push(Line { call, answer });
        answers
    }

    fn store(&self) -> &dyn Store {
        let turn = self.lines().len() % self.openings.len();
        &*self.openings[turn]
    }

    fn note<T: Debug>(&self, call: String, answer: Result<T>) -> Result<T> {
        let line = Line { call, answer: told(&answer) };
        self.lines().push(line);
        answer
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call as text: times as numbers, everything else as it is.
fn call(name: &str, arguments: &dyn Debug, now: Timestamp) -> String {
    format!("{name} {arguments:?} at {}", now.as_micros())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EntityStore for Watched {
    async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        let call = call("apply", &(tenant, &changes, &provenance), now);
        self.note(call, self.store().apply(tenant, changes, provenance, now).await)
    }

    async fn entity(&self, tenant: TenantId, key: EntityKey, at: At, now: Timestamp) -> Result<Option<Version>> {
        self.note(call("entity", &(tenant, key, at), now), self.store().entity(tenant, key, at, now).await)
    }

    async fn head(&self, tenant: TenantId) -> Result<TenantHead> {
        self.note(format!("head {tenant:?}"), self.store().head(tenant).await)
    }

    async fn list(&self, tenant: TenantId, query: ListQuery, now: Timestamp) -> Result<Page<Version>> {
        let call = call("list", &(tenant, &query), now);
        self.note(call, self.store().list(tenant, query, now).await)
    }

    async fn history(&self, tenant: TenantId, key: EntityKey, page: PageRequest) -> Result<Page<Version>> {
        let call = format!("history {:?}", (tenant, key, &page));
        self.note(call, self.store().history(tenant, key, page).await)
    }

    async fn slices(
        &self,
        tenant: TenantId,
        key: EntityKey,
        valid: Period,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Version>> {
        let call = call("slices", &(tenant, key, valid, as_of), now);
        self.note(call, self.store().slices(tenant, key, valid, as_of, now).await)
    }

    async fn commits_of(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<TenantCommit>> {
        let call = format!("commits_of {:?}", (tenant, run, &page));
        self.note(call, self.store().commits_of(tenant, run, page).await)
    }

    async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: PageRequest) -> Result<Commits> {
        let call = format!("changes {:?}", (tenant, &since, &limit));
        self.note(call, self.store().changes(tenant, since, limit).await)
    }

    async fn purge(&self, tenant: TenantId, key: EntityKey, provenance: Provenance, now: Timestamp) -> Result<()> {
        let call = call("purge", &(tenant, key, &provenance), now);
        self.note(call, self.store().purge(tenant, key, provenance, now).await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RunStore for Watched {
    async fn enqueue(&self, tenant: TenantId, runs: Vec<NewRun>, now: Timestamp) -> Result<Vec<Run>> {
        let call = call("enqueue", &(tenant, &runs), now);
        self.note(call, self.store().enqueue(tenant, runs, now).await)
    }

    async fn fork(&self, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
        let call = call("fork", &(tenant, &fork), now);
        self.note(call, self.store().fork(tenant, fork, now).await)
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
        let call = call("claim", &request, now);
        self.note(call, self.store().claim(request, now).await)
    }

    async fn renew(&self, leases: &[Lease], lease_for: Duration, now: Timestamp) -> Result<Vec<Renewal>> {
        self.note(call("renew", &(leases, lease_for), now), self.store().renew(leases, lease_for, now).await)
    }

    async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>> {
        self.note(call("queues", &(), now), self.store().queues(now).await)
    }

    async fn cancel_requests(&self, leases: &[Lease]) -> Result<Vec<RunId>> {
        self.note(format!("cancel_requests {leases:?}"), self.store().cancel_requests(leases).await)
    }

    async fn commit(&self, lease: &Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let call = call("commit", &(lease, &commit), now);
        self.note(call, self.store().commit(lease, commit, now).await)
    }

    async fn signal(&self, tenant: TenantId, run: RunId, signal: Signal, now: Timestamp) -> Result<Run> {
        let call = call("signal", &(tenant, run, &signal), now);
        self.note(call, self.store().signal(tenant, run, signal, now).await)
    }

    async fn run(&self, tenant: TenantId, run: RunId) -> Result<Option<Run>> {
        self.note(format!("run {:?}", (tenant, run)), self.store().run(tenant, run).await)
    }

    async fn runs(&self, tenant: TenantId, query: RunQuery) -> Result<Page<Run>> {
        let call = format!("runs {:?}", (tenant, &query));
        self.note(call, self.store().runs(tenant, query).await)
    }

    async fn agent_costs(&self, tenant: TenantId, query: AgentCostQuery) -> Result<Vec<AgentCost>> {
        let call = format!("agent_costs {:?}", (tenant, &query));
        self.note(call, self.store().agent_costs(tenant, query).await)
    }

    async fn journal(&self, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
        self.note(format!("journal {:?}", (tenant, run)), self.store().journal(tenant, run).await)
    }

    async fn events(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<Event>> {
        let call = format!("events {:?}", (tenant, run, &page));
        self.note(call, self.store().events(tenant, run, page).await)
    }

    /// Waits are not compared: what they answer means something to one store alone.
    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<Approval>> {
        self.store().approval(tenant, id).await
    }

    async fn approvals(&self, tenant: TenantId, query: ApprovalQuery) -> Result<Page<Approval>> {
        self.store().approvals(tenant, query).await
    }

    async fn wait_for_work(&self, seen: u64) -> Result<u64> {
        self.store().wait_for_work(seen).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TenantStore for Watched {
    async fn create_tenant(&self, tenant: NewTenant, now: Timestamp) -> Result<Tenant> {
        let call = call("create_tenant", &tenant, now);
        self.note(call, self.store().create_tenant(tenant, now).await)
    }

    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.note(format!("tenant {id}"), self.store().tenant(id).await)
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        self.note(format!("tenant_by_slug {slug:?}"), self.store().tenant_by_slug(slug).await)
    }

    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>> {
        let call = format!("tenants {page:?}");
        self.note(call, self.store().tenants(page).await)
    }

    async fn update_tenant(&self, id: TenantId, patch: TenantPatch) -> Result<Tenant> {
        self.note(format!("update_tenant {:?}", (id, &patch)), self.store().update_tenant(id, patch).await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RetentionStore for Watched {
    async fn expire(&self, tenant: TenantId, before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        let call = call("expire", &(tenant, before, limit), now);
        self.note(call, self.store().expire(tenant, before, limit, now).await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SecretStore for Watched {
    async fn put_secret(&self, tenant: TenantId, secret: SealedSecret) -> Result<Put> {
        let call = format!("put_secret {:?}", (tenant, &secret));
        self.note(call, self.store().put_secret(tenant, secret).await)
    }

    async fn secret(&self, tenant: TenantId, name: &SecretName) -> Result<Option<SealedSecret>> {
        let call = format!("secret {:?}", (tenant, name));
        self.note(call, self.store().secret(tenant, name).await)
    }

    async fn secrets(&self, tenant: TenantId, purpose: Option<&str>, page: PageRequest) -> Result<Page<SealedSecret>> {
        let call = format!("secrets {:?}", (tenant, purpose, &page));
        self.note(call, self.store().secrets(tenant, purpose, page).await)
    }

    async fn swap_secret(&self, tenant: TenantId, old: &SealedSecret, new: SealedSecret) -> Result<()> {
        let call = format!("swap_secret {:?}", (tenant, old, &new));
        self.note(call, self.store().swap_secret(tenant, old, new).await)
    }

    async fn remove_secret(&self, tenant: TenantId, name: &SecretName) -> Result<()> {
        let call = format!("remove_secret {:?}", (tenant, name));
        self.note(call, self.store().remove_secret(tenant, name).await)
    }

    async fn data_keys(&self, tenant: TenantId) -> Result<Vec<DataKey>> {
        let call = format!("data_keys {:?}", tenant);
        self.note(call, self.store().data_keys(tenant).await)
    }

    async fn add_data_key(&self, tenant: TenantId, key: DataKey) -> Result<()> {
        let call = format!("add_data_key {:?}", (tenant, &key));
        self.note(call, self.store().add_data_key(tenant, key).await)
    }

    async fn swap_data_key(&self, tenant: TenantId, old: &DataKey, new: DataKey) -> Result<()> {
        let call = format!("swap_data_key {:?}", (tenant, old, &new));
        self.note(call, self.store().swap_data_key(tenant, old, new).await)
    }

    async fn remove_data_key(&self, tenant: TenantId, number: u32) -> Result<()> {
        let call = format!("remove_data_key {:?}", (tenant, number));
        self.note(call, self.store().remove_data_key(tenant, number).await)
    }

    async fn all_data_keys(&self, page: PageRequest) -> Result<Page<(TenantId, DataKey)>> {
        let call = format!("all_data_keys {:?}", &page);
        self.note(call, self.store().all_data_keys(page).await)
    }

    async fn shred(&self, tenant: TenantId) -> Result<()> {
        let call = format!("shred {:?}", tenant);
        self.note(call, self.store().shred(tenant).await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Outbox for Watched {
    async fn take_deliveries(&self, limit: usize, lease_for: Duration, now: Timestamp) -> Result<Vec<Delivery>> {
        let call = call("take_deliveries", &(limit, lease_for), now);
        self.note(call, self.store().take_deliveries(limit, lease_for, now).await)
    }

    async fn settle_delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        attempt: u32,
        attempted: Attempted,
        now: Timestamp,
    ) -> Result<Delivery> {
        let call = call("settle_delivery", &(tenant, id, attempt, &attempted), now);
        self.note(call, self.store().settle_delivery(tenant, id, attempt, attempted, now).await)
    }

    async fn add_delivery(&self, tenant: TenantId, new: NewDelivery, now: Timestamp) -> Result<Delivery> {
        let call = call("add_delivery", &(tenant, &new), now);
        self.note(call, self.store().add_delivery(tenant, new, now).await)
    }

    async fn redeliver(&self, tenant: TenantId, id: DeliveryId, now: Timestamp) -> Result<Delivery> {
        let call = call("redeliver", &(tenant, id), now);
        self.note(call, self.store().redeliver(tenant, id, now).await)
    }

    async fn deliveries(&self, tenant: TenantId, webhook: EntityId, page: PageRequest) -> Result<Page<Delivery>> {
        let call = format!("deliveries {:?}", (tenant, webhook, &page));
        self.note(call, self.store().deliveries(tenant, webhook, page).await)
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let call = format!("forget_deliveries {:?}", (before, limit));
        self.note(call, self.store().forget_deliveries(before, limit).await)
    }
}

worktruck_core::hand_on_service_ports!([] Watched, |store, name, call| *store.store() => store.note(name.to_owned(), call.await));
