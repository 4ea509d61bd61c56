//! A history that is not the run's own is never gone on with.

use serde_json::json;

use super::stage;
use crate::executor::{Effect, Executor, Options};
use crate::journal::{Journal, StepOutcome};
use crate::run::{Commit, EventType, FailureCategory, Run, Transition};
use crate::testing::script::scripts;
use crate::{Digest, NanoUsd};

/// A run that crashed in its second turn, and its journal: steps 1 to 7, calls 9 and so on open.
fn crashed() -> (Run, Journal) {
    let (mut whole, _) = stage(scripts::everything_at_once());
    whole.play().unwrap();
    for point in 1..=whole.points() {
        let (mut stage, store) = stage(scripts::everything_at_once());
        stage.crash_at(point);
        stage.work_once().unwrap();
        let journal = stage.journal_in(store.inner()).unwrap();
        if journal.steps.len() == 8 && journal.calls.len() == 1 {
            return (stage.run_in(store.inner()).unwrap(), journal);
        }
    }
    panic!("the script has changed");
}

fn next(run: Run, journal: Journal) -> Effect {
    let options = Options { lease_for: std::time::Duration::from_secs(30), secrets: [].into() };
    let now = run.updated_at;
    Executor::resume(run, journal, options).unwrap().next(now).unwrap()
}

/// The commit that fails the run, and the detail.
fn failed(effect: Effect) -> (Commit, String) {
    let Effect::Commit(commit) = effect else { panic!("{effect:?}") };
    let Transition::Fail { category: FailureCategory::ConfigError, detail } = commit.transition.clone() else {
        panic!("{:?}", commit.transition)
    };
    (*commit, detail)
}

#[test]
fn an_unchanged_journal_does_not_diverge() {
    let (run, journal) = crashed();
    let effect = next(run, journal);
    assert!(matches!(&effect, Effect::Call(call) if call.seq > 8), "{effect:?}");
}

#[test]
fn a_changed_journal_fails_the_run_and_names_the_step() {
    type Change = fn(&mut Journal);
    let changes: [(&str, u32, Change); 12] = [
        ("the answer of a turn", 1, |journal| {
            journal.steps[0].output.as_mut().unwrap()["stop_reason"] = json!("refusal")
        }),
        ("the model", 1, |journal| journal.steps[0].name = "scripted/other".to_owned()),
        ("the cost of a turn", 1, |journal| journal.steps[0].cost.0 = NanoUsd::new(1)),
        ("the tokens of a turn", 8, |journal| journal.steps[7].usage.as_mut().unwrap().output_tokens += 1),
        ("the input of a call", 2, |journal| journal.steps[1].input["name"] = json!("Eve")),
        ("the output of a call", 4, |journal| journal.steps[3].output = Some(json!(null))),
        ("the outcome of a call", 5, |journal| journal.steps[4].outcome = StepOutcome::Error),
        ("the time of a call", 6, |journal| journal.steps[5].started_at = journal.steps[5].started_at.next()),
        ("the hash of a step", 7, |journal| journal.steps[6].hash = Digest::of_bytes(b"")),
        ("a missing step", 4, |journal| drop(journal.steps.remove(2))),
        ("the snapshot", 1, |journal| journal.snapshot.as_mut().unwrap().system_prompt.push('!')),
        ("an open call", 9, |journal| journal.calls[0].call_digest = Digest::of_bytes(b"")),
    ];
    for (what, seq, change) in changes {
        let (run, mut journal) = crashed();
        let commits = journal.commits;
        change(&mut journal);
        let (commit, detail) = failed(next(run, journal));
        assert!(detail.starts_with(&format!("replay diverges at step {seq}: ")), "{what}: {detail}");
        assert_eq!(commit.number, commits + 1, "{what}");
        assert!(commit.steps.is_empty() && commit.calls.is_empty(), "{what}");
        assert_eq!(commit.events[0].event_type, EventType::ReplayDiverged, "{what}");
        assert_eq!(commit.events[0].data["step_seq"], seq, "{what}");
    }
}

#[test]
fn a_run_cannot_go_on_without_a_snapshot() {
    let (run, journal) = crashed();
    let options = Options { lease_for: std::time::Duration::from_secs(30), secrets: [].into() };
    let error = Executor::resume(run, Journal { snapshot: None, ..journal }, options).unwrap_err();
    assert!(error.to_string().contains("has no journal to go on with"), "{error}");
}
