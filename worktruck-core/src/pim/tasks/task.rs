use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::Kind;
use crate::entity::task::{DueKey, Task};
use crate::entity::task_status::StatusCategory;
use crate::pim::contacts::of_contact;
use crate::pim::{Deleting, Filter, Operation, Record, Records, Stored, Writing};
use crate::recurrence::Moment;
use crate::store::{ListQuery, SortField};
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::due::Due;
use super::parts::place_last;
use super::removal::Removal;
use super::{place, progress, recurrence, tree};

/// What lists of tasks can be filtered by.
///
/// Something that is due on a day is before and after what the whole day is before and after; beside a moment it
/// counts as due at the end of its day, where the tenant is at home.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TaskFilter {
    /// The project.
    pub project_id: Option<EntityId>,
    /// The status.
    pub status_id: Option<EntityId>,
    /// What the status means; a task without one is to do, done or canceled.
    pub status_category: Option<StatusCategory>,
    /// The contact who is to do it; what was merged is the survivor.
    pub assignee_id: Option<EntityId>,
    /// A label that it has.
    pub label: Option<String>,
    /// The task that it is a part of.
    pub parent_id: Option<EntityId>,
    /// Whether it is still to be done although its day or time has passed; all others are not overdue.
    pub overdue: Option<bool>,
    /// It is due earlier.
    pub due_before: Option<Moment>,
    /// It is due later.
    pub due_after: Option<Moment>,
}

/// What lists of tasks can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By the order that people make.
    Position,
    /// By how urgent it is.
    Priority,
    /// By when it is due: first what never is, then in the order of UTC, what is due on a day before its times.
    Due,
}

impl From<TaskSort> for SortField {
    fn from(by: TaskSort) -> Self {
        match by {
            TaskSort::CreatedAt => Self::CreatedAt,
            TaskSort::UpdatedAt => Self::UpdatedAt,
            TaskSort::Position => Self::Key("position".to_owned()),
            TaskSort::Priority => Self::Key("priority".to_owned()),
            TaskSort::Due => Self::Key("due".to_owned()),
        }
    }
}

#[async_trait]
impl Filter for TaskFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let mut query = query
            .with("project_id", self.project_id)
            .with("status_id", self.status_id)
            .with("status_category", self.status_category.map(StatusCategory::as_str))
            .with("label", self.label.as_ref())
            .with("parent_id", self.parent_id);
        query = of_contact(query, operation, "assignee_id", self.assignee_id).await?;
        let due = Due::new(operation)?;
        if let Some(is_overdue) = self.overdue {
            query = query.asked("overdue", is_overdue);
            query = query.within_moving(DueKey::OPEN, if is_overdue { due.overdue() } else { due.in_time() });
        }
        if let Some(moment) = self.due_before {
            query = query.within(DueKey::ALL, due.before(moment));
        }
        if let Some(moment) = self.due_after {
            query = query.within(DueKey::ALL, due.after(moment));
        }
        Ok(query)
    }
}

/// What a write fills in, and nobody else.
const FILLED_IN: [&str; 4] = ["identifier", "status_category", "next_occurrence", "next_task_id"];

#[async_trait]
impl Record for Task {
    type Filter = TaskFilter;
    type Sort = TaskSort;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, operation: &Operation) -> Result<()> {
        place_last(body, old, operation);
        let Some(members) = body.as_object_mut() else { return Ok(()) };
        let before = old.and_then(|old| old.stored.slice.body.as_ref());
        for field in FILLED_IN {
            let kept = before.and_then(|before| before.get(field)).filter(|value| !value.is_null());
            match members.get(field).filter(|value| !value.is_null()) {
                Some(given) if Some(given) != kept => {
                    let message = format!("{field} is filled in by the server; leave it out");
                    return Err(Error::invalid(message).at(format!("/{field}")));
                }
                Some(_) => {}
                None => {
                    members.remove(field);
                    members.extend(kept.map(|kept| (field.to_owned(), kept.clone())));
                }
            }
        }
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        tree::check_parent(writing).await?;
        writing.refer("/assignee_id", Kind::Contact, |task| task.assignee_id).await?;
        writing.refer("/creator_id", Kind::Contact, |task| task.creator_id).await?;
        place::settle(writing).await?;
        progress::settle(writing).await?;
        recurrence::settle(writing).await
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let mut removal = Removal::new(deleting.operation);
        removal.below(&[deleting.old.id]).await?;
        deleting.changes = removal.changes()?;
        Ok(())
    }
}

/// The task with an identifier such as `API-42`.
///
/// # Errors
///
/// `NotFound` if no task has it at the two times, and those of the store.
pub async fn task_by_identifier(operation: &Operation, identifier: &str) -> Result<Stored<Task>> {
    let query = operation.query::<Task>().with("identifier", Some(identifier));
    operation.first(query).await?.ok_or_else(|| Error::not_found(format!("task {identifier:?}")))
}

impl Records<Task> {
    /// The task with an identifier such as `API-42`.
    ///
    /// # Errors
    ///
    /// As for [`task_by_identifier`].
    pub async fn by_identifier(&self, identifier: &str) -> Result<Stored<Task>> {
        task_by_identifier(&self.operation(), identifier).await
    }

    /// A page of the parts of a task that are tasks, not theirs.
    ///
    /// # Errors
    ///
    /// `NotFound` if the task does not exist, and those of the store.
    pub async fn subtasks(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<Task>>> {
        let operation = self.operation();
        operation.expect::<Task>(id).await?;
        operation.page(ListQuery { page, ..operation.query::<Task>().with("parent_id", Some(id)) }).await
    }
}
