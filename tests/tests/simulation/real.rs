//! The workers of the runtime, over one store in paused time: fewer seeds and fewer places at which something goes
//! wrong, but nothing of what runs is played here but the outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::journal::StepKind;
use worktruck_core::model::{
    Message, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, Usage, UserBlock,
};
use worktruck_core::run::{Answer, ApprovalStatus, Decision, NewRun, Signal, UNKNOWN_OUTCOME};
use worktruck_core::store::{
    ApprovalQuery, Changes, EntityStore as _, MemoryStore, NewTenant, Provenance, RunStore as _, TenantStore as _,
};
use worktruck_core::testing::script::ScriptedModel;
use worktruck_core::testing::{CountingIds, Dice, Fault, FaultyStore};
use worktruck_core::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{Clock, PageRequest, RunId, Secret, TenantId, Timestamp, pricing};

use crate::book::Entry;
use crate::desk::at_once;
use crate::invariants::ends::{never, unasked};
use crate::invariants::{self, Check, Ended, budget, effect_once};
use crate::part::{self, BLUEPRINT, MAIL, MODEL, PUBLISH, Part, SECRET, delivered, price};
use crate::tally::{self, Tally};
use crate::world::START;

/// How many seeds are played.
const SEEDS: u64 = 300;
/// How many of the store's calls may fail.
const CALLS: usize = 1_500;
/// What the trace says of a run that more than one worker had.
const TAKEN_OVER: &str = "was taken";
/// Longer than any seed takes.
const LONG: Duration = Duration::from_secs(86_400);

/// The outside of one seed, and what is known of it.
#[derive(Debug)]
struct Outside {
    notes: Mutex<Notes>,
}

#[derive(Debug)]
struct Notes {
    dice: Dice,
    entries: Vec<Entry>,
    check: Check,
    trace: Vec<String>,
}

impl Outside {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long something takes, mostly not long.
    fn while_(&self) -> Duration {
        let dice = &mut self.notes().dice;
        if dice.one_in(20) { dice.micros(45_000_000) } else { dice.micros(2_000_000) }
    }

    fn roll(&self, sides: i64) -> i64 {
        self.notes().dice.roll(sides)
    }
}

impl Notes {
    fn at(&mut self, run: RunId) -> &mut Entry {
        let place = self.entries.iter().position(|entry| entry.run == run);
        &mut self.entries[place.expect("a run of this seed")]
    }

    fn take(&mut self, check: Check) {
        if self.check.is_ok() {
            self.check = check;
        }
    }
}

/// A clock that shows the time of the runtime, and is off.
#[derive(Debug)]
struct Skewed {
    started: Instant,
    skew: i64,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(START.after(self.monotonic()).as_micros() + self.skew)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

#[derive(Debug)]
struct Model(Arc<Outside>);

#[async_trait]
impl ModelProvider for Model {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        sleep(self.0.while_()).await;
        let turn = ScriptedModel::turn_of(&request);
        let reply = {
            let mut notes = self.0.notes();
            let notes = &mut *notes;
            let input_tokens = 500 + notes.dice.roll(1_400).unsigned_abs();
            let output_tokens = 1 + notes.dice.roll(i64::from(request.max_tokens)).unsigned_abs();
            let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
            let error = ModelError::new(ModelErrorCategory::ProviderUnavailable, format!("not with {SECRET}"));
            let fate = notes.dice.roll(24);
            let entry = &mut notes.entries[number_in(&request)];
            notes.trace.push(format!("turn {turn} of run {}", entry.run));
            if fate != 0 {
                entry.bill += pricing::cost(&[price()], &usage).unwrap_or_default();
            }
            let check = budget::at_bill(entry);
            let reply = match fate {
                0 => Err(error),
                1 => Err(ModelError { may_be_billed: true, ..error }),
                _ => Ok(entry.part.reply(turn, usage)),
            };
            notes.take(check);
            reply
        };
        sleep(self.0.while_()).await;
        reply
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![Secret::new(SECRET)]
    }
}

/// Which run asks: its input says it, and begins the conversation.
fn number_in(request: &ModelRequest) -> usize {
    let Some(Message::User { content }) = request.messages.first().map(|message| &**message) else { return 0 };
    let Some(UserBlock::Text { text }) = content.first() else { return 0 };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("the input has a number")
}

#[derive(Debug)]
struct Call(Arc<Outside>, Arc<ToolSpec>);

#[async_trait]
impl Tool for Call {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.1)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        sleep(self.0.while_()).await;
        {
            let mut notes = self.0.notes();
            let entry = notes.at(context.run);
            let check = match &*self.1.name {
                PUBLISH => {
                    entry.pages.entry(context.seq).or_default().push(context.idempotency_key);
                    effect_once::at_page(entry, context.seq)
                }
                _ => {
                    *entry.mails.entry(context.seq).or_default() += 1;
                    effect_once::at_mail(entry, context.seq)
                }
            };
            notes.take(check);
            notes.trace.push(format!("call {} of {} by run {}", context.seq, self.1.name, context.run));
        }
        sleep(self.0.while_()).await;
        Ok(ToolOutput::new(delivered(&input)))
    }
}

fn blueprint(number: usize, part: &Part) -> Blueprint {
    Blueprint {
        name: format!("{BLUEPRINT}_{number}"),
        version: 1,
        title: String::new(),
        description: String::new(),
        input_schema: json!({}),
        system_prompt: String::new(),
        tools: part::specs().iter().map(|spec| spec.name.clone()).collect(),
        default_model: MODEL.to_owned(),
        default_budget_cents: part.budget_cents,
        default_deadline_seconds: u32::try_from(part.deadline.as_secs()).expect("an hour"),
        default_max_steps: 100,
        max_tokens: 2_000,
        default_guardrails: part.rules.clone(),
        policy: None,
    }
}

/// One seed: the store, and what its workers are made of.
#[derive(Clone, Debug)]
struct Seed {
    store: Arc<FaultyStore<MemoryStore>>,
    outside: Arc<Outside>,
    tenant: TenantId,
    blueprints: Vec<Blueprint>,
    started: Instant,
}

impl Seed {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let ids = CountingIds::new(1);
        let tenant = TenantId::new(&ids, START);
        let changes = Changes::none().create(tally::key(), tally::body());
        at_once(async {
            store.inner().create_tenant(NewTenant::new(tenant, "simulated"), START).await?;
            store.inner().apply(tenant, changes, Provenance::new("nobody", "import"), START).await
        })
        .expect("the store is new");
        let (mut entries, mut blueprints) = (Vec::new(), Vec::new());
        for number in 0..2 {
            let part = Part::draw(&mut dice, number);
            let (run, blueprint) = (RunId::new(&ids, START), blueprint(number, &part));
            let new = NewRun::new(run, blueprint.name.clone(), json!({ "part": number }));
            at_once(store.inner().enqueue(tenant, vec![new], START)).expect("the run is new");
            entries.push(Entry::new(tenant, run, part));
            blueprints.push(blueprint);
        }
        for call in 1..CALLS {
            if dice.one_in(12) {
                store.fail(call, dice.pick(&[Fault::Before, Fault::After]));
            }
        }
        let notes = Mutex::new(Notes { dice, entries, check: Ok(()), trace: Vec::new() });
        Self { store, outside: Arc::new(Outside { notes }), tenant, blueprints, started: Instant::now() }
    }

    fn runtime(&self) -> Runtime {
        let skew = self.outside.roll(20_000_001) - 10_000_000;
        let outside = part::specs().iter().filter(|spec| spec.effect.is_outside());
        let outside = outside.map(|spec| Arc::new(Call(Arc::clone(&self.outside), Arc::clone(spec))) as Arc<dyn Tool>);
        let inside = part::specs().iter().filter_map(|spec| Tally::named(&spec.name));
        let mut builder = Runtime::builder(Arc::clone(&self.store) as Arc<_>)
            .clock(Arc::new(Skewed { started: self.started, skew }))
            .ids(Arc::new(CountingIds::new(2)))
            .provider("simulated", Arc::new(Model(Arc::clone(&self.outside))))
            .prices([price()])
            .tools(outside)
            .tools(inside.map(|tool| Arc::new(tool) as Arc<dyn Tool>));
        for blueprint in &self.blueprints {
            builder = builder.blueprint(blueprint.clone());
        }
        builder.build().expect("the parts fit")
    }

    /// A worker that dies, or is told to stop, and comes back, for ever.
    async fn worker(self) {
        loop {
            sleep(Duration::from_millis(self.outside.roll(8_000).unsigned_abs())).await;
            let worker = self.runtime().worker(WorkerOptions { concurrency: 2, ..WorkerOptions::default() });
            let life = Duration::from_millis(1 + self.outside.roll(90_000).unsigned_abs());
            if self.outside.roll(3) == 0 {
                worker.run_until(sleep(life)).await;
            } else {
                // Dropped, it is a worker that died.
                let _ = timeout(life, worker.run_until(std::future::pending())).await;
            }
        }
    }

    /// People, until all runs have ended.
    async fn people(&self) {
        let runs: Vec<RunId> = self.outside.notes().entries.iter().map(|entry| entry.run).collect();
        loop {
            sleep(Duration::from_millis(500 + self.outside.roll(4_000).unsigned_abs())).await;
            let now = START.after(self.started.elapsed());
            let mut over = true;
            for run in &runs {
                let stored = at_once(self.store.inner().run(self.tenant, *run)).expect("it is there").expect("a run");
                over &= stored.status.is_terminal();
                if stored.status.is_terminal() {
                    continue;
                }
                if self.outside.roll(150) == 0 {
                    let cancel = Signal::Cancel { actor: None };
                    let _ = at_once(self.store.inner().signal(self.tenant, *run, cancel, now));
                }
                self.decide(*run, now);
            }
            if over {
                return;
            }
        }
    }

    fn decide(&self, run: RunId, now: Timestamp) {
        let query = ApprovalQuery { run: Some(run), status: Some(ApprovalStatus::Pending), ..ApprovalQuery::default() };
        let asked = at_once(self.store.inner().approvals(self.tenant, query)).expect("they are listed").data;
        for approval in asked {
            let decision = match self.outside.roll(6) {
                0 | 1 => Decision::Approve { edited_input: None },
                2 => Decision::Approve { edited_input: Some(json!({ "text": "edited" })) },
                3 => Decision::Respond { output: json!({ "answered": "by hand" }) },
                4 => Decision::Reject { fail_run: false },
                _ => continue,
            };
            let again = approval.rule_id == UNKNOWN_OUTCOME && matches!(decision, Decision::Approve { .. });
            let answer = Answer { approval: approval.id, decision, actor: None, note: None };
            let taken = at_once(self.store.inner().signal(self.tenant, run, Signal::Decide(answer), now));
            if taken.is_ok() && again {
                *self.outside.notes().at(run).again.entry(approval.step_seq).or_default() += 1;
            }
        }
    }

    /// What there is when all is over.
    fn look_back(&self) -> Check {
        let store = self.store.inner();
        let page = || PageRequest::largest(None);
        let mut notes = self.outside.notes();
        notes.check.clone()?;
        let failed = |error| unasked("looking back", error);
        let Notes { entries, trace, .. } = &mut *notes;
        for entry in entries {
            let journal = at_once(store.journal(self.tenant, entry.run)).map_err(failed)?.unwrap_or_default();
            entry.steps = journal.steps.iter().map(|step| step.hash).collect();
            entry.turns = journal.steps.iter().filter(|step| step.kind == StepKind::Llm).count();
            let run = at_once(store.run(self.tenant, entry.run)).map_err(failed)?;
            let (status, attempts) = run.map_or((entry.status, 0), |run| (run.status, run.attempt));
            entry.status = status;
            if attempts > 1 {
                trace.push(format!("run {} {TAKEN_OVER} {attempts} times", entry.run));
            }
        }
        if notes.entries.iter().any(|entry| !entry.status.is_terminal()) {
            return Err(never(&notes.entries));
        }
        let mut ended = Vec::new();
        for entry in &notes.entries {
            let run = at_once(store.run(self.tenant, entry.run)).map_err(failed)?.expect("it is there");
            let journal = at_once(store.journal(self.tenant, entry.run)).map_err(failed)?.unwrap_or_default();
            let events = at_once(store.events(self.tenant, entry.run, page())).map_err(failed)?.data;
            ended.push(Ended { entry, run, journal, events });
        }
        let tally = at_once(store.history(self.tenant, tally::key(), page())).map_err(failed)?.data;
        invariants::at_the_end(&ended, &tally, 7)
    }
}

/// Plays one seed; gives what happened, and whether all was well.
fn play(seed: u64) -> (Vec<String>, Check) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let seed = Seed::new(seed);
        let workers: Vec<_> = (0..2).map(|_| tokio::spawn(seed.clone().worker())).collect();
        let _ = timeout(LONG, seed.people()).await;
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        let check = seed.look_back();
        let trace = std::mem::take(&mut seed.outside.notes().trace);
        let calls = seed.store.calls().into_iter().map(str::to_owned);
        (trace.into_iter().chain(calls).collect(), check)
    })
}

#[test]
fn the_workers_of_the_runtime_keep_to_it_too() {
    let (mut mails, mut taken_over) = (0, 0);
    for seed in 0..SEEDS {
        let (trace, check) = play(seed);
        mails += trace.iter().filter(|line| line.contains(MAIL)).count();
        taken_over += trace.iter().filter(|line| line.contains(TAKEN_OVER)).count();
        if let Err(violation) = check {
            panic!("seed {seed}: {violation}\n{}", trace.join("\n"));
        }
    }
    assert!(mails > 100 && taken_over > 100, "{mails} mails and {taken_over} takeovers are next to nothing");
}

#[test]
fn a_seed_of_real_workers_does_the_same_again() {
    for seed in 0..5 {
        assert_eq!(play(seed).0, play(seed).0, "seed {seed}");
    }
}
