use serde_json::json;
use worktruck_core::model::ModelErrorCategory;

use super::*;

/// What comes of these events.
fn assembled(events: &[Value]) -> Result<ModelReply, ModelError> {
    let mut assembly = Assembly::default();
    for event in events {
        assembly.feed(&event.to_string(), &Secret::new("sk-ant-api03-abcd"))?;
    }
    assembly.finish("claude-asked")
}

fn begin(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn call(index: u64, id: &str) -> Value {
    begin(index, &json!({"type": "tool_use", "id": id, "name": "contacts_get", "input": {}}))
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn input(index: u64, json: &str) -> Value {
    delta(index, &json!({"type": "input_json_delta", "partial_json": json}))
}

fn ended(reason: &str) -> [Value; 2] {
    [json!({"type": "message_delta", "delta": {"stop_reason": reason}}), json!({"type": "message_stop"})]
}

fn answer(events: &[Value], reason: &str) -> Result<ModelReply, ModelError> {
    assembled(&[events, &ended(reason)].concat())
}

fn ids(reply: &ModelReply) -> Vec<&str> {
    let calls = reply.content.iter().filter_map(|block| match block {
        Block::ToolCall { id, .. } => Some(id.as_str()),
        _ => None,
    });
    calls.collect()
}

#[test]
fn every_stop_reason_is_understood_or_kept() {
    for (raw, meant) in [
        ("end_turn", StopReason::EndTurn),
        ("stop_sequence", StopReason::EndTurn),
        ("tool_use", StopReason::ToolUse),
        ("max_tokens", StopReason::MaxTokens),
        ("pause_turn", StopReason::PauseTurn),
        ("refusal", StopReason::Refusal),
        ("model_context_window_exceeded", StopReason::ContextWindowExceeded),
        ("coffee_break", StopReason::Other("coffee_break".into())),
    ] {
        assert_eq!(answer(&[], raw).unwrap().stop_reason, meant);
    }
}

#[test]
fn only_the_last_call_can_be_cut_off() {
    let whole = [call(0, "a"), call(1, "b"), input(1, "{\"id\": 1}")];
    assert_eq!(ids(&answer(&whole, "max_tokens").unwrap()), ["a", "b"], "a call without input is a call");
    for last in ["", "{\"id\"", "{\"id\": 1}}", "[1]"] {
        let events = [&whole[..], &[call(2, "c"), input(2, last)]].concat();
        for reason in ["max_tokens", "refusal", "model_context_window_exceeded", "coffee_break"] {
            let reply = answer(&events, reason).unwrap();
            assert_eq!(ids(&reply), ["a", "b"], "{last} {reason}");
        }
    }
    let first = [call(0, "a"), input(0, "{\"id\""), call(1, "b"), input(1, "{}")];
    assert!(answer(&first, "max_tokens").unwrap_err().message.contains("tool call"));
}

#[test]
fn a_call_to_be_executed_must_be_whole() {
    for broken in ["{\"id\"", "[1]", "null"] {
        for reason in ["tool_use", "end_turn"] {
            let error = answer(&[call(0, "a"), input(0, broken)], reason).unwrap_err();
            assert_eq!(error.category, ModelErrorCategory::ProviderUnavailable, "{broken}");
        }
    }
    let nameless = begin(0, &json!({"type": "tool_use", "id": "a", "input": {}}));
    assert!(answer(&[nameless], "tool_use").is_err());
    let empty = answer(&[call(0, "a"), input(0, "")], "tool_use").unwrap();
    let Block::ToolCall { input, .. } = &empty.content[0] else { panic!("{empty:?}") };
    assert_eq!(input, &json!({}));
}

#[test]
fn counts_are_totals_and_a_missing_one_stays() {
    let start = json!({"type": "message_start", "message": {"model": "claude-real", "usage":
        {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 9}}});
    let counted = |usage| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
    let reply = assembled(&[
        start,
        counted(json!({"output_tokens": 20})),
        counted(json!({"output_tokens": 30, "input_tokens": 6, "cache_read_input_tokens": null})),
        json!({"type": "message_stop"}),
    ])
    .unwrap();
    let usage = Usage { input_tokens: 6, output_tokens: 30, cache_read_tokens: 7, cache_write_tokens: 9 };
    assert_eq!((reply.usage, reply.model.as_str()), (usage, "claude-real"));
    assert_eq!(answer(&[], "end_turn").unwrap().model, "claude-asked");
}

#[test]
fn blocks_are_in_the_order_of_their_indices() {
    let text = |index, text| begin(index, &json!({"type": "text", "text": text}));
    let reply = answer(&[text(1, "b"), text(0, "a"), text(7, "c")], "end_turn").unwrap();
    assert_eq!(reply.content, ["a", "b", "c"].map(|text| Block::Text { text: text.into() }));
}

#[test]
fn citations_of_an_opaque_block_are_collected() {
    let cited = |n| delta(0, &json!({"type": "citations_delta", "citation": {"n": n}}));
    let reply = answer(&[begin(0, &json!({"type": "essay"})), cited(1), cited(2)], "end_turn").unwrap();
    let value = json!({"type": "essay", "citations": [{"n": 1}, {"n": 2}]});
    assert_eq!(reply.content, [Block::Opaque { value }]);
}

#[test]
fn a_block_that_could_not_go_back_is_left_out() {
    let unknown = delta(0, &json!({"type": "chisel_delta", "strokes": 3}));
    for events in [
        vec![begin(0, &json!({"type": "sculpture"})), unknown.clone()],
        vec![begin(0, &json!({"type": "server_tool_use", "input": {}})), input(0, "{\"query")],
        vec![begin(0, &json!({"type": "thinking", "thinking": "so", "signature": ""}))],
        vec![begin(0, &json!({"type": "thinking", "thinking": "so"}))],
        vec![begin(0, &json!("a string")), delta(0, &json!({"type": "text_delta", "text": "b"}))],
        vec![begin(0, &json!({"kind": "untyped"}))],
    ] {
        assert_eq!(answer(&events, "end_turn").unwrap().content, [], "{events:?}");
    }
    let text = begin(0, &json!({"type": "text", "text": "kept"}));
    assert_eq!(answer(&[text, unknown], "end_turn").unwrap().content, [Block::Text { text: "kept".into() }]);
}

#[test]
fn what_is_no_answer_is_an_unavailable_provider() {
    let text = begin(0, &json!({"type": "text", "text": ""}));
    for events in [
        vec![],
        vec![text.clone()],
        vec![json!({"type": "message_stop"})],
        vec![json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})],
        vec![text.clone(), text],
        vec![delta(3, &json!({"type": "text_delta", "text": "a"}))],
        vec![delta(3, &json!({"type": "text_delta"}))],
        vec![json!({"type": "content_block_start", "index": -1, "content_block": {}})],
        vec![json!({"no": "type"})],
        vec![json!(["an array"])],
    ] {
        let error = assembled(&events).unwrap_err();
        assert_eq!(error.category, ModelErrorCategory::ProviderUnavailable, "{events:?}");
    }
    assert!(Assembly::default().feed("{\"type\": ", &Secret::new("")).is_err());
}

#[test]
fn an_error_event_is_the_error_it_names() {
    for (kind, code, category) in [
        ("overloaded_error", Value::Null, ModelErrorCategory::ProviderUnavailable),
        ("api_error", Value::Null, ModelErrorCategory::ProviderUnavailable),
        ("rate_limit_error", Value::Null, ModelErrorCategory::RateLimited),
        ("rate_limit_error", json!("enforced_spend_limit_reached"), ModelErrorCategory::QuotaExhausted),
        ("invalid_request_error", Value::Null, ModelErrorCategory::InvalidRequest),
        ("brand_new_error", json!("brand_new_code"), ModelErrorCategory::ProviderUnavailable),
    ] {
        let event = json!({"type": "error", "error": {"type": kind, "message": "no", "details": {"error_code": code}}});
        assert_eq!(assembled(&[event]).unwrap_err().category, category, "{kind} {code}");
    }
    assert!(assembled(&[json!({"type": "error"})]).unwrap_err().category.is_transient());
}
