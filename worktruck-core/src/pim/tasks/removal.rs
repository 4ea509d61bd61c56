use std::collections::BTreeSet;

use crate::entity::comment::Comment;
use crate::entity::dependency::Dependency;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::entity::{Entity, Term};
use crate::pim::{MOST_TOGETHER, Operation, Stored};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

/// How many owners a query for their parts names.
const OWNERS: usize = 500;

/// What goes when something goes that others are parts of.
#[derive(Debug)]
pub(super) struct Removal<'a> {
    operation: &'a Operation,
    changes: Changes,
    gone: BTreeSet<EntityKey>,
}

impl<'a> Removal<'a> {
    pub(super) fn new(operation: &'a Operation) -> Self {
        Self { operation, changes: Changes::none(), gone: BTreeSet::new() }
    }

    /// All entities of a kind that are part of one of `owners`, and whatever becomes so meanwhile is refused.
    pub(super) async fn parts<E: Entity>(&mut self, term: &str, owners: &[EntityId]) -> Result<Vec<Stored<E>>> {
        let mut found = Vec::new();
        for owners in owners.chunks(OWNERS) {
            let query = ListQuery::new(E::KIND).with_any(term, owners);
            for part in self.operation.all::<E>(query).await? {
                if self.gone.insert(part.key()) {
                    let (key, version) = (part.key(), part.version());
                    self.changes.requires.push(Require::Version { key, version });
                    let write = self.operation.write(WriteOp::Delete);
                    self.changes = std::mem::take(&mut self.changes).write_valid(key, write);
                    found.push(part);
                }
            }
            let none = |owner: &EntityId| Require::NoTerm { kind: E::KIND, term: Term::new(term, owner.to_string()) };
            self.changes.requires.extend(owners.iter().map(none));
            self.check()?;
        }
        Ok(found)
    }

    /// The subtasks of `tasks` at whatever depth, and what belongs to all of them.
    pub(super) async fn below(&mut self, tasks: &[EntityId]) -> Result<()> {
        self.gone.extend(tasks.iter().map(|id| EntityKey::new(Task::KIND, *id)));
        let mut level = tasks.to_vec();
        while !level.is_empty() {
            self.parts::<Comment>("task_id", &level).await?;
            self.parts::<TaskLink>("task_id", &level).await?;
            self.parts::<Dependency>("task_id", &level).await?;
            level = self.parts::<Task>("parent_id", &level).await?.iter().map(|task| task.id).collect();
        }
        Ok(())
    }

    /// What is to be committed.
    pub(super) fn changes(self) -> Result<Changes> {
        self.check()?;
        Ok(self.changes)
    }

    fn check(&self) -> Result<()> {
        if self.changes.writes.len() < MOST_TOGETHER {
            return Ok(());
        }
        let message = format!("more than {MOST_TOGETHER} entities would be deleted together; delete some tasks before");
        Err(Error::conflict(message))
    }
}
