use serde_json::json;

use crate::entity::project::Project;
use crate::entity::task::{Progress, Task};
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::write::edit;
use crate::pim::{Operation, Records, Stored, Writing};
use crate::store::{Changes, Require};
use crate::{EntityId, Error, Result, Timestamp};

use super::place::{expect, of_another_project};
use super::statuses::statuses_of;

/// Brings the status of a task and the times at which it was done or given up into agreement. Of those that a write
/// changes, the status counts before the times.
pub(super) async fn settle(writing: &mut Writing<'_, Task>) -> Result<()> {
    let old = writing.old.map(|old| &old.data);
    let chosen = writing.new.status_id.filter(|id| old.and_then(|old| old.status_id) != Some(*id));
    if let Some(id) = chosen {
        let status = expect::<TaskStatus>(writing.operation, "/status_id", id).await?;
        if Some(status.data.project_id) != writing.new.project_id {
            return Err(of_another_project::<TaskStatus>("/status_id"));
        }
        check_times(writing.new, old, status.data.category.into())?;
        take(writing, &status);
        return Ok(());
    }
    let progress = wanted(writing.new, old)?;
    let Some(project_id) = writing.new.project_id else {
        writing.new.status_category = None;
        writing.new.status_category = Some(writing.new.category());
        return Ok(());
    };
    let is_same = old.is_some_and(|old| old.progress() == progress);
    if is_same && writing.new.status_id.is_some() {
        return Ok(());
    }
    let had_status = |old: &&Task| old.status_id.is_some() && old.progress() == progress;
    let meaning = old.filter(had_status).map(Task::category);
    match fitting(writing.operation, project_id, progress, meaning).await? {
        Some(status) => take(writing, &status),
        None => {
            writing.new.status_id = None;
            writing.new.status_category = Some(StatusCategory::default());
        }
    }
    Ok(())
}

/// Refuses a time that is set together with a status that means something else.
fn check_times(new: &Task, old: Option<&Task>, progress: Progress) -> Result<()> {
    let is_set = |field: fn(&Task) -> Option<Timestamp>| field(new).is_some() && field(new) != old.and_then(field);
    for (pointer, of, is_set) in [
        ("/completed_at", Progress::Done, is_set(|task| task.completed_at)),
        ("/canceled_at", Progress::Canceled, is_set(|task| task.canceled_at)),
    ] {
        if is_set && of != progress {
            return Err(Error::invalid("this does not agree with the status; leave out one of the two").at(pointer));
        }
    }
    Ok(())
}

/// What the times say that the task is; one that is newly set counts before the other.
fn wanted(new: &mut Task, old: Option<&Task>) -> Result<Progress> {
    if new.completed_at.is_some() && new.canceled_at.is_some() {
        let is_kept = |field: fn(&Task) -> Option<Timestamp>| old.is_some_and(|old| field(old) == field(new));
        match (is_kept(|task| task.completed_at), is_kept(|task| task.canceled_at)) {
            (true, false) => new.completed_at = None,
            (false, true) => new.canceled_at = None,
            (true, true) | (false, false) => {
                let message = "a task is done or canceled; leave out completed_at or canceled_at";
                return Err(Error::invalid(message).at("/canceled_at"));
            }
        }
    }
    Ok(new.progress())
}

/// Puts the task into a status.
fn take(writing: &mut Writing<'_, Task>, status: &Stored<TaskStatus>) {
    let at = writing.operation.valid_from.unwrap_or_else(|| writing.operation.now());
    // What the status means must not change meanwhile.
    writing.require(Require::Version { key: status.key(), version: status.version() });
    let task = &mut *writing.new;
    task.status_id = Some(status.id);
    task.status_category = Some(status.data.category);
    let progress = Progress::from(status.data.category);
    task.completed_at = (progress == Progress::Done).then(|| task.completed_at.unwrap_or(at));
    task.canceled_at = (progress == Progress::Canceled).then(|| task.canceled_at.unwrap_or(at));
}

/// The status of a project for a task that is open, done or canceled: the first that has a `meaning`, else the
/// default one, else the first to do, else any that fits.
async fn fitting(
    operation: &Operation,
    project_id: EntityId,
    progress: Progress,
    meaning: Option<StatusCategory>,
) -> Result<Option<Stored<TaskStatus>>> {
    let project = expect::<Project>(operation, "/project_id", project_id).await?;
    let mut statuses = statuses_of(operation, project_id).await?;
    statuses.retain(|status| Progress::from(status.data.category) == progress);
    let rank = |status: &Stored<TaskStatus>| {
        let is_meant = meaning == Some(status.data.category);
        let is_default = project.data.default_status_id == Some(status.id);
        let is_todo = status.data.category == StatusCategory::Todo;
        (!is_meant, !is_default, !is_todo)
    };
    let found = statuses.into_iter().min_by_key(rank);
    let category = match progress {
        Progress::Open => return Ok(found),
        Progress::Done => StatusCategory::Done,
        Progress::Canceled => StatusCategory::Canceled,
    };
    let message = format!("the project has no status of the category {}; add one to it", category.as_str());
    found.map(Some).ok_or_else(|| Error::conflict(message))
}

/// Marks a task as done. One that repeats makes its next occurrence.
///
/// With `expected`, only if that is its version.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if it is done or canceled already, and those of the store.
pub async fn complete_task(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<Changes> {
    let at = operation.valid_from.unwrap_or_else(|| operation.now());
    edit::<Task>(operation, id, expected, |task| match task.data.progress() {
        Progress::Open => Ok(json!({ "completed_at": at })),
        Progress::Done => Err(Error::conflict(format!("{} is done already; reopen it to do it again", task.key()))),
        Progress::Canceled => Err(Error::conflict(format!("{} is canceled; reopen it before it is done", task.key()))),
    })
    .await
}

/// Marks a task that was done or canceled as still to be done. The next occurrence that it made stays.
///
/// With `expected`, only if that is its version.
///
/// # Errors
///
/// `NotFound`, `VersionMismatch`, `Conflict` if it is open, and those of the store.
pub async fn reopen_task(operation: &Operation, id: EntityId, expected: Option<u64>) -> Result<Changes> {
    edit::<Task>(operation, id, expected, |task| match task.data.progress() {
        Progress::Open => Err(Error::conflict(format!("{} is open already", task.key()))),
        Progress::Done | Progress::Canceled => Ok(json!({ "completed_at": null, "canceled_at": null })),
    })
    .await
}

impl Records<Task> {
    /// Marks a task as done. One that repeats makes its next occurrence, a task that is named in `next_task_id`.
    ///
    /// # Errors
    ///
    /// As for [`complete_task`].
    pub async fn complete(&self, id: EntityId) -> Result<Stored<Task>> {
        let expected = self.expected;
        let run = |operation| async move { complete_task(&operation, id, expected).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Marks a task that was done or canceled as still to be done. The next occurrence that it made stays.
    ///
    /// # Errors
    ///
    /// As for [`reopen_task`].
    pub async fn reopen(&self, id: EntityId) -> Result<Stored<Task>> {
        let expected = self.expected;
        let run = |operation| async move { reopen_task(&operation, id, expected).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }
}
