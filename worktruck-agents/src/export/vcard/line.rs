//! One line of a vCard.

pub(super) use crate::export::text::escaped;
use crate::export::text::fold_into;

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
        // At the end of a quoted-printable line, an equals sign would mean something.
        fold_into(out, &self.text, |part| !(is_quoted_printable && part.ends_with('=')));
    }
}
