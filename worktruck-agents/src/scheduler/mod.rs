//! Enqueues, in the background, the runs that are due by schedules.
//!
//! Any number of processes may do so for one store, and each due time gets one run. The run's id and its idempotency
//! key are made of the schedule and the due time, so that whoever enqueues it again is answered with the first; and a
//! schedule is moved on by a write that is refused if anybody else has written it since it was read. A process that is
//! killed between the two leaves a run and a schedule that still names its due time: the next scheduler finds that run
//! and moves the schedule on. A clock that is wrong enqueues runs early or late, but none twice.

mod fire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use worktruck_core::entity::agent_schedule::AgentSchedule;
use worktruck_core::pim::schedules::{ScheduleFilter, ScheduleSort};
use worktruck_core::pim::{Pim, Records, Stored};
use worktruck_core::schedule::jitter;
use worktruck_core::{PageRequest, Result, TenantId, Timestamp};

use crate::runtime::Runtime;

/// The most schedules on a page.
const PAGE: u16 = 200;

/// How a scheduler looks for what is due.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// How long it sleeps at most before it looks again: how late it may hear of a new schedule.
    pub poll: Duration,
    /// For how many schedules of a tenant it enqueues at once.
    pub concurrency: usize,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { poll: Duration::from_secs(5), concurrency: 8 }
    }
}

/// What a round over all schedules that are due did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// How many runs it enqueued, or found enqueued by somebody who could not say so.
    pub enqueued: u64,
    /// How many runs could never be enqueued.
    pub refused: u64,
    /// How many schedules or tenants it broke off with an error; the next round tries them again.
    pub failed: u64,
    /// When the next run is due, if that is before the next look.
    pub next: Option<Timestamp>,
}

impl Totals {
    fn and(self, other: Self) -> Self {
        Self {
            enqueued: self.enqueued + other.enqueued,
            refused: self.refused + other.refused,
            failed: self.failed + other.failed,
            next: match (self.next, other.next) {
                (Some(one), Some(another)) => Some(one.min(another)),
                (one, another) => one.or(another),
            },
        }
    }
}

/// Enqueues the runs that are due, until it is told to stop.
#[derive(Debug)]
pub struct Scheduler {
    runtime: Runtime,
    options: SchedulerOptions,
}

impl Runtime {
    /// What enqueues the runs that schedules make due, of the blueprints of this runtime.
    #[must_use]
    pub fn scheduler(&self, options: SchedulerOptions) -> Scheduler {
        Scheduler { runtime: self.clone(), options }
    }
}

/// Looks once for what is due, and enqueues it.
///
/// # Cancel safety
///
/// Dropping the future leaves what is not enqueued yet to the next look.
///
/// # Errors
///
/// `Unavailable` if the tenants cannot be listed. An error with one schedule stops no other: it is logged and counted.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_agents::{Runtime, blueprints, scheduler, tools};
/// use worktruck_agents::blueprint::Blueprint;
/// use worktruck_core::entity::agent_schedule::AgentSchedule;
/// use worktruck_core::pim::Pim;
/// use worktruck_core::store::{MemoryStore, NewTenant, RunQuery, RunStore, TenantStore};
/// use worktruck_core::testing::{CountingIds, SimClock};
/// use worktruck_core::{Clock, TenantId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(SimClock::starting_at("2026-04-14T12:00:00Z".parse()?)));
/// let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
/// let runtime =
///     Runtime::builder(store.clone()).clock(clock.clone()).tools(tools::builtin()).blueprint(deduper).build()?;
/// let tenant = TenantId::new(runtime.ids(), runtime.now());
/// store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await?;
/// let pim = Pim::new(store.clone(), clock.clone(), Arc::new(CountingIds::new(1)));
/// pim.agent_schedules(tenant).create(AgentSchedule::new("contact_deduper", "0 * * * *", "UTC")).await?;
///
/// assert_eq!(scheduler::run_once(&runtime).await?.enqueued, 0);
/// clock.set("2026-04-14T13:00:00Z".parse()?);
/// assert_eq!(scheduler::run_once(&runtime).await?.enqueued, 1);
/// assert_eq!(scheduler::run_once(&runtime).await?.enqueued, 0);
/// assert_eq!(store.runs(tenant, RunQuery::default()).await?.data.len(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn run_once(runtime: &Runtime) -> Result<Totals> {
    round(runtime, &SchedulerOptions::default()).await
}

impl Scheduler {
    /// Enqueues what is due until `stop` completes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves what is not enqueued yet to another scheduler.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.run() => {}
        }
    }

    async fn run(&self) {
        let poll = self.options.poll;
        loop {
            let pause = match round(&self.runtime, &self.options).await {
                Ok(totals) => {
                    if totals.enqueued > 0 || totals.refused > 0 || totals.failed > 0 {
                        tracing::info!(?totals, "enqueued what was due");
                    }
                    totals.next.map_or(poll, |next| next.since(self.runtime.now()).min(poll))
                }
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "cannot list tenants");
                    poll
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}

async fn round(runtime: &Runtime, options: &SchedulerOptions) -> Result<Totals> {
    let ports = &runtime.ports;
    let pim = Pim::new(Arc::clone(&ports.store) as _, Arc::clone(&ports.clock), Arc::clone(&ports.ids));
    let mut totals = Totals::default();
    let mut cursor = None;
    loop {
        let page = ports.store.tenants(PageRequest::largest(cursor)).await?;
        for tenant in &page.data {
            let schedules = pim.agent_schedules(tenant.id);
            match look(runtime, options, tenant.id, &schedules).await {
                Ok(done) => totals = totals.and(done),
                Err(error) => {
                    totals.failed += 1;
                    tracing::warn!(error = %error.chain(), tenant = %tenant.id, "cannot list what is due");
                }
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(totals);
        }
    }
}

/// Goes over the schedules of a tenant that are due before the next look.
async fn look(
    runtime: &Runtime,
    options: &SchedulerOptions,
    tenant: TenantId,
    schedules: &Records<AgentSchedule>,
) -> Result<Totals> {
    let soon = ScheduleFilter { due_until: Some(runtime.now().after(options.poll)), ..ScheduleFilter::default() };
    let mut totals = Totals::default();
    let mut cursor = None;
    loop {
        let mut list = schedules.list(soon.clone()).sort(ScheduleSort::NextRunAt).limit(PAGE);
        if let Some(cursor) = cursor {
            list = list.after(cursor);
        }
        let page = list.await?;
        // A worker of another build has the others.
        let ours = page.data.into_iter().filter(|it| runtime.ports.blueprints.contains_key(&it.data.blueprint));
        let done = futures::stream::iter(ours)
            .map(|schedule| attend(runtime, tenant, schedules, schedule))
            .buffer_unordered(options.concurrency.max(1))
            .fold(Totals::default(), async |all, done| all.and(done))
            .await;
        totals = totals.and(done);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(totals);
        }
    }
}

/// Does what is to be done about one schedule.
async fn attend(
    runtime: &Runtime,
    tenant: TenantId,
    schedules: &Records<AgentSchedule>,
    schedule: Stored<AgentSchedule>,
) -> Totals {
    let (id, due) = (schedule.id, schedule.data.next_run_at);
    let start = due.map(|due| due.after(jitter(id, due, schedule.data.jitter_secs.unwrap_or(0))));
    if let Some(start) = start.filter(|start| runtime.now() < *start) {
        return Totals { next: Some(start), ..Totals::default() };
    }
    let mut totals = Totals::default();
    if let Err(error) = fire::fire(runtime, tenant, schedules, schedule, &mut totals).await {
        totals.failed += 1;
        tracing::warn!(error = %error.chain(), schedule = %id, "cannot enqueue what is due");
    }
    totals
}
