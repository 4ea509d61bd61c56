//! JSON Schemas whose cost is bounded before they are used.

use std::collections::BTreeMap;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// A schema takes at most this many bytes.
const MOST_BYTES: usize = 64 * 1024;
/// Once all references are followed it has at most so many parts: a value costs as much as all of them at each of
/// its places.
const MOST_PARTS: u64 = 10_000;
/// How deep a schema nests, references followed.
const MOST_LEVELS: usize = 64;

/// Makes a schema ready, or says what is wrong with it, and where.
///
/// It is read as draft 2020-12. References lead to places in the schema itself and in no circle, so that nothing is
/// fetched and the work for a value can be bounded; patterns are matched in time linear in the text.
pub(super) fn compile(schema: &Value) -> Result<Validator, (String, String)> {
    let bytes = schema.to_string().len();
    if bytes > MOST_BYTES {
        return Err((String::new(), format!("the schema has {bytes} bytes, and may have {MOST_BYTES}")));
    }
    let mut sizes = Sizes { root: schema, known: BTreeMap::new() };
    let parts = sizes.of(schema, "", &mut Vec::new())?;
    if parts > MOST_PARTS {
        let message =
            format!("the schema has {parts} parts once its references are followed, and may have {MOST_PARTS}");
        return Err((String::new(), message));
    }
    validator(schema).map_err(|error| (error.instance_path().to_string(), error.to_string()))
}

/// Makes the schema of a tool ready: nothing is fetched for it, and patterns are matched in time linear in the text.
pub(crate) fn validator(schema: &Value) -> Result<Validator, ValidationError<'_>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .offline()
        .build(schema)
}

/// What is wrong with a value, in words that a model can act on; at most three mistakes.
pub(crate) fn mistakes(validator: &Validator, value: &Value) -> Option<String> {
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .take(3)
        .map(|error| {
            let text: String = error.to_string().chars().take(LONGEST_MISTAKE).collect();
            format!("{text} (at {:?})", error.instance_path().as_str())
        })
        .collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// A mistake quotes the value, which may be long.
const LONGEST_MISTAKE: usize = 300;

struct Sizes<'a> {
    root: &'a Value,
    /// How many parts what a reference leads to has.
    known: BTreeMap<String, u64>,
}

impl<'a> Sizes<'a> {
    fn of(&mut self, part: &'a Value, at: &str, path: &mut Vec<&'a str>) -> Result<u64, (String, String)> {
        let mut size: u64 = 1;
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    size = size.saturating_add(match (name.as_str(), value) {
                        ("$ref", Value::String(target)) => self.referred(target, &at, path)?,
                        ("$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor" | "$id", Value::String(_)) => {
                            return Err((at, format!("{name} is not allowed here; a $ref to #/… does the same")));
                        }
                        _ => self.deeper(value, &at, path)?,
                    });
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    size = size.saturating_add(self.deeper(item, &format!("{at}/{place}"), path)?);
                }
            }
            _ => {}
        }
        Ok(size)
    }

    fn deeper(&mut self, part: &'a Value, at: &str, path: &mut Vec<&'a str>) -> Result<u64, (String, String)> {
        if at.matches('/').count() > MOST_LEVELS {
            return Err((at.to_owned(), format!("the schema is nested more than {MOST_LEVELS} levels deep")));
        }
        self.of(part, at, path)
    }

    fn referred(&mut self, target: &'a str, at: &str, path: &mut Vec<&'a str>) -> Result<u64, (String, String)> {
        let wrong = |why: &str| Err((at.to_owned(), format!("{target:?} {why}")));
        if let Some(size) = self.known.get(target) {
            return Ok(*size);
        }
        let Some(pointer) = target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))
        else {
            return wrong("leads out of the schema; references must begin with #/");
        };
        let is_circle = path.contains(&target) || pointer.is_empty() || at.starts_with(&format!("{pointer}/"));
        if is_circle {
            return wrong("leads back to itself; recursive schemas are not allowed here");
        }
        if path.len() >= MOST_LEVELS {
            return wrong("is one reference too many in a row");
        }
        let Some(part) = self.root.pointer(pointer) else {
            return wrong("leads to nothing in the schema");
        };
        path.push(target);
        let size = self.of(part, pointer, path);
        path.pop();
        let size = size?;
        self.known.insert(target.to_owned(), size);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_that_cost_too_much_or_lead_away_are_refused() {
        let double =
            |n: usize| json!({ "allOf": [{ "$ref": format!("#/$defs/{n}") }, { "$ref": format!("#/$defs/{n}") }] });
        let defs: serde_json::Map<String, Value> =
            (0..40).map(|n| (n.to_string(), double(n + 1))).chain([("40".to_owned(), json!({}))]).collect();
        let bomb = json!({ "$defs": defs, "$ref": "#/$defs/0" });
        let deep = (0..70).fold(json!({}), |inner, _| json!({ "properties": { "x": inner } }));
        let table = [
            (bomb, "", "parts once its references are followed"),
            (json!({ "$ref": "https://example.org/schema" }), "/$ref", "leads out of the schema"),
            (json!({ "$ref": "file:///etc/passwd" }), "/$ref", "leads out of the schema"),
            (json!({ "$ref": "#/$defs/x" }), "/$ref", "leads to nothing"),
            (json!({ "properties": { "x": { "$ref": "#" } } }), "/properties/x/$ref", "recursive"),
            (json!({ "$defs": { "a": { "not": { "$ref": "#/$defs/a" } } } }), "/$defs/a/not/$ref", "recursive"),
            (
                json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
                "/$defs/a/$ref",
                "recursive",
            ),
            (json!({ "$id": "https://example.org/" }), "/$id", "$id is not allowed"),
            (json!({ "$dynamicRef": "#x" }), "/$dynamicRef", "$dynamicRef is not allowed"),
            (deep, "", "levels deep"),
            (json!({ "description": "x".repeat(70_000) }), "", "bytes"),
            (json!({ "pattern": "(a{1000}){1000}" }), "", ""),
            (json!({ "pattern": "(?=lookahead)" }), "", ""),
            (json!({ "type": 7 }), "", ""),
            (json!(7), "", ""),
        ];
        for (schema, at, why) in table {
            let (found_at, found) = compile(&schema).map(drop).unwrap_err();
            assert!(found_at.contains(at) && found.contains(why), "{found_at}: {found} for {schema:.100}");
        }
    }

    #[test]
    fn schemas_refer_to_their_own_parts() {
        let schema = json!({
            "$defs": { "amount": { "type": "number", "maximum": 10 } },
            "properties": { "a": { "$ref": "#/$defs/amount" }, "b": { "$ref": "#/$defs/amount" }, "s": { "pattern": "^(a+)+$" } },
        });
        let validator = compile(&schema).unwrap();
        assert_eq!(mistakes(&validator, &json!({ "a": 1, "b": 10 })), None);
        assert_eq!(
            mistakes(&validator, &json!({ "b": 11 })).unwrap(),
            "11 is greater than the maximum of 10 (at \"/b\")"
        );
        // In a matcher that goes back this would take for ever.
        let long = format!("{}!", "a".repeat(100_000));
        let mistake = mistakes(&validator, &json!({ "s": long })).unwrap();
        assert!(mistake.len() < 400, "{}", mistake.len());
    }
}
