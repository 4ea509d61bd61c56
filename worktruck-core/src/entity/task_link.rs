//! Task links: addresses of the web that belong to a task.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::text::{check_object, check_optional, check_url};
use super::{Entity, Index, Kind, Locale};

/// An address of the web that belongs to a task.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TaskLink {
    /// The task.
    pub task_id: EntityId,
    /// The address.
    pub url: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl TaskLink {
    /// A link of a task.
    pub fn new(task_id: EntityId, url: impl Into<String>) -> Self {
        Self { task_id, url: url.into(), title: None, metadata: Map::new() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_url("/url", Some(&self.url))?;
        check_optional("/title", self.title.as_deref())?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for TaskLink {
    const KIND: Kind = Kind::TaskLink;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("task_id", self.task_id))
    }
}
