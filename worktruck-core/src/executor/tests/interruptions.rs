//! Deadlines, cancellation, and workers that must stop.

use std::time::Duration;

use serde_json::json;

use super::{End, failure, played, stage};
use crate::run::{FailureCategory, RunStatus};
use crate::testing::script::{Order, Reply, Script, scripts};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_deadline_interrupts_a_model() {
    let script = Script { deadline: MINUTE, ..Script::new([Reply::Hang]).with_budget(100) };
    let (stage, store) = played(script);
    let run = stage.run_in(store.inner()).unwrap();
    assert_eq!(failure(&stage, &store).0, FailureCategory::Timeout);
    assert_eq!(run.finished_at, Some(run.started_at.unwrap().after(MINUTE)));
    let journal = stage.journal_in(store.inner()).unwrap();
    assert_eq!(journal.forfeited, stage.commits()[0].reserved, "nobody knows what the turn has cost");
}

#[test]
fn the_deadline_interrupts_calls_and_what_had_finished_is_recorded() {
    let turn = Reply::calls([
        ("contacts_write", json!({ "name": "Ada" })),
        ("contacts_search", json!({ "hang": true })),
        ("page_publish", json!({ "text": "home" })),
    ]);
    let (stage, store) = played(Script { deadline: MINUTE, ..Script::new([turn]) });
    assert_eq!(failure(&stage, &store).0, FailureCategory::Timeout);
    assert_eq!(
        stage.trace()[4..],
        [
            "commit 2: step 1, opens [4], continue",
            "-> call 2 contacts_write",
            "-> call 3 contacts_search",
            "-> call 4 page_publish",
            "<- call 2 ok",
            "<- call 4 ok",
            "commit 3: receipts [4], continue",
            "commit 4: step 2, fail timeout",
            "== failed",
        ]
    );
    assert_eq!(End::of(&stage, &store).contacts, [("Ada".to_owned(), 1)]);
}

#[test]
fn a_model_that_stays_away_is_a_timeout() {
    use crate::model::ModelErrorCategory::ProviderUnavailable;
    let script = Script { deadline: MINUTE, ..Script::new([Reply::error(ProviderUnavailable)]) };
    let (stage, store) = played(script);
    assert_eq!(failure(&stage, &store).0, FailureCategory::Timeout);
    assert!(stage.model().asks()[0] > 5);
}

#[test]
fn a_cancellation_ends_the_run_wherever_it_is() {
    let lines = [
        "== worker 1",
        "commit 1: snapshot, continue",
        "-> ask #1",
        "<- answer #1",
        "-> call 2 contacts_write",
        "<- call 2 ok",
        "<- call 4 ok",
        "-> ask #2",
    ];
    for line in lines {
        let (mut stage, store) = stage(scripts::everything_at_once());
        stage.order_at(line, Order::Cancel);
        assert_eq!(stage.play().unwrap(), RunStatus::Cancelled, "{line}");
        let run = stage.run_in(store.inner()).unwrap();
        assert!(run.cancel_requested_at.is_some() && run.finished_at.is_some(), "{line}");
        stage.journal_in(store.inner()).unwrap();
        let after = stage.trace().iter().position(|it| *it == line).unwrap();
        let begun = |it: &&&str| it.starts_with("->");
        assert_eq!(stage.trace()[after + 1..].iter().filter(begun).count(), 0, "{line}: nothing is begun after it");
    }
}

#[test]
fn a_run_that_is_taken_over_remembers_its_cancellation() {
    // Before anything is recorded, and while calls are made.
    for (line, point, last) in
        [("== worker 1", 1, "commit 1: snapshot, cancel"), ("-> call 2 contacts_write", 6, "commit 3: cancel")]
    {
        let (mut stage, _) = stage(scripts::writes());
        stage.order_at(line, Order::Cancel);
        stage.crash_at(point);
        assert_eq!(stage.play().unwrap(), RunStatus::Cancelled);
        assert_eq!(
            stage.trace().iter().rev().take(4).rev().collect::<Vec<_>>(),
            [&"== crash", &"== worker 2", &last, &"== cancelled"]
        );
    }
}

#[test]
fn a_drained_run_ends_like_one_that_was_not_and_loses_no_attempt() {
    for (name, script) in scripts::all() {
        let (whole, store) = played(script.clone());
        let end = End::of(&whole, &store);
        let lines: std::collections::BTreeSet<&str> =
            whole.trace().into_iter().filter(|it| !it.starts_with("== ")).collect();
        for line in lines.into_iter().chain(["== worker 1"]) {
            let (mut stage, store) = stage(script.clone());
            stage.order_at(line, Order::Drain);
            let released = stage.play().unwrap();
            if released == RunStatus::Queued {
                assert_eq!(stage.run_in(store.inner()).unwrap().attempt, 0, "{name}: {line}");
                stage.play().unwrap();
            }
            let name = format!("{name}, drained at {line:?}\n{}", stage.trace().join("\n"));
            assert_eq!(End::of(&stage, &store), end, "{name}");
            let tools = stage.tools();
            assert_eq!(tools.send.keys().len(), tools.send.distinct(), "{name}");
            assert_eq!(tools.publish.keys().len(), whole.tools().publish.keys().len(), "{name}: what was made is kept");
            assert_eq!(stage.model().asks(), whole.model().asks(), "{name}");
        }
    }
}

#[test]
fn an_aborted_run_drops_what_is_under_way() {
    let (whole, store) = played(scripts::idempotent_calls());
    let end = End::of(&whole, &store);
    let (mut stage, store) = stage(scripts::idempotent_calls());
    stage.order_at("-> call 2 page_publish", Order::Abort);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    assert_eq!(*stage.trace().iter().rev().nth(1).unwrap(), "commit 3: release");
    assert_eq!(stage.run_in(store.inner()).unwrap().attempt, 0);
    stage.play().unwrap();
    assert_eq!(End::of(&stage, &store), end);
}

#[test]
fn a_run_given_back_while_the_model_answers_announces_no_calls() {
    let (mut stage, _) = stage(scripts::calls_that_happen_each_time());
    stage.order_at("-> ask #1", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(
        stage.trace()[2..9],
        [
            "-> ask #1",
            "<- answer #1",
            "commit 2: step 1, continue",
            "commit 3: release",
            "== queued",
            "== worker 2",
            "commit 4: opens [2, 3], continue",
        ]
    );
}

#[test]
fn a_run_given_back_with_calls_announced_makes_them_first() {
    let (mut stage, _) = stage(scripts::calls_that_happen_each_time());
    stage.order_at("commit 2: step 1, opens [2, 3], continue", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    assert_eq!(
        stage.trace()[5..],
        [
            "-> call 2 mail_send",
            "-> call 3 mail_send",
            "<- call 2 ok",
            "commit 3: step 2, continue",
            "<- call 3 ok",
            "commit 4: step 3, release",
            "== queued",
        ]
    );
}

#[test]
fn a_run_given_back_before_it_began_is_begun_by_the_next_worker() {
    let (mut stage, store) = stage(scripts::reads());
    stage.order_at("== worker 1", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    assert!(stage.journal_in(store.inner()).unwrap().snapshot.is_none(), "it lives by what is in force when it begins");
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(stage.trace()[1..5], ["commit 1: release", "== queued", "== worker 2", "commit 2: snapshot, continue"]);
}
