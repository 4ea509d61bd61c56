//! Task statuses: the steps that tasks of a project go through.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::task::Position;
use super::text::{check_name, check_object, check_optional};
use super::{Entity, Index, Kind, Locale};

/// A step that tasks of a project go through.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TaskStatus {
    /// The project.
    pub project_id: EntityId,
    /// What it is called.
    pub name: String,
    /// What it means.
    pub category: StatusCategory,
    /// The colour it is shown in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Its place among the statuses of the project; a new one without a place is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What a status means.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StatusCategory {
    /// For later.
    Backlog,
    /// To be done.
    #[default]
    Todo,
    /// Being done.
    InProgress,
    /// Done.
    Done,
    /// Given up.
    Canceled,
}

impl StatusCategory {
    /// Every category.
    pub const ALL: [Self; 5] = [Self::Backlog, Self::Todo, Self::InProgress, Self::Done, Self::Canceled];

    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Canceled => "canceled",
        }
    }

    /// Whether a task in it is still to be done.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Backlog | Self::Todo | Self::InProgress)
    }
}

impl TaskStatus {
    /// A status of a project.
    pub fn new(project_id: EntityId, name: impl Into<String>, category: StatusCategory) -> Self {
        Self { project_id, name: name.into(), category, color: None, position: None, metadata: Map::new() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/name", &self.name)?;
        check_optional("/color", self.color.as_deref())?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for TaskStatus {
    const KIND: Kind = Kind::TaskStatus;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("project_id", self.project_id).term("category", self.category.as_str()))
    }
}
