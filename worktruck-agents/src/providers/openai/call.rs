//! The tool calls of a streamed answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use worktruck_core::model::{Block, ModelError};

use super::own::{self, OF_CALL};
use crate::providers::http::broken;

/// The calls of which a part has come, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// Which call goes on under an index.
    current: BTreeMap<u64, usize>,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    /// The JSON text of its input.
    arguments: String,
    /// What the server wants back with it.
    extra: Option<Value>,
}

impl Calls {
    /// Takes in the next part of a call.
    ///
    /// By the book it has an index, and only the first part of a call has an id and a name. Some
    /// servers send whole calls without an index, or all of them under the same one.
    pub(super) fn add(&mut self, part: &Value) {
        let (index, function) = (part["index"].as_u64(), &part["function"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (id, name) = (text(&part["id"]), text(&function["name"]));
        let current = match index {
            Some(index) => self.current.get(&index).copied(),
            None => self.calls.len().checked_sub(1),
        };
        let goes_on = |at: &usize| {
            let other_id = !id.is_empty() && !self.calls[*at].id.is_empty() && self.calls[*at].id != id;
            name.is_empty() || (index.is_some() && !other_id)
        };
        let at = current.filter(goes_on).unwrap_or_else(|| {
            self.calls.push(Call::default());
            self.calls.len() - 1
        });
        if let Some(index) = index {
            self.current.insert(index, at);
        }
        let call = &mut self.calls[at];
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name != name {
            call.name.push_str(&name);
        }
        match &function["arguments"] {
            Value::Null => {}
            Value::String(more) => call.arguments.push_str(more),
            whole => call.arguments.push_str(&whole.to_string()),
        }
        if !part[OF_CALL].is_null() {
            call.extra = Some(part[OF_CALL].clone());
        }
    }

    /// The blocks of the calls; `turn` tells ids that are made up from those of other turns.
    ///
    /// An input that is no JSON object is handed on as the text that it is: no schema of a tool
    /// accepts it, and the model is told so.
    ///
    /// # Errors
    ///
    /// [`ProviderUnavailable`](worktruck_core::model::ModelErrorCategory::ProviderUnavailable) if a
    /// call does not name its tool.
    pub(super) fn finish(self, model: &str, turn: usize, cut_off: bool) -> Result<Vec<Block>, ModelError> {
        let mut blocks = Vec::with_capacity(self.calls.len());
        let mut ids = BTreeSet::new();
        let last = self.calls.len().checked_sub(1).filter(|_| cut_off);
        for (at, call) in self.calls.into_iter().enumerate() {
            let input = match serde_json::from_str(&call.arguments) {
                Ok(input @ Value::Object(_)) if !call.name.is_empty() => input,
                // It may be incomplete, and is never executed.
                _ if last == Some(at) => continue,
                _ if call.name.is_empty() => return Err(broken("a call names no tool")),
                // The input of a tool without parameters.
                Ok(Value::Null) => json!({}),
                Err(_) if call.arguments.trim().is_empty() => json!({}),
                _ => Value::String(call.arguments),
            };
            let mut id = call.id;
            if id.is_empty() || ids.contains(&id) {
                id = format!("call_{turn}_{at}");
            }
            ids.insert(id.clone());
            if let Some(extra) = call.extra {
                let fields = Map::from_iter([(OF_CALL.to_owned(), extra)]);
                blocks.push(Block::Opaque { value: own::block(model, Some(&id), fields) });
            }
            blocks.push(Block::ToolCall { id, name: call.name, input });
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(parts: &[Value], cut_off: bool) -> Result<Vec<Block>, ModelError> {
        let mut calls = Calls::default();
        parts.iter().for_each(|part| calls.add(part));
        calls.finish("gpt", 3, cut_off)
    }

    /// Id, name and input of each call.
    fn called(parts: &[Value]) -> Value {
        let blocks = finished(parts, false).unwrap();
        let calls = blocks.into_iter().map(|block| match block {
            Block::ToolCall { id, name, input } => json!([id, name, input]),
            other => panic!("{other:?}"),
        });
        calls.collect()
    }

    fn part(index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
        json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}})
    }

    #[test]
    fn parts_go_on_under_their_index() {
        let parts = [
            part(Some(0), Some("a"), Some("get"), ""),
            part(Some(1), Some("b"), Some("find"), "{\"q\""),
            part(Some(0), None, None, "{\"id\": "),
            part(Some(1), None, Some(""), ": 2}"),
            part(Some(0), None, None, "1}"),
        ];
        assert_eq!(called(&parts), json!([["a", "get", {"id": 1}], ["b", "find", {"q": 2}]]));
    }

    #[test]
    fn whole_calls_are_told_apart_however_they_are_numbered() {
        let expected = json!([["a", "get", {"id": 1}], ["b", "get", {"id": 2}]]);
        for index in [None, Some(0)] {
            let whole = |id, n: u64| part(index, Some(id), Some("get"), &format!("{{\"id\": {n}}}"));
            assert_eq!(called(&[whole("a", 1), whole("b", 2)]), expected, "{index:?}");
        }
        let nameless = |n: u64| part(None, None, Some("get"), &format!("{{\"id\": {n}}}"));
        assert_eq!(
            called(&[nameless(1), nameless(2)]),
            json!([["call_3_0", "get", {"id": 1}], ["call_3_1", "get", {"id": 2}]])
        );
    }

    #[test]
    fn a_server_that_repeats_itself_or_names_each_part_anew_makes_one_call() {
        let repeated = [part(Some(0), Some("a"), Some("get"), "{"), part(Some(0), Some("a"), Some("get"), "}")];
        assert_eq!(called(&repeated), json!([["a", "get", {}]]));
        let renamed = [part(Some(0), Some("a"), Some("get"), "{"), part(Some(0), Some("z"), None, "}")];
        assert_eq!(called(&renamed), json!([["a", "get", {}]]));
        let in_pieces = [part(Some(0), Some("a"), Some("get"), "{}"), part(Some(0), None, Some("_it"), "")];
        assert_eq!(called(&in_pieces), json!([["a", "get_it", {}]]));
    }

    #[test]
    fn ids_differ_within_an_answer() {
        let twice = [part(Some(0), Some("a"), Some("get"), "{}"), part(Some(1), Some("a"), Some("get"), "{}")];
        assert_eq!(called(&twice), json!([["a", "get", {}], ["call_3_1", "get", {}]]));
    }

    #[test]
    fn an_input_is_an_object_or_the_text_that_was_said() {
        for (said, input) in [
            ("", json!({})),
            (" ", json!({})),
            ("null", json!({})),
            ("{\"a\": [1]}", json!({"a": [1]})),
            ("[1]", json!("[1]")),
            ("{\"a\": ", json!("{\"a\": ")),
        ] {
            assert_eq!(called(&[part(Some(0), Some("a"), Some("get"), said)])[0][2], input, "{said}");
        }
        let object = json!({"index": 0, "id": "a", "function": {"name": "get", "arguments": {"id": 1}}});
        assert_eq!(called(&[object]), json!([["a", "get", {"id": 1}]]), "not even a text");
    }

    #[test]
    fn only_the_last_call_can_be_cut_off() {
        let first = part(Some(0), Some("a"), Some("get"), "{}");
        for said in ["", "{\"id\"", "[1]"] {
            let blocks = finished(&[first.clone(), part(Some(1), Some("b"), Some("get"), said)], true).unwrap();
            assert_eq!(blocks.len(), 1, "{said}");
        }
        assert!(finished(&[part(Some(0), Some("a"), None, "{}")], true).unwrap().is_empty());
        assert!(finished(&[part(Some(0), Some("a"), None, "{}")], false).is_err());
    }

    #[test]
    fn what_the_server_wants_back_stands_before_its_call() {
        let mut signed = part(Some(0), Some("a"), Some("get"), "{}");
        signed[OF_CALL] = json!({"google": {"thought_signature": "c2ln"}});
        let blocks = finished(&[signed], false).unwrap();
        let Block::Opaque { value } = &blocks[0] else { panic!("{blocks:?}") };
        let (call, fields) = own::fields(value, "gpt").unwrap();
        assert_eq!((call, &fields[OF_CALL]), (Some("a"), &json!({"google": {"thought_signature": "c2ln"}})));
        assert!(matches!(&blocks[1], Block::ToolCall { id, .. } if id == "a"));
    }
}
