//! Workers: they claim runs, keep their leases, and do what the executors say, as the driver of the runtime does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use worktruck_core::executor::{Effect, Event, Executor, Options};
use worktruck_core::run::{ApprovalStatus, Claimed, Lease, Transition};
use worktruck_core::{RunId, Timestamp};

use crate::breach::Breach;
use crate::calls::Errand;
use crate::faults::{Fault, Position};
use crate::invariants::ends::unasked;
use crate::invariants::{Check, Violation};
use crate::part;
use crate::world::{Asks, Hold, What, Who, World};

pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How many runs a worker has at once.
const CONCURRENCY: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) life: u32,
    /// While it is stopped, nothing reaches it.
    pub(crate) awake_at: Duration,
    /// How far its wall clock is off, in microseconds.
    pub(crate) skew: i64,
    pub(crate) jobs: BTreeMap<u64, Job>,
    is_leaving: bool,
}

/// A run that a worker has, or believes that it has.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) run: RunId,
    pub(crate) lease: Lease,
    pub(crate) live_until: Duration,
    pub(crate) lost: bool,
    pub(crate) claimed: Claimed,
    pub(crate) executor: Option<Executor>,
    pub(crate) epoch: u32,
    /// When the commit under way was first made.
    pub(crate) effort: Option<Duration>,
    wake_at: Option<Duration>,
    /// Whether it takes in what comes back while a commit is under way.
    eager: bool,
    pub(crate) inbox: Vec<Event>,
    /// The calls that were made before they were announced.
    pub(crate) early: BTreeSet<u32>,
}

impl Job {
    pub(crate) fn is_live(&self, monotonic: Duration, now: Timestamp) -> bool {
        !self.lost && monotonic < self.live_until && now < self.lease.expires_at()
    }

    pub(crate) fn confirm(&mut self, lease: Lease, asked_at: Duration) {
        self.live_until = self.live_until.max(asked_at + LEASE);
        self.lease = lease;
    }
}

impl World {
    pub(crate) fn job(&mut self, who: Who, job: u64) -> Option<&mut Job> {
        self.workers[who.worker].jobs.get_mut(&job)
    }

    pub(crate) fn clock(&self, who: Who) -> Timestamp {
        self.shows(self.workers[who.worker].skew)
    }

    pub(crate) fn is_live(&mut self, who: Who, job: u64) -> bool {
        let (time, now) = (self.time, self.clock(who));
        self.job(who, job).is_some_and(|job| job.is_live(time, now))
    }

    pub(crate) fn rise(&mut self, worker: usize) -> Check {
        let skew = self.skew();
        let state = &mut self.workers[worker];
        *state = Worker { life: state.life + 1, skew, ..Worker::default() };
        let who = Who { worker, life: state.life };
        self.note(|| format!("worker {worker} is up"));
        let soon = self.dice.micros(2_000_000);
        self.at(soon, What::Look(who));
        self.at(Duration::from_secs(10), What::Renew(who));
        Ok(())
    }

    pub(crate) fn crash(&mut self, who: Who) {
        let state = &mut self.workers[who.worker];
        *state = Worker { life: state.life + 1, ..Worker::default() };
        let later = self.seconds(0, 20);
        self.at(later, What::Rise(who.worker));
    }

    pub(crate) fn pause(&mut self, who: Who) {
        let pause = if self.dice.one_in(2) { self.seconds(1, 25) } else { self.seconds(28, 70) };
        self.workers[who.worker].awake_at = self.time + pause;
    }

    pub(crate) fn lose(&mut self, who: Who, job: u64) {
        if let Some(job) = self.workers[who.worker].jobs.remove(&job) {
            self.note(|| format!("worker {} loses run {}", who.worker, job.run));
        }
    }

    pub(crate) fn look(&mut self, who: Who) -> Check {
        let next = self.seconds(2, 6);
        self.at(next, What::Look(who));
        let worker = &self.workers[who.worker];
        let limit = CONCURRENCY.saturating_sub(worker.jobs.len());
        if limit == 0 || worker.is_leaving {
            return Ok(());
        }
        self.send(who, Position::Claim, None, Asks::Claim { limit })
    }

    pub(crate) fn renew(&mut self, who: Who) -> Check {
        self.at(Duration::from_secs(10), What::Renew(who));
        let jobs = &self.workers[who.worker].jobs;
        let leases: Vec<_> = jobs.iter().map(|(id, job)| (*id, job.lease.clone())).collect();
        if leases.is_empty() { Ok(()) } else { self.send(who, Position::Renew, None, Asks::Renew { leases }) }
    }

    /// Tells all executors of a worker to stop.
    pub(crate) fn order(&mut self, who: Who, event: impl Fn() -> Event) -> Check {
        let worker = &mut self.workers[who.worker];
        let is_over = worker.is_leaving && worker.jobs.is_empty();
        worker.is_leaving = true;
        for job in worker.jobs.keys().copied().collect::<Vec<_>>() {
            self.take_in(who, job, event())?;
        }
        if is_over || matches!(event(), Event::Abort) {
            let later = self.seconds(1, 5);
            self.at(later, What::Rise(who.worker));
        }
        Ok(())
    }

    pub(crate) fn wake(&mut self, who: Who, id: u64) -> Check {
        let Some(job) = self.job(who, id) else { return Ok(()) };
        job.wake_at = None;
        if job.effort.is_some() {
            return Ok(());
        }
        if self.is_live(who, id) {
            return self.go_on(who, id);
        }
        self.lose(who, id);
        Ok(())
    }

    pub(crate) fn options(&self) -> Options {
        let is_blind = self.desk.breach == Some(Breach::SecretsUnknown);
        let secrets = if is_blind { [].into() } else { part::secrets() };
        Options { lease_for: LEASE, secrets }
    }

    pub(crate) fn take(&mut self, who: Who, claimed: Claimed, asked_at: Duration) -> Check {
        self.jobs += 1;
        let (id, run, has_journal) = (self.jobs, claimed.run.id, claimed.has_journal);
        self.note(|| format!("worker {} takes run {run} under {}", who.worker, claimed.lease.fence()));
        let eager = self.dice.one_in(2);
        let now = self.clock(who);
        let executor = if has_journal {
            None
        } else {
            let place = self.desk.place(run);
            let mut snapshot = self.desk.entries[place].part.snapshot(&claimed.run, now);
            if let Some(breach) = self.desk.breach {
                breach.spoil_rules(&mut snapshot.guardrails);
            }
            let executor = Executor::begin(claimed.run.clone(), claimed.commits, snapshot, self.options());
            Some(executor.map_err(|error| unasked("beginning", error))?)
        };
        let job = Job {
            run,
            lease: claimed.lease.clone(),
            live_until: asked_at + LEASE,
            lost: false,
            claimed,
            executor,
            epoch: 0,
            effort: None,
            wake_at: None,
            eager,
            inbox: Vec::new(),
            early: BTreeSet::new(),
        };
        self.workers[who.worker].jobs.insert(id, job);
        if has_journal {
            return self.send(who, Position::Journal, Some(run), Asks::Journal { job: id, run });
        }
        self.go_on(who, id)
    }

    /// Hands an executor what happened, and does what it says then.
    pub(crate) fn take_in(&mut self, who: Who, id: u64, event: Event) -> Check {
        let now = self.clock(who);
        let Some(job) = self.job(who, id) else { return Ok(()) };
        let Some(executor) = &mut job.executor else { return Ok(()) };
        if job.effort.is_some() && !job.eager {
            job.inbox.push(event);
            return Ok(());
        }
        executor.handle(event, now).map_err(|error| unasked("an event", error))?;
        if job.effort.is_some() { Ok(()) } else { self.go_on(who, id) }
    }

    /// Does what the executor says until it waits.
    pub(crate) fn go_on(&mut self, who: Who, id: u64) -> Check {
        loop {
            let (time, now) = (self.time, self.clock(who));
            let Some(job) = self.job(who, id) else { return Ok(()) };
            let Some(executor) = &mut job.executor else { return Ok(()) };
            let hold = Hold { who, job: id, run: job.run, epoch: job.epoch };
            match executor.next(now).map_err(|error| unasked("an executor", error))? {
                Effect::Ask(request) => self.start(hold, Errand::Ask { request, fate: None, struck: false }),
                Effect::Call(call) => self.start(hold, Errand::Call { call, fault: None, struck: false }),
                Effect::Commit(commit) => {
                    job.effort = Some(time);
                    if commit.transition != Transition::Continue {
                        job.epoch += 1;
                        job.inbox.clear();
                    }
                    let (run, lease) = (job.run, job.lease.clone());
                    if commit.approvals.iter().any(|approval| approval.status == ApprovalStatus::Expired) {
                        self.table.count(Fault::Expire, Position::Held);
                    }
                    self.call_early(hold, &commit)?;
                    return self.send(who, Position::of(&commit), Some(run), Asks::Commit { job: id, lease, commit });
                }
                Effect::Wait { until } => {
                    self.wait(who, id, until);
                    return Ok(());
                }
                Effect::Stop(status) => {
                    let job = self.workers[who.worker].jobs.remove(&id);
                    self.note(|| {
                        format!(
                            "worker {} leaves run {} {status}",
                            who.worker,
                            job.map_or_else(String::new, |job| job.run.to_string())
                        )
                    });
                    return Ok(());
                }
            }
        }
    }

    fn start(&mut self, hold: Hold, errand: Errand) {
        let soon = self.dice.micros(40_000);
        self.at(soon, What::Hand(hold, Box::new(errand)));
    }

    fn wait(&mut self, who: Who, id: u64, until: Timestamp) {
        if until == Timestamp::FOREVER {
            return;
        }
        let at = self.time + until.since(self.clock(who));
        let Some(job) = self.job(who, id) else { return };
        if job.wake_at.is_none_or(|before| at < before) {
            job.wake_at = Some(at);
            self.queue_at(at, What::Wake(who, id));
        }
    }

    /// What a hand-over that is struck does to the worker: whether it goes on.
    pub(crate) fn is_stopped(&mut self, who: Who, fault: Option<Fault>) -> Result<Option<Duration>, Violation> {
        match fault {
            Some(Fault::CrashBefore | Fault::CrashAfter) => self.crash(who),
            Some(Fault::PauseBefore | Fault::PauseAfter) => self.pause(who),
            _ => return Ok(None),
        }
        Ok(Some(self.workers[who.worker].awake_at))
    }
}
