//! The provider of chat completions.

mod failures;

use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::providers::{OpenAi, OpenAiOptions, TokenLimit};
use worktruck_core::Secret;
use worktruck_core::model::{
    Block, Message, ModelError, ModelProvider, ModelReply, ModelRequest, StopReason, Usage, UserBlock,
};

use crate::server::{Answer, Server};
use crate::{asked, question, text};

const KEY: &str = "sk-proj-THEKEYTHATNOBODYSEES";

/// The text of a recorded body.
macro_rules! wire {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/openai/", $name))
    };
}
pub(crate) use wire;

fn provider(server: &Server) -> OpenAi {
    provider_with(server, &OpenAiOptions::default())
}

fn provider_with(server: &Server, options: &OpenAiOptions) -> OpenAi {
    let options = OpenAiOptions { base_url: format!("{}/v1/", server.base_url), ..options.clone() };
    OpenAi::with_options(Some(Secret::new(KEY)), &options).unwrap()
}

fn request(messages: Vec<Message>) -> ModelRequest {
    asked("gpt-7", messages)
}

/// What the provider makes of an answer.
async fn turn(answer: Answer) -> Result<ModelReply, ModelError> {
    let mut server = Server::start([answer]).await;
    let outcome = provider(&server).complete(request(question())).await;
    server.received().await;
    assert!(server.is_idle(), "a request is made once");
    outcome
}

fn call(id: &str, name: &str, input: Value) -> Block {
    Block::ToolCall { id: id.into(), name: name.into(), input }
}

#[tokio::test]
async fn the_request_is_what_servers_document() {
    let mut server = Server::start([Answer::stream(wire!("stop.sse"))]).await;
    let reply = provider(&server).complete(request(question())).await.unwrap();
    assert_eq!(
        reply,
        ModelReply {
            content: vec![text("Nothing to merge.")],
            stop_reason: StopReason::EndTurn,
            model: "gpt-7-2026-09-30".into(),
            usage: Usage { input_tokens: 128, output_tokens: 7, cache_read_tokens: 2048, cache_write_tokens: 1024 },
        }
    );

    let received = server.received().await;
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(received.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(
        received.body,
        json!({
            "model": "gpt-7",
            "max_tokens": 256,
            "stream": true,
            "stream_options": {"include_usage": true},
            "tools": [{"type": "function", "function": {
                "name": "contacts_get",
                "description": "Gives the contact with an id.",
                "parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
            }}],
            "messages": [
                {"role": "system", "content": "You find people who are in the list twice."},
                {"role": "user", "content": "Find the doubles."},
            ],
        })
    );
}

#[tokio::test]
async fn a_server_is_asked_as_its_options_say_and_needs_no_key() {
    let mut server = Server::start([Answer::stream(wire!("stop.sse")), Answer::json(200, "{}")]).await;
    let options = OpenAiOptions {
        base_url: server.base_url.clone(),
        token_limit: TokenLimit::MaxCompletionTokens,
        ask_for_usage: false,
        ..OpenAiOptions::default()
    };
    let provider = OpenAi::with_options(None, &options).unwrap();
    provider.complete(request(question())).await.unwrap();
    let received = server.received().await;
    assert_eq!(received.target, "/chat/completions");
    assert!(!received.headers.contains_key("authorization"));
    assert_eq!(received.body["max_completion_tokens"], 256);
    for left_out in ["max_tokens", "stream_options"] {
        assert_eq!(received.body[left_out], Value::Null, "{left_out}");
    }
    assert_eq!(provider.probe(&Secret::new("")).await, Ok(()));
    assert!(!server.received().await.headers.contains_key("authorization"));
}

#[tokio::test]
async fn several_tool_calls_of_a_turn_come_whole_and_in_order() {
    let reply = turn(Answer::stream(wire!("parallel_tools.sse"))).await.unwrap();
    let expected = [
        text("Ich prüfe beide Einträge – 李明 und Zoë 🦀."),
        call("call_DdmO9pD3xa9XTPNJ32zg2hcA", "contacts_get", json!({"id": "0190a1b2"})),
        call("call_Xy2", "contacts_search", json!({"query": "Zoë", "limit": 5})),
    ];
    assert_eq!((reply.content.as_slice(), reply.stop_reason), (&expected[..], StopReason::ToolUse));
    assert_eq!(reply.usage, Usage { input_tokens: 412, output_tokens: 96, ..Usage::default() });
}

#[tokio::test]
async fn pieces_and_line_ends_of_every_sort_are_understood() {
    let body = wire!("parallel_tools.sse");
    let expected = turn(Answer::stream(body)).await.unwrap();
    for size in 1..=24 {
        assert_eq!(turn(Answer::stream(body).in_pieces_of(size)).await.unwrap(), expected, "{size} bytes at once");
    }
    for end in ["\r\n", "\r"] {
        assert_eq!(turn(Answer::stream(body.replace('\n', end))).await.unwrap(), expected, "{end:?}");
    }
    let others = body.replace("data: {\"id\"", ": a comment\nevent: message\nid: 7\nretry: 10\ndata:{\"id\"");
    assert_ne!(others, body);
    assert_eq!(turn(Answer::stream(&others)).await.unwrap(), expected);
    let marked = format!("\u{feff}{body}");
    assert_eq!(turn(Answer::stream(&marked)).await.unwrap(), expected, "a byte order mark");
}

#[tokio::test]
async fn the_end_is_where_all_was_said() {
    let body = wire!("stop.sse");
    let expected = turn(Answer::stream(body)).await.unwrap();
    let no_done = body.replace("data: [DONE]\n\n", "");
    assert_eq!(turn(Answer::stream(&no_done)).await.unwrap(), expected, "some servers just stop");
    let no_count = &body[..body.find(r#""choices":[]"#).unwrap()];
    let no_count = &no_count[..no_count.rfind("data:").unwrap()];
    let server = Server::start([no_done.as_str(), no_count].map(|body| Answer::stream(body).then_silent())).await;
    let options = OpenAiOptions { stall_timeout: Duration::from_millis(300), ..OpenAiOptions::default() };
    let impatient = provider_with(&server, &options);
    assert_eq!(impatient.complete(request(question())).await.unwrap(), expected, "others say nothing more");
    let reply = impatient.complete(request(question())).await.unwrap();
    assert_eq!((&reply.content, reply.usage.output_tokens), (&expected.content, 256), "the most that it may have been");
    assert!(reply.usage.input_tokens > 100, "{:?}", reply.usage);

    let mut server = Server::start([Answer::stream(body).then_silent()]).await;
    let provider = provider(&server);
    let turn = provider.complete(request(question()));
    let reply = tokio::time::timeout(Duration::from_secs(10), turn).await.expect("it waits for nothing more").unwrap();
    assert_eq!(reply, expected);
    server.ended().await;
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_taken_too() {
    let reply = turn(Answer::json(200, wire!("whole.json"))).await.unwrap();
    assert_eq!((reply.content, reply.stop_reason), (vec![text("Nothing to merge.")], StopReason::EndTurn));
    assert_eq!(reply.usage, Usage { input_tokens: 11, output_tokens: 5, ..Usage::default() });
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_no_call() {
    let reply = turn(Answer::stream(wire!("length_mid_tool.sse"))).await.unwrap();
    let whole = call("call_a", "contacts_get", json!({"id": "a"}));
    assert_eq!((reply.content, reply.stop_reason), (vec![text("Merging."), whole], StopReason::MaxTokens));
}

#[tokio::test]
async fn thoughts_and_signatures_go_back_unchanged_with_the_results() {
    let mut server =
        Server::start([Answer::stream(wire!("thinking_with_tool.sse")), Answer::stream(wire!("stop.sse"))]).await;
    let provider = provider(&server);
    let reply = provider.complete(request(question())).await.unwrap();
    let usage = Usage { input_tokens: 36, output_tokens: 40, cache_read_tokens: 64, cache_write_tokens: 0 };
    assert_eq!((reply.model.as_str(), reply.usage), ("deepseek-flash", usage));
    server.received().await;

    // A journal keeps the answer as JSON in between.
    let content = serde_json::from_value(serde_json::to_value(reply.content).unwrap()).unwrap();
    let result = UserBlock::ToolResult { call_id: "call_00_a".into(), output: json!({"id": "a"}), is_error: false };
    let rest = vec![Message::Assistant { content }, Message::User { content: vec![result] }];
    provider.complete(request([question(), rest].concat())).await.unwrap();
    let sent = server.received().await.body;
    assert_eq!(
        sent["messages"].as_array().unwrap()[2..],
        [
            json!({
                "role": "assistant",
                "content": "They are twins.",
                "reasoning_content": "Two people, one phone.",
                "tool_calls": [{
                    "id": "call_00_a",
                    "type": "function",
                    "function": {"name": "contacts_get", "arguments": "{\"id\":\"a\"}"},
                    "extra_content": {"google": {"thought_signature": "c2lnbmVk"}},
                }],
            }),
            json!({"role": "tool", "tool_call_id": "call_00_a", "content": "{\"id\":\"a\"}"}),
        ]
    );
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    for said in ["", ": nothing yet\n\n"] {
        let mut server = Server::start([Answer::stream(said).then_silent()]).await;
        let provider = provider(&server);
        tokio::select! {
            outcome = provider.complete(request(question())) => panic!("{outcome:?}"),
            received = server.received() => assert_eq!(received.target, "/v1/chat/completions"),
        }
        server.ended().await;
    }
}

#[tokio::test]
async fn a_probe_spends_nothing_and_asks_with_the_key_it_is_given() {
    let refused = r#"{"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}}"#;
    let mut server = Server::start([Answer::json(200, r#"{"data": []}"#), Answer::json(401, refused)]).await;
    let provider = provider(&server);
    assert_eq!(provider.probe(&Secret::new("sk-another")).await, Ok(()));
    let received = server.received().await;
    assert_eq!((received.method.as_str(), received.target.as_str()), ("GET", "/v1/models"));
    assert_eq!(received.headers["authorization"], "Bearer sk-another");
    assert_eq!(provider.probe(&Secret::new("sk-another")).await.unwrap_err().category.as_str(), "invalid_key");
}
