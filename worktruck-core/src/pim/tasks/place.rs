use crate::entity::Entity;
use crate::entity::milestone::Milestone;
use crate::entity::project::Project;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::pim::{Operation, Stored, Writing};
use crate::store::Require;
use crate::temporal::At;
use crate::{EntityId, Error, Result};

use super::number;

/// Checks where a task belongs, and numbers one that comes into a project.
pub(super) async fn settle(writing: &mut Writing<'_, Task>) -> Result<()> {
    let old = writing.old.map(|old| &old.data);
    let before = old.and_then(|old| old.project_id);
    let new = &mut *writing.new;
    if let Some(old) = old.filter(|_| before != new.project_id) {
        // What is of the project that it leaves stays there.
        for (id, old) in [
            (&mut new.section_id, old.section_id),
            (&mut new.milestone_id, old.milestone_id),
            (&mut new.status_id, old.status_id),
        ] {
            *id = id.filter(|_| *id != old);
        }
    }
    let Some(project_id) = new.project_id else {
        for (pointer, id) in
            [("/section_id", new.section_id), ("/milestone_id", new.milestone_id), ("/status_id", new.status_id)]
        {
            if id.is_some() {
                return Err(Error::invalid("a task without a project has none; give it a project_id").at(pointer));
            }
        }
        new.identifier = None;
        return Ok(());
    };
    if before != Some(project_id) {
        let project = expect::<Project>(writing.operation, "/project_id", project_id).await?;
        number::give(writing, &project).await?;
    }
    of_project::<Section>(writing, "/section_id", |task| task.section_id, |section| section.project_id).await?;
    of_project::<Milestone>(writing, "/milestone_id", |task| task.milestone_id, |milestone| milestone.project_id).await
}

/// What is referred to from `pointer`.
pub(super) async fn expect<E: Entity>(operation: &Operation, pointer: &str, id: EntityId) -> Result<Stored<E>> {
    let found = operation.find_at(id, At::NOW).await?;
    found.ok_or_else(|| Error::invalid(format!("{} {id} does not exist", E::KIND)).at(pointer))
}

/// The error of something that is not of the project that is meant.
pub(super) fn of_another_project<E: Entity>(pointer: &str) -> Error {
    Error::invalid(format!("the {} is one of another project; choose one of this project", E::KIND)).at(pointer)
}

/// Checks that what a task is newly in is of the project of the task.
async fn of_project<E: Entity>(
    writing: &mut Writing<'_, Task>,
    pointer: &str,
    field: impl Fn(&Task) -> Option<EntityId>,
    project: impl Fn(&E) -> EntityId,
) -> Result<()> {
    let Some(id) = field(writing.new) else { return Ok(()) };
    if writing.old.and_then(|old| field(&old.data)) == Some(id) {
        return Ok(());
    }
    let found = expect::<E>(writing.operation, pointer, id).await?;
    if Some(project(&found.data)) != writing.new.project_id {
        return Err(of_another_project::<E>(pointer));
    }
    writing.require(Require::Exists { key: found.key() });
    Ok(())
}
