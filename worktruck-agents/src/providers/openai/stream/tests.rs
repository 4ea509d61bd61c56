use std::sync::Arc;

use serde_json::json;
use worktruck_core::model::{Message, ModelErrorCategory, UserBlock};

use super::*;

fn request() -> ModelRequest {
    let message = Message::User { content: vec![UserBlock::Text { text: "hello".into() }] };
    ModelRequest {
        model: "asked".into(),
        system: "Be brief.".into(),
        tools: Arc::default(),
        messages: vec![Arc::new(message)],
        max_tokens: 64,
    }
}

/// What comes of these parts.
fn assembled(parts: &[Value]) -> Result<ModelReply, ModelError> {
    let mut assembly = Assembly::default();
    for part in parts {
        assembly.feed(&part.to_string(), &Secret::new("sk-proj-abcd"))?;
    }
    assembly.finish(&request())
}

fn said(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null})
}

fn ended(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

#[test]
fn every_finish_reason_is_understood_or_kept() {
    for (raw, meant) in [
        ("stop", StopReason::EndTurn),
        ("tool_calls", StopReason::ToolUse),
        ("length", StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal),
        ("model_length", StopReason::ContextWindowExceeded),
        ("coffee_break", StopReason::Other("coffee_break".into())),
    ] {
        assert_eq!(assembled(&[ended(raw)]).unwrap().stop_reason, meant);
    }
    for raw in ["error", "insufficient_system_resource"] {
        assert_eq!(assembled(&[ended(raw)]).unwrap_err().category, ModelErrorCategory::ProviderUnavailable);
    }
}

#[test]
fn texts_of_every_form_are_joined_and_other_choices_passed_over() {
    let reply = assembled(&[
        said(&json!({"role": "assistant", "content": "", "refusal": null, "tool_calls": null})),
        said(&json!({"content": "Zo"})),
        said(&json!({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "ë"}]})),
        json!({"choices": [{"index": 1, "delta": {"content": "another"}}]}),
        said(&json!({"content": null})),
        json!({"choices": null}),
        json!({"id": "keep-alive"}),
        ended("stop"),
    ])
    .unwrap();
    assert_eq!(reply.content, [text("Zoë")]);
}

#[test]
fn a_refusal_is_one_whatever_the_reason_says() {
    let reply =
        assembled(&[said(&json!({"refusal": "I "})), said(&json!({"refusal": "cannot"})), ended("stop")]).unwrap();
    assert_eq!((reply.content, reply.stop_reason), (vec![text("I cannot")], StopReason::Refusal));
}

#[test]
fn thoughts_are_kept_for_their_model() {
    let reply = assembled(&[
        said(&json!({"reasoning_content": "one "})),
        said(&json!({"reasoning_content": "two"})),
        said(&json!({"content": "done", "audio": {"id": 1}})),
        ended("stop"),
    ])
    .unwrap();
    let value = json!({"type": "chat_completion", "model": "asked", "fields": {"reasoning_content": "one two"}});
    assert_eq!(reply.content, [Block::Opaque { value }, text("done")]);
}

#[test]
fn an_answer_in_one_piece_is_an_answer() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "contacts_get", "arguments": "{}"}});
    let whole = json!({"object": "chat.completion", "model": "gpt-7-2026", "error": null, "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Looking.", "tool_calls": [call]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}});
    let reply = assembled(&[whole]).unwrap();
    assert_eq!((reply.model.as_str(), reply.stop_reason), ("gpt-7-2026", StopReason::ToolUse));
    assert_eq!(reply.content[0], text("Looking."));
    assert!(matches!(&reply.content[1], Block::ToolCall { id, .. } if id == "a"));
    assert_eq!(reply.usage, Usage { input_tokens: 5, output_tokens: 2, ..Usage::default() });
}

#[test]
fn the_counts_of_caches_are_parts_of_the_prompt() {
    for (usage, input, output, read, written) in [
        (json!({"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}), 100, 7, 0, 0),
        (
            json!({"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 60}}),
            40,
            7,
            60,
            0,
        ),
        (
            json!({"prompt_tokens": 100, "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 0}}),
            10,
            7,
            60,
            30,
        ),
        (json!({"prompt_tokens": 100, "completion_tokens": 7, "prompt_cache_hit_tokens": 64}), 36, 7, 64, 0),
        (json!({"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": null}), 100, 7, 0, 0),
        (json!({"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 150}), 100, 50, 0, 0),
        (
            json!({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 3}}),
            0,
            0,
            9,
            0,
        ),
    ] {
        let reply = assembled(&[ended("stop"), json!({"choices": [], "usage": usage})]).unwrap();
        let expected =
            Usage { input_tokens: input, output_tokens: output, cache_read_tokens: read, cache_write_tokens: written };
        assert_eq!(reply.usage, expected, "{usage}");
    }
    let growing = |n: u64| json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": n}});
    let reply = assembled(&[growing(1), growing(5), ended("stop")]).unwrap();
    assert_eq!(reply.usage.output_tokens, 5, "totals, not additions");
}

#[test]
fn who_counts_nothing_is_charged_the_most_that_can_have_been() {
    let usage = assembled(&[said(&json!({"content": "hi"})), ended("stop")]).unwrap().usage;
    assert_eq!(usage.output_tokens, 64);
    let request = request();
    let words = request.system.len() + serde_json::to_string(&*request.messages[0]).unwrap().len();
    let framing = 2;
    assert_eq!(usage.input_tokens, (words + framing) as u64);
}

#[test]
fn what_is_no_answer_is_an_unavailable_provider() {
    for parts in [vec![], vec![said(&json!({"content": "half"}))], vec![json!("text")], vec![json!(7)], vec![json!({})]]
    {
        let error = assembled(&parts).unwrap_err();
        assert_eq!(error.category, ModelErrorCategory::ProviderUnavailable, "{parts:?}");
    }
    assert!(Assembly::default().feed("{\"choices\": ", &Secret::new("")).is_err());
    let nameless = json!({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]});
    assert!(assembled(&[said(&nameless), ended("tool_calls")]).is_err());
}

#[test]
fn an_error_in_the_place_of_a_part_is_the_error_it_names() {
    for (part, category) in [
        (json!({"error": {"message": "no", "type": "server_error"}}), ModelErrorCategory::ProviderUnavailable),
        (json!({"error": "no"}), ModelErrorCategory::ProviderUnavailable),
        (json!({"error": {"code": 429, "message": "no"}, "choices": []}), ModelErrorCategory::RateLimited),
        (json!({"error": {"code": "insufficient_quota"}}), ModelErrorCategory::QuotaExhausted),
        (json!({"object": "error", "message": "no", "code": 400}), ModelErrorCategory::InvalidRequest),
        (json!([{"error": {"code": 503, "message": "no"}}]), ModelErrorCategory::ProviderUnavailable),
    ] {
        assert_eq!(assembled(&[part.clone(), ended("stop")]).unwrap_err().category, category, "{part}");
    }
    let echo = assembled(&[json!({"error": {"message": "bad key sk-proj-abcd"}})]).unwrap_err();
    assert!(echo.message.contains("bad key [secret]"), "{echo}");
}
