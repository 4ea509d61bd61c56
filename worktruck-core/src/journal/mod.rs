//! The journal of a run: what is recorded, how it is chained, and how a replay is checked.

mod export;
mod hash;
mod replay;
mod timeline;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::guardrail::Rule;
use crate::model::Usage;
use crate::pricing::Price;
use crate::run::{Approval, Cost, OnBudget};
use crate::tool::ToolSpec;
use crate::{ApprovalId, Digest, NanoUsd, Result, RunId, StepId, TenantId, Timestamp};

pub use export::RunExport;
pub use hash::{call_digest, genesis, payload_ref, step_hash};
pub use replay::{Asked, Difference, Divergence, Verification, verify};
pub use timeline::{Entry, Timeline};

/// Everything that a run lives by from its first start to its end, whatever is deployed or
/// edited meanwhile.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Snapshot {
    /// The blueprint.
    pub blueprint: String,
    /// Its version.
    pub blueprint_version: u32,
    /// The version of the saved agent config, if there is one.
    pub config_version: Option<u64>,
    /// The model, `provider/model`.
    pub model: String,
    /// The models that are asked in its place while it cannot be, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback_models: Vec<String>,
    /// The rendered system prompt.
    pub system_prompt: String,
    /// The first message, made of the run's input.
    pub first_message: String,
    /// The tools that may be offered.
    pub tools: Vec<ToolSpec>,
    /// The rules.
    pub guardrails: Vec<Rule>,
    /// The prices of the models, as they were.
    pub prices: Vec<Price>,
    /// What the run may cost; no limit if absent.
    pub budget_usd_cents: Option<u32>,
    /// What is done when parts of that are spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_budget: Vec<OnBudget>,
    /// When the run must have ended.
    pub deadline_at: Timestamp,
    /// How many steps it may have.
    pub max_steps: u32,
    /// How many output tokens a model turn may have.
    pub max_tokens: u32,
    /// How many times the same call may be made.
    pub max_repeats: u32,
    /// The IANA time zone of the tenant; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What the run sees and is answered if it is a trial; absent if it takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// What a run lives by that tries things out without doing them: a trial.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trial {
    /// The moment that it takes for the present: it sees what the store held for true then, and what it has tried to
    /// write itself.
    pub as_of: Timestamp,
    /// What calls outside came back with in the run that it was forked from, in the order in which they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Recalled>,
}

/// What a call outside came back with in another run: in a trial it stands for the call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recalled {
    /// The tool.
    pub tool: String,
    /// The digest of its input.
    pub input: Digest,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What came out.
    pub output: Value,
}

/// What a step is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A turn of the model.
    Llm,
    /// A call of a tool.
    Tool,
}

impl StepKind {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Tool => "tool",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// As it should.
    Ok,
    /// With an error, which the model sees.
    Error,
    /// A guardrail refused it.
    Blocked,
}

impl StepOutcome {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Blocked => "blocked",
        }
    }
}

/// A journaled step: a model turn or a tool call, with what went in, what came out and its cost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Step {
    /// Names it.
    pub id: StepId,
    /// Its place in the journal, from 1 without gaps.
    pub seq: u32,
    /// What it is.
    pub kind: StepKind,
    /// The model or the tool.
    pub name: String,
    /// What was asked: run, seq, kind, name and input. Serves replay and idempotency keys.
    pub call_digest: Digest,
    /// The chain: the hash before it, the call digest and everything recorded.
    pub hash: Digest,
    /// What went in. A model turn's input names the transcript that it saw by its end and digest.
    pub input: Value,
    /// What came out. Nothing is not `null`, which a tool may well answer: the chain tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Value>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tokens of a model turn.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Names the output where it is stored out of line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_ref: Option<Digest>,
    /// The changes that it would have made to the store, if the run is a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Value>,
}

/// Reads a member that is there as a value, also where it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A payload whose canonical JSON is longer than this many bytes is stored out of line.
pub const INLINE_PAYLOAD_BYTES: usize = 16 * 1024;

/// A call of a tool with outside effects that is not in the chain yet.
///
/// It is journaled without a receipt before the call is made. The receipt is stored as soon as
/// the call returns; the step joins the chain when all steps before it have.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OpenCall {
    /// The place in the journal that the call will have.
    pub seq: u32,
    /// The tool.
    pub name: String,
    /// What was asked; the idempotency key of the call.
    pub call_digest: Digest,
    /// The answer of a person on which it is made. One that is asked for later is about whether it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// What came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What an outside call came back with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Receipt {
    /// How it ended.
    pub outcome: StepOutcome,
    /// What came out.
    pub output: Value,
    /// Whether the error ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fatal: Option<crate::run::FailureCategory>,
    /// When the call began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// All that is recorded of a run: enough to go on with it anywhere.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Journal {
    /// What the run lives by; absent before its first start.
    pub snapshot: Option<Snapshot>,
    /// The chain of steps, in order.
    pub steps: Vec<Step>,
    /// The calls that are not in the chain yet, in order.
    pub calls: Vec<OpenCall>,
    /// What people were asked about its calls, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// The number of the last commit.
    pub commits: u64,
    /// What is set aside for a model turn under way.
    pub reserved: NanoUsd,
    /// What was set aside for turns that a crash interrupted: it counts against the budget.
    pub forfeited: NanoUsd,
}

impl Journal {
    /// The exact sum of the steps' costs.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        self.steps.iter().map(|step| step.cost.0).sum()
    }

    /// The hash that the next step is chained to.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the snapshot or the input has no canonical JSON form.
    pub fn head(&self, tenant: TenantId, run: RunId, input: &Value) -> Result<Digest> {
        match (self.steps.last(), &self.snapshot) {
            (Some(step), _) => Ok(step.hash),
            (None, snapshot) => genesis(tenant, run, input, snapshot.as_ref()),
        }
    }
}
