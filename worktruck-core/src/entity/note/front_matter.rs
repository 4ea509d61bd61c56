//! The YAML front matter of a Markdown text, within bounds.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// The longest front matter that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// How many values front matter has at most, and how many bytes of text, once aliases stand for what they name.
const MAX_NODES: usize = 10_000;
const MAX_TEXT: usize = 256 << 10;
/// How deep values lie in each other at most.
const MAX_DEPTH: usize = 32;

/// The front matter of a text that has one.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontMatter<'a> {
    /// What it says. A member without a value is left out.
    pub members: Map<String, Value>,
    /// Its lines, without the fences.
    pub yaml: &'a str,
    /// The text behind it.
    pub rest: &'a str,
}

impl<'a> FrontMatter<'a> {
    /// Reads the front matter that `text` begins with: a line `---`, a YAML mapping, and a line `---` or `...`.
    ///
    /// What cannot be read is no front matter but a part of the text: broken YAML, a key that is there twice, an
    /// unknown alias, a NUL character, and whatever is larger than 64 KiB, deeper than 32 levels or
    /// expands to more than 10,000 values.
    ///
    /// Values are those of the YAML 1.2 core schema; a number that JSON would not keep as it is written, such as one
    /// with leading zeros, stays a text, and so does a date.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// use worktruck_core::entity::note::FrontMatter;
    ///
    /// let found = FrontMatter::read("---\naliases: [Plan, Map]\nzip: 01234\n---\n# Text\n").unwrap();
    /// assert_eq!(json!(found.members), json!({ "aliases": ["Plan", "Map"], "zip": "01234" }));
    /// assert_eq!(found.rest, "# Text\n");
    /// assert!(FrontMatter::read("---\na: [\n---\n").is_none());
    /// ```
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (yaml, rest) = split(text)?;
        let members = members(yaml)?;
        Some(Self { members, yaml, rest })
    }
}

/// What stands between the fences, and behind them.
fn split(text: &str) -> Option<(&str, &str)> {
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, inner) = unmarked.split_once('\n')?;
    if first.trim_end() != "---" {
        return None;
    }
    let mut at = 0;
    for line in inner.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&inner[..at], &inner[at + line.len()..]));
        }
        at += line.len();
        if at > MAX_BYTES {
            return None;
        }
    }
    None
}

/// A sequence or mapping that is not closed yet.
enum Open {
    Sequence(usize, Vec<Value>),
    Mapping(usize, Map<String, Value>, Option<String>),
}

/// What a value counts for.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text: usize,
    depth: usize,
}

/// The members of a YAML mapping; `None` if it is none or out of bounds.
fn members(yaml: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(yaml) {
        let (event, _) = event.ok()?;
        reader.take(event)?;
    }
    match reader.root {
        None => Some(Map::new()),
        Some(Value::Object(members)) => Some(members),
        Some(_) => None,
    }
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, Size)>,
    total: Size,
    root: Option<Value>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if text.contains('\0') {
                    return None;
                }
                let value = scalar(&text, style, tag.as_deref());
                self.count(size(&value))?;
                self.put(value, anchor)
            }
            Event::SequenceStart(anchor, _) => self.start(Open::Sequence(anchor, Vec::new())),
            Event::MappingStart(anchor, _) => self.start(Open::Mapping(anchor, Map::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop()? {
                Open::Sequence(anchor, items) => self.put(Value::Array(items), anchor),
                Open::Mapping(anchor, members, None) => self.put(Value::Object(members), anchor),
                Open::Mapping(..) => None,
            },
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor)?.clone();
                self.count(size)?;
                self.put(value, 0)
            }
            // A second document has no place.
            Event::DocumentStart(_) if self.root.is_some() => None,
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {
                Some(())
            }
        }
    }

    fn start(&mut self, open: Open) -> Option<()> {
        self.open.push(open);
        self.count(Size { nodes: 1, text: 0, depth: 0 })
    }

    fn count(&mut self, more: Size) -> Option<()> {
        self.total.nodes += more.nodes;
        self.total.text += more.text;
        let is_within =
            self.total.nodes <= MAX_NODES && self.total.text <= MAX_TEXT && self.open.len() + more.depth <= MAX_DEPTH;
        is_within.then_some(())
    }

    fn put(&mut self, value: Value, anchor: usize) -> Option<()> {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size(&value)));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Sequence(_, items)) => items.push(value),
            Some(Open::Mapping(_, members, key)) => match key.take() {
                None => *key = Some(as_key(value)?),
                Some(key) => {
                    // A merge patch, which is how entities are changed, cannot set null.
                    let is_new = if value.is_null() {
                        !members.contains_key(&key)
                    } else {
                        members.insert(key, value).is_none()
                    };
                    return is_new.then_some(());
                }
            },
        }
        Some(())
    }
}

fn as_key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn size(value: &Value) -> Size {
    let of_parts = |parts: &mut dyn Iterator<Item = Size>| {
        parts.fold(Size { nodes: 1, text: 0, depth: 1 }, |sum, part| Size {
            nodes: sum.nodes + part.nodes,
            text: sum.text + part.text,
            depth: sum.depth.max(part.depth + 1),
        })
    };
    match value {
        Value::Array(items) => of_parts(&mut items.iter().map(size)),
        Value::Object(members) => of_parts(&mut members.iter().map(|(key, value)| {
            let size = size(value);
            Size { text: size.text + key.len(), ..size }
        })),
        Value::String(text) => Size { nodes: 1, text: text.len(), depth: 0 },
        Value::Null | Value::Bool(_) | Value::Number(_) => Size { nodes: 1, text: 0, depth: 0 },
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text =
        style != ScalarStyle::Plain || tag.is_some_and(|tag| !tag.is_yaml_core_schema() || tag.suffix == "str");
    if is_text {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    let is_decimal = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || "eE+-.".contains(c));
    let has_leading_zero =
        unsigned.len() > 1 && unsigned.starts_with('0') && unsigned[1..].starts_with(|c: char| c.is_ascii_digit());
    if !is_decimal || has_leading_zero {
        return None;
    }
    if unsigned.chars().all(|c| c.is_ascii_digit()) {
        // More digits than fit stay a text.
        return text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(yaml: &str) -> Option<Value> {
        FrontMatter::read(&format!("---\n{yaml}\n---\nrest")).map(|found| Value::Object(found.members))
    }

    #[test]
    fn members_are_those_of_the_core_schema() {
        for (yaml, members) in [
            (
                "a: 1\nb: -2\nc: 1.5\nd: 0x1F\ne: 0o17\nf: 1e3",
                json!({"a": 1, "b": -2, "c": 1.5, "d": 31, "e": 15, "f": 1000.0}),
            ),
            ("a: true\nb: yes\nc: ~\nd:", json!({"a": true, "b": "yes"})),
            (
                "a: 007\nb: 123456789012345678901234567890\nc: 1e999\nd: .inf\ne: 1.2.3\nf: 18446744073709551615",
                json!({
                    "a": "007", "b": "123456789012345678901234567890", "c": "1e999", "d": ".inf", "e": "1.2.3",
                    "f": u64::MAX
                }),
            ),
            (
                "a: 2026-04-14\nb: \"1\"\nc: '~'\nd: !!str 5\ne: !x 5",
                json!({"a": "2026-04-14", "b": "1", "c": "~", "d": "5", "e": "5"}),
            ),
            ("a: [1, {b: c, d: }]\n1: x\ntrue: y", json!({"a": [1, {"b": "c"}], "1": "x", "true": "y"})),
            ("a: |\n  one\n  two\nb: >-\n  x\n  y", json!({"a": "one\ntwo\n", "b": "x y"})),
            ("a: &x {b: 1}\nc: *x\nd: [*x, *x]", json!({"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]})),
            ("# nothing", json!({})),
            ("", json!({})),
            ("a: \"x: y\" # z", json!({"a": "x: y"})),
        ] {
            assert_eq!(read(yaml), Some(members), "{yaml}");
        }
    }

    #[test]
    fn what_is_broken_is_no_front_matter() {
        for yaml in [
            "a: [",
            "a: b: c",
            "- a",
            "just text",
            "a: 1\na: 2",
            "a: 1\na:",
            "a: *unknown",
            "a: &a [*a]",
            "? [a]\n: b",
            "~: x",
            "\t- a: 1",
            "a: \"\\xZZ\"",
            "%YAML 9\na",
            "{",
            "a: 'x",
        ] {
            assert_eq!(read(yaml), None, "{yaml}");
        }
        for text in [
            "",
            "---",
            "---\n",
            "---\na: 1",
            "--- \na: 1\n----\n",
            " ---\na: 1\n---\n",
            "text\n---\na: 1\n---\n",
            "----\na: 1\n---",
        ] {
            assert_eq!(FrontMatter::read(text), None, "{text}");
        }
    }

    #[test]
    fn fences_may_have_a_mark_carriage_returns_and_dots() {
        for text in ["\u{feff}---\na: 1\n---\nrest", "---\r\na: 1\r\n---\r\nrest", "--- \t\na: 1\n...\nrest"] {
            let found = FrontMatter::read(text).unwrap();
            assert_eq!((json!(found.members), found.rest), (json!({"a": 1}), "rest"), "{text:?}");
        }
        assert_eq!(FrontMatter::read("---\na: 1\n---").unwrap().rest, "");
    }

    #[test]
    fn what_grows_beyond_all_bounds_is_no_front_matter() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let before = format!("*a{}", n - 1);
            bomb += &format!("a{n}: &a{n} [{}]\n", [before.as_str(); 10].join(", "));
        }
        assert_eq!(read(&bomb), None);
        let long = "x".repeat(30 << 10);
        assert_eq!(read(&format!("a: &a {long}\nb: [{}]", ["*a"; 40].join(", "))), None);
        assert_eq!(read(&format!("a: {}1{}", "[".repeat(40), "]".repeat(40))), None);
        assert!(read(&format!("a: {}1{}", "[".repeat(20), "]".repeat(20))).is_some());
        assert_eq!(read(&"[".repeat(60 << 10)), None);
        assert_eq!(read(&"{a: ".repeat(15 << 10)), None);
        assert_eq!(read(&"- ".repeat(30 << 10)), None);
        assert_eq!(read(&format!("a: {}", "x".repeat(65 << 10))), None);
        let deep = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{}]\n", n - 1));
        assert!(read(&deep).is_some());
        let deeper = (1..60).fold("a0: &a0 [x]\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{}]\n", n - 1));
        assert_eq!(read(&deeper), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(yaml in "[\\-:\\[\\]{},&*!|>'\"%@`#?a-c0-1 \t\r\n\\\\~é\u{feff}\u{85}]{0,60}") {
            let _ = read(&yaml);
        }
    }
}
