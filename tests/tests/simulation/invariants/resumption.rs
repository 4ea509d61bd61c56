use serde_json::Value;
use worktruck_core::executor::{Effect, Event, Executor, Options};
use worktruck_core::journal::{Journal, Step, StepKind};
use worktruck_core::model::ModelReply;
use worktruck_core::run::{Commit, RunStatus, Transition};
use worktruck_core::store::Changes;
use worktruck_core::tool::{ToolError, ToolOutput};

use crate::part;
use crate::worker::LEASE;

use super::{Check, Ended, Invariant, Violation};

/// Goes on from one of the journals that there were on the way, with the answers that the run got, and compares.
pub(super) fn at_the_end(ended: &Ended<'_>, pick: usize) -> Check {
    let Ended { entry, .. } = ended;
    if entry.prefixes.is_empty() {
        return Ok(());
    }
    go_on(ended, &entry.prefixes[pick % entry.prefixes.len()])
}

fn go_on(ended: &Ended<'_>, prefix: &Journal) -> Check {
    let Ended { entry, run, journal, .. } = ended;
    let wrong = |what: &str| {
        Invariant::Resumption.broken(format!(
            "run {}, gone on with after step {}: {what}",
            entry.run,
            prefix.steps.len()
        ))
    };
    let failed = |error: worktruck_core::Error| wrong(&error.to_string());
    let then = prefix.steps.last().and_then(|step| step.completed_at).or(run.started_at);
    let now = then.unwrap_or(run.created_at);
    let (mut before, recorded) = (run.clone(), prefix.steps.len());
    (before.status, before.cancel_requested_at) = (RunStatus::Running, None);
    let options = Options { lease_for: LEASE, secrets: part::secrets() };
    let mut executor = Executor::resume(before, prefix.clone(), options).map_err(failed)?;
    let mut answers = Vec::new();
    let mut seq = recorded;
    loop {
        match executor.next(now).map_err(failed)? {
            // Where the first run was ended by somebody, this one may go further, and nobody answers.
            Effect::Ask(_) => match journal.steps.get(seq) {
                Some(step) => executor.handle(Event::Replied(Ok(reply(step)?)), now).map_err(failed)?,
                None => return Ok(()),
            },
            Effect::Call(call) => {
                let is_open = prefix.calls.iter().any(|open| open.seq == call.seq && open.receipt.is_some());
                if call.seq as usize <= recorded || is_open {
                    return Err(wrong(&format!("call {} is made again", call.seq)));
                }
                match journal.steps.get(call.seq as usize - 1) {
                    Some(step) => answers.push((call.seq, result(step))),
                    None => return Ok(()),
                }
            }
            Effect::Commit(commit) => {
                seq = compare(ended, &commit, seq).map_err(|what| wrong(&what))?;
                match commit.transition {
                    Transition::Continue => executor.handle(Event::Committed, now).map_err(failed)?,
                    // A person's answer is not in this prefix.
                    Transition::Wait { .. } => return Ok(()),
                    ending => return same_end(ended, seq, &ending).map_err(|what| wrong(&what)),
                }
            }
            Effect::Wait { .. } => match answers.pop() {
                Some((seq, result)) => executor.handle(Event::Returned { seq, result }, now).map_err(failed)?,
                None => return Err(wrong("it waits for nothing")),
            },
            Effect::Stop(_) => return Err(wrong("it stopped without a commit")),
        }
    }
}

fn reply(step: &Step) -> Result<ModelReply, Violation> {
    let output = step.output.clone().unwrap_or_default();
    let parsed = |error: serde_json::Error| Invariant::Resumption.broken(format!("step {}: {error}", step.seq));
    Ok(ModelReply {
        content: serde_json::from_value(output["content"].clone()).map_err(parsed)?,
        stop_reason: serde_json::from_value(output["stop_reason"].clone()).map_err(parsed)?,
        model: step.model.clone().unwrap_or_default(),
        usage: step.usage.unwrap_or_default(),
    })
}

/// What a call came back with, as far as a step tells.
fn result(step: &Step) -> Result<ToolOutput, ToolError> {
    let output = step.output.clone().unwrap_or_default();
    match output.get("error").and_then(Value::as_str) {
        Some(error) => Err(ToolError::new(error)),
        None => Ok(ToolOutput { output, changes: Changes::none() }),
    }
}

/// The steps of a commit are those that are recorded; gives how many there are after it.
fn compare(ended: &Ended<'_>, commit: &Commit, mut seq: usize) -> Result<usize, String> {
    for made in commit.steps.iter().map(|step| &step.step) {
        let Some(recorded) = ended.journal.steps.get(seq) else {
            // It goes further than the first one, which was ended.
            return Ok(seq);
        };
        let what = |step: &Step| (step.seq, step.kind, step.name.clone(), step.output.clone(), step.cost);
        let asked = |step: &Step| (step.kind == StepKind::Tool).then(|| step.input.clone());
        // What a person has said of it since is not in the prefix.
        let is_decided = ended.journal.approvals.iter().any(|approval| approval.step_seq == recorded.seq);
        let differs = what(made) != what(recorded) && !is_cut_off(made, recorded);
        if !is_decided && (differs || asked(made) != asked(recorded)) {
            return Err(format!("step {} is {:?}, and was {:?}", seq + 1, what(made), what(recorded)));
        }
        seq += 1;
    }
    Ok(seq)
}

/// Whether a call was left out when the first run was ended.
fn is_cut_off(made: &Step, recorded: &Step) -> bool {
    made.kind == StepKind::Tool && made.outcome != recorded.outcome
}

/// The run ends as it did, unless somebody ended it.
fn same_end(ended: &Ended<'_>, seq: usize, ending: &Transition) -> Result<(), String> {
    let by_itself = ended.run.status == RunStatus::Succeeded && seq == ended.journal.steps.len();
    match ending {
        Transition::Succeed { output } if by_itself && ended.run.output.as_ref() != Some(output) => {
            Err(format!("it ends with {output}, and ended with {:?}", ended.run.output))
        }
        Transition::Fail { detail, .. } if by_itself => Err(format!("it fails, and succeeded before: {detail}")),
        _ => Ok(()),
    }
}
