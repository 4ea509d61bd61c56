//! Other models go on when one cannot be asked.

use serde_json::{Value, json};

use super::{End, count, events, failure, played, stage};
use crate::NanoUsd;
use crate::model::{Block, ModelError, ModelErrorCategory, StopReason};
use crate::run::{EventType, FailureCategory, RunStatus};
use crate::testing::script::{Reply, Script, Stage};

const SECOND: &str = "other/second";
const THIRD: &str = "other/third";

fn away() -> Reply {
    Reply::error(ModelErrorCategory::ProviderUnavailable)
}

fn broke() -> Reply {
    Reply::error(ModelErrorCategory::QuotaExhausted)
}

fn search() -> Reply {
    Reply::calls([("contacts_search", json!({}))])
}

fn asked(stage: &Stage) -> Vec<String> {
    stage.model().requests().into_iter().map(|request| request.model).collect()
}

#[test]
fn a_model_that_stays_away_is_followed_by_the_next_one_for_the_rest_of_the_run() {
    let script = Script::new([search(), away(), away(), search(), Reply::text("done")]).falling_back_on(SECOND);
    let (stage, store) = played(script);
    assert_eq!(asked(&stage), ["scripted-1", "scripted-1", "scripted-1", "second", "second"]);
    let journal = stage.journal_in(store.inner()).unwrap();
    let names: Vec<&str> = journal.steps.iter().map(|step| &*step.name).collect();
    assert_eq!(names, ["scripted/scripted-1", "contacts_search", SECOND, "contacts_search", SECOND]);
    let events = events(&stage, &store);
    let told: Vec<&Value> =
        events.iter().filter(|event| event.event_type == EventType::ModelFallback).map(|event| &event.data).collect();
    let reason = "provider_unavailable: scripted";
    assert_eq!(told, [&json!({ "from": "scripted/scripted-1", "to": SECOND, "reason": reason })]);
}

#[test]
fn a_model_out_of_credit_is_not_asked_again() {
    let replies = [broke(), away(), away(), away(), away(), Reply::text("done")];
    let (stage, store) = played(Script::new(replies).falling_back_on(SECOND).falling_back_on(THIRD));
    assert_eq!(asked(&stage), ["scripted-1", "second", "second", "third", "third", "second"]);
    assert_eq!(stage.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);

    let (stage, store) = played(Script::new([broke(), broke()]).falling_back_on(SECOND));
    assert_eq!(failure(&stage, &store).0, FailureCategory::AuthFailed);
    assert_eq!(asked(&stage), ["scripted-1", "second"]);
}

#[test]
fn a_key_that_is_refused_is_no_reason_to_ask_another_model() {
    let refused = Reply::error(ModelErrorCategory::InvalidKey);
    let (stage, store) = played(Script::new([refused]).falling_back_on(SECOND));
    assert_eq!(failure(&stage, &store).0, FailureCategory::AuthFailed);
    assert_eq!(asked(&stage), ["scripted-1"]);
}

#[test]
fn models_that_all_stay_away_are_asked_until_the_deadline() {
    let (stage, store) = played(Script::new(vec![away(); 400]).falling_back_on(SECOND));
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::Timeout);
    assert!(detail.contains("provider_unavailable"), "{detail}");
    let asked = asked(&stage);
    assert_eq!(asked[..6], ["scripted-1", "scripted-1", "second", "second", "scripted-1", "scripted-1"]);
    assert!(asked.len() < 400, "the waits grow");
}

#[test]
fn what_only_one_model_understands_is_not_said_to_another() {
    let thought = Block::Opaque { value: json!({ "thinking": "…" }) };
    let thinking = Reply::of(vec![thought], StopReason::PauseTurn);
    let replies = [thinking, search(), away(), away(), Reply::text("done")];
    let (stage, _) = played(Script::new(replies).falling_back_on(SECOND));
    let requests = stage.model().requests();
    let said = |at: usize| serde_json::to_string(&requests[at].messages).unwrap();
    assert!(said(1).contains("thinking"), "{}", said(1));
    let last = requests.last().unwrap();
    assert_eq!(last.model, "second");
    assert!(!said(requests.len() - 1).contains("thinking"));
    assert_eq!(last.messages.len(), requests[requests.len() - 2].messages.len(), "no message is lost");
}

#[test]
fn a_run_with_a_budget_pays_each_model_its_own_price() {
    let mut script = Script::new([search(), broke(), Reply::text("done")]).with_budget(50).falling_back_on(SECOND);
    script.prices.iter_mut().filter(|price| price.model == SECOND).for_each(|price| price.input = 7_000);
    let (stage, store) = played(script);
    let costs: Vec<NanoUsd> = stage.journal_in(store.inner()).unwrap().steps.iter().map(|step| step.cost.0).collect();
    let [first, second] = [2_000, 7_000].map(|input| NanoUsd::new(1_000 * input + 100 * 10_000));
    assert_eq!(costs, [first, NanoUsd::ZERO, second]);

    let unpriced = Script { fallback_models: vec![SECOND.to_owned()], ..Script::new([broke()]).with_budget(50) };
    let (stage, store) = played(unpriced);
    assert_eq!(failure(&stage, &store).0, FailureCategory::AuthFailed, "no budget can be kept for the other one");
    assert_eq!(asked(&stage), ["scripted-1"]);
}

#[test]
fn a_run_comes_to_the_same_end_wherever_it_is_taken_over() {
    let billed = Reply::Fail(ModelError {
        may_be_billed: true,
        ..ModelError::new(ModelErrorCategory::ProviderUnavailable, "scripted")
    });
    let replies = [search(), broke(), search(), billed, away(), Reply::text("done")];
    let script = Script::new(replies).with_budget(100).falling_back_on(SECOND).falling_back_on(THIRD);
    let (whole, store) = played(script.clone());
    let end = End::of(&whole, &store);
    assert_eq!(end.status, RunStatus::Succeeded);
    for point in 1..=whole.points() {
        let (mut stage, store) = stage(script.clone());
        stage.crash_at(point);
        stage.play().unwrap();
        let taken_over = End::of(&stage, &store);
        // Whoever takes a run over begins with the model that answered last, and may be luckier with it.
        assert_eq!((taken_over.status, taken_over.output), (end.status, end.output.clone()), "crash at {point}");
        assert_eq!(taken_over.cost, end.cost, "crash at {point}");
        assert_eq!(count(&events(&stage, &store), EventType::ReplayDiverged), 0);
    }
}
