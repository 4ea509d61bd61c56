use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::comment::Comment;
use crate::entity::milestone::Milestone;
use crate::entity::project_member::ProjectMember;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::entity::{Entity, Kind, Term};
use crate::pim::{ByTime, Deleting, Filter, Operation, Record, Stored, Writing};
use crate::store::{Changes, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

/// What lists of what belongs to a project can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OfProject {
    /// The project.
    pub project_id: Option<EntityId>,
}

/// What lists of what belongs to a task can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OfTask {
    /// The task.
    pub task_id: Option<EntityId>,
}

#[async_trait]
impl Filter for OfProject {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("project_id", self.project_id))
    }
}

#[async_trait]
impl Filter for OfTask {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("task_id", self.task_id))
    }
}

#[async_trait]
impl Record for Section {
    type Filter = OfProject;
    type Sort = ByTime;

    fn complete(body: &mut Value, old: Option<&Stored<Self>>, operation: &Operation) -> Result<()> {
        place_last(body, old, operation);
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/project_id", Kind::Project, |section| section.project_id).await
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        take_off_tasks(deleting, "section_id").await
    }
}

#[async_trait]
impl Record for Milestone {
    type Filter = OfProject;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/project_id", Kind::Project, |milestone| milestone.project_id).await
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        take_off_tasks(deleting, "milestone_id").await
    }
}

#[async_trait]
impl Record for ProjectMember {
    type Filter = OfProject;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/project_id", Kind::Project, |member| member.project_id).await?;
        writing.refer("/contact_id", Kind::Contact, |member| Some(member.contact_id)).await?;
        let term = writing.new.member_term();
        only_one(writing, "/contact_id", term, "the contact is a member of the project already").await
    }
}

#[async_trait]
impl Record for Comment {
    type Filter = OfTask;
    type Sort = ByTime;

    /// Whoever writes a comment first is its author.
    fn complete(body: &mut Value, old: Option<&Stored<Self>>, operation: &Operation) -> Result<()> {
        let Some(members) = body.as_object_mut() else { return Ok(()) };
        let author = match old {
            Some(old) => old.data.author.as_deref().map(|author| json!(author)),
            None => Some(json!(&*operation.principal)),
        };
        match members.get("author") {
            None | Some(Value::Null) => {
                members.remove("author");
                members.extend(author.map(|author| ("author".to_owned(), author)));
                Ok(())
            }
            given if given == author.as_ref() => Ok(()),
            Some(_) => {
                Err(Error::invalid("the author is whoever writes the comment first; leave it out").at("/author"))
            }
        }
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/task_id", Kind::Task, |comment| comment.task_id).await
    }
}

#[async_trait]
impl Record for TaskLink {
    type Filter = OfTask;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        belongs(writing, "/task_id", Kind::Task, |link| link.task_id).await
    }
}

/// Gives a new entity without a position one behind all that came without one before, and keeps that of an old one.
pub(super) fn place_last<E>(body: &mut Value, old: Option<&Stored<E>>, operation: &Operation) {
    let Some(members) = body.as_object_mut() else { return };
    if members.get("position").is_none_or(Value::is_null) {
        let kept = old.and_then(|old| old.stored.slice.body.as_ref()?.get("position").cloned());
        let last = || json!(operation.now().as_micros().div_euclid(1_000));
        members.insert("position".to_owned(), kept.unwrap_or_else(last));
    }
}

/// Checks that what something belongs to exists when it is new, and stays what it was.
pub(super) async fn belongs<E: Entity>(
    writing: &mut Writing<'_, E>,
    pointer: &str,
    kind: Kind,
    owner: impl Fn(&E) -> EntityId,
) -> Result<()> {
    if writing.old.is_some_and(|old| owner(&old.data) != owner(writing.new)) {
        let message = format!("a {} stays with its {kind}; make a new one there", E::KIND);
        return Err(Error::invalid(message).at(pointer));
    }
    writing.refer(pointer, kind, |entity| Some(owner(entity))).await
}

/// Checks that no other entity of the kind has the term.
pub(super) async fn only_one<E: Entity>(
    writing: &mut Writing<'_, E>,
    pointer: &str,
    term: Term,
    message: &str,
) -> Result<()> {
    let mut query = ListQuery::new(E::KIND);
    query.terms.push(term.clone());
    let found = writing.operation.all::<E>(query).await?;
    if found.iter().any(|found| found.id != writing.id) {
        return Err(Error::conflict(message).at(pointer));
    }
    writing.require(Require::UniqueTerm { kind: E::KIND, term });
    Ok(())
}

/// Takes what is deleted off the tasks that have it in `field`.
async fn take_off_tasks<E: Entity>(deleting: &mut Deleting<'_, E>, field: &str) -> Result<()> {
    let term = Term::new(field, deleting.old.id.to_string());
    let changes = change_tasks(deleting.operation, term, |_| json!({ field: null })).await?;
    deleting.changes = std::mem::take(&mut deleting.changes).and(changes);
    Ok(())
}

/// Changes all tasks that have a term, after which none may have it.
pub(super) async fn change_tasks(operation: &Operation, term: Term, patch: impl Fn(&Task) -> Value) -> Result<Changes> {
    let mut query = ListQuery::new(Kind::Task);
    query.terms.push(term.clone());
    let mut changes = Changes::none().require(Require::NoTerm { kind: Kind::Task, term });
    for task in operation.all::<Task>(query).await? {
        let (key, version) = (task.key(), task.version());
        changes = changes
            .require(Require::Version { key, version })
            .write_valid(key, operation.write(WriteOp::Patch(patch(&task.data))));
    }
    Ok(changes)
}
