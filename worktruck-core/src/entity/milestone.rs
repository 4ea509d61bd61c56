//! Milestones: what a project wants to have reached by a day.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result, Timestamp};

use super::task::{check_date, check_moment};
use super::text::{check_name, check_object};
use super::{Entity, Index, Kind, Locale};

/// What a project wants to have reached by a day.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// The project.
    pub project_id: EntityId,
    /// What it is called.
    pub name: String,
    /// The day it should be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// When it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Milestone {
    /// A milestone of a project.
    pub fn new(project_id: EntityId, name: impl Into<String>) -> Self {
        Self { project_id, name: name.into(), due_date: None, completed_at: None, metadata: Map::new() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/name", &self.name)?;
        check_date("/due_date", self.due_date)?;
        check_moment("/completed_at", self.completed_at)?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Milestone {
    const KIND: Kind = Kind::Milestone;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("project_id", self.project_id))
    }
}
