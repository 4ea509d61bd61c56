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

/// The longest line of a vCard or a calendar, in octets, without its end.
const LONGEST: usize = 75;

/// Adds a line of a vCard or a calendar, folded where `may_end` lets a piece end, and never within a character.
pub(super) fn fold_into(out: &mut String, line: &str, may_end: impl Fn(&str) -> bool) {
    let mut rest = line;
    let mut room = LONGEST;
    while rest.len() > room {
        let mut ends = (1..=room).filter_map(|end| rest.split_at_checked(end));
        let longest = ends.clone().rev().find(|(part, _)| may_end(part));
        // The last resort is a piece that had better not end there.
        let (part, behind) = longest.or_else(|| ends.next()).unwrap_or((rest, ""));
        out.push_str(part);
        out.push_str("\r\n ");
        rest = behind;
        room = LONGEST - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

/// A text as a value of a vCard or a calendar: escaped, without characters that no value can have.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in printable(text).chars() {
        match char {
            '\\' | ',' | ';' => escaped.extend(['\\', char]),
            '\n' => escaped.push_str("\\n"),
            char => escaped.push(char),
        }
    }
    escaped
}
