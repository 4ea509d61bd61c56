//! Texts as files can have them.

use std::borrow::Cow;

use serde_json::Value;

/// The text without control characters, which no text file should have; line ends and tabs stay.
///
/// What is left out is among the differences.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").replace(is_control, ""))
}

/// JSON in one line, in which control characters are escaped, also those for which JSON does not ask.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if char.is_control() {
            escaped.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}
