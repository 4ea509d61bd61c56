//! Sections: the parts that a project's tasks are laid out in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::task::Position;
use super::text::{check_name, check_object};
use super::{Entity, Index, Kind, Locale};

/// A part that a project's tasks are laid out in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The project.
    pub project_id: EntityId,
    /// What it is called.
    pub name: String,
    /// Its place among the sections of the project; a new one without a place is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Section {
    /// A section of a project.
    pub fn new(project_id: EntityId, name: impl Into<String>) -> Self {
        Self { project_id, name: name.into(), position: None, metadata: Map::new() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/name", &self.name)?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Section {
    const KIND: Kind = Kind::Section;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("project_id", self.project_id))
    }
}
