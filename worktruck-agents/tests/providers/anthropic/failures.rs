//! How the provider reports what goes wrong.

use std::time::Duration;

use tokio::net::TcpListener;
use worktruck_agents::providers::{Anthropic, AnthropicOptions};
use worktruck_core::Secret;
use worktruck_core::model::{ModelError, ModelErrorCategory as Category, ModelProvider};

use super::{KEY, provider, provider_with, request, turn, wire};
use crate::question;
use crate::server::{Answer, Server};

async fn failed(answer: Answer) -> ModelError {
    turn(answer).await.unwrap_err()
}

#[tokio::test]
async fn every_recorded_error_has_its_category() {
    for (status, body, category, code) in [
        (400, wire!("invalid_request.json"), Category::InvalidRequest, ""),
        (400, wire!("own_spend_limit.json"), Category::QuotaExhausted, "workspace_spend_limit_reached"),
        (400, wire!("on_hold.json"), Category::InsufficientPermissions, "organization_on_hold"),
        (401, wire!("authentication.json"), Category::InvalidKey, ""),
        (401, wire!("revoked_key.json"), Category::RevokedOrExpired, "api_key_revoked"),
        (402, wire!("billing.json"), Category::QuotaExhausted, ""),
        (403, wire!("permission.json"), Category::InsufficientPermissions, ""),
        (404, wire!("not_found.json"), Category::InvalidRequest, ""),
        (408, wire!("timeout.json"), Category::ProviderUnavailable, ""),
        (409, wire!("conflict.json"), Category::ProviderUnavailable, ""),
        (413, wire!("too_large.json"), Category::ContextWindowExceeded, ""),
        (429, wire!("rate_limit.json"), Category::RateLimited, ""),
        (429, wire!("ramp_limit.json"), Category::RateLimited, "ramp_limit_exceeded"),
        (429, wire!("tier_spend_limit.json"), Category::QuotaExhausted, "enforced_spend_limit_reached"),
        (429, wire!("contract_spend_limit.json"), Category::QuotaExhausted, "contract_spend_limit_reached"),
        (500, wire!("api_error.json"), Category::ProviderUnavailable, ""),
        (504, wire!("timeout.json"), Category::ProviderUnavailable, ""),
        (529, wire!("overloaded.json"), Category::ProviderUnavailable, ""),
    ] {
        let error = failed(Answer::json(status, body)).await;
        assert_eq!((error.category, error.retry_after), (category, None), "{status} {body}");
        assert_eq!(error.may_be_billed, status == 504, "{status} {body}");
        for part in [status.to_string().as_str(), code, "req_011CSHoEeqs5C35K2UUqR7Fy"] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_wait_that_the_provider_asks_for_is_reported() {
    let limited = || Answer::json(429, wire!("rate_limit.json"));
    let error = failed(limited().with_header("retry-after", "17")).await;
    assert_eq!((error.category, error.retry_after), (Category::RateLimited, Some(Duration::from_secs(17))));
    let error = failed(limited().with_header("retry-after", "17").with_header("retry-after-ms", "1500")).await;
    assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
    let error = failed(limited().with_header("x-should-retry", "false")).await;
    assert_eq!((error.category, error.retry_after), (Category::QuotaExhausted, None));
}

#[tokio::test]
async fn an_error_after_a_good_beginning_is_an_error() {
    let error = failed(Answer::stream(wire!("error_event.sse"))).await;
    assert_eq!(error.category, Category::ProviderUnavailable);
    assert!(error.message.contains("overloaded_error while answering"), "{error}");
    assert!(error.may_be_billed, "the prompt was read, and half an answer written");
}

#[tokio::test]
async fn an_answer_without_its_end_is_never_taken_for_a_whole_one() {
    let whole = wire!("end_turn.sse");
    let half = &whole[..whole.find("event: message_stop").unwrap()];
    for answer in [
        Answer::stream(half),
        Answer::stream(half).then_broken(),
        Answer::stream("").then_broken(),
        Answer::stream("data: not json\n\n"),
        Answer::json(200, r#"{"type": "message", "content": []}"#),
        Answer::stream(b"data: \xff\n\n"),
    ] {
        let text = format!("{answer:?}");
        let error = failed(answer).await;
        assert_eq!((error.category, error.may_be_billed), (Category::ProviderUnavailable, true), "{text}");
    }
}

#[tokio::test]
async fn a_silence_ends_the_turn() {
    let begun = wire!("error_event.sse").split("event: error").next().unwrap();
    for said in ["", begun] {
        let mut server = Server::start([Answer::stream(said).then_silent()]).await;
        let options = AnthropicOptions { stall_timeout: Duration::from_millis(300), ..AnthropicOptions::default() };
        let error = provider_with(&server, &options).complete(request(question())).await.unwrap_err();
        assert_eq!(error.category, Category::ProviderUnavailable);
        assert!(error.message.starts_with("no answer came in time"), "{error}");
        assert!(error.may_be_billed, "somebody may still be at it");
        server.ended().await;
    }
}

#[tokio::test]
async fn an_answer_without_bound_is_cut_off() {
    for said in ["event: ping\ndata: {\"type\": \"ping\"}\n\n", "data: [0, 0, 0, 0, 0, 0, 0, ", ": and on"] {
        let mut server = Server::start([Answer::stream(said).without_end()]).await;
        let options = AnthropicOptions { max_response_bytes: 20_000, ..AnthropicOptions::default() };
        let error = provider_with(&server, &options).complete(request(question())).await.unwrap_err();
        assert_eq!(error.category, Category::InvalidRequest, "repeating it would cost the same again");
        assert!(error.message.contains("longer") && error.may_be_billed, "{error}");
        server.ended().await;
    }
}

#[tokio::test]
async fn an_error_without_end_is_read_no_further_than_it_makes_sense() {
    for answer in [Answer::json(500, "no no no ").without_end(), Answer::json(400, "no").then_silent()] {
        let mut server = Server::start([answer]).await;
        let turn = tokio::time::timeout(Duration::from_secs(20), async {
            provider(&server).complete(request(question())).await.unwrap_err()
        });
        assert!(turn.await.expect("it is not waited for").message.starts_with("HTTP status"));
        server.ended().await;
    }
}

#[tokio::test]
async fn a_gateway_that_gives_up_may_have_passed_the_request_on() {
    for (status, may_be_billed) in [(429, false), (500, true), (502, true), (503, true), (504, true), (529, false)] {
        let error = failed(Answer::json(status, "<html>")).await;
        assert_eq!(error.may_be_billed, may_be_billed, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let error = failed(Answer::json(307, "").with_header("location", "/v1/elsewhere")).await;
    assert_eq!(error.category, Category::InvalidRequest);
    assert!(error.message.contains("307"), "{error}");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = AnthropicOptions { base_url, ..AnthropicOptions::default() };
    let provider = Anthropic::with_options(Secret::new(KEY), &options).unwrap();
    let error = provider.complete(request(question())).await.unwrap_err();
    assert_eq!(error.category, Category::ProviderUnavailable);
    assert!(error.message.starts_with("the connection cannot be made") && !error.may_be_billed, "{error}");
    assert_eq!(provider.probe(&Secret::new(KEY)).await.unwrap_err().category, Category::ProviderUnavailable);
}

#[tokio::test]
async fn the_key_is_in_nothing_that_can_be_printed() {
    let echo = format!(r#"{{"error": {{"type": "authentication_error", "message": "no such key: {KEY}"}}}}"#);
    let event = format!("event: error\ndata: {{\"type\": \"error\", {}\n\n", &echo[1..]);
    let mut printed = Vec::new();
    for answer in [
        Answer::json(401, &echo),
        Answer::stream(&event),
        Answer::stream("data: nonsense\n\n"),
        Answer::stream("").then_broken(),
    ] {
        let error = failed(answer).await;
        printed.extend([format!("{error}"), format!("{error:?}")]);
    }
    let server = Server::start([]).await;
    let provider = provider(&server);
    let error = provider.probe(&Secret::new(KEY)).await.unwrap_err();
    printed.extend([format!("{provider:?}"), format!("{provider:#?}"), format!("{error} {error:?}")]);
    assert!(printed[0].contains("no such key: [secret]"), "{}", printed[0]);
    assert!(printed[2].contains("no such key: [secret]"), "{}", printed[2]);
    for text in printed {
        assert!(!text.contains(&KEY[13..]), "{text}");
    }
}
