//! What follows an answer of the model, and the limits of a run.

use serde_json::{Value, json};

use super::{End, failure, played};
use crate::model::{Block, Message, StopReason, UserBlock};
use crate::run::FailureCategory;
use crate::testing::script::{Reply, Script, scripts};

fn stopping(reason: StopReason) -> Script {
    Script::new([Reply::of(vec![Block::Text { text: "that is all".to_owned() }], reason)])
}

fn search() -> Reply {
    Reply::calls([("contacts_search", json!({}))])
}

#[test]
fn a_run_has_no_more_steps_than_it_may() {
    let (stage, store) = played(Script { max_steps: 2, ..Script::new([search()]) });
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::BudgetExhausted);
    assert_eq!(detail, "the run has used all of its 2 steps");
    assert_eq!(stage.tools().search.keys().len(), 1);

    let (stage, store) = played(Script { max_steps: 1, ..Script::new([search()]) });
    assert_eq!(failure(&stage, &store).1, "the calls exceed the run's 1 steps");
    assert!(stage.tools().search.keys().is_empty());
    assert_eq!(End::of(&stage, &store).steps[1].outcome, "blocked");
}

#[test]
fn the_same_call_is_made_no_more_often_than_it_may() {
    let (stage, store) = played(Script { max_repeats: 2, ..Script::new([search(), search(), search()]) });
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::BudgetExhausted);
    assert_eq!(detail, "contacts_search was called 3 times with the same input; the limit is 2");
    assert_eq!(stage.tools().search.keys().len(), 2);
}

#[test]
fn how_an_answer_stopped_decides_what_follows() {
    let (stage, store) = played(stopping(StopReason::Refusal));
    assert_eq!(
        failure(&stage, &store),
        (FailureCategory::GuardrailBlocked, "the model refused: that is all".to_owned())
    );
    let (stage, store) = played(stopping(StopReason::Other("moonrise".to_owned())));
    let (category, detail) = failure(&stage, &store);
    assert_eq!(category, FailureCategory::ConfigError);
    assert!(detail.contains("moonrise"), "{detail}");
    let (stage, store) = played(stopping(StopReason::ContextWindowExceeded));
    assert_eq!(failure(&stage, &store).0, FailureCategory::ConfigError);
    let (stage, store) = played(stopping(StopReason::EndTurn));
    assert_eq!(End::of(&stage, &store).output, Some(json!({ "text": "that is all" })));
    let (stage, store) = played(scripts::writes());
    assert_eq!(End::of(&stage, &store).output, Some(json!({ "written": 4 })), "a JSON object is the output itself");
}

#[test]
fn a_call_that_was_cut_off_is_never_made_and_a_pause_is_gone_on_from() {
    let (stage, _) = played(scripts::interrupted_answers());
    assert!(stage.tools().send.keys().is_empty());
    let requests = stage.model().requests();
    let lengths: Vec<usize> = requests.iter().map(|request| request.messages.len()).collect();
    assert_eq!(lengths, [1, 3, 4, 6]);
    let cut_off = &requests[1].messages;
    assert!(matches!(&*cut_off[1], Message::Assistant { content } if matches!(content[..], [Block::Text { .. }])));
    assert!(matches!(&*cut_off[2], Message::User { content } if matches!(content[..], [UserBlock::Text { .. }])));
    let paused = requests[2].messages.last().unwrap();
    assert!(matches!(&**paused, Message::Assistant { content } if matches!(content[..], [Block::Opaque { .. }])));
}

#[test]
fn a_call_that_cannot_be_made_is_an_error_for_the_model() {
    let (stage, store) = played(scripts::error_and_retry());
    let end = End::of(&stage, &store);
    let error = |at: usize| end.steps[at].output.as_ref().and_then(|it| it["error"].as_str()).unwrap().to_owned();
    assert_eq!(end.steps[1..5].iter().map(|step| step.outcome).collect::<Vec<_>>(), ["error"; 4]);
    assert_eq!(error(1), "there is no contact named Ada");
    assert_eq!(error(2), "try again");
    assert_eq!(error(3), "there is no tool named nothing_known");
    assert!(error(4).starts_with("the input does not fit the tool's schema: "), "{}", error(4));
    assert_eq!(stage.tools().write.keys().len(), 2, "the call that does not fit is not made");
    let request = &stage.model().requests()[1];
    let Message::User { content } = &**request.messages.last().unwrap() else { panic!("results") };
    assert!(content.iter().all(|block| matches!(block, UserBlock::ToolResult { is_error: true, .. })));
}

#[test]
fn a_fatal_call_ends_the_run_when_its_turn_is_over() {
    let (stage, store) = played(scripts::fatal_call_among_others());
    assert_eq!(failure(&stage, &store), (FailureCategory::ToolFailed, "page_publish: the page is gone".to_owned()));
    assert_eq!(
        stage.trace()[4..],
        [
            "commit 2: step 1, opens [2, 4], continue",
            "-> call 2 page_publish",
            "-> call 3 contacts_write",
            "-> call 4 page_publish",
            "<- call 2 fatal",
            "commit 3: receipts [2], continue",
            "<- call 3 ok",
            "<- call 4 ok",
            "commit 4: steps 2..4, fail tool_failed",
            "== failed",
        ]
    );
}

#[test]
fn later_writes_of_a_turn_see_the_earlier_ones_and_are_committed_with_them() {
    let (stage, store) = played(scripts::everything_at_once());
    let end = End::of(&stage, &store);
    assert_eq!(end.contacts, [("Ada Lovelace".to_owned(), 2), ("Bob".to_owned(), 1)]);
    assert_eq!(end.steps[5].output, Some(json!({ "seen": ["Ada"] })));
    let steps = |commit: &crate::run::Commit| commit.steps.iter().map(|it| it.step.seq).collect::<Vec<_>>();
    let writing: Vec<_> = stage.commits().iter().filter(|it| steps(it).contains(&2)).map(steps).collect();
    assert!(writing.iter().all(|steps| steps.contains(&6)), "{writing:?}");
    assert_eq!(end.steps[3].output.as_ref().map(|it| it["names"].clone()), Some(Value::Array(Vec::new())));
}
