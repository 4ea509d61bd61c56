use serde_json::{Value, json};

use crate::guardrail::{self, Decided, OnBlock, Outcome};
use crate::journal::{OpenCall, Step, StepKind, StepOutcome, step_hash};
use crate::model::{ModelReply, Usage};
use crate::run::{Commit, CommitStep, Cost, EventType, FailureCategory, NewEvent, RunStatus, Transition};
use crate::store::Changes;
use crate::tool::{ToolEffect, ToolError, ToolOutput};
use crate::{Digest, Error, ErrorKind, NanoUsd, Result, StepId, Timestamp};

use super::reply::{Disposition, RecordedReply, dispose, spoken};
use super::trial::redacted;
use super::turn::{self, Call, Done, State};
use super::{Effect, Executor, FRESH, MAX_CONFLICTS, Pending, Phase, Then};

impl Executor {
    /// Journals an answer of the model and goes where it leads.
    pub(super) fn settle_reply(&mut self, reply: ModelReply, began: Timestamp, now: Timestamp) -> Result<()> {
        let mut recorded = RecordedReply::of(&reply);
        let mut output = json!(recorded);
        if !self.options.secrets.is_empty() {
            crate::secret::redact(&self.options.secrets, &mut output);
            recorded = RecordedReply::parse(Some(&output))?;
        }
        let cost = self.ledger.cost(&reply.usage);
        if self.ledger.reserved() > NanoUsd::ZERO {
            let data = json!({ "usd_nano": cost, "reserved_usd_nano": self.ledger.reserved() });
            self.events.push(NewEvent::with(EventType::BudgetSettled, data));
        }
        self.ledger.settle(cost);
        self.models.answered();
        self.last_error = None;
        let input = self.model_input();
        let name = self.models.current().to_owned();
        let call_digest = self.call_digest(self.seq + 1, StepKind::Llm, &name, &input)?;
        let mut step = Step {
            id: step_id(began, call_digest),
            seq: self.seq + 1,
            kind: StepKind::Llm,
            name,
            call_digest,
            hash: self.head,
            input,
            output: Some(output),
            outcome: StepOutcome::Ok,
            model: Some(reply.model),
            usage: Some(reply.usage),
            cost: Cost(cost),
            started_at: began,
            completed_at: Some(now),
            payload_ref: None,
            tried: None,
        };
        step.hash = step_hash(self.head, &step)?;
        let (seq, hash) = (step.seq, step.hash);
        let steps = vec![CommitStep { step, changes: Changes::none() }];
        let reached = self.hooks.reach(self.ledger.spent());
        self.events.extend(reached);
        if self.compacting {
            let (transition, then) = match self.end_compaction(&recorded) {
                Ok(()) => (Transition::Continue, Then::GoOn),
                Err(transition) => (transition, Then::Stop(RunStatus::Failed)),
            };
            self.phase = FRESH;
            return self.commit_after(hash, seq, steps, Vec::new(), transition, then);
        }
        let disposition = dispose(&recorded);
        if !matches!(disposition, Disposition::Compact) {
            self.transcript.push_reply(spoken(recorded), Some(reply.usage));
        }
        match disposition {
            Disposition::Compact => {
                let (transition, then) = match self.begin_compaction() {
                    Ok(()) => (Transition::Continue, Then::GoOn),
                    Err(transition) => (transition, Then::Stop(RunStatus::Failed)),
                };
                self.phase = FRESH;
                self.commit_after(hash, seq, steps, Vec::new(), transition, then)
            }
            Disposition::Call(asked) => {
                // The calls are numbered after the answer, which is not committed yet.
                let before = std::mem::replace(&mut self.seq, seq);
                let (turn, decisions) = self.make_turn(asked, now)?;
                self.seq = before;
                self.events.extend(decisions);
                let calls = if self.wish.is_none() { turn.announcements() } else { Vec::new() };
                self.phase = Phase::Calling(turn);
                self.commit_after(hash, seq, steps, calls, Transition::Continue, Then::GoOn)
            }
            Disposition::AskAgain(text) => {
                if let Some(text) = text {
                    self.transcript.push_text(&text);
                }
                self.phase = FRESH;
                self.commit_after(hash, seq, steps, Vec::new(), Transition::Continue, Then::GoOn)
            }
            Disposition::End(transition) => {
                let status = status_after(&transition);
                self.commit_after(hash, seq, steps, Vec::new(), transition, Then::Stop(status))
            }
        }
    }

    /// Makes the next calls, or commits those that came back.
    pub(super) fn go_on(&mut self, now: Timestamp) -> Result<Effect> {
        let draining = self.wish.is_some();
        let Phase::Calling(turn) = &mut self.phase else {
            return Err(Error::internal("no calls are to be made"));
        };
        if !draining {
            let calls = turn.announcements();
            if !calls.is_empty() {
                self.commit(Vec::new(), calls, Transition::Continue, Then::GoOn)?;
                return self.next(now);
            }
        }
        if let Some(call) = turn.start(now, draining) {
            return match self.try_out(call, now)? {
                Some(call) => Ok(Effect::Call(call)),
                None => self.next(now),
            };
        }
        let Phase::Calling(turn) = &self.phase else {
            return Err(Error::internal("no calls are to be made"));
        };
        if turn.is_settled() {
            return self.finish_turn(now);
        }
        if let Some(reason) = turn.waits_for() {
            self.ask_people();
            return self.stop(Transition::Wait { reason }, now);
        }
        if turn.calls.iter().any(Call::is_unstored_receipt) {
            let (steps, head, seq) = self.chain_prefix(true)?;
            let calls = self.receipts_after(seq, false);
            self.commit_after(head, seq, steps, calls, Transition::Continue, Then::GoOn)?;
            return self.next(now);
        }
        Ok(Effect::Wait { until: self.deadline_at() })
    }

    /// Commits the rest of a turn, and with it what the next one needs.
    fn finish_turn(&mut self, now: Timestamp) -> Result<Effect> {
        let Phase::Calling(turn) = &self.phase else {
            return Err(Error::internal("no calls were made"));
        };
        let (results, ending) = (turn.results(), turn.ending());
        let (steps, head, seq) = self.chain_prefix(false)?;
        if self.is_tainted_by(turn) {
            self.history.taint();
        }
        self.transcript.push_results(results);
        let transition = match ending {
            Some(transition) => transition,
            None => {
                let before = std::mem::replace(&mut self.seq, seq);
                let reserved = self.reserve(now);
                self.seq = before;
                reserved?.err().unwrap_or(Transition::Continue)
            }
        };
        let then = match &transition {
            Transition::Continue => Then::Ask,
            ending => Then::Stop(status_after(ending)),
        };
        self.commit_after(head, seq, steps, Vec::new(), transition, then)?;
        if let Some(pending) = &mut self.pending {
            pending.spoke = true;
        }
        self.next(now)
    }

    /// Ends the run here, or gives it back, with everything that has come back by now.
    pub(super) fn stop(&mut self, transition: Transition, now: Timestamp) -> Result<Effect> {
        match &self.phase {
            Phase::Asking { started_at: Some(_), .. } => self.ledger.forfeit_reserved(),
            _ => self.ledger.give_back(),
        }
        let status = status_after(&transition);
        let (mut steps, mut calls, mut head, mut seq) = (Vec::new(), Vec::new(), self.head, self.seq);
        if matches!(self.phase, Phase::Calling(_)) {
            (steps, head, seq) = self.chain_prefix(!status.is_terminal())?;
            calls = self.receipts_after(seq, status == RunStatus::Waiting);
        }
        if status.is_terminal() {
            self.drop_questions(now);
        }
        self.commit_after(head, seq, steps, calls, transition, Then::Stop(status))?;
        self.next(now)
    }

    /// Takes in what a call came back with.
    pub(super) fn returned(&mut self, seq: u32, result: Result<ToolOutput, ToolError>, now: Timestamp) -> Result<()> {
        let Phase::Calling(turn) = &mut self.phase else {
            return Err(Error::internal(format!("call {seq} came back that was not made")));
        };
        let asked_at = turn.asked_at;
        let Some(call) = turn.calls.iter_mut().find(|call| call.seq == seq) else {
            return Err(Error::internal(format!("call {seq} came back that was not made")));
        };
        let State::UnderWay { started_at } = call.state else {
            return Err(Error::internal(format!("call {seq} came back twice")));
        };
        let mut done = match result {
            Ok(ToolOutput { output, changes }) if call.effect == ToolEffect::Write || changes.is_empty() => {
                Done { output, changes, ..Done::at_once(StepOutcome::Ok, "", now) }
            }
            Ok(_) => Done {
                fatal: Some(FailureCategory::ConfigError),
                ..Done::at_once(
                    StepOutcome::Error,
                    "the tool returned changes but does not declare that it writes",
                    now,
                )
            },
            Err(error) => Done { fatal: error.fatal, ..Done::at_once(StepOutcome::Error, &error.message, now) },
        };
        done.started_at = started_at;
        done.made = true;
        if done.outcome == StepOutcome::Ok {
            let (tool, input) = (&*call.name, &call.input);
            let asked = guardrail::Call { tool, input, now: asked_at, zone: self.zone, history: &self.history };
            let verdict = self.rules.evaluate_output(&asked, &done.output);
            let decided = verdict.decisions.iter().filter(|it| it.decision != Decided::NotApplicable);
            self.events.extend(decided.map(|decision| turn::decided(decision, seq, tool)));
            if let Outcome::Block { on_block, reason, .. } = verdict.outcome {
                // What came out is kept from the model, and what a tool wants to change in the store is not changed.
                let fatal = (on_block == OnBlock::FailRun).then_some(FailureCategory::GuardrailBlocked);
                let message = format!("withheld by a guardrail: {reason}");
                let withheld = Done::at_once(StepOutcome::Blocked, &message, now);
                done = Done { started_at, made: true, fatal, ..withheld };
            }
        }
        crate::secret::redact(&self.options.secrets, &mut done.output);
        if self.snapshot.trial.is_some() {
            // They go into the journal, where a secret may not.
            done.changes = redacted(&self.options.secrets, done.changes)?;
        }
        call.state = State::Done(done);
        Ok(())
    }

    pub(super) fn committed(&mut self) -> Result<()> {
        let Some(Pending { head, seq, opens, then, .. }) = self.pending.take() else {
            return Err(Error::internal("a commit took effect that was not asked for"));
        };
        self.begun = true;
        self.commits += 1;
        self.events.clear();
        self.expired.clear();
        let is_trial = self.snapshot.trial.is_some();
        if let Phase::Calling(turn) = &mut self.phase {
            for call in &mut turn.calls {
                // What came back while the commit was made is not part of it.
                let opened = opens.contains(&call.seq);
                call.announced |= opened;
                if let State::Done(done) = &mut call.state {
                    if call.seq <= seq {
                        if is_trial && !done.changes.is_empty() {
                            self.tried.push(std::mem::take(&mut done.changes));
                        }
                        let (output, outcome) = (std::mem::take(&mut done.output), done.outcome);
                        call.state = State::Chained { output, outcome };
                    } else {
                        done.stored |= opened;
                    }
                }
            }
        }
        (self.head, self.seq) = (head, seq);
        match then {
            Then::Ask => self.ask(),
            Then::GoOn => {}
            Then::Stop(status) => self.phase = Phase::Stopped(status),
        }
        Ok(())
    }

    /// The changes of call `seq` do not fit: it is made again, and so are the writes after it, which
    /// have seen its changes. What can never fit is not made again; the model is told.
    pub(super) fn conflicted(&mut self, seq: u32, error: &Error, now: Timestamp) -> Result<()> {
        let Some(Pending { spoke, .. }) = self.pending.take() else {
            return Err(Error::internal("a commit conflicted that was not asked for"));
        };
        if spoke {
            // The results and the next reservation were part of what did not happen.
            self.transcript.pop();
            self.ledger.give_back();
            let asked = self.hooks.asks.take();
            self.events.retain(|event| {
                event.event_type != EventType::BudgetReserved
                    && (asked.is_none() || event.event_type != EventType::ApprovalRequested)
            });
        }
        let message = self.redacted(&format!("the change was not made: {error}"));
        let Phase::Calling(turn) = &mut self.phase else {
            return Err(Error::internal(format!("step {seq} conflicted but changes nothing: {error}")));
        };
        for call in turn.calls.iter_mut().filter(|call| call.seq >= seq && call.effect == ToolEffect::Write) {
            // Invariant: no write is under way, because writes are committed when all are back.
            if !matches!(&call.state, State::Done(done) if done.made) {
                continue;
            }
            if call.seq == seq {
                call.conflicts += 1;
            }
            let hopeless = call.seq == seq && error.kind() == ErrorKind::InvalidRequest;
            call.state = if hopeless || call.conflicts > MAX_CONFLICTS {
                State::Done(Done::at_once(StepOutcome::Error, &message, now))
            } else {
                State::Ready
            };
        }
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        steps: Vec<CommitStep>,
        calls: Vec<OpenCall>,
        transition: Transition,
        then: Then,
    ) -> Result<()> {
        self.commit_after(self.head, self.seq, steps, calls, transition, then)
    }

    fn commit_after(
        &mut self,
        head: Digest,
        seq: u32,
        steps: Vec<CommitStep>,
        calls: Vec<OpenCall>,
        transition: Transition,
        then: Then,
    ) -> Result<()> {
        // A run that is given back before it began lives by whatever is in force when it begins.
        let pins = !self.begun && transition != Transition::Release;
        let commit = Commit {
            number: self.commits + 1,
            snapshot: pins.then(|| self.snapshot.clone()),
            steps,
            calls,
            approvals: self.questions(&transition),
            // Kept until the commit took effect: a conflict makes them part of the next one.
            events: self.events.clone(),
            reserved: self.ledger.reserved(),
            forfeited: self.ledger.forfeited(),
            transition,
            lease_for: self.options.lease_for,
        };
        let opens = commit.calls.iter().map(|call| call.seq).collect();
        self.pending = Some(Pending { commit: Some(Box::new(commit)), head, seq, opens, then, spoke: false });
        Ok(())
    }

    /// The steps of the calls that can join the chain now, and where the chain ends then.
    fn chain_prefix(&self, goes_on: bool) -> Result<(Vec<CommitStep>, Digest, u32)> {
        let (mut head, mut seq) = (self.head, self.seq);
        let mut steps = Vec::new();
        if let Phase::Calling(turn) = &self.phase {
            for (call, done) in turn.prefix(goes_on) {
                let (tried, changes) = self.what_is_written(done)?;
                let step = tool_step(head, call, done, tried)?;
                (head, seq) = (step.hash, step.seq);
                steps.push(CommitStep { step, changes });
            }
        }
        Ok((steps, head, seq))
    }

    /// The receipts of calls after `seq` that are not stored yet; also those of calls in the store, if they would have
    /// to be made again otherwise.
    fn receipts_after(&self, seq: u32, waits: bool) -> Vec<OpenCall> {
        let Phase::Calling(turn) = &self.phase else { return Vec::new() };
        let is_due = |call: &&Call| call.is_unstored_receipt() || (waits && call.is_unstored_answer());
        turn.calls.iter().filter(|call| call.seq > seq).filter(is_due).map(Call::open).collect()
    }
}

fn tool_step(head: Digest, call: &Call, done: &Done, tried: Option<Value>) -> Result<Step> {
    let mut step = Step {
        id: step_id(done.started_at, call.digest),
        seq: call.seq,
        kind: StepKind::Tool,
        name: call.name.clone(),
        call_digest: call.digest,
        hash: head,
        input: call.input.clone(),
        output: Some(done.output.clone()),
        outcome: done.outcome,
        model: None,
        usage: None::<Usage>,
        cost: Cost(NanoUsd::ZERO),
        started_at: done.started_at,
        completed_at: Some(done.completed_at),
        payload_ref: None,
        tried,
    };
    step.hash = step_hash(head, &step)?;
    Ok(step)
}

pub(super) fn step_id(at: Timestamp, call_digest: Digest) -> StepId {
    let mut random = [0; 10];
    random.copy_from_slice(&call_digest.as_bytes()[..10]);
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
    StepId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

const fn status_after(transition: &Transition) -> RunStatus {
    match transition {
        Transition::Continue => RunStatus::Running,
        Transition::Succeed { .. } => RunStatus::Succeeded,
        Transition::Fail { .. } => RunStatus::Failed,
        Transition::Cancel => RunStatus::Cancelled,
        Transition::Wait { .. } => RunStatus::Waiting,
        Transition::Release => RunStatus::Queued,
    }
}
