//! The states of a run and the moves between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted; no worker has it.
    Queued,
    /// A worker holds its lease, or held it until it ran out.
    Running,
    /// A person must decide something; no worker has it.
    Waiting,
    /// Ended with an output.
    Succeeded,
    /// Ended without one; the failure category says why.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Whether a run may go from this status to `to`: the one table of legal moves.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::run::RunStatus::{Queued, Running, Succeeded};
    ///
    /// assert!(Queued.may_become(Running));
    /// assert!(!Queued.may_become(Succeeded));
    /// assert!(!Succeeded.may_become(Running));
    /// ```
    #[must_use]
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Queued => matches!(to, Self::Running | Self::Cancelled),
            Self::Running => {
                matches!(to, Self::Queued | Self::Waiting | Self::Succeeded | Self::Failed | Self::Cancelled)
            }
            Self::Waiting => matches!(to, Self::Running | Self::Failed | Self::Cancelled),
            Self::Succeeded | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run failed. A crash is no reason: another worker takes the run over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCategory {
    /// A provider refused the key, or a key is missing.
    AuthFailed,
    /// A tool failed in a way that no other call can mend.
    ToolFailed,
    /// A guardrail, a person or the model itself refused to go on.
    GuardrailBlocked,
    /// The run cannot be executed as it is configured, or its journal does not fit its replay.
    ConfigError,
    /// The deadline passed.
    Timeout,
    /// The budget, the number of steps or of repeated calls is used up.
    BudgetExhausted,
}

impl FailureCategory {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthFailed => "auth_failed",
            Self::ToolFailed => "tool_failed",
            Self::GuardrailBlocked => "guardrail_blocked",
            Self::ConfigError => "config_error",
            Self::Timeout => "timeout",
            Self::BudgetExhausted => "budget_exhausted",
        }
    }
}

impl fmt::Display for FailureCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a run waits for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingReason {
    /// A person decides about a call.
    Approval,
    /// A call with outside effects may or may not have happened before a crash.
    UnknownOutcome,
}

impl WaitingReason {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }
}
