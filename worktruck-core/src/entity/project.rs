//! Projects: what tasks belong to, and what numbers them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::task::check_date;
use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale, Texts};

/// The longest identifier of a project.
const MAX_IDENTIFIER: usize = 32;

/// What tasks belong to.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::project::Project;
///
/// let project = Project { identifier: "API".to_owned(), name: "The API".to_owned(), ..Project::default() };
/// project.check()?;
/// assert!(Project { identifier: "api".to_owned(), ..project }.check().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// What the identifiers of its tasks begin with: letters A to Z and digits, unique among a tenant's projects.
    pub identifier: String,
    /// What it is called.
    pub name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub status: ProjectStatus,
    /// Whether it is put away.
    #[serde(default)]
    pub is_archived: bool,
    /// Whether it is for its members only.
    #[serde(default)]
    pub is_private: bool,
    /// The status of tasks that come without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_status_id: Option<EntityId>,
    /// The day it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<NaiveDate>,
    /// The day it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_date: Option<NaiveDate>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// How far a project is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    /// It has not begun.
    #[default]
    Planned,
    /// It is worked on.
    Active,
    /// It rests.
    Paused,
    /// It is done.
    Completed,
    /// It was given up.
    Canceled,
}

impl ProjectStatus {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }
}

impl Project {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        let is_fine = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if !(1..=MAX_IDENTIFIER).contains(&self.identifier.len()) || !self.identifier.chars().all(is_fine) {
            let message =
                format!("the identifier must be 1 to {MAX_IDENTIFIER} letters A to Z and digits, such as API");
            return Err(Error::invalid(message).at("/identifier"));
        }
        check_name("/name", &self.name)?;
        check_optional_text("/description", self.description.as_deref())?;
        check_date("/start_date", self.start_date)?;
        check_date("/target_date", self.target_date)?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Project {
    const KIND: Kind = Kind::Project;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("identifier", &self.identifier).term("status", self.status.as_str()))
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(&self.name).heading([&*self.identifier]).body([self.description.as_deref()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::index;

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({ "identifier": "A1" }), None),
            (json!({ "identifier": "9" }), None),
            (json!({ "identifier": "" }), Some("/identifier")),
            (json!({ "identifier": "api" }), Some("/identifier")),
            (json!({ "identifier": "A-1" }), Some("/identifier")),
            (json!({ "identifier": "Ä" }), Some("/identifier")),
            (json!({ "identifier": "A".repeat(33) }), Some("/identifier")),
            (json!({ "name": " " }), Some("/name")),
            (json!({ "name": "é".repeat(512) }), None),
            (json!({ "name": "é".repeat(513) }), Some("/name")),
            (json!({ "description": "a\0" }), Some("/description")),
            (json!({ "status": "paused" }), None),
            (json!({ "status": "done" }), Some("/status")),
            (json!({ "start_date": "2026-02-30" }), Some("/start_date")),
            (json!({ "target_date": "0000-01-01" }), Some("/target_date")),
            (json!({ "metadata": { "a": "\0" } }), Some("/metadata/a")),
        ];
        for (fields, expected) in table {
            let mut body = json!({ "identifier": "API", "name": "The API" });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = index(Kind::Project, &body);
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn what_the_server_counts_is_no_field() {
        assert!(index(Kind::Project, &json!({ "identifier": "A", "name": "A", "next_task_number": 1 })).is_err());
    }
}
