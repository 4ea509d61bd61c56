use std::sync::Arc;

use serde_json::json;
use worktruck_core::tool::{ToolEffect, ToolSpec};

use super::*;

fn request(messages: Vec<Message>) -> ModelRequest {
    ModelRequest {
        model: "claude-sonnet-5-5".into(),
        system: String::new(),
        tools: Arc::default(),
        messages: messages.into_iter().map(Arc::new).collect(),
        max_tokens: 1024,
    }
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        title: "A tool".into(),
        description: "Does something.".into(),
        input_schema: json!({"type": "object", "properties": {}}),
        effect: ToolEffect::Read,
        is_untrusted: false,
    }
}

fn text(text: &str) -> UserBlock {
    UserBlock::Text { text: text.into() }
}

fn result(call_id: &str, output: Value, is_error: bool) -> UserBlock {
    UserBlock::ToolResult { call_id: call_id.into(), output, is_error }
}

fn messages(messages: Vec<Message>) -> Value {
    let request = request(messages);
    serde_json::to_value(body(&request).unwrap()).unwrap()["messages"].take()
}

#[test]
fn a_bare_request_has_no_empty_parts_and_no_sampling() {
    let request = request(vec![Message::User { content: vec![text("hello")] }]);
    assert_eq!(
        serde_json::to_value(body(&request).unwrap()).unwrap(),
        json!({
            "model": "claude-sonnet-5-5",
            "max_tokens": 1024,
            "stream": true,
            "cache_control": {"type": "ephemeral"},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        })
    );
}

#[test]
fn results_come_before_text_and_keep_their_order() {
    let content = vec![
        text("go on"),
        result("b", json!({"found": 2}), false),
        result("a", json!("plain text"), true),
        result("c", Value::Null, false),
    ];
    assert_eq!(
        messages(vec![Message::User { content }]),
        json!([{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "b", "content": "{\"found\":2}"},
            {"type": "tool_result", "tool_use_id": "a", "content": "plain text", "is_error": true},
            {"type": "tool_result", "tool_use_id": "c", "content": "null"},
            {"type": "text", "text": "go on"},
        ]}])
    );
}

#[test]
fn blocks_of_the_model_go_back_as_they_came() {
    let thought = json!({"type": "thinking", "thinking": "", "signature": "EqoB"});
    let content = vec![
        Block::Opaque { value: thought.clone() },
        Block::Text { text: "looking".into() },
        Block::ToolCall { id: "a".into(), name: "contacts_get".into(), input: json!({"id": "x"}) },
    ];
    assert_eq!(
        messages(vec![Message::Assistant { content }]),
        json!([{"role": "assistant", "content": [
            thought,
            {"type": "text", "text": "looking"},
            {"type": "tool_use", "id": "a", "name": "contacts_get", "input": {"id": "x"}},
        ]}])
    );
}

#[test]
fn blank_text_and_empty_messages_are_left_out() {
    let sent = messages(vec![
        Message::User { content: vec![text("hello"), text(" \n")] },
        Message::Assistant { content: vec![Block::Text { text: String::new() }] },
        Message::User { content: vec![text("still there?")] },
    ]);
    assert_eq!(
        sent,
        json!([
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {"role": "user", "content": [{"type": "text", "text": "still there?"}]},
        ])
    );
}

#[test]
fn tools_keep_their_order_and_their_names_are_checked() {
    let mut asked = request(vec![Message::User { content: vec![text("hello")] }]);
    asked.tools = [tool("b_two"), tool("a-One"), tool(&"x".repeat(64))].into();
    let sent = serde_json::to_value(body(&asked).unwrap()).unwrap();
    let names: Vec<_> = sent["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["b_two", "a-One"]);
    assert_eq!(
        sent["tools"][0],
        json!({
            "name": "b_two",
            "description": "Does something.",
            "input_schema": {"type": "object", "properties": {}},
        })
    );
    for name in ["", "a.b", "zwölf", &"x".repeat(65)] {
        asked.tools = [tool(name)].into();
        let error = body(&asked).unwrap_err();
        assert_eq!(error.category, ModelErrorCategory::InvalidRequest, "{name}");
        assert!(error.message.contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn a_longer_conversation_goes_on_from_the_words_of_the_shorter_one() {
    let first = Message::User { content: vec![text("find doubles")] };
    let second = Message::Assistant { content: vec![Block::Text { text: "which?".into() }] };
    let third = Message::User { content: vec![text("all")] };
    let [short, long] = [vec![first.clone()], vec![first, second, third]].map(|messages| {
        let mut asked = request(messages);
        asked.system = "You find doubles.".into();
        asked.tools = [tool("contacts_get"), tool("contacts_search")].into();
        // Markers are beside the words.
        serde_json::to_string(&body(&asked).unwrap()).unwrap().replace(MARKER, "")
    });
    let shared = short.strip_suffix("]}").unwrap();
    assert!(long.starts_with(shared), "{long}\n{shared}");
}

const MARKER: &str = r#","cache_control":{"type":"ephemeral"}"#;

/// Where the markers of blocks are in a body.
fn markers(body: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
            _ => return,
        };
        for (name, child) in children {
            match name.as_str() {
                "cache_control" if !at.is_empty() => found.push(at.to_owned()),
                _ => walk(child, &format!("{at}/{name}"), found),
            }
        }
    }
    let mut found = Vec::new();
    walk(body, "", &mut found);
    found.sort();
    found
}

#[test]
fn markers_are_where_a_later_prompt_may_go_on_from() {
    let call = |id: &str| Block::ToolCall { id: id.into(), name: "contacts_get".into(), input: json!({}) };
    let results = vec![result("a", json!(1), false), result("b", json!(2), false)];
    let conversation = [
        Message::User { content: vec![text("find doubles")] },
        Message::Assistant { content: vec![call("a"), call("b")] },
        Message::User { content: results },
        Message::Assistant { content: vec![Block::Opaque { value: json!({"type": "server_tool_use"}) }] },
    ];
    let marked = |count: usize, system: &str, tools: &[&str]| {
        let mut asked = request(conversation[..count].to_vec());
        asked.system = system.into();
        asked.tools = tools.iter().map(|name| tool(name)).collect();
        let body = serde_json::to_value(body(&asked).unwrap()).unwrap();
        assert_eq!(body["cache_control"], json!({"type": "ephemeral"}), "the end");
        markers(&body)
    };
    assert_eq!(marked(1, "Find.", &["a", "b"]), ["/system/0"]);
    assert_eq!(marked(1, " ", &["a", "b"]), ["/tools/1"], "there is no system prompt to mark");
    assert_eq!(marked(1, "", &[]), [] as [&str; 0]);
    assert_eq!(marked(3, "Find.", &["a"]), ["/messages/0/content/0", "/system/0"]);
    assert_eq!(marked(4, "Find.", &["a"]), ["/messages/2/content/1", "/system/0"], "a paused turn goes on");
}

#[test]
fn what_models_of_other_providers_said_is_left_out_or_made_to_fit() {
    let foreign = json!({"type": "chat_completion", "model": "gpt", "fields": {"reasoning_content": "hm"}});
    let content = vec![
        Block::Opaque { value: foreign },
        Block::ToolCall { id: "a".into(), name: "contacts_get".into(), input: json!("{\"id\": ") },
    ];
    assert_eq!(
        messages(vec![Message::Assistant { content }])[0]["content"],
        json!([{"type": "tool_use", "id": "a", "name": "contacts_get", "input": {"input": "{\"id\": "}}])
    );
}
