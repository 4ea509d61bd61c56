use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::guardrail::{self, OnBlock, Outcome};
use crate::journal::{OpenCall, Receipt, Step, StepKind, StepOutcome};
use crate::run::{EventType, FailureCategory, NewEvent, Transition};
use crate::store::Changes;
use crate::tool::{ToolEffect, ToolSpec};
use crate::{Digest, Result, Timestamp};

use super::reply::Asked;
use super::{Executor, ToolCall, exhausted};

/// The tool calls of one answer of the model.
///
/// Their places in the journal are fixed when the answer is journaled. Reads and outside calls
/// run side by side; calls that write to the store run in order, each seeing the changes of the
/// ones before.
#[derive(Debug)]
pub(super) struct Turn {
    asked_at: Timestamp,
    pub(super) calls: Vec<Call>,
    /// Set when the turn ends the run once its calls are recorded.
    pub(super) ends: Option<Transition>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) seq: u32,
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) input: Value,
    pub(super) digest: Digest,
    pub(super) effect: ToolEffect,
    pub(super) state: State,
    /// Whether the journal holds it as an open call. No outside call is made before.
    pub(super) announced: bool,
    pub(super) conflicts: u32,
}

#[derive(Debug)]
pub(super) enum State {
    /// To be made.
    Ready,
    /// Being made.
    UnderWay {
        /// Since when.
        started_at: Timestamp,
    },
    /// It was begun before a crash, and nobody knows whether it happened.
    Unknown,
    /// It came back, and is not in the chain yet.
    Done(Done),
    /// It is in the chain.
    Chained {
        /// What the model sees.
        output: Value,
        /// Whether that is an error.
        is_error: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) outcome: StepOutcome,
    pub(super) output: Value,
    pub(super) changes: Changes,
    pub(super) fatal: Option<FailureCategory>,
    pub(super) started_at: Timestamp,
    pub(super) completed_at: Timestamp,
    /// Whether the tool was called, and this is not what was decided without it.
    pub(super) made: bool,
    /// Whether its receipt is stored.
    pub(super) stored: bool,
}

impl Done {
    pub(super) fn at_once(outcome: StepOutcome, message: &str, at: Timestamp) -> Self {
        Self {
            outcome,
            output: json!({ "error": message }),
            changes: Changes::none(),
            fatal: None,
            started_at: at,
            completed_at: at,
            made: false,
            stored: false,
        }
    }
}

impl Call {
    fn is_unsettled_write(&self) -> bool {
        self.effect == ToolEffect::Write && !self.is_settled()
    }

    fn is_settled(&self) -> bool {
        matches!(self.state, State::Done(_) | State::Chained { .. })
    }

    /// Whether it came back from the outside, and only this process knows.
    pub(super) fn is_unstored_receipt(&self) -> bool {
        self.effect.is_outside() && matches!(&self.state, State::Done(done) if done.made && !done.stored)
    }

    /// Whether it is to be made outside, and the journal does not say so yet.
    pub(super) fn is_unannounced(&self) -> bool {
        self.effect.is_outside() && !self.announced && matches!(self.state, State::Ready)
    }

    /// Whether a worker that finds it in the journal cannot tell that it was not made.
    fn is_promised(&self) -> bool {
        self.effect == ToolEffect::Outside && self.announced && matches!(self.state, State::Ready)
    }

    pub(super) fn open(&self) -> OpenCall {
        let receipt = match &self.state {
            State::Done(done) => Some(Receipt {
                outcome: done.outcome,
                output: done.output.clone(),
                fatal: done.fatal,
                started_at: done.started_at,
                completed_at: done.completed_at,
            }),
            State::Ready | State::UnderWay { .. } | State::Unknown | State::Chained { .. } => None,
        };
        OpenCall { seq: self.seq, name: self.name.clone(), call_digest: self.digest, receipt }
    }

    /// Takes over what a journal says of a call that is not in the chain.
    pub(super) fn recall(&mut self, open: &OpenCall) {
        self.announced = true;
        self.state = match &open.receipt {
            Some(receipt) => State::Done(Done {
                outcome: receipt.outcome,
                output: receipt.output.clone(),
                changes: Changes::none(),
                fatal: receipt.fatal,
                started_at: receipt.started_at,
                completed_at: receipt.completed_at,
                made: true,
                stored: true,
            }),
            None if self.effect == ToolEffect::Outside => State::Unknown,
            None => State::Ready,
        };
    }

    /// Takes over what the chain says of the call.
    pub(super) fn chain(&mut self, step: &Step) {
        self.state = State::Chained {
            output: step.output.clone().unwrap_or(Value::Null),
            is_error: step.outcome != StepOutcome::Ok,
        };
    }
}

impl Turn {
    pub(super) fn is_under_way(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.state, State::UnderWay { .. }))
    }

    /// Whether a call must be made because the journal says that it is.
    pub(super) fn is_promised(&self) -> bool {
        self.calls.iter().any(Call::is_promised)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.calls.iter().all(Call::is_settled)
    }

    /// Whether nothing is left to do but to ask a person.
    pub(super) fn is_stuck(&self) -> bool {
        let unknown = self.calls.iter().any(|call| matches!(call.state, State::Unknown));
        unknown && self.calls.iter().all(|call| call.is_settled() || matches!(call.state, State::Unknown))
    }

    /// The next call that can be made, now under way. While the run is to be given back, only what
    /// is promised is begun.
    pub(super) fn start(&mut self, now: Timestamp, draining: bool) -> Option<ToolCall> {
        let first_write = self.calls.iter().position(Call::is_unsettled_write);
        let at = self.calls.iter().enumerate().position(|(at, call)| {
            matches!(call.state, State::Ready)
                && (call.effect != ToolEffect::Write || Some(at) == first_write)
                && !call.is_unannounced()
                && (!draining || call.is_promised())
        })?;
        let pending = if self.calls[at].effect == ToolEffect::Write { self.changes_before(at) } else { Arc::from([]) };
        let asked_at = self.asked_at;
        let call = &mut self.calls[at];
        call.state = State::UnderWay { started_at: now };
        Some(ToolCall {
            seq: call.seq,
            name: call.name.clone(),
            input: call.input.clone(),
            effect: call.effect,
            asked_at,
            idempotency_key: call.digest,
            pending,
        })
    }

    /// The outside calls that are to be announced.
    pub(super) fn announcements(&self) -> Vec<OpenCall> {
        self.calls.iter().filter(|call| call.is_unannounced()).map(Call::open).collect()
    }

    fn changes_before(&self, at: usize) -> Arc<[Changes]> {
        self.calls[..at]
            .iter()
            .filter_map(|call| match &call.state {
                State::Done(done) if !done.changes.is_empty() => Some(done.changes.clone()),
                _ => None,
            })
            .collect()
    }

    /// The calls that came back and can join the chain now, because all before them have.
    ///
    /// If the turn goes on after that, here or elsewhere, a fatal call stays in it, because a step
    /// does not tell that it ends the run; and writes stay until all calls in the store are back, so
    /// that they are committed together and no read of the turn sees them if it is made again.
    pub(super) fn prefix(&self, goes_on: bool) -> impl Iterator<Item = (&Call, &Done)> {
        let in_store = goes_on && self.calls.iter().any(|call| !call.effect.is_outside() && !call.is_settled());
        self.calls.iter().skip_while(|call| matches!(call.state, State::Chained { .. })).map_while(move |call| {
            match &call.state {
                State::Done(done) if goes_on && done.fatal.is_some() => None,
                State::Done(_) if in_store && call.effect == ToolEffect::Write => None,
                State::Done(done) => Some((call, done)),
                _ => None,
            }
        })
    }

    /// What the model sees of the calls.
    pub(super) fn results(&self) -> Vec<(String, Value, bool)> {
        self.calls
            .iter()
            .map(|call| match &call.state {
                State::Done(done) => (call.call_id.clone(), done.output.clone(), done.outcome != StepOutcome::Ok),
                State::Chained { output, is_error } => (call.call_id.clone(), output.clone(), *is_error),
                State::Ready | State::UnderWay { .. } | State::Unknown => (call.call_id.clone(), Value::Null, true),
            })
            .collect()
    }

    /// Why the run ends with this turn, if it does.
    pub(super) fn ending(&self) -> Option<Transition> {
        let fatal = self.calls.iter().find_map(|call| match &call.state {
            State::Done(Done { fatal: Some(category), output, .. }) => Some(Transition::Fail {
                category: *category,
                detail: format!("{}: {}", call.name, output["error"].as_str().unwrap_or("failed")),
            }),
            _ => None,
        });
        self.ends.clone().or(fatal)
    }
}

impl Executor {
    /// The turn that an answer asks for: what may run is ready, what may not is done.
    ///
    /// Replay makes the same turn; the decisions are recorded only when it is made first.
    pub(super) fn make_turn(&mut self, asked: Vec<Asked>, asked_at: Timestamp) -> Result<(Turn, Vec<NewEvent>)> {
        let mut turn = Turn { asked_at, calls: Vec::with_capacity(asked.len()), ends: None };
        let mut events = Vec::new();
        let validators = self.validators(&asked);
        for (seq, Asked { call_id, name, input }) in (self.seq + 1..).zip(asked) {
            let digest = self.call_digest(seq, StepKind::Tool, &name, &input)?;
            let spec = self.snapshot.tools.iter().find(|tool| tool.name == name);
            let effect = spec.map_or(ToolEffect::Read, |spec| spec.effect);
            let verdict =
                guardrail::evaluate(&self.snapshot.guardrails, &guardrail::Call { tool: &name, input: &input });
            for decision in &verdict.decisions {
                let mut data = json!(decision);
                data["step_seq"] = seq.into();
                data["tool"] = name.as_str().into();
                events.push(NewEvent::with(EventType::GuardrailDecision, data));
            }
            let repeated = self.repeats.entry(Digest::of_json(&(&name, &input))?).or_insert(0);
            *repeated += 1;
            if *repeated > self.snapshot.max_repeats && turn.ends.is_none() {
                turn.ends = Some(exhausted(format!(
                    "{name} was called {repeated} times with the same input; the limit is {}",
                    self.snapshot.max_repeats
                )));
            }
            let state = match (verdict.outcome, spec) {
                (Outcome::Block { on_block, reason, .. }, _) => {
                    if on_block == OnBlock::FailRun && turn.ends.is_none() {
                        let detail = format!("{name} was blocked: {reason}");
                        turn.ends = Some(Transition::Fail { category: FailureCategory::GuardrailBlocked, detail });
                    }
                    State::Done(Done::at_once(
                        StepOutcome::Blocked,
                        &format!("refused by a guardrail: {reason}"),
                        asked_at,
                    ))
                }
                (_, None) => {
                    State::Done(Done::at_once(StepOutcome::Error, &format!("there is no tool named {name}"), asked_at))
                }
                (_, Some(spec)) => match refusal(spec, &validators, &input) {
                    Some(refusal) => State::Done(Done::at_once(StepOutcome::Error, &refusal, asked_at)),
                    None => State::Ready,
                },
            };
            turn.calls.push(Call { seq, call_id, name, input, digest, effect, state, announced: false, conflicts: 0 });
        }
        let last = turn.calls.last().map_or(self.seq, |call| call.seq);
        if last > self.snapshot.max_steps && turn.ends.is_none() {
            turn.ends = Some(exhausted(format!("the calls exceed the run's {} steps", self.snapshot.max_steps)));
        }
        if turn.ends.is_some() {
            for call in &mut turn.calls {
                if matches!(call.state, State::Ready) {
                    let message = "not made: the run ends with this turn";
                    call.state = State::Done(Done::at_once(StepOutcome::Blocked, message, asked_at));
                }
            }
        }
        Ok((turn, events))
    }

    fn validators(&self, asked: &[Asked]) -> Vec<(String, Result<Validator, String>)> {
        let used = |tool: &&ToolSpec| asked.iter().any(|call| call.name == tool.name);
        let compile = |tool: &ToolSpec| {
            let validator = jsonschema::validator_for(&tool.input_schema).map_err(|e| e.to_string());
            (tool.name.clone(), validator)
        };
        self.snapshot.tools.iter().filter(used).map(compile).collect()
    }
}

/// Why the input does not fit the tool's schema, in words that the model can act on.
fn refusal(spec: &ToolSpec, validators: &[(String, Result<Validator, String>)], input: &Value) -> Option<String> {
    match validators.iter().find(|(name, _)| *name == spec.name) {
        Some((_, Ok(validator))) => {
            let wrong: Vec<String> = validator
                .iter_errors(input)
                .take(3)
                .map(|e| format!("{e} (at {:?})", e.instance_path().as_str()))
                .collect();
            (!wrong.is_empty()).then(|| format!("the input does not fit the tool's schema: {}", wrong.join("; ")))
        }
        Some((_, Err(error))) => Some(format!("the tool's schema is unusable: {error}")),
        None => Some(format!("there is no tool named {}", spec.name)),
    }
}
