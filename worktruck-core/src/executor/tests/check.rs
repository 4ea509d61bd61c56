//! A recorded run, checked against the software that is here.

use serde_json::json;

use super::{events, stage};
use crate::executor::{ReplayReport, replay_check};
use crate::guardrail::RuleKind;
use crate::journal::{RunExport, StepKind, StepOutcome, call_digest};
use crate::run::{Decision, RunStatus};
use crate::testing::script::{Reply, Script, Stage, scripts};

/// What a stage has recorded, through its text.
fn export(stage: &Stage, store: &std::sync::Arc<crate::testing::FaultyStore<crate::store::MemoryStore>>) -> RunExport {
    let (run, journal) = (stage.run_in(store.inner()).unwrap(), stage.journal_in(store.inner()).unwrap());
    let export = RunExport::new(run, journal, events(stage, store));
    let read = RunExport::parse(&export.to_text().unwrap()).unwrap();
    assert_eq!(read, export);
    read
}

fn check(export: &RunExport) -> ReplayReport {
    replay_check(export).unwrap()
}

#[track_caller]
fn assert_same(export: &RunExport, what: &str) {
    let report = check(export);
    assert!(report.same && report.chain.valid, "{what}: {report:#?}");
}

#[test]
fn every_run_that_was_recorded_here_would_be_the_same_here() {
    for (name, script) in scripts::all() {
        let (mut whole, store) = stage(script.clone());
        whole.play().unwrap();
        let recorded = export(&whole, &store);
        let report = check(&recorded);
        assert!(report.same && report.chain.valid, "{name}: {report:#?}");
        assert_eq!(report.steps as usize, recorded.journal.steps.len());
        if recorded.run.status == RunStatus::Succeeded {
            assert_eq!(report.checked, report.steps, "{name}");
        }
        // Whichever way it was interrupted, and while it was.
        for point in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(point);
            stage.work_once().unwrap();
            assert_same(&export(&stage, &store), &format!("{name}, crashed at {point}"));
            stage.play().unwrap();
            assert_same(&export(&stage, &store), &format!("{name}, taken over at {point}"));
        }
    }
}

#[test]
fn answers_of_people_are_taken_as_they_were() {
    let mail = || ("mail_send", json!({ "text": "hello" }));
    let turn = || [("contacts_search", json!({})), mail(), ("page_publish", json!({ "text": "news" }))];
    let script = || Script::new([Reply::calls(turn()), Reply::text("done")]).asking("mail_*");
    let edited = Decision::Approve { edited_input: Some(json!({ "text": "other words" })) };
    for decision in [
        Decision::Approve { edited_input: None },
        edited,
        Decision::Reject { fail_run: false },
        Decision::Reject { fail_run: true },
        Decision::Respond { output: json!({ "sent": "by hand" }) },
    ] {
        let (mut stage, store) = stage(script());
        stage.play().unwrap();
        assert_same(&export(&stage, &store), "a run that waits");
        stage.answer(3, decision.clone()).unwrap();
        stage.play().unwrap();
        let recorded = export(&stage, &store);
        assert_same(&recorded, &format!("{decision:?}"));

        // Software that would not ask is found out, and so is software that would.
        let mut silent = recorded.clone();
        silent
            .journal
            .snapshot
            .as_mut()
            .unwrap()
            .guardrails
            .retain(|rule| !matches!(rule.kind, RuleKind::ApprovalGate(_)));
        assert!(!check(&silent).same);
        let mut without = recorded;
        without.journal.approvals.clear();
        assert!(!check(&without).same);
    }
}

/// What of a recorded run is changed, and where that is noticed.
#[test]
fn the_first_thing_that_would_be_otherwise_is_named() {
    let (mut stage, store) = stage(scripts::writes());
    stage.play().unwrap();
    let recorded = export(&stage, &store);

    let mut other = recorded.clone();
    let step = &mut other.journal.steps[1];
    step.input = json!({ "name": "Eve" });
    step.call_digest = call_digest(other.run.id, 2, StepKind::Tool, &step.name, &step.input).unwrap();
    let report = check(&other);
    let divergence = report.divergence.unwrap();
    assert_eq!((report.same, report.checked, divergence.seq), (false, 1, 2));
    assert!(divergence.to_string().contains(r#"/input/name: recorded "Eve", attempted "Ada""#), "{divergence}");
    assert_eq!(report.chain.first_bad_seq, Some(2));

    let mut output = recorded.clone();
    output.run.output = Some(json!({ "written": 5 }));
    let report = check(&output);
    assert_eq!((report.same, report.divergence), (false, None));
    assert!(report.detail.unwrap().contains("succeed with its last answer"));

    let mut shorter = recorded.clone();
    shorter.journal.steps.truncate(4);
    let report = check(&shorter);
    assert_eq!((report.same, report.checked), (false, 4));
    assert!(report.detail.unwrap().contains("would ask the model, and the recorded one has 4 steps"));

    let mut longer = recorded;
    let mut more = longer.journal.steps[0].clone();
    more.seq = u32::try_from(longer.journal.steps.len()).unwrap() + 1;
    longer.journal.steps.push(more);
    assert!(!check(&longer).same);
}

#[test]
fn a_call_that_was_refused_and_would_be_made_is_found_and_the_other_way_round() {
    let (mut stage, store) = stage(scripts::refused_call());
    stage.play().unwrap();
    let recorded = export(&stage, &store);
    assert_same(&recorded, "a refused call");
    for (seq, outcome) in [(2, StepOutcome::Ok), (3, StepOutcome::Blocked)] {
        let mut other = recorded.clone();
        other.journal.steps[seq - 1].outcome = outcome;
        let divergence = check(&other).divergence.unwrap();
        assert_eq!((divergence.seq as usize, &*divergence.differences[0].pointer), (seq, "/outcome"), "{divergence}");
    }
}

#[test]
fn an_erased_payload_leaves_a_chain_that_is_valid() {
    let (mut stage, store) = stage(scripts::reads());
    stage.play().unwrap();
    let mut recorded = export(&stage, &store);
    let step = recorded.journal.steps.iter_mut().find(|step| step.name == "contacts_search").unwrap();
    step.payload_ref = Some(crate::Digest::of_json(step.output.as_ref().unwrap()).unwrap());
    step.output = None;
    let verification = recorded.verify().unwrap();
    assert!(verification.valid && verification.erased == 1, "{verification:?}");
    assert_same(&recorded, "an erased payload");
    let step = recorded.journal.steps.iter_mut().find(|step| step.output.is_none()).unwrap();
    step.payload_ref = Some(crate::Digest::of_bytes(b"another"));
    assert!(!recorded.verify().unwrap().valid);
}

#[test]
fn a_run_that_never_began_and_a_damaged_document() {
    let (stage, store) = stage(scripts::reads());
    let recorded = export(&stage, &store);
    assert_same(&recorded, "a run that never began");
    let text = recorded.to_text().unwrap();
    assert_eq!(recorded.digest().unwrap(), RunExport::parse(&text).unwrap().digest().unwrap());
    for (from, to, pointer) in [
        (r#""status":"queued""#, r#""status":"lost""#, Some("/run/status")),
        (r#""format":"worktruck.run""#, r#""format":"contacts""#, Some("/format")),
        (r#""format_version":1"#, r#""format_version":2"#, Some("/format_version")),
        (r#""steps":[]"#, r#""steps":[7]"#, Some("/journal/steps/0")),
        (r#""events":["#, r#""more":1,"events":["#, Some("/more")),
        (r#"{"events""#, r#"["events""#, None),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        let error = RunExport::parse(&damaged).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{to}: {error}");
    }
}
