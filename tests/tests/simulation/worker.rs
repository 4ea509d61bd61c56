//! Workers: they claim runs, keep their leases, and do what the executors say, as the driver of the runtime does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use worktruck_core::executor::{Effect, Event, Executor, Options};
use worktruck_core::run::{ApprovalStatus, Claimed, Commit, Lease, Renewal, Transition};
use worktruck_core::store::CommitOutcome;
use worktruck_core::{Error, ErrorKind, RunId, Timestamp};

use crate::breach::Breach;
use crate::calls::Errand;
use crate::desk::{STORE_PAUSE, unreachable};
use crate::faults::{Fault, Position};
use crate::invariants::ends::unasked;
use crate::invariants::{Check, Violation};
use crate::part;
use crate::world::{Answer, Asks, Hold, Request, What, Who, World};

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
    lost: bool,
    claimed: Claimed,
    executor: Option<Executor>,
    pub(crate) epoch: u32,
    /// When the commit under way was first made.
    effort: Option<Duration>,
    wake_at: Option<Duration>,
    /// Whether it takes in what comes back while a commit is under way.
    eager: bool,
    inbox: Vec<Event>,
    /// The calls that were made before they were announced.
    pub(crate) early: BTreeSet<u32>,
}

impl Job {
    pub(crate) fn is_live(&self, monotonic: Duration, now: Timestamp) -> bool {
        !self.lost && monotonic < self.live_until && now < self.lease.expires_at()
    }

    fn confirm(&mut self, lease: Lease, asked_at: Duration) {
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

    fn crash(&mut self, who: Who) {
        let state = &mut self.workers[who.worker];
        *state = Worker { life: state.life + 1, ..Worker::default() };
        let later = self.seconds(0, 20);
        self.at(later, What::Rise(who.worker));
    }

    fn pause(&mut self, who: Who) {
        let pause = if self.dice.one_in(2) { self.seconds(1, 25) } else { self.seconds(28, 70) };
        self.workers[who.worker].awake_at = self.time + pause;
    }

    pub(crate) fn lose(&mut self, who: Who, job: u64) {
        if let Some(job) = self.workers[who.worker].jobs.remove(&job) {
            self.note(|| format!("worker {} loses run {}", who.worker, job.run));
        }
    }

    pub(crate) fn look(&mut self, who: Who) -> Check {
        let next = self.seconds(1, 4);
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
        if self.is_live(who, id) { self.go_on(who, id) } else { Ok(self.lose(who, id)) }
    }

    /// Sends a request to the store, unless something comes in between.
    fn send(&mut self, who: Who, at: Position, run: Option<RunId>, asks: Asks) -> Check {
        let request = Request { asks, now: self.clock(who), asked_at: self.time, fault: None };
        self.send_request(who, at, run, Box::new(request))
    }

    fn send_request(&mut self, who: Who, at: Position, run: Option<RunId>, mut request: Box<Request>) -> Check {
        let fault = self.strike(who, at, run)?;
        match fault {
            Some(Fault::CrashBefore) => {
                self.crash(who);
                return Ok(());
            }
            Some(Fault::PauseBefore) => {
                self.pause(who);
                let at = self.workers[who.worker].awake_at;
                self.queue_at(at, What::Send(who, request));
                return Ok(());
            }
            Some(Fault::FailBefore | Fault::FailAfter) => request.fault = fault,
            _ => {}
        }
        self.sent(who, request)?;
        match fault {
            Some(Fault::CrashAfter) => self.crash(who),
            Some(Fault::PauseAfter) => self.pause(who),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn sent(&mut self, who: Who, request: Box<Request>) -> Check {
        let delay = self.delay();
        self.at(delay, What::Arrive(who, request));
        Ok(())
    }

    /// Does in the store what is asked, and answers, unless a fault says otherwise.
    pub(crate) fn arrive(&mut self, who: Who, request: Request) -> Check {
        let Request { asks, now, asked_at, fault } = request;
        let before = fault == Some(Fault::FailBefore);
        let heard = |it: worktruck_core::Result<_>| if fault.is_some() { Err(unreachable()) } else { it };
        let answer = match asks {
            Asks::Claim { limit } => {
                let claimed = if before { Vec::new() } else { self.desk.claim(limit, now)? };
                let claimed = if fault.is_some() { Err(unreachable()) } else { Ok(claimed) };
                Answer::Claimed { asked_at, claimed }
            }
            Asks::Journal { job, run } => {
                let journal = self.desk.journal(run).map(Box::new);
                Answer::Journal { job, journal: heard(journal) }
            }
            Asks::Renew { leases } => {
                let (jobs, leases): (Vec<u64>, Vec<Lease>) = leases.into_iter().unzip();
                let renewals = if before { Vec::new() } else { self.desk.renew(&leases, now)? };
                let renewals = if fault.is_some() { Err(unreachable()) } else { Ok(renewals) };
                Answer::Renewed { asked_at, now, jobs, renewals }
            }
            Asks::Commit { job, lease, mut commit } => {
                let outcome = if before {
                    if self.desk.breach == Some(Breach::ChangesFirst) {
                        self.desk.apply_first(&lease, &mut commit.clone(), now);
                    }
                    Err(unreachable())
                } else {
                    let keeps = self.dice.one_in(6);
                    let outcome = self.desk.commit(&lease, &commit, now, keeps)?;
                    self.note(|| format!("{} of run {}: {}", told(&commit), lease.run(), came_of(&outcome)));
                    if fault.is_some() { Err(unreachable()) } else { outcome.map(Box::new) }
                };
                commit.events.clear();
                Answer::Committed { job, commit, outcome }
            }
        };
        let delay = self.delay();
        self.at(delay, What::Hear(who, Box::new(answer)));
        Ok(())
    }

    pub(crate) fn hear(&mut self, who: Who, answer: Answer) -> Check {
        match answer {
            Answer::Claimed { asked_at, claimed } => {
                for claimed in claimed.unwrap_or_default() {
                    self.take(who, claimed, asked_at)?;
                }
                Ok(())
            }
            Answer::Journal { job, journal: Err(error) } if error.is_retryable() => {
                if !self.is_live(who, job) {
                    self.lose(who, job);
                    return Ok(());
                }
                let Some(run) = self.job(who, job).map(|job| job.run) else { return Ok(()) };
                let request = Request {
                    asks: Asks::Journal { job, run },
                    now: self.clock(who),
                    asked_at: self.time,
                    fault: None,
                };
                self.at(STORE_PAUSE, What::Send(who, Box::new(request)));
                Ok(())
            }
            Answer::Journal { job: id, journal } => {
                let journal = journal.map_err(|error| unasked("a journal", error))?;
                let options = self.options();
                let Some(job) = self.job(who, id) else { return Ok(()) };
                let executor = Executor::resume(job.claimed.run.clone(), *journal, options);
                job.executor = Some(executor.map_err(|error| unasked("resuming", error))?);
                self.go_on(who, id)
            }
            Answer::Renewed { asked_at, now, jobs, renewals } => self.renewed(who, asked_at, now, &jobs, renewals),
            Answer::Committed { job, commit, outcome } => self.committed(who, job, commit, outcome),
        }
    }

    fn options(&self) -> Options {
        let is_blind = self.desk.breach == Some(Breach::SecretsUnknown);
        let secrets = if is_blind { [].into() } else { part::secrets() };
        Options { lease_for: LEASE, secrets }
    }

    fn take(&mut self, who: Who, claimed: Claimed, asked_at: Duration) -> Check {
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

    fn renewed(
        &mut self,
        who: Who,
        asked_at: Duration,
        now: Timestamp,
        jobs: &[u64],
        renewals: worktruck_core::Result<Vec<Renewal>>,
    ) -> Check {
        for (id, renewal) in jobs.iter().zip(renewals.unwrap_or_default()) {
            let Some(job) = self.job(who, *id) else { continue };
            match renewal {
                Renewal::Renewed { lease, cancel_requested_at } => {
                    if lease.expires_at() >= now.after(LEASE) {
                        job.confirm(lease, asked_at);
                    }
                    if cancel_requested_at.is_some() {
                        self.take_in(who, *id, Event::CancelRequested)?;
                    }
                }
                Renewal::Lost(_) => job.lost = true,
            }
        }
        Ok(())
    }

    fn committed(
        &mut self,
        who: Who,
        id: u64,
        commit: Box<Commit>,
        outcome: worktruck_core::Result<Box<CommitOutcome>>,
    ) -> Check {
        let is_live = self.is_live(who, id);
        let (time, now) = (self.time, self.clock(who));
        let Some(job) = self.job(who, id) else { return Ok(()) };
        let asked_at = job.effort.unwrap_or(time);
        let (event, cancelled) = match outcome.map(|outcome| *outcome) {
            Ok(CommitOutcome::Committed { run, lease }) => {
                job.confirm(lease, asked_at);
                (Event::Committed, run.cancel_requested_at.is_some())
            }
            Ok(CommitOutcome::Conflicted { seq, error }) => (Event::Conflicted { seq, error }, false),
            Err(error) if error.is_retryable() && is_live => {
                let asks = Asks::Commit { job: id, lease: job.lease.clone(), commit };
                let request = Request { asks, now, asked_at, fault: None };
                self.at(STORE_PAUSE, What::Send(who, Box::new(request)));
                return Ok(());
            }
            Err(error) if error.is_retryable() || error.kind() == ErrorKind::LeaseLost => {
                self.lose(who, id);
                return Ok(());
            }
            Err(error) => return Err(unasked("a commit", error)),
        };
        job.effort = None;
        let inbox = std::mem::take(&mut job.inbox);
        let cancelled = cancelled.then_some(Event::CancelRequested);
        if let Some(executor) = &mut job.executor {
            for event in [event].into_iter().chain(cancelled).chain(inbox) {
                executor.handle(event, now).map_err(|error| unasked("an event", error))?;
            }
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
    fn go_on(&mut self, who: Who, id: u64) -> Check {
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

fn told(commit: &Commit) -> String {
    let seqs: Vec<u32> = commit.steps.iter().map(|step| step.step.seq).collect();
    format!("commit {} {:?} {seqs:?}", commit.number, Position::of(commit))
}

fn came_of(outcome: &Result<CommitOutcome, Error>) -> String {
    match outcome {
        Ok(CommitOutcome::Committed { run, .. }) => run.status.to_string(),
        Ok(CommitOutcome::Conflicted { seq, .. }) => format!("conflict at {seq}"),
        Err(error) => error.to_string(),
    }
}
