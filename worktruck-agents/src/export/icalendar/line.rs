//! One line of a calendar.

use crate::export::text::printable;

/// The longest line, in octets, without its end.
const LONGEST: usize = 75;

/// Adds a property that is written as it is, folded and never within a character.
pub(super) fn put(out: &mut String, line: &str) {
    let mut rest = line;
    let mut room = LONGEST;
    while rest.len() > room {
        let end = (1..=room).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        out.push_str(part);
        out.push_str("\r\n ");
        rest = behind;
        room = LONGEST - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

/// Adds a property whose value is a text.
pub(super) fn put_text(out: &mut String, name: &str, text: &str) {
    put(out, &format!("{name}:{}", escaped(text)));
}

/// A text as a value: escaped, without characters that no value can have.
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

/// A text as the value of a parameter, with the escapes of RFC 6868.
pub(super) fn parameter(text: &str) -> String {
    let mut value = String::with_capacity(text.len() + 2);
    for char in printable(text).chars() {
        match char {
            '"' => value.push_str("^'"),
            '^' => value.push_str("^^"),
            '\n' => value.push_str("^n"),
            char => value.push(char),
        }
    }
    if value.contains([':', ';', ',', ' ', '\t']) { format!("\"{value}\"") } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_75_octets_and_no_character_is_cut() {
        let mut out = String::new();
        put(&mut out, &format!("SUMMARY:{}", "äö€𝄞".repeat(40)));
        assert!(out.ends_with("\r\n"));
        let lines: Vec<&str> = out.trim_end().split("\r\n").collect();
        assert!(lines.iter().all(|line| line.len() <= 75), "{out}");
        assert!(lines[..lines.len() - 1].iter().all(|line| line.len() >= 72), "{out}");
        assert_eq!(lines.join("\r\n").replace("\r\n ", ""), format!("SUMMARY:{}", "äö€𝄞".repeat(40)));
    }
}
