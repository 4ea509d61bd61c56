//! How the provider reports what goes wrong.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use worktruck_agents::providers::{OpenAi, OpenAiOptions};
use worktruck_core::Secret;
use worktruck_core::model::{ModelError, ModelErrorCategory as Category, ModelProvider};

use super::{KEY, provider, provider_with, request, turn, wire};
use crate::question;
use crate::server::{Answer, Server};

async fn failed(answer: Answer) -> ModelError {
    turn(answer).await.unwrap_err()
}

#[derive(Deserialize)]
struct Recorded {
    status: u16,
    category: Category,
    body: Value,
}

#[tokio::test]
async fn every_recorded_error_has_its_category() {
    let recorded: Vec<Recorded> = serde_json::from_str(wire!("errors.json")).unwrap();
    assert!(recorded.len() > 10);
    for Recorded { status, category, body } in recorded {
        let body = body.to_string();
        let error = failed(Answer::json(status, &body).with_header("x-request-id", "req_1")).await;
        let bare = matches!(body.as_str(), body if body.starts_with(r#"{"error":""#));
        assert_eq!((error.category, error.retry_after), (category, None), "{status} {body}");
        assert_eq!(error.may_be_billed, bare && status >= 500, "{status} {body}");
        for part in [status.to_string().as_str(), "request: req_1"] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_wait_that_the_provider_asks_for_is_reported() {
    let limited = r#"{"error": {"type": "tokens", "code": "rate_limit_exceeded"}}"#;
    let error = failed(Answer::json(429, limited).with_header("retry-after-ms", "1500")).await;
    assert_eq!((error.category, error.retry_after), (Category::RateLimited, Some(Duration::from_millis(1500))));
}

#[tokio::test]
async fn a_gateway_that_gives_up_may_have_passed_the_request_on() {
    for (status, may_be_billed) in [(400, false), (429, false), (502, true), (503, true), (504, true)] {
        assert_eq!(failed(Answer::json(status, "<html>")).await.may_be_billed, may_be_billed, "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_its_end_is_never_taken_for_a_whole_one() {
    let whole = wire!("stop.sse");
    let half = &whole[..whole.find("\"finish_reason\":\"stop\"").unwrap()];
    for answer in [
        Answer::stream(half),
        Answer::stream(half).then_broken(),
        Answer::stream("").then_broken(),
        Answer::stream("data: [DONE]\n\n"),
        Answer::stream("data: not json\n\n"),
        Answer::stream(b"data: \xff\n\n"),
        Answer::json(200, ""),
        Answer::json(200, r#"{"choices": []}"#),
        Answer::json(200, r#"{"choices": ["#).then_broken(),
        Answer::stream(wire!("error_event.sse")),
    ] {
        let text = format!("{answer:?}");
        let error = failed(answer).await;
        assert_eq!((error.category, error.may_be_billed), (Category::ProviderUnavailable, true), "{text}");
    }
    let error = failed(Answer::json(200, r#"{"error": {"code": "insufficient_quota"}}"#)).await;
    assert_eq!(error.category, Category::QuotaExhausted);
}

#[tokio::test]
async fn a_silence_ends_the_turn() {
    let begun = wire!("error_event.sse").split("data: {\"error\"").next().unwrap();
    for answer in [Answer::stream(""), Answer::stream(begun), Answer::json(200, "{")] {
        let mut server = Server::start([answer.then_silent()]).await;
        let options = OpenAiOptions { stall_timeout: Duration::from_millis(300), ..OpenAiOptions::default() };
        let error = provider_with(&server, &options).complete(request(question())).await.unwrap_err();
        assert_eq!((error.category, error.may_be_billed), (Category::ProviderUnavailable, true));
        assert!(error.message.starts_with("no answer came in time"), "{error}");
        server.ended().await;
    }
}

#[tokio::test]
async fn an_answer_without_bound_is_cut_off() {
    for answer in [
        Answer::stream("data: {\"choices\": []}\n\n"),
        Answer::stream("data: [0, 0, 0, 0, 0, 0, 0, "),
        Answer::json(200, "[0, 0, 0, 0, 0, 0, 0, "),
    ] {
        let mut server = Server::start([answer.without_end()]).await;
        let options = OpenAiOptions { max_response_bytes: 20_000, ..OpenAiOptions::default() };
        let error = provider_with(&server, &options).complete(request(question())).await.unwrap_err();
        assert_eq!(error.category, Category::InvalidRequest, "repeating it would cost the same again");
        assert!(error.message.contains("longer") && error.may_be_billed, "{error}");
        server.ended().await;
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = Server::start([]).await;
    let location = Box::leak(format!("{}/v1/chat/completions", elsewhere.base_url).into_boxed_str());
    let error = failed(Answer::json(308, "").with_header("location", location)).await;
    assert_eq!(error.category, Category::InvalidRequest);
    assert!(error.message.contains("308"), "{error}");
    let mut elsewhere = elsewhere;
    assert!(elsewhere.is_idle());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable_and_bills_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let provider = OpenAi::with_options(None, &OpenAiOptions { base_url, ..OpenAiOptions::default() }).unwrap();
    let error = provider.complete(request(question())).await.unwrap_err();
    assert_eq!((error.category, error.may_be_billed), (Category::ProviderUnavailable, false));
    assert_eq!(provider.probe(&Secret::new(KEY)).await.unwrap_err().category, Category::ProviderUnavailable);
}

#[tokio::test]
async fn the_key_is_in_nothing_that_can_be_printed() {
    let echo = format!(r#"{{"error": {{"message": "no such key: {KEY}", "code": "invalid_api_key"}}}}"#);
    let event = format!("data: {echo}\n\n");
    let mut printed = Vec::new();
    for answer in [
        Answer::json(401, &echo),
        Answer::stream(&event),
        Answer::json(200, &echo),
        Answer::json(500, &format!(r#"{{"detail": "Bearer {KEY}"}}"#)),
        Answer::stream("").then_broken(),
    ] {
        let error = failed(answer).await;
        printed.extend([format!("{error}"), format!("{error:?}")]);
    }
    for shown in &printed[..8] {
        assert!(shown.contains("[secret]"), "{shown}");
    }
    let server = Server::start([]).await;
    let provider = provider(&server);
    let error = provider.probe(&Secret::new(KEY)).await.unwrap_err();
    printed.extend([format!("{provider:?}"), format!("{provider:#?}"), format!("{error} {error:?}")]);
    for text in printed {
        assert!(!text.contains(&KEY[8..]), "{text}");
    }
}
