//! Guardrails and secrets.

use serde_json::json;

use super::{End, count, events, failure, played, stage};
use crate::Secret;
use crate::guardrail::{Mode, OnBlock};
use crate::run::{EventType, FailureCategory, RunStatus};
use crate::testing::script::{Order, Reply, Script, scripts};

#[test]
fn shadow_rules_change_nothing_but_what_is_said_about_them() {
    for (name, script) in scripts::all() {
        let mut shadowed = script.clone().denying("*", OnBlock::FailRun).denying("mail_*", OnBlock::RefuseCall);
        let enforced = script.guardrails.len();
        for rule in &mut shadowed.guardrails[enforced..] {
            rule.mode = Mode::Shadow;
        }
        let (one, one_store) = played(script);
        let (other, other_store) = played(shadowed);
        assert_eq!(one.trace(), other.trace(), "{name}");
        assert_eq!(End::of(&one, &one_store), End::of(&other, &other_store), "{name}");
        let offered = |stage: &crate::testing::script::Stage| stage.model().requests()[0].tools.len();
        assert_eq!(offered(&one), offered(&other), "{name}");
        let decisions = |stage, store: &_| count(&events(stage, store), EventType::GuardrailDecision);
        let (few, all) = (decisions(&one, &one_store), decisions(&other, &other_store));
        assert_eq!(all * enforced, few * (enforced + 2), "{name}: every rule decides about every call");
    }
}

#[test]
fn without_an_enforced_rule_no_tool_is_offered_and_none_runs() {
    let call = || Reply::calls([("contacts_write", json!({ "name": "Ada" }))]);
    let mut shadow = Script::new([call()]);
    shadow.guardrails[0].mode = Mode::Shadow;
    for script in [Script { guardrails: Vec::new(), ..Script::new([call()]) }, shadow] {
        let (stage, store) = played(script);
        assert!(stage.model().requests()[0].tools.is_empty());
        let (category, detail) = failure(&stage, &store);
        assert_eq!(category, FailureCategory::GuardrailBlocked);
        assert!(detail.starts_with("contacts_write was blocked: no guardrail is in mode enforce"), "{detail}");
        assert!(stage.tools().write.keys().is_empty());
    }
}

#[test]
fn a_tool_that_can_never_run_is_not_offered() {
    let (stage, _) = played(scripts::refused_call());
    let request = &stage.model().requests()[0];
    let offered: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(offered, ["contacts_search", "contacts_write", "page_publish"]);
}

#[test]
fn a_block_that_fails_the_run_makes_none_of_the_turn_s_calls() {
    let (stage, store) = played(scripts::blocked_run());
    let end = End::of(&stage, &store);
    assert_eq!(
        failure(&stage, &store),
        (FailureCategory::GuardrailBlocked, "mail_send was blocked: mail_send is on the denylist".to_owned())
    );
    assert_eq!(end.contacts, [("Ada".to_owned(), 1)]);
    assert_eq!(end.steps[3..].iter().map(|step| step.outcome).collect::<Vec<_>>(), ["blocked", "blocked"]);
    assert_eq!(stage.tools().write.keys().len(), 1);
}

#[test]
fn a_turn_of_calls_that_are_all_refused_goes_on_to_the_next() {
    let turn = Reply::calls([("mail_send", json!({ "text": "one" })), ("nothing_known", json!({}))]);
    let script = Script::new([turn, Reply::text("done")]).denying("mail_*", OnBlock::RefuseCall);
    let (stage, store) = played(script.clone());
    assert_eq!(
        stage.trace()[4..],
        [
            "commit 2: step 1, continue",
            "commit 3: steps 2..3, continue",
            "-> ask #2",
            "<- answer #2",
            "commit 4: step 4, succeed",
            "== succeeded",
        ]
    );
    let end = End::of(&stage, &store);
    // Given back between the two commits, the calls join the chain with the release.
    let (mut stage, store) = super::stage(script);
    stage.order_at("commit 2: step 1, continue", Order::Drain);
    assert_eq!(stage.play().unwrap(), RunStatus::Queued);
    assert_eq!(stage.play().unwrap(), RunStatus::Succeeded);
    assert_eq!(stage.trace()[5..9], ["commit 3: steps 2..3, release", "== queued", "== worker 2", "-> ask #2"]);
    assert_eq!(End::of(&stage, &store), end);
}

#[test]
fn secrets_are_in_no_step_and_in_no_event() {
    const KEY: &str = "sk-0123456789abcdef";
    let text = format!("the key is {KEY}");
    let script = Script {
        secrets: vec![Secret::new(&KEY[..10]), Secret::new(KEY)],
        ..Script::new([
            Reply::calls([
                ("page_publish", json!({ "text": text })),
                ("contacts_search", json!({ "fail": text })),
                ("contacts_write", json!({ "name": KEY })),
            ]),
            Reply::calls([("mail_send", json!({ "fatal": text }))]),
        ])
    };
    let (mut stage, store) = stage(script);
    assert_eq!(stage.play().unwrap(), RunStatus::Failed);
    let journal = json!(stage.journal_in(store.inner()).unwrap()).to_string();
    let run = json!(stage.run_in(store.inner()).unwrap()).to_string();
    let events = json!(events(&stage, &store)).to_string();
    for text in [&journal, &run, &events] {
        assert!(!text.contains(&KEY[10..]), "not even what is left when a shorter secret is replaced: {text}");
    }
    assert!(journal.contains("the key is [secret]"));
    assert!(run.contains("mail_send: the key is [secret]"), "{run}");
    assert_eq!(stage.model().check(), Ok(()));
}
