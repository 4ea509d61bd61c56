//! Scripts that together show everything a run can do.

use serde_json::json;

use crate::guardrail::OnBlock;
use crate::model::{Block, ModelErrorCategory, StopReason};

use super::{Reply, Script};

/// All scripts of this module, by name.
#[must_use]
pub fn all() -> Vec<(&'static str, Script)> {
    vec![
        ("reads", reads()),
        ("writes", writes()),
        ("idempotent_calls", idempotent_calls()),
        ("calls_that_happen_each_time", calls_that_happen_each_time()),
        ("everything_at_once", everything_at_once()),
        ("refused_call", refused_call()),
        ("blocked_run", blocked_run()),
        ("error_and_retry", error_and_retry()),
        ("fatal_call_among_others", fatal_call_among_others()),
        ("overloaded_model", overloaded_model()),
        ("refused_key", refused_key()),
        ("interrupted_answers", interrupted_answers()),
        ("paid_turns", paid_turns()),
        ("spent_budget", spent_budget()),
    ]
}

/// Two reads in one turn, and one in the next.
#[must_use]
pub fn reads() -> Script {
    let search = || ("contacts_search", json!({}));
    let mut script = Script::new([Reply::calls([search(), search()]), Reply::calls([search()]), Reply::text("done")]);
    script.contacts = vec!["Ada".to_owned()];
    script
}

/// Three writes in one turn, the last of which changes what the first one made.
#[must_use]
pub fn writes() -> Script {
    Script::new([
        Reply::calls([
            ("contacts_write", json!({ "name": "Ada" })),
            ("contacts_write", json!({ "name": "Bob" })),
            ("contacts_write", json!({ "name": "Ada", "to": "Ada Lovelace" })),
        ]),
        Reply::calls([("contacts_write", json!({ "name": "Bob", "to": "Robert" }))]),
        Reply::text("{\"written\": 4}"),
    ])
}

/// Idempotent calls outside: two in one turn, one of them again in the next.
#[must_use]
pub fn idempotent_calls() -> Script {
    let publish = |text: &str| ("page_publish", json!({ "text": text }));
    Script::new([
        Reply::calls([publish("home"), publish("about")]),
        Reply::calls([publish("home")]),
        Reply::text("done"),
    ])
}

/// Calls outside that happen each time: two in one turn, one in the next.
#[must_use]
pub fn calls_that_happen_each_time() -> Script {
    let send = |text: &str| ("mail_send", json!({ "text": text }));
    Script::new([Reply::calls([send("one"), send("two")]), Reply::calls([send("three")]), Reply::text("done")])
}

/// Calls of every kind side by side in one turn, and again in the next.
#[must_use]
pub fn everything_at_once() -> Script {
    Script::new([
        Reply::calls([
            ("contacts_write", json!({ "name": "Ada" })),
            ("page_publish", json!({ "text": "home" })),
            ("contacts_search", json!({})),
            ("mail_send", json!({ "text": "one" })),
            ("contacts_write", json!({ "name": "Ada", "to": "Ada Lovelace" })),
            ("page_publish", json!({ "text": "about" })),
        ]),
        Reply::calls([
            ("mail_send", json!({ "text": "two" })),
            ("contacts_write", json!({ "name": "Bob" })),
            ("contacts_search", json!({})),
        ]),
        Reply::text("done"),
    ])
}

/// A call that a guardrail refuses, beside one that it does not.
#[must_use]
pub fn refused_call() -> Script {
    Script::new([
        Reply::calls([
            ("mail_send", json!({ "text": "one" })),
            ("contacts_write", json!({ "name": "Ada" })),
            ("page_publish", json!({ "text": "home" })),
        ]),
        Reply::text("done"),
    ])
    .denying("mail_*", OnBlock::RefuseCall)
}

/// A call that a guardrail refuses, and the run with it.
#[must_use]
pub fn blocked_run() -> Script {
    Script::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada" }))]),
        Reply::calls([("contacts_write", json!({ "name": "Bob" })), ("mail_send", json!({ "text": "one" }))]),
    ])
    .denying("mail_*", OnBlock::FailRun)
}

/// Calls that fail, each made again by the model.
#[must_use]
pub fn error_and_retry() -> Script {
    Script::new([
        Reply::calls([
            ("contacts_write", json!({ "name": "Ada", "to": "Eve" })),
            ("page_publish", json!({ "text": "home", "fail": "try again" })),
            ("nothing_known", json!({})),
            ("contacts_write", json!({ "nome": "Ada" })),
        ]),
        Reply::calls([("contacts_write", json!({ "name": "Ada" })), ("page_publish", json!({ "text": "home" }))]),
        Reply::text("done"),
    ])
}

/// A call that ends the run, while others of its turn are under way.
#[must_use]
pub fn fatal_call_among_others() -> Script {
    Script::new([Reply::calls([
        ("page_publish", json!({ "text": "home", "fatal": "the page is gone" })),
        ("contacts_write", json!({ "name": "Ada" })),
        ("page_publish", json!({ "text": "about" })),
    ])])
}

/// A model that is away for a moment, twice.
#[must_use]
pub fn overloaded_model() -> Script {
    Script::new([
        Reply::error(ModelErrorCategory::ProviderUnavailable),
        Reply::error(ModelErrorCategory::RateLimited),
        Reply::calls([("contacts_write", json!({ "name": "Ada" }))]),
        Reply::error(ModelErrorCategory::RateLimited),
        Reply::text("done"),
    ])
}

/// A model whose key is refused after the first turn.
#[must_use]
pub fn refused_key() -> Script {
    Script::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada" }))]),
        Reply::error(ModelErrorCategory::RevokedOrExpired),
    ])
}

/// Answers that are cut off, or pause.
#[must_use]
pub fn interrupted_answers() -> Script {
    let half = Block::ToolCall { id: "call-1".to_owned(), name: "mail_send".to_owned(), input: json!({}) };
    let thought = Block::Opaque { value: json!({ "thinking": "…" }) };
    Script::new([
        Reply::of(vec![half], StopReason::MaxTokens),
        Reply::of(vec![thought], StopReason::PauseTurn),
        Reply::calls([("contacts_write", json!({ "name": "Ada" }))]),
        Reply::text("done"),
    ])
}

/// A run with a budget that suffices, even if a few turns are lost.
#[must_use]
pub fn paid_turns() -> Script {
    Script::new([
        Reply::calls([("contacts_write", json!({ "name": "Ada" })), ("page_publish", json!({ "text": "home" }))]),
        Reply::error(ModelErrorCategory::RateLimited),
        Reply::calls([("contacts_search", json!({}))]).using(1_200, 50),
        Reply::text("done").using(1_300, 5),
    ])
    .with_budget(100)
}

/// A run whose budget ends before it does.
#[must_use]
pub fn spent_budget() -> Script {
    Script::new([Reply::calls([("contacts_write", json!({ "name": "Ada" }))]).using(20_000, 4_000)]).with_budget(8)
}
