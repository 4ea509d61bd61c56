//! Counts what has happened, by reading the store and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use worktruck_core::entity::Kind;
use worktruck_core::journal::verify;
use worktruck_core::run::{EventType, Run, RunStatus};
use worktruck_core::store::{ListQuery, RunQuery, Store};
use worktruck_core::{EntityId, Error, PageRequest, Result, RunId, TenantId, Timestamp};

use super::desk::{EFFECTS, VISITS};
use super::tenants::Tenant;

/// What the store says of the runs of some tenants.
#[derive(Debug, Default)]
pub struct Count {
    /// How many runs there are.
    pub runs: usize,
    /// How many of them have succeeded, once.
    pub succeeded: usize,
    /// How many of them have every effect once, and none besides.
    pub right: usize,
    /// How many effects all of them have.
    pub effects: usize,
    /// How many visits were counted.
    pub visits: usize,
    /// How many runs have a journal whose chain does not verify, of those that were taken over.
    pub broken: usize,
    /// How long after the crash each run was taken over that was.
    pub takeovers: Vec<Duration>,
}

impl Count {
    /// Reads all runs, events, contacts and commits of `tenants`.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the store cannot be reached.
    pub async fn read(store: &dyn Store, tenants: &[Tenant], crash: Timestamp, now: Timestamp) -> Result<Self> {
        let mut count = Self::default();
        for tenant in tenants {
            let effects = effects(store, tenant.id).await?;
            let visits = visits(store, tenant.id, now).await?;
            count.effects += effects.values().map(Vec::len).sum::<usize>();
            count.visits += visits.values().sum::<usize>();
            for run in runs(store, tenant.id).await? {
                let made = effects.get(&run.id).map_or(&[][..], Vec::as_slice);
                let steps: BTreeSet<u32> = made.iter().map(|effect| effect.step).collect();
                let contacts: BTreeSet<EntityId> = made.iter().map(|effect| effect.contact).collect();
                let counted: usize = contacts.iter().filter_map(|contact| visits.get(contact)).sum();
                let is_once = made.len() == EFFECTS && steps.len() == EFFECTS && contacts.len() == 1;
                count.runs += 1;
                count.right += usize::from(is_once && counted == VISITS);
                count.take_in(store, &run, crash).await?;
            }
        }
        count.takeovers.sort();
        Ok(count)
    }

    /// Whether all `runs` runs have succeeded once, with every effect once.
    #[must_use]
    pub fn is_exactly_once(&self, runs: usize) -> bool {
        [self.runs, self.succeeded, self.right].iter().all(|count| *count == runs)
            && self.effects == runs * EFFECTS
            && self.visits == runs * VISITS
            && self.broken == 0
    }

    async fn take_in(&mut self, store: &dyn Store, run: &Run, crash: Timestamp) -> Result<()> {
        let events = store.events(run.tenant_id, run.id, PageRequest::largest(None)).await?.data;
        let of = |wanted| events.iter().filter(move |event| event.event_type == wanted);
        let is_once = run.status == RunStatus::Succeeded && of(EventType::RunSucceeded).count() == 1;
        self.succeeded += usize::from(is_once);
        let lost: Vec<Timestamp> = of(EventType::LeaseLost).map(|event| event.at).collect();
        self.takeovers.extend(lost.iter().filter(|at| **at >= crash).map(|at| at.since(crash)));
        if !lost.is_empty() {
            let journal = store.journal(run.tenant_id, run.id).await?.unwrap_or_default();
            self.broken += usize::from(!verify(run.tenant_id, run.id, &run.input, &journal)?.valid);
        }
        Ok(())
    }
}

/// A write that a step of a run has made.
#[derive(Debug)]
struct Effect {
    step: u32,
    contact: EntityId,
}

/// What each run has written, as the feed of changes tells it.
async fn effects(store: &dyn Store, tenant: TenantId) -> Result<HashMap<RunId, Vec<Effect>>> {
    let mut effects: HashMap<RunId, Vec<Effect>> = HashMap::new();
    let mut since = None;
    loop {
        let page = store.changes(tenant, since, PageRequest::largest(None)).await?;
        for commit in page.data {
            let (Some(run), Some(step)) = (commit.provenance.run_id, commit.provenance.step_seq) else { continue };
            let made = commit.entities.iter().map(|entity| Effect { step, contact: entity.id });
            effects.entry(run).or_default().extend(made);
        }
        if !page.has_more {
            return Ok(effects);
        }
        since = Some(page.next_cursor);
    }
}

/// How many visits each contact has.
async fn visits(store: &dyn Store, tenant: TenantId, now: Timestamp) -> Result<HashMap<EntityId, usize>> {
    let mut visits = HashMap::new();
    let mut query = ListQuery::new(Kind::Contact);
    query.page = PageRequest::largest(None);
    loop {
        let page = store.list(tenant, query.clone(), now).await?;
        for version in page.data {
            let body = version.slice.body.unwrap_or_default();
            let counted = body["metadata"]["visits"].as_u64().and_then(|visits| visits.try_into().ok());
            visits.insert(version.key.id, counted.ok_or_else(|| Error::internal("a contact has no visits"))?);
        }
        let Some(cursor) = page.next_cursor else { return Ok(visits) };
        query.page = PageRequest::largest(Some(cursor));
    }
}

async fn runs(store: &dyn Store, tenant: TenantId) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    let mut query = RunQuery { page: PageRequest::largest(None), ..RunQuery::default() };
    loop {
        let page = store.runs(tenant, query.clone()).await?;
        runs.extend(page.data);
        let Some(cursor) = page.next_cursor else { return Ok(runs) };
        query.page = PageRequest::largest(Some(cursor));
    }
}
