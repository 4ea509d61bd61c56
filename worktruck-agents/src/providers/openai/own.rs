//! What a server says beside text and calls, and wants to have back.

use serde_json::{Map, Value};

/// An opaque block with `fields` of an answer, or of one of its calls; they go back to `model` alone.
pub(super) fn block(model: &str, call: Option<&str>, fields: Map<String, Value>) -> Value {
    let named = [("type", KIND.into()), ("model", model.into()), ("fields", Value::Object(fields))];
    let of_call = call.map(|call| ("call", call.into()));
    named.into_iter().chain(of_call).map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect()
}

/// Whether an opaque block is one of this provider.
pub(crate) fn is_own(value: &Value) -> bool {
    value["type"] == KIND
}

/// The fields that go back to `model`, and the call that they belong to if it is not the message.
pub(super) fn fields<'a>(value: &'a Value, model: &str) -> Option<(Option<&'a str>, &'a Map<String, Value>)> {
    let fields = value["fields"].as_object().filter(|_| is_own(value) && value["model"] == model)?;
    Some((value["call"].as_str(), fields))
}

/// Adds what came of a field to what came of it before: texts go on, and so do the last entries of
/// lists that are told of in pieces.
pub(super) fn add(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    match (fields.get_mut(name), value) {
        (Some(Value::String(so_far)), Value::String(more)) => so_far.push_str(more),
        (Some(Value::Array(so_far)), Value::Array(more)) => more.iter().for_each(|entry| add_entry(so_far, entry)),
        (None, Value::String(_) | Value::Array(_)) => drop(fields.insert(name.to_owned(), value.clone())),
        // Servers that fill in every field.
        _ => {}
    }
}

fn add_entry(entries: &mut Vec<Value>, entry: &Value) {
    let goes_on =
        |last: &&mut Value| entry["index"].is_u64() && ["index", "type"].iter().all(|n| last[*n] == entry[*n]);
    let (Some(Value::Object(last)), Value::Object(more)) = (entries.last_mut().filter(goes_on), entry) else {
        entries.push(entry.clone());
        return;
    };
    for (name, value) in more.iter().filter(|(_, value)| !value.is_null()) {
        match (last.get_mut(name), value) {
            (Some(Value::String(so_far)), Value::String(more)) if GROWING.contains(&name.as_str()) => {
                so_far.push_str(more);
            }
            _ => drop(last.insert(name.clone(), value.clone())),
        }
    }
}

const KIND: &str = "chat_completion";

/// The fields of a message that its server wants back, as far as they are known: other fields may
/// be refused in a question.
pub(super) const OF_MESSAGE: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];
/// The field of a call that its server wants back.
pub(super) const OF_CALL: &str = "extra_content";
/// The texts within an entry of a list that come in pieces.
const GROWING: [&str; 3] = ["text", "summary", "data"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_become_whole_again() {
        let mut fields = Map::new();
        let piece = |n: u64, kind: &str, text: &str| json!([{"index": n, "type": kind, "text": text, "id": null}]);
        for (name, value) in [
            ("reasoning", json!("")),
            ("reasoning", json!("so ")),
            ("reasoning", json!("be it")),
            ("reasoning", Value::Null),
            ("other", Value::Null),
            ("details", piece(0, "a", "one ")),
            ("details", piece(0, "a", "two")),
            ("details", json!([{"index": 0, "type": "a", "signature": "s"}])),
            ("details", piece(0, "b", "three")),
            ("details", json!([{"type": "b"}])),
            ("details", json!([7])),
        ] {
            add(&mut fields, name, &value);
        }
        assert_eq!(
            Value::Object(fields),
            json!({"reasoning": "so be it", "details": [
                {"index": 0, "type": "a", "text": "one two", "id": null, "signature": "s"},
                {"index": 0, "type": "b", "text": "three", "id": null},
                {"type": "b"},
                7,
            ]})
        );
    }

    #[test]
    fn fields_go_back_to_their_model_alone() {
        let said = Map::from_iter([("reasoning".to_owned(), json!("hm"))]);
        let value = block("deepseek", Some("call_1"), said.clone());
        assert_eq!(fields(&value, "deepseek"), Some((Some("call_1"), &said)));
        assert_eq!(fields(&value, "gpt"), None);
        assert_eq!(fields(&block("gpt", None, said.clone()), "gpt"), Some((None, &said)));
        let foreign = json!({"type": "thinking", "thinking": "", "signature": "EqoB", "model": "gpt", "fields": {}});
        assert_eq!((is_own(&value), is_own(&foreign), fields(&foreign, "gpt")), (true, false, None));
    }
}
