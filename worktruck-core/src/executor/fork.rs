//! Runs that go on from the middle of another one: the journal that such a run begins with.

use serde_json::Value;

use crate::journal::{
    Journal, Recalled, Snapshot, Step, StepKind, StepOutcome, call_digest, genesis, step_hash, verify,
};
use crate::model::Usage;
use crate::run::{Approval, Cost, Fork, ForkedFrom, NewRun, Run};
use crate::{ApprovalId, Digest, Error, NanoUsd, Result, RunId};

use super::reply::{Disposition, RecordedReply, dispose};
use super::settle::step_id;

/// Where a run leaves the one that it goes on from, and what it is from there on.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The first step that is not taken over: from 1 to the one after the last.
    pub from_seq: u32,
    /// The run that goes on.
    pub run: NewRun,
    /// What it lives by.
    pub snapshot: Snapshot,
}

/// A run that goes on from the middle of `source`, whose steps before [`from_seq`](Departure::from_seq) it has done.
///
/// The steps are the same but for what names their run: their digests, the chain and their ids. They cost nothing and
/// used no tokens, because a recorded turn is not paid for twice.
///
/// # Errors
///
/// - `InvalidRequest` at `/from_seq`: there is no such place, or the run has ended before it.
/// - `InvalidRequest` at `/mode`: a run that takes effect cannot rest on changes that were only tried out.
/// - `Conflict`: the journal of `source` is not what was recorded.
pub fn fork(source: &Run, journal: &Journal, departure: Departure) -> Result<Fork> {
    let Departure { from_seq, mut run, snapshot } = departure;
    let verified = verify(source.tenant_id, source.id, &source.input, journal)?;
    if let Some(seq) = verified.first_bad_seq {
        let message = format!("step {seq} of run {} was changed after it was written", source.id);
        return Err(Error::conflict(message));
    }
    if !(1..=verified.steps + 1).contains(&from_seq) {
        let message = format!("from_seq must be between 1 and {}, the steps of the run and one", verified.steps + 1);
        return Err(Error::invalid(message).at("/from_seq"));
    }
    let kept: Vec<&Step> = journal.steps.iter().take_while(|step| step.seq < from_seq).collect();
    if let Some(last) = kept.last()
        && last.kind == StepKind::Llm
        && matches!(dispose(&RecordedReply::parse(last.output.as_ref())?), Disposition::End(_))
    {
        let message = format!("step {} ends the run, so that nothing can follow it", last.seq);
        return Err(Error::invalid(message).at("/from_seq"));
    }
    if let (None, Some(step)) = (&snapshot.trial, kept.iter().find(|step| step.tried.is_some())) {
        let message = format!(
            "step {} was only tried out, and what it would have written is not there; what_if goes on from it",
            step.seq
        );
        return Err(Error::invalid(message).at("/mode"));
    }
    run.deadline_secs = run.deadline_secs.or_else(|| deadline_secs(source, journal));
    let mut head = genesis(source.tenant_id, run.id, &run.input, Some(&snapshot))?;
    let mut steps = Vec::with_capacity(kept.len());
    for step in kept {
        let step = copied(step, run.id, head)?;
        head = step.hash;
        steps.push(step);
    }
    let decided = journal.approvals.iter().filter(|approval| approval.step_seq < from_seq && !approval.is_pending());
    let approvals = decided.map(|approval| asked(approval, run.id)).collect::<Result<_>>()?;
    Ok(Fork { from: ForkedFrom { run: source.id, from_seq }, run, snapshot, steps, approvals })
}

/// What the calls outside of a run came back with, in the order of its journal.
///
/// # Errors
///
/// `InvalidRequest` if an input has no canonical JSON form.
pub fn recalled(journal: &Journal) -> Result<Vec<Recalled>> {
    let Some(snapshot) = &journal.snapshot else { return Ok(Vec::new()) };
    if let Some(trial) = &snapshot.trial {
        // Nothing of what its own calls came back with was an answer.
        return Ok(trial.answers.clone());
    }
    let is_outside = |name: &str| snapshot.tools.iter().any(|tool| tool.name == name && tool.effect.is_outside());
    let called = journal.steps.iter().filter(|step| step.kind == StepKind::Tool && is_outside(&step.name));
    let answered = called.filter(|step| step.outcome != StepOutcome::Blocked);
    answered
        .filter_map(|step| Some((step, step.output.as_ref()?)))
        .map(|(step, output)| {
            let (tool, input) = (step.name.clone(), Digest::of_json(&step.input)?);
            Ok(Recalled { tool, input, outcome: step.outcome, output: output.clone() })
        })
        .collect()
}

/// The step as one of `run`, chained to `head`.
fn copied(step: &Step, run: RunId, head: Digest) -> Result<Step> {
    let input = match (step.kind, &step.input, super::transcript(step.seq - 1, head)) {
        (StepKind::Tool, input, _) => input.clone(),
        // The rest of it, if there is any, is about the conversation and not about the chain.
        (StepKind::Llm, Value::Object(members), Value::Object(chain)) => {
            Value::Object(members.clone().into_iter().chain(chain).collect())
        }
        (StepKind::Llm, _, chain) => chain,
    };
    let call_digest = call_digest(run, step.seq, step.kind, &step.name, &input)?;
    let mut copy = Step {
        id: step_id(step.started_at, call_digest),
        call_digest,
        input,
        usage: None::<Usage>,
        cost: Cost(NanoUsd::ZERO),
        payload_ref: None,
        ..step.clone()
    };
    copy.hash = step_hash(head, &copy)?;
    Ok(copy)
}

/// The answered question as one about a call of `run`.
fn asked(approval: &Approval, run: RunId) -> Result<Approval> {
    let place = call_digest(run, approval.step_seq, StepKind::Tool, &approval.tool, &approval.input)?;
    let id = ApprovalId::from_uuid(step_id(approval.requested_at, place).as_uuid());
    Ok(Approval { id, run_id: run, ..approval.clone() })
}

/// How long a run may take, by what it was asked for or by what it began with.
fn deadline_secs(source: &Run, journal: &Journal) -> Option<u32> {
    let by_snapshot = || {
        let until = journal.snapshot.as_ref()?.deadline_at;
        u32::try_from(until.since(source.started_at?).as_secs()).ok().filter(|secs| *secs > 0)
    };
    source.deadline_secs.or_else(by_snapshot)
}
