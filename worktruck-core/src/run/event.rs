use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Result, RunId, Timestamp};

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened to a run.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// Its name in JSON and in stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl FromStr for EventType {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok(Self::$name),)*
                    _ => Err(Error::invalid(format!("{text:?} is not a type of event"))),
                }
            }
        }
    };
}

event_types! {
    /// It was accepted.
    RunQueued = "run.queued",
    /// A worker began it.
    RunStarted = "run.started",
    /// A worker went on with it.
    RunResumed = "run.resumed",
    /// It waits for a person.
    RunWaiting = "run.waiting",
    /// It ended with an output.
    RunSucceeded = "run.succeeded",
    /// It ended without one.
    RunFailed = "run.failed",
    /// Somebody asked for its end.
    RunCancelRequested = "run.cancel_requested",
    /// It ended because somebody asked for it.
    RunCancelled = "run.cancelled",
    /// A worker did not renew its lease.
    LeaseLost = "lease.lost",
    /// A worker gave it back.
    LeaseReleased = "lease.released",
    /// A step was journaled.
    StepRecorded = "step.recorded",
    /// A rule was evaluated.
    GuardrailDecision = "guardrail.decision",
    /// The worst case of a model turn was set aside.
    BudgetReserved = "budget.reserved",
    /// The turn was paid and the rest given back.
    BudgetSettled = "budget.settled",
    /// A part of the budget is spent for which something is to be done.
    BudgetThreshold = "budget.threshold",
    /// Another model goes on.
    ModelFallback = "model.fallback",
    /// A person is asked about a call.
    ApprovalRequested = "approval.requested",
    /// They answered, or it was too late.
    ApprovalDecided = "approval.decided",
    /// Replay found another history than the journal's.
    ReplayDiverged = "replay.diverged",
}

impl EventType {
    /// Whether webhooks may ask for it.
    #[must_use]
    pub const fn is_told(self) -> bool {
        match self {
            Self::RunSucceeded
            | Self::RunFailed
            | Self::RunCancelled
            | Self::RunWaiting
            | Self::ApprovalRequested
            | Self::ApprovalDecided => true,
            Self::RunQueued
            | Self::RunStarted
            | Self::RunResumed
            | Self::RunCancelRequested
            | Self::LeaseLost
            | Self::LeaseReleased
            | Self::StepRecorded
            | Self::GuardrailDecision
            | Self::BudgetReserved
            | Self::BudgetSettled
            | Self::BudgetThreshold
            | Self::ModelFallback
            | Self::ReplayDiverged => false,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event to be recorded with the next commit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct NewEvent {
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// More about it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// Who did it, where a person or another program did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

impl NewEvent {
    /// An event without data.
    #[must_use]
    pub const fn new(event_type: EventType) -> Self {
        Self { event_type, data: Value::Null, actor: None }
    }

    /// An event with data.
    #[must_use]
    pub const fn with(event_type: EventType, data: Value) -> Self {
        Self { event_type, data, actor: None }
    }

    /// The same event at its place in the run's history.
    #[must_use]
    pub fn placed(self, run_id: RunId, seq: u64, at: Timestamp) -> Event {
        let data = if self.data.is_null() { json!({}) } else { self.data };
        Event { id: format!("{run_id}:{seq}"), run_id, seq, event_type: self.event_type, at, actor: self.actor, data }
    }
}

/// Something that happened to a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// Names it.
    pub id: String,
    /// The run.
    pub run_id: RunId,
    /// Its place in the run's history, from 1 without gaps.
    pub seq: u64,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When.
    pub at: Timestamp,
    /// Who did it, where a person or another program did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// More about it.
    pub data: Value,
}
