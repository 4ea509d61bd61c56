use async_trait::async_trait;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::entity::Term;
use crate::entity::milestone::Milestone;
use crate::entity::project::Project;
use crate::entity::project_member::ProjectMember;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::entity::task_status::TaskStatus;
use crate::pim::{ByTime, Deleting, Everything, Operation, Record, Records, Stored, Writing};
use crate::store::Require;
use crate::{EntityId, Error, Result};

use super::counter::peek;
use super::number::counter_of;
use super::parts::only_one;
use super::place::{expect, of_another_project};
use super::removal::Removal;
use super::statuses::first_statuses;

#[async_trait]
impl Record for Project {
    type Filter = Everything;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if writing.is_changed(|project| &project.identifier) {
            let term = Term::new("identifier", &writing.new.identifier);
            only_one(writing, "/identifier", term, "another project has this identifier; choose another one").await?;
        }
        if writing.old.is_none() {
            if writing.new.default_status_id.is_some() {
                let message = "statuses are made with the project; choose one of them afterwards";
                return Err(Error::invalid(message).at("/default_status_id"));
            }
            let (changes, default) = first_statuses(writing.operation, writing.id)?;
            writing.new.default_status_id = default;
            writing.changes = std::mem::take(&mut writing.changes).and(changes);
        } else if let Some(id) = writing.new.default_status_id
            && writing.is_changed(|project| &project.default_status_id)
        {
            let status = expect::<TaskStatus>(writing.operation, "/default_status_id", id).await?;
            if status.data.project_id != writing.id {
                return Err(of_another_project::<TaskStatus>("/default_status_id"));
            }
            writing.require(Require::Exists { key: status.key() });
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let id = [deleting.old.id];
        let mut removal = Removal::new(deleting.operation);
        removal.parts::<TaskStatus>("project_id", &id).await?;
        removal.parts::<Section>("project_id", &id).await?;
        removal.parts::<Milestone>("project_id", &id).await?;
        removal.parts::<ProjectMember>("project_id", &id).await?;
        let tasks: Vec<EntityId> = removal.parts::<Task>("project_id", &id).await?.iter().map(|task| task.id).collect();
        removal.below(&tasks).await?;
        deleting.changes = removal.changes()?;
        Ok(())
    }
}

/// A project with what a read adds to it. Its JSON is that of the project with `next_task_number`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectDetail {
    /// The project.
    pub project: Stored<Project>,
    /// The number that its next task gets.
    pub next_task_number: u64,
}

impl Serialize for ProjectDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = self.project.resource();
        if let Some(members) = resource.as_object_mut() {
            members.insert("next_task_number".to_owned(), json!(self.next_task_number));
        }
        resource.serialize(serializer)
    }
}

/// A project with what a read adds to it, at the two times of the operation and of one moment.
///
/// # Errors
///
/// `NotFound` if it does not exist, and those of the store.
pub async fn project_detail(operation: &Operation, id: EntityId) -> Result<ProjectDetail> {
    let operation = &operation.fixed().await?;
    numbered(operation, operation.expect(id).await?).await
}

async fn numbered(operation: &Operation, project: Stored<Project>) -> Result<ProjectDetail> {
    let next_task_number = peek(operation, counter_of(&project.data), operation.at).await?;
    Ok(ProjectDetail { project, next_task_number })
}

impl Records<Project> {
    /// A project with what a read adds to it.
    ///
    /// # Errors
    ///
    /// As for [`project_detail`].
    pub async fn detail(&self, id: EntityId) -> Result<ProjectDetail> {
        project_detail(&self.operation(), id).await
    }

    /// A project that was read or written, with what a read adds to it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn detail_of(&self, project: Stored<Project>) -> Result<ProjectDetail> {
        numbered(&self.operation(), project).await
    }
}
