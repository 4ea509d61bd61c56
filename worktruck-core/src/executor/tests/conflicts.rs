//! Somebody else changes what a call rests on before it is committed.

use serde_json::json;

use super::{End, count, events, stage};
use crate::entity::Kind;
use crate::run::{EventType, RunStatus};
use crate::store::{Changes, EntityKey, MemoryStore};
use crate::temporal::WriteOp;
use crate::testing::FaultyStore;
use crate::testing::script::{Order, Reply, Script, Stage};

/// A turn that renames Ada, adds Bob and searches, in a run with a budget.
fn script() -> Script {
    let turn = Reply::calls([
        ("contacts_write", json!({ "name": "Ada", "to": "Ada Lovelace" })),
        ("contacts_write", json!({ "name": "Bob" })),
        ("contacts_search", json!({})),
    ]);
    Script { contacts: vec!["Ada".to_owned()], ..Script::new([turn, Reply::text("done")]).with_budget(100) }
}

/// Somebody else changes Ada each of the first `times` times that the second call is back.
fn edit(stage: &mut Stage, store: &FaultyStore<MemoryStore>, times: usize) {
    let (_, id, _) = stage.contacts_in(store.inner()).unwrap()[0].clone();
    for time in 0..times {
        let patch = WriteOp::Patch(json!({ "nickname": format!("A{time}") }));
        stage.edit_at("<- call 3 ok", Changes::none().write(EntityKey::new(Kind::Contact, id), patch));
    }
}

#[test]
fn the_call_and_the_writes_after_it_are_made_again() {
    let (mut stage, store) = stage(script());
    edit(&mut stage, &store, 1);
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(
        stage.trace()[4..],
        [
            "commit 2: step 1, continue",
            "-> call 2 contacts_write",
            "-> call 4 contacts_search",
            "<- call 2 ok",
            "-> call 3 contacts_write",
            "<- call 4 ok",
            "<- call 3 ok",
            "commit 3: steps 2..4, continue: conflict at 2",
            "-> call 2 contacts_write",
            "<- call 2 ok",
            "-> call 3 contacts_write",
            "<- call 3 ok",
            "commit 3: steps 2..4, continue",
            "-> ask #2",
            "<- answer #2",
            "commit 4: step 5, succeed",
            "== succeeded",
        ]
    );
    let names: Vec<_> = stage.contacts_in(store.inner()).unwrap().into_iter().map(|it| (it.0, it.2)).collect();
    assert_eq!(names, [("Ada Lovelace".to_owned(), 3), ("Bob".to_owned(), 1)]);
    assert_eq!(stage.model().requests()[1].messages.len(), 3, "the results are said once");
    let events = events(&stage, &store);
    assert_eq!(count(&events, EventType::BudgetReserved), 2);
    assert_eq!(count(&events, EventType::BudgetSettled), 2);
    assert_eq!(count(&events, EventType::GuardrailDecision), 3);
}

#[test]
fn after_five_times_the_model_is_told() {
    for (times, outcome, calls) in [(5, "ok", 12), (6, "error", 13)] {
        let (mut stage, store) = stage(script());
        edit(&mut stage, &store, times);
        assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
        let end = End::of(&stage, &store);
        assert_eq!(end.steps[1].outcome, outcome, "{times} conflicts");
        assert_eq!(end.steps[2].outcome, "ok");
        assert_eq!(end.contacts.last().unwrap(), &("Bob".to_owned(), 1));
        assert_eq!(stage.tools().write.keys().len(), calls, "{times} conflicts");
        if outcome == "error" {
            let output = end.steps[1].output.as_ref().unwrap()["error"].as_str().unwrap();
            assert!(output.starts_with("the change was not made: "), "{output}");
        }
    }
}

#[test]
fn a_change_that_no_store_takes_is_an_error_for_the_model() {
    let turn = Reply::calls([
        ("contacts_write", json!({ "name": "Ada", "malformed": true })),
        ("contacts_write", json!({ "name": "Bob" })),
    ]);
    let (mut stage, store) = stage(Script::new([turn, Reply::text("done")]));
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    let end = End::of(&stage, &store);
    assert_eq!([end.steps[1].outcome, end.steps[2].outcome], ["error", "ok"]);
    assert_eq!(end.contacts, [("Bob".to_owned(), 1)]);
    assert_eq!(stage.tools().write.keys().len(), 3, "the second write has seen the first one's changes");
}

#[test]
fn a_conflict_at_the_end_of_a_run_leaves_the_change_out() {
    // The cancellation comes when the writes are done and a read is under way.
    let turn = Reply::calls([
        ("contacts_write", json!({ "name": "Ada", "to": "Ada Lovelace" })),
        ("contacts_search", json!({ "hang": true })),
    ]);
    let (mut stage, store) = stage(Script { contacts: vec!["Ada".to_owned()], ..Script::new([turn]) });
    let (_, id, _) = stage.contacts_in(store.inner()).unwrap()[0].clone();
    let delete = Changes::none().write(EntityKey::new(Kind::Contact, id), WriteOp::Delete);
    stage.edit_at("<- call 2 ok", delete);
    stage.order_at("<- call 2 ok", Order::Cancel);
    assert_eq!(stage.play().unwrap(), RunStatus::Cancelled);
    assert_eq!(
        stage.trace()[7..],
        ["<- call 2 ok", "commit 3: step 2, cancel: conflict at 2", "commit 3: cancel", "== cancelled"]
    );
    assert_eq!(stage.journal_in(store.inner()).unwrap().steps.len(), 1);
    assert!(stage.contacts_in(store.inner()).unwrap().is_empty());
}
