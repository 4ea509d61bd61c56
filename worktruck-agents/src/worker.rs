//! Workers: they take runs, keep their leases, and give them back when they must stop.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;
use worktruck_core::executor::{Executor, Options};
use worktruck_core::run::{
    BlueprintVersion, ClaimRequest, Claimed, Commit, FailureCategory, Renewal, RunStatus, Transition,
};
use worktruck_core::{Error, ErrorKind, NanoUsd, Result, RunId, Timestamp};

use crate::driver::{STORE_PAUSE, commit, drive};
use crate::held::{Held, Order};
use crate::metrics::Measured;
use crate::queues;
use crate::runtime::{Ports, Runtime};
use crate::telemetry;

/// How long giving back what was dropped may take.
const TIME_TO_RELEASE: Duration = Duration::from_secs(5);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// How many runs it executes at once.
    pub concurrency: usize,
    /// How long it sleeps at most before it looks for work that time alone has made: a delayed
    /// run, an expired lease.
    pub poll: Duration,
    /// How long runs may finish what is under way when it is told to stop.
    pub grace: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { concurrency: 16, poll: Duration::from_secs(1), grace: Duration::from_secs(10) }
    }
}

/// Executes runs of a store, side by side, until it is told to stop.
#[derive(Debug)]
pub struct Worker {
    ports: Arc<Ports>,
    options: WorkerOptions,
    holding: Arc<Holding>,
}

/// The runs that a worker holds.
#[derive(Debug, Default)]
struct Holding {
    runs: Mutex<HashMap<RunId, Arc<Held>>>,
    changed: Notify,
}

impl Runtime {
    /// A worker that executes runs.
    #[must_use]
    pub fn worker(&self, options: WorkerOptions) -> Worker {
        Worker { ports: Arc::clone(&self.ports), options, holding: Arc::default() }
    }
}

/// How long the place of a run stays empty for others that end at the same time: one claim for all
/// of them costs hardly more than one for each.
const GATHER: Duration = Duration::from_millis(1);

impl Worker {
    /// Works until `stop` completes, then gives back what it holds and returns.
    ///
    /// Runs finish what is under way within the grace period; what takes longer is dropped. Runs
    /// that are given back use up no attempt, and another worker takes them at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the runs it holds as a crash would: other workers take them over
    /// when their leases expire.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut mark = 0;
        tokio::pin!(stop);
        let mut renewal = JoinSet::new();
        renewal.spawn(renew_all(Arc::clone(&self.ports), Arc::clone(&self.holding)));
        renewal.spawn(watch_all(Arc::clone(&self.ports), Arc::clone(&self.holding)));
        renewal.spawn(queues::measure(Arc::clone(&self.ports)));
        loop {
            // A run that has ended makes room at once, and several one claim for all of them.
            while let Some(ended) = tasks.try_join_next() {
                tell_of_panic(ended);
            }
            let free = self.options.concurrency.saturating_sub(tasks.len());
            let full = free > 0 && self.claim(free, &mut tasks).await == free;
            if full && tasks.len() < self.options.concurrency {
                continue;
            }
            let idle = tasks.len() < self.options.concurrency;
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = tasks.join_next() => {
                    tell_of_panic(ended);
                    if !tasks.is_empty() {
                        tokio::time::sleep(GATHER).await;
                    }
                }
                woken = self.ports.store.wait_for_work(mark), if idle => match woken {
                    Ok(now) => mark = now,
                    Err(error) => {
                        tracing::warn!(error = %error.chain(), "cannot wait for work");
                        tokio::time::sleep(self.options.poll).await;
                    }
                },
                () = tokio::time::sleep(self.options.poll), if idle => {}
            }
        }
        self.drain(&mut tasks).await;
        renewal.abort_all();
    }

    async fn drain(&self, tasks: &mut JoinSet<()>) {
        for (order, time) in [(Order::Drain, self.options.grace), (Order::Abort, TIME_TO_RELEASE)] {
            self.holding.order(order);
            let all = async {
                while let Some(ended) = tasks.join_next().await {
                    tell_of_panic(ended);
                }
            };
            if tokio::time::timeout(time, all).await.is_ok() {
                return;
            }
        }
    }

    /// Takes up to `free` runs and starts them.
    async fn claim(&self, free: usize, tasks: &mut JoinSet<()>) -> usize {
        let ports = &self.ports;
        let blueprints: Vec<BlueprintVersion> = ports.blueprints.values().map(|b| b.reference()).collect();
        let request = ClaimRequest { blueprints, limit: free, lease_for: ports.lease_for };
        let asked_at = ports.clock.monotonic();
        let claimed = match ports.store.claim(request, ports.clock.now()).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "cannot claim runs");
                return 0;
            }
        };
        let count = claimed.len();
        for claimed in claimed {
            tracing::info!(run = %claimed.run.id, attempt = claimed.run.attempt, "run taken");
            ports.metrics.record(Measured::Claimed { blueprint: &claimed.run.agent_blueprint });
            ports.listeners.tell(claimed.run.id);
            let (held, orders) = Held::new(claimed.lease.clone(), asked_at, ports.lease_for);
            let held = Arc::new(held);
            let ports = Arc::clone(ports);
            let kept = self.holding.keep(claimed.run.id, &held);
            let span = telemetry::run(&claimed.run);
            let about_run = span.clone();
            let work = async move {
                let (run, _kept) = (claimed.run.id, kept);
                let (tenant, blueprint) = (claimed.run.tenant_id, claimed.run.agent_blueprint.clone());
                let left = execute(&ports, claimed, &held, orders).await;
                telemetry::left(&about_run, &left);
                if let Ok(RunStatus::Failed) = left
                    && let Err(error) = ports.note_failure(tenant, &blueprint).await
                {
                    tracing::warn!(%run, error = %error.chain(), "cannot tell how many runs have failed");
                }
                match left {
                    Ok(status) => tracing::info!(%run, %status, "run left"),
                    Err(error) if error.kind() == ErrorKind::LeaseLost => {
                        ports.metrics.record(Measured::LeaseLost { blueprint: &blueprint });
                        tracing::warn!(%run, "lease lost; the run is another worker's");
                    }
                    Err(error) => tracing::error!(%run, error = %error.chain(), "run abandoned"),
                }
            };
            tasks.spawn(work.instrument(span));
        }
        count
    }
}

async fn execute(
    ports: &Ports,
    claimed: Claimed,
    held: &Held,
    orders: tokio::sync::mpsc::UnboundedReceiver<Order>,
) -> Result<RunStatus> {
    loop {
        match prepare(ports, &claimed).await {
            Ok(executor) => return drive(executor, &claimed.run, held, orders, ports).await,
            Err(error) if error.is_retryable() && held.is_live(&*ports.clock) => {
                tracing::warn!(error = %error.chain(), "the store could not be reached; reading the run again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => return refuse(ports, &claimed, held, &error).await,
        }
    }
}

async fn prepare(ports: &Ports, claimed: &Claimed) -> Result<Executor> {
    let run = claimed.run.clone();
    let brought = ports.brought(&run).await?;
    let secrets = ports.secrets.iter().cloned().chain(brought).collect();
    let options = Options { lease_for: ports.lease_for, secrets };
    if !claimed.has_journal {
        let snapshot = ports.snapshot(&run).await?;
        return Executor::begin(run, claimed.commits, snapshot, options);
    }
    let journal = ports.store.journal(run.tenant_id, run.id).await?;
    let journal = journal.ok_or_else(|| Error::not_found(format!("the journal of run {}", run.id)))?;
    Executor::resume(run, journal, options)
}

/// Fails a run that no worker could execute.
async fn refuse(ports: &Ports, claimed: &Claimed, held: &Held, error: &Error) -> Result<RunStatus> {
    let end = Commit {
        number: claimed.commits + 1,
        snapshot: None,
        steps: Vec::new(),
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: Transition::Fail { category: FailureCategory::ConfigError, detail: error.to_string() },
        lease_for: ports.lease_for,
    };
    commit(end, held, ports).await.map(|_| RunStatus::Failed)
}

fn tell_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a run ended early; the run is taken over when its lease expires");
    }
}

/// Renews all leases in one call, three times in the time that they last.
async fn renew_all(ports: Arc<Ports>, holding: Arc<Holding>) {
    let mut pause = ports.lease_for / 3;
    loop {
        holding.until_not_empty().await;
        tokio::time::sleep(pause).await;
        pause = ports.lease_for / 3;
        let asked = holding.runs().clone();
        let leases: Vec<_> = asked.values().map(|held| held.lease()).collect();
        if leases.is_empty() {
            continue;
        }
        let (asked_at, now) = (ports.clock.monotonic(), ports.clock.now());
        match ports.store.renew(&leases, ports.lease_for, now).await {
            Ok(renewals) => {
                for renewal in renewals {
                    take_in(&asked, renewal, asked_at, now, ports.lease_for);
                }
            }
            // A lease that cannot be renewed runs out on the monotonic clock, and its run stops.
            Err(error) => {
                tracing::warn!(error = %error.chain(), "cannot renew leases");
                pause = pause.min(STORE_PAUSE);
            }
        }
    }
}

/// How long a cancellation may be on its way to the worker that holds the run.
const WATCH: Duration = Duration::from_secs(1);

/// Looks for runs that somebody has asked the end of, more often than leases are renewed.
async fn watch_all(ports: Arc<Ports>, holding: Arc<Holding>) {
    loop {
        holding.until_not_empty().await;
        tokio::time::sleep(WATCH).await;
        let asked = holding.runs().clone();
        let leases: Vec<_> = asked.values().map(|held| held.lease()).collect();
        match ports.store.cancel_requests(&leases).await {
            Ok(requested) => {
                requested.iter().filter_map(|run| asked.get(run)).for_each(|held| held.order(Order::Cancel))
            }
            // A renewal tells of it, too.
            Err(error) => tracing::debug!(error = %error.chain(), "cannot look for cancellations"),
        }
    }
}

/// Tells a run what became of its lease: the run that it was `asked` for, not one that was taken
/// under the same id since.
///
/// A lease that was left as it is says nothing new: a commit under way may have made it last longer.
fn take_in(
    asked: &HashMap<RunId, Arc<Held>>,
    renewal: Renewal,
    asked_at: Duration,
    now: Timestamp,
    lease_for: Duration,
) {
    let run = match &renewal {
        Renewal::Renewed { lease, .. } => lease.run(),
        Renewal::Lost(run) => *run,
    };
    let Some(held) = asked.get(&run) else { return };
    match renewal {
        Renewal::Renewed { lease, cancel_requested_at } => {
            if lease.expires_at() >= now.after(lease_for) {
                held.confirm(lease, asked_at, lease_for);
            }
            if cancel_requested_at.is_some() {
                held.order(Order::Cancel);
            }
        }
        Renewal::Lost(_) => held.lose(),
    }
}

/// Keeps a run among those whose leases are renewed, until it is dropped: also by a panic.
#[derive(Debug)]
struct Kept {
    holding: Arc<Holding>,
    run: RunId,
    held: Arc<Held>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.holding.remove(self.run, &self.held);
    }
}

impl Holding {
    fn keep(self: &Arc<Self>, run: RunId, held: &Arc<Held>) -> Kept {
        self.runs().insert(run, Arc::clone(held));
        self.changed.notify_waiters();
        Kept { holding: Arc::clone(self), run, held: Arc::clone(held) }
    }

    /// Forgets a run, unless this worker has taken it anew meanwhile.
    fn remove(&self, run: RunId, held: &Arc<Held>) {
        let mut runs = self.runs();
        if runs.get(&run).is_some_and(|current| Arc::ptr_eq(current, held)) {
            runs.remove(&run);
        }
    }

    fn all(&self) -> Vec<Arc<Held>> {
        self.runs().values().cloned().collect()
    }

    fn order(&self, order: Order) {
        self.all().iter().for_each(|held| held.order(order));
    }

    async fn until_not_empty(&self) {
        loop {
            // Listening begins before the look, so that what comes between them is heard.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.runs().is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<Held>>> {
        // A panic elsewhere cannot leave the map half written.
        self.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use worktruck_core::run::Lease;
    use worktruck_core::testing::SimClock;
    use worktruck_core::{TenantId, Timestamp};

    use super::*;
    use crate::clock::SystemClock;

    fn held(run: RunId, fence: u64) -> Arc<Held> {
        let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(2));
        let (held, _) =
            Held::new(Lease::new(tenant, run, fence, Timestamp::FOREVER), Duration::MAX / 2, Duration::ZERO);
        Arc::new(held)
    }

    #[tokio::test]
    async fn a_run_whose_task_panics_is_renewed_no_longer() {
        let (holding, run) = (Arc::new(Holding::default()), RunId::from_uuid(uuid::Uuid::from_u128(1)));
        let kept = holding.keep(run, &held(run, 1));
        assert!(holding.runs().contains_key(&run));
        let task = tokio::spawn(async move {
            let _kept = kept;
            panic!("a defect");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert!(holding.runs().is_empty(), "its lease would be renewed for ever");
    }

    #[test]
    fn a_lease_that_was_left_as_it_is_is_neither_longer_nor_shorter() {
        const LEASE: Duration = Duration::from_secs(30);
        let (tenant, run) = (TenantId::from_uuid(uuid::Uuid::from_u128(2)), RunId::from_uuid(uuid::Uuid::from_u128(1)));
        let clock = SimClock::starting_at(Timestamp::EPOCH);
        let lease = |until: Duration| Lease::new(tenant, run, 1, Timestamp::EPOCH.after(until));
        let (held, _orders) = Held::new(lease(LEASE), Duration::ZERO, LEASE);
        let asked = HashMap::from([(run, Arc::new(held))]);
        let (asked_at, now) = (LEASE / 2, Timestamp::EPOCH.after(LEASE / 2));
        // A commit that was under way is answered before the renewal that passed over it.
        asked[&run].confirm(lease(asked_at + LEASE), asked_at, LEASE);
        let as_it_was = Renewal::Renewed { lease: lease(LEASE), cancel_requested_at: None };
        take_in(&asked, as_it_was, asked_at + Duration::from_secs(5), now, LEASE);
        clock.advance(asked_at + LEASE - Duration::from_micros(1));
        assert!(asked[&run].is_live(&clock), "it is shorter");
        clock.advance(Duration::from_micros(1));
        // The wall clock of somebody who set it back proves nothing.
        clock.set(Timestamp::EPOCH);
        assert!(!asked[&run].is_live(&clock), "it is longer");
    }

    #[test]
    fn a_late_answer_is_not_about_the_run_that_was_taken_anew() {
        let (holding, run) = (Arc::new(Holding::default()), RunId::from_uuid(uuid::Uuid::from_u128(1)));
        let (old, new) = (held(run, 1), held(run, 2));
        let given_back = holding.keep(run, &old);
        let asked = holding.runs().clone();
        let _taken_anew = holding.keep(run, &new);
        drop(given_back);
        take_in(&asked, Renewal::Lost(run), Duration::ZERO, Timestamp::EPOCH, Duration::ZERO);
        assert!(!old.is_live(&SystemClock::new()));
        assert!(new.is_live(&SystemClock::new()));
        assert!(holding.runs().contains_key(&run));
    }
}
