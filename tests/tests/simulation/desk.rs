//! The store as workers and people reach it. It notes in the [book](crate::book) what takes effect, and has the
//! effects checked at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use worktruck_core::journal::{Journal, StepKind};
use worktruck_core::run::{
    Answer, Approval, BlueprintVersion, ClaimRequest, Claimed, Commit, Decision, Event, Lease, NewRun, Renewal, Run,
    RunStatus, Signal, UNKNOWN_OUTCOME,
};
use worktruck_core::store::{
    ApprovalQuery, CommitOutcome, EntityStore as _, MemoryStore, NewTenant, Provenance, RunStore as _,
    TenantStore as _, Version,
};
use worktruck_core::testing::{CountingIds, FaultyStore};
use worktruck_core::{Error, ErrorKind, PageRequest, Result, RunId, TenantId, Timestamp};

use crate::book::Entry;
use crate::breach::{Breach, Spoilt};
use crate::invariants::ends::unasked;
use crate::invariants::{Violation, lost_lease, moves};
use crate::part::{BLUEPRINT, Part};
use crate::tally;
use crate::worker::LEASE;

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Arc<FaultyStore<MemoryStore>>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) tenant: TenantId,
    pub(crate) breach: Option<Breach>,
    pub(crate) spoilt: Spoilt,
    by_run: BTreeMap<RunId, usize>,
}

/// What the store in memory answers, which never waits.
pub(crate) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("the store in memory does not wait")
}

impl Desk {
    /// A store with these runs in it.
    pub(crate) fn open(parts: Vec<Part>, breach: Option<Breach>, now: Timestamp) -> Self {
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let ids = CountingIds::new(1);
        let tenant = TenantId::new(&ids, now);
        let changes = worktruck_core::store::Changes::none().create(tally::key(), tally::body());
        at_once(async {
            store.create_tenant(NewTenant::new(tenant, "simulated"), now).await?;
            store.apply(tenant, changes, Provenance::new("nobody", "import"), now).await
        })
        .expect("the store is new");
        let entries = parts.into_iter().map(|part| {
            let run = RunId::new(&ids, now);
            let new = NewRun::new(run, BLUEPRINT, serde_json::json!({}));
            at_once(store.enqueue(tenant, vec![new], now)).expect("the run is new");
            Entry::new(tenant, run, part)
        });
        let entries: Vec<Entry> = entries.collect();
        let by_run = entries.iter().enumerate().map(|(at, entry)| (entry.run, at)).collect();
        Self { store, entries, tenant, breach, spoilt: Spoilt::default(), by_run }
    }

    pub(crate) fn place(&self, run: RunId) -> usize {
        self.by_run[&run]
    }

    pub(crate) fn claim(&mut self, limit: usize, now: Timestamp) -> Result<Vec<Claimed>, Violation> {
        let now = self.spoil_claim(now);
        let blueprints = vec![BlueprintVersion { blueprint: BLUEPRINT.to_owned(), version: 1 }];
        let request = ClaimRequest { blueprints, limit, lease_for: LEASE };
        let claimed = at_once(self.store.inner().claim(request, now)).map_err(|error| unasked("a claim", error))?;
        for one in &claimed {
            self.moved(&one.run)?;
            let entry = self.entry_of(one.run.id);
            entry.fence = one.lease.fence();
            self.spoilt.leases.insert(one.run.id, one.lease.clone());
        }
        Ok(claimed)
    }

    pub(crate) fn renew(&mut self, leases: &[Lease], now: Timestamp) -> Result<Vec<Renewal>, Violation> {
        at_once(self.store.inner().renew(leases, LEASE, now)).map_err(|error| unasked("a renewal", error))
    }

    /// What the store makes of a commit; `keeps` the journal as it is then.
    pub(crate) fn commit(
        &mut self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
        keeps: bool,
    ) -> Result<Result<CommitOutcome>, Violation> {
        let (under, spoilt) = self.spoil_commit(lease, commit.clone(), now);
        let outcome = match spoilt {
            Ok(spoilt) => at_once(self.store.inner().commit(&under, spoilt, now)),
            Err(conflicted) => Ok(conflicted),
        };
        let outcome = self.spoil_outcome(lease, outcome);
        if let Ok(CommitOutcome::Committed { run, .. }) = &outcome {
            let entry = self.entry_of(run.id);
            if commit.number > entry.commits {
                lost_lease::at_commit(entry, lease)?;
                entry.commits = commit.number;
                let steps = commit.steps.iter().map(|step| &step.step);
                entry.turns += steps.clone().filter(|step| step.kind == StepKind::Llm).count();
                entry.steps.extend(steps.map(|step| step.hash));
                self.moved(run)?;
                if keeps && !run.status.is_terminal() {
                    let journal = self.journal(run.id).map_err(|error| unasked("a journal", error))?;
                    self.entry_of(run.id).prefixes.push(journal);
                }
            }
        }
        Ok(outcome)
    }

    /// Gives a run a signal of somebody.
    pub(crate) fn signal(&mut self, run: RunId, signal: Signal, now: Timestamp) -> Result<Result<Run>, Violation> {
        let is_unknown = |answer: &Answer| {
            let approval = at_once(self.store.inner().approval(self.tenant, answer.approval));
            matches!(answer.decision, Decision::Approve { .. })
                && approval.is_ok_and(|approval| approval.is_some_and(|it| it.rule_id == UNKNOWN_OUTCOME))
        };
        let (answered, again) = match &signal {
            Signal::Cancel { .. } => (None, false),
            Signal::Decide(answer) => (Some(answer.approval), is_unknown(answer)),
        };
        let answer = match self.spoil_signal(run, &signal, now) {
            Some(answer) => answer,
            None => at_once(self.store.inner().signal(self.tenant, run, signal, now)),
        };
        if let Ok(now_is) = &answer {
            self.moved(now_is)?;
            if let Some(approval) = answered {
                let asked = self.approvals(run)?.into_iter().find(|one| one.id == approval);
                let entry = self.entry_of(run);
                *entry.answers.entry(approval).or_default() += 1;
                moves::at_answer(entry, approval)?;
                if again && let Some(asked) = asked {
                    *entry.again.entry(asked.step_seq).or_default() += 1;
                }
            }
        }
        Ok(answer)
    }

    pub(crate) fn journal(&self, run: RunId) -> Result<Journal> {
        let journal = at_once(self.store.inner().journal(self.tenant, run))?;
        journal.map(|journal| self.spoil_journal(journal)).ok_or_else(|| Error::not_found("a run"))
    }

    pub(crate) fn approvals(&self, run: RunId) -> Result<Vec<Approval>, Violation> {
        let query = ApprovalQuery { run: Some(run), page: PageRequest::largest(None), ..ApprovalQuery::default() };
        let page = at_once(self.store.inner().approvals(self.tenant, query));
        page.map(|page| page.data).map_err(|error| unasked("approvals", error))
    }

    pub(crate) fn run(&self, run: RunId) -> Result<Run> {
        at_once(self.store.inner().run(self.tenant, run))?.ok_or_else(|| Error::not_found("a run"))
    }

    pub(crate) fn events(&self, run: RunId) -> Result<Vec<Event>> {
        Ok(at_once(self.store.inner().events(self.tenant, run, PageRequest::largest(None)))?.data)
    }

    /// All versions of the record that is counted up, newest first.
    pub(crate) fn tally(&self) -> Result<Vec<Version>> {
        Ok(at_once(self.store.inner().history(self.tenant, tally::key(), PageRequest::largest(None)))?.data)
    }

    pub(crate) fn are_over(&self) -> bool {
        self.entries.iter().all(|entry| entry.status.is_terminal())
    }

    fn moved(&mut self, run: &Run) -> Result<(), Violation> {
        let entry = self.entry_of(run.id);
        moves::at_effect(entry, run.status)?;
        entry.status = run.status;
        Ok(())
    }

    pub(crate) fn entry_of(&mut self, run: RunId) -> &mut Entry {
        let place = self.place(run);
        &mut self.entries[place]
    }

    /// Whether a worker has the run, or had it last.
    pub(crate) fn is_held(&self, place: usize) -> bool {
        self.entries[place].status == RunStatus::Running
    }
}

/// What whoever asked hears when the store cannot be reached.
pub(crate) fn unreachable() -> Error {
    Error::new(ErrorKind::Unavailable, "simulated")
}

/// How long a store is left alone that could not be reached.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(200);
