//! One line of a calendar.

pub(super) use crate::export::text::escaped;
use crate::export::text::{fold_into, printable};

/// Adds a property that is written as it is.
pub(super) fn put(out: &mut String, line: &str) {
    fold_into(out, line, |_| true);
}

/// Adds a property whose value is a text.
pub(super) fn put_text(out: &mut String, name: &str, text: &str) {
    put(out, &format!("{name}:{}", escaped(text)));
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
