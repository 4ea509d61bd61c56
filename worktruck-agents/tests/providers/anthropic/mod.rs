//! The Anthropic provider.

mod failures;

use std::time::Duration;

use serde_json::json;
use worktruck_agents::providers::{Anthropic, AnthropicOptions};
use worktruck_core::Secret;
use worktruck_core::model::{
    Block, Message, ModelError, ModelProvider, ModelReply, ModelRequest, StopReason, Usage, UserBlock,
};

use crate::server::{Answer, Server};
use crate::{asked, question, text, text_of_user};

const KEY: &str = "sk-ant-api03-THEKEYTHATNOBODYSEES";

/// The text of a recorded body.
macro_rules! wire {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/anthropic/", $name))
    };
}
pub(crate) use wire;

fn provider(server: &Server) -> Anthropic {
    provider_with(server, &AnthropicOptions::default())
}

fn provider_with(server: &Server, options: &AnthropicOptions) -> Anthropic {
    let options = AnthropicOptions { base_url: server.base_url.clone(), ..options.clone() };
    Anthropic::with_options(Secret::new(KEY), &options).unwrap()
}

fn request(messages: Vec<Message>) -> ModelRequest {
    asked("claude-sonnet-5-5", messages)
}

/// What the provider makes of an answer.
async fn turn(answer: Answer) -> Result<ModelReply, ModelError> {
    let mut server = Server::start([answer]).await;
    let outcome = provider(&server).complete(request(question())).await;
    server.received().await;
    assert!(server.is_idle(), "a request is made once");
    outcome
}

#[tokio::test]
async fn the_request_is_what_the_api_documents() {
    let mut server = Server::start([Answer::stream(wire!("end_turn.sse"))]).await;
    let reply = provider(&server).complete(request(question())).await.unwrap();
    assert_eq!((reply.content, reply.stop_reason), (vec![text("Nothing to merge.")], StopReason::EndTurn));

    let received = server.received().await;
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/messages"));
    for (name, value) in [("x-api-key", KEY), ("anthropic-version", "2026-10-21"), ("content-type", "application/json")]
    {
        assert_eq!(received.headers[name], value, "{name}");
    }
    assert!(!received.headers.contains_key("authorization"));
    assert_eq!(
        received.body,
        json!({
            "model": "claude-sonnet-5-5",
            "max_tokens": 256,
            "stream": true,
            "cache_control": {"type": "ephemeral"},
            "system": [{"type": "text", "text": "You find people who are in the list twice.",
                "cache_control": {"type": "ephemeral"}}],
            "tools": [{
                "name": "contacts_get",
                "description": "Gives the contact with an id.",
                "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
            }],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Find the doubles."}]}],
        })
    );
}

#[tokio::test]
async fn several_tool_calls_of_a_turn_come_whole_and_in_order() {
    let reply = turn(Answer::stream(wire!("parallel_tools.sse"))).await.unwrap();
    let call = |id: &str, name: &str, input| Block::ToolCall { id: id.into(), name: name.into(), input };
    assert_eq!(
        reply,
        ModelReply {
            content: vec![
                text("Ich prüfe beide Einträge – 李明 und Zoë 🦀."),
                call("toolu_01A09q90qw90lq917835lq9", "contacts_get", json!({"id": "0190a1b2"})),
                call("toolu_01B19r91rx91mr928946mr8", "contacts_search", json!({"query": "Zoë", "limit": 5})),
            ],
            stop_reason: StopReason::ToolUse,
            model: "claude-sonnet-5-5".into(),
            usage: Usage { input_tokens: 412, output_tokens: 96, cache_read_tokens: 2048, cache_write_tokens: 1024 },
        }
    );
    assert_eq!(reply.usage.prompt_tokens(), 3484);
}

#[tokio::test]
async fn line_ends_of_other_systems_are_understood() {
    let body = wire!("parallel_tools.sse");
    let expected = turn(Answer::stream(body)).await.unwrap();
    for end in ["\r\n", "\r"] {
        assert_eq!(turn(Answer::stream(body.replace('\n', end))).await.unwrap(), expected, "{end:?}");
    }
    for size in 1..=24 {
        assert_eq!(turn(Answer::stream(body).in_pieces_of(size)).await.unwrap(), expected, "{size} bytes at once");
    }
    let comments = body.replace("event: ping", ": a comment\nevent: ping\nretry: 10\nid: 7");
    assert_eq!(turn(Answer::stream(&comments)).await.unwrap(), expected);
    let lines = body.replace(", \"index\"", ",\ndata: \"index\"");
    assert_ne!(lines, body);
    assert_eq!(turn(Answer::stream(&lines)).await.unwrap(), expected, "data in several lines");
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_no_call() {
    let reply = turn(Answer::stream(wire!("max_tokens_mid_tool.sse"))).await.unwrap();
    let whole = Block::ToolCall { id: "toolu_01C".into(), name: "contacts_get".into(), input: json!({"id": "a"}) };
    assert_eq!((reply.content, reply.stop_reason), (vec![text("Merging."), whole], StopReason::MaxTokens));

    let reply = turn(Answer::stream(wire!("thinking_cut_off.sse"))).await.unwrap();
    assert_eq!((reply.content, reply.stop_reason), (vec![], StopReason::MaxTokens), "an unsigned thought stays here");
}

#[tokio::test]
async fn a_paused_turn_goes_on_with_what_the_provider_did() {
    let mut server =
        Server::start([Answer::stream(wire!("pause_turn.sse")), Answer::stream(wire!("end_turn.sse"))]).await;
    let provider = provider(&server);
    let reply = provider.complete(request(question())).await.unwrap();
    assert_eq!(reply.stop_reason, StopReason::PauseTurn);
    server.received().await;

    let messages = [question(), vec![Message::Assistant { content: reply.content }]].concat();
    provider.complete(request(messages)).await.unwrap();
    let sent = server.received().await.body;
    assert_eq!(
        sent["messages"][1],
        json!({"role": "assistant", "content": [
            {"type": "text", "text": "Searching."},
            {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "worktruck"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": [
                {"type": "web_search_result", "url": "https://example.org", "title": "Example",
                 "encrypted_content": "EqgfCioIARgB"},
            ]},
        ]})
    );
}

#[tokio::test]
async fn a_refusal_keeps_what_was_said_before_it() {
    let reply = turn(Answer::stream(wire!("refusal.sse"))).await.unwrap();
    assert_eq!((reply.content, reply.stop_reason), (vec![text("I cannot")], StopReason::Refusal));
}

#[tokio::test]
async fn thoughts_go_back_unchanged_with_the_results() {
    let mut server =
        Server::start([Answer::stream(wire!("thinking.sse")), Answer::stream(wire!("end_turn.sse"))]).await;
    let provider = provider(&server);
    let reply = provider.complete(request(question())).await.unwrap();
    assert_eq!((reply.model.as_str(), reply.usage.output_tokens), ("claude-opus-5-5", 120));
    server.received().await;

    // A journal keeps the answer as JSON in between.
    let content = serde_json::from_value(serde_json::to_value(reply.content).unwrap()).unwrap();
    let results = vec![
        text_of_user("Take your time."),
        UserBlock::ToolResult { call_id: "toolu_01E".into(), output: json!([]), is_error: false },
    ];
    let messages = [question(), vec![Message::Assistant { content }, Message::User { content: results }]].concat();
    provider.complete(request(messages)).await.unwrap();
    let sent = server.received().await.body;
    assert_eq!(
        sent["messages"].as_array().unwrap()[1..],
        [
            json!({"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Two people, one phone.", "signature": "EqoBCkgIARABGAIiQL2UoU0b1OHYi+=="},
                {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
                {"type": "text", "text": "They are twins."},
                {"type": "tool_use", "id": "toolu_01E", "name": "contacts_find_duplicates", "input": {}},
            ]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01E", "content": "[]"},
                {"type": "text", "text": "Take your time."},
            ]}),
        ]
    );
}

#[tokio::test]
async fn what_is_newer_than_this_software_is_kept_or_passed_over() {
    let reply = turn(Answer::stream(wire!("unknown.sse"))).await.unwrap();
    let hologram = json!({"type": "hologram", "frames": [1, 2.5, null], "text": "ab"});
    assert_eq!(reply.content, [Block::Opaque { value: hologram }, text("Done.")]);
    assert_eq!(reply.stop_reason, StopReason::Other("coffee_break".into()));
}

#[tokio::test]
async fn a_finished_answer_does_not_wait_for_the_end_of_the_connection() {
    let mut server = Server::start([Answer::stream(wire!("end_turn.sse")).then_silent()]).await;
    let provider = provider(&server);
    let turn = provider.complete(request(question()));
    let reply = tokio::time::timeout(Duration::from_secs(10), turn).await.expect("it waits for nothing more").unwrap();
    assert_eq!(reply.stop_reason, StopReason::EndTurn);
    server.ended().await;
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    for said in ["", "event: ping\ndata: {\"type\": \"ping\"}\n\n"] {
        let mut server = Server::start([Answer::stream(said).then_silent()]).await;
        let provider = provider(&server);
        tokio::select! {
            outcome = provider.complete(request(question())) => panic!("{outcome:?}"),
            received = server.received() => assert_eq!(received.target, "/v1/messages"),
        }
        server.ended().await;
    }
}

#[tokio::test]
async fn a_probe_spends_nothing_and_asks_with_the_key_it_is_given() {
    let models = r#"{"data": [], "has_more": false}"#;
    let refused = wire!("authentication.json");
    let mut server = Server::start([Answer::json(200, models), Answer::json(401, refused)]).await;
    let provider = provider(&server);
    assert_eq!(provider.probe(&Secret::new("sk-ant-another")).await, Ok(()));
    let received = server.received().await;
    assert_eq!((received.method.as_str(), received.target.as_str()), ("GET", "/v1/models?limit=1"));
    assert_eq!(received.headers["x-api-key"], "sk-ant-another");
    assert_eq!(received.headers["anthropic-version"], "2026-10-21");

    let error = provider.probe(&Secret::new("sk-ant-another")).await.unwrap_err();
    assert_eq!(error.category.as_str(), "invalid_key");
}
