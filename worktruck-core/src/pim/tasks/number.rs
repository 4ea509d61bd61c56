use crate::Result;
use crate::entity::project::Project;
use crate::entity::task::Task;
use crate::pim::{Stored, Writing};
use crate::store::{NextNumber, Require};

use super::counter::{counter, take};

/// The counter of the tasks whose identifiers begin with that of a project.
///
/// It is that of the identifier, not of the project: another project may have the identifier later.
pub(super) fn counter_of(project: &Project) -> crate::EntityId {
    counter(&format!("task_number:{}", project.identifier))
}

/// Gives the task that is written the next number of `project`.
pub(super) async fn give(writing: &mut Writing<'_, Task>, project: &Stored<Project>) -> Result<()> {
    // The project must not be renamed meanwhile.
    writing.require(Require::Version { key: project.key(), version: project.version() });
    let counter = counter_of(&project.data);
    let prefix = format!("{}-", project.data.identifier);
    if writing.old.is_none() {
        let (key, field) = (writing.key(), "identifier".to_owned());
        writing.changes.numbers.push(NextNumber { counter, key, field, prefix });
        return Ok(());
    }
    // A store numbers what is created, not what is patched.
    let (number, taken) = take(writing.operation, counter).await?;
    writing.new.identifier = Some(format!("{prefix}{number}"));
    writing.changes = std::mem::take(&mut writing.changes).and(taken);
    Ok(())
}
