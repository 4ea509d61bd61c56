//! From text to the cards in it, of which broken ones do not swallow their neighbours.

use serde_json::Value;

/// Where a card should stand.
#[derive(Debug)]
pub(super) struct Element {
    /// The line on which it begins.
    pub(super) line: u64,
    /// What stands there; else on which line it is broken, and why.
    pub(super) value: Result<Value, (u64, String)>,
}

/// The elements of the list in `text`, or the only one.
///
/// The error is about the whole file.
pub(super) fn elements(text: &str) -> Result<Vec<Element>, (u64, String)> {
    let start = text.len() - text.trim_start().len();
    match text.as_bytes().get(start) {
        Some(b'[') => Ok(list(text, start)),
        Some(b'{') => match (one(text, start).0, wrapped_list(text)) {
            (Element { value: Ok(Value::Object(object)), .. }, Some(list_start)) if is_wrapper(&object) => {
                Ok(list(text, list_start))
            }
            (Element { value: Err((line, reason)), .. }, _) => Err((line, reason)),
            (element, _) => Ok(vec![element]),
        },
        _ => Err((line_at(text, start), "the file is not JSON; give a Card or an array of Cards".to_owned())),
    }
}

/// Whether the object is no card but holds a list of them, as an answer of a JMAP server does.
fn is_wrapper(object: &serde_json::Map<String, Value>) -> bool {
    let is_card = ["@type", "uid", "name", "emails"].iter().any(|member| object.contains_key(*member));
    !is_card && ["list", "cards"].iter().any(|member| object.get(*member).is_some_and(Value::is_array))
}

fn wrapped_list(text: &str) -> Option<usize> {
    let at = text.find("\"list\"").or_else(|| text.find("\"cards\""))?;
    text[at..].find('[').map(|bracket| at + bracket)
}

fn list(text: &str, start: usize) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut at = start + 1;
    loop {
        let is_between = |c: char| c.is_whitespace() || c == ',';
        at += text[at..].len() - text[at..].trim_start_matches(is_between).len();
        match text.as_bytes().get(at) {
            Some(b']') => return elements,
            None => {
                let line = line_at(text, text.trim_end().len());
                let reason = "the list of cards has no end; what is missing here was lost".to_owned();
                elements.push(Element { line, value: Err((line, reason)) });
                return elements;
            }
            Some(_) => {}
        }
        let (element, end) = one(text, at);
        elements.push(element);
        match end {
            Some(end) if end > at => at = end,
            _ => return elements,
        }
    }
}

/// What stands at `at`, and where it ends; no end if what follows cannot be told from it.
fn one(text: &str, at: usize) -> (Element, Option<usize>) {
    let line = line_at(text, at);
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => {
            let end = at + values.byte_offset();
            (Element { line, value: Ok(value) }, Some(end))
        }
        Some(Err(error)) => {
            let broken = line + u64::try_from(error.line()).unwrap_or(1).saturating_sub(1);
            let full = error.to_string();
            let reason = full.split(" at line ").next().unwrap_or(&full);
            (Element { line, value: Err((broken, format!("the JSON is broken: {reason}"))) }, end_of(text, at))
        }
        None => (Element { line, value: Err((line, "nothing stands here".to_owned())) }, None),
    }
}

/// Where the object ends that begins at `at` and is broken: by its braces.
fn end_of(text: &str, at: usize) -> Option<usize> {
    let (mut depth, mut is_text, mut is_escaped) = (0_u32, false, false);
    for (offset, byte) in text.as_bytes()[at..].iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + offset + 1);
                }
            }
            b',' if depth == 0 => return Some(at + offset),
            _ => {}
        }
    }
    None
}

fn line_at(text: &str, at: usize) -> u64 {
    1 + u64::try_from(text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()).unwrap_or(0)
}
