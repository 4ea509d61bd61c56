use serde::Serialize;
use serde_json::Value;

use crate::model::Usage;
use crate::{Digest, NanoUsd, Result, RunId, StepId, TenantId, Timestamp};

use super::{INLINE_PAYLOAD_BYTES, Snapshot, Step, StepKind, StepOutcome};

/// What a step asks: SHA-256 over canonical JSON of the run, its place, what it is and its input.
///
/// It knows no output, so the same call has the same digest before it is made, after it, and when
/// it is made again.
///
/// # Errors
///
/// `InvalidRequest` if the input has no canonical JSON form.
pub fn call_digest(run: RunId, seq: u32, kind: StepKind, name: &str, input: &Value) -> Result<Digest> {
    #[derive(Serialize)]
    struct Call<'a> {
        run: RunId,
        seq: u32,
        kind: StepKind,
        name: &'a str,
        input: &'a Value,
    }
    Digest::of_json(&Call { run, seq, kind, name, input })
}

/// The name of a payload that is stored out of line, if it is so long.
#[must_use]
pub fn payload_ref(payload: &Value) -> Option<Digest> {
    let canonical = serde_json_canonicalizer::to_vec(payload).ok()?;
    (canonical.len() > INLINE_PAYLOAD_BYTES).then(|| Digest::of_bytes(&canonical))
}

/// The hash that the first step of a run is chained to.
///
/// # Errors
///
/// `InvalidRequest` if the input or the snapshot has no canonical JSON form.
pub fn genesis(tenant: TenantId, run: RunId, input: &Value, snapshot: Option<&Snapshot>) -> Result<Digest> {
    #[derive(Serialize)]
    struct Genesis {
        tenant: TenantId,
        run: RunId,
        input: Digest,
        snapshot: Option<Digest>,
    }
    let snapshot = snapshot.map(Digest::of_json).transpose()?;
    Digest::of_json(&Genesis { tenant, run, input: Digest::of_json(input)?, snapshot })
}

/// The hash of a step that follows the step with the hash `previous`.
///
/// It covers everything that is recorded, payloads by their digests, so that a payload can be
/// stored elsewhere or erased without breaking the chain.
///
/// # Errors
///
/// `InvalidRequest` if a payload has no canonical JSON form.
pub fn step_hash(previous: Digest, step: &Step) -> Result<Digest> {
    #[derive(Serialize)]
    struct Link<'a> {
        previous: Digest,
        call: Digest,
        id: StepId,
        seq: u32,
        kind: StepKind,
        name: &'a str,
        input: Digest,
        output: Option<Digest>,
        outcome: StepOutcome,
        model: Option<&'a str>,
        usage: Option<Usage>,
        cost: NanoUsd,
        started_at: Timestamp,
        completed_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tried: Option<Digest>,
    }
    Digest::of_json(&Link {
        previous,
        call: step.call_digest,
        id: step.id,
        seq: step.seq,
        kind: step.kind,
        name: &step.name,
        input: Digest::of_json(&step.input)?,
        // What was erased is known by its digest.
        output: step.output.as_ref().map(Digest::of_json).transpose()?.or(step.payload_ref),
        outcome: step.outcome,
        model: step.model.as_deref(),
        usage: step.usage,
        cost: step.cost.0,
        started_at: step.started_at,
        completed_at: step.completed_at,
        tried: step.tried.as_ref().map(Digest::of_json).transpose()?,
    })
}
