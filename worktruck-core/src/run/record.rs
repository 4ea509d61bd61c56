use std::time::Duration;

use serde_json::{Value, json};

use crate::journal::{OpenCall, Snapshot, Step, StepKind, StepOutcome};
use crate::store::Changes;
use crate::{Error, ErrorKind, NanoUsd, Result, Timestamp};

use super::{
    Answer, Approval, ClaimRequest, Claimed, Event, EventType, FailureCategory, ForkedFrom, Lease, NewEvent, NewRun,
    Renewal, Run, RunStatus, WaitingReason,
};

/// The one write of a running agent: what it did, and where that leaves the run.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Counts the commits of the run, from 1. A commit that is made again, because its answer was
    /// lost, changes nothing.
    pub number: u64,
    /// What the run lives by; once, with the first commit that records something.
    pub snapshot: Option<Snapshot>,
    /// Steps that join the chain, consecutive, each with the changes it makes.
    pub steps: Vec<CommitStep>,
    /// Calls that are opened, or have come back but cannot join the chain yet; by sequence number.
    pub calls: Vec<OpenCall>,
    /// Approvals that are asked for, or that nobody answered in time.
    pub approvals: Vec<Approval>,
    /// What else happened. Steps and the transition make their own events.
    pub events: Vec<NewEvent>,
    /// What is set aside from now on.
    pub reserved: NanoUsd,
    /// What counts against the budget because a crash interrupted its turn.
    pub forfeited: NanoUsd,
    /// Where this leaves the run.
    pub transition: Transition,
    /// How long the lease lasts from now on.
    pub lease_for: Duration,
}

/// A run that begins in the middle of another one, as a store accepts it: a run and the journal that it has before
/// anybody takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// The run. It has no idempotency key: what it begins with is no part of what a key stands for.
    pub run: NewRun,
    /// Where it goes on from.
    pub from: ForkedFrom,
    /// What it lives by. Its deadline is not this one, but counts from the run's own first start.
    pub snapshot: Snapshot,
    /// The steps before that place, as a chain of its own.
    pub steps: Vec<Step>,
    /// What people have decided about the calls among them.
    pub approvals: Vec<Approval>,
}

/// A step and the changes that are committed with it.
#[derive(Clone, Debug)]
pub struct CommitStep {
    /// The step.
    pub step: Step,
    /// What it changes in the store.
    pub changes: Changes,
}

/// Where a commit leaves the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Transition {
    /// The same worker goes on.
    Continue,
    /// It ended with an output.
    Succeed {
        /// The output.
        output: Value,
    },
    /// It ended without one.
    Fail {
        /// Why.
        category: FailureCategory,
        /// Why, in words.
        detail: String,
    },
    /// It ended because somebody asked for it.
    Cancel,
    /// It waits for a person.
    Wait {
        /// For what.
        reason: WaitingReason,
    },
    /// The worker gives it back; this uses up no attempt.
    Release,
}

/// Something that somebody without the lease wants of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// Its end.
    Cancel {
        /// Who wants it.
        actor: Option<String>,
    },
    /// A call to be made or not.
    Decide(Answer),
}

/// A run with all that a store keeps beside it. The methods are the rules of a run's life: a
/// backend loads the record under a lock, calls one, and writes back the record and the events.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub run: Run,
    /// The version of its blueprint, from its first commit on.
    pub blueprint_version: Option<u32>,
    /// The fencing number of the newest claim.
    pub fence: u64,
    /// When its lease expires; `None` without one.
    pub lease_expires_at: Option<Timestamp>,
    /// The sequence number of the last step in the chain.
    pub head_seq: u32,
    /// The number of the last commit.
    pub commits: u64,
    /// The sequence number of the last event.
    pub event_seq: u64,
    /// What is set aside for a model turn under way.
    pub reserved: NanoUsd,
    /// What was set aside for turns that a crash interrupted.
    pub forfeited: NanoUsd,
}

impl NewEvent {
    /// The event of a step that joins the chain. It says nothing that the step does not, so that a
    /// backend may make it of the step instead of keeping it.
    #[must_use]
    pub fn step_recorded(seq: u32, kind: StepKind, name: &str, outcome: StepOutcome) -> Self {
        let data = json!({ "step_seq": seq, "kind": kind, "name": name, "outcome": outcome });
        Self::with(EventType::StepRecorded, data)
    }
}

impl RunRecord {
    /// The record of a run that has just been accepted.
    #[must_use]
    pub fn accept(new: NewRun, tenant: crate::TenantId, now: Timestamp) -> (Self, Vec<Event>) {
        let mut record = Self {
            run: new.accept(tenant, now),
            blueprint_version: None,
            fence: 0,
            lease_expires_at: None,
            head_seq: 0,
            commits: 0,
            event_seq: 0,
            reserved: NanoUsd::ZERO,
            forfeited: NanoUsd::ZERO,
        };
        let events = record.place(vec![NewEvent::new(EventType::RunQueued)], now);
        (record, events)
    }

    /// The record of a run that has just been accepted in the middle of another one.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the run is malformed, has an idempotency key, or its steps are not numbered from 1.
    pub fn fork(fork: &Fork, tenant: crate::TenantId, now: Timestamp) -> Result<(Self, Vec<Event>)> {
        fork.run.check()?;
        if fork.run.idempotency_key.is_some() {
            return Err(Error::invalid("a fork has no idempotency key").at("/idempotency_key"));
        }
        if let Some((seq, _)) = (1..).zip(&fork.steps).find(|(seq, step)| step.seq != *seq) {
            return Err(Error::invalid(format!(
                "the steps of a fork begin at 1 without gap, and step {seq} is missing"
            )));
        }
        let (mut record, mut events) = Self::accept(fork.run.clone(), tenant, now);
        record.run.forked_from = Some(fork.from);
        record.pin(&fork.snapshot);
        record.run.deadline_at = None;
        let recorded = |step: &Step| NewEvent::step_recorded(step.seq, step.kind, &step.name, step.outcome);
        record.head_seq = fork.steps.last().map_or(0, |step| step.seq);
        record.run.cost.0 = fork.steps.iter().map(|step| step.cost.0).sum();
        events.extend(record.place(fork.steps.iter().map(recorded).collect(), now));
        Ok((record, events))
    }

    /// Takes over what the run lives by.
    fn pin(&mut self, snapshot: &Snapshot) {
        self.blueprint_version = Some(snapshot.blueprint_version);
        self.run.config_version = snapshot.config_version;
        self.run.deadline_at = Some(snapshot.deadline_at);
        self.run.budget_usd_cents = snapshot.budget_usd_cents;
        self.run.as_of = snapshot.trial.as_ref().map(|trial| trial.as_of);
    }

    /// Whether its deadline is another one after the next claim: the clock stands still while a run waits, and that of
    /// a fork has not begun to run.
    #[must_use]
    pub const fn moves_deadline(&self) -> bool {
        let is_unbegun_fork = self.run.forked_from.is_some() && self.run.started_at.is_none();
        is_unbegun_fork || matches!(self.run.status, RunStatus::Waiting)
    }

    /// Whether `request` may take the run now.
    #[must_use]
    pub fn is_claimable(&self, request: &ClaimRequest, now: Timestamp) -> bool {
        let ready = match self.run.status {
            RunStatus::Queued | RunStatus::Waiting => self.run.run_at <= now,
            RunStatus::Running => self.lease_expires_at.is_none_or(|at| at <= now),
            RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled => false,
        };
        ready
            && request.blueprints.iter().any(|has| {
                has.blueprint == self.run.agent_blueprint && self.blueprint_version.is_none_or(|v| v == has.version)
            })
    }

    /// Gives the run to a worker under a new fencing number.
    ///
    /// Only for a run that [is claimable](Self::is_claimable).
    pub fn claim(&mut self, lease_for: Duration, now: Timestamp) -> (Claimed, Vec<Event>) {
        let mut events = Vec::new();
        if self.run.status == RunStatus::Running {
            events.push(NewEvent::with(EventType::LeaseLost, json!({ "fence": self.fence })));
        }
        if let (RunStatus::Waiting, Some(deadline_at)) = (self.run.status, &mut self.run.deadline_at) {
            // Invariant: nothing changes a run that waits but what lets it go on or ends it.
            *deadline_at = deadline_at.after(now.since(self.run.updated_at));
        }
        let begun = self.run.started_at.is_some();
        events.push(NewEvent::with(
            if begun { EventType::RunResumed } else { EventType::RunStarted },
            json!({ "attempt": self.run.attempt + 1 }),
        ));
        self.fence += 1;
        let expires_at = now.after(lease_for);
        self.lease_expires_at = Some(expires_at);
        self.run.status = RunStatus::Running;
        self.run.waiting_reason = None;
        self.run.attempt += 1;
        if let (None, Some(_), Some(secs)) = (self.run.started_at, self.run.forked_from, self.run.deadline_secs) {
            self.run.deadline_at = Some(now.after(Duration::from_secs(secs.into())));
        }
        self.run.started_at.get_or_insert(now);
        self.run.updated_at = now;
        let lease = Lease::new(self.run.tenant_id, self.run.id, self.fence, expires_at);
        let has_journal = self.blueprint_version.is_some();
        let claimed = Claimed { run: self.run.clone(), lease, commits: self.commits, has_journal };
        (claimed, self.place(events, now))
    }

    /// Makes a lease last longer, if it is the current one.
    pub fn renew(&mut self, lease: &Lease, lease_for: Duration, now: Timestamp) -> Renewal {
        if self.check_lease(lease).is_err() {
            return Renewal::Lost(lease.run());
        }
        Renewal::Renewed { lease: self.extend(lease_for, now), cancel_requested_at: self.run.cancel_requested_at }
    }

    /// Whether `commit` is the last one that took effect, made again under the same lease because
    /// its answer was lost. A backend answers it with the run as it is.
    #[must_use]
    pub fn is_repeated(&self, lease: &Lease, commit: &Commit) -> bool {
        self.fence == lease.fence() && self.commits == commit.number
    }

    /// The lease of the newest claim, as it is.
    #[must_use]
    pub fn lease(&self) -> Lease {
        let expires_at = self.lease_expires_at.unwrap_or(self.run.updated_at);
        Lease::new(self.run.tenant_id, self.run.id, self.fence, expires_at)
    }

    /// Takes in a commit of the worker that holds `lease`, and gives its lease as it is afterwards,
    /// and the events: those of the commit, then one for each step, then those of the transition.
    ///
    /// A run that somebody wants to end, and that the commit gives back or lets wait, ends with it.
    ///
    /// # Errors
    ///
    /// - `LeaseLost`: the lease is not the current one, or the run is not running.
    /// - `Conflict`: the steps do not continue the chain, or a snapshot comes twice or late.
    pub fn commit(&mut self, lease: &Lease, commit: &Commit, now: Timestamp) -> Result<(Lease, Vec<Event>)> {
        self.check_lease(lease)?;
        if commit.number != self.commits + 1 {
            return Err(Error::conflict(format!(
                "commit {} does not follow commit {} of run {}",
                commit.number, self.commits, self.run.id
            )));
        }
        self.commits = commit.number;
        let (pins, pinned) = (commit.snapshot.is_some(), self.blueprint_version.is_some());
        let records = !commit.steps.is_empty() || matches!(commit.transition, Transition::Continue);
        if (pins && pinned) || (records && !pins && !pinned) {
            return Err(Error::conflict(format!(
                "run {} must get its snapshot once, with the first commit that records something",
                self.run.id
            )));
        }
        let mut events = commit.events.clone();
        for CommitStep { step, .. } in &commit.steps {
            if step.seq != self.head_seq + 1 {
                return Err(Error::conflict(format!(
                    "step {} does not follow step {} of run {}",
                    step.seq, self.head_seq, self.run.id
                )));
            }
            self.head_seq = step.seq;
            self.run.cost.0 += step.cost.0;
            events.push(NewEvent::step_recorded(step.seq, step.kind, &step.name, step.outcome));
        }
        if let Some(snapshot) = &commit.snapshot {
            self.pin(snapshot);
        }
        self.reserved = commit.reserved;
        self.forfeited = commit.forfeited;
        events.extend(self.make(&commit.transition, now)?);
        if self.run.status == RunStatus::Waiting {
            let pending = commit.approvals.iter().filter(|approval| approval.is_pending());
            self.run.run_at = pending.map(|approval| approval.expires_at).min().unwrap_or(Timestamp::FOREVER);
        }
        if self.run.cancel_requested_at.is_some() && matches!(self.run.status, RunStatus::Queued | RunStatus::Waiting) {
            // The worker did not know of the request, and nobody has to come back to the run.
            events.extend(self.make(&Transition::Cancel, now)?);
        }
        let lease = if self.run.status == RunStatus::Running {
            self.extend(commit.lease_for, now)
        } else {
            self.lease_expires_at = None;
            lease.clone()
        };
        self.run.updated_at = now;
        Ok((lease, self.place(events, now)))
    }

    /// What becomes of the approvals of a commit that took effect, where `stored` are those of the run: the ones to
    /// be written. What was answered meanwhile stays answered, and a run that would wait for it goes on.
    ///
    /// Called after [`commit`](Self::commit), where the commit has approvals.
    #[must_use]
    pub fn approve(&mut self, commit: &Commit, stored: &[Approval], now: Timestamp) -> Vec<Approval> {
        let is_answered = |approval: &Approval| {
            approval.is_pending() && stored.iter().any(|stored| stored.id == approval.id && !stored.is_pending())
        };
        let (answered, written): (Vec<_>, Vec<_>) = commit.approvals.iter().partition(|approval| is_answered(approval));
        if !answered.is_empty() && self.run.status == RunStatus::Waiting {
            self.run.run_at = now;
        }
        let mut written: Vec<Approval> = written.into_iter().cloned().collect();
        if self.run.status.is_terminal() {
            // Somebody asked for the end of the run, and its worker did not know.
            written.iter_mut().filter(|approval| approval.is_pending()).for_each(|it| drop(it.expire(now)));
        }
        written
    }

    /// Takes in a signal from somebody without the lease, where `approvals` are those of the run.
    ///
    /// # Errors
    ///
    /// - `Conflict`: the run has ended, or the approval was answered before or has expired.
    /// - `NotFound`: the run has no such approval.
    pub fn signal(&mut self, signal: &Signal, approvals: &mut [Approval], now: Timestamp) -> Result<Vec<Event>> {
        if self.run.status.is_terminal() {
            return Err(Error::conflict(format!("run {} has already {}", self.run.id, self.run.status)));
        }
        let actor = match signal {
            Signal::Cancel { actor } => actor,
            Signal::Decide(answer) => {
                let approval = approvals.iter_mut().find(|approval| approval.id == answer.approval);
                let approval = approval.ok_or_else(|| Error::not_found(format!("approval {}", answer.approval)))?;
                let event = approval.decide(answer, now)?;
                if self.run.status == RunStatus::Waiting {
                    self.run.run_at = self.run.run_at.min(now);
                }
                return Ok(self.place(vec![event], now));
            }
        };
        let mut events = Vec::new();
        if self.run.cancel_requested_at.is_none() {
            self.run.cancel_requested_at = Some(now);
            events.push(NewEvent { actor: actor.clone(), ..NewEvent::new(EventType::RunCancelRequested) });
        }
        let held = self.run.status == RunStatus::Running && self.lease_expires_at.is_some_and(|at| now < at);
        if !held {
            events.extend(approvals.iter_mut().filter(|approval| approval.is_pending()).map(|it| it.expire(now)));
            events.extend(self.make(&Transition::Cancel, now)?);
            self.lease_expires_at = None;
        }
        self.run.updated_at = now;
        Ok(self.place(events, now))
    }

    fn check_lease(&self, lease: &Lease) -> Result<()> {
        if self.run.status == RunStatus::Running && self.fence == lease.fence() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LeaseLost,
            format!(
                "run {} is {} under fencing number {}, not under {}",
                self.run.id,
                self.run.status,
                self.fence,
                lease.fence()
            ),
        ))
    }

    fn extend(&mut self, lease_for: Duration, now: Timestamp) -> Lease {
        // What was sent earlier and comes later takes nothing away from a lease that its holder counts on.
        let expires_at = self.lease_expires_at.map_or_else(|| now.after(lease_for), |at| at.max(now.after(lease_for)));
        self.lease_expires_at = Some(expires_at);
        Lease::new(self.run.tenant_id, self.run.id, self.fence, expires_at)
    }

    fn make(&mut self, transition: &Transition, now: Timestamp) -> Result<Option<NewEvent>> {
        let (status, event) = match transition {
            Transition::Continue => return Ok(None),
            Transition::Succeed { .. } => (RunStatus::Succeeded, NewEvent::new(EventType::RunSucceeded)),
            Transition::Fail { category, detail } => (
                RunStatus::Failed,
                NewEvent::with(EventType::RunFailed, json!({ "failure_category": category, "detail": detail })),
            ),
            Transition::Cancel => (RunStatus::Cancelled, NewEvent::new(EventType::RunCancelled)),
            Transition::Wait { reason } => {
                (RunStatus::Waiting, NewEvent::with(EventType::RunWaiting, json!({ "reason": reason })))
            }
            Transition::Release => (RunStatus::Queued, NewEvent::new(EventType::LeaseReleased)),
        };
        if !self.run.status.may_become(status) {
            return Err(Error::conflict(format!(
                "run {} is {} and cannot become {status}",
                self.run.id, self.run.status
            )));
        }
        self.run.status = status;
        match transition {
            Transition::Succeed { output } => self.run.output = Some(output.clone()),
            Transition::Fail { category, detail } => {
                self.run.failure_category = Some(*category);
                self.run.failure_detail = Some(detail.clone());
            }
            Transition::Wait { reason } => self.run.waiting_reason = Some(*reason),
            Transition::Release => self.run.attempt = self.run.attempt.saturating_sub(1),
            Transition::Continue | Transition::Cancel => {}
        }
        if status.is_terminal() {
            self.run.waiting_reason = None;
            self.run.finished_at = Some(now);
        }
        Ok(Some(event))
    }

    fn place(&mut self, events: Vec<NewEvent>, at: Timestamp) -> Vec<Event> {
        let run = self.run.id;
        events
            .into_iter()
            .map(|event| {
                self.event_seq += 1;
                event.placed(run, self.event_seq, at)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{BlueprintVersion, EventType};

    const LEASE: Duration = Duration::from_secs(30);

    #[test]
    fn a_cancellation_that_the_worker_did_not_see_ends_a_run_that_it_leaves() {
        for transition in [Transition::Release, Transition::Wait { reason: WaitingReason::UnknownOutcome }] {
            let [run, tenant] = [1_u128, 2].map(uuid::Uuid::from_u128);
            let new = NewRun::new(crate::RunId::from_uuid(run), "sweep", Value::Null);
            let (mut record, _) = RunRecord::accept(new, crate::TenantId::from_uuid(tenant), Timestamp::EPOCH);
            let (claimed, _) = record.claim(LEASE, Timestamp::EPOCH);
            record.signal(&Signal::Cancel { actor: None }, &mut [], Timestamp::EPOCH).expect("the run is marked");
            assert_eq!(record.run.status, RunStatus::Running, "the worker holds it");
            let commit = Commit {
                number: 1,
                snapshot: None,
                steps: Vec::new(),
                calls: Vec::new(),
                approvals: Vec::new(),
                events: Vec::new(),
                reserved: NanoUsd::ZERO,
                forfeited: NanoUsd::ZERO,
                transition,
                lease_for: LEASE,
            };
            let (_, events) = record.commit(&claimed.lease, &commit, Timestamp::EPOCH).expect("the run is left");
            assert_eq!((record.run.status, record.run.waiting_reason), (RunStatus::Cancelled, None));
            assert_eq!((record.run.finished_at, record.lease_expires_at), (Some(Timestamp::EPOCH), None));
            assert_eq!(events.last().map(|event| event.event_type), Some(EventType::RunCancelled));
            let blueprints = vec![BlueprintVersion { blueprint: "sweep".to_owned(), version: 1 }];
            let request = ClaimRequest { blueprints, limit: 1, lease_for: LEASE };
            assert!(!record.is_claimable(&request, Timestamp::EPOCH), "nobody takes it any more");
        }
    }
}
