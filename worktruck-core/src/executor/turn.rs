use std::sync::Arc;

use serde_json::{Value, json};

use crate::guardrail::{self, OnBlock, Outcome, schema};
use crate::journal::{OpenCall, Receipt, Step, StepKind, StepOutcome};
use crate::run::{Approval, EventType, FailureCategory, NewEvent, Transition, UNKNOWN_OUTCOME, WaitingReason};
use crate::store::Changes;
use crate::tool::ToolEffect;
use crate::{ApprovalId, Digest, Result, Timestamp};

use super::reply::Asked;
use super::{Executor, ToolCall, exhausted};

/// The tool calls of one answer of the model.
///
/// Their places in the journal are fixed when the answer is journaled. Reads and outside calls
/// run side by side; calls that write to the store run in order, each seeing the changes of the
/// ones before.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) asked_at: Timestamp,
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
    /// The answer of a person on which it is made.
    pub(super) approval: Option<ApprovalId>,
    pub(super) conflicts: u32,
    /// The how manieth call of this tool with this input it is.
    pub(super) nth: u32,
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
    /// A person decides about it.
    Suspended {
        /// What they are asked.
        approval: Box<Approval>,
        /// Whether they have been asked.
        is_asked: bool,
    },
    /// It came back, and is not in the chain yet.
    Done(Done),
    /// It is in the chain.
    Chained {
        /// What the model sees.
        output: Value,
        /// How it ended.
        outcome: StepOutcome,
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
    fn new(
        seq: u32,
        (call_id, name, input): (String, String, Value),
        (digest, nth): (Digest, u32),
        effect: ToolEffect,
        state: State,
    ) -> Self {
        Self { seq, call_id, name, input, digest, effect, state, announced: false, approval: None, conflicts: 0, nth }
    }

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

    /// Whether it came back from the store, changed nothing there, and only this process knows.
    pub(super) fn is_unstored_answer(&self) -> bool {
        let is_read = self.effect == ToolEffect::Read;
        is_read && matches!(&self.state, State::Done(done) if done.made && !done.stored && done.changes.is_empty())
    }

    /// How it ended, if it has.
    pub(super) const fn outcome(&self) -> Option<StepOutcome> {
        match &self.state {
            State::Done(done) => Some(done.outcome),
            State::Chained { outcome, .. } => Some(*outcome),
            _ => None,
        }
    }

    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self.state, State::Unknown)
    }

    pub(super) const fn is_suspended(&self) -> bool {
        matches!(self.state, State::Suspended { .. })
    }

    /// Whether it waits for the answer to this question.
    pub(super) fn waits_for(&self, question: ApprovalId) -> bool {
        matches!(&self.state, State::Suspended { approval, .. } if approval.id == question)
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
            State::Ready
            | State::UnderWay { .. }
            | State::Unknown
            | State::Suspended { .. }
            | State::Chained { .. } => None,
        };
        OpenCall { seq: self.seq, name: self.name.clone(), call_digest: self.digest, approval: self.approval, receipt }
    }

    /// Takes over what a journal says of a call that is not in the chain.
    pub(super) fn recall(&mut self, open: &OpenCall) {
        self.announced = true;
        self.approval = open.approval;
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
        self.state = State::Chained { output: step.output.clone().unwrap_or(Value::Null), outcome: step.outcome };
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

    /// What a person must say before anything else can be done, if nothing is under way and nothing can be
    /// [started](Self::start).
    pub(super) fn waits_for(&self) -> Option<WaitingReason> {
        if self.is_under_way() {
            return None;
        }
        let reasons = self.calls.iter().filter_map(|call| match &call.state {
            State::Suspended { approval, .. } if approval.rule_id == UNKNOWN_OUTCOME => {
                Some(WaitingReason::UnknownOutcome)
            }
            State::Suspended { .. } => Some(WaitingReason::Approval),
            _ => None,
        });
        // A question whether something happened comes first.
        reasons.max_by_key(|reason| *reason == WaitingReason::UnknownOutcome)
    }

    /// The next call that can be made, now under way. While the run is to be given back, only what
    /// is promised is begun.
    pub(super) fn start(&mut self, now: Timestamp, draining: bool) -> Option<ToolCall> {
        let first_write = self.calls.iter().position(Call::is_unsettled_write);
        // A write joins the chain with all before it, and would have to be made again after a person was asked.
        let first_suspended = self.calls.iter().position(Call::is_suspended).unwrap_or(self.calls.len());
        let at = self.calls.iter().enumerate().position(|(at, call)| {
            matches!(call.state, State::Ready)
                && (call.effect != ToolEffect::Write || (Some(at) == first_write && at < first_suspended))
                && !call.is_unannounced()
                && (!draining || call.is_promised())
        })?;
        let pending = if self.calls[at].effect == ToolEffect::Write { self.changes_before(at) } else { Arc::from([]) };
        let asked_at = self.asked_at;
        let call = &mut self.calls[at];
        call.state = State::UnderWay { started_at: now };
        Some(ToolCall {
            seq: call.seq,
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            input: call.input.clone(),
            effect: call.effect,
            asked_at,
            idempotency_key: call.digest,
            pending,
            is_tried: false,
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
        let is_awaited = |call: &Call| !call.effect.is_outside() && !call.is_settled() && !call.is_suspended();
        let in_store = goes_on && self.waits_for().is_none() && self.calls.iter().any(is_awaited);
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
                State::Chained { output, outcome } => {
                    (call.call_id.clone(), output.clone(), *outcome != StepOutcome::Ok)
                }
                State::Ready | State::UnderWay { .. } | State::Unknown | State::Suspended { .. } => {
                    (call.call_id.clone(), Value::Null, true)
                }
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

impl Turn {
    /// A guardrail refuses a call of it.
    pub(super) fn block(&mut self, name: &str, on_block: OnBlock, reason: &str) {
        if on_block == OnBlock::FailRun && self.ends.is_none() {
            let detail = format!("{name} was blocked: {reason}");
            self.ends = Some(Transition::Fail { category: FailureCategory::GuardrailBlocked, detail });
        }
    }

    /// Leaves out the calls that are not made yet: the run ends with this turn.
    pub(super) fn leave_off(&mut self) {
        for call in &mut self.calls {
            if matches!(call.state, State::Ready | State::Suspended { is_asked: false, .. }) {
                let message = "not made: the run ends with this turn";
                call.state = State::Done(Done::at_once(StepOutcome::Blocked, message, self.asked_at));
            }
        }
    }
}

impl Executor {
    /// The turn that an answer asks for: what may run is ready, what may not is done.
    ///
    /// Replay makes the same turn; the decisions are recorded only when it is made first.
    pub(super) fn make_turn(&mut self, asked: Vec<Asked>, asked_at: Timestamp) -> Result<(Turn, Vec<NewEvent>)> {
        let mut turn = Turn { asked_at, calls: Vec::with_capacity(asked.len()), ends: None };
        let mut events = Vec::new();
        let was_warned = self.hooks.warned;
        for (seq, Asked { call_id, name, input }) in (self.seq + 1..).zip(asked) {
            let digest = self.call_digest(seq, StepKind::Tool, &name, &input)?;
            let spec = self.snapshot.tools.iter().find(|tool| tool.name == name);
            let effect = spec.map_or(ToolEffect::Read, |spec| self.effect_of(spec));
            let is_known = spec.is_some();
            if let Some(outcome) = self.copied.get(&seq).copied() {
                let repeated = self.repeats.entry(Digest::of_json(&(&name, &input))?).or_insert(0);
                *repeated += 1;
                if outcome != StepOutcome::Blocked {
                    self.history.record(&name, asked_at);
                }
                let nth = *repeated;
                turn.calls.push(Call::new(seq, (call_id, name, input), (digest, nth), effect, State::Ready));
                continue;
            }
            let call =
                guardrail::Call { tool: &name, input: &input, now: asked_at, zone: self.zone, history: &self.history };
            let verdict = self.rules.evaluate(&call);
            events.extend(verdict.decisions.iter().map(|decision| decided(decision, seq, &name)));
            let repeated = self.repeats.entry(Digest::of_json(&(&name, &input))?).or_insert(0);
            *repeated += 1;
            let nth = *repeated;
            if nth > self.snapshot.max_repeats && turn.ends.is_none() {
                turn.ends = Some(exhausted(format!(
                    "{name} was called {nth} times with the same input; the limit is {}",
                    self.snapshot.max_repeats
                )));
            }
            let refused = |outcome, message: &str| State::Done(Done::at_once(outcome, message, asked_at));
            let state = match verdict.outcome {
                Outcome::Block { on_block, reason, .. } => {
                    turn.block(&name, on_block, &reason);
                    refused(StepOutcome::Blocked, &format!("refused by a guardrail: {reason}"))
                }
                _ if self.hooks.finishing => {
                    self.hooks.warned = true;
                    if was_warned && turn.ends.is_none() {
                        turn.ends = Some(exhausted(format!("{name} was called when the budget was nearly spent")));
                    }
                    refused(StepOutcome::Blocked, "not made: the budget is nearly spent; finish without tools")
                }
                _ if !is_known => refused(StepOutcome::Error, &format!("there is no tool named {name}")),
                outcome => match (self.refusal(&name, &input), outcome) {
                    (Some(refusal), _) => refused(StepOutcome::Error, &refusal),
                    (None, Outcome::Suspend { rule, gate }) => {
                        let approval = self.question(seq, (&name, &input), (&rule, gate), asked_at)?;
                        State::Suspended { approval: Box::new(approval), is_asked: false }
                    }
                    (None, _) => State::Ready,
                },
            };
            if matches!(state, State::Ready | State::Suspended { .. }) {
                self.history.record(&name, asked_at);
            }
            turn.calls.push(Call::new(seq, (call_id, name, input), (digest, nth), effect, state));
        }
        let last = turn.calls.last().map_or(self.seq, |call| call.seq);
        if last > self.snapshot.max_steps && turn.ends.is_none() {
            turn.ends = Some(exhausted(format!("the calls exceed the run's {} steps", self.snapshot.max_steps)));
        }
        if turn.ends.is_some() {
            turn.leave_off();
        }
        Ok((turn, events))
    }

    /// Why the input does not fit the tool's schema, in words that the model can act on.
    pub(super) fn refusal(&mut self, name: &str, input: &Value) -> Option<String> {
        let Some(spec) = self.snapshot.tools.iter().find(|tool| tool.name == name) else {
            return Some(format!("there is no tool named {name}"));
        };
        let compile = || schema::validator(&spec.input_schema).map_err(|error| error.to_string());
        match self.validators.entry(name.to_owned()).or_insert_with(compile) {
            Ok(validator) => {
                let mistakes = schema::mistakes(validator, input)?;
                Some(format!("the input does not fit the tool's schema: {mistakes}"))
            }
            Err(error) => Some(format!("the tool's schema is unusable: {error}")),
        }
    }

    /// Puts the results of a turn into the conversation.
    pub(super) fn hear(&mut self, turn: &Turn) {
        if self.is_tainted_by(turn) {
            self.history.taint();
        }
        self.transcript.push_results(turn.results());
    }
}

/// The event that records what a rule decided about the call of `tool` at `seq`.
pub(super) fn decided(decision: &guardrail::Decision, seq: u32, tool: &str) -> NewEvent {
    let mut data = json!(decision);
    data["step_seq"] = seq.into();
    data["tool"] = tool.into();
    NewEvent::with(EventType::GuardrailDecision, data)
}
