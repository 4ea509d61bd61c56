//! Dependencies: how two tasks depend on each other.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::text::check_object;
use super::{Entity, Index, Kind, Locale, Term};

/// How two tasks depend on each other: `task_id` blocks, is related to or is the same as `other_task_id`.
///
/// It is kept once, and looks different [from both ends](Self::seen_from). What is blocked by another task is
/// kept as the other blocking it; where direction means nothing, the older task comes first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// The one task.
    pub task_id: EntityId,
    /// The other task.
    pub other_task_id: EntityId,
    /// What the one is to the other.
    pub r#type: DependencyType,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What a task is to another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DependencyType {
    /// The other cannot be done before it.
    Blocks,
    /// It cannot be done before the other.
    BlockedBy,
    /// They have to do with each other.
    Related,
    /// They are the same.
    Duplicate,
}

impl DependencyType {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::BlockedBy => "blocked_by",
            Self::Related => "related",
            Self::Duplicate => "duplicate",
        }
    }

    /// The same, seen from the other task.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Blocks => Self::BlockedBy,
            Self::BlockedBy => Self::Blocks,
            Self::Related => Self::Related,
            Self::Duplicate => Self::Duplicate,
        }
    }
}

impl Dependency {
    /// `task_id` is that to `other_task_id`.
    #[must_use]
    pub fn new(task_id: EntityId, other_task_id: EntityId, r#type: DependencyType) -> Self {
        Self { task_id, other_task_id, r#type, metadata: Map::new() }
    }

    /// The other task, and what `end` is to it.
    #[must_use]
    pub fn seen_from(&self, end: EntityId) -> (EntityId, DependencyType) {
        if end == self.task_id { (self.other_task_id, self.r#type) } else { (self.task_id, self.r#type.inverse()) }
    }

    /// The index term that only these two tasks in this relation have.
    #[must_use]
    pub fn pair_term(&self) -> Term {
        Term::new("pair", format!("{}:{}:{}", self.r#type.as_str(), self.task_id, self.other_task_id))
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        if self.task_id == self.other_task_id {
            return Err(Error::invalid("a task cannot depend on itself; name another one").at("/task_id"));
        }
        check_object("/metadata", &self.metadata)
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.task_id, &mut self.other_task_id);
        self.r#type = self.r#type.inverse();
    }
}

impl Entity for Dependency {
    const KIND: Kind = Kind::Dependency;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        let is_backward = match self.r#type {
            DependencyType::Blocks => false,
            DependencyType::BlockedBy => true,
            DependencyType::Related | DependencyType::Duplicate => self.other_task_id < self.task_id,
        };
        if is_backward {
            self.turn();
        }
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        let mut index = Index::default().terms("task_id", [self.task_id, self.other_task_id]);
        index.terms.push(self.pair_term());
        if self.r#type == DependencyType::Blocks {
            index = index.term("blocker", self.task_id);
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EntityId {
        format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}").parse().unwrap()
    }

    #[test]
    fn both_ends_give_the_same_dependency() {
        use DependencyType::{BlockedBy, Blocks, Duplicate, Related};
        for (kind, inverse) in [(Blocks, BlockedBy), (BlockedBy, Blocks), (Related, Related), (Duplicate, Duplicate)] {
            let mut one = Dependency::new(id(1), id(2), kind);
            let mut other = Dependency::new(id(2), id(1), inverse);
            one.normalise(&Locale::default()).unwrap();
            other.normalise(&Locale::default()).unwrap();
            assert_eq!(one, other);
            assert_ne!(one.r#type, BlockedBy);
            assert_eq!((one.seen_from(id(1)), one.seen_from(id(2))), ((id(2), kind), (id(1), inverse)));
        }
        assert_ne!(
            Dependency::new(id(1), id(2), Blocks).pair_term(),
            Dependency::new(id(2), id(1), Blocks).pair_term()
        );
    }

    #[test]
    fn a_task_does_not_depend_on_itself() {
        let error = Dependency::new(id(1), id(1), DependencyType::Related).normalise(&Locale::default()).unwrap_err();
        assert_eq!(error.pointer(), Some("/task_id"));
    }
}
