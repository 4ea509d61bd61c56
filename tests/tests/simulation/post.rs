//! What passes between workers and the store, and is late, lost, or answered to nobody.

use std::time::Duration;

use worktruck_core::executor::{Event, Executor};
use worktruck_core::run::{Commit, Lease, Renewal};
use worktruck_core::store::CommitOutcome;
use worktruck_core::{Error, ErrorKind, RunId, Timestamp};

use crate::breach::Breach;
use crate::desk::{STORE_PAUSE, unreachable};
use crate::faults::{Fault, Position};
use crate::invariants::Check;
use crate::invariants::ends::unasked;
use crate::worker::LEASE;
use crate::world::{Answer, Asks, Request, What, Who, World};

impl World {
    /// Sends a request to the store, unless something comes in between.
    pub(crate) fn send(&mut self, who: Who, at: Position, run: Option<RunId>, asks: Asks) -> Check {
        let request = Request { asks, now: self.clock(who), asked_at: self.time, fault: None };
        self.send_request(who, at, run, Box::new(request))
    }

    pub(crate) fn send_request(
        &mut self,
        who: Who,
        at: Position,
        run: Option<RunId>,
        mut request: Box<Request>,
    ) -> Check {
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

    pub(crate) fn renewed(
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

    pub(crate) fn committed(
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
