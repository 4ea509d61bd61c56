use std::sync::Arc;

use worktruck_core::tool::ToolEffect;

use super::*;

fn request(messages: Vec<Message>) -> ModelRequest {
    ModelRequest {
        model: "gpt-7".into(),
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

fn call(id: &str, input: Value) -> Block {
    Block::ToolCall { id: id.into(), name: "contacts_get".into(), input }
}

fn opaque(model: &str, call: Option<&str>, fields: Value) -> Block {
    let Value::Object(fields) = fields else { panic!("{fields}") };
    Block::Opaque { value: own::block(model, call, fields) }
}

fn sent(request: &ModelRequest, limit: TokenLimit, count: bool) -> Value {
    serde_json::to_value(body(request, limit, count).unwrap()).unwrap()
}

fn messages(messages: Vec<Message>) -> Value {
    sent(&request(messages), TokenLimit::MaxTokens, true)["messages"].take()
}

#[test]
fn a_bare_request_has_no_empty_parts_and_no_sampling() {
    let request = request(vec![Message::User { content: vec![text("hello")] }]);
    let said = json!([{"role": "user", "content": "hello"}]);
    assert_eq!(
        sent(&request, TokenLimit::MaxTokens, true),
        json!({
            "model": "gpt-7",
            "max_tokens": 1024,
            "stream": true,
            "stream_options": {"include_usage": true},
            "messages": said,
        })
    );
    assert_eq!(
        sent(&request, TokenLimit::MaxCompletionTokens, false),
        json!({"model": "gpt-7", "max_completion_tokens": 1024, "stream": true, "messages": said})
    );
}

#[test]
fn results_are_messages_of_their_own_before_the_text() {
    let result = |id: &str, output, is_error| UserBlock::ToolResult { call_id: id.into(), output, is_error };
    let content = vec![
        text("go on"),
        result("b", json!({"found": 2}), false),
        result("a", json!("no such id"), true),
        result("c", json!("plain"), false),
        result("d", json!({"error": "away"}), true),
        text("\n"),
        text("please"),
    ];
    assert_eq!(
        messages(vec![Message::User { content }]),
        json!([
            {"role": "tool", "tool_call_id": "b", "content": "{\"found\":2}"},
            {"role": "tool", "tool_call_id": "a", "content": "{\"error\":\"no such id\"}"},
            {"role": "tool", "tool_call_id": "c", "content": "plain"},
            {"role": "tool", "tool_call_id": "d", "content": "{\"error\":\"away\"}"},
            {"role": "user", "content": "go on\n\nplease"},
        ])
    );
}

#[test]
fn what_the_model_said_is_one_message_with_what_its_server_wants_back() {
    let signature = json!({"google": {"thought_signature": "c2ln"}});
    let content = vec![
        opaque("gpt-7", None, json!({"reasoning_content": "hm", "role": "system"})),
        Block::Text { text: "looking".into() },
        opaque("gpt-7", Some("a"), json!({"extra_content": signature, "id": "z"})),
        call("a", json!({"id": "x"})),
        call("b", json!({})),
        Block::Text { text: "further".into() },
    ];
    assert_eq!(
        messages(vec![Message::Assistant { content }]),
        json!([{
            "role": "assistant",
            "content": "looking\n\nfurther",
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "contacts_get", "arguments": "{\"id\":\"x\"}"},
                 "extra_content": signature},
                {"id": "b", "type": "function", "function": {"name": "contacts_get", "arguments": "{}"}},
            ],
        }])
    );
}

#[test]
fn blocks_of_other_models_and_providers_are_left_out() {
    let content = vec![
        Block::Opaque { value: json!({"type": "thinking", "thinking": "hm", "signature": "EqoB"}) },
        opaque("deepseek", None, json!({"reasoning_content": "hm"})),
        opaque("deepseek", Some("a"), json!({"extra_content": 1})),
        // Its call was cut off and is no longer there.
        opaque("gpt-7", Some("gone"), json!({"extra_content": 1})),
        call("a", json!("{\"id\": ")),
    ];
    assert_eq!(
        messages(vec![Message::Assistant { content: content.clone() }]),
        json!([{"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function",
            "function": {"name": "contacts_get", "arguments": "{\"input\":\"{\\\"id\\\": \"}"}}]}])
    );
    assert_eq!(messages(vec![Message::Assistant { content: content[..2].to_vec() }]), json!([]), "nothing is left");
}

#[test]
fn the_system_prompt_comes_first_and_tools_keep_their_order() {
    let mut asked = request(vec![Message::User { content: vec![text("hello")] }]);
    asked.system = "You find doubles.".into();
    asked.tools = [tool("b_two"), tool("a-One")].into();
    let body_sent = sent(&asked, TokenLimit::MaxTokens, true);
    assert_eq!(body_sent["messages"][0], json!({"role": "system", "content": "You find doubles."}));
    assert_eq!(body_sent["tools"][1]["function"]["name"], "a-One");
    assert_eq!(
        body_sent["tools"][0],
        json!({"type": "function", "function": {
            "name": "b_two",
            "description": "Does something.",
            "parameters": {"type": "object", "properties": {}},
        }})
    );
    for name in ["", "a.b", &"x".repeat(65)] {
        asked.tools = [tool(name)].into();
        let error = body(&asked, TokenLimit::MaxTokens, true).unwrap_err();
        assert_eq!(error.category, ModelErrorCategory::InvalidRequest, "{name}");
    }
}

#[test]
fn a_longer_conversation_begins_with_the_bytes_of_the_shorter_one() {
    let first = Message::User { content: vec![text("find doubles")] };
    let second = Message::Assistant { content: vec![Block::Text { text: "which?".into() }] };
    let third = Message::User { content: vec![text("all")] };
    let [short, long] = [vec![first.clone()], vec![first, second, third]].map(|messages| {
        let mut asked = request(messages);
        asked.system = "You find doubles.".into();
        asked.tools = [tool("contacts_get"), tool("contacts_search")].into();
        serde_json::to_string(&body(&asked, TokenLimit::MaxTokens, true).unwrap()).unwrap()
    });
    let shared = short.strip_suffix("]}").unwrap();
    assert!(long.starts_with(shared), "{long}\n{shared}");
}
