//! A recorded run against the software that is here: would it do the same again?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::journal::{Asked, Difference, Divergence, Journal, RunExport, Step, StepKind, StepOutcome, Verification};
use crate::model::{ModelError, ModelErrorCategory, ModelReply};
use crate::run::{Approval, Commit, FailureCategory, Run, RunStatus, Transition, UNKNOWN_OUTCOME};
use crate::tool::{ToolError, ToolOutput};
use crate::{Result, RunId, Timestamp};

use super::compact::is_compaction;
use super::reply::RecordedReply;
use super::{Effect, Event, Executor, Options};

/// Whether this software would do again what a run has done, told by [`replay_check`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReplayReport {
    /// The run.
    pub run_id: RunId,
    /// Whether it would, as far as the journal goes.
    pub same: bool,
    /// How many steps the journal has.
    pub steps: u32,
    /// How many of them, from the first on, would be the same.
    pub checked: u32,
    /// The first call that would be another, or come to something else without having been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What else would be different, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the journal is what was once recorded.
    pub chain: Verification,
}

/// Runs the loop of this software through a recorded run, without model, tool or store: it is told what the journal
/// recorded, at the times that the journal recorded, and what it wants to do is compared with what was done.
///
/// What the run lived by is in its snapshot; so what is checked is the software: how it numbers and names calls, decides
/// about them, counts and ends. What came from outside (a deadline, a cancellation, a provider that stayed away) is taken
/// as it was, and so is what a person or a guardrail has kept of a result.
///
/// # Errors
///
/// `InvalidRequest` if something in the document has no canonical JSON form or cannot be read.
pub fn replay_check(export: &RunExport) -> Result<ReplayReport> {
    let steps = &export.journal.steps;
    let mut report = ReplayReport {
        run_id: export.run.id,
        same: true,
        steps: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        checked: 0,
        divergence: None,
        detail: None,
        chain: export.verify()?,
    };
    if export.journal.snapshot.is_none() {
        // It never began: there is nothing that could be done otherwise.
        return Ok(report);
    }
    let mut replay = Replay {
        executor: resume(export, 0)?,
        export,
        checked: 0,
        now: export.run.started_at.unwrap_or(export.run.created_at),
        asked: BTreeSet::new(),
        kept: BTreeSet::new(),
        waits: 0,
    };
    let found = replay.run()?;
    report.checked = u32::try_from(replay.checked).unwrap_or(u32::MAX);
    match found {
        Found::Same => {}
        Found::Other(divergence) => report.divergence = Some(*divergence),
        Found::Ends(detail) => report.detail = Some(detail),
    }
    report.same = report.divergence.is_none() && report.detail.is_none();
    Ok(report)
}

/// What came of a replay.
enum Found {
    Same,
    /// A call is another.
    Other(Box<Divergence>),
    /// Something else is different.
    Ends(String),
}

struct Replay<'a> {
    export: &'a RunExport,
    executor: Executor,
    /// How many steps were the same.
    checked: usize,
    now: Timestamp,
    /// The calls about which the executor has asked people.
    asked: BTreeSet<u32>,
    /// The calls of whose results the journal does not know what they were.
    kept: BTreeSet<u32>,
    waits: usize,
}

/// An executor that has the first `count` steps behind it.
fn resume(export: &RunExport, count: usize) -> Result<Executor> {
    let journal = Journal {
        snapshot: export.journal.snapshot.clone(),
        steps: export.journal.steps[..count].to_vec(),
        approvals: if count == 0 { Vec::new() } else { export.journal.approvals.clone() },
        ..Journal::default()
    };
    let run = Run { cancel_requested_at: None, ..export.run.clone() };
    let options = Options { lease_for: crate::run::DEFAULT_LEASE, secrets: [].into() };
    Executor::resume(run, journal, options)
}

impl<'a> Replay<'a> {
    fn run(&mut self) -> Result<Found> {
        loop {
            if let Some(next) = self.step(self.executor.seq + 1) {
                self.now = self.now.max(next.started_at);
            }
            let found = match self.executor.next(self.now)? {
                Effect::Ask(_) => self.ask()?,
                Effect::Call(call) => self.call(call.seq, &call.name, &call.input)?,
                Effect::Commit(commit) => self.commit(&commit)?,
                Effect::Wait { .. } => Some(self.ending("wait")),
                Effect::Stop(RunStatus::Waiting) => self.wait()?,
                Effect::Stop(_) => Some(Found::Same),
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    fn step(&self, seq: u32) -> Option<&'a Step> {
        self.export.journal.steps.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    fn approval(&self, seq: u32) -> Option<&'a Approval> {
        self.export.journal.approvals.iter().find(|approval| approval.step_seq == seq)
    }

    /// Answers for the model.
    fn ask(&mut self) -> Result<Option<Found>> {
        let Some(step) = self.step(self.executor.seq + 1) else { return Ok(Some(self.ending("ask the model"))) };
        // Which model answered, and that one could not read so much, is taken as it was.
        if self.executor.models.recall(&step.name) {
            self.executor.use_current_model();
        }
        if is_compaction(&step.input) && !self.executor.compacting {
            let too_long = ModelError::new(ModelErrorCategory::ContextWindowExceeded, "as it was");
            self.executor.handle(Event::Replied(Err(too_long)), self.now)?;
            return Ok(None);
        }
        let name = self.executor.models.current();
        if let Some(other) = self.other(step, StepKind::Llm, name, &self.executor.model_input())? {
            return Ok(Some(other));
        }
        let RecordedReply { content, stop_reason } = RecordedReply::parse(step.output.as_ref())?;
        let model = step.model.clone().unwrap_or_default();
        let reply = ModelReply { content, stop_reason, model, usage: step.usage.unwrap_or_default() };
        self.now = self.now.max(step.completed_at.unwrap_or(step.started_at));
        self.executor.handle(Event::Replied(Ok(reply)), self.now)?;
        Ok(None)
    }

    /// Answers for a tool.
    fn call(&mut self, seq: u32, name: &str, input: &Value) -> Result<Option<Found>> {
        let Some(step) = self.step(seq) else { return Ok(Some(self.ending(&format!("call {name}")))) };
        if let Some(other) = self.other(step, StepKind::Tool, name, input)? {
            return Ok(Some(other));
        }
        let approval = self.approval(seq);
        let is_unknown = approval.is_some_and(|approval| approval.rule_id == UNKNOWN_OUTCOME);
        if approval.is_some() && !is_unknown && !self.asked.contains(&seq) {
            return Ok(Some(Found::Ends(format!("step {seq} waited for a person, and would not"))));
        }
        let output = step.output.clone().unwrap_or(Value::Null);
        let error = output["error"].as_str().unwrap_or_default().to_owned();
        let is_withheld = step.outcome == StepOutcome::Blocked && error.starts_with(WITHHELD);
        if is_withheld || (is_unknown && step.outcome == StepOutcome::Blocked) {
            self.kept.insert(seq);
        } else if step.outcome == StepOutcome::Blocked {
            let difference = ("/outcome", json!(StepOutcome::Blocked), json!("called"));
            return Ok(Some(otherwise(step, difference)));
        }
        let result = if step.outcome == StepOutcome::Ok {
            Ok(ToolOutput::new(output))
        } else {
            let ends_run = self.export.run.failure_detail.as_ref() == Some(&format!("{name}: {error}"));
            let fatal = self.export.run.failure_category.filter(|_| ends_run);
            Err(ToolError { fatal, ..ToolError::new(error) })
        };
        self.now = self.now.max(step.completed_at.unwrap_or(step.started_at));
        self.executor.handle(Event::Returned { seq, result }, self.now)?;
        Ok(None)
    }

    /// Compares what the executor would record.
    fn commit(&mut self, commit: &Commit) -> Result<Option<Found>> {
        for new in commit.steps.iter().map(|step| &step.step) {
            let Some(step) = self.step(new.seq) else {
                return Ok(Some(self.ending(&format!("record step {}, {}", new.seq, new.name))));
            };
            let name = if step.kind == StepKind::Llm { &step.name } else { &new.name };
            if let Some(other) = self.other(step, new.kind, name, &new.input)? {
                return Ok(Some(other));
            }
            if !self.kept.contains(&new.seq) {
                if step.outcome != new.outcome {
                    return Ok(Some(otherwise(step, ("/outcome", json!(step.outcome), json!(new.outcome)))));
                }
                // Of an output that was erased nothing else is known.
                if step.output.is_some() && step.output != new.output {
                    return Ok(Some(otherwise(step, ("/output", json!(step.output), json!(new.output)))));
                }
            }
            self.checked = usize::try_from(new.seq).unwrap_or(usize::MAX);
            // The chain goes on from what was recorded: the times of a replay are its own.
            if let Some(pending) = &mut self.executor.pending {
                pending.head = step.hash;
            }
        }
        for question in commit.approvals.iter().filter(|approval| approval.is_pending()) {
            if self.approval(question.step_seq).is_none() {
                let seq = question.step_seq;
                return Ok(Some(Found::Ends(format!("step {seq} would wait for a person, and did not"))));
            }
            self.asked.insert(question.step_seq);
        }
        let run = &self.export.run;
        let ends = match &commit.transition {
            Transition::Continue | Transition::Wait { .. } => {
                self.executor.handle(Event::Committed, self.now)?;
                return Ok(None);
            }
            Transition::Succeed { output } => run.status == RunStatus::Succeeded && run.output.as_ref() == Some(output),
            Transition::Fail { category, .. } => {
                run.status == RunStatus::Failed && run.failure_category == Some(*category)
            }
            Transition::Cancel => run.status == RunStatus::Cancelled,
            Transition::Release => !run.status.is_terminal(),
        };
        if ends && self.checked == self.export.journal.steps.len() {
            return Ok(Some(Found::Same));
        }
        let seq = self.checked;
        let would = match &commit.transition {
            Transition::Succeed { .. } => "succeed with its last answer".to_owned(),
            Transition::Fail { category, detail } => format!("fail as {}: {detail}", category.as_str()),
            _ => "stop".to_owned(),
        };
        Ok(Some(Found::Ends(format!("after step {seq} the run would {would}, and {}", self.ended()))))
    }

    /// Goes on with the answers that people gave.
    fn wait(&mut self) -> Result<Option<Found>> {
        self.waits += 1;
        let answered = self.export.journal.approvals.iter().filter(|approval| !approval.is_pending()).count();
        if self.waits > answered {
            return Ok(Some(self.ending("wait for a person")));
        }
        self.executor = resume(self.export, self.checked)?;
        Ok(None)
    }

    /// What it means that the journal ends where the executor would go on to do `what`.
    fn ending(&self, what: &str) -> Found {
        let run = &self.export.run;
        let from_outside = match (run.status, run.failure_category) {
            (RunStatus::Succeeded, _) => false,
            (RunStatus::Failed, Some(FailureCategory::GuardrailBlocked)) => !self.kept.is_empty(),
            // What crashes have forfeited is not known turn by turn.
            (RunStatus::Failed, Some(FailureCategory::BudgetExhausted)) => self.export.journal.forfeited.as_nanos() > 0,
            _ => true,
        };
        if from_outside && self.checked <= self.export.journal.steps.len() {
            return Found::Same;
        }
        Found::Ends(format!("after step {} the run would {what}, and {}", self.checked, self.ended()))
    }

    fn ended(&self) -> String {
        let Run { status, failure_category, .. } = &self.export.run;
        let steps = self.export.journal.steps.len();
        let category = failure_category.map(|it| format!(" as {}", it.as_str())).unwrap_or_default();
        format!("the recorded one has {steps} steps and is {status}{category}")
    }

    fn other(&self, step: &Step, kind: StepKind, name: &str, input: &Value) -> Result<Option<Found>> {
        let divergence = Divergence::between(self.export.run.id, step, kind, name, input)?;
        Ok(divergence.map(|divergence| Found::Other(Box::new(divergence))))
    }
}

/// How the message of a result begins that a guardrail has kept from the model.
const WITHHELD: &str = "withheld by a guardrail";

/// The same call came to something else.
fn otherwise(step: &Step, (pointer, recorded, attempted): (&str, Value, Value)) -> Found {
    let asked = Asked { kind: step.kind, name: step.name.clone(), call_digest: step.call_digest };
    let (recorded, attempted) = (Some(recorded), Some(attempted));
    Found::Other(Box::new(Divergence {
        seq: step.seq,
        recorded: asked.clone(),
        attempted: asked,
        differences: vec![Difference { pointer: pointer.to_owned(), recorded, attempted }],
    }))
}
