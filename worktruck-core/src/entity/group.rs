//! Groups: lists of contacts under a name.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Result;

use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// A list of contacts; who is in it, the [members](super::group_member::GroupMember) say.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Such as "Newsletter".
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Entity for Group {
    const KIND: Kind = Kind::Group;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional_text("/description", self.description.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default())
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name).body([self.description.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Error;
    use crate::entity::parse;

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({ "name": "x".repeat(512), "description": "" }), None),
            (json!({ "name": "" }), Some("/name")),
            (json!({ "name": "x".repeat(513) }), Some("/name")),
            (json!({ "name": "x", "description": "\0" }), Some("/description")),
            (json!({ "name": "x", "metadata": { "a": "\0" } }), Some("/metadata/a")),
        ];
        for (body, expected) in table {
            let found = parse::<Group>(&body).and_then(|mut one| one.normalise(&Locale::default()));
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{body}");
            assert_eq!(found.is_ok(), expected.is_none(), "{body}");
        }
        assert!(parse::<Group>(&json!({})).is_err());
    }
}
