//! What is measured: one file for each part that can be asked for by name.

mod cost;
mod entities;
mod latency;
mod steps;
mod takeover;

use clap::ValueEnum;

use crate::Result;
use crate::bench::Bench;
use worktruck_benches::report::Figure;

/// A part of the measurement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Part {
    /// Steps per second, beside the peer and the database's own limit.
    Steps,
    /// How long an enqueued run waits for its first step.
    Latency,
    /// Statements, commits and bytes of the server's log for a step.
    Cost,
    /// How long runs stand still when their worker ends.
    Takeover,
    /// Entities with a history, beside a plain table.
    Entities,
}

impl Part {
    /// All of them, in the order in which they are measured.
    pub(crate) const ALL: &[Self] = &[Self::Steps, Self::Latency, Self::Cost, Self::Takeover, Self::Entities];

    /// What it measures, for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Steps => {
                "steps per second, runs of 10 steps of 1 KB, each step in a commit; enqueue and end included"
            }
            Self::Latency => "enqueue until the first step begins, when nothing else is done",
            Self::Cost => "what a step costs the server, beyond what its run costs",
            Self::Takeover => "how long runs stand still when their worker ends",
            Self::Entities => "contacts with 10 versions each, beside a plain table with the same indexes",
        }
    }

    /// Measures it.
    pub(crate) async fn measure(self, bench: &Bench) -> Result<Vec<Figure>> {
        match self {
            Self::Steps => steps::measure(bench).await,
            Self::Latency => latency::measure(bench).await,
            Self::Cost => cost::measure(bench).await,
            Self::Takeover => takeover::measure(bench).await,
            Self::Entities => entities::measure(bench).await,
        }
    }
}
