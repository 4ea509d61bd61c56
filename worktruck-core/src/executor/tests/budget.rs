//! Property I6: a run costs what its steps cost, and no turn is begun that the budget may not pay.

use serde_json::json;

use super::{End, count, events, failure, played, stage};
use crate::NanoUsd;
use crate::model::{ModelError, ModelErrorCategory};
use crate::pricing::{Price, worst_case};
use crate::run::{EventType, FailureCategory, RunStatus};
use crate::testing::script::{Order, Reply, Script, Stage, scripts};

fn search() -> Reply {
    Reply::calls([("contacts_search", json!({}))])
}

/// Checks every commit: what is spent, lost and set aside by then is within the budget.
fn assert_within(stage: &Stage, cents: i64, name: &str) {
    let mut spent = NanoUsd::ZERO;
    for commit in stage.commits() {
        spent += commit.steps.iter().map(|step| step.step.cost.0).sum();
        if commit.reserved > NanoUsd::ZERO {
            let all = spent + commit.forfeited + commit.reserved;
            assert!(all <= NanoUsd::from_cents(cents), "{name}: {all} of {cents} cents at commit {}", commit.number);
        }
    }
}

#[test]
fn what_is_set_aside_stays_within_the_budget_whatever_crashes() {
    for cents in [4, 6, 8, 10, 12, 20] {
        let replies = [search(), search(), Reply::text("done")].map(|reply| reply.using(3_000, 250));
        let script = Script::new(replies).with_budget(cents);
        let (whole, _) = played(script.clone());
        for point in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(point);
            stage.play().unwrap();
            assert_within(&stage, cents.into(), &format!("{cents} cents, crash at {point}"));
            let run = stage.run_in(store.inner()).unwrap();
            assert_eq!(run.cost.0, stage.journal_in(store.inner()).unwrap().cost());
            assert!(run.cost.0 <= NanoUsd::from_cents(cents.into()));
        }
    }
}

#[test]
fn every_turn_is_set_aside_at_its_worst_even_if_each_byte_is_a_token() {
    // The first model tells no tokens, so that the bound rests on bytes alone.
    for reply in [search().using(0, 0), search()] {
        let Reply::Answer(answer) = &reply else { panic!("an answer") };
        let usage = answer.usage;
        let script = Script::new([reply, Reply::text("done")]).with_budget(100);
        let (stage, _) = played(script.clone());
        let reserved: Vec<NanoUsd> =
            stage.commits().iter().map(|it| it.reserved).filter(|it| it.as_nanos() > 0).collect();
        let requests = stage.model().requests();
        assert_eq!((reserved.len(), requests.len()), (2, 2));
        let bytes = |value: serde_json::Value| u64::try_from(value.to_string().len()).unwrap();
        for (turn, (request, reserved)) in requests.iter().zip(reserved).enumerate() {
            let prompt = if turn == 1 && usage.input_tokens > 0 {
                usage.input_tokens + usage.output_tokens + bytes(json!(request.messages[2..]))
            } else {
                let tools = json!(request.tools.to_vec());
                bytes(json!(request.system)) + bytes(tools) + bytes(json!(request.messages))
            };
            assert!(prompt > 100);
            let worst = worst_case(&script.prices, prompt, request.max_tokens).unwrap();
            assert!(reserved >= worst, "turn {turn}: {reserved} is less than {worst}");
        }
    }
}

#[test]
fn the_answer_is_limited_to_what_the_budget_leaves() {
    let (stage, _) = played(Script::new([Reply::text("done")]).with_budget(4));
    let asked = &stage.model().requests()[0];
    assert!((256..4_096).contains(&asked.max_tokens), "{}", asked.max_tokens);
    let reserved = stage.commits()[0].reserved;
    assert!(reserved <= NanoUsd::from_cents(4));
    assert!(reserved + NanoUsd::new(10_000) > NanoUsd::from_cents(4), "one more token would not fit");
    assert_eq!(stage.commits()[0].events[0].data["max_tokens"], asked.max_tokens);
}

#[test]
fn a_turn_that_would_get_too_few_tokens_is_not_begun() {
    let (stage, store) = played(Script::new([search()]).with_budget(1));
    assert_eq!(failure(&stage, &store).0, FailureCategory::BudgetExhausted);
    assert_eq!(stage.model().asks(), [1]);
    assert_eq!(*stage.trace().iter().rev().nth(1).unwrap(), "commit 3: step 2, fail budget_exhausted");
    assert_eq!(stage.run_in(store.inner()).unwrap().cost.0, NanoUsd::new(1_000 * 2_000 + 100 * 10_000));
}

#[test]
fn a_budget_of_nothing_allows_no_paid_turn() {
    let (stage, store) = played(Script::new([Reply::text("done")]).with_budget(0));
    assert_eq!(stage.trace(), ["== worker 1", "commit 1: snapshot, fail budget_exhausted", "== failed"]);
    assert_eq!(stage.model().asks(), [0]);
    assert!(failure(&stage, &store).1.contains("the budget of 0 ¢"));

    let mut free = Script::new([Reply::text("done")]).with_budget(0);
    let price = free.prices.remove(0);
    free.prices.push(Price { input: 0, output: 0, cache_write: 0, cache_read: 0, ..price });
    let (stage, store) = played(free);
    assert_eq!(stage.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);
}

#[test]
fn a_budget_cannot_be_kept_for_a_model_without_a_price() {
    let script = Script { budget_usd_cents: Some(100), ..Script::new([Reply::text("done")]) };
    let (stage, store) = played(script);
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::ConfigError);
    assert!(detail.contains("scripted/scripted-1 has no known price"), "{detail}");
    assert_eq!(stage.model().asks(), [0]);

    let (stage, store) = played(Script::new([Reply::text("done")]));
    assert_eq!(stage.run_in(store.inner()).unwrap().cost.0, NanoUsd::ZERO);
}

#[test]
fn a_turn_lost_in_a_crash_counts_against_the_budget_and_not_as_cost() {
    let (mut stage, store) = stage(scripts::paid_turns());
    // After the answer to the first turn, which is not recorded.
    stage.crash_at(3);
    stage.play().unwrap();
    let journal = stage.journal_in(store.inner()).unwrap();
    assert_eq!(journal.forfeited, stage.commits()[0].reserved);
    assert!(journal.forfeited > NanoUsd::ZERO);
    assert_eq!(journal.cost(), NanoUsd::new((1_000 + 1_200 + 1_300) * 2_000 + (100 + 50 + 5) * 10_000));
    assert_eq!(journal.reserved, NanoUsd::ZERO);
}

#[test]
fn what_was_set_aside_for_a_turn_that_is_backed_off_is_given_back() {
    let (whole, store) = played(scripts::paid_turns());
    let end = End::of(&whole, &store);
    let (mut stage, store) = stage(scripts::paid_turns());
    stage.order_at("<- rate_limited #2", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    let journal = stage.journal_in(store.inner()).unwrap();
    assert_eq!((journal.reserved, journal.forfeited), (NanoUsd::ZERO, NanoUsd::ZERO));
    stage.play().unwrap();
    assert_eq!(End::of(&stage, &store), end);
}

#[test]
fn a_turn_that_is_broken_off_is_paid_for_at_its_worst() {
    let (mut stage, store) = stage(scripts::paid_turns());
    stage.order_at("-> ask #1", Order::Abort);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    let journal = stage.journal_in(store.inner()).unwrap();
    assert_eq!((journal.reserved, journal.forfeited), (NanoUsd::ZERO, stage.commits()[0].reserved));
}

#[test]
fn an_answer_that_broke_off_counts_against_the_budget_and_is_reserved_anew() {
    let broken = ModelError {
        may_be_billed: true,
        ..ModelError::new(ModelErrorCategory::ProviderUnavailable, "the answer broke off")
    };
    let replies = || [Reply::Fail(broken.clone()), Reply::Fail(broken.clone()), Reply::text("done")];
    let (stage, store) = played(Script::new(replies()).with_budget(100));
    let reserved: Vec<NanoUsd> = stage.commits().iter().map(|commit| commit.reserved).collect();
    let forfeited: Vec<NanoUsd> = stage.commits().iter().map(|commit| commit.forfeited).collect();
    assert_eq!(forfeited, [NanoUsd::ZERO, reserved[0], reserved[0] + reserved[1], reserved[0] + reserved[1]]);
    assert_eq!(stage.run_in(store.inner()).unwrap().status, RunStatus::Succeeded);
    assert_within(&stage, 100, "broken answers");

    // Where the budget pays for one attempt only, there is no second.
    let (stage, store) = played(Script::new([Reply::Fail(broken)]).with_budget(4));
    assert_eq!(failure(&stage, &store).0, FailureCategory::BudgetExhausted);
    assert_within(&stage, 4, "broken answers");
}

#[test]
fn every_turn_is_reserved_and_settled_once() {
    let (stage, store) = played(scripts::paid_turns());
    let events = events(&stage, &store);
    assert_eq!(count(&events, EventType::BudgetReserved), 3);
    assert_eq!(count(&events, EventType::BudgetSettled), 3);
}

#[test]
fn a_provider_that_counts_beyond_all_measure_does_not_break_the_run() {
    let (stage, store) = played(Script::new([search().using(u64::MAX, u64::MAX)]).with_budget(4));
    assert_eq!(failure(&stage, &store).0, FailureCategory::BudgetExhausted);
}
