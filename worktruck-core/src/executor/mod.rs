//! The loop of an agent run as a value: no IO, no clock, no runtime.
//!
//! [`Executor::next`] says what must be done next, [`Executor::handle`] takes in what came of it.
//! Replay, guardrails, budget, deadline and cancellation live inside; a driver turns the effects
//! into futures. What is not committed is forgotten without harm: after a crash
//! [`Executor::resume`] makes the same executor from the journal.

mod approve;
mod check;
mod compact;
mod fork;
mod hooks;
mod ledger;
mod models;
mod reply;
mod resume;
mod settle;
#[cfg(test)]
mod tests;
mod transcript;
mod trial;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::guardrail::{History, RuleSet};
use crate::journal::{Journal, Snapshot, StepKind, StepOutcome, genesis};
use crate::model::{self, ModelError, ModelErrorCategory, ModelReply, ModelRequest};
use crate::run::{Approval, Commit, EventType, FailureCategory, NewEvent, ON_BUDGET, Run, RunStatus, Transition};
use crate::store::{Changes, EntityStore, View};
use crate::tool::{ToolEffect, ToolError, ToolOutput, ToolSpec};
use crate::{Digest, Error, Result, Secret, TenantId, Timestamp};

pub use check::{ReplayReport, replay_check};
pub use fork::{Departure, fork, recalled};

use hooks::Hooks;
use ledger::Ledger;
use models::{Models, Next};
use transcript::Transcript;
use turn::Turn;

/// What the driver must do next.
#[derive(Debug)]
pub enum Effect {
    /// Ask the model, then hand in [`Event::Replied`].
    Ask(ModelRequest),
    /// Call the tool, then hand in [`Event::Returned`]. Calls run side by side.
    Call(ToolCall),
    /// Commit, then hand in [`Event::Committed`] or [`Event::Conflicted`]. Before a commit whose
    /// transition is not [`Transition::Continue`], what is still under way is dropped.
    Commit(Box<Commit>),
    /// Wait for something that is under way, at most until this moment.
    Wait {
        /// When [`Executor::next`] has something else to say.
        until: Timestamp,
    },
    /// The run is no longer this worker's: it has ended, waits, or was given back.
    Stop(RunStatus),
}

/// A call of a tool, ready to be made.
#[derive(Debug)]
pub struct ToolCall {
    /// Its place in the journal.
    pub seq: u32,
    /// What the model names it by.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Its input; it fits the tool's schema.
    pub input: Value,
    /// What it touches.
    pub effect: ToolEffect,
    /// When the model asked for it; in a trial the moment that it takes for the present.
    pub asked_at: Timestamp,
    /// Names it for the outside.
    pub idempotency_key: Digest,
    /// Changes of earlier calls of the same turn, not committed yet; in a trial those of all earlier calls.
    pub pending: Arc<[Changes]>,
    /// Whether it is made in a trial, which sees nothing that was written after the moment that it takes for the present.
    pub is_tried: bool,
}

impl ToolCall {
    /// What the call sees of the entities of `tenant`.
    #[must_use]
    pub fn view(&self, store: Arc<dyn EntityStore>, tenant: TenantId) -> View {
        let view = View::new(store, tenant, self.asked_at).with_pending(Arc::clone(&self.pending));
        if self.is_tried { view.pinned(self.asked_at) } else { view }
    }
}

/// What came of an effect, or happened meanwhile.
#[derive(Debug)]
pub enum Event {
    /// The model answered, or did not.
    Replied(Result<ModelReply, ModelError>),
    /// A tool came back.
    Returned {
        /// The place of the call in the journal.
        seq: u32,
        /// What it came back with.
        result: Result<ToolOutput, ToolError>,
    },
    /// The commit took effect.
    Committed,
    /// The commit took no effect, because the changes of a call rest on something that is no
    /// longer so, or can never be made.
    Conflicted {
        /// The place of the call in the journal.
        seq: u32,
        /// What is no longer so.
        error: Error,
    },
    /// Somebody asked for the end of the run.
    CancelRequested,
    /// The worker is to give the run back: what is under way is finished, nothing is begun but calls
    /// that the journal announces already and that a person would have to look into otherwise.
    Drain,
    /// The worker can wait no longer: what is under way is dropped and the run given back.
    Abort,
}

/// What an executor needs beside the run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long every commit makes the lease last.
    pub lease_for: Duration,
    /// Values that are replaced wherever they turn up, before anything is hashed or stored.
    pub secrets: Arc<[Secret]>,
}

/// How often a call is made again because what it rests on changed, before the model is told.
const MAX_CONFLICTS: u32 = 5;

/// A run being executed.
#[derive(Debug)]
pub struct Executor {
    run: Run,
    snapshot: Snapshot,
    options: Options,
    /// Whether the snapshot is committed.
    begun: bool,
    commits: u64,
    head: Digest,
    seq: u32,
    ledger: Ledger,
    hooks: Hooks,
    models: Models,
    transcript: Transcript,
    offered: Arc<[ToolSpec]>,
    rules: RuleSet,
    /// What the rules may ask about the run.
    history: History,
    zone: Tz,
    /// The schemas of the tools that were called, ready to be used, or why they cannot be.
    validators: BTreeMap<String, Result<Validator, String>>,
    /// How often each call, by tool and input, was made.
    repeats: BTreeMap<Digest, u32>,
    /// The steps that are another run's, and how they ended there: nothing of the run's own rules is about them.
    copied: BTreeMap<u32, StepOutcome>,
    /// What the steps of a trial would have changed.
    tried: Vec<Changes>,
    /// To be recorded with the next commit.
    events: Vec<NewEvent>,
    /// Approvals that nobody answered in time, to be recorded with the next commit.
    expired: Vec<Approval>,
    wish: Option<Wish>,
    /// Whether the next turn makes the conversation shorter.
    compacting: bool,
    /// Why the model could not be asked the last time.
    last_error: Option<String>,
    phase: Phase,
    pending: Option<Pending>,
}

/// What somebody outside wants of the run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Cancel,
    Drain,
    Abort,
}

#[derive(Debug)]
enum Phase {
    /// The model is to be asked; nothing is set aside for it yet.
    Before { attempt: u32, not_before: Timestamp },
    /// The model is asked, or will be asked again.
    Asking { started_at: Option<Timestamp>, attempt: u32, not_before: Timestamp },
    /// The model's calls are made.
    Calling(Turn),
    /// Nothing more is done here.
    Stopped(RunStatus),
}

/// The model was not asked for this turn yet.
const FRESH: Phase = Phase::Before { attempt: 0, not_before: Timestamp::EPOCH };

/// A commit on its way, and what follows it.
#[derive(Debug)]
struct Pending {
    commit: Option<Box<Commit>>,
    head: Digest,
    seq: u32,
    /// The calls that it opens, or whose receipts it stores.
    opens: Vec<u32>,
    then: Then,
    /// Whether the results of a turn went into the conversation with it.
    spoke: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    /// The model is asked, for which enough is set aside.
    Ask,
    /// The phase goes on.
    GoOn,
    /// Nothing more is done here.
    Stop(RunStatus),
}

impl Executor {
    /// Begins a run that has no journal, after `commits` commits that recorded nothing.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the run's input or the snapshot has no canonical JSON form.
    pub fn begin(run: Run, commits: u64, snapshot: Snapshot, mut options: Options) -> Result<Self> {
        // Where one secret is a part of another, the longer one goes first, or its rest would stay.
        let mut secrets = options.secrets.to_vec();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        options.secrets = secrets.into();
        let head = genesis(run.tenant_id, run.id, &run.input, Some(&snapshot))?;
        let rules = RuleSet::new(snapshot.guardrails.clone());
        let offered: Arc<[ToolSpec]> =
            snapshot.tools.iter().filter(|tool| rules.is_offerable(&tool.name)).cloned().collect();
        let zone = match &snapshot.timezone {
            Some(name) => name.parse().map_err(|_| Error::invalid(format!("{name:?} is not a time zone")))?,
            None => Tz::UTC,
        };
        let wish = run.cancel_requested_at.map(|_| Wish::Cancel);
        let mut executor = Self {
            ledger: Ledger::new(&snapshot),
            hooks: Hooks::new(snapshot.budget_usd_cents, &snapshot.on_budget),
            models: Models::new(&snapshot),
            transcript: Transcript::new(&snapshot, &offered),
            run,
            snapshot,
            options,
            begun: false,
            commits,
            head,
            seq: 0,
            offered,
            rules,
            history: History::default(),
            zone,
            validators: BTreeMap::new(),
            repeats: BTreeMap::new(),
            copied: BTreeMap::new(),
            tried: Vec::new(),
            events: Vec::new(),
            expired: Vec::new(),
            wish,
            compacting: false,
            last_error: None,
            phase: FRESH,
            pending: None,
        };
        executor.use_current_model();
        Ok(executor)
    }

    /// Goes on with a run where its journal ends.
    ///
    /// The journal is replayed: its chain and every call in it are computed again. If they are
    /// not what is recorded, the executor fails the run, naming the step, and does nothing else.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the journal has no snapshot.
    pub fn resume(run: Run, journal: Journal, options: Options) -> Result<Self> {
        let Journal { snapshot, steps, calls, approvals, commits, reserved, forfeited } = journal;
        let snapshot =
            snapshot.ok_or_else(|| Error::invalid(format!("run {} has no journal to go on with", run.id)))?;
        let mut executor = Self::begin(run, commits, snapshot, options)?;
        executor.begun = true;
        executor.hooks.questions = approvals.iter().filter(|it| it.rule_id == ON_BUDGET).cloned().collect();
        executor.ledger.forfeit(forfeited + reserved);
        if let Some(from) = executor.run.forked_from {
            let copied = steps.iter().filter(|step| step.seq < from.from_seq);
            executor.copied = copied.map(|step| (step.seq, step.outcome)).collect();
        }
        executor.replay(steps, &calls, &approvals)?;
        Ok(executor)
    }

    /// What the driver must do next.
    ///
    /// Every effect but [`Effect::Wait`] and [`Effect::Stop`] is handed out once; `next` is called
    /// again after each, until it says to wait.
    ///
    /// # Errors
    ///
    /// `Internal` if a value has no canonical JSON form.
    pub fn next(&mut self, now: Timestamp) -> Result<Effect> {
        if let Some(pending) = &mut self.pending {
            return Ok(match pending.commit.take() {
                Some(commit) => Effect::Commit(commit),
                None => Effect::Wait { until: Timestamp::FOREVER },
            });
        }
        if let Phase::Stopped(status) = self.phase {
            return Ok(Effect::Stop(status));
        }
        if let Some(transition) = self.interruption(now) {
            return self.stop(transition, now);
        }
        self.expire(now)?;
        let deadline_at = self.deadline_at();
        match &mut self.phase {
            Phase::Before { not_before, .. } if now < *not_before => {
                Ok(Effect::Wait { until: (*not_before).min(deadline_at) })
            }
            Phase::Before { .. } => self.prepare(now),
            Phase::Asking { started_at, not_before, .. } => {
                if started_at.is_some() || now < *not_before {
                    let until = if started_at.is_some() { Timestamp::FOREVER } else { *not_before };
                    return Ok(Effect::Wait { until: until.min(deadline_at) });
                }
                *started_at = Some(now);
                Ok(Effect::Ask(self.request()))
            }
            Phase::Calling(_) => self.go_on(now),
            Phase::Stopped(status) => Ok(Effect::Stop(*status)),
        }
    }

    /// Takes in what came of an effect.
    ///
    /// # Errors
    ///
    /// `Internal` if a value has no canonical JSON form, or the event answers no effect.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Result<()> {
        match event {
            Event::Replied(reply) => self.replied(reply, now),
            Event::Returned { seq, result } => self.returned(seq, result, now),
            Event::Committed => self.committed(),
            Event::Conflicted { seq, error } => self.conflicted(seq, &error, now),
            Event::CancelRequested => self.wish(Wish::Cancel),
            Event::Drain => self.wish(Wish::Drain),
            Event::Abort => self.wish(Wish::Abort),
        }
    }

    /// The model that is asked, `provider/model`.
    #[must_use]
    pub fn model(&self) -> &str {
        self.models.current()
    }

    /// Another model is asked from now on: it has its own prices, and does not understand what only the one before did.
    fn use_current_model(&mut self) {
        self.transcript.forget_thoughts();
        self.ledger.use_model(self.models.current(), &self.snapshot);
    }

    fn wish(&mut self, wish: Wish) -> Result<()> {
        // A cancellation outlasts everything; an abort outlasts a drain.
        if self.wish != Some(Wish::Cancel) && !(self.wish == Some(Wish::Abort) && wish == Wish::Drain) {
            self.wish = Some(wish);
        }
        Ok(())
    }

    /// Why the run must not go on, if something says so.
    fn interruption(&self, now: Timestamp) -> Option<Transition> {
        if self.wish == Some(Wish::Cancel) {
            return Some(Transition::Cancel);
        }
        let deadline_at = self.deadline_at();
        if now >= deadline_at {
            let mut detail = format!("the deadline {deadline_at} has passed");
            if let Some(error) = &self.last_error {
                detail = format!("{detail}; the model could not be asked: {error}");
            }
            return Some(Transition::Fail { category: FailureCategory::Timeout, detail });
        }
        let under_way = match &self.phase {
            Phase::Asking { started_at, .. } => started_at.is_some(),
            // A call that is announced and not made would be one that a person must look into.
            Phase::Calling(turn) => turn.is_under_way() || turn.is_promised(),
            Phase::Before { .. } | Phase::Stopped(_) => false,
        };
        match self.wish {
            Some(Wish::Abort) => Some(Transition::Release),
            Some(Wish::Drain) if !under_way => Some(Transition::Release),
            _ => None,
        }
    }

    /// Sets aside what the next turn may cost and commits it, or asks at once if there is nothing
    /// to commit.
    fn prepare(&mut self, now: Timestamp) -> Result<Effect> {
        if let Err(transition) = self.reserve(now)? {
            return self.stop(transition, now);
        }
        if self.begun && self.ledger.reserved().as_nanos() == 0 {
            self.ask();
            return self.next(now);
        }
        self.commit(Vec::new(), Vec::new(), Transition::Continue, Then::Ask)?;
        self.next(now)
    }

    /// Makes sure that the next turn may begin, and sets aside what it may cost.
    fn reserve(&mut self, now: Timestamp) -> Result<Result<(), Transition>> {
        if self.seq >= self.snapshot.max_steps {
            return Ok(Err(exhausted(format!("the run has used all of its {} steps", self.snapshot.max_steps))));
        }
        if let Err(transition) = self.heed_hooks(now)? {
            return Ok(Err(transition));
        }
        let bound = if self.compacting { self.compaction_bound() } else { self.transcript.token_bound() };
        let reserved = match self.ledger.reserve(self.models.current(), bound, &self.snapshot) {
            Ok(reserved) => reserved,
            Err(transition) => return Ok(Err(transition)),
        };
        if reserved.as_nanos() > 0 {
            let data = json!({ "usd_nano": reserved, "max_tokens": self.ledger.max_tokens() });
            self.events.push(NewEvent::with(EventType::BudgetReserved, data));
        }
        Ok(Ok(()))
    }

    fn ask(&mut self) {
        let (attempt, not_before) = match self.phase {
            Phase::Before { attempt, not_before } => (attempt, not_before),
            _ => (0, Timestamp::EPOCH),
        };
        self.phase = Phase::Asking { started_at: None, attempt, not_before };
    }

    fn request(&self) -> ModelRequest {
        if self.compacting {
            return self.compaction();
        }
        let mut system = self.snapshot.system_prompt.clone();
        if self.hooks.finishing {
            system = format!("{system}\n\n{}", hooks::FINISH);
        }
        ModelRequest {
            system,
            tools: Arc::clone(&self.offered),
            messages: self.transcript.messages().to_vec(),
            ..self.request_of_nothing()
        }
    }

    fn request_of_nothing(&self) -> ModelRequest {
        let name = self.models.current();
        ModelRequest {
            model: name.split_once('/').map_or(name, |(_, model)| model).to_owned(),
            system: String::new(),
            tools: Arc::new([]),
            messages: Vec::new(),
            max_tokens: self.ledger.max_tokens(),
        }
    }

    fn model_input(&self) -> Value {
        if self.compacting {
            return self.compaction_input();
        }
        transcript(self.seq, self.head)
    }

    fn replied(&mut self, reply: Result<ModelReply, ModelError>, now: Timestamp) -> Result<()> {
        let Phase::Asking { started_at: Some(began), attempt, .. } = self.phase else {
            return Err(Error::internal("a model answered that was not asked"));
        };
        match reply {
            Ok(reply) => self.settle_reply(reply, began, now),
            Err(error) => self.failed_to_ask(&error, attempt, now),
        }
    }

    /// Asks again, or another model, or with less to read; fails the run if nothing of that helps.
    fn failed_to_ask(&mut self, error: &ModelError, attempt: u32, now: Timestamp) -> Result<()> {
        if error.may_be_billed {
            self.ledger.forfeit_reserved();
        }
        let message = self.redacted(&error.to_string());
        let again =
            Phase::Before { attempt: attempt + 1, not_before: now.after(model::backoff(attempt, error, self.head)) };
        if error.category == ModelErrorCategory::ContextWindowExceeded && self.begin_compaction().is_ok() {
            self.ledger.give_back();
            self.phase = FRESH;
            return Ok(());
        }
        if !error.category.is_transient() && error.category != ModelErrorCategory::QuotaExhausted {
            self.ledger.give_back();
            return self.fail(reply::category_of(error), message);
        }
        let from = self.models.current().to_owned();
        let next = self.models.failed(error);
        if matches!(next, Next::Another | Next::Around) {
            self.ledger.give_back();
            self.use_current_model();
            self.events.push(models::changed(&from, self.models.current(), &message));
        }
        match next {
            Next::Nobody => {
                self.ledger.give_back();
                return self.fail(reply::category_of(error), message);
            }
            Next::Another => self.phase = Phase::Before { attempt: attempt + 1, not_before: now },
            Next::Around => self.phase = again,
            // The next attempt needs a reservation of its own where this one may have been paid for.
            Next::Same if error.may_be_billed => self.phase = again,
            Next::Same => {
                let Phase::Before { attempt, not_before } = again else { return Ok(()) };
                self.phase = Phase::Asking { started_at: None, attempt, not_before };
            }
        }
        self.last_error = Some(message);
        Ok(())
    }

    fn fail(&mut self, category: FailureCategory, detail: String) -> Result<()> {
        self.commit(Vec::new(), Vec::new(), Transition::Fail { category, detail }, Then::Stop(RunStatus::Failed))
    }

    fn redacted(&self, text: &str) -> String {
        self.options.secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text))
    }

    fn call_digest(&self, seq: u32, kind: StepKind, name: &str, input: &Value) -> Result<Digest> {
        crate::journal::call_digest(self.run.id, seq, kind, name, input)
    }
}

/// What a model step records of what went in: the transcript it saw, by its end and digest.
fn transcript(through: u32, head: Digest) -> Value {
    json!({ "transcript_through": through, "transcript": head })
}

fn exhausted(detail: String) -> Transition {
    Transition::Fail { category: FailureCategory::BudgetExhausted, detail }
}
