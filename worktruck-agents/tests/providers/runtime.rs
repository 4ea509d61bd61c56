//! Whole runs whose models are at the other end of a connection.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::providers::{Anthropic, AnthropicOptions, OpenAi, OpenAiOptions, Providers};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::journal::Journal;
use worktruck_core::model::ModelProvider;
use worktruck_core::pricing::Price;
use worktruck_core::run::{FailureCategory, Run, RunStatus};
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::{Clock as _, Secret, TenantId, Timestamp};

use crate::server::{Answer, Server};

const KEY: &str = "sk-THEKEYTHATNOBODYSEES";

fn price(model: &str) -> Price {
    Price {
        model: model.into(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens: 0,
        input: 1_000,
        output: 4_000,
        cache_write: 1_250,
        cache_read: 100,
    }
}

/// A run whose model gives these answers, as it ended, and its journal.
async fn ended(model: &str, answers: Vec<Answer>) -> (Run, Journal) {
    let server = Server::start(answers).await;
    let (base_url, key) = (server.base_url.clone(), Secret::new(KEY));
    let provider: Arc<dyn ModelProvider> = if model.starts_with("claude-") {
        let options = AnthropicOptions { base_url, ..AnthropicOptions::default() };
        Arc::new(Anthropic::with_options(key, &options).unwrap())
    } else {
        let options = OpenAiOptions { base_url, ..OpenAiOptions::default() };
        Arc::new(OpenAi::with_options(Some(key), &options).unwrap())
    };
    let name = model.split_once('/').map_or("anthropic", |(name, _)| name);
    let store = Arc::new(MemoryStore::default());
    let tenant = TenantId::new(&RandomIds::new(), SystemClock::new().now());
    store.create_tenant(NewTenant::new(tenant, "test"), SystemClock::new().now()).await.unwrap();
    let deduper = Blueprint { default_model: model.into(), ..blueprints::contact_deduper() };
    let runtime = Runtime::builder(store.clone())
        .tools(tools::builtin())
        .blueprint(deduper)
        .providers(Providers::default().with(name, provider))
        .prices([price("openai/gpt-7")])
        .build()
        .unwrap();
    let run = runtime.enqueue(tenant, runtime.new_run("contact_deduper", json!({}))).await.unwrap().id;
    let stop = async {
        while !store.run(tenant, run).await.unwrap().unwrap().status.is_terminal() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let worked = runtime.worker(WorkerOptions::default()).run_until(stop);
    tokio::time::timeout(Duration::from_secs(30), worked).await.expect("the run ends");
    let journal = store.journal(tenant, run).await.unwrap().unwrap();
    (store.run(tenant, run).await.unwrap().unwrap(), journal)
}

/// The events of an answer of chat completions with these deltas.
fn chat(deltas: &[serde_json::Value], reason: &str) -> Answer {
    let part = |delta: &serde_json::Value, reason: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"model": "gpt-7", "choices": [choice]}))
    };
    let mut body: String = deltas.iter().map(|delta| part(delta, None)).collect();
    body.push_str(&part(&json!({}), Some(reason)));
    let usage = json!({"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010});
    body.push_str(&format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage})));
    Answer::stream(body)
}

#[tokio::test]
async fn a_run_is_driven_and_billed_and_a_key_that_the_model_says_is_in_no_journal() {
    let call = json!({"tool_calls": [{"index": 0, "id": "call_1", "function":
        {"name": "contacts_search", "arguments": format!("{{\"q\": \"{KEY}\"}}")}}]});
    let answers = vec![
        chat(&[json!({"content": format!("I hold {KEY}.")}), call], "tool_calls"),
        chat(&[json!({"content": format!("done with {KEY}")})], "stop"),
    ];
    let (run, journal) = ended("openai/gpt-7", answers).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    let billed = journal.cost();
    assert_eq!(billed, worktruck_core::NanoUsd::new(2 * (1_000 * 1_000 + 10 * 4_000)));
    let kept = format!("{run:?} {} {journal:?}", serde_json::to_string(&journal.steps).unwrap());
    assert!(kept.contains("I hold [secret].") && kept.contains("done with [secret]"), "{kept}");
    assert!(!kept.contains(&KEY[3..]), "{kept}");
}

#[tokio::test]
async fn a_key_that_is_refused_and_repeated_fails_the_run_and_is_in_no_failure() {
    let refusal = format!(r#"{{"error": {{"type": "authentication_error", "message": "no such key {KEY}"}}}}"#);
    for model in ["openai/gpt-7", "claude-sonnet-5-5"] {
        let (run, _) = ended(model, vec![Answer::json(401, &refusal)]).await;
        assert_eq!((run.status, run.failure_category), (RunStatus::Failed, Some(FailureCategory::AuthFailed)));
        let detail = run.failure_detail.unwrap();
        assert!(detail.contains("no such key [secret]") && !detail.contains(&KEY[3..]), "{detail}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let half = Answer::stream("data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"ha\"}}]}\n\n");
    let (run, journal) =
        ended("openai/gpt-7", vec![half.then_broken(), chat(&[json!({"content": "whole"})], "stop")]).await;
    assert_eq!((run.status, run.output.unwrap()), (RunStatus::Succeeded, json!({"text": "whole"})));
    assert!(journal.forfeited > worktruck_core::NanoUsd::ZERO, "the first attempt may have been billed");
}
