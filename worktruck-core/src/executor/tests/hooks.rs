//! What is done when a part of the budget is spent.

use std::time::Duration;

use serde_json::{Value, json};

use super::{End, count, events, failure, played, stage};
use crate::model::{Block, StopReason};
use crate::run::{
    ApprovalStatus, BudgetAction, Decision, EventType, FailureCategory, ON_BUDGET, RunStatus, WaitingReason,
};
use crate::store::{ApprovalQuery, RunStore as _};
use crate::testing::script::{Reply, Script, Stage};

/// Each turn costs 3 ¢, 6 % of the budget.
fn script(turns: usize) -> Script {
    let mut replies = vec![Reply::calls([("contacts_search", json!({}))]); turns];
    replies.push(Reply::text("done"));
    let replies = replies.into_iter().map(|reply| reply.using(10_000, 1_000));
    Script { max_repeats: 100, ..Script::new(replies).with_budget(50) }
}

fn thresholds(
    stage: &Stage,
    store: &std::sync::Arc<crate::testing::FaultyStore<crate::store::MemoryStore>>,
) -> Vec<Value> {
    let events = events(stage, store);
    events.into_iter().filter(|it| it.event_type == EventType::BudgetThreshold).map(|it| it.data).collect()
}

#[test]
fn each_part_is_told_of_once_when_it_is_spent() {
    let script =
        script(4).on_budget(13, BudgetAction::Warn).on_budget(6, BudgetAction::Warn).on_budget(99, BudgetAction::Warn);
    let (whole, store) = played(script.clone());
    let told = thresholds(&whole, &store);
    let parts: Vec<&Value> = told.iter().map(|data| &data["at_percent"]).collect();
    assert_eq!(parts, [&json!(6), &json!(13)]);
    assert_eq!(
        told[0],
        json!({
            "at_percent": 6, "action": "warn", "spent_usd_nano": 30_000_000, "budget_usd_nano": 500_000_000,
        })
    );
    let end = End::of(&whole, &store);
    for point in 1..=whole.points() {
        let (mut stage, store) = stage(script.clone());
        stage.crash_at(point);
        stage.play().unwrap();
        assert_eq!(thresholds(&stage, &store), told, "crash at {point}");
        assert_eq!(End::of(&stage, &store), end, "crash at {point}");
    }
}

#[test]
fn a_cheaper_model_goes_on() {
    let script = script(2).on_budget(6, BudgetAction::FallbackModel).falling_back_on("other/cheap");
    let (whole, store) = played(script.clone());
    let models = |stage: &Stage| -> Vec<String> { stage.model().requests().into_iter().map(|it| it.model).collect() };
    assert_eq!(models(&whole), ["scripted-1", "cheap", "cheap"]);
    let told = events(&whole, &store);
    let change = told.iter().find(|it| it.event_type == EventType::ModelFallback).unwrap();
    assert_eq!(change.data["reason"], "6 % of the budget are spent");
    let end = End::of(&whole, &store);
    for point in 1..=whole.points() {
        let (mut stage, store) = stage(script.clone());
        stage.crash_at(point);
        stage.play().unwrap();
        assert_eq!(End::of(&stage, &store), end, "crash at {point}");
    }
    // Without another model the run goes on as it is.
    let (alone, store) = played(Script { fallback_models: Vec::new(), ..script });
    assert_eq!(models(&alone), ["scripted-1"; 3]);
    assert_eq!(alone.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);
}

#[test]
fn a_cheaper_model_is_not_told_what_only_the_first_understands() {
    let thought = Block::Opaque { value: json!({ "thinking": "…" }) };
    let thinking = Reply::of(vec![thought], StopReason::PauseTurn).using(10_000, 1_000);
    let replies = [thinking, Reply::text("done")];
    let script = Script::new(replies).with_budget(50).on_budget(6, BudgetAction::FallbackModel);
    let said = |script: Script| {
        let (stage, _) = played(script);
        let last = stage.model().requests().pop().unwrap();
        (last.model, serde_json::to_string(&last.messages).unwrap().contains("thinking"))
    };
    assert_eq!(said(script.clone()), ("scripted-1".to_owned(), true));
    assert_eq!(said(script.falling_back_on("other/cheap")), ("cheap".to_owned(), false));
}

#[test]
fn a_model_that_is_to_finish_gets_no_more_calls() {
    let finishing = script(2).on_budget(6, BudgetAction::Finish);
    let (stage, store) = played(finishing);
    let systems: Vec<bool> = stage.model().requests().iter().map(|it| it.system.contains("Finish now")).collect();
    assert_eq!(systems, [false, true, true]);
    let outcomes: Vec<&str> =
        stage.journal_in(store.inner()).unwrap().steps.iter().map(|step| step.outcome.as_str()).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "blocked", "ok"], "one call is refused, then it finishes");
    assert_eq!(stage.tools().search.keys().len(), 1);
    assert_eq!(stage.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);

    let stubborn = script(5).on_budget(6, BudgetAction::Finish);
    let (whole, store) = played(stubborn.clone());
    let (category, detail) = failure(&whole, &store);
    assert_eq!(category, FailureCategory::BudgetExhausted);
    assert_eq!(detail, "contacts_search was called when the budget was nearly spent");
    assert_eq!(whole.model().requests().len(), 3);
    let end = End::of(&whole, &store);
    for point in 1..=whole.points() {
        let (mut stage, store) = super::stage(stubborn.clone());
        stage.crash_at(point);
        stage.play().unwrap();
        assert_eq!(End::of(&stage, &store), end, "crash at {point}");
    }
}

#[test]
fn a_person_decides_whether_more_is_spent() {
    let script = script(2).on_budget(6, BudgetAction::AskApproval);
    let table = [
        (Some(Decision::Approve { edited_input: None }), RunStatus::Succeeded, ApprovalStatus::Approved, ""),
        (
            Some(Decision::Reject { fail_run: false }),
            RunStatus::Failed,
            ApprovalStatus::Rejected,
            "a person decided at 6 % of the budget to end the run",
        ),
        (None, RunStatus::Failed, ApprovalStatus::Expired, "nobody decided before"),
    ];
    let (waiting, _) = played(script.clone());
    for (decision, status, answered, detail) in table {
        for point in 0..=waiting.points() {
            let (mut stage, store) = stage(script.clone());
            if point > 0 {
                stage.crash_at(point);
            }
            assert_eq!(stage.play().unwrap(), RunStatus::Waiting, "crash at {point}");
            let run = stage.run_in(store.inner()).unwrap();
            assert_eq!(run.waiting_reason, Some(WaitingReason::Approval));
            let query = ApprovalQuery::default();
            let asked = futures::executor::block_on(store.inner().approvals(stage.tenant(), query)).unwrap().data;
            assert_eq!(asked.len(), 1, "crash at {point}");
            assert_eq!((&*asked[0].tool, &*asked[0].rule_id, asked[0].step_seq), (ON_BUDGET, ON_BUDGET, 3));
            assert_eq!(asked[0].input["spent_usd_nano"], 30_000_000);
            let summary = asked[0].summary.as_deref().unwrap_or_default();
            assert_eq!(summary, "this run has spent 3 ¢ of its budget of 50 ¢: approve it to let it go on");
            match decision.clone() {
                Some(decision) => stage.answer(3, decision).unwrap(),
                None => stage.pass(Duration::from_secs(86_400)),
            }
            assert_eq!(stage.play().unwrap(), status, "crash at {point}");
            let run = stage.run_in(store.inner()).unwrap();
            let failed = run.failure_detail.unwrap_or_default();
            assert!(failed.starts_with(detail), "{failed}");
            assert_eq!(run.failure_category, (!detail.is_empty()).then_some(FailureCategory::BudgetExhausted));
            let query = ApprovalQuery::default();
            let asked = futures::executor::block_on(store.inner().approvals(stage.tenant(), query)).unwrap().data;
            assert_eq!((asked.len(), asked[0].status), (1, answered));
            assert_eq!(count(&events(&stage, &store), EventType::ApprovalRequested), 1, "crash at {point}");
        }
    }
}

#[test]
fn a_run_without_a_budget_has_no_part_of_it() {
    let script = Script { budget_usd_cents: None, ..script(1).on_budget(1, BudgetAction::AskApproval) };
    let (stage, store) = played(script);
    assert_eq!(stage.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);
    assert!(thresholds(&stage, &store).is_empty());
}
