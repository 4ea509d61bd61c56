use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::FutureExt;

use crate::entity::Kind;
use crate::executor::{Effect, Event, Executor, Options, ToolCall};
use crate::journal::{self, Journal};
use crate::model::{ModelError, ModelProvider, ModelReply, ModelRequest};
use crate::run::{
    Answer, BlueprintVersion, ClaimRequest, Claimed, Commit, Decision, Lease, NewRun, Run, RunStatus, Signal,
    Transition,
};
use crate::store::{ApprovalQuery, Changes, CommitOutcome, EntityKey, ListQuery, NewTenant, Provenance, Store, View};
use crate::testing::{CountingIds, SimClock};
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput};
use crate::{Clock, DerivedIds, EntityId, Error, ErrorKind, PageRequest, Result, RunId, TenantId, Timestamp};

use super::{BLUEPRINT, Cast, Script, ScriptedModel, trace};

/// In which order calls return that run side by side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReturnOrder {
    /// The one made first returns first.
    Oldest,
    /// The one made last returns first.
    Newest,
}

/// What somebody outside wants of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Its end; asked of the store, and told to the worker.
    Cancel,
    /// The worker is to give it back.
    Drain,
    /// The worker gives it back at once.
    Abort,
}

/// Plays one run of a [`Script`] against a store, one worker after the other.
///
/// A worker acts as a driver does: it commits again under the same number what the store could not
/// be reached for, and leaves a run whose journal it cannot read to the next one. Every model turn
/// and call is made when the executor says so, and comes back when nothing else is left to do.
///
/// Between two things that happen there is a *point*: before and after each commit, and after each
/// answer and each call. A worker can be made to [crash](Self::crash_at) at one of them.
#[derive(Debug)]
pub struct Stage {
    script: Script,
    store: Arc<dyn Store>,
    clock: SimClock,
    model: ScriptedModel,
    tools: Cast,
    trace: Vec<String>,
    orders: Vec<(String, Order)>,
    edits: Vec<(String, Changes)>,
    crash_at: Option<usize>,
    points: usize,
    workers: usize,
    commits: Vec<Commit>,
}

/// What came back and is not handed in yet.
struct Held {
    line: String,
    event: Event,
}

/// Why a worker stopped working.
enum Left {
    Stopped(RunStatus),
    Crashed,
    /// The store could not be reached, or the lease was lost.
    Abandoned,
}

/// More rounds than any script needs.
const ROUNDS: usize = 500;
const STORE_PAUSE: Duration = Duration::from_millis(200);

impl Stage {
    /// A stage over `store`, on which nothing has happened.
    #[must_use]
    pub fn new(script: Script, store: Arc<dyn Store>) -> Self {
        Self {
            model: ScriptedModel::new(script.replies.clone()),
            script,
            store,
            // 2026-04-14T12:00:00Z.
            clock: SimClock::starting_at(Timestamp::from_micros(1_776_168_000_000_000)),
            tools: Cast::new(),
            trace: Vec::new(),
            orders: Vec::new(),
            edits: Vec::new(),
            crash_at: None,
            points: 0,
            workers: 0,
            commits: Vec::new(),
        }
    }

    /// The tenant of the run.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        TenantId::new(&CountingIds::new(1), Timestamp::EPOCH)
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        RunId::new(&CountingIds::new(2), Timestamp::EPOCH)
    }

    /// Makes the tenant and the contacts of the script, and accepts the run.
    ///
    /// # Errors
    ///
    /// As the store.
    pub fn prepare(&self) -> Result<()> {
        self.prepare_in(&*self.store)
    }

    /// Like [`prepare`](Self::prepare), past whatever stands between the stage and `store`.
    ///
    /// # Errors
    ///
    /// As the store.
    pub fn prepare_in(&self, store: &dyn Store) -> Result<()> {
        let (tenant, now) = (self.tenant(), self.now());
        block_on(async {
            let new = NewTenant::new(tenant, "scripted");
            store.create_tenant(new, now).await?;
            let ids = CountingIds::new(3);
            for name in &self.script.contacts {
                let key = EntityKey::new(Kind::Contact, EntityId::new(&ids, now));
                let changes = Changes::none().create(key, serde_json::json!({ "display_name": name }));
                store.apply(tenant, changes, Provenance::new("script", "import"), now).await?;
            }
            let run = NewRun::new(self.run_id(), BLUEPRINT, Script::input());
            let run = NewRun { dry_run: self.script.dry_run, ..run };
            store.enqueue(tenant, vec![run], now).await.map(drop)
        })
    }

    /// Crashes the worker at the point with this number, counted from 1.
    pub const fn crash_at(&mut self, point: usize) {
        self.crash_at = Some(point);
    }

    /// Lets somebody give an order at the moment this line is written into the trace.
    pub fn order_at(&mut self, line: &str, order: Order) {
        self.orders.push((line.to_owned(), order));
    }

    /// Lets somebody else change the store at the moment this line is written into the trace; once,
    /// so that the next such line is left to the next call of this method.
    pub fn edit_at(&mut self, line: &str, changes: Changes) {
        self.edits.push((line.to_owned(), changes));
    }

    /// Lets a person answer what they are asked about the call at `seq`.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody is asked about it, and those of the store.
    pub fn answer(&self, seq: u32, decision: Decision) -> Result<()> {
        let query = ApprovalQuery { run: Some(self.run_id()), ..ApprovalQuery::default() };
        let asked = block_on(self.store.approvals(self.tenant(), query))?.data;
        let asked = asked.into_iter().find(|approval| approval.step_seq == seq);
        let approval = asked.ok_or_else(|| Error::not_found(format!("an approval of call {seq}")))?.id;
        let answer = Answer { approval, decision, actor: Some("user:1".to_owned()), note: None };
        block_on(self.store.signal(self.tenant(), self.run_id(), Signal::Decide(answer), self.now())).map(drop)
    }

    /// Lets time pass.
    pub fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// The executor of a worker that would take the run over now, from the journal in `store`.
    ///
    /// # Errors
    ///
    /// `NotFound` before [`prepare`](Self::prepare), and those of [`Executor::resume`].
    pub fn executor_in(&self, store: &dyn Store) -> Result<Executor> {
        let options = Options { lease_for: self.script.lease_for, secrets: self.script.secrets.clone().into() };
        Executor::resume(self.run_in(store)?, self.journal_in(store)?, options)
    }

    /// Plays the run until it ends, waits for a person, or was given back on an order.
    ///
    /// # Errors
    ///
    /// - `Internal`: the executor made an error, or goes on for ever.
    /// - And those of the store that no driver lives with.
    pub fn play(&mut self) -> Result<RunStatus> {
        for _ in 0..ROUNDS {
            if let Some(status) = self.work_once()? {
                return Ok(status);
            }
        }
        Err(Error::internal(format!("the run goes on for ever:\n{}", self.trace.join("\n"))))
    }

    /// Plays what one worker does of the run: the status if that is where it stays, and nothing if
    /// the worker crashed, or found that the run cannot be taken yet.
    ///
    /// # Errors
    ///
    /// As [`play`](Self::play).
    pub fn work_once(&mut self) -> Result<Option<RunStatus>> {
        let Some(claimed) = self.claim()? else {
            let run = self.reread(|store, tenant, run| block_on(store.run(tenant, run)))?;
            self.clock.advance(self.script.lease_for.max(STORE_PAUSE));
            return Ok(run.map(|run| run.status).filter(|status| *status != RunStatus::Running));
        };
        self.workers += 1;
        match self.work(&claimed)? {
            Left::Stopped(status) => {
                self.note(format!("== {status}"));
                return Ok(Some(status));
            }
            Left::Crashed => self.note("== crash".to_owned()),
            Left::Abandoned => self.note("== abandoned".to_owned()),
        }
        self.clock.advance(self.script.lease_for);
        Ok(None)
    }

    /// What happened, a line each.
    #[must_use]
    pub fn trace(&self) -> Vec<&str> {
        self.trace.iter().map(String::as_str).collect()
    }

    /// How many points were passed.
    #[must_use]
    pub const fn points(&self) -> usize {
        self.points
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &ScriptedModel {
        &self.model
    }

    /// The tools.
    #[must_use]
    pub const fn tools(&self) -> &Cast {
        &self.tools
    }

    /// All commits that were made, those that took no effect included.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The run as `store` has it.
    ///
    /// # Errors
    ///
    /// `NotFound` before [`prepare`](Self::prepare).
    pub fn run_in(&self, store: &dyn Store) -> Result<Run> {
        block_on(store.run(self.tenant(), self.run_id()))?.ok_or_else(|| Error::not_found("the scripted run"))
    }

    /// The journal as `store` has it, whose chain is verified.
    ///
    /// # Errors
    ///
    /// `Internal` if the chain does not verify.
    pub fn journal_in(&self, store: &dyn Store) -> Result<Journal> {
        let journal = block_on(store.journal(self.tenant(), self.run_id()))?
            .ok_or_else(|| Error::not_found("the scripted run"))?;
        let verification = journal::verify(self.tenant(), self.run_id(), &Script::input(), &journal)?;
        match verification.first_bad_seq {
            None => Ok(journal),
            Some(seq) => Err(Error::internal(format!("the chain does not verify at step {seq}"))),
        }
    }

    /// The contacts that `store` has now: name, id and number of versions, by name.
    ///
    /// # Errors
    ///
    /// As the store.
    pub fn contacts_in(&self, store: &dyn Store) -> Result<Vec<(String, EntityId, u64)>> {
        let query =
            ListQuery { page: PageRequest::new(PageRequest::MAX_LIMIT, None)?, ..ListQuery::new(Kind::Contact) };
        let page = block_on(store.list(self.tenant(), query, self.now()))?;
        let mut contacts: Vec<_> = page
            .data
            .into_iter()
            .map(|version| {
                let name = version.slice.body.as_ref().and_then(|body| body["display_name"].as_str());
                (name.unwrap_or_default().to_owned(), version.key.id, version.slice.version)
            })
            .collect();
        contacts.sort();
        Ok(contacts)
    }

    fn claim(&mut self) -> Result<Option<Claimed>> {
        let blueprints = vec![BlueprintVersion { blueprint: BLUEPRINT.to_owned(), version: 1 }];
        let request = ClaimRequest { blueprints, limit: 1, lease_for: self.script.lease_for };
        let now = self.now();
        let claimed = self.reread(|store, _, _| block_on(store.claim(request.clone(), now)))?.pop();
        Ok(claimed.filter(|claimed| claimed.run.id == self.run_id()))
    }

    /// Asks the store until it can be reached.
    fn reread<T>(&self, ask: impl Fn(&dyn Store, TenantId, RunId) -> Result<T>) -> Result<T> {
        loop {
            match ask(&*self.store, self.tenant(), self.run_id()) {
                Err(error) if error.is_retryable() => self.clock.advance(STORE_PAUSE),
                answer => return answer,
            }
        }
    }

    fn begin(&self, claimed: &Claimed) -> Result<Executor> {
        let options = Options { lease_for: self.script.lease_for, secrets: self.script.secrets.clone().into() };
        let run = claimed.run.clone();
        if !claimed.has_journal {
            let view = View::new(Arc::clone(&self.store) as Arc<_>, run.tenant_id, self.now());
            let moment = run.dry_run.then(|| block_on(view.moment(run.as_of))).transpose()?;
            let snapshot = self.script.snapshot(&run, &self.tools, self.now(), moment);
            return Executor::begin(run, claimed.commits, snapshot, options);
        }
        let journal = block_on(self.store.journal(run.tenant_id, run.id))?
            .ok_or_else(|| Error::not_found(format!("the journal of run {}", run.id)))?;
        Executor::resume(run, journal, options)
    }

    fn work(&mut self, claimed: &Claimed) -> Result<Left> {
        let worker = format!("== worker {}", self.workers);
        let mut executor = match self.begin(claimed) {
            Err(error) if error.is_retryable() => {
                self.note(worker);
                return Ok(Left::Abandoned);
            }
            executor => executor?,
        };
        self.write(worker, &mut executor)?;
        let mut lease = claimed.lease.clone();
        let mut held: Vec<Held> = Vec::new();
        for _ in 0..ROUNDS {
            match executor.next(self.now())? {
                Effect::Ask(request) => {
                    let turn = ScriptedModel::turn_of(&request);
                    self.write(format!("-> ask #{turn}"), &mut executor)?;
                    held.extend(self.ask(turn, request));
                    if self.point() {
                        return Ok(Left::Crashed);
                    }
                }
                Effect::Call(call) => {
                    self.write(format!("-> call {} {}", call.seq, call.name), &mut executor)?;
                    held.extend(self.call(call));
                    if self.point() {
                        return Ok(Left::Crashed);
                    }
                }
                Effect::Commit(commit) => {
                    if commit.transition != Transition::Continue {
                        held.clear();
                    }
                    if self.point() {
                        return Ok(Left::Crashed);
                    }
                    match self.commit(&mut executor, &commit, &mut lease)? {
                        Some(left) => return Ok(left),
                        None if self.point() => return Ok(Left::Crashed),
                        None => {}
                    }
                }
                Effect::Wait { until } => {
                    if held.is_empty() {
                        self.wait(until)?;
                        continue;
                    }
                    let at = if self.script.returns == ReturnOrder::Oldest { 0 } else { held.len() - 1 };
                    let Held { line, event } = held.remove(at);
                    executor.handle(event, self.now())?;
                    self.write(line, &mut executor)?;
                }
                Effect::Stop(status) => return Ok(Left::Stopped(status)),
            }
        }
        Err(Error::internal(format!("a worker goes on for ever:\n{}", self.trace.join("\n"))))
    }

    fn wait(&mut self, until: Timestamp) -> Result<()> {
        if until == Timestamp::FOREVER {
            return Err(Error::internal("nothing is under way, and nothing will be"));
        }
        self.clock.set(until.max(self.now()));
        Ok(())
    }

    fn ask(&self, turn: usize, request: ModelRequest) -> Option<Held> {
        let reply: Result<ModelReply, ModelError> = self.model.complete(request).now_or_never()?;
        Some(Held { line: trace::replied(turn, &reply), event: Event::Replied(reply) })
    }

    fn call(&self, call: ToolCall) -> Option<Held> {
        let view = call.view(Arc::clone(&self.store) as Arc<_>, self.tenant());
        let tried = call.is_tried.then(|| view.clone());
        let ToolCall { seq, name, input, asked_at, idempotency_key, .. } = call;
        let result: Result<ToolOutput, ToolError> = match self.tools.named(&name) {
            None => Err(ToolError::new(format!("nobody plays {name}"))),
            Some(tool) => {
                let (tenant, run) = (self.tenant(), self.run_id());
                let ids = DerivedIds::new(run, seq);
                let context = ToolContext { tenant, run, seq, now: asked_at, view, ids, idempotency_key };
                let result = if input["hang"] == true {
                    tool.call(context, input).now_or_never()?
                } else {
                    block_on(tool.call(context, input))
                };
                match tried {
                    Some(view) => result.and_then(|output| {
                        let changes =
                            block_on(view.tried(output.changes)).map_err(|error| ToolError::not_made(&error))?;
                        Ok(ToolOutput { changes, ..output })
                    }),
                    None => result,
                }
            }
        };
        Some(Held { line: trace::returned(seq, &result), event: Event::Returned { seq, result } })
    }

    /// Commits until the store answers.
    fn commit(&mut self, executor: &mut Executor, commit: &Commit, lease: &mut Lease) -> Result<Option<Left>> {
        self.commits.push(commit.clone());
        let line = trace::commit(commit);
        let outcome = loop {
            match block_on(self.store.commit(lease, commit.clone(), self.now())) {
                Err(error) if error.is_retryable() => self.clock.advance(STORE_PAUSE),
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(CommitOutcome::Committed { run, lease: new }) => {
                *lease = new;
                executor.handle(Event::Committed, self.now())?;
                self.write(line, executor)?;
                if run.cancel_requested_at.is_some() {
                    executor.handle(Event::CancelRequested, self.now())?;
                }
            }
            Ok(CommitOutcome::Conflicted { seq, error }) => {
                executor.handle(Event::Conflicted { seq, error }, self.now())?;
                self.write(format!("{line}: conflict at {seq}"), executor)?;
            }
            Err(error) if error.kind() == ErrorKind::LeaseLost => return Ok(Some(Left::Abandoned)),
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    /// Writes a line, and gives the orders that wait for it.
    fn write(&mut self, line: String, executor: &mut Executor) -> Result<()> {
        let due: Vec<Order> = self.orders.extract_if(.., |(at, _)| *at == line).map(|(_, order)| order).collect();
        if let Some(at) = self.edits.iter().position(|(at, _)| *at == line) {
            let (_, changes) = self.edits.remove(at);
            let provenance = Provenance::new("somebody", "user_edit");
            block_on(self.store.apply(self.tenant(), changes, provenance, self.now()))?;
        }
        self.note(line);
        for order in due {
            let event = match order {
                Order::Cancel => {
                    let signal = Signal::Cancel { actor: None };
                    block_on(self.store.signal(self.tenant(), self.run_id(), signal, self.now()))?;
                    Event::CancelRequested
                }
                Order::Drain => Event::Drain,
                Order::Abort => Event::Abort,
            };
            executor.handle(event, self.now())?;
        }
        Ok(())
    }

    fn note(&mut self, line: String) {
        self.trace.push(line);
    }

    /// Passes a point; whether the worker crashes there.
    fn point(&mut self) -> bool {
        self.points += 1;
        self.crash_at == Some(self.points)
    }
}
