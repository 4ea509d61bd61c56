//! What is measured: one file for each part that can be asked for by name.

pub(crate) mod steps;

use clap::ValueEnum;

use crate::Result;
use crate::bench::Bench;
use crate::report::Figure;

/// A part of the measurement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Part {
    /// Steps per second, beside the peer and the database's own limit.
    Steps,
}

impl Part {
    /// All of them, in the order in which they are measured.
    pub(crate) const ALL: &[Self] = &[Self::Steps];

    /// What it measures, for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Steps => {
                "steps per second, runs of 10 steps of 1 KB, each step in a commit; enqueue and end included"
            }
        }
    }

    /// Measures it.
    pub(crate) async fn measure(self, bench: &Bench) -> Result<Vec<Figure>> {
        match self {
            Self::Steps => steps::measure(bench).await,
        }
    }
}
