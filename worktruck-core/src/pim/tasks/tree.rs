use crate::entity::Kind;
use crate::entity::task::Task;
use crate::pim::{MOST_TOGETHER, Writing};
use crate::temporal::At;
use crate::{Error, Result};

use super::counter::{counter, take};

/// Checks that the parent exists and is no part of the task itself, at whatever depth.
pub(super) async fn check_parent(writing: &mut Writing<'_, Task>) -> Result<()> {
    writing.refer("/parent_id", Kind::Task, |task| task.parent_id).await?;
    // A new task has no parts yet.
    let Some(old) = writing.old else { return Ok(()) };
    if writing.new.parent_id.is_none() || writing.new.parent_id == old.data.parent_id {
        return Ok(());
    }
    let operation = writing.operation;
    let (_, alone) = take(operation, counter("task_parents")).await?;
    writing.changes = std::mem::take(&mut writing.changes).and(alone);
    let mut above = writing.new.parent_id;
    for _ in 0..MOST_TOGETHER {
        let Some(id) = above else { return Ok(()) };
        if id == writing.id {
            let message = "a task cannot be part of itself or of one of its subtasks; choose another parent";
            return Err(Error::conflict(message).at("/parent_id"));
        }
        above = operation.find_at::<Task>(id, At::NOW).await?.and_then(|task| task.data.parent_id);
    }
    Err(Error::conflict(format!("more than {MOST_TOGETHER} tasks would be above each other")).at("/parent_id"))
}
