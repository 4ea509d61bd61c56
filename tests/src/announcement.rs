use serde::{Deserialize, Serialize};
use worktruck_core::RunId;
use worktruck_core::run::{Commit, RunStatus, Transition};

/// A line that a worker process writes to its standard output.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Announcement {
    /// Its store is open and it listens to signals.
    Ready,
    /// It asked for runs.
    Claimed {
        /// How many it got.
        runs: usize,
    },
    /// It hands a request to the client that calls outside.
    Calls,
    /// It stays where it was told to: the run gets no further until it is told to go on.
    Held {
        /// What it was about to do, or has done.
        beside: Beside,
    },
    /// It goes on.
    GoesOn,
    /// A commit is about to reach the store.
    Before {
        /// The commit.
        commit: CommitSummary,
    },
    /// The store answered to a commit.
    After {
        /// The commit.
        commit: CommitSummary,
        /// What it answered.
        answer: Answer,
    },
    /// It was told to stop.
    Stopping,
}

/// Beside what a worker process is held.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// The claim that took the run.
    Claim,
    /// A read.
    Read,
    /// A commit.
    Commit,
    /// A call outside, which has arrived and is not answered.
    CallOutside,
}

/// What a store answered to a commit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It took effect.
    Committed,
    /// The lease is another worker's.
    LeaseLost,
    /// The store could not be reached: it may be made again.
    Unavailable,
    /// Anything else.
    Other,
}

/// What a commit holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CommitSummary {
    /// The run.
    pub run: RunId,
    /// Counts the commits of the run.
    pub number: u64,
    /// The steps that join the chain.
    pub steps: Vec<u32>,
    /// The outside calls that are about to be made.
    pub opened: Vec<u32>,
    /// The outside calls that came back and cannot join the chain yet.
    pub receipts: Vec<u32>,
    /// The status that it leaves the run in.
    pub leaves: RunStatus,
}

impl CommitSummary {
    /// What `commit` of `run` holds.
    #[must_use]
    pub fn of(run: RunId, commit: &Commit) -> Self {
        let calls = |back: bool| {
            let of_kind = commit.calls.iter().filter(|call| call.receipt.is_some() == back);
            of_kind.map(|call| call.seq).collect()
        };
        Self {
            run,
            number: commit.number,
            steps: commit.steps.iter().map(|step| step.step.seq).collect(),
            opened: calls(false),
            receipts: calls(true),
            leaves: match commit.transition {
                Transition::Continue => RunStatus::Running,
                Transition::Succeed { .. } => RunStatus::Succeeded,
                Transition::Fail { .. } => RunStatus::Failed,
                Transition::Cancel => RunStatus::Cancelled,
                Transition::Wait { .. } => RunStatus::Waiting,
                Transition::Release => RunStatus::Queued,
            },
        }
    }
}

impl Announcement {
    /// The status that a commit which took effect left its run in, unless the run goes on.
    #[must_use]
    pub fn left(&self) -> Option<RunStatus> {
        match self {
            Self::After { commit, answer: Answer::Committed } if commit.leaves != RunStatus::Running => {
                Some(commit.leaves)
            }
            _ => None,
        }
    }
}
