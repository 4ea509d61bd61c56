//! Interactions: meetings, calls, e-mails and notes with contacts.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result, Timestamp};

use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// Something that took place with one or more contacts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// What it was.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// When it was.
    pub occurred_at: Timestamp,
    /// What it was about, in a line.
    pub summary: String,
    /// What was said, at length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// With whom, at least one, each once.
    pub contact_ids: Vec<EntityId>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What an interaction was.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InteractionType {
    /// People met.
    Meeting,
    /// They spoke on the phone.
    Call,
    /// One wrote to another.
    Email,
    /// Somebody wrote something down.
    #[default]
    Note,
    /// Anything else.
    Other,
}

impl InteractionType {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meeting => "meeting",
            Self::Call => "call",
            Self::Email => "email",
            Self::Note => "note",
            Self::Other => "other",
        }
    }
}

/// The sort key of when it was.
pub const OCCURRED_AT_KEY: &str = "occurred_at";

impl Interaction {
    /// An interaction of which nothing else is known.
    pub fn new(
        kind: InteractionType,
        occurred_at: Timestamp,
        summary: impl Into<String>,
        contact_ids: impl Into<Vec<EntityId>>,
    ) -> Self {
        Self {
            kind,
            occurred_at,
            summary: summary.into(),
            body: None,
            contact_ids: contact_ids.into(),
            duration_minutes: None,
            metadata: Map::new(),
        }
    }
}

impl Entity for Interaction {
    const KIND: Kind = Kind::Interaction;
    const SORT_KEYS: &'static [&'static str] = &[OCCURRED_AT_KEY];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/summary", &self.summary)?;
        check_optional_text("/body", self.body.as_deref())?;
        if self.contact_ids.is_empty() {
            return Err(Error::invalid("an interaction is with at least one contact").at("/contact_ids"));
        }
        let mut seen = HashSet::new();
        if let Some(at) = self.contact_ids.iter().position(|id| !seen.insert(*id)) {
            let message = format!("contact {} is named twice", self.contact_ids[at]);
            return Err(Error::invalid(message).at(format!("/contact_ids/{at}")));
        }
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default()
            .terms("contact_id", &self.contact_ids)
            .term("type", self.kind.as_str())
            .key(OCCURRED_AT_KEY, self.occurred_at.to_string()))
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.summary).body([self.body.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::{Term, parse};

    const ADA: &str = "0194a8b3-7e5a-77c1-9d0f-000000000001";
    const BOB: &str = "0194a8b3-7e5a-77c1-9d0f-000000000002";

    fn call(fields: &Value) -> Value {
        let mut body = json!({ "type": "call", "occurred_at": "2026-04-14T18:32:10Z", "summary": "Prices",
                               "contact_ids": [ADA, BOB] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    }

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({ "duration_minutes": 0, "body": "" }), None),
            (json!({ "type": "visit" }), Some("/type")),
            (json!({ "occurred_at": "yesterday" }), Some("/occurred_at")),
            (json!({ "summary": "" }), Some("/summary")),
            (json!({ "summary": "x".repeat(513) }), Some("/summary")),
            (json!({ "body": "\0" }), Some("/body")),
            (json!({ "contact_ids": [] }), Some("/contact_ids")),
            (json!({ "contact_ids": [ADA, BOB, ADA] }), Some("/contact_ids/2")),
            (json!({ "duration_minutes": -1 }), Some("/duration_minutes")),
            (json!({ "metadata": { "a": "\0" } }), Some("/metadata/a")),
        ];
        for (fields, expected) in table {
            let found = parse::<Interaction>(&call(&fields)).and_then(|mut one| one.normalise(&Locale::default()));
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn it_is_found_by_each_contact_and_sorted_by_when_it_was() {
        let index = Index::of(&parse::<Interaction>(&call(&json!({ "body": "Too high" }))).unwrap()).unwrap();
        assert_eq!(
            index.terms,
            [Term::new("contact_id", ADA), Term::new("contact_id", BOB), Term::new("type", "call")]
        );
        assert_eq!(index.sort[0].1, "2026-04-14T18:32:10.000000Z");
        assert_eq!(index.text, "Prices\nToo high");
    }
}
