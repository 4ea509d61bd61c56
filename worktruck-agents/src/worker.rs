//! Workers: they take runs, keep their leases, and give them back when they must stop.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use worktruck_core::executor::{Executor, Options};
use worktruck_core::run::{
    BlueprintVersion, ClaimRequest, Claimed, Commit, FailureCategory, Renewal, RunStatus, Transition,
};
use worktruck_core::{Error, ErrorKind, NanoUsd, Result, RunId};

use crate::driver::drive;
use crate::held::{Held, Order};
use crate::runtime::{Ports, Runtime};

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
        loop {
            let free = self.options.concurrency.saturating_sub(tasks.len());
            let full = free > 0 && self.claim(free, &mut tasks).await == free;
            if full && tasks.len() < self.options.concurrency {
                continue;
            }
            let idle = tasks.len() < self.options.concurrency;
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = tasks.join_next() => {}
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
            let all = async { while tasks.join_next().await.is_some() {} };
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
            let (held, orders) = Held::new(claimed.lease.clone(), asked_at, ports.lease_for);
            let held = Arc::new(held);
            let (ports, holding) = (Arc::clone(ports), Arc::clone(&self.holding));
            holding.add(claimed.run.id, &held);
            tasks.spawn(async move {
                let run = claimed.run.id;
                match execute(&ports, claimed, &held, orders).await {
                    Ok(status) => tracing::info!(%run, %status, "run left"),
                    Err(error) if error.kind() == ErrorKind::LeaseLost => {
                        tracing::warn!(%run, "lease lost; the run is another worker's");
                    }
                    Err(error) => tracing::error!(%run, error = %error.chain(), "run abandoned"),
                }
                holding.remove(run, &held);
            });
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
    match prepare(ports, &claimed).await {
        Ok(executor) => drive(executor, &claimed.run, held, orders, ports).await,
        Err(error) if error.is_retryable() => Err(error),
        Err(error) => refuse(ports, &claimed, &error).await,
    }
}

async fn prepare(ports: &Ports, claimed: &Claimed) -> Result<Executor> {
    let run = claimed.run.clone();
    let options = Options { lease_for: ports.lease_for, secrets: Arc::clone(&ports.secrets) };
    if !claimed.has_journal {
        let snapshot = ports.snapshot(&run).await?;
        return Executor::begin(run, claimed.commits, snapshot, options);
    }
    let journal = ports.store.journal(run.tenant_id, run.id).await?;
    let journal = journal.ok_or_else(|| Error::not_found(format!("the journal of run {}", run.id)))?;
    Executor::resume(run, journal, options)
}

/// Fails a run that no worker could execute.
async fn refuse(ports: &Ports, claimed: &Claimed, error: &Error) -> Result<RunStatus> {
    let commit = Commit {
        number: claimed.commits + 1,
        snapshot: None,
        steps: Vec::new(),
        calls: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: Transition::Fail { category: FailureCategory::ConfigError, detail: error.to_string() },
        lease_for: ports.lease_for,
    };
    ports.store.commit(&claimed.lease, commit, ports.clock.now()).await.map(|_| RunStatus::Failed)
}

/// Renews all leases in one call, three times in the time that they last.
async fn renew_all(ports: Arc<Ports>, holding: Arc<Holding>) {
    loop {
        holding.until_not_empty().await;
        tokio::time::sleep(ports.lease_for / 3).await;
        let leases: Vec<_> = holding.all().iter().map(|held| held.lease()).collect();
        if leases.is_empty() {
            continue;
        }
        let asked_at = ports.clock.monotonic();
        match ports.store.renew(&leases, ports.lease_for, ports.clock.now()).await {
            Ok(renewals) => {
                for renewal in renewals {
                    holding.take_in(renewal, asked_at, ports.lease_for);
                }
            }
            // A lease that cannot be renewed runs out on the monotonic clock, and its run stops.
            Err(error) => tracing::warn!(error = %error.chain(), "cannot renew leases"),
        }
    }
}

impl Holding {
    fn add(&self, run: RunId, held: &Arc<Held>) {
        self.runs().insert(run, Arc::clone(held));
        self.changed.notify_one();
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

    fn take_in(&self, renewal: Renewal, asked_at: Duration, lease_for: Duration) {
        match renewal {
            Renewal::Renewed { lease, cancel_requested_at } => {
                let Some(held) = self.runs().get(&lease.run()).cloned() else { return };
                if held.lease().fence() != lease.fence() {
                    return;
                }
                held.confirm(lease, asked_at, lease_for);
                if cancel_requested_at.is_some() {
                    held.order(Order::Cancel);
                }
            }
            Renewal::Lost(run) => {
                if let Some(held) = self.runs().get(&run) {
                    held.lose();
                }
            }
        }
    }

    async fn until_not_empty(&self) {
        while self.runs().is_empty() {
            self.changed.notified().await;
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<Held>>> {
        // A panic elsewhere cannot leave the map half written.
        self.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
