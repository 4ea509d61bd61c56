#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Result, RunId, TenantId};

use super::{Journal, Step, StepKind, call_digest, genesis, step_hash};

/// Whether a journal is what was once recorded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verification {
    /// Whether every step is.
    pub valid: bool,
    /// How many steps the journal has.
    pub steps: u32,
    /// The place of the first step that is not, or that does not follow the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_bad_seq: Option<u32>,
    /// The recorded hash of the last step; without steps the hash that the first one will follow.
    pub head_hash: Digest,
    /// How many steps have an output that was erased, of which the digest is left.
    #[serde(default, skip_serializing_if = "is_none")]
    pub erased: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Computes the chain of `journal` again, from the tenant, the run, its input and its snapshot to
/// the last step, and compares it with what is recorded.
///
/// A payload that was erased leaves its digest, which the chain covers: the step is valid, and counted as erased.
/// Steps that were cut off at the end leave a chain that is valid by itself; the head of the run's
/// record tells.
///
/// # Errors
///
/// `InvalidRequest` if something in the journal has no canonical JSON form.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::journal::{Journal, verify};
/// use worktruck_core::{RunId, TenantId};
///
/// let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let run: RunId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse()?;
/// let verification = verify(tenant, run, &json!({}), &Journal::default())?;
/// assert!(verification.valid);
/// assert_eq!(verification.steps, 0);
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn verify(tenant: TenantId, run: RunId, input: &Value, journal: &Journal) -> Result<Verification> {
    let mut previous = genesis(tenant, run, input, journal.snapshot.as_ref())?;
    let mut first_bad_seq = None;
    for (seq, step) in (1..).zip(&journal.steps) {
        if first_bad_seq.is_none() && !is_as_recorded(run, seq, previous, step)? {
            first_bad_seq = Some(seq);
        }
        previous = step.hash;
    }
    Ok(Verification {
        valid: first_bad_seq.is_none(),
        steps: u32::try_from(journal.steps.len()).unwrap_or(u32::MAX),
        first_bad_seq,
        head_hash: previous,
        erased: journal.steps.iter().filter(|step| step.output.is_none() && step.payload_ref.is_some()).count(),
    })
}

fn is_as_recorded(run: RunId, seq: u32, previous: Digest, step: &Step) -> Result<bool> {
    // The chain does not cover where a payload is stored, only what it is.
    let payload_is_output = match (step.payload_ref, &step.output) {
        // Of a payload that is gone the hash tells whether it was the one.
        (None, _) | (Some(_), None) => true,
        (Some(payload), Some(output)) => payload == Digest::of_json(output)?,
    };
    Ok(payload_is_output
        && step.seq == seq
        && step.call_digest == call_digest(run, seq, step.kind, &step.name, &step.input)?
        && step.hash == step_hash(previous, step)?)
}

/// A replay that asked for something else than the journal recorded at the same place.
///
/// `Display` explains it over several lines, for the person who must find out what has changed.
///
/// # Examples
///
/// ```
/// # use serde_json::{from_value, json};
/// # use worktruck_core::journal::{Divergence, Step, StepKind, call_digest};
/// # use worktruck_core::{Digest, RunId};
/// # let run: RunId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse()?;
/// # let input = json!({"query": "Anna"});
/// # let digest = call_digest(run, 1, StepKind::Tool, "contacts_search", &input)?;
/// # let step: Step = from_value(json!({
/// #     "id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5f", "seq": 1, "kind": "tool",
/// #     "name": "contacts_search", "call_digest": digest, "hash": Digest::of_bytes(b""), "input": input,
/// #     "outcome": "ok", "cost_usd_cents": 0, "cost_usd_nano": 0,
/// #     "started_at": "2026-04-14T18:32:10Z",
/// # })).map_err(|e| worktruck_core::Error::internal(e.to_string()))?;
/// // The journal holds a search for Anna at its first place.
/// let again = Divergence::between(run, &step, StepKind::Tool, "contacts_search", &json!({"query": "Anna"}))?;
/// assert_eq!(again, None);
///
/// let other = Divergence::between(run, &step, StepKind::Tool, "contacts_search", &json!({"query": "Bob"}))?;
/// let explained = other.map(|divergence| divergence.to_string()).unwrap_or_default();
/// assert!(explained.contains(r#"/input/query: recorded "Anna", attempted "Bob""#));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Divergence {
    /// The place in the journal.
    pub seq: u32,
    /// What the journal holds there.
    pub recorded: Asked,
    /// What was asked there now.
    pub attempted: Asked,
    /// Where the two differ.
    pub differences: Vec<Difference>,
}

/// What a step asks.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Asked {
    /// A model or a tool.
    pub kind: StepKind,
    /// Which.
    pub name: String,
    /// The digest of all that is asked.
    pub call_digest: Digest,
}

/// A place at which two steps ask for different things.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Difference {
    /// The place as a JSON pointer: `/kind`, `/name`, `/call_digest` or one that begins with `/input`; where the same was
    /// asked and something else came of it, `/outcome` or `/output`.
    pub pointer: String,
    /// What the journal holds there; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub recorded: Option<Value>,
    /// What was asked there now; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub attempted: Option<Value>,
}

impl Divergence {
    /// How a call attempted at the place of `step` differs from it; `None` if it is the same call.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if `input` has no canonical JSON form.
    pub fn between(run: RunId, step: &Step, kind: StepKind, name: &str, input: &Value) -> Result<Option<Self>> {
        let attempted =
            Asked { kind, name: name.to_owned(), call_digest: call_digest(run, step.seq, kind, name, input)? };
        if attempted.call_digest == step.call_digest {
            return Ok(None);
        }
        let recorded = Asked { kind: step.kind, name: step.name.clone(), call_digest: step.call_digest };
        let mut differences = Vec::new();
        let texts = [("/kind", step.kind.as_str(), kind.as_str()), ("/name", &step.name, name)];
        for (pointer, recorded, attempted) in texts {
            compare(pointer, Some(&recorded.into()), Some(&attempted.into()), &mut differences);
        }
        compare("/input", Some(&step.input), Some(input), &mut differences);
        if differences.is_empty() {
            // The same was asked: the recorded digest is not that of the recorded call.
            let [old, new] = [recorded.call_digest, attempted.call_digest].map(|digest| digest.to_string().into());
            compare("/call_digest", Some(&old), Some(&new), &mut differences);
        }
        Ok(Some(Self { seq: step.seq, recorded, attempted, differences }))
    }
}

fn compare(pointer: &str, recorded: Option<&Value>, attempted: Option<&Value>, differences: &mut Vec<Difference>) {
    match (recorded, attempted) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let token = key.replace('~', "~0").replace('/', "~1");
                compare(&format!("{pointer}/{token}"), old.get(key), new.get(key), differences);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                compare(&format!("{pointer}/{at}"), old.get(at), new.get(at), differences);
            }
        }
        (recorded, attempted) if recorded == attempted => {}
        (recorded, attempted) => differences.push(Difference {
            pointer: pointer.to_owned(),
            recorded: recorded.cloned(),
            attempted: attempted.cloned(),
        }),
    }
}

/// At most this many differences are explained in words.
const SHOWN_DIFFERENCES: usize = 20;
/// At most this many characters of a value are shown.
const SHOWN_CHARACTERS: usize = 120;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, recorded, attempted, differences } = self;
        writeln!(f, "step {seq} of the journal is another call than the one that replay arrived at")?;
        writeln!(f, "  recorded:  {recorded}")?;
        writeln!(f, "  attempted: {attempted}")?;
        write!(f, "  differences:")?;
        for difference in differences.iter().take(SHOWN_DIFFERENCES) {
            write!(f, "\n    {difference}")?;
        }
        match differences.len().saturating_sub(SHOWN_DIFFERENCES) {
            0 => Ok(()),
            more => write!(f, "\n    and {more} more"),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StepKind::Llm => "a turn of the model",
            StepKind::Tool => "a call of the tool",
        };
        write!(f, "{kind} {} (digest {:.12})", self.name, self.call_digest.to_string())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [recorded, attempted] = [&self.recorded, &self.attempted].map(|value| shown(value.as_ref()));
        write!(f, "{}: recorded {recorded}, attempted {attempted}", self.pointer)
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => text,
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}
