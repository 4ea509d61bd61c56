use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::guardrail::OnExpiry;
use crate::model::Usage;
use crate::run::{Approval, ApprovalStatus, Cost, Decision, EventType, NewEvent, NewRun, RunStatus, WaitingReason};
use crate::{ApprovalId, Digest, NanoUsd, RunId, StepId, TenantId};

use super::super::{Step, StepKind, StepOutcome};
use super::*;

fn start() -> Timestamp {
    "2026-04-14T12:00:00Z".parse().expect("it is a moment")
}

fn run_id() -> RunId {
    RunId::from_uuid(Uuid::from_u128(7))
}

fn run() -> Run {
    NewRun::new(run_id(), "follow_up", json!({})).accept(TenantId::from_uuid(Uuid::from_u128(1)), start())
}

/// A step that began a second after the start and took this long.
fn step(seq: u32, kind: StepKind, name: &str, outcome: StepOutcome, millis: u64) -> Step {
    let began = start().after(Duration::from_secs(1));
    Step {
        id: StepId::from_uuid(Uuid::from_u128(seq.into())),
        seq,
        kind,
        name: name.to_owned(),
        call_digest: Digest::of_bytes(b"call"),
        hash: Digest::of_bytes(b"hash"),
        input: json!({ "input": "never shown" }),
        output: Some(json!({ "output": "never shown" })),
        outcome,
        model: None,
        usage: None,
        cost: Cost(NanoUsd::ZERO),
        started_at: began,
        completed_at: Some(began.after(Duration::from_millis(millis))),
        payload_ref: None,
        tried: None,
    }
}

fn turn(seq: u32, usage: (u64, u64), nanos: i64, millis: u64) -> Step {
    let usage = Some(Usage { input_tokens: usage.0, output_tokens: usage.1, ..Usage::default() });
    let cost = Cost(NanoUsd::new(nanos));
    Step { usage, cost, ..step(seq, StepKind::Llm, "anthropic/claude-haiku-5-5", StepOutcome::Ok, millis) }
}

fn approval(status: ApprovalStatus, decision: Option<Decision>, note: Option<&str>) -> Approval {
    Approval {
        id: ApprovalId::from_uuid(Uuid::from_u128(3)),
        run_id: run_id(),
        step_seq: 2,
        tool: "mail_send".to_owned(),
        input: json!({ "input": "never shown" }),
        call_digest: Digest::of_bytes(b"call"),
        rule_id: "mails".to_owned(),
        summary: Some("mails go to customers".to_owned()),
        status,
        requested_at: start(),
        expires_at: start().after(Duration::from_secs(3_600)),
        on_expiry: OnExpiry::Reject,
        decision,
        decided_at: None,
        decided_by: None,
        note: note.map(str::to_owned),
    }
}

fn journal(steps: Vec<Step>, approvals: Vec<Approval>) -> Journal {
    Journal { steps, approvals, ..Journal::default() }
}

fn event(event_type: EventType, data: Value, actor: Option<&str>, after: Duration) -> Event {
    NewEvent { event_type, data, actor: actor.map(str::to_owned) }.placed(run_id(), 1, start().after(after))
}

/// What is told of one event.
fn told(journal: &Journal, event: Event) -> Option<String> {
    let timeline = Timeline::new(&run(), journal, &[event], &[]);
    timeline.entries().first().map(|entry| entry.text.clone())
}

fn at_once(event_type: EventType, data: Value) -> Event {
    event(event_type, data, None, Duration::ZERO)
}

#[test]
fn each_thing_that_happens_has_its_sentence() {
    use EventType::*;
    let steps = vec![
        turn(1, (1_234_567, 1), 3_456_789, 1_250),
        turn(2, (1, 1_000), 0, 59_999),
        turn(3, (0, 0), 0, 61_000),
        step(4, StepKind::Tool, "mail_send", StepOutcome::Ok, 12),
        step(5, StepKind::Tool, "mail_send", StepOutcome::Error, 7_260_000),
        step(6, StepKind::Tool, "mail_send", StepOutcome::Blocked, 0),
        Step { completed_at: None, ..step(7, StepKind::Tool, "mail_send", StepOutcome::Ok, 0) },
    ];
    let journal = journal(steps, Vec::new());
    let recorded = |seq: u32| json!({ "step_seq": seq, "kind": "tool", "name": "mail_send", "outcome": "ok" });
    let model =
        |seq: u32| json!({ "step_seq": seq, "kind": "llm", "name": "anthropic/claude-haiku-5-5", "outcome": "ok" });
    let ruling = |mode: &str, decision: &str, rest: Value| {
        let mut data = json!({
            "rule_index": 1, "rule_type": "denylist", "mode": mode, "decision": decision, "step_seq": 2, "tool": "mail_send",
        });
        data.as_object_mut().expect("it is an object").extend(rest.as_object().cloned().unwrap_or_default());
        data
    };
    let table = [
        (at_once(RunQueued, json!({})), Some("It was accepted.")),
        (at_once(RunStarted, json!({ "attempt": 1 })), Some("A worker began it.")),
        (at_once(RunResumed, json!({ "attempt": 1 })), Some("A worker went on with it.")),
        (at_once(RunResumed, json!({ "attempt": 2 })), Some("A worker went on with it, at attempt 2.")),
        (at_once(RunWaiting, json!({ "reason": "approval" })), Some("It waits for a person to decide.")),
        (
            at_once(RunWaiting, json!({ "reason": "unknown_outcome" })),
            Some("It waits for a person to say whether a call happened."),
        ),
        (at_once(RunSucceeded, json!({})), Some("It succeeded.")),
        (
            at_once(RunFailed, json!({ "failure_category": "timeout", "detail": "the deadline passed" })),
            Some("It failed (timeout): the deadline passed."),
        ),
        (at_once(RunCancelRequested, json!({})), Some("Somebody asked for its end.")),
        (event(RunCancelRequested, json!({}), Some("user:ada"), Duration::ZERO), Some("user:ada asked for its end.")),
        (at_once(RunCancelled, json!({})), Some("It was cancelled.")),
        (at_once(LeaseLost, json!({ "fence": 1 })), Some("Its worker was not heard of in time.")),
        (at_once(LeaseReleased, json!({})), Some("Its worker gave it back.")),
        (
            at_once(StepRecorded, model(1)),
            Some("Step 1: anthropic/claude-haiku-5-5 answered after 1.2 s (1,234,567 tokens in, 1 out, 0.3456789 ¢)."),
        ),
        (
            at_once(StepRecorded, model(2)),
            Some("Step 2: anthropic/claude-haiku-5-5 answered after 59.9 s (1 token in, 1,000 out)."),
        ),
        (at_once(StepRecorded, model(3)), Some("Step 3: anthropic/claude-haiku-5-5 answered after 1 min 1 s.")),
        (at_once(StepRecorded, recorded(4)), Some("Step 4: mail_send answered after 12 ms.")),
        (at_once(StepRecorded, recorded(5)), Some("Step 5: mail_send failed after 2 h 1 min.")),
        (at_once(StepRecorded, recorded(6)), Some("Step 6: mail_send was not called: a rule or a person refused it.")),
        (at_once(StepRecorded, recorded(7)), Some("Step 7: mail_send answered.")),
        (at_once(StepRecorded, recorded(8)), Some("Step 8: mail_send (ok).")),
        (at_once(GuardrailDecision, ruling("enforce", "allow", json!({}))), None),
        (at_once(GuardrailDecision, ruling("shadow", "not_applicable", json!({}))), None),
        (at_once(GuardrailDecision, ruling("enforce", "suspend", json!({}))), None),
        (
            at_once(GuardrailDecision, ruling("enforce", "block", json!({ "reason": "it is listed" }))),
            Some("Rule number 2 blocked the call of mail_send: it is listed."),
        ),
        (
            at_once(GuardrailDecision, ruling("shadow", "block", json!({ "rule_id": "mails" }))),
            Some("Rule \"mails\" would have blocked the call of mail_send."),
        ),
        (
            at_once(GuardrailDecision, ruling("shadow", "suspend", json!({ "rule_id": "mails" }))),
            Some("Rule \"mails\" would have asked a person about the call of mail_send."),
        ),
        (at_once(BudgetReserved, json!({ "usd_nano": 1, "max_tokens": 1 })), None),
        (at_once(BudgetSettled, json!({ "usd_nano": 1, "reserved_usd_nano": 2 })), None),
        (
            at_once(BudgetThreshold, json!({ "at_percent": 80, "action": "warn" })),
            Some("It has spent 80 % of its budget."),
        ),
        (
            at_once(ModelFallback, json!({ "from": "a/b", "to": "c/d", "reason": "provider_unavailable: overloaded" })),
            Some("c/d goes on in the place of a/b: provider_unavailable: overloaded."),
        ),
        (
            at_once(ApprovalRequested, json!({ "tool": "on_budget", "expires_at": "2026-04-15T12:00:00Z" })),
            Some("A person is asked about spending more, until 2026-04-15T12:00:00Z."),
        ),
        (
            at_once(ReplayDiverged, json!({ "step_seq": 3, "detail": "another input" })),
            Some("Its replay differs from its journal at step 3: another input."),
        ),
    ];
    for (event, sentence) in table {
        let what = format!("{event:?}");
        assert_eq!(told(&journal, event).as_deref(), sentence, "{what}");
    }
}

#[test]
fn questions_and_answers_say_who_and_why() {
    let asked = json!({
        "approval_id": Uuid::from_u128(3), "tool": "mail_send", "rule_id": "mails",
        "expires_at": "2026-04-14T13:00:00.000000Z",
    });
    let pending = journal(Vec::new(), vec![approval(ApprovalStatus::Pending, None, None)]);
    assert_eq!(
        told(&pending, at_once(EventType::ApprovalRequested, asked)).as_deref(),
        Some(
            "A person is asked about the call of mail_send, until 2026-04-14T13:00:00.000000Z: mails go to customers."
        )
    );
    let approve = |edited_input| Some(Decision::Approve { edited_input });
    let respond = Some(Decision::Respond { output: json!("never shown") });
    let reject = Some(Decision::Reject { fail_run: false });
    let (approved, late) = (ApprovalStatus::Approved, Duration::from_secs(3_600));
    let (soon, ada) = (Duration::from_secs(3_599), Some("user:ada"));
    for (status, decision, note, actor, after, sentence) in [
        (approved, approve(None), None, ada, soon, "user:ada approved the call of mail_send."),
        (approved, approve(None), None, None, soon, "Somebody approved the call of mail_send."),
        (
            approved,
            approve(Some(json!({ "to": "never shown" }))),
            Some("fewer people!"),
            ada,
            soon,
            "user:ada approved the call of mail_send with another input: fewer people!",
        ),
        (approved, respond, Some("I called"), ada, soon, "user:ada answered in the place of mail_send: I called."),
        (ApprovalStatus::Rejected, reject, Some(" "), ada, soon, "user:ada refused the call of mail_send."),
        (ApprovalStatus::Expired, None, None, None, late, "Nobody answered about the call of mail_send in time."),
        (ApprovalStatus::Expired, None, None, None, soon, "The question about the call of mail_send was taken back."),
    ] {
        let data = json!({ "approval_id": Uuid::from_u128(3), "tool": "mail_send", "status": status });
        let journal = journal(Vec::new(), vec![approval(status, decision, note)]);
        assert_eq!(told(&journal, event(EventType::ApprovalDecided, data, actor, after)).as_deref(), Some(sentence));
    }
}

#[test]
fn head_says_where_a_run_is_and_what_it_took() {
    let id = run_id();
    let taken = |status, waiting_reason| Run { status, waiting_reason, ..run() };
    let ended = |status, millis| Run {
        started_at: Some(start().after(Duration::from_secs(5))),
        finished_at: Some(start().after(Duration::from_secs(5) + Duration::from_millis(millis))),
        cost: Cost(NanoUsd::from_cents(2)),
        ..taken(status, None)
    };
    for (run, steps, sentence) in [
        (run(), 0, "is queued after 0 steps; it cost 0 ¢."),
        (taken(RunStatus::Running, None), 1, "is running after 1 step; it cost 0 ¢."),
        (
            taken(RunStatus::Waiting, Some(WaitingReason::Approval)),
            2,
            "waits for a person to decide after 2 steps; it cost 0 ¢.",
        ),
        (
            taken(RunStatus::Waiting, Some(WaitingReason::UnknownOutcome)),
            2,
            "waits for a person to say whether a call happened after 2 steps; it cost 0 ¢.",
        ),
        (ended(RunStatus::Succeeded, 1_250), 2, "succeeded after 2 steps and 1.2 s; it cost 2 ¢."),
        (ended(RunStatus::Failed, 12), 2, "failed after 2 steps and 12 ms; it cost 2 ¢."),
        (ended(RunStatus::Cancelled, 61_000), 2, "was cancelled after 2 steps and 1 min 1 s; it cost 2 ¢."),
    ] {
        let steps = (1..=steps).map(|seq| step(seq, StepKind::Tool, "mail_send", StepOutcome::Ok, 1));
        let timeline = Timeline::new(&run, &journal(steps.collect(), Vec::new()), &[], &[]).to_string();
        let text = timeline.replace("\n  ", " ");
        assert_eq!(text, format!("Run {id} of follow_up {sentence} since 2026-04-14T12:00:00.000000Z"));
    }
}

/// As people see it: offsets under each other, long sentences broken between words and set below themselves.
#[test]
fn whole_text_is_set_in_lines() {
    let detail = "the tool said that it could not reach the mail server of the customer, neither on its first nor on \
                  its second port";
    let events = [
        event(EventType::RunQueued, json!({}), None, Duration::ZERO),
        event(EventType::RunStarted, json!({ "attempt": 1 }), None, Duration::from_millis(9_007)),
        event(
            EventType::RunFailed,
            json!({ "failure_category": "tool_failed", "detail": detail }),
            None,
            Duration::from_millis(36_000_000 + 61_500),
        ),
    ];
    let timeline = Timeline::new(&run(), &Journal::default(), &events, &[]);
    let text = "\
Run 00000000-0000-0000-0000-000000000007 of follow_up is queued after 0 steps; it cost 0 ¢.
  since 2026-04-14T12:00:00.000000Z
   +0:00:00.000  It was accepted.
   +0:00:09.007  A worker began it.
  +10:01:01.500  It failed (tool_failed): the tool said that it could not reach the mail server of
                 the customer, neither on its first nor on its second port.";
    assert_eq!(timeline.to_string(), text);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn words_of_others_break_no_line_and_show_no_secret() {
    let detail = "first\nsecond\r\n\u{1b}[2J\u{7f}third sk-ant-planted-1 fourth\tfifth";
    let data = json!({ "failure_category": "tool_failed", "detail": detail });
    let events = [at_once(EventType::RunFailed, data)];
    let timeline = Timeline::new(&run(), &Journal::default(), &events, &[Secret::new("sk-ant-planted-1")]);
    let text = &timeline.entries()[0].text;
    assert_eq!(text, "It failed (tool_failed): first second [2J third [secret] fourth fifth.");
    let long = "x".repeat(300);
    let data = json!({ "failure_category": "tool_failed", "detail": long });
    let timeline = Timeline::new(&run(), &Journal::default(), &[at_once(EventType::RunFailed, data)], &[]);
    assert!(timeline.to_string().ends_with(&format!("\n                {long}.")), "{timeline}");
}

#[test]
fn neither_inputs_nor_outputs_are_shown() {
    let journal = journal(
        vec![step(1, StepKind::Tool, "mail_send", StepOutcome::Error, 1)],
        vec![approval(ApprovalStatus::Pending, None, None)],
    );
    let run = Run { input: json!("never shown"), output: Some(json!("never shown")), ..run() };
    let data = json!({ "step_seq": 1, "kind": "tool", "name": "mail_send", "outcome": "error" });
    let asked = json!({ "approval_id": Uuid::from_u128(3), "tool": "mail_send", "expires_at": "later" });
    let events = [at_once(EventType::StepRecorded, data), at_once(EventType::ApprovalRequested, asked)];
    let text = Timeline::new(&run, &journal, &events, &[]).to_string();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains("never shown"), "{text}");
}
