//! One property of a calendar, decoded.

use calcard::icalendar::{ICalendarEntry, ICalendarValue, Uri};
use calcard::{Entry, Parser};

use super::lines::Line;

/// A property with its parameters and texts decoded: quotes, escapes, quoted-printable and character sets undone.
#[derive(Debug)]
pub(crate) struct Property {
    /// The line of the file.
    pub(crate) number: u64,
    /// Its name in upper case.
    pub(crate) name: String,
    /// Its parameters, their names in upper case; one with several values is there several times.
    parameters: Vec<(String, String)>,
    entry: ICalendarEntry,
    /// The line in one piece, as it is kept.
    pub(crate) raw: String,
}

impl Property {
    /// Reads a line; nothing if it is no property.
    pub(super) fn read(line: &Line) -> Option<Self> {
        let (name, _) = line.text.split_once([':', ';'])?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        value_at(&line.text)?;
        // Each line is parsed by itself, so that a broken one spoils no other.
        let entry = match Parser::new(&format!("BEGIN:VEVENT\n{}\nEND:VEVENT\n", line.text)).entry() {
            Entry::ICalendar(mut calendar) if !calendar.components.is_empty() => {
                calendar.components.swap_remove(0).entries.into_iter().next()?
            }
            _ => return None,
        };
        let parameter = |parameter: &calcard::icalendar::ICalendarParameter| {
            let name = parameter.name.as_str().to_ascii_uppercase();
            let value = match parameter.value.as_text() {
                Some(text) => text.to_owned(),
                None => parameter.value.as_integer().map(|number| number.to_string()).unwrap_or_default(),
            };
            (name, without_carets(value))
        };
        let parameters = entry.params.iter().map(parameter).collect();
        Some(Self { number: line.number, name: name.to_ascii_uppercase(), parameters, entry, raw: line.text.clone() })
    }

    /// Reads a line that was kept.
    pub(crate) fn kept(text: &str) -> Option<Self> {
        Self::read(&Line { number: 0, text: text.to_owned() })
    }

    /// What stands behind the colon, not decoded.
    pub(crate) fn raw_value(&self) -> &str {
        value_at(&self.raw).and_then(|at| self.raw.get(at..)).unwrap_or_default()
    }

    /// The text, with what no field may have taken out.
    pub(crate) fn text(&self) -> String {
        let text = match self.entry.values.as_slice() {
            [] => String::new(),
            [ICalendarValue::Uri(Uri::Data(_))] => self.raw_value().to_owned(),
            [one] => match one.as_text() {
                Some(text) => text.to_owned(),
                None => unescaped(self.raw_value()),
            },
            _ => unescaped(self.raw_value()),
        };
        let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text };
        text.replace('\0', "")
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, wanted: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Whether it has parameters beside those that are `used`.
    pub(crate) fn has_more(&self, used: &[&str]) -> bool {
        self.parameters.iter().any(|(name, _)| !used.contains(&name.as_str()))
    }
}

/// Where the value begins: behind the first colon outside of quotes, or the first at all.
fn value_at(line: &str) -> Option<usize> {
    let mut is_quoted = false;
    let outside = line.find(|c| {
        is_quoted ^= c == '"';
        c == ':' && !is_quoted
    });
    outside.or_else(|| line.find(':')).map(|colon| colon + 1)
}

/// The value of a parameter with the escapes of RFC 6868 undone.
fn without_carets(value: String) -> String {
    if !value.contains('^') {
        return value;
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        let undone = match (char, chars.peek()) {
            ('^', Some('n')) => Some('\n'),
            ('^', Some('\'')) => Some('"'),
            ('^', Some('^')) => Some('^'),
            _ => None,
        };
        if undone.is_some() {
            chars.next();
        }
        text.push(undone.unwrap_or(char));
    }
    text
}

/// The text with its escapes undone.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(escaped @ ('\\' | ',' | ';' | ':' | '"')) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            (other, false) => text.push(other),
        }
    }
    text
}
