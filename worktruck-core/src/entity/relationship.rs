//! Relationships between contacts: typed, directed, stored once and read from both ends.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Digest, EntityId, Error, Result};

use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale, Term};

/// What a contact is to another: the first `type`s the second.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    /// The first.
    pub contact_id: EntityId,
    /// The second.
    pub related_contact_id: EntityId,
    /// Such as `reports_to`, or a type of the tenant's own.
    #[serde(rename = "type")]
    pub kind: String,
    /// Free text about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// The index term of both ends, by which the relationships of a contact are found.
pub const END_TERM: &str = "end_id";

/// The types that are known: each with what it is when it is read from the other end.
pub const RELATIONSHIP_TYPES: &[(&str, &str)] = &[
    ("reports_to", "manages"),
    ("manages", "reports_to"),
    ("parent", "child"),
    ("child", "parent"),
    ("works_with", "works_with"),
    ("spouse", "spouse"),
    ("partner", "partner"),
    ("sibling", "sibling"),
    ("friend", "friend"),
    ("other", "other"),
];

/// The type of a relationship as it is read from its other end: that of [`RELATIONSHIP_TYPES`], and for a type of
/// the tenant's own the same text, since nobody has said what its opposite is.
#[must_use]
pub fn inverse_type(kind: &str) -> &str {
    RELATIONSHIP_TYPES.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, inverse)| inverse)
}

impl Relationship {
    /// A relationship of which nothing else is known.
    pub fn new(contact_id: EntityId, kind: impl Into<String>, related_contact_id: EntityId) -> Self {
        Self { contact_id, related_contact_id, kind: kind.into(), note: None, metadata: Map::new() }
    }

    /// The same, said of the other end.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            contact_id: self.related_contact_id,
            related_contact_id: self.contact_id,
            kind: inverse_type(&self.kind).to_owned(),
            ..self
        }
    }

    /// The index term that all relationships share that say the same, from whichever end.
    ///
    /// One of the tenant's own types says something else when its ends are exchanged.
    ///
    /// # Errors
    ///
    /// `Internal` if it has no JSON form, which cannot happen.
    pub fn unique_term(&self) -> Result<Term> {
        let (one, other) = (self.contact_id, self.related_contact_id);
        let forward = (one, self.kind.as_str(), other);
        let is_known = RELATIONSHIP_TYPES.iter().any(|(known, _)| *known == self.kind);
        let said = if is_known { forward.min((other, inverse_type(&self.kind), one)) } else { forward };
        Ok(Term::new("says", Digest::of_json(&said)?.to_string()))
    }
}

impl Entity for Relationship {
    const KIND: Kind = Kind::Relationship;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        if self.contact_id == self.related_contact_id {
            return Err(Error::invalid("a contact has no relationship with itself").at("/related_contact_id"));
        }
        check_name("/type", &self.kind)?;
        if self.kind.trim().len() != self.kind.len() {
            self.kind = self.kind.trim().to_owned();
        }
        check_optional_text("/note", self.note.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default()
            .term("contact_id", self.contact_id)
            .term("related_contact_id", self.related_contact_id)
            .terms(END_TERM, [self.contact_id, self.related_contact_id])
            .term("type", &self.kind);
        index.terms.push(self.unique_term()?);
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::parse;

    fn id(n: u8) -> EntityId {
        format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}").parse().unwrap()
    }

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({ "type": " mentor " }), None),
            (json!({ "related_contact_id": id(1) }), Some("/related_contact_id")),
            (json!({ "type": "" }), Some("/type")),
            (json!({ "type": "a\0" }), Some("/type")),
            (json!({ "type": "x".repeat(513) }), Some("/type")),
            (json!({ "note": "\0" }), Some("/note")),
            (json!({ "metadata": { "a": "\0" } }), Some("/metadata/a")),
        ];
        for (fields, expected) in table {
            let mut body = json!({ "contact_id": id(1), "related_contact_id": id(2), "type": "friend" });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = parse::<Relationship>(&body).and_then(|mut one| one.normalise(&Locale::default()));
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn the_inverse_of_the_inverse_is_the_type() {
        for (kind, inverse) in RELATIONSHIP_TYPES {
            assert_eq!(inverse_type(inverse), *kind);
        }
        assert_eq!(inverse_type("mentor"), "mentor");
    }

    #[test]
    fn what_says_the_same_shares_a_term() {
        let says = |one, kind: &str, other| Relationship::new(id(one), kind, id(other)).unique_term().unwrap();
        assert_eq!(says(1, "manages", 2), says(2, "reports_to", 1));
        assert_eq!(says(1, "friend", 2), says(2, "friend", 1));
        assert_ne!(says(1, "manages", 2), says(1, "reports_to", 2));
        assert_ne!(says(1, "mentor", 2), says(2, "mentor", 1), "nobody said that it goes both ways");
        assert_ne!(says(1, "friend", 2), says(1, "sibling", 2));
    }
}
