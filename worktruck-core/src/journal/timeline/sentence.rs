//! The sentence for each thing that happens to a run.

use serde::Deserialize as _;
use serde_json::Value;

use crate::NanoUsd;
use crate::guardrail::{Decided, Decision as Ruling, Mode};
use crate::journal::{Journal, Step, StepKind, StepOutcome};
use crate::run::{Approval, ApprovalStatus, Decision, Event, EventType, ON_BUDGET, Run, RunStatus, WaitingReason};

use super::layout::{count, duration, grouped};

/// Where a run is, and what it took.
pub(super) fn head(run: &Run, journal: &Journal) -> String {
    let steps = count(journal.steps.len().try_into().unwrap_or(u64::MAX), "step");
    let took = run.finished_at.zip(run.started_at).map(|(end, start)| format!(" and {}", duration(end.since(start))));
    let took = took.unwrap_or_default();
    let is = match run.status {
        RunStatus::Queued => "is queued".to_owned(),
        RunStatus::Running => "is running".to_owned(),
        RunStatus::Waiting => waits(run.waiting_reason).to_owned(),
        RunStatus::Succeeded => "succeeded".to_owned(),
        RunStatus::Failed => "failed".to_owned(),
        RunStatus::Cancelled => "was cancelled".to_owned(),
    };
    let cost = run.cost.0;
    format!("Run {} of {} {is} after {steps}{took}; it cost {cost}.", run.id, run.agent_blueprint)
}

const fn waits(reason: Option<WaitingReason>) -> &'static str {
    match reason {
        Some(WaitingReason::UnknownOutcome) => "waits for a person to say whether a call happened",
        Some(WaitingReason::Approval) | None => "waits for a person to decide",
    }
}

/// What happened, or nothing if it changed nothing.
pub(super) fn about(event: &Event, journal: &Journal) -> Option<String> {
    let data = &event.data;
    let who = event.actor.as_deref();
    Some(match event.event_type {
        EventType::RunQueued => "It was accepted.".to_owned(),
        EventType::RunStarted => "A worker began it.".to_owned(),
        EventType::RunResumed => match data["attempt"].as_u64() {
            Some(attempt @ 2..) => format!("A worker went on with it, at attempt {attempt}."),
            _ => "A worker went on with it.".to_owned(),
        },
        EventType::RunWaiting => format!("It {}.", waits(WaitingReason::deserialize(&data["reason"]).ok())),
        EventType::RunSucceeded => "It succeeded.".to_owned(),
        EventType::RunFailed => {
            format!("It failed ({}){}", text(&data["failure_category"]), because(data["detail"].as_str()))
        }
        EventType::RunCancelRequested => format!("{} asked for its end.", who.unwrap_or("Somebody")),
        EventType::RunCancelled => "It was cancelled.".to_owned(),
        EventType::LeaseLost => "Its worker was not heard of in time.".to_owned(),
        EventType::LeaseReleased => "Its worker gave it back.".to_owned(),
        EventType::StepRecorded => recorded(data, journal),
        EventType::GuardrailDecision => return ruled(data),
        EventType::BudgetReserved | EventType::BudgetSettled => return None,
        EventType::BudgetThreshold => format!("It has spent {} % of its budget.", data["at_percent"]),
        EventType::ModelFallback => {
            let (from, to) = (text(&data["from"]), text(&data["to"]));
            format!("{to} goes on in the place of {from}{}", because(data["reason"].as_str()))
        }
        EventType::ApprovalRequested => asked(data, approval(data, journal)),
        EventType::ApprovalDecided => answered(event, approval(data, journal)),
        EventType::ReplayDiverged => {
            format!(
                "Its replay differs from its journal at step {}{}",
                data["step_seq"],
                because(data["detail"].as_str())
            )
        }
    })
}

/// A step as the journal has it, or as the event alone tells it.
fn recorded(data: &Value, journal: &Journal) -> String {
    let seq = data["step_seq"].as_u64().unwrap_or_default();
    let name = text(&data["name"]);
    match journal.steps.iter().find(|step| u64::from(step.seq) == seq) {
        Some(step) => format!("Step {seq}: {name} {}{}.", outcome(step), costs(step)),
        None => format!("Step {seq}: {name} ({}).", text(&data["outcome"])),
    }
}

fn outcome(step: &Step) -> String {
    let took = step.completed_at.map(|at| format!(" after {}", duration(at.since(step.started_at))));
    let took = took.unwrap_or_default();
    match (step.kind, step.outcome) {
        (_, StepOutcome::Ok) => format!("answered{took}"),
        (_, StepOutcome::Error) => format!("failed{took}"),
        (_, StepOutcome::Blocked) => "was not called: a rule or a person refused it".to_owned(),
    }
}

/// The tokens and the cost of a turn.
fn costs(step: &Step) -> String {
    let mut parts = Vec::new();
    if let (StepKind::Llm, Some(usage)) = (step.kind, step.usage)
        && usage.prompt_tokens() + usage.output_tokens > 0
    {
        let tokens = count(usage.prompt_tokens(), "token");
        parts.push(format!("{tokens} in, {} out", grouped(usage.output_tokens)));
    }
    if step.cost.0 > NanoUsd::ZERO {
        parts.push(step.cost.0.to_string());
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// What a rule said, unless it let the call be made or a person is asked, which is told by itself.
fn ruled(data: &Value) -> Option<String> {
    let ruling = Ruling::deserialize(data).ok()?;
    let rule =
        ruling.rule.rule_id.map_or_else(|| format!("number {}", ruling.rule.rule_index + 1), |id| format!("{id:?}"));
    let does = match (ruling.mode, ruling.decision) {
        (_, Decided::Allow | Decided::NotApplicable) | (Mode::Enforce, Decided::Suspend) => return None,
        (Mode::Enforce, Decided::Block) => "blocked",
        (Mode::Shadow, Decided::Block) => "would have blocked",
        (Mode::Shadow, Decided::Suspend) => "would have asked a person about",
    };
    Some(format!("Rule {rule} {does} the call of {}{}", text(&data["tool"]), because(ruling.reason.as_deref())))
}

fn approval<'a>(data: &Value, journal: &'a Journal) -> Option<&'a Approval> {
    let id = data["approval_id"].as_str()?;
    journal.approvals.iter().find(|approval| approval.id.to_string() == id)
}

fn asked(data: &Value, approval: Option<&Approval>) -> String {
    let summary = because(approval.and_then(|approval| approval.summary.as_deref()));
    let until = text(&data["expires_at"]);
    format!("A person is asked about {}, until {until}{summary}", call(&data["tool"]))
}

fn answered(event: &Event, approval: Option<&Approval>) -> String {
    let (data, who) = (&event.data, event.actor.as_deref().unwrap_or("Somebody"));
    let (call, note) = (call(&data["tool"]), because(approval.and_then(|approval| approval.note.as_deref())));
    let status = ApprovalStatus::deserialize(&data["status"]).unwrap_or(ApprovalStatus::Pending);
    match (status, approval.and_then(|approval| approval.decision.as_ref())) {
        (ApprovalStatus::Approved, Some(Decision::Respond { .. })) => {
            format!("{who} answered in the place of {}{note}", text(&data["tool"]))
        }
        (ApprovalStatus::Approved, Some(Decision::Approve { edited_input: Some(_) })) => {
            format!("{who} approved {call} with another input{note}")
        }
        (ApprovalStatus::Approved, _) => format!("{who} approved {call}{note}"),
        (ApprovalStatus::Rejected, _) => format!("{who} refused {call}{note}"),
        (ApprovalStatus::Expired | ApprovalStatus::Pending, _) => {
            let is_late = approval.is_none_or(|approval| approval.expires_at <= event.at);
            if is_late {
                format!("Nobody answered about {call} in time.")
            } else {
                format!("The question about {call} was taken back.")
            }
        }
    }
}

/// What a person is asked about.
fn call(tool: &Value) -> String {
    match text(tool) {
        ON_BUDGET => "spending more".to_owned(),
        tool => format!("the call of {tool}"),
    }
}

/// The end of a sentence: the words of somebody else, or just a period.
fn because(words: Option<&str>) -> String {
    match words.map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) if words.ends_with(['.', '!', '?']) => format!(": {words}"),
        Some(words) => format!(": {words}."),
        None => ".".to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("something")
}
