mod approvals;
mod budget;
mod check;
mod compaction;
mod conflicts;
mod divergence;
mod failover;
mod faults;
mod forks;
mod hooks;
mod interruptions;
mod resume;
mod rules;
mod trials;
mod turns;

use std::sync::Arc;

use futures::executor::block_on;
use serde_json::Value;

use crate::journal::StepKind;
use crate::run::{Event, EventType, FailureCategory, Run, RunStatus};
use crate::store::{MemoryStore, RunStore as _};
use crate::testing::FaultyStore;
use crate::testing::script::{Script, Stage};
use crate::{EntityId, NanoUsd, PageRequest};

/// A stage on which the run is accepted, and its store.
fn stage(script: Script) -> (Stage, Arc<FaultyStore<MemoryStore>>) {
    let store = Arc::new(FaultyStore::new(MemoryStore::default()));
    let stage = Stage::new(script, Arc::clone(&store) as Arc<_>);
    stage.prepare_in(store.inner()).unwrap();
    (stage, store)
}

/// A run that was played without any trouble.
fn played(script: Script) -> (Stage, Arc<FaultyStore<MemoryStore>>) {
    let (mut stage, store) = stage(script);
    stage.play().unwrap();
    (stage, store)
}

/// What must be the same however often a run was taken over.
#[derive(Clone, Debug, PartialEq)]
struct End {
    status: RunStatus,
    output: Option<Value>,
    failure: Option<(FailureCategory, String)>,
    cost: NanoUsd,
    steps: Vec<StepEnd>,
    contacts: Vec<(String, u64)>,
    /// How many different calls each tool got.
    distinct: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct StepEnd {
    name: String,
    /// Of a tool; a model's names the chain before it, which knows times.
    input: Option<Value>,
    output: Option<Value>,
    outcome: &'static str,
    cost: NanoUsd,
}

impl End {
    fn of(stage: &Stage, store: &FaultyStore<MemoryStore>) -> Self {
        let run: Run = stage.run_in(store.inner()).unwrap();
        let journal = stage.journal_in(store.inner()).unwrap();
        assert_eq!(run.cost.0, journal.cost(), "the run costs what its steps cost");
        let steps = journal
            .steps
            .into_iter()
            .map(|step| StepEnd {
                input: (step.kind == StepKind::Tool).then_some(step.input),
                name: step.name,
                output: step.output,
                outcome: step.outcome.as_str(),
                cost: step.cost.0,
            })
            .collect();
        let contacts: Vec<(String, EntityId, u64)> = stage.contacts_in(store.inner()).unwrap();
        Self {
            status: run.status,
            output: run.output,
            failure: run.failure_category.map(|it| (it, without_amounts(&run.failure_detail.unwrap_or_default()))),
            cost: run.cost.0,
            steps,
            contacts: contacts.into_iter().map(|(name, _, version)| (name, version)).collect(),
            distinct: stage.tools().all().iter().map(|tool| tool.distinct()).collect(),
        }
    }
}

/// What a crash forfeits shows in the amount that is left.
fn without_amounts(detail: &str) -> String {
    detail.chars().filter(|c| !c.is_ascii_digit() && !"-.".contains(*c)).collect()
}

/// Why the run failed, and in which words.
fn failure(stage: &Stage, store: &FaultyStore<MemoryStore>) -> (FailureCategory, String) {
    let run = stage.run_in(store.inner()).unwrap();
    (run.failure_category.expect("the run failed"), run.failure_detail.unwrap_or_default())
}

/// What happened to the run, by type.
fn events(stage: &Stage, store: &FaultyStore<MemoryStore>) -> Vec<Event> {
    let page = PageRequest::new(PageRequest::MAX_LIMIT, None).unwrap();
    block_on(store.inner().events(stage.tenant(), stage.run_id(), page)).unwrap().data
}

fn count(events: &[Event], event_type: EventType) -> usize {
    events.iter().filter(|event| event.event_type == event_type).count()
}
