//! One line of a vCard.

use crate::export::text::printable;

/// The longest line, in octets, without its end.
const LONGEST: usize = 75;

/// A property that is being written.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
}

impl Line {
    pub(super) fn new(name: &str) -> Self {
        Self { text: name.to_owned() }
    }

    /// A line that is written as it is.
    pub(super) fn verbatim(line: &str) -> Self {
        Self { text: line.to_owned() }
    }

    /// Puts the property into a group.
    pub(super) fn in_group(self, group: &str) -> Self {
        Self { text: format!("{group}.{}", self.text) }
    }

    /// Adds a parameter; left out if no parameter can have that value.
    pub(super) fn parameter(mut self, name: &str, value: &str) -> Self {
        let is_possible =
            !value.is_empty() && !value.contains(|c: char| c.is_control() || matches!(c, '"' | '^' | '\\'));
        if is_possible {
            let quote = if value.contains([':', ';', ',', ' ']) { "\"" } else { "" };
            for part in [";", name, "=", quote, value, quote] {
                self.text.push_str(part);
            }
        }
        self
    }

    /// Adds types, which need no quotes.
    pub(super) fn types(mut self, types: &[String]) -> Self {
        if !types.is_empty() {
            self.text.push_str(";TYPE=");
            self.text.push_str(&types.join(","));
        }
        self
    }

    /// Adds the value, which is escaped where it must be.
    pub(super) fn value(mut self, value: &str) -> Self {
        self.text.push(':');
        self.text.push_str(value);
        self
    }

    /// Folds the line, never within a character.
    pub(super) fn fold_into(self, out: &mut String) {
        let is_quoted_printable = self.text.to_ascii_uppercase().contains("QUOTED-PRINTABLE");
        let mut rest = self.text.as_str();
        let mut room = LONGEST;
        while rest.len() > room {
            let mut end = room;
            // At the end of a quoted-printable line, an equals sign would mean something.
            while end > 1 && (!rest.is_char_boundary(end) || is_quoted_printable && rest[..end].ends_with('=')) {
                end -= 1;
            }
            out.push_str(&rest[..end]);
            out.push_str("\r\n ");
            rest = &rest[end..];
            room = LONGEST - 1;
        }
        out.push_str(rest);
        out.push_str("\r\n");
    }
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
