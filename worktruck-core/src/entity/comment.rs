//! Comments: what people say about a task.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::{check_name, check_object, check_text};
use super::{Entity, Index, Kind, Locale};

/// What somebody says about a task.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The task.
    pub task_id: EntityId,
    /// What it says.
    pub body: String,
    /// The principal who wrote it; filled in by the first write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl Comment {
    /// A comment on a task.
    pub fn new(task_id: EntityId, body: impl Into<String>) -> Self {
        Self { task_id, body: body.into(), author: None, metadata: Map::new() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        if self.body.trim().is_empty() {
            return Err(Error::invalid("a comment must say something").at("/body"));
        }
        check_text("/body", &self.body)?;
        self.author.as_deref().map_or(Ok(()), |author| check_name("/author", author))?;
        check_object("/metadata", &self.metadata)
    }
}

impl Entity for Comment {
    const KIND: Kind = Kind::Comment;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term("task_id", self.task_id))
    }
}
