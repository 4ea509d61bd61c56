use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::entity::Kind;
use crate::entity::dependency::{Dependency, DependencyType};
use crate::entity::task::Task;
use crate::pim::{ByTime, MOST_TOGETHER, Operation, Record, Records, Stored, Writing, create, delete};
use crate::store::{EntityKey, ListQuery};
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::counter::{counter, take};
use super::parts::{OfTask, belongs, only_one};

#[async_trait]
impl Record for Dependency {
    type Filter = OfTask;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/task_id", Kind::Task, |dependency| dependency.task_id).await?;
        belongs(writing, "/other_task_id", Kind::Task, |dependency| dependency.other_task_id).await?;
        if writing.old.is_some() {
            let message = "the type of a dependency stays as it is; delete it and make another one";
            return if writing.is_changed(|dependency| &dependency.r#type) {
                Err(Error::invalid(message).at("/type"))
            } else {
                Ok(())
            };
        }
        let term = writing.new.pair_term();
        only_one(writing, "/task_id", term, "the two tasks have this dependency already").await?;
        if writing.new.r#type == DependencyType::Blocks {
            check_cycle(writing).await?;
        }
        Ok(())
    }
}

/// Checks that the task which is blocked does not block the other, at whatever distance.
async fn check_cycle(writing: &mut Writing<'_, Dependency>) -> Result<()> {
    let operation = writing.operation;
    let (_, alone) = take(operation, counter("task_blocks")).await?;
    writing.changes = std::mem::take(&mut writing.changes).and(alone);
    let (blocker, blocked) = (writing.new.task_id, writing.new.other_task_id);
    let mut seen = BTreeSet::from([blocked]);
    let mut level = vec![blocked];
    while !level.is_empty() {
        let mut next = Vec::new();
        for from in level.chunks(500) {
            let query = ListQuery::new(Kind::Dependency).with_any("blocker", from);
            for dependency in operation.all::<Dependency>(query).await? {
                let id = dependency.data.other_task_id;
                if id == blocker {
                    let message = "the task would block itself through others; remove one of those dependencies before";
                    return Err(Error::conflict(message).at("/task_id"));
                }
                if seen.insert(id) {
                    next.push(id);
                }
            }
        }
        if seen.len() > MOST_TOGETHER {
            let message = format!("more than {MOST_TOGETHER} tasks would be blocked through each other");
            return Err(Error::conflict(message).at("/task_id"));
        }
        level = next;
    }
    Ok(())
}

/// A dependency as one of its tasks sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDependency {
    /// The other task.
    pub task_id: EntityId,
    /// What the task that was asked about is to the other.
    pub r#type: DependencyType,
    /// The dependency.
    pub dependency: Stored<Dependency>,
}

impl TaskDependency {
    /// `dependency` as `task` sees it.
    #[must_use]
    pub fn of(task: EntityId, dependency: Stored<Dependency>) -> Self {
        let (task_id, r#type) = dependency.data.seen_from(task);
        Self { task_id, r#type, dependency }
    }

    /// It as anybody may see it.
    #[must_use]
    pub fn resource(&self) -> Value {
        let mut resource = self.dependency.resource();
        if let Some(members) = resource.as_object_mut() {
            members.remove("other_task_id");
            members.insert("task_id".to_owned(), json!(self.task_id));
            members.insert("type".to_owned(), json!(self.r#type));
        }
        resource
    }
}

impl Records<Task> {
    /// Makes a task depend on another: `task` is `kind` to `other`.
    ///
    /// # Errors
    ///
    /// `NotFound` if `task` does not exist, `InvalidRequest` at `/task_id` if `other` does not or is the same,
    /// `Conflict` if they depend on each other in this way already or would block themselves, and those of the store.
    pub async fn depend(&self, task: EntityId, kind: DependencyType, other: EntityId) -> Result<TaskDependency> {
        let run = |operation: Operation| async move {
            operation.expect::<Task>(task).await?;
            // Which end is kept first is no matter of who asked.
            operation.refer("/task_id", Kind::Task, other).await?;
            let body = json!({ "task_id": task, "other_task_id": other, "type": kind });
            create::<Dependency>(&operation, body).await
        };
        let (_, id) = self.commit(run).await?;
        Ok(TaskDependency::of(task, self.operation().expect(id).await?))
    }

    /// Ends a dependency of a task.
    ///
    /// # Errors
    ///
    /// `NotFound` if the task has no such dependency, and those of the store.
    pub async fn end_dependency(&self, task: EntityId, dependency: EntityId) -> Result<()> {
        let run = |operation: Operation| async move {
            let found = operation.expect::<Dependency>(dependency).await?;
            if ![found.data.task_id, found.data.other_task_id].contains(&task) {
                return Err(Error::not_found(EntityKey::new(Kind::Dependency, dependency)));
            }
            delete::<Dependency>(&operation, dependency, None).await
        };
        self.commit_all(run).await?;
        Ok(())
    }

    /// A page of what a task depends on and what depends on it, as the task sees it.
    ///
    /// # Errors
    ///
    /// `NotFound` if the task does not exist, and those of the store.
    pub async fn dependencies(&self, task: EntityId, page: PageRequest) -> Result<Page<TaskDependency>> {
        let operation = self.operation();
        operation.expect::<Task>(task).await?;
        let mut query = operation.query::<Dependency>().with("task_id", Some(task));
        query.page = page;
        let found = operation.page::<Dependency>(query).await?;
        let seen = found.data.into_iter().map(|dependency| TaskDependency::of(task, dependency)).collect();
        Ok(Page::new(seen, found.next_cursor))
    }
}
