//! Property I3: whatever is lost of a run, going on with it comes to the same end.

use std::time::Duration;

use super::{End, played, stage};
use crate::executor::{Effect, Event, Executor, Options};
use crate::journal::StepKind;
use crate::run::{RunStatus, Transition, WaitingReason};
use crate::testing::script::{ReturnOrder, Script, Stage, scripts};
use crate::tool::ToolOutput;

/// Every script, and those with calls side by side also with the last of them returning first.
fn all() -> impl Iterator<Item = (String, Script)> {
    let newest = |script| Script { returns: ReturnOrder::Newest, ..script };
    let turned = [
        ("idempotent_calls", scripts::idempotent_calls()),
        ("calls_that_happen_each_time", scripts::calls_that_happen_each_time()),
        ("everything_at_once", scripts::everything_at_once()),
        ("fatal_call_among_others", scripts::fatal_call_among_others()),
    ];
    let turned = turned.map(|(name, script)| (format!("{name}, newest first"), newest(script)));
    scripts::all().into_iter().map(|(name, script)| (name.to_owned(), script)).chain(turned)
}

/// The open calls of `mail_send` in the journal of which nobody knows whether they were made.
fn unknown_calls(stage: &Stage, store: &dyn crate::store::Store) -> usize {
    let journal = stage.journal_in(store).unwrap();
    journal.calls.iter().filter(|call| call.name == "mail_send" && call.receipt.is_none()).count()
}

#[test]
fn a_run_comes_to_the_same_end_from_every_point_at_which_it_may_crash() {
    let mut crashes = 0;
    let mut waiting = 0;
    for (name, script) in all() {
        let (whole, store) = played(script.clone());
        whole.model().check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let end = End::of(&whole, &store);
        assert!(whole.points() > 5, "{name}");
        for point in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(point);
            let ended = stage.work_once().unwrap();
            let name = format!("{name}, crash at {point}\n{}", stage.trace().join("\n"));
            crashes += 1;
            if ended.is_some() || stage.run_in(store.inner()).unwrap().status.is_terminal() {
                // The crash came after the last commit.
                assert_eq!(End::of(&stage, &store), end, "{name}");
                continue;
            }
            let unknown = unknown_calls(&stage, store.inner());
            let before = stage.journal_in(store.inner()).unwrap();
            let turns = before.steps.iter().filter(|step| step.kind == StepKind::Llm).count();
            let asks = stage.model().asks();

            let status = stage.play().unwrap();
            let name = format!("{name}\n{}", stage.trace().join("\n"));
            let after = stage.journal_in(store.inner()).unwrap();
            assert_eq!(after.steps[..before.steps.len()], before.steps, "{name}: what is recorded stays");
            assert_eq!(stage.model().asks()[..turns], asks[..turns], "{name}: a recorded turn is not asked again");
            let sent = stage.tools().send.keys();
            assert_eq!(sent.len(), stage.tools().send.distinct(), "{name}: nothing is sent twice");
            let published = stage.tools().publish.keys();
            for key in &published {
                assert!(published.iter().filter(|other| *other == key).count() <= 2, "{name}: once, and once again");
            }
            let resumed = End::of(&stage, &store);
            if unknown > 0 {
                waiting += 1;
                assert_eq!(status, RunStatus::Waiting, "{name}");
                let run = stage.run_in(store.inner()).unwrap();
                assert_eq!(run.waiting_reason, Some(WaitingReason::UnknownOutcome), "{name}");
                assert_eq!(resumed.steps[..], end.steps[..resumed.steps.len()], "{name}");
            } else {
                stage.model().check().unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(resumed, end, "{name}");
            }
        }
    }
    assert!(crashes > 300, "{crashes}");
    assert!(waiting > 20, "{waiting}");
}

#[test]
fn a_crash_that_takes_no_time_leaves_no_trace_in_the_journal() {
    let mut same = 0;
    for (name, script) in all() {
        let script = Script { lease_for: Duration::ZERO, ..script };
        let (whole, store) = played(script.clone());
        let journal = whole.journal_in(store.inner()).unwrap();
        let contacts = whole.contacts_in(store.inner()).unwrap();
        for point in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(point);
            let status = stage.play().unwrap();
            // A model that is asked anew is not left alone as long, so that times differ.
            if status == RunStatus::Waiting || stage.now() != whole.now() {
                continue;
            }
            same += 1;
            let resumed = stage.journal_in(store.inner()).unwrap();
            assert_eq!(resumed.steps, journal.steps, "{name}, crash at {point}");
            assert_eq!(stage.contacts_in(store.inner()).unwrap(), contacts, "{name}, crash at {point}");
        }
    }
    assert!(same > 200, "{same}");
}

#[test]
fn two_crashes_come_to_the_same_end_as_none() {
    for (name, script) in scripts::all() {
        // Those end otherwise where a crash hides what was sent, or takes what is left to spend.
        if ["calls_that_happen_each_time", "everything_at_once", "spent_budget"].contains(&name) {
            continue;
        }
        let (whole, store) = played(script.clone());
        let end = End::of(&whole, &store);
        for first in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(first);
            stage.work_once().unwrap();
            // A few points into the second worker.
            stage.crash_at(first + 1 + first % 4);
            stage.play().unwrap();
            assert_eq!(End::of(&stage, &store), end, "{name}, crash at {first}\n{}", stage.trace().join("\n"));
        }
    }
}

#[test]
fn whatever_was_sent_and_not_recorded_makes_the_run_wait() {
    let (mut stage, _) = stage(scripts::calls_that_happen_each_time());
    // Snapshot 2, ask 1, answer with intents 2, two calls: the crash comes before any receipt.
    stage.crash_at(7);
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    assert_eq!(
        stage.trace(),
        [
            "== worker 1",
            "commit 1: snapshot, continue",
            "-> ask #1",
            "<- answer #1",
            "commit 2: step 1, opens [2, 3], continue",
            "-> call 2 mail_send",
            "-> call 3 mail_send",
            "== crash",
            "== worker 2",
            "commit 3: wait",
            "== waiting",
        ]
    );
    assert_eq!(stage.tools().send.keys().len(), 2);
}

#[test]
fn a_receipt_stored_before_that_of_an_earlier_call_is_kept() {
    let script = Script { returns: ReturnOrder::Newest, ..scripts::idempotent_calls() };
    let (mut stage, _) = stage(script);
    // After the commit of the receipt of call 3, while call 2 is open.
    stage.crash_at(9);
    stage.work_once().unwrap();
    assert_eq!(
        stage.trace()[5..],
        [
            "-> call 2 page_publish",
            "-> call 3 page_publish",
            "<- call 3 ok",
            "commit 3: receipts [3], continue",
            "== crash"
        ]
    );
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(
        stage.trace()[10..14],
        ["== worker 2", "-> call 2 page_publish", "<- call 2 ok", "commit 4: steps 2..3, continue"]
    );
    assert_eq!(stage.tools().publish.keys().len(), 4, "call 2 twice, call 3 once, and the one of the next turn");
    assert!(matches!(stage.commits().last().unwrap().transition, Transition::Succeed { .. }));
}

#[test]
fn what_comes_back_while_a_commit_is_made_is_stored_with_the_next() {
    let (mut stage, store) = stage(scripts::everything_at_once());
    // After the commit that opens calls 3, 5 and 7.
    stage.crash_at(5);
    stage.work_once().unwrap();
    let (run, journal) = (stage.run_in(store.inner()).unwrap(), stage.journal_in(store.inner()).unwrap());
    let options = Options { lease_for: Duration::from_secs(30), secrets: [].into() };
    let mut executor = Executor::resume(run, journal, options).unwrap();
    let now = stage.now();
    let mut begun = Vec::new();
    while let Effect::Call(call) = executor.next(now).unwrap() {
        begun.push(call.seq);
    }
    assert_eq!(begun, [2, 3, 4, 7], "nobody knows of call 5, and call 6 waits for call 2");
    let returns = |executor: &mut Executor, seq| {
        let result = Ok(ToolOutput::new(serde_json::json!({})));
        executor.handle(Event::Returned { seq, result }, now).unwrap();
    };
    let receipts = |effect| {
        let Effect::Commit(commit) = effect else { panic!("{effect:?}") };
        commit.calls.iter().map(|call| call.seq).collect::<Vec<_>>()
    };
    returns(&mut executor, 3);
    assert_eq!(receipts(executor.next(now).unwrap()), [3]);
    returns(&mut executor, 7);
    executor.handle(Event::Committed, now).unwrap();
    assert_eq!(receipts(executor.next(now).unwrap()), [7]);
}
