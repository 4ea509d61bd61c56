//! Calls about which people decide: what they are asked, and what follows from their answer.

use std::time::Duration;

use serde_json::Value;

use crate::guardrail::{self, Gate, OnBlock, OnExpiry, Outcome, RuleRef};
use crate::journal::{StepKind, StepOutcome};
use crate::run::{Approval, ApprovalStatus, Decision, FailureCategory, Transition, UNKNOWN_OUTCOME};
use crate::{ApprovalId, Digest, Error, Result, Timestamp};

use super::turn::{Call, Done, State, Turn};
use super::{Executor, Phase};

/// How long a person is waited for who must find out whether something happened: ten years.
const LONG: u32 = 10 * 365 * 86_400;

impl Executor {
    /// What a person is asked about a call that a rule suspends.
    pub(super) fn question(
        &self,
        seq: u32,
        (tool, input): (&str, &Value),
        (rule, gate): (&RuleRef, Gate),
        asked_at: Timestamp,
    ) -> Result<Approval> {
        let call_digest = Digest::of_json(&(tool, input, self.snapshot.config_version))?;
        let place = self.call_digest(seq, StepKind::Tool, tool, input)?;
        let rule_id = rule.rule_id.clone().unwrap_or_else(|| rule.rule_index.to_string());
        Ok(Approval {
            id: ApprovalId::from_uuid(super::settle::step_id(asked_at, place).as_uuid()),
            run_id: self.run.id,
            step_seq: seq,
            tool: tool.to_owned(),
            input: input.clone(),
            call_digest,
            rule_id,
            summary: gate.summary,
            status: ApprovalStatus::Pending,
            requested_at: asked_at,
            expires_at: asked_at.after(Duration::from_secs(gate.expires_secs.into())),
            on_expiry: gate.on_expiry,
            decision: None,
            decided_at: None,
            decided_by: None,
            note: None,
        })
    }

    /// What a person is asked about a call that a crash interrupted.
    pub(super) fn unknown(&self, call: &Call, asked_at: Timestamp) -> Result<Approval> {
        let rule = RuleRef { rule_index: 0, rule_id: Some(UNKNOWN_OUTCOME.to_owned()) };
        let summary = "this call was begun before a crash, and may or may not have happened: approve it to make it \
                       (again), reject it, or answer in its place";
        let gate = Gate { expires_secs: LONG, on_expiry: OnExpiry::FailRun, summary: Some(summary.to_owned()) };
        let question = self.question(call.seq, (&call.name, &call.input), (&rule, gate), asked_at)?;
        // A question of its own each time: an answer to an earlier one, on which the call was made, answers no later one.
        let named = Digest::of_json(&(UNKNOWN_OUTCOME, call.digest, call.approval))?;
        Ok(Approval { id: ApprovalId::from_uuid(super::settle::step_id(asked_at, named).as_uuid()), ..question })
    }

    /// Takes in what is stored of an approval: the question, or the answer to it.
    pub(super) fn answer(&mut self, turn: &mut Turn, approval: &Approval) -> Result<()> {
        let asked_at = turn.asked_at;
        let Some(call) = turn.calls.iter_mut().find(|call| call.waits_for(approval.id)) else {
            return Ok(());
        };
        if approval.is_pending() {
            call.state = State::Suspended { approval: Box::new(approval.clone()), is_asked: true };
            return Ok(());
        }
        let at = approval.decided_at.unwrap_or(asked_at);
        let (outcome, message, is_fatal) = match (&approval.decision, approval.on_expiry) {
            (Some(Decision::Approve { .. }), _) | (None, OnExpiry::Approve) => {
                let (name, input) = (call.name.clone(), call.input.clone());
                call.state = State::Ready;
                call.approval = Some(approval.id);
                if let Err((on_block, reason)) = self.recheck(&name, &input, at) {
                    call.state = State::Done(Done::at_once(StepOutcome::Blocked, &reason, at));
                    turn.block(&name, on_block, &reason);
                }
                return Ok(());
            }
            (Some(Decision::Respond { output }), _) => {
                let mut output = output.clone();
                crate::secret::redact(&self.options.secrets, &mut output);
                call.state = State::Done(Done { output, ..Done::at_once(StepOutcome::Ok, "", at) });
                return Ok(());
            }
            (Some(Decision::Reject { fail_run }), _) => {
                let note = approval.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
                (StepOutcome::Blocked, format!("a person decided against this call{note}"), *fail_run)
            }
            (None, on_expiry) => {
                let message = format!("nobody decided about this call before {}; it was not made", approval.expires_at);
                (StepOutcome::Blocked, message, on_expiry == OnExpiry::FailRun)
            }
        };
        let message = self.redacted(&message);
        call.state = State::Done(Done::at_once(outcome, &message, at));
        if is_fatal && turn.ends.is_none() {
            let detail = format!("{}: {message}", approval.tool);
            turn.ends = Some(Transition::Fail { category: FailureCategory::GuardrailBlocked, detail });
        }
        Ok(())
    }

    /// Whether the other rules, and the tool, let a call pass that a person has approved.
    fn recheck(&mut self, tool: &str, input: &Value, at: Timestamp) -> Result<(), (OnBlock, String)> {
        let call = guardrail::Call { tool, input, now: at, zone: self.zone, history: &self.history };
        if let Outcome::Block { on_block, reason, .. } = self.rules.evaluate_approved(&call).outcome {
            return Err((on_block, format!("refused by a guardrail: {reason}")));
        }
        self.refusal(tool, input).map_or(Ok(()), |reason| Err((OnBlock::RefuseCall, reason)))
    }

    /// Checks an input that a person wants to give a suspended call instead of its own.
    ///
    /// # Errors
    ///
    /// - `NotFound`: no call waits at this place.
    /// - `InvalidRequest` at `/edited_input`: the tool's schema or another rule refuses it.
    pub fn check_edited(&mut self, seq: u32, input: &Value, now: Timestamp) -> Result<()> {
        let Phase::Calling(turn) = &self.phase else {
            return Err(Error::not_found(format!("call {seq}")));
        };
        let Some(call) = turn.calls.iter().find(|call| call.seq == seq && call.is_suspended()) else {
            return Err(Error::not_found(format!("call {seq}")));
        };
        let name = call.name.clone();
        self.recheck(&name, input, now).map_err(|(_, reason)| Error::invalid(reason).at("/edited_input"))
    }

    /// Says of the questions that nobody has answered in time that it is too late, and what follows.
    pub(super) fn expire(&mut self, now: Timestamp) -> Result<()> {
        let Phase::Calling(turn) = &mut self.phase else { return Ok(()) };
        let mut late = Vec::new();
        for call in &mut turn.calls {
            if let State::Suspended { approval, .. } = &mut call.state
                && approval.expires_at <= now
            {
                self.events.push(approval.expire(now));
                late.push((**approval).clone());
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        let Phase::Calling(mut turn) = std::mem::replace(&mut self.phase, super::FRESH) else { return Ok(()) };
        let answered = late.iter().try_for_each(|approval| self.answer(&mut turn, approval));
        if turn.ends.is_some() {
            turn.leave_off();
        }
        self.expired.extend(late);
        self.phase = Phase::Calling(turn);
        answered
    }

    /// Has people asked what they were not asked yet, with the next commit.
    pub(super) fn ask_people(&mut self) {
        let Phase::Calling(turn) = &mut self.phase else { return };
        for call in &mut turn.calls {
            if let State::Suspended { approval, is_asked } = &mut call.state
                && !std::mem::replace(is_asked, true)
            {
                self.events.push(approval.requested());
            }
        }
    }

    /// Takes back what people were asked: the run ends.
    pub(super) fn drop_questions(&mut self, now: Timestamp) {
        let Phase::Calling(turn) = &mut self.phase else { return };
        for call in &mut turn.calls {
            if let State::Suspended { approval, is_asked: true } = &mut call.state {
                self.events.push(approval.expire(now));
                self.expired.push((**approval).clone());
            }
        }
    }

    /// The approvals that a commit keeps.
    pub(super) fn questions(&self, transition: &Transition) -> Vec<Approval> {
        let mut approvals = self.expired.clone();
        if matches!(transition, Transition::Wait { .. }) {
            approvals.extend(self.hooks.asks.clone());
        }
        // Also those that were asked before, because the store may end a run that is left, and takes them back then.
        if let (Transition::Wait { .. } | Transition::Release, Phase::Calling(turn)) = (transition, &self.phase) {
            approvals.extend(turn.calls.iter().filter_map(|call| match &call.state {
                State::Suspended { approval, is_asked: true } => Some((**approval).clone()),
                _ => None,
            }));
        }
        approvals
    }

    /// Whether the results of a turn come from outside the tenant.
    pub(super) fn is_tainted_by(&self, turn: &Turn) -> bool {
        let is_untrusted = |name: &str| self.snapshot.tools.iter().any(|tool| tool.is_untrusted && tool.name == name);
        turn.calls
            .iter()
            .any(|call| is_untrusted(&call.name) && call.outcome().is_some_and(|it| it != StepOutcome::Blocked))
    }
}
