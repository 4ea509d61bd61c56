//! Runs that try things out: what their calls see, what stands for calls outside, what becomes of their changes.

use serde_json::{Value, json};

use crate::journal::{Recalled, StepOutcome};
use crate::store::Changes;
use crate::tool::{ToolEffect, ToolError, ToolOutput, ToolSpec};
use crate::{Digest, Error, Result, Secret, Timestamp};

use super::turn::{Done, State};
use super::{Executor, Phase, ToolCall};

impl Executor {
    /// What a tool touches: nothing outside in a trial, so that none of its calls is announced, and all may be made again.
    pub(super) const fn effect_of(&self, spec: &ToolSpec) -> ToolEffect {
        if self.snapshot.trial.is_some() && spec.effect.is_outside() { ToolEffect::Read } else { spec.effect }
    }

    /// The call as it is to be made; nothing in a trial where something stands for it.
    pub(super) fn try_out(&mut self, call: ToolCall, now: Timestamp) -> Result<Option<ToolCall>> {
        let Some(trial) = &self.snapshot.trial else { return Ok(Some(call)) };
        if self.snapshot.tools.iter().any(|tool| tool.name == call.name && tool.effect.is_outside()) {
            self.stand_in(&call, now)?;
            return Ok(None);
        }
        let pending = self.tried.iter().chain(&*call.pending).cloned().collect();
        Ok(Some(ToolCall { pending, asked_at: trial.as_of, is_tried: true, ..call }))
    }

    /// Lets a call outside come back with what the other run was answered, or with words that say that it was not made.
    fn stand_in(&mut self, ToolCall { seq, name, input, .. }: &ToolCall, now: Timestamp) -> Result<()> {
        if let Some(Recalled { outcome, output, .. }) = self.recall(*seq, name, input)? {
            let result = match outcome {
                StepOutcome::Ok => Ok(ToolOutput::new(output)),
                StepOutcome::Error | StepOutcome::Blocked => {
                    Err(ToolError::new(output["error"].as_str().unwrap_or("the call failed").to_owned()))
                }
            };
            return self.returned(*seq, result, now);
        }
        let Phase::Calling(turn) = &mut self.phase else {
            return Err(Error::internal(format!("call {seq} is not to be made")));
        };
        // What is said instead of an answer is not what rules about answers are for.
        let message = format!(
            "{name} was not called: this run is a trial and calls nothing outside. Go on as if the call had succeeded \
             without an answer, and say so where its answer would have been needed."
        );
        let done = Done {
            output: json!({ "dry_run": true, "message": message }),
            made: true,
            ..Done::at_once(StepOutcome::Ok, "", now)
        };
        turn.calls.iter_mut().filter(|call| call.seq == *seq).for_each(|call| call.state = State::Done(done.clone()));
        Ok(())
    }

    /// What the same call came back with in the other run: the first time with its first answer, and so on, the last one
    /// standing for all that follow.
    fn recall(&self, seq: u32, name: &str, input: &Value) -> Result<Option<Recalled>> {
        let (Some(trial), Phase::Calling(turn)) = (&self.snapshot.trial, &self.phase) else { return Ok(None) };
        let input = Digest::of_json(input)?;
        let answers = trial.answers.iter().filter(|answer| answer.tool == name && answer.input == input);
        let nth = turn.calls.iter().find(|call| call.seq == seq).map_or(1, |call| call.nth);
        let answers = answers.take(usize::try_from(nth).unwrap_or(usize::MAX));
        Ok(answers.last().cloned())
    }

    /// What a step records of the changes of its call, and what is written of them.
    pub(super) fn what_is_written(&self, done: &Done) -> Result<(Option<Value>, Changes)> {
        if self.snapshot.trial.is_none() {
            return Ok((None, done.changes.clone()));
        }
        let tried = (!done.changes.is_empty()).then(|| to_json(&done.changes)).transpose()?;
        Ok((tried, Changes::none()))
    }
}

/// The changes without secrets.
pub(super) fn redacted(secrets: &[Secret], changes: Changes) -> Result<Changes> {
    if secrets.is_empty() || changes.is_empty() {
        return Ok(changes);
    }
    let mut json = to_json(&changes)?;
    crate::secret::redact(secrets, &mut json);
    serde_json::from_value(json).map_err(no_json)
}

fn to_json(changes: &Changes) -> Result<Value> {
    serde_json::to_value(changes).map_err(no_json)
}

fn no_json(error: serde_json::Error) -> Error {
    Error::internal("changes have no JSON form").with_source(error)
}
