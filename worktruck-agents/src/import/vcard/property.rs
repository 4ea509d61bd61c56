//! One property of a vCard, decoded.

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

    pub(super) fn parameter(&self, wanted: &str) -> Option<&str> {
        self.entry.params.iter().find_map(|parameter| match &parameter.name {
            VCardParameterName::Other(name) if name.eq_ignore_ascii_case(wanted) => parameter.value.as_text(),
            _ => None,
        })
    }

    /// Whether it has parameters beyond those that a contact has a field for.
    pub(super) fn has_more(&self) -> bool {
        self.entry.params.iter().any(|parameter| match &parameter.name {
            VCardParameterName::Type | VCardParameterName::Pref | VCardParameterName::Value => false,
            VCardParameterName::Other(_) => parameter.value != VCardParameterValue::Null,
            _ => true,
        })
    }
}

fn text(value: &VCardValue) -> Option<String> {
    let text = match value {
        VCardValue::Component(parts) => parts.join(" "),
        VCardValue::Integer(number) => number.to_string(),
        VCardValue::Float(number) => number.to_string(),
        other => other.as_text()?.to_owned(),
    };
    // Quoted-printable can hide a NUL, which no field may have.
    Some(text.replace('\0', "").trim().to_owned())
}
