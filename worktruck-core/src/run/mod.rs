//! Runs: what is asked for, how far it is, and who may go on with it.

mod approval;
mod budget;
mod event;
mod lease;
mod record;
mod status;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::{Error, NanoUsd, Result, RunId, TenantId, Timestamp};

pub use approval::{Answer, Approval, ApprovalStatus, Decision, ON_BUDGET, UNKNOWN_OUTCOME};
pub use budget::{BudgetAction, OnBudget};
pub use event::{Event, EventType, NewEvent};
pub use lease::{BlueprintVersion, ClaimRequest, Claimed, Lease, Renewal};
pub use record::{Commit, CommitStep, Fork, RunRecord, Signal, Transition};
pub use status::{FailureCategory, RunStatus, WaitingReason};

/// A run of an agent, as anybody may see it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Run {
    /// Names it.
    pub id: RunId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What kind of agent.
    pub agent_blueprint: String,
    /// Where it is in its life.
    pub status: RunStatus,
    /// What was asked for.
    pub input: Value,
    /// What came out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// What its steps cost.
    #[serde(flatten)]
    pub cost: Cost,
    /// What it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_usd_cents: Option<u32>,
    /// How long it may take from its first start; the blueprint's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_secs: Option<u32>,
    /// When it must have ended; set at its first start. The clock stands still while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    /// Not before this moment; while it waits, when it goes on without an answer.
    pub run_at: Timestamp,
    /// Higher goes first, -100 to 100.
    pub priority: i8,
    /// When a worker first took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_category: Option<FailureCategory>,
    /// Why it failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_detail: Option<String>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_reason: Option<WaitingReason>,
    /// When somebody asked for its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// How many times a worker has taken it, clean releases not counted.
    pub attempt: u32,
    /// The version of the agent config that it lives by; `None` before its first start and for a
    /// blueprint without a saved config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_version: Option<u64>,
    /// Whether it is a trial, which writes nothing and calls nobody outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The moment that a trial takes for the present; that of its first start if it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Where it goes on from, if it began in the middle of another run.
    #[serde(flatten)]
    pub forked_from: Option<ForkedFrom>,
    /// Whatever the caller keeps with it.
    pub metadata: Map<String, Value>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The place in another run from which a run goes on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForkedFrom {
    /// The other run.
    #[serde(rename = "forked_from")]
    pub run: RunId,
    /// Its first step that is not part of this run.
    #[serde(rename = "forked_from_seq")]
    pub from_seq: u32,
}

/// A cost in JSON: cents with their fraction, and exact nano-dollars beside them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "CostWire", into = "CostWire")]
pub struct Cost(pub NanoUsd);

#[derive(Deserialize, Serialize)]
struct CostWire {
    cost_usd_cents: Number,
    cost_usd_nano: NanoUsd,
}

impl From<CostWire> for Cost {
    fn from(wire: CostWire) -> Self {
        Self(wire.cost_usd_nano)
    }
}

impl From<Cost> for CostWire {
    fn from(cost: Cost) -> Self {
        Self { cost_usd_cents: cost.0.cents(), cost_usd_nano: cost.0 }
    }
}

/// A run to be accepted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct NewRun {
    /// Names it.
    pub id: RunId,
    /// What kind of agent.
    pub agent_blueprint: String,
    /// What is asked for.
    pub input: Value,
    /// What it may cost; the config's default if absent.
    pub budget_usd_cents: Option<u32>,
    /// How long it may take; the config's default if absent.
    pub deadline_secs: Option<u32>,
    /// Not before this moment; at once if absent.
    pub run_at: Option<Timestamp>,
    /// Higher goes first, -100 to 100.
    pub priority: i8,
    /// Whether it is a trial: its writes are recorded and not made, and nobody outside is called.
    pub dry_run: bool,
    /// The moment that it takes for the present, which makes it a trial; that of its first start if absent.
    pub as_of: Option<Timestamp>,
    /// Whatever the caller keeps with it.
    pub metadata: Map<String, Value>,
    /// Enqueueing again with the same key and content answers with the first run. Kept per tenant.
    pub idempotency_key: Option<String>,
}

impl NewRun {
    /// A run of `agent_blueprint` with `input`, to start at once.
    pub fn new(id: RunId, agent_blueprint: impl Into<String>, input: Value) -> Self {
        Self {
            id,
            agent_blueprint: agent_blueprint.into(),
            input,
            budget_usd_cents: None,
            deadline_secs: None,
            run_at: None,
            priority: 0,
            dry_run: false,
            as_of: None,
            metadata: Map::new(),
            idempotency_key: None,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) naming the field.
    pub fn check(&self) -> Result<()> {
        if self.agent_blueprint.is_empty() {
            return Err(Error::invalid("agent_blueprint must not be empty").at("/agent_blueprint"));
        }
        if !(-100..=100).contains(&self.priority) {
            return Err(Error::invalid("priority must be between -100 and 100").at("/priority"));
        }
        if self.deadline_secs == Some(0) {
            return Err(Error::invalid("deadline_secs must be at least 1").at("/deadline_secs"));
        }
        match self.idempotency_key.as_deref() {
            Some(key) if !(1..=255).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) => {
                Err(Error::invalid("idempotency_key must be 1 to 255 visible ASCII characters").at("/idempotency_key"))
            }
            _ => Ok(()),
        }
    }

    /// The accepted run.
    #[must_use]
    pub fn accept(self, tenant: TenantId, now: Timestamp) -> Run {
        Run {
            id: self.id,
            tenant_id: tenant,
            agent_blueprint: self.agent_blueprint,
            status: RunStatus::Queued,
            input: self.input,
            output: None,
            cost: Cost::default(),
            budget_usd_cents: self.budget_usd_cents,
            deadline_secs: self.deadline_secs,
            deadline_at: None,
            run_at: self.run_at.unwrap_or(now),
            priority: self.priority,
            started_at: None,
            finished_at: None,
            failure_category: None,
            failure_detail: None,
            waiting_reason: None,
            cancel_requested_at: None,
            attempt: 0,
            config_version: None,
            // Nothing that is known of the past alone is a reason to write the present.
            dry_run: self.dry_run || self.as_of.is_some(),
            as_of: self.as_of,
            forked_from: None,
            metadata: self.metadata,
            created_at: now,
            updated_at: now,
        }
    }
}

/// How long a lease lasts unless the runtime is told otherwise.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);
