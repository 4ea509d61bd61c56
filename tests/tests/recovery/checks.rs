//! What must hold of a run, however often its worker died.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use worktruck_core::NanoUsd;
use worktruck_core::entity::Kind;
use worktruck_core::journal::{Journal, Step, StepKind, StepOutcome, verify};
use worktruck_core::run::{EventType, RunStatus, WaitingReason};
use worktruck_core::{Digest, RunId};

use crate::world::{Kept, World};
use worktruck_tests::Backend;

const LETTER: &str = "letters_send";
const FAX: &str = "faxes_send";

/// What a run does when nobody disturbs it.
pub(crate) struct Undisturbed {
    pub(crate) backend: Backend,
    pub(crate) steps: Vec<Line>,
    pub(crate) commits: u64,
    /// How many calls there were outside.
    pub(crate) arrivals: usize,
    pub(crate) output: Option<Value>,
}

/// A step without what differs from run to run: ids, times, digests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) seq: u32,
    pub(crate) kind: StepKind,
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) outcome: StepOutcome,
}

impl Undisturbed {
    pub(crate) async fn run(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let run = world.whole_run().await;
        world.finish().await;
        let kept = world.kept(run).await;
        assert_eq!(kept.run.status, RunStatus::Succeeded, "{:?}", kept.run.failure_detail);
        let undisturbed = Self {
            backend,
            steps: lines(&kept.journal),
            commits: kept.journal.commits,
            arrivals: world.server.arrivals().len(),
            output: kept.run.output.clone(),
        };
        assert_eq!(undisturbed.output, Some(json!({ "turns": 5, "errors": 3 })));
        let outcomes = |wanted| undisturbed.steps.iter().filter(|line| line.outcome == wanted).count();
        assert_eq!([StepOutcome::Ok, StepOutcome::Error, StepOutcome::Blocked].map(outcomes), [20, 2, 1]);
        assert_exactly_once(&world, run, "undisturbed").await;
        assert_eq!(world.server.letters(run).into_values().collect::<Vec<_>>(), [1; 5]);
        assert_eq!(world.server.faxes(run).into_values().collect::<Vec<_>>(), [1; 2]);
        assert_eq!(world.server.asks("whole").into_values().collect::<Vec<_>>(), [1; 6]);
        undisturbed
    }

    /// The place of the call of `tool` to `to`.
    pub(crate) fn seq(&self, tool: &str, to: &str) -> u32 {
        let call = |line: &&Line| line.name == tool && line.input["to"] == to;
        self.steps.iter().find(call).map(|line| line.seq).unwrap()
    }
}

fn lines(journal: &Journal) -> Vec<Line> {
    let line = |step: &Step| Line {
        seq: step.seq,
        kind: step.kind,
        name: step.name.clone(),
        input: match step.kind {
            StepKind::Llm => step.input["transcript_through"].clone(),
            StepKind::Tool => step.input.clone(),
        },
        outcome: step.outcome,
    };
    journal.steps.iter().map(line).collect()
}

/// Every effect of the run is there once, and nothing is there that its journal does not say.
pub(crate) async fn assert_exactly_once(world: &World, run: RunId, context: &str) {
    let Kept { run, journal, events } = world.kept(run).await;
    let verified = verify(world.tenant, run.id, &run.input, &journal).unwrap();
    assert!(verified.valid, "{context}: {verified:?}");
    let seqs: Vec<u32> = journal.steps.iter().map(|step| step.seq).collect();
    assert_eq!(seqs, (1..=verified.steps).collect::<Vec<_>>(), "{context}: no step is missing or there twice");

    let recorded = events.iter().filter(|event| event.event_type == EventType::StepRecorded);
    let recorded: Vec<Value> = recorded.map(|event| event.data["step_seq"].clone()).collect();
    assert_eq!(recorded, seqs.iter().map(|seq| json!(seq)).collect::<Vec<_>>(), "{context}: one event a step");
    assert_eq!(run.cost.0, journal.cost(), "{context}: the run costs what its steps cost");
    let budget = NanoUsd::from_cents(run.budget_usd_cents.unwrap().into());
    assert!(journal.cost() + journal.forfeited + journal.reserved <= budget, "{context}: the budget is kept");

    for (kind, tool) in [(Kind::Contact, "contacts_create"), (Kind::MergeProposal, "contacts_propose_merge")] {
        let steps: Vec<u32> = made(&journal, tool).map(|step| step.seq).collect();
        let written = world.written(kind).await;
        let written = written.iter().filter(|version| version.provenance.run_id == Some(run.id));
        let written: Vec<u32> = written.map(|version| version.provenance.step_seq.unwrap()).collect();
        assert_eq!(written, steps, "{context}: one {kind} for each step of {tool}");
    }

    // Letters: each call has its digest as its key, so that it happens once however often it is made.
    let letters = world.server.letters(run.id);
    let key = |digest: Digest| json!(digest).as_str().unwrap().to_owned();
    let mut keys: BTreeSet<String> = reached(&journal, LETTER).map(|step| key(step.call_digest)).collect();
    keys.extend(journal.calls.iter().filter(|call| call.name == LETTER).map(|call| key(call.call_digest)));
    assert_eq!(
        letters.keys().cloned().collect::<BTreeSet<_>>(),
        keys,
        "{context}: the letters are those of the journal"
    );
    for (key, calls) in letters {
        assert!(calls <= usize::try_from(run.attempt).unwrap(), "{context}: the letter {key} was sent {calls} times");
    }

    // Faxes: nothing makes a second one harmless, so there is none.
    let faxes = world.server.faxes(run.id);
    assert!(faxes.values().all(|calls| *calls == 1), "{context}: {faxes:?}");
    for step in made(&journal, FAX) {
        assert_eq!(faxes.get(step.input["to"].as_str().unwrap()), Some(&1), "{context}: the fax of step {}", step.seq);
    }
}

/// A run whose worker died when `left` was kept, and which another worker has gone on with.
pub(crate) async fn assert_recovered(world: &World, undisturbed: &Undisturbed, left: &Kept, context: &str) {
    let run = left.run.id;
    assert_exactly_once(world, run, context).await;
    let kept = world.kept(run).await;
    let unknown = open_fax(&left.journal);
    let steps = lines(&kept.journal);
    if left.run.status.is_terminal() {
        assert_eq!(kept, *left, "{context}: an ended run is left alone");
    } else if let Some(unknown) = unknown {
        assert_eq!(kept.run.status, RunStatus::Waiting, "{context}");
        assert_eq!(kept.run.waiting_reason, Some(WaitingReason::UnknownOutcome), "{context}");
        assert_eq!(open_fax(&kept.journal), Some(unknown), "{context}: what is unknown stays so");
        assert_eq!(steps, undisturbed.steps[..steps.len()], "{context}");
        assert!(steps.iter().all(|line| line.seq < unknown), "{context}: nothing joins the chain after it");
    } else {
        assert_eq!(kept.run.status, RunStatus::Succeeded, "{context}: {:?}", kept.run.failure_detail);
        assert_eq!(steps, undisturbed.steps, "{context}: the journal is the undisturbed one");
        assert_eq!(kept.run.output, undisturbed.output, "{context}");
        assert!(kept.journal.calls.is_empty(), "{context}: no call is open");
    }
    let taken_over = !left.run.status.is_terminal();
    assert_eq!(left.run.attempt, 1, "{context}");
    assert_eq!(kept.run.attempt, if taken_over { 2 } else { 1 }, "{context}");
    let count = |wanted| kept.events.iter().filter(|event| event.event_type == wanted).count();
    assert_eq!(count(EventType::RunStarted), 1, "{context}");
    assert_eq!(count(EventType::RunResumed), usize::from(taken_over), "{context}");
    assert_eq!(count(EventType::LeaseLost), usize::from(taken_over), "{context}");
    assert_eq!(left.journal.steps, kept.journal.steps[..left.journal.steps.len()], "{context}: no step is rewritten");
    if taken_over {
        let lost = left.journal.reserved + left.journal.forfeited;
        assert_eq!(kept.journal.forfeited, lost, "{context}: what the dead worker had set aside counts as spent");
    }
    assert_nothing_recorded_is_repeated(world, left, context);
}

fn assert_nothing_recorded_is_repeated(world: &World, left: &Kept, context: &str) {
    let run = left.run.id;
    let turns = left.journal.steps.iter().filter(|step| step.kind == StepKind::Llm).count();
    let asks = world.server.asks("whole");
    for (turn, asked) in &asks {
        let at_most = if *turn < turns { 1 } else { 2 };
        assert!(*asked <= at_most, "{context}: turn {turn} was asked for {asked} times");
    }
    let letters = world.server.letters(run);
    let calls = left.journal.calls.iter().filter(|call| call.name == LETTER && call.receipt.is_some());
    let recorded = reached(&left.journal, LETTER).map(|step| step.call_digest);
    for digest in recorded.chain(calls.map(|call| call.call_digest)) {
        let key = json!(digest);
        assert_eq!(letters.get(key.as_str().unwrap()), Some(&1), "{context}: the letter {key} has its receipt");
    }
    let sent: BTreeMap<_, _> = letters.iter().filter(|(_, calls)| **calls > 2).collect();
    assert!(sent.is_empty(), "{context}: {sent:?}");
}

/// The place of the fax of which nobody knows whether it was sent.
fn open_fax(journal: &Journal) -> Option<u32> {
    journal.calls.iter().find(|call| call.name == FAX && call.receipt.is_none()).map(|call| call.seq)
}

/// The steps of a tool that did what they should.
fn made<'a>(journal: &'a Journal, tool: &'a str) -> impl Iterator<Item = &'a Step> {
    journal.steps.iter().filter(move |step| step.name == tool && step.outcome == StepOutcome::Ok)
}

/// The steps of an outside tool that were not blocked.
fn reached<'a>(journal: &'a Journal, tool: &'a str) -> impl Iterator<Item = &'a Step> {
    journal.steps.iter().filter(move |step| step.name == tool && step.outcome != StepOutcome::Blocked)
}
