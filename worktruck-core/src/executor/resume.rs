use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::journal::{Divergence, OpenCall, Step, StepKind, step_hash};
use crate::run::{Approval, Decision, EventType, FailureCategory, NewEvent};
use crate::store::Changes;
use crate::{Error, Result, Timestamp};

use super::compact::is_compaction;
use super::reply::{Disposition, RecordedReply, dispose, spoken};
use super::turn::{Call, State, Turn};
use super::{Executor, Phase};

impl Executor {
    /// Takes over a recorded history, checking every step of it against what this executor would
    /// have done.
    pub(super) fn replay(&mut self, steps: Vec<Step>, open: &[OpenCall], approvals: &[Approval]) -> Result<()> {
        let mut steps = steps.into_iter().peekable();
        let mut is_foreign = false;
        while let Some(step) = steps.next() {
            // Whatever was to be done before this turn was done.
            self.hooks.recall_turn();
            if self.models.recall(&step.name) {
                self.use_current_model();
            }
            self.compacting = is_compaction(&step.input) && self.transcript.is_compactible();
            // A copied step was checked when it was copied, and may be of a model that is none of this run's.
            let (name, input) = if self.copied.contains_key(&step.seq) {
                is_foreign |= step.name != self.models.current();
                (step.name.clone(), step.input.clone())
            } else {
                (self.models.current().to_owned(), self.model_input())
            };
            if !self.accept(&step, StepKind::Llm, &name, &input)? {
                return Ok(());
            }
            self.hooks.reach(self.ledger.spent());
            let reply = match RecordedReply::parse(step.output.as_ref()) {
                Ok(reply) => reply,
                Err(error) => return self.diverge(step.seq, &error.to_string()),
            };
            if self.compacting {
                if self.end_compaction(&reply).is_err() {
                    return self.diverge(step.seq, "the journal ends the run at this step, yet the run goes on");
                }
                continue;
            }
            let disposition = dispose(&reply);
            if !matches!(disposition, Disposition::Compact) {
                self.transcript.push_reply(spoken(reply), step.usage);
            }
            match disposition {
                Disposition::Compact => self.compacting = true,
                Disposition::Call(asked) => {
                    let asked_at = step.completed_at.unwrap_or(step.started_at);
                    let (mut turn, _) = self.make_turn(asked, asked_at)?;
                    if !self.replay_turn(&mut turn, &mut steps, open, approvals)? {
                        return Ok(());
                    }
                    let whole = turn.calls.last().is_none_or(|call| call.seq == self.seq);
                    if whole && turn.ending().is_none() {
                        self.hear(&turn);
                    } else {
                        self.phase = Phase::Calling(turn);
                    }
                }
                Disposition::AskAgain(text) => {
                    if let Some(text) = text {
                        self.transcript.push_text(&text);
                    }
                }
                Disposition::End(_) => {
                    return self.diverge(step.seq, "the journal ends the run at this step, yet the run goes on");
                }
            }
        }
        if is_foreign {
            self.transcript.forget_thoughts();
        }
        Ok(())
    }

    fn replay_turn(
        &mut self,
        turn: &mut Turn,
        steps: &mut std::iter::Peekable<impl Iterator<Item = Step>>,
        open: &[OpenCall],
        approvals: &[Approval],
    ) -> Result<bool> {
        let asked_at = turn.asked_at;
        for call in &mut turn.calls {
            let approval = approvals.iter().find(|it| (it.step_seq, &it.tool) == (call.seq, &call.name));
            if let Some(approval) = approval {
                // An earlier answer may have changed it, and is no longer there.
                self.rewrite(call, &approval.input)?;
            }
            let edited = match approval.and_then(|approval| approval.decision.as_ref()) {
                Some(Decision::Approve { edited_input }) => edited_input.as_ref(),
                _ => None,
            };
            if let Some(step) = steps.next() {
                edited.map_or(Ok(()), |input| self.rewrite(call, input))?;
                if !self.accept(&step, StepKind::Tool, &call.name, &call.input)? {
                    return Ok(false);
                }
                call.chain(&step);
            } else if let Some(open) = open.iter().find(|open| open.seq == call.seq) {
                // Whether a person was asked since it was announced.
                let is_asked_since = approval.is_some_and(|approval| open.approval != Some(approval.id));
                if !is_asked_since {
                    edited.map_or(Ok(()), |input| self.rewrite(call, input))?;
                }
                if open.call_digest != call.digest {
                    self.diverge(call.seq, &format!("the journal holds another call of {}", open.name))?;
                    return Ok(false);
                }
                call.recall(open);
                if call.is_unknown() {
                    call.state =
                        State::Suspended { approval: Box::new(self.unknown(call, asked_at)?), is_asked: false };
                    // Made again, it is another call, which has to be announced.
                    call.announced = false;
                }
                if is_asked_since {
                    edited.map_or(Ok(()), |input| self.rewrite(call, input))?;
                }
            } else {
                edited.map_or(Ok(()), |input| self.rewrite(call, input))?;
            }
        }
        for approval in approvals {
            self.answer(turn, approval)?;
        }
        Ok(true)
    }

    /// Gives a call another input.
    fn rewrite(&self, call: &mut Call, input: &Value) -> Result<()> {
        if call.input != *input {
            call.input = input.clone();
            call.digest = self.call_digest(call.seq, StepKind::Tool, &call.name, &call.input)?;
        }
        Ok(())
    }

    /// Whether `step` is what this executor would have done next, and chains to what came before.
    fn accept(&mut self, step: &Step, kind: StepKind, name: &str, input: &Value) -> Result<bool> {
        if step.seq != self.seq + 1 {
            self.diverge(step.seq, &format!("step {} is missing", self.seq + 1))?;
            return Ok(false);
        }
        if let Some(divergence) = Divergence::between(self.run.id, step, kind, name, input)? {
            self.diverge(step.seq, &divergence.to_string())?;
            return Ok(false);
        }
        if step_hash(self.head, step)? != step.hash {
            self.diverge(step.seq, &format!("the record of step {} was changed after it was written", step.seq))?;
            return Ok(false);
        }
        self.head = step.hash;
        self.seq = step.seq;
        self.ledger.recorded(step.cost.0);
        self.tried.extend(step.tried.as_ref().map(Changes::deserialize).transpose().map_err(unreadable)?);
        Ok(true)
    }

    /// Fails the run: it never goes on with a history that is not its own.
    fn diverge(&mut self, seq: u32, detail: &str) -> Result<()> {
        let data = json!({ "step_seq": seq, "detail": detail });
        self.events.push(NewEvent::with(EventType::ReplayDiverged, data));
        self.ledger.give_back();
        self.fail(FailureCategory::ConfigError, format!("replay diverges at step {seq}: {detail}"))
    }

    /// When the run must have ended.
    #[must_use]
    pub fn deadline_at(&self) -> Timestamp {
        self.run.deadline_at.unwrap_or(self.snapshot.deadline_at)
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("what a step has tried is unreadable").with_source(error)
}
