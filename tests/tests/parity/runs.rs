//! Random lives of runs: accepted, claimed, committed, given back, cancelled and read.

use std::time::Duration;

use serde_json::{Value, json};
use worktruck_core::executor::{Departure, fork};
use worktruck_core::journal::{self, OpenCall, Receipt, Snapshot, Step, StepKind, StepOutcome, Trial};
use worktruck_core::model::Usage;
use worktruck_core::run::{
    BlueprintVersion, ClaimRequest, Claimed, Commit, CommitStep, Cost, EventType, FailureCategory, Lease, NewEvent,
    NewRun, Run, RunStatus, Signal, Transition, WaitingReason,
};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore as _, RunQuery, RunStore as _};
use worktruck_core::testing::{CountingIds, Dice};
use worktruck_core::{Digest, NanoUsd, Result, RunId, StepId, TenantId, Timestamp};

use crate::draw;
use crate::entities;
use crate::watched::Watched;
use crate::world::{BLUEPRINTS, at, begin, page, tenants};

const LEASE: Duration = Duration::from_micros(60);

/// What the script knows of the runs.
#[derive(Debug, Default)]
struct Known {
    runs: Vec<(TenantId, RunId)>,
    held: Vec<Held>,
    /// Commits that were made, with the leases they were made under.
    made: Vec<(Lease, Commit)>,
}

/// A run in the hands of the script; perhaps no longer.
#[derive(Clone, Debug)]
struct Held {
    run: Run,
    lease: Lease,
    seq: u32,
    head: Digest,
    commits: u64,
    begun: bool,
}

/// A random script about runs, and the entities that they change.
pub(crate) async fn script(store: &Watched, seed: u64) {
    // What is removed or forked, and when, leaves the rest of a script as it is drawn.
    let (mut dice, mut of_removal, mut of_forks) = (Dice::new(seed), Dice::new(seed + 1_000), Dice::new(seed + 2_000));
    let mut known = Known::default();
    begin(store).await;
    let mut now = at(100);
    for _ in 0..120 {
        now = now.after(dice.micros(12)).before(dice.micros(3));
        match dice.roll(20) {
            0..3 => known.enqueue(store, &mut dice, now).await,
            3..6 => known.claim(store, &mut dice, now).await,
            6..13 => known.commit(store, &mut dice, now).await,
            13 => known.commit_together(store, &mut dice, now).await,
            14 => known.commit_again(store, &mut dice, now).await,
            15 => known.renew(store, &mut dice, now).await,
            16 => known.signal(store, &mut dice, now).await,
            17 => known.list(store, &mut dice).await,
            18 => known.read(store, &mut dice).await,
            _ => entities::act(store, &mut dice, tenants()[0], &mut now).await,
        }
        let tenant = of_removal.pick(&tenants());
        entities::expire(store, &mut of_removal, tenant, now).await;
        if of_forks.one_in(10) {
            known.fork(store, &mut of_forks, now).await;
        }
    }
    for (tenant, run) in known.runs {
        drop(store.journal(tenant, run).await);
        drop(store.events(tenant, run, page(200, None)).await);
        let mut cursor = None;
        while let Ok(found) = store.commits_of(tenant, run, page(2, cursor.take())).await {
            cursor = found.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
}

impl Known {
    async fn enqueue(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let tenant = dice.pick(&tenants());
        let runs: Vec<NewRun> = (0..=dice.roll(4)).map(|_| self.new_run(dice, now)).collect();
        if let Ok(runs) = store.enqueue(tenant, runs, now).await {
            self.runs.extend(runs.iter().map(|run| (tenant, run.id)));
        }
    }

    /// Goes on from some step of a run, now and then in a way that no store takes.
    async fn fork(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        if self.runs.is_empty() {
            return;
        }
        let (tenant, run) = dice.pick(&self.runs);
        let (Ok(Some(source)), Ok(Some(journal))) = (store.run(tenant, run).await, store.journal(tenant, run).await)
        else {
            return;
        };
        let Some(mut snapshot) = journal.snapshot.clone() else { return };
        snapshot.trial = dice.maybe(2, |_| Trial { as_of: now, answers: Vec::new() });
        let from_seq = u32::try_from(dice.place(journal.steps.len() + 1)).unwrap_or(0) + 1;
        let new = NewRun { idempotency_key: None, ..self.new_run(dice, now) };
        let Ok(mut fork) = fork(&source, &journal, Departure { from_seq, run: new, snapshot }) else { return };
        if dice.one_in(8) {
            fork.steps.reverse();
        }
        if let Ok(run) = store.fork(tenant, fork, now).await {
            self.runs.push((tenant, run.id));
        }
    }

    fn new_run(&self, dice: &mut Dice, now: Timestamp) -> NewRun {
        let fresh = RunId::from_uuid(uuid::Uuid::from_u128(
            0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000 + u128::from(dice.roll(1 << 40).unsigned_abs()),
        ));
        // Now and then an id that is taken.
        let id = if self.runs.is_empty() || !dice.one_in(12) { fresh } else { dice.pick(&self.runs).1 };
        let input = dice.pick(&[json!({ "n": 1 }), json!({ "n": 2 }), Value::Null]);
        let mut new = NewRun::new(id, dice.pick(&BLUEPRINTS), input);
        if dice.one_in(4) {
            new.input = draw::odd(dice);
        }
        if dice.one_in(4) {
            new.metadata.insert("odd".to_owned(), draw::odd(dice));
        }
        new.priority = dice.pick(&[0, 0, 0, 5, 100, -100]);
        new.run_at = dice.maybe(5, |dice| now.after(dice.micros(40)));
        new.budget_usd_cents = dice.maybe(3, |dice| dice.pick(&[0, 100, u32::MAX]));
        new.deadline_secs = dice.maybe(3, |dice| dice.pick(&[1, 3_600]));
        new.idempotency_key = dice.maybe(4, |dice| dice.pick(&["key-1", "key-2", "~"]).to_owned());
        match dice.roll(30) {
            0 => new.priority = 101,
            1 => new.agent_blueprint = String::new(),
            2 => new.deadline_secs = Some(0),
            3 => new.idempotency_key = Some("no key".to_owned()),
            _ => {}
        }
        new
    }

    async fn claim(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let all = BLUEPRINTS.map(|name| [1, 2].map(|version| (name, version))).concat();
        let has = if dice.one_in(3) { vec![dice.pick(&all)] } else { all };
        let named = |(name, version): (&str, u32)| BlueprintVersion { blueprint: name.to_owned(), version };
        let blueprints = has.into_iter().map(named).collect();
        let request = ClaimRequest { blueprints, limit: dice.place(6), lease_for: LEASE };
        let Ok(claimed) = store.claim(request, now).await else { return };
        for Claimed { run, lease, commits, has_journal } in claimed {
            let journal = store.journal(run.tenant_id, run.id).await.ok().flatten().unwrap_or_default();
            let head = journal.head(run.tenant_id, run.id, &run.input).expect("the input has canonical JSON");
            let seq = u32::try_from(journal.steps.len()).expect("scripts make few steps");
            self.held.push(Held { run, lease, seq, head, commits, begun: has_journal });
        }
        // The oldest are forgotten: their leases run out.
        let surplus = self.held.len().saturating_sub(10);
        self.held.drain(..surplus);
    }

    async fn commit(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let Some(place) = self.any(dice) else { return };
        let changes = (0..3).map(|_| if dice.one_in(2) { draw::changes(dice, now) } else { Changes::none() }).collect();
        let commit = self.held[place].commit(dice, changes, now);
        let lease = self.held[place].lease.clone();
        let answer = store.commit(&lease, commit.clone(), now).await;
        self.take_in(place, lease, commit, answer);
    }

    /// Commits of several runs at once. Changes are made by one run of a tenant only: in which
    /// order they would be made is nobody's promise.
    async fn commit_together(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let mut changing = Vec::new();
        let mut committed = Vec::new();
        let mut commits = Vec::new();
        for place in 0..self.held.len() {
            let Held { run, lease, .. } = &self.held[place];
            if committed.contains(&run.id) {
                continue;
            }
            let (id, tenant, lease) = (run.id, run.tenant_id, lease.clone());
            let changes = if changing.contains(&tenant) { Vec::new() } else { vec![draw::changes(dice, now)] };
            changing.push(tenant);
            committed.push(id);
            let commit = self.held[place].commit(dice, changes, now);
            commits.push((place, lease, commit));
        }
        let sent = commits.iter().map(|(_, lease, commit)| (lease.clone(), commit.clone())).collect();
        let answers = store.commit_together(sent, now).await;
        for ((place, lease, commit), answer) in commits.into_iter().zip(answers) {
            self.take_in(place, lease, commit, answer);
        }
    }

    fn take_in(&mut self, place: usize, lease: Lease, commit: Commit, answer: Result<CommitOutcome>) {
        if let Ok(CommitOutcome::Committed { run, lease }) = answer {
            let held = &mut self.held[place];
            held.run = run;
            held.lease = lease;
            held.commits = commit.number;
            if let Some(snapshot) = &commit.snapshot {
                held.begun = true;
                held.head = genesis(&held.run, snapshot);
            }
            if let Some(last) = commit.steps.last() {
                (held.seq, held.head) = (last.step.seq, last.step.hash);
            }
        }
        self.made.push((lease, commit));
    }

    /// The answer to a commit may have been lost.
    async fn commit_again(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let last = self.made.len().saturating_sub(3);
        if let Some((lease, commit)) = self.made.get(last + dice.place(3)) {
            drop(store.commit(lease, commit.clone(), now).await);
        }
    }

    async fn renew(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        let leases: Vec<Lease> = self.held.iter().filter(|_| dice.one_in(2)).map(|held| held.lease.clone()).collect();
        drop(store.renew(&leases, LEASE, now).await);
    }

    async fn signal(&mut self, store: &Watched, dice: &mut Dice, now: Timestamp) {
        if self.runs.is_empty() {
            return;
        }
        let (tenant, run) = dice.pick(&self.runs);
        let tenant = if dice.one_in(8) { dice.pick(&tenants()) } else { tenant };
        let actor = dice.maybe(2, |_| "user:1".to_owned());
        drop(store.signal(tenant, run, Signal::Cancel { actor }, now).await);
    }

    async fn list(&mut self, store: &Watched, dice: &mut Dice) {
        let tenant = dice.pick(&tenants());
        let status = dice.maybe(2, |dice| dice.pick(&RunStatus::ALL));
        let blueprint = dice.maybe(3, |dice| dice.pick(&BLUEPRINTS).to_owned());
        let query = RunQuery { status, blueprint, ..RunQuery::default() };
        let mut cursor = None;
        loop {
            let asked = RunQuery { page: page(3, cursor), ..query.clone() };
            let Ok(found) = store.runs(tenant, asked).await else { return };
            if dice.one_in(8) {
                let other = RunQuery { page: page(3, found.next_cursor.clone()), ..RunQuery::default() };
                drop(store.runs(dice.pick(&tenants()), other).await);
            }
            cursor = found.next_cursor;
            if cursor.is_none() {
                return;
            }
        }
    }

    async fn read(&mut self, store: &Watched, dice: &mut Dice) {
        if self.runs.is_empty() {
            return;
        }
        let (tenant, run) = dice.pick(&self.runs);
        let tenant = if dice.one_in(8) { dice.pick(&tenants()) } else { tenant };
        drop(store.run(tenant, run).await);
        drop(store.journal(tenant, run).await);
        let mut cursor = None;
        while let Ok(found) = store.events(tenant, run, page(2, cursor.take())).await {
            cursor = found.next_cursor;
            if cursor.is_none() {
                return;
            }
        }
    }

    /// One of the runs, more often one that was claimed lately.
    fn any(&self, dice: &mut Dice) -> Option<usize> {
        let all = self.held.len();
        (all > 0).then(|| if dice.one_in(4) { dice.place(4) % all } else { all - 1 - dice.place(3) % all })
    }
}

impl Held {
    /// A commit, now and then of a kind that no store takes.
    fn commit(&self, dice: &mut Dice, changes: Vec<Changes>, now: Timestamp) -> Commit {
        let pins = !self.begun ^ dice.one_in(25);
        let snapshot = pins.then(|| snapshot(dice, &self.run));
        let mut head = snapshot.as_ref().map_or(self.head, |snapshot| genesis(&self.run, snapshot));
        let count = dice.place(4);
        let first = self.seq + if dice.one_in(25) { 2 } else { 1 };
        let mut changes = changes.into_iter();
        let steps: Vec<CommitStep> = (first..)
            .take(count)
            .map(|seq| {
                let step = step(dice, &self.run, seq, head, now);
                head = step.hash;
                let changes = if step.kind == StepKind::Tool { changes.next() } else { None };
                CommitStep { step, changes: changes.unwrap_or_default() }
            })
            .collect();
        let next = first + u32::try_from(count).unwrap_or(0);
        Commit {
            number: self.commits + if dice.one_in(25) { 2 } else { 1 },
            snapshot,
            steps,
            calls: (0..dice.roll(3)).map(|_| open_call(dice, &self.run, next, now)).take(1).collect(),
            approvals: Vec::new(),
            events: (0..dice.roll(3)).map(|_| event(dice)).collect(),
            reserved: NanoUsd::new(dice.roll(1_000)),
            forfeited: NanoUsd::new(dice.roll(3)),
            transition: transition(dice),
            lease_for: LEASE,
        }
    }
}

fn genesis(run: &Run, snapshot: &Snapshot) -> Digest {
    journal::genesis(run.tenant_id, run.id, &run.input, Some(snapshot)).expect("the input has canonical JSON")
}

fn snapshot(dice: &mut Dice, run: &Run) -> Snapshot {
    Snapshot {
        blueprint: run.agent_blueprint.clone(),
        blueprint_version: dice.pick(&[1, 2]),
        config_version: dice.maybe(2, |_| 7),
        model: "local/rules".to_owned(),
        system_prompt: "sweep\u{0}".to_owned(),
        first_message: "begin 😀".to_owned(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: dice.maybe(2, |_| 500),
        deadline_at: at(86_400_000_000),
        max_steps: 50,
        max_tokens: 4_096,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}

fn step(dice: &mut Dice, run: &Run, seq: u32, head: Digest, now: Timestamp) -> Step {
    let kind = dice.pick(&[StepKind::Llm, StepKind::Tool, StepKind::Tool]);
    let name = dice.pick(&["contacts_search", "contacts_propose_merge"]);
    let input = if dice.one_in(3) { draw::odd(dice) } else { json!({ "seq": seq }) };
    let is_turn = kind == StepKind::Llm;
    let mut step = Step {
        id: StepId::new(&CountingIds::new(u16::try_from(seq).unwrap_or(0)), now),
        seq,
        kind,
        name: name.to_owned(),
        call_digest: journal::call_digest(run.id, seq, kind, name, &input).expect("the input has canonical JSON"),
        hash: head,
        input,
        output: dice.maybe(2, draw::odd),
        outcome: dice.pick(&[StepOutcome::Ok, StepOutcome::Error, StepOutcome::Blocked]),
        model: is_turn.then(|| "local/rules".to_owned()),
        usage: is_turn.then(|| Usage { input_tokens: 7, output_tokens: u64::from(seq), ..Usage::default() }),
        cost: Cost(NanoUsd::new(dice.roll(1 << 40))),
        started_at: now,
        completed_at: dice.maybe(2, |_| now.next()),
        payload_ref: None,
        tried: dice.maybe(8, |dice| json!({ "writes": draw::odd(dice) })),
    };
    step.hash = journal::step_hash(head, &step).expect("the payloads have canonical JSON");
    step
}

fn open_call(dice: &mut Dice, run: &Run, seq: u32, now: Timestamp) -> OpenCall {
    let name = "letters_send";
    let receipt = dice.maybe(2, |dice| Receipt {
        outcome: dice.pick(&[StepOutcome::Ok, StepOutcome::Error]),
        output: draw::odd(dice),
        fatal: dice.maybe(4, |_| FailureCategory::ToolFailed),
        started_at: now,
        completed_at: now.next(),
    });
    let call_digest = journal::call_digest(run.id, seq, StepKind::Tool, name, &json!({})).expect("this is JSON");
    OpenCall { seq, name: name.to_owned(), call_digest, approval: None, receipt }
}

fn event(dice: &mut Dice) -> NewEvent {
    let event_type = dice.pick(&[EventType::GuardrailDecision, EventType::BudgetReserved, EventType::BudgetSettled]);
    NewEvent { event_type, data: draw::odd(dice), actor: dice.maybe(3, |_| "user:2".to_owned()) }
}

fn transition(dice: &mut Dice) -> Transition {
    match dice.roll(14) {
        0 => Transition::Succeed { output: draw::odd(dice) },
        1 => Transition::Fail { category: FailureCategory::ToolFailed, detail: "it broke: \u{1f600}".to_owned() },
        2 => Transition::Cancel,
        3 => Transition::Wait { reason: WaitingReason::UnknownOutcome },
        4 | 5 => Transition::Release,
        _ => Transition::Continue,
    }
}
