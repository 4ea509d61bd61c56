//! Trials: nothing is written, nobody outside is called, and a crash changes nothing of what is tried.

use std::time::Duration;

use serde_json::{Value, json};

use super::{End, played, stage};
use crate::journal::{Recalled, Step, StepOutcome};
use crate::run::{Decision, RunStatus};
use crate::store::{Changes, EntityKey, MemoryStore, Store};
use crate::testing::FaultyStore;
use crate::testing::script::{Reply, Script, Stage, scripts};
use crate::{Digest, EntityId, Secret, entity::Kind};

fn outputs(stage: &Stage, store: &FaultyStore<MemoryStore>, tool: &str) -> Vec<Value> {
    let steps = stage.journal_in(store.inner()).unwrap().steps;
    steps.into_iter().filter(|step| step.name == tool).filter_map(|step| step.output).collect()
}

/// Asserts that a trial has left nothing but its journal.
fn assert_untouched(stage: &Stage, store: &dyn Store, name: &str) {
    let names: Vec<String> = stage.contacts_in(store).unwrap().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["Eve", "Zoe"], "{name}: the store is as it was");
    for tool in [&stage.tools().send, &stage.tools().publish] {
        assert_eq!(tool.keys(), [], "{name}: {} was called", tool.name());
    }
    for commit in stage.commits() {
        assert!(commit.steps.iter().all(|step| step.changes.is_empty()), "{name}: a change was handed to the store");
        assert!(commit.calls.iter().all(|call| call.receipt.is_some()), "{name}: a call was announced");
    }
}

fn all() -> impl Iterator<Item = (&'static str, Script)> {
    let there = |script| Script { contacts: vec!["Eve".to_owned(), "Zoe".to_owned()], ..script };
    scripts::all().into_iter().map(move |(name, script)| (name, there(script).tried_out()))
}

#[test]
fn a_trial_that_crashes_anywhere_comes_to_the_same_journal_and_does_nothing() {
    let (mut crashes, mut same, mut tried) = (0, 0, 0);
    for (name, script) in all() {
        let script = Script { lease_for: Duration::ZERO, ..script };
        let (whole, store) = played(script.clone());
        assert_untouched(&whole, store.inner(), name);
        let (end, journal) = (End::of(&whole, &store), whole.journal_in(store.inner()).unwrap());
        tried += journal.steps.iter().filter(|step| step.tried.is_some()).count();
        for point in 1..=whole.points() {
            let (mut stage, store) = stage(script.clone());
            stage.crash_at(point);
            let status = stage.play().unwrap();
            let name = format!("{name}, crash at {point}\n{}", stage.trace().join("\n"));
            assert_ne!(status, RunStatus::Waiting, "{name}: nothing has happened that nobody knows of");
            assert_untouched(&stage, store.inner(), &name);
            if name.starts_with("spent_budget") {
                continue; // A crash takes what is left to spend.
            }
            crashes += 1;
            // Reads are made again, and are no calls outside.
            assert_eq!(
                End { distinct: Vec::new(), ..End::of(&stage, &store) },
                End { distinct: Vec::new(), ..end.clone() }
            );
            // A model that is asked anew is not left alone as long, so that times differ.
            if stage.now() == whole.now() {
                same += 1;
                assert_eq!(stage.journal_in(store.inner()).unwrap().steps, journal.steps, "{name}");
            }
        }
    }
    assert!(crashes > 150 && same > 120 && tried > 8, "{crashes} crashes, {same} the same, {tried} tried");
}

fn search() -> (&'static str, Value) {
    ("contacts_search", json!({}))
}

#[test]
fn a_trial_sees_what_it_has_tried_and_nothing_that_others_do() {
    let write = |input| Reply::calls([("contacts_write", input)]);
    let script = Script::new([
        write(json!({ "name": "Ada" })),
        Reply::calls([search()]),
        write(json!({ "name": "Ada", "to": "Ada Lovelace" })),
        write(json!({ "name": "Zoe", "to": "Zoe Two" })),
        Reply::calls([search()]),
        Reply::text("done"),
    ]);
    let script = Script { contacts: vec!["Zoe".to_owned()], ..script.tried_out() };
    let points = played(script.clone()).0.points();
    for point in 1..=points {
        let (mut stage, store) = stage(script.clone());
        stage.crash_at(point);
        let key = EntityKey::new(Kind::Contact, EntityId::from_uuid(uuid::Uuid::from_u128(9)));
        let somebody = Changes::none().create(key, json!({ "display_name": "Somebody Else" }));
        stage.edit_at("-> ask #1", somebody);
        stage.play().unwrap();
        let seen = outputs(&stage, &store, "contacts_search");
        let trace = stage.trace().join("\n");
        assert_eq!(seen[0], json!({ "names": ["Ada", "Zoe"] }), "crash at {point}\n{trace}");
        assert_eq!(seen[1], json!({ "names": ["Ada Lovelace", "Zoe Two"] }), "crash at {point}\n{trace}");
        let names: Vec<String> = stage.contacts_in(store.inner()).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["Somebody Else", "Zoe"]);
    }
}

#[test]
fn a_write_that_no_commit_would_make_is_told_to_the_model() {
    let script = Script::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada", "malformed": true }))]),
        Reply::calls([("contacts_write", json!({ "name": "Nobody", "to": "Ada" }))]),
        Reply::text("done"),
    ]);
    let (stage, store) = played(script.tried_out());
    let steps: Vec<Step> = stage.journal_in(store.inner()).unwrap().steps;
    let said = |step: &Step| step.output.as_ref().unwrap()["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!((steps[1].outcome, &steps[1].tried), (StepOutcome::Error, &None));
    assert!(said(&steps[1]).starts_with("the change was not made"), "{}", said(&steps[1]));
    assert!(said(&steps[3]).contains("no contact named Nobody"), "{}", said(&steps[3]));
}

#[test]
fn calls_outside_come_back_with_what_was_recorded_or_say_that_they_were_not_made() {
    let send = |text: &str| ("mail_send", json!({ "text": text }));
    let recalled = |number: u32, outcome, output| Recalled {
        tool: "mail_send".to_owned(),
        input: Digest::of_json(&json!({ "text": "one" })).unwrap(),
        outcome,
        output: if number == 0 { output } else { json!({ "number": number }) },
    };
    let script = Script::new([
        Reply::calls([send("one"), send("other")]),
        Reply::calls([send("one"), send("one")]),
        Reply::text("done"),
    ]);
    let failed = json!({ "error": "the mailbox is full" });
    let answers = vec![recalled(1, StepOutcome::Ok, json!({})), recalled(0, StepOutcome::Error, failed.clone())];
    let (stage, store) = played(Script { answers, ..script.tried_out() });
    let said = outputs(&stage, &store, "mail_send");
    assert_eq!(said[0], json!({ "number": 1 }));
    assert_eq!(said[1]["dry_run"], json!(true));
    assert!(said[1]["message"].as_str().unwrap().contains("mail_send was not called"), "{}", said[1]);
    assert_eq!(said[2..], [failed.clone(), failed], "the last answer stands for all that follow");
    assert_eq!(stage.tools().send.keys(), []);
}

#[test]
fn people_are_asked_about_calls_of_a_trial_as_ever() {
    let send = |text: &str| ("mail_send", json!({ "text": text }));
    let script = Script::new([
        Reply::calls([send("one"), ("contacts_write", json!({ "name": "Ada" })), search()]),
        Reply::text("done"),
    ]);
    let (mut stage, store) = stage(script.asking("mail_*").tried_out());
    assert_eq!(stage.play().unwrap(), RunStatus::Waiting);
    stage.answer(2, Decision::Approve { edited_input: None }).unwrap();
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(outputs(&stage, &store, "mail_send")[0]["dry_run"], json!(true));
    assert_eq!(stage.tools().send.keys(), []);
    assert_eq!(stage.contacts_in(store.inner()).unwrap(), []);
}

#[test]
fn what_is_tried_holds_no_secret() {
    let script =
        Script::new([Reply::calls([("contacts_write", json!({ "name": "hunter2-hunter2" }))]), Reply::text("done")]);
    let secret = Secret::new("hunter2-hunter2");
    let (stage, store) = played(Script { secrets: vec![secret], ..script.tried_out() });
    let journal = serde_json::to_string(&stage.journal_in(store.inner()).unwrap()).unwrap();
    assert!(journal.contains("tried"), "something was tried");
    assert!(!journal.contains("hunter2"), "{journal}");
}
