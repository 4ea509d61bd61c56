//! Protocols that are broken in one thing each, and the seeds that find them: a simulation that cannot fail proves
//! nothing.

use std::collections::BTreeMap;

use worktruck_core::guardrail::{Mode, Rule, RuleKind};
use worktruck_core::journal::{Journal, StepKind};
use worktruck_core::run::{Commit, Lease, Run, Signal, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore as _, Provenance, RunStore as _};
use worktruck_core::{ErrorKind, NanoUsd, Result, RunId, Timestamp};

use crate::desk::{Desk, at_once};
use crate::invariants::Invariant;
use crate::part::BLUEPRINT;
use crate::play;

/// What is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Breach {
    /// The store takes commits under any fencing number.
    FenceIgnored,
    /// The store makes the changes of a commit again that is made again.
    NumberIgnored,
    /// The store makes changes in a transaction of their own, before that of their steps.
    ChangesFirst,
    /// The store says that a commit took effect which it has refused.
    RefusalHidden,
    /// The store gives out runs whose lease lasts.
    LiveLeaseGiven,
    /// The store ends a run at once on request, whoever holds it.
    CancelAtOnce,
    /// The store takes a second answer to an approval.
    AnsweredTwice,
    /// The store does not keep what is set aside.
    ReservationForgotten,
    /// The store keeps times in milliseconds.
    TimesRounded,
    /// The store does not give back the newest turn, as a replica does that lags behind.
    JournalLags,
    /// The store does not give back the calls that are open.
    OpenCallsForgotten,
    /// The worker does not look at its lease before a call outside.
    LeaseUnchecked,
    /// The worker makes calls outside while they are being announced.
    CallsBeforeAnnouncing,
    /// The worker knows no secrets.
    SecretsUnknown,
    /// The worker takes rules in shadow for rules.
    ShadowEnforced,
    /// The worker allows what no rule is about.
    AllowedByDefault,
}

/// What a broken store remembers.
#[derive(Debug, Default)]
pub(crate) struct Spoilt {
    /// The newest lease of each run.
    pub(crate) leases: BTreeMap<RunId, Lease>,
    /// The commits that took effect last, by run.
    committed: BTreeMap<RunId, (u64, u64)>,
}

impl Breach {
    /// The rules that a broken worker begins a run with.
    pub(crate) fn spoil_rules(self, rules: &mut Vec<Rule>) {
        match self {
            Self::ShadowEnforced => rules.iter_mut().for_each(|rule| rule.mode = Mode::Enforce),
            Self::AllowedByDefault => rules.insert(0, Rule::new(RuleKind::Allowlist, ["*"])),
            _ => {}
        }
    }
}

impl Desk {
    /// The moment for which a broken store takes a claim.
    pub(crate) fn spoil_claim(&self, now: Timestamp) -> Timestamp {
        let ends = self.spoilt.leases.values().map(Lease::expires_at).max();
        match self.breach {
            Some(Breach::LiveLeaseGiven) => ends.map_or(now, |end| now.max(end)),
            _ => now,
        }
    }

    /// The commit as a broken store takes it in, and under which lease.
    pub(crate) fn spoil_commit(
        &mut self,
        lease: &Lease,
        mut commit: Commit,
        now: Timestamp,
    ) -> (Lease, Result<Commit, CommitOutcome>) {
        let mut under = lease.clone();
        match self.breach {
            Some(Breach::FenceIgnored) => under = self.spoilt.leases[&lease.run()].clone(),
            Some(Breach::NumberIgnored) => {
                let made = (lease.fence(), commit.number);
                if self.spoilt.committed.insert(lease.run(), made) == Some(made) {
                    for step in &commit.steps {
                        let changes = Changes { requires: Vec::new(), ..step.changes.clone() };
                        let by = Provenance::agent_run(BLUEPRINT, lease.run(), step.step.seq);
                        let _ = at_once(self.store.inner().apply(self.tenant, changes, by, now));
                    }
                }
            }
            Some(Breach::ChangesFirst) => {
                if let Some(conflicted) = self.apply_first(lease, &mut commit, now) {
                    return (under, Err(conflicted));
                }
            }
            Some(Breach::ReservationForgotten) => commit.reserved = NanoUsd::ZERO,
            Some(Breach::TimesRounded) => {
                let rounded = |at: Timestamp| Timestamp::from_micros(at.as_micros() / 1000 * 1000);
                let steps = commit.steps.iter_mut().map(|step| &mut step.step);
                steps.for_each(|step| step.started_at = rounded(step.started_at));
            }
            _ => {}
        }
        (under, Ok(commit))
    }

    /// Makes the changes of a commit, and takes them out of it.
    pub(crate) fn apply_first(&self, lease: &Lease, commit: &mut Commit, now: Timestamp) -> Option<CommitOutcome> {
        for step in &mut commit.steps {
            let changes = std::mem::take(&mut step.changes);
            let by = Provenance::agent_run(BLUEPRINT, lease.run(), step.step.seq);
            if !changes.is_empty()
                && let Err(error) = at_once(self.store.inner().apply(self.tenant, changes, by, now))
            {
                return Some(CommitOutcome::Conflicted { seq: step.step.seq, error });
            }
        }
        None
    }

    pub(crate) fn spoil_outcome(&self, lease: &Lease, outcome: Result<CommitOutcome>) -> Result<CommitOutcome> {
        match (self.breach, outcome) {
            (Some(Breach::RefusalHidden), Err(error)) if error.kind() == ErrorKind::LeaseLost => {
                Ok(CommitOutcome::Committed { run: self.run(lease.run())?, lease: lease.clone() })
            }
            (Some(Breach::FenceIgnored), Err(error)) if error.kind() == ErrorKind::Conflict => {
                Err(worktruck_core::Error::new(ErrorKind::LeaseLost, "the journal has gone on"))
            }
            (_, outcome) => outcome,
        }
    }

    /// What a broken store answers to a signal, where it does otherwise than the store.
    pub(crate) fn spoil_signal(&mut self, run: RunId, signal: &Signal, now: Timestamp) -> Option<Result<Run>> {
        match (self.breach, signal) {
            (Some(Breach::CancelAtOnce), Signal::Cancel { .. }) if self.is_held(self.place(run)) => {
                let (lease, number) = (self.spoilt.leases[&run].clone(), self.entries[self.place(run)].commits + 1);
                let end = Commit {
                    number,
                    snapshot: None,
                    steps: Vec::new(),
                    calls: Vec::new(),
                    approvals: Vec::new(),
                    events: Vec::new(),
                    reserved: NanoUsd::ZERO,
                    forfeited: NanoUsd::ZERO,
                    transition: Transition::Cancel,
                    lease_for: crate::worker::LEASE,
                };
                let ended = at_once(self.store.inner().commit(&lease, end, now));
                Some(ended.and_then(|_| self.run(run)))
            }
            (Some(Breach::AnsweredTwice), Signal::Decide(_)) => {
                let answer = at_once(self.store.inner().signal(self.tenant, run, signal.clone(), now));
                let is_open = !self.entries[self.place(run)].status.is_terminal();
                Some(match answer {
                    Err(error) if is_open && error.kind() == ErrorKind::Conflict => self.run(run),
                    answer => answer,
                })
            }
            _ => None,
        }
    }

    pub(crate) fn spoil_journal(&self, mut journal: Journal) -> Journal {
        match self.breach {
            Some(Breach::JournalLags) if journal.steps.last().is_some_and(|step| step.kind == StepKind::Llm) => {
                journal.steps.pop();
                journal.calls.clear();
            }
            Some(Breach::OpenCallsForgotten) => journal.calls.clear(),
            _ => {}
        }
        journal
    }
}

/// Some seed of those that are played finds `breach`, because `invariant` does not hold.
fn is_found(breach: Breach, invariant: Invariant) {
    let violation = |seed| play::one(seed, Some(breach)).outcome.err().filter(|it| it.invariant == invariant);
    let found = (0..play::SEEDS).find_map(|seed| violation(seed).map(|violation| (seed, violation)));
    let (seed, violation) = found.unwrap_or_else(|| panic!("no seed finds {breach:?}"));
    println!("seed {seed} finds {breach:?}: {violation}");
}

macro_rules! found {
    ($($name:ident: $breach:ident, $invariant:ident;)*) => {
        $(#[test]
        fn $name() {
            is_found(Breach::$breach, Invariant::$invariant);
        })*
    };
}

found! {
    a_store_that_ignores_the_fence: FenceIgnored, LostLease;
    a_store_that_ignores_the_number_of_a_commit: NumberIgnored, EffectOnce;
    a_store_that_makes_changes_before_their_steps: ChangesFirst, EffectOnce;
    a_store_that_hides_a_refusal: RefusalHidden, LostLease;
    a_store_that_gives_out_runs_that_are_held: LiveLeaseGiven, LostLease;
    a_store_that_cancels_without_waiting: CancelAtOnce, LostLease;
    a_store_that_takes_two_answers: AnsweredTwice, Moves;
    a_store_that_forgets_what_is_set_aside: ReservationForgotten, Budget;
    a_store_that_rounds_times: TimesRounded, Chain;
    a_store_that_lags_behind: JournalLags, TurnOnce;
    a_store_that_forgets_open_calls: OpenCallsForgotten, EffectOnce;
    a_worker_that_does_not_look_at_its_lease: LeaseUnchecked, LostLease;
    a_worker_that_calls_before_it_has_announced: CallsBeforeAnnouncing, EffectOnce;
    a_worker_that_knows_no_secrets: SecretsUnknown, Secrecy;
    a_worker_that_takes_shadows_for_rules: ShadowEnforced, Rules;
    a_worker_that_allows_by_default: AllowedByDefault, Rules;
}
