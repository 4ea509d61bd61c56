use async_trait::async_trait;
use serde_json::{Value, json};

use crate::entity::project::Project;
use crate::entity::task::{Progress, Task, status_term};
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::entity::{Kind, Term};
use crate::pim::{ByTime, Deleting, Operation, Record, Stored, Writing};
use crate::store::{Changes, EntityKey, ListQuery, Require};
use crate::temporal::{At, WriteOp};
use crate::{EntityId, Error, Result, Timestamp};

use super::parts::{OfProject, belongs, change_tasks, place_last};

/// The statuses that a project comes with; tasks begin in the second.
const FIRST: [(&str, StatusCategory); 5] = [
    ("Backlog", StatusCategory::Backlog),
    ("To do", StatusCategory::Todo),
    ("In progress", StatusCategory::InProgress),
    ("Done", StatusCategory::Done),
    ("Canceled", StatusCategory::Canceled),
];

/// The statuses that a new project comes with, and the default one of them.
pub(super) fn first_statuses(operation: &Operation, project_id: EntityId) -> Result<(Changes, Option<EntityId>)> {
    let mut changes = Changes::none();
    let mut default = None;
    for (place, (name, category)) in (1..).zip(FIRST) {
        let status = TaskStatus { position: Some(i32::into(place)), ..TaskStatus::new(project_id, name, category) };
        let id = operation.new_id();
        if category == StatusCategory::default() {
            default = Some(id);
        }
        let body = serde_json::to_value(status)
            .map_err(|e| Error::internal("a task status has no JSON form").with_source(e))?;
        let key = EntityKey::new(Kind::TaskStatus, id);
        changes = changes.require(Require::Absent { key }).write_valid(key, operation.write(WriteOp::Put(body)));
    }
    Ok((changes, default))
}

/// The statuses of a project, in their order.
pub(super) async fn statuses_of(operation: &Operation, project_id: EntityId) -> Result<Vec<Stored<TaskStatus>>> {
    let query = ListQuery::new(Kind::TaskStatus).with("project_id", Some(project_id));
    let mut statuses = operation.all::<TaskStatus>(query).await?;
    // They come in the order of their creation, which stays where places are the same.
    statuses.sort_by_key(|status| status.data.position.unwrap_or_default().sort_key());
    Ok(statuses)
}

#[async_trait]
impl Record for TaskStatus {
    type Filter = OfProject;
    type Sort = ByTime;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, operation: &Operation) -> Result<()> {
        place_last(body, old, operation);
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/project_id", Kind::Project, |status| status.project_id).await?;
        if let Some(old) = writing.old
            && old.data.category != writing.new.category
        {
            let changes = mean(writing.operation, old, writing.new.category).await?;
            writing.changes = std::mem::take(&mut writing.changes).and(changes);
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let (operation, old) = (deleting.operation, deleting.old);
        let project = operation.find_at::<Project>(old.data.project_id, At::NOW).await?;
        if let Some(project) = project {
            if project.data.default_status_id == Some(old.id) {
                let message = "new tasks of the project begin in this status; give it another default_status_id before";
                return Err(Error::conflict(message));
            }
            let (key, version) = (project.key(), project.version());
            deleting.changes.requires.push(Require::Version { key, version });
        }
        let term = Term::new("status_id", old.id.to_string());
        let mut query = ListQuery::new(Kind::Task);
        query.terms.push(term.clone());
        if operation.first::<Task>(query).await?.is_some() {
            return Err(Error::conflict("tasks have this status; give them another one before"));
        }
        deleting.changes.requires.push(Require::NoTerm { kind: Kind::Task, term });
        Ok(())
    }
}

/// Tells all tasks that have a status that it means something else now. A task that becomes done in this way makes
/// no next occurrence: nobody did it.
async fn mean(operation: &Operation, old: &Stored<TaskStatus>, category: StatusCategory) -> Result<Changes> {
    let at = operation.valid_from.unwrap_or_else(|| operation.now());
    let progress = Progress::from(category);
    change_tasks(operation, status_term(old.id, old.data.category), |task| {
        let time = |of, known: Option<Timestamp>| if progress == of { json!(known.unwrap_or(at)) } else { Value::Null };
        json!({
            "status_category": category,
            "completed_at": time(Progress::Done, task.completed_at),
            "canceled_at": time(Progress::Canceled, task.canceled_at),
        })
    })
    .await
}
