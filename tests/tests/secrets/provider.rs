//! A provider of models that is given a key, and repeats it in whatever it answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How many bytes of an answer come at once: parts of lines, of characters, and of whatever stands in them.
const PIECE: usize = 3;

/// An answer to one request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn stream(body: String) -> Self {
        Self::new(200, body).header("content-type", "text/event-stream")
    }
}

/// What the provider was sent: the headers and the body of each request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mimic {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Mimic {
    pub(crate) async fn start() -> (Self, String) {
        let mimic = Self::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(mimic.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (mimic, url)
    }

    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn got(&self) -> Vec<(String, String)> {
        assert!(self.answers.lock().unwrap().is_empty(), "every answer was asked for");
        self.got.lock().unwrap().clone()
    }
}

async fn answer(State(mimic): State<Mimic>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers: Vec<_> = head.headers.values().filter_map(|value| value.to_str().ok()).collect();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    mimic.got.lock().unwrap().push((headers.join("\n"), String::from_utf8(body.to_vec()).unwrap()));
    let answer = mimic.answers.lock().unwrap().pop_front().expect("an answer is left");
    let pieces: Vec<_> =
        answer.body.as_bytes().chunks(PIECE).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(stream::iter(pieces))).unwrap()
}

/// How an API words what a model says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Anthropic,
    Chat,
}

impl Wire {
    /// A turn that says `text` and calls `tools`, each with `input`, a few characters at a time.
    pub(crate) fn turn(self, text: &str, tools: &[&str], input: &Value) -> Answer {
        let input = input.to_string();
        let events: Vec<Value> = match self {
            Self::Anthropic => anthropic(text, tools, &input),
            Self::Chat => chat(text, tools, &input),
        };
        let mut body: String = events.iter().map(|event| self.event(event)).collect();
        if let Self::Chat = self {
            body.push_str("data: [DONE]\n\n");
        }
        Answer::stream(body)
    }

    /// A turn that begins, and breaks off with an error that says `text`.
    pub(crate) fn broken(self, text: &str) -> Answer {
        let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": text } });
        let mut body = match self {
            Self::Anthropic => self.event(&started()),
            Self::Chat => String::new(),
        };
        body.push_str(&self.event(&error));
        Answer::stream(body)
    }

    fn event(self, event: &Value) -> String {
        match (self, event["type"].as_str()) {
            (Self::Anthropic, Some(name)) => format!("event: {name}\ndata: {event}\n\n"),
            _ => format!("data: {event}\n\n"),
        }
    }
}

fn started() -> Value {
    json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-mimic", "content": [],
        "stop_reason": null, "usage": { "input_tokens": 10, "output_tokens": 1 },
    } })
}

fn anthropic(text: &str, tools: &[&str], input: &str) -> Vec<Value> {
    let mut events = vec![started()];
    let mut block = |index: usize, start: Value, deltas: Vec<Value>| {
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        events.extend(
            deltas.into_iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
        );
        events.push(json!({ "type": "content_block_stop", "index": index }));
    };
    let said = few(text).into_iter().map(|part| json!({ "type": "text_delta", "text": part })).collect();
    block(0, json!({ "type": "text", "text": "" }), said);
    for (place, tool) in tools.iter().enumerate() {
        let start = json!({ "type": "tool_use", "id": format!("toolu_{place}"), "name": tool, "input": {} });
        let parts = few(input).into_iter().map(|part| json!({ "type": "input_json_delta", "partial_json": part }));
        block(place + 1, start, parts.collect());
    }
    let reason = if tools.is_empty() { "end_turn" } else { "tool_use" };
    let usage = json!({ "output_tokens": 10 });
    events.push(
        json!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null }, "usage": usage }),
    );
    events.push(json!({ "type": "message_stop" }));
    events
}

fn chat(text: &str, tools: &[&str], input: &str) -> Vec<Value> {
    let mut deltas: Vec<Value> = few(text).into_iter().map(|part| json!({ "content": part })).collect();
    for (place, tool) in tools.iter().enumerate() {
        let function = json!({ "name": tool, "arguments": "" });
        deltas.push(json!({ "tool_calls": [{ "index": place, "id": format!("call_{place}"), "function": function }] }));
        let parts = few(input).into_iter();
        deltas
            .extend(parts.map(|part| json!({ "tool_calls": [{ "index": place, "function": { "arguments": part } }] })));
    }
    let reason = if tools.is_empty() { "stop" } else { "tool_calls" };
    let chunk = |delta: Value, reason: Value| json!({ "model": "gpt-mimic", "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] });
    let mut events: Vec<Value> = deltas.into_iter().map(|delta| chunk(delta, Value::Null)).collect();
    events.push(chunk(json!({}), json!(reason)));
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20 });
    events.push(json!({ "choices": [], "usage": usage }));
    events
}

/// A text a few characters at a time.
fn few(text: &str) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(5).map(|part| part.iter().collect()).collect()
}
