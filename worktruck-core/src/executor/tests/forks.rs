//! Forks: what they begin with, and that they go on from any place of any run.

use serde_json::json;

use super::played;
use crate::executor::{Departure, Effect, Executor, Options, fork, recalled};
use crate::guardrail::{OnBlock, Rule, RuleKind};
use crate::journal::{Journal, Snapshot, Step, StepKind, StepOutcome, Trial, verify};
use crate::run::{Fork, NewRun, Run, RunStatus, Transition};
use crate::testing::script::{Reply, Script, scripts};
use crate::{ErrorKind, NanoUsd, Result, RunId, Timestamp};

fn source(script: Script) -> (Run, Journal) {
    let (stage, store) = played(script);
    (stage.run_in(store.inner()).unwrap(), stage.journal_in(store.inner()).unwrap())
}

fn new_run(source: &Run) -> NewRun {
    let id = RunId::from_uuid(uuid::Uuid::from_u128(99));
    NewRun::new(id, source.agent_blueprint.clone(), json!({ "task": "another" }))
}

fn forked(source: &Run, journal: &Journal, from_seq: u32, change: impl Fn(&mut Snapshot)) -> Result<Fork> {
    let mut snapshot = journal.snapshot.clone().unwrap();
    change(&mut snapshot);
    fork(source, journal, Departure { from_seq, run: new_run(source), snapshot })
}

/// The journal that a store would give back of the fork, and its run as it was claimed.
fn begun(source: &Run, fork: Fork) -> (Run, Journal) {
    let mut run = fork.run.accept(source.tenant_id, Timestamp::EPOCH);
    (run.forked_from, run.started_at, run.status) = (Some(fork.from), Some(Timestamp::EPOCH), RunStatus::Running);
    let (steps, approvals) = (fork.steps, fork.approvals);
    (run, Journal { snapshot: Some(fork.snapshot), steps, approvals, ..Journal::default() })
}

/// What a worker does first that takes the fork.
fn first(run: Run, journal: Journal) -> Effect {
    let options = Options { lease_for: std::time::Duration::from_secs(30), secrets: [].into() };
    Executor::resume(run, journal, options).unwrap().next(Timestamp::EPOCH).unwrap()
}

fn is_end(step: &Step) -> bool {
    let stops = step.output.as_ref().map(|output| output["stop_reason"].clone());
    step.kind == StepKind::Llm && stops == Some(json!("end_turn"))
}

#[test]
fn every_run_can_be_gone_on_from_at_every_place() {
    let (mut places, mut ends) = (0, 0);
    for (name, script) in scripts::all() {
        let (source, journal) = source(script);
        let steps = u32::try_from(journal.steps.len()).unwrap();
        for from_seq in 1..=steps + 1 {
            let name = format!("{name} from {from_seq}");
            // Another model, other words and other rules than those that the steps were made under.
            let forked = forked(&source, &journal, from_seq, |snapshot| {
                snapshot.model = "other/model".to_owned();
                snapshot.system_prompt = "Do otherwise.".to_owned();
                snapshot.guardrails = vec![Rule { on_block: OnBlock::FailRun, ..Rule::new(RuleKind::Denylist, ["*"]) }];
                snapshot.budget_usd_cents = None;
            });
            if from_seq > 1 && is_end(&journal.steps[from_seq as usize - 2]) {
                ends += 1;
                let error = forked.unwrap_err();
                assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/from_seq")), "{name}");
                continue;
            }
            places += 1;
            let (run, begun) = begun(&source, forked.unwrap());
            assert_eq!(begun.cost(), NanoUsd::ZERO, "{name}: what was paid stays paid");
            assert_eq!(begun.steps.len(), from_seq as usize - 1);
            let outputs =
                |steps: &[Step]| steps.iter().map(|step| (step.output.clone(), step.outcome)).collect::<Vec<_>>();
            assert_eq!(outputs(&begun.steps), outputs(&journal.steps[..from_seq as usize - 1]), "{name}");
            assert!(verify(run.tenant_id, run.id, &run.input, &begun).unwrap().valid, "{name}: the chain is its own");
            match first(run, begun) {
                Effect::Ask(request) => {
                    assert_eq!((&*request.model, &*request.system), ("model", "Do otherwise."), "{name}")
                }
                // The calls that are left are made under the new rules, which refuse them.
                Effect::Commit(commit) => match &commit.transition {
                    Transition::Fail { detail, .. } => {
                        assert!(!detail.contains("diverges"), "{name}: {detail}");
                        assert!(
                            journal.steps.get(from_seq as usize - 1).is_some_and(|step| step.kind == StepKind::Tool)
                        );
                    }
                    other => panic!("{name}: {other:?}"),
                },
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    assert!(places > 60 && ends > 5, "{places} places, {ends} ends");
}

#[test]
fn the_calls_of_a_turn_that_had_finished_are_kept_and_the_others_made_again() {
    let (source, journal) = source(scripts::everything_at_once());
    let fork = forked(&source, &journal, 4, |_| {}).unwrap();
    let (run, begun) = begun(&source, fork);
    let options = Options { lease_for: std::time::Duration::from_secs(30), secrets: [].into() };
    let mut executor = Executor::resume(run, begun, options).unwrap();
    // Calls outside are announced anew; 2 and 3 are not made again.
    let Effect::Commit(commit) = executor.next(Timestamp::EPOCH).unwrap() else { panic!("nothing is announced") };
    assert_eq!(commit.number, 1);
    assert_eq!(commit.calls.iter().map(|call| call.seq).collect::<Vec<_>>(), [5, 7]);
    executor.handle(crate::executor::Event::Committed, Timestamp::EPOCH).unwrap();
    let mut made = Vec::new();
    while let Effect::Call(call) = executor.next(Timestamp::EPOCH).unwrap() {
        made.push(call.seq);
    }
    assert_eq!(made, [4, 5, 6, 7]);
}

#[test]
fn a_place_that_is_not_there_is_refused() {
    let (source, journal) = source(scripts::everything_at_once());
    let steps = u32::try_from(journal.steps.len()).unwrap();
    for from_seq in [0, steps + 2, u32::MAX] {
        let error = forked(&source, &journal, from_seq, |_| {}).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/from_seq")));
        assert!(error.to_string().contains(&(steps + 1).to_string()), "{error}");
    }
    let mut damaged = journal;
    damaged.steps[1].output = Some(json!("something else"));
    assert_eq!(forked(&source, &damaged, 3, |_| {}).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn what_was_only_tried_is_gone_on_from_as_a_trial_alone() {
    let script = Script::new([
        Reply::calls([("contacts_search", json!({}))]),
        Reply::calls([("contacts_write", json!({ "name": "Ada" }))]),
        Reply::text("done"),
    ]);
    let (source, journal) = source(script.tried_out());
    let live = |snapshot: &mut Snapshot| snapshot.trial = None;
    assert!(forked(&source, &journal, 4, live).is_ok(), "nothing was tried by then");
    assert_eq!(forked(&source, &journal, 5, live).unwrap_err().pointer(), Some("/mode"));
    let fork = forked(&source, &journal, 5, |_| {}).unwrap();
    assert_eq!(fork.steps[3].tried, journal.steps[3].tried, "what was tried goes along");
}

#[test]
fn what_calls_outside_came_back_with_is_recalled() {
    let script = Script::new([
        Reply::calls([("mail_send", json!({ "text": "one" })), ("contacts_write", json!({ "name": "Ada" }))]),
        Reply::calls([("mail_send", json!({ "text": "two", "fail": "full" })), ("page_publish", json!({}))]),
        Reply::text("done"),
    ]);
    let (source, journal) = source(script.denying("page_*", OnBlock::RefuseCall));
    let answers = recalled(&journal).unwrap();
    let short: Vec<_> = answers.iter().map(|answer| (answer.tool.as_str(), answer.outcome)).collect();
    assert_eq!(
        short,
        [("mail_send", StepOutcome::Ok), ("mail_send", StepOutcome::Error)],
        "blocked calls have no answer"
    );
    let trial = Trial { as_of: Timestamp::EPOCH, answers: answers.clone() };
    let fork = forked(&source, &journal, 2, |snapshot| snapshot.trial = Some(trial.clone())).unwrap();
    let again = Journal { snapshot: Some(fork.snapshot), ..Journal::default() };
    assert_eq!(recalled(&again).unwrap(), answers, "a fork of a fork recalls the same");
}
