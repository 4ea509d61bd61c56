//! Affiliations: what a contact is at an organization.

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::{check_object, check_optional, check_optional_text};
use super::{Entity, Index, Kind, Locale};

/// What a contact is, or was, at an organization.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Affiliation {
    /// The contact.
    pub contact_id: EntityId,
    /// The organization, a contact too.
    pub organization_id: EntityId,
    /// Such as "Head of research".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where in the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Free text about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<NaiveDate>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<NaiveDate>,
    /// Whether it still holds; it does if this is not said.
    #[serde(default = "yes")]
    pub is_current: bool,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Affiliation {
    /// A current affiliation of which nothing else is known.
    #[must_use]
    pub fn new(contact_id: EntityId, organization_id: EntityId) -> Self {
        Self {
            contact_id,
            organization_id,
            title: None,
            role: None,
            department: None,
            description: None,
            start_date: None,
            end_date: None,
            is_current: true,
            metadata: Map::new(),
        }
    }
}

const fn yes() -> bool {
    true
}

impl Entity for Affiliation {
    const KIND: Kind = Kind::Affiliation;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        if self.contact_id == self.organization_id {
            return Err(Error::invalid("a contact is not affiliated with itself").at("/organization_id"));
        }
        check_optional("/title", self.title.as_deref())?;
        check_optional("/role", self.role.as_deref())?;
        check_optional("/department", self.department.as_deref())?;
        check_optional_text("/description", self.description.as_deref())?;
        for (pointer, date) in [("/start_date", self.start_date), ("/end_date", self.end_date)] {
            if date.is_some_and(|date| !(1..=9999).contains(&date.year())) {
                return Err(Error::invalid("the year of a date must lie between 1 and 9999").at(pointer));
            }
        }
        if let (Some(start), Some(end)) = (self.start_date, self.end_date)
            && end < start
        {
            return Err(Error::invalid(format!("it ends on {end}, before it starts on {start}")).at("/end_date"));
        }
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default()
            .term("contact_id", self.contact_id)
            .term("organization_id", self.organization_id)
            .term("is_current", self.is_current))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::parse;

    const ADA: &str = "0194a8b3-7e5a-77c1-9d0f-000000000001";
    const ACME: &str = "0194a8b3-7e5a-77c1-9d0f-000000000002";

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({ "start_date": "2020-01-01", "end_date": "2020-01-01", "is_current": false }), None),
            (json!({ "organization_id": ADA }), Some("/organization_id")),
            (json!({ "title": " " }), Some("/title")),
            (json!({ "role": "x".repeat(513) }), Some("/role")),
            (json!({ "department": "a\0" }), Some("/department")),
            (json!({ "description": "\0" }), Some("/description")),
            (json!({ "start_date": "2020-01-02", "end_date": "2020-01-01" }), Some("/end_date")),
            (json!({ "start_date": "0000-01-02" }), Some("/start_date")),
            (json!({ "end_date": "2020-02-30" }), Some("/end_date")),
            (json!({ "is_current": "yes" }), Some("/is_current")),
            (json!({ "metadata": { "a": "\0" } }), Some("/metadata/a")),
        ];
        for (fields, expected) in table {
            let mut body = json!({ "contact_id": ADA, "organization_id": ACME });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = parse::<Affiliation>(&body).and_then(|mut one| one.normalise(&Locale::default()));
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn it_is_current_unless_it_is_said_not_to_be() {
        let one: Affiliation = parse(&json!({ "contact_id": ADA, "organization_id": ACME })).unwrap();
        assert_eq!(one, Affiliation::new(ADA.parse().unwrap(), ACME.parse().unwrap()));
        let terms: Vec<_> = one.index().unwrap().terms.into_iter().map(|term| (term.name, term.value)).collect();
        let expected = [("contact_id", ADA), ("organization_id", ACME), ("is_current", "true")];
        assert_eq!(terms, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
