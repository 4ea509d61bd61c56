//! One property of a vCard, decoded.

use std::borrow::Cow;

use calcard::vcard::{VCardEntry, VCardParameterName, VCardParameterValue, VCardProperty, VCardValue};
use calcard::{Entry, Parser};

use super::lines::Line;

/// A property with its values decoded: folds, escapes, quoted-printable and character sets undone.
#[derive(Debug)]
pub(super) struct Property {
    entry: VCardEntry,
    /// The line in one piece, as it is kept.
    pub(super) raw: String,
}

impl Property {
    /// Reads a line; nothing if it is no property.
    pub(super) fn read(line: Line<'_>) -> Option<Self> {
        let raw = line.unfolded();
        if !raw.contains(':') {
            return None;
        }
        // Each line is parsed by itself, so that a broken one spoils no other.
        let card = format!("BEGIN:VCARD\n{}\nEND:VCARD\n", line.text);
        match Parser::new(&card).entry() {
            Entry::VCard(card) => card.entries.into_iter().next().map(|entry| Self { entry, raw }),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> &VCardProperty {
        &self.entry.name
    }

    /// The name as RFC 6350 writes it.
    pub(super) fn title(&self) -> String {
        self.entry.name.as_str().to_ascii_uppercase()
    }

    pub(super) fn group(&self) -> Option<&str> {
        self.entry.group.as_deref()
    }

    /// The components; nothing if one of them is not text.
    pub(super) fn components(&self) -> Option<Vec<String>> {
        self.entry.values.iter().map(text).collect()
    }

    /// The components as one text; nothing if it is empty or not text.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.components()?.join("; ");
        (!text.is_empty()).then_some(text)
    }

    /// What stands behind the colon, not decoded.
    pub(super) fn raw_value(&self) -> &str {
        let mut is_quoted = false;
        let colon = self.raw.find(|c| {
            is_quoted ^= c == '"';
            c == ':' && !is_quoted
        });
        colon.map_or("", |colon| &self.raw[colon + 1..])
    }

    /// The types in lower case, without "pref".
    pub(super) fn types(&self) -> Vec<String> {
        let mut types = Vec::new();
        for parameter in &self.entry.params {
            let written = match (&parameter.name, &parameter.value) {
                (VCardParameterName::Type, value) => value.as_text().unwrap_or_default(),
                // In vCard 2.1 a type may stand alone.
                (VCardParameterName::Other(name), VCardParameterValue::Null) => name,
                _ => continue,
            };
            for name in written.split(',').map(|name| name.trim().to_ascii_lowercase()) {
                if !name.is_empty() && name != "pref" && !types.contains(&name) {
                    types.push(name);
                }
            }
        }
        types
    }

    /// How much it is preferred: 1 most, 100 least.
    pub(super) fn preference(&self) -> Option<u32> {
        self.entry.params.iter().find_map(|parameter| match (&parameter.name, &parameter.value) {
            (VCardParameterName::Pref, VCardParameterValue::Integer(preference)) => Some(*preference),
            (VCardParameterName::Pref, VCardParameterValue::Null) => Some(1),
            (VCardParameterName::Type, value) => {
                let is_preferred = |name: &str| name.trim().eq_ignore_ascii_case("pref");
                value.as_text().is_some_and(|types| types.split(',').any(is_preferred)).then_some(1)
            }
            _ => None,
        })
    }

    /// The value of a parameter that calcard has no name for.
    pub(super) fn parameter(&self, wanted: &str) -> Option<&str> {
        self.entry.params.iter().find_map(|parameter| match &parameter.name {
            VCardParameterName::Other(name) if name.eq_ignore_ascii_case(wanted) => parameter.value.as_text(),
            _ => None,
        })
    }

    /// The value of a parameter that calcard has a name for.
    pub(super) fn known_parameter(&self, wanted: &VCardParameterName) -> Option<&str> {
        self.entry.params.iter().find(|parameter| parameter.name == *wanted)?.value.as_text()
    }

    /// What stands behind the colon, with the escapes of vCard 3.0 and 4.0 undone.
    pub(super) fn plain(&self) -> String {
        unescaped(self.raw_value())
    }

    /// The text of a property that no specification knows, whose semicolons mean nothing.
    pub(super) fn text_of_extension(&self) -> String {
        let raw = self.raw.get(..self.raw.len() - self.raw_value().len()).unwrap_or_default();
        if raw.to_ascii_uppercase().contains("QUOTED-PRINTABLE") {
            return self.text().unwrap_or_default();
        }
        self.plain()
    }

    /// Whether the value is said to be an address where it can be found.
    pub(super) fn is_uri(&self) -> bool {
        let says = |wanted: &str| {
            self.known_parameter(&VCardParameterName::Value).is_some_and(|v| v.eq_ignore_ascii_case(wanted))
        };
        says("uri") || says("url")
    }

    /// Whether an unescaped comma makes a list of one of the components.
    pub(super) fn has_lists(&self) -> bool {
        self.entry.values.iter().any(|value| matches!(value, VCardValue::Component(parts) if parts.len() > 1))
    }

    /// Whether it has parameters beyond those that `used` have become part of the contact.
    pub(super) fn has_more(&self, used: &[Used]) -> bool {
        let has_types = used.contains(&Used::Types);
        self.entry.params.iter().any(|parameter| match &parameter.name {
            VCardParameterName::Value => false,
            VCardParameterName::Pref => !has_types && !used.contains(&Used::Preference),
            VCardParameterName::Type => {
                let is_preference = |value: &str| value.trim().eq_ignore_ascii_case("pref");
                !has_types && !parameter.value.as_text().is_some_and(is_preference)
            }
            VCardParameterName::Other(name) if parameter.value == VCardParameterValue::Null => {
                !has_types && !name.eq_ignore_ascii_case("pref")
            }
            VCardParameterName::Other(name) => {
                !used.iter().any(|used| matches!(used, Used::Other(known) if name.eq_ignore_ascii_case(known)))
            }
            known => !used.iter().any(|used| matches!(used, Used::Known(name) if name == known)),
        })
    }
}

/// A parameter that has become part of the contact.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Used {
    /// Types and the preference.
    Types,
    /// The preference.
    Preference,
    /// One that calcard has a name for.
    Known(VCardParameterName),
    /// One that it has not.
    Other(&'static str),
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match char {
            '\0' => {}
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(escaped @ ('\\' | ',' | ';' | ':')) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

fn text(value: &VCardValue) -> Option<String> {
    let text = match value {
        VCardValue::Component(parts) => Cow::Owned(parts.join(" ")),
        VCardValue::Integer(number) => Cow::Owned(number.to_string()),
        VCardValue::Float(number) => Cow::Owned(number.to_string()),
        other => Cow::Borrowed(other.as_text()?),
    };
    // Quoted-printable can hide a NUL, which no field may have.
    let text = if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { text };
    // Some write the line ends of their own system, which mean nothing else.
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { text };
    Some(text.trim().to_owned())
}
