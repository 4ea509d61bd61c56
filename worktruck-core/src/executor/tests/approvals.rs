//! Calls about which people decide.

use std::time::Duration;

use serde_json::{Value, json};

use super::{End, count, events, failure, played, stage};
use crate::ErrorKind;
use crate::guardrail::{Gate, OnBlock, OnExpiry, Rule, RuleKind, Target};
use crate::run::{
    Approval, ApprovalStatus, Decision, EventType, FailureCategory, NewRun, RunRecord, RunStatus, UNKNOWN_OUTCOME,
    WaitingReason,
};
use crate::store::{ApprovalQuery, RunStore as _};
use crate::testing::script::{Order, Reply, Script, Stage};

const DAY: Duration = Duration::from_secs(86_400);

fn mail() -> (&'static str, Value) {
    ("mail_send", json!({ "text": "hello" }))
}

/// A turn with a mail that a person decides about between two other calls.
fn script() -> Script {
    let turn = [("contacts_search", json!({})), mail(), ("page_publish", json!({ "text": "news" }))];
    Script::new([Reply::calls(turn), Reply::text("done")]).asking("mail_*")
}

fn approve() -> Decision {
    Decision::Approve { edited_input: None }
}

fn status(stage: &Stage, store: &dyn crate::store::Store) -> ApprovalStatus {
    let page = futures::executor::block_on(store.approvals(stage.tenant(), ApprovalQuery::default())).unwrap();
    assert_eq!(page.data.len(), 1);
    page.data[0].status
}

/// What the model saw of the calls, in its last request.
fn results(stage: &Stage) -> Vec<Value> {
    let requests = stage.model().requests();
    let last = serde_json::to_value(requests.last().unwrap().messages.last().unwrap()).unwrap();
    last["content"].as_array().unwrap().clone()
}

#[test]
fn a_run_waits_for_a_person_and_goes_on_with_the_call() {
    let (mut stage, store) = stage(script());
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    let run = stage.run_in(store.inner()).unwrap();
    assert_eq!(run.waiting_reason, Some(WaitingReason::Approval));
    assert!(stage.tools().send.keys().is_empty());
    assert_eq!((stage.tools().search.keys().len(), stage.tools().publish.keys().len()), (1, 1));
    assert_eq!(stage.work_once().unwrap(), Some(RunStatus::Waiting), "nobody takes it");

    stage.answer(3, approve()).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(stage.tools().send.keys().len(), 1);
    assert_eq!((stage.tools().search.keys().len(), stage.tools().publish.keys().len()), (1, 1), "none is made again");
    assert_eq!(status(&stage, store.inner()), ApprovalStatus::Approved);
    let events = events(&stage, &store);
    for event_type in [EventType::ApprovalRequested, EventType::ApprovalDecided, EventType::RunWaiting] {
        assert_eq!(count(&events, event_type), 1, "{event_type}");
    }
    let decided = events.iter().find(|event| event.event_type == EventType::ApprovalDecided).unwrap();
    assert_eq!(decided.actor.as_deref(), Some("user:1"));
    stage.model().check().unwrap();
}

#[test]
fn answers_other_than_yes_are_told_to_the_model_or_end_the_run() {
    let table = [
        (Decision::Reject { fail_run: false }, "a person decided against this call", true),
        (Decision::Respond { output: json!({ "sent": "by hand" }) }, "by hand", false),
    ];
    for (decision, told, is_error) in table {
        let (mut stage, store) = stage(script());
        stage.play().unwrap();
        stage.answer(3, decision).unwrap();
        assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
        let result = &results(&stage)[1];
        assert!(result.to_string().contains(told) && result["is_error"] == is_error, "{result}");
        assert!(stage.tools().send.keys().is_empty());
        stage.journal_in(store.inner()).unwrap();
    }
    let (mut stage, store) = stage(script());
    stage.play().unwrap();
    stage.answer(3, Decision::Reject { fail_run: true }).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Failed);
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::GuardrailBlocked);
    assert_eq!(detail, "mail_send: a person decided against this call");
}

#[test]
fn an_input_is_edited_if_rules_and_schema_let_it_pass() {
    let mut script = script();
    let schema = json!({ "properties": { "text": { "maxLength": 20 } } });
    let short = RuleKind::IoValidation { schema, target: Target::Input };
    script.guardrails.push(Rule::new(short, ["mail_send"]));
    let (mut stage, store) = stage(script);
    stage.play().unwrap();
    let mut executor = stage.executor_in(store.inner()).unwrap();
    let mut check = |seq: u32, input: Value| executor.check_edited(seq, &input, stage.now());
    for wrong in [json!({ "text": "x".repeat(21) }), json!({ "text": 7 }), json!({ "subject": "hi" }), json!([])] {
        let error = check(3, wrong).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/edited_input")), "{error}");
    }
    assert_eq!(check(2, json!({})).unwrap_err().kind(), ErrorKind::NotFound, "nobody is asked about it");
    let edited = json!({ "text": "goodbye" });
    check(3, edited.clone()).unwrap();

    stage.answer(3, Decision::Approve { edited_input: Some(edited.clone()) }).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    let journal = stage.journal_in(store.inner()).unwrap();
    assert_eq!(journal.steps[2].input, edited, "the journal has what was sent");
    assert_eq!(stage.tools().send.keys(), [journal.steps[2].call_digest]);
    // Whoever replays it comes to the same.
    stage.executor_in(store.inner()).unwrap();
}

#[test]
fn nobody_answers_in_time() {
    let table = [
        (OnExpiry::Reject, RunStatus::Succeeded, 0),
        (OnExpiry::Approve, RunStatus::Succeeded, 1),
        (OnExpiry::FailRun, RunStatus::Failed, 0),
    ];
    for (on_expiry, ended, sent) in table {
        let mut script = script();
        let gate = Gate { expires_secs: 86_400, on_expiry, summary: Some("a mail".to_owned()) };
        script.guardrails[1] = Rule::new(RuleKind::ApprovalGate(gate), ["mail_send"]);
        let (mut stage, store) = stage(script);
        stage.play().unwrap();
        stage.pass(DAY - Duration::from_secs(60));
        assert_eq!(stage.work_once().unwrap(), Some(RunStatus::Waiting), "there is time left");
        stage.pass(Duration::from_secs(60));
        assert_eq!(stage.answer(3, approve()).unwrap_err().kind(), ErrorKind::Conflict, "it is too late");
        assert_eq!(stage.play().unwrap(), ended, "{on_expiry:?}");
        assert_eq!(stage.tools().send.keys().len(), sent, "{on_expiry:?}");
        assert_eq!(status(&stage, store.inner()), ApprovalStatus::Expired);
        stage.journal_in(store.inner()).unwrap();
        if on_expiry == OnExpiry::Reject {
            let told = results(&stage)[1].to_string();
            assert!(told.contains("nobody decided about this call") && !told.contains("against"), "{told}");
        }
        if ended == RunStatus::Failed {
            assert_eq!(failure(&stage, &store).0, FailureCategory::GuardrailBlocked);
        }
    }
}

#[test]
fn several_questions_wait_at_once_and_are_answered_in_any_order() {
    let turn = [mail(), ("contacts_write", json!({ "name": "Ada" })), ("mail_send", json!({ "text": "bye" }))];
    let script = Script::new([Reply::calls(turn), Reply::text("done")]).asking("mail_send");
    let (mut stage, store) = stage(script);
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    assert!(stage.contacts_in(store.inner()).unwrap().is_empty(), "a write waits for what comes before it");
    stage.answer(4, approve()).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    assert_eq!(stage.tools().send.keys().len(), 1);
    assert_eq!(stage.answer(4, approve()).unwrap_err().kind(), ErrorKind::Conflict, "it was answered");
    stage.answer(2, Decision::Reject { fail_run: false }).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!((stage.tools().send.keys().len(), stage.tools().write.keys().len()), (1, 1));
    let journal = stage.journal_in(store.inner()).unwrap();
    let outcomes: Vec<_> = journal.steps[1..4].iter().map(|step| step.outcome.as_str()).collect();
    assert_eq!(outcomes, ["blocked", "ok", "ok"]);
}

#[test]
fn the_clock_of_the_deadline_stands_still_while_a_person_is_waited_for() {
    let (mut stage, store) = stage(script());
    stage.play().unwrap();
    let before = stage.run_in(store.inner()).unwrap().deadline_at.unwrap();
    stage.pass(DAY / 2);
    stage.answer(3, approve()).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded, "the deadline of an hour is long past");
    assert_eq!(stage.run_in(store.inner()).unwrap().deadline_at.unwrap().since(before), DAY / 2);
}

#[test]
fn what_a_crash_left_open_is_decided_by_a_person() {
    let table = [
        (approve(), RunStatus::Succeeded, 2),
        (Decision::Respond { output: json!("it came") }, RunStatus::Succeeded, 1),
        (Decision::Reject { fail_run: true }, RunStatus::Failed, 1),
    ];
    for (decision, ended, sent) in table {
        let (whole, _) = played(Script::new([Reply::calls([mail()]), Reply::text("done")]));
        let mut met = 0;
        for point in 1..=whole.points() {
            let (mut stage, _) = stage(Script::new([Reply::calls([mail()]), Reply::text("done")]));
            stage.crash_at(point);
            stage.work_once().unwrap();
            let made = stage.tools().send.keys().len();
            if stage.play().unwrap() != RunStatus::Waiting || made == 0 {
                continue;
            }
            met += 1;
            stage.answer(2, decision.clone()).unwrap();
            assert_eq!(stage.play().unwrap(), ended);
            assert_eq!(stage.tools().send.keys().len(), sent);
        }
        assert!(met > 0);
    }
}

#[test]
fn a_run_that_was_answered_comes_to_the_same_end_from_every_crash() {
    let decisions = [approve(), Decision::Reject { fail_run: false }, Decision::Respond { output: json!(1) }];
    for decision in decisions {
        let play = |crash: Option<usize>| {
            let turn = [("contacts_write", json!({ "name": "Ada" })), ("page_publish", json!({ "text": "x" }))];
            let script = Script::new([Reply::calls(turn), Reply::text("done")]).asking("page_publish");
            let (mut stage, store) = stage(script);
            if let Some(point) = crash {
                stage.crash_at(point);
            }
            while stage.play().unwrap() == RunStatus::Waiting {
                stage.answer(3, decision.clone()).unwrap();
            }
            (End::of(&stage, &store), stage.points(), stage.trace().join("\n"))
        };
        let (end, points, _) = play(None);
        assert_eq!(end.status, RunStatus::Succeeded);
        for point in 1..=points {
            let (crashed, _, trace) = play(Some(point));
            assert_eq!(crashed, end, "crash at {point}\n{trace}");
        }
    }
}

#[test]
fn a_run_that_is_cancelled_takes_its_questions_back() {
    let (mut stage, store) = stage(script());
    stage.play().unwrap();
    let cancel = crate::run::Signal::Cancel { actor: None };
    futures::executor::block_on(store.inner().signal(stage.tenant(), stage.run_id(), cancel, stage.now())).unwrap();
    assert_eq!(status(&stage, store.inner()), ApprovalStatus::Expired);
    assert_eq!(stage.answer(3, approve()).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn rules_about_output_withhold_it() {
    let schema = json!({ "not": {} });
    let rule = Rule::new(RuleKind::IoValidation { schema, target: Target::Output }, ["*"]);
    let calls = [("page_publish", json!({ "text": "home" })), ("contacts_write", json!({ "name": "Ada" }))];
    for call in calls {
        let name = call.0;
        let mut script = Script::new([Reply::calls([call]), Reply::text("done")]);
        script.guardrails.push(Rule { on_block: OnBlock::RefuseCall, ..rule.clone() });
        let (stage, store) = played(script);
        assert!(stage.contacts_in(store.inner()).unwrap().is_empty(), "{name}: what is withheld changes nothing");
        assert!(results(&stage)[0].to_string().contains("withheld by a guardrail"), "{name}");
    }
}

#[test]
fn a_run_that_is_given_back_and_was_to_end_asks_nobody_any_more() {
    let (mut stage, store) = stage(Script::new([Reply::calls([mail(), mail()]), Reply::text("done")]).asking("mail_*"));
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    stage.answer(2, approve()).unwrap();
    stage.order_at("== worker 2", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    // Somebody wants its end, and the worker has not heard of it when it gives the run back.
    let (tenant, run) = (stage.tenant(), stage.run_id());
    let released = stage.commits().last().unwrap().clone();
    let stored = futures::executor::block_on(store.approvals(tenant, ApprovalQuery::default())).unwrap().data;
    let (mut record, _) = RunRecord::accept(NewRun::new(run, "scripted", Value::Null), tenant, stage.now());
    record.run.status = RunStatus::Cancelled;
    let kept = record.approve(&released, &stored, stage.now());
    let open: Vec<_> = kept.iter().map(|approval| (approval.step_seq, approval.status)).collect();
    assert_eq!(open, [(3, ApprovalStatus::Expired)]);
}

/// Lets people answer what they are asked until the run ends.
fn play_on(stage: &mut Stage, store: &dyn crate::store::Store, decide: impl Fn(&Approval) -> Decision) {
    while stage.play().unwrap() == RunStatus::Waiting {
        let page = futures::executor::block_on(store.approvals(stage.tenant(), ApprovalQuery::default())).unwrap();
        for approval in page.data.iter().filter(|approval| approval.is_pending()) {
            stage.answer(approval.step_seq, decide(approval)).unwrap();
        }
    }
}

#[test]
fn an_approved_call_that_a_crash_interrupts_is_not_made_again_unasked() {
    for point in 1.. {
        let (mut stage, store) = stage(Script::new([Reply::calls([mail()]), Reply::text("done")]).asking("mail_*"));
        stage.crash_at(point);
        play_on(&mut stage, store.inner(), |approval| match &*approval.rule_id {
            UNKNOWN_OUTCOME => Decision::Respond { output: json!({ "sent": "it was" }) },
            _ => approve(),
        });
        assert!(stage.tools().send.keys().len() <= 1, "crashed at {point}: {:#?}", stage.trace());
        if stage.points() < point {
            break;
        }
    }
}

#[test]
fn a_call_that_is_made_again_and_interrupted_again_is_asked_about_again() {
    for edited_input in [None, Some(json!({ "text": "hello again" }))] {
        let mut most = 0;
        for second_crash in 7..20 {
            let (mut stage, store) = stage(Script::new([Reply::calls([mail()]), Reply::text("done")]));
            // When the call is made.
            stage.crash_at(6);
            assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
            stage.crash_at(second_crash);
            let questions = std::cell::Cell::new(0);
            play_on(&mut stage, store.inner(), |_| {
                questions.set(questions.get() + 1);
                Decision::Approve { edited_input: edited_input.clone() }
            });
            let (made, run) = (stage.tools().send.keys().len(), stage.run_in(store.inner()).unwrap());
            assert_eq!(run.status, RunStatus::Succeeded, "crashed at {second_crash}: {:?}", run.failure_detail);
            assert!(made <= 1 + questions.get(), "crashed at {second_crash}: {:#?}", stage.trace());
            let step = stage.journal_in(store.inner()).unwrap().steps.swap_remove(1);
            assert_eq!(step.input, edited_input.clone().unwrap_or_else(|| mail().1), "what was made is recorded");
            most = most.max(made);
        }
        assert_eq!(most, 3, "a person was asked twice");
    }
}
