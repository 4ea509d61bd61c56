//! Approvals: what a person is asked about a call of a run, and what they answer.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::guardrail::OnExpiry;
use crate::{ApprovalId, Digest, Error, Result, RunId, Secret, Timestamp};

use super::{EventType, NewEvent};

/// A question to a person about one call of a run.
///
/// It is bound to the exact call: whoever answers has seen this input and no other.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Approval {
    /// Names it.
    pub id: ApprovalId,
    /// The run that waits.
    pub run_id: RunId,
    /// The place of the call in the journal.
    pub step_seq: u32,
    /// The tool.
    pub tool: String,
    /// Its input.
    pub input: Value,
    /// Names the call: of the tool, the input and the version of the agent config.
    pub call_digest: Digest,
    /// The rule that asks, by its id or else its place; [`UNKNOWN_OUTCOME`] or [`ON_BUDGET`] where no rule does.
    pub rule_id: String,
    /// What the person is told beside the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How far it is.
    pub status: ApprovalStatus,
    /// When the model asked for the call.
    pub requested_at: Timestamp,
    /// When it is too late to answer.
    pub expires_at: Timestamp,
    /// What happens then.
    pub on_expiry: OnExpiry,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// When it was answered, or was found to be too late to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// What they said beside it; the model is told why it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The rule of an approval that asks whether a call happened before a crash.
pub const UNKNOWN_OUTCOME: &str = "unknown_outcome";

/// The rule of an approval that asks whether a run may spend more of its budget, and the tool that it names.
pub const ON_BUDGET: &str = "on_budget";

/// How far an approval is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Nobody has answered.
    Pending,
    /// The call is made, or a person answered in the tool's place.
    Approved,
    /// The call is not made.
    Rejected,
    /// Nobody answered in time, or the run ended before.
    Expired,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Rejected, Self::Expired];

    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for ApprovalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The call is made.
    Approve {
        /// With this input instead of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edited_input: Option<Value>,
    },
    /// The call is not made, and the model is told.
    Reject {
        /// Whether the run fails.
        #[serde(default)]
        fail_run: bool,
    },
    /// The call is not made, and the model sees this as its result.
    Respond {
        /// The result.
        output: Value,
    },
}

impl Decision {
    const fn status(&self) -> ApprovalStatus {
        match self {
            Self::Approve { .. } | Self::Respond { .. } => ApprovalStatus::Approved,
            Self::Reject { .. } => ApprovalStatus::Rejected,
        }
    }
}

/// An answer to an approval.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Answer {
    /// Which.
    pub approval: ApprovalId,
    /// What.
    #[serde(flatten)]
    pub decision: Decision,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What they say beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Answer {
    /// The same answer without what must not be recorded, should a person have written it.
    #[must_use]
    pub fn redacted(mut self, secrets: &[Secret]) -> Self {
        match &mut self.decision {
            Decision::Approve { edited_input: Some(value) } | Decision::Respond { output: value } => {
                crate::secret::redact(secrets, value);
            }
            Decision::Approve { edited_input: None } | Decision::Reject { .. } => {}
        }
        self.note = self.note.map(|note| secrets.iter().fold(note, |text, secret| secret.redact(&text)));
        self
    }
}

impl Approval {
    /// Whether nobody has answered.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status == ApprovalStatus::Pending
    }

    /// Takes in an answer.
    ///
    /// # Errors
    ///
    /// `Conflict` if it was answered before, or it is too late.
    pub(super) fn decide(&mut self, answer: &Answer, now: Timestamp) -> Result<NewEvent> {
        if !self.is_pending() {
            return Err(Error::conflict(format!("approval {} is {} already", self.id, self.status)));
        }
        if now >= self.expires_at {
            return Err(Error::conflict(format!("approval {} expired at {}", self.id, self.expires_at)));
        }
        self.status = answer.decision.status();
        self.decision = Some(answer.decision.clone());
        self.decided_at = Some(now);
        self.decided_by.clone_from(&answer.actor);
        self.note.clone_from(&answer.note);
        Ok(NewEvent { actor: answer.actor.clone(), ..self.decided() })
    }

    /// Says that nobody answered in time.
    pub(crate) fn expire(&mut self, now: Timestamp) -> NewEvent {
        self.status = ApprovalStatus::Expired;
        self.decided_at = Some(now);
        self.decided()
    }

    /// The event of its request.
    pub(crate) fn requested(&self) -> NewEvent {
        let Self { id, step_seq, tool, rule_id, expires_at, .. } = self;
        let data = json!({
            "approval_id": id, "step_seq": step_seq, "tool": tool, "rule_id": rule_id, "expires_at": expires_at,
        });
        NewEvent::with(EventType::ApprovalRequested, data)
    }

    fn decided(&self) -> NewEvent {
        let Self { id, step_seq, tool, status, .. } = self;
        let data = json!({ "approval_id": id, "step_seq": step_seq, "tool": tool, "status": status });
        NewEvent::with(EventType::ApprovalDecided, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes_is_recorded_without_secrets() {
        let key = [Secret::new("sk-live-0123456789")];
        let answer = |decision| Answer {
            approval: ApprovalId::from_uuid(uuid::Uuid::from_u128(1)),
            decision,
            actor: Some("user:ada".to_owned()),
            note: Some("with sk-live-0123456789, please".to_owned()),
        };
        let value = json!({ "auth": ["Bearer sk-live-0123456789"] });
        for decision in [
            Decision::Approve { edited_input: Some(value.clone()) },
            Decision::Approve { edited_input: None },
            Decision::Respond { output: value },
            Decision::Reject { fail_run: true },
        ] {
            let kept = answer(decision.clone()).redacted(&key);
            let text = serde_json::to_string(&kept).unwrap();
            assert!(!text.contains("sk-live") && text.contains("with [secret], please"), "{text}");
            assert_eq!(answer(decision.clone()).redacted(&[]), answer(decision));
        }
    }
}
