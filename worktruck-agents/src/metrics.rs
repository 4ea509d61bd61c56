//! What a runtime counts: a port to whatever keeps the numbers, and numbers kept in memory.

mod counters;

use std::fmt;
use std::time::Duration;

use worktruck_core::NanoUsd;
use worktruck_core::journal::{StepKind, StepOutcome};
use worktruck_core::model::Usage;
use worktruck_core::run::{Commit, Run, RunStatus};

pub use counters::Counters;

/// Something that happened in this process and is to be counted.
///
/// Each happens once, however often a commit was made again. What happens in other processes is counted there; only
/// how much is queued is the same for all.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measured<'a> {
    /// A worker took a run.
    Claimed {
        /// What kind of agent.
        blueprint: &'a str,
    },
    /// A worker lost its lease of a run: the run is another worker's.
    LeaseLost {
        /// What kind of agent.
        blueprint: &'a str,
    },
    /// A step joined a journal.
    Step {
        /// What kind of agent.
        blueprint: &'a str,
        /// What it is.
        kind: StepKind,
        /// How it ended.
        outcome: StepOutcome,
    },
    /// The step was a turn of a model.
    Turn {
        /// What kind of agent.
        blueprint: &'a str,
        /// The model, by its full name.
        model: &'a str,
        /// What it used.
        usage: Usage,
        /// What it cost.
        cost: NanoUsd,
    },
    /// How much work waits for a worker, of any process: a worker looks now and then.
    Queued {
        /// What kind of agent.
        blueprint: &'a str,
        /// How many runs wait.
        depth: u64,
        /// How long the one has waited that waits longest.
        age: Duration,
    },
    /// A blueprint was disabled for a tenant, because too many of its runs have failed.
    Disabled {
        /// What kind of agent.
        blueprint: &'a str,
    },
    /// A run ended.
    Ended {
        /// What kind of agent.
        blueprint: &'a str,
        /// How.
        status: RunStatus,
    },
}

/// Keeps numbers: a port, for whatever an application measures with.
///
/// It is called beside the work of runs, so it must neither wait nor fail.
pub trait Metrics: fmt::Debug + Send + Sync + 'static {
    /// Counts something.
    fn record(&self, measured: Measured<'_>);
}

/// Counts nothing.
#[derive(Debug)]
pub(crate) struct Unmeasured;

impl Metrics for Unmeasured {
    fn record(&self, _measured: Measured<'_>) {}
}

/// Counts what a commit that took effect did; `run` is as it is afterwards.
pub(crate) fn committed(metrics: &dyn Metrics, run: &Run, commit: &Commit) {
    let blueprint = &*run.agent_blueprint;
    for step in commit.steps.iter().map(|done| &done.step) {
        metrics.record(Measured::Step { blueprint, kind: step.kind, outcome: step.outcome });
        if let (StepKind::Llm, Some(usage)) = (step.kind, step.usage) {
            metrics.record(Measured::Turn { blueprint, model: &step.name, usage, cost: step.cost.0 });
        }
    }
    ended(metrics, run);
}

/// Counts a run that has ended, and no other.
pub(crate) fn ended(metrics: &dyn Metrics, run: &Run) {
    if run.status.is_terminal() {
        metrics.record(Measured::Ended { blueprint: &run.agent_blueprint, status: run.status });
    }
}
