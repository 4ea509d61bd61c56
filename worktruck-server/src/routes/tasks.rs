//! Projects and tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use worktruck_core::EntityId;
use worktruck_core::entity::comment::Comment;
use worktruck_core::entity::dependency::DependencyType;
use worktruck_core::entity::label::Label;
use worktruck_core::entity::milestone::Milestone;
use worktruck_core::entity::project::Project;
use worktruck_core::entity::project_member::ProjectMember;
use worktruck_core::entity::section::Section;
use worktruck_core::entity::task::Task;
use worktruck_core::entity::task_link::TaskLink;
use worktruck_core::entity::task_status::TaskStatus;
use worktruck_core::pim::tasks::{TaskFilter, TaskSort};

use crate::answer::{Created, Many, Nothing, One};
use crate::body::Json;
use crate::call::Call;
use crate::entities::{Called, shown};
use crate::route::Routes;
use crate::schema::Kept;
use crate::{Domain, Failure};

/// The routes of projects and tasks.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Tasks)
        .entity::<Project>("/projects", Called("a project", "projects"))
        .parts::<TaskStatus>("/projects/{id}/statuses", Called("a status", "the statuses of a project"))
        .parts::<Section>("/projects/{id}/sections", Called("a section", "the sections of a project"))
        .parts::<Milestone>("/projects/{id}/milestones", Called("a milestone", "the milestones of a project"))
        .parts::<ProjectMember>("/projects/{id}/members", Called("a member", "the members of a project"))
        .entity::<Task>("/tasks", Called("a task", "tasks"))
        .get("/tasks/by-identifier/{identifier}", "Finds a task by its identifier.", by_identifier)
        .list("/tasks/{id}/subtasks", "Lists the parts of a task.", subtasks)
        .sorted::<TaskSort>()
        .post("/tasks/{id}/complete", "Completes a task.", complete)
        .post("/tasks/{id}/reopen", "Opens a task again.", reopen)
        .list("/tasks/{id}/dependencies", "Lists the dependencies of a task.", dependencies)
        .post("/tasks/{id}/dependencies", "Makes a task depend on another.", depend)
        .delete("/tasks/{id}/dependencies/{part_id}", "Ends a dependency.", end_dependency)
        .parts::<Comment>("/tasks/{id}/comments", Called("a comment", "the comments on a task"))
        .put("/tasks/{id}/labels/{name}", "Labels a task.", label)
        .delete("/tasks/{id}/labels/{name}", "Takes a label from a task.", unlabel)
        .part_lists::<TaskLink>("/tasks/{id}/links", Called("a link", "the links of a task"))
        .entity::<Label>("/labels", Called("a label", "labels"))
}

async fn by_identifier(call: Call) -> Result<One<Task>, Failure> {
    Ok(call.records::<Task>().by_identifier(call.text("identifier")).await?.into())
}

async fn subtasks(call: Call) -> Result<Many<Task>, Failure> {
    let (records, task) = (call.records::<Task>(), call.id()?);
    records.get(task).await?;
    let page = call.ordered(records.list(TaskFilter { parent_id: Some(task), ..TaskFilter::default() }))?.await?;
    shown(&records, page).await
}

async fn complete(call: Call) -> Result<One<Task>, Failure> {
    Ok(call.records::<Task>().complete(call.id()?).await?.into())
}

async fn reopen(call: Call) -> Result<One<Task>, Failure> {
    Ok(call.records::<Task>().reopen(call.id()?).await?.into())
}

/// A dependency as the task of the path sees it.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "TaskDependency")]
struct Dependency {
    /// The other task.
    task_id: EntityId,
    /// What the task of the path is to the other.
    r#type: DependencyType,
    /// Whatever the application keeps with it.
    metadata: Map<String, Value>,
}

impl Kept for Dependency {
    const INNER: &'static [&'static str] = &[];
}

/// What a task is to another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Depend {
    /// The other task.
    task_id: EntityId,
    /// What the task of the path is to it.
    r#type: DependencyType,
}

async fn dependencies(call: Call) -> Result<Many<Dependency>, Failure> {
    let page = call.records::<Task>().dependencies(call.id()?, call.page()?).await?;
    Ok(Many::new(page.map(|dependency| dependency.resource())))
}

async fn depend(call: Call<(), Json<Depend>>) -> Result<Created<Dependency>, Failure> {
    let Depend { task_id, r#type } = call.body.0;
    let made = call.records::<Task>().depend(call.id()?, r#type, task_id).await?;
    let one = One::new(made.resource(), made.dependency.version());
    Ok(Created::at(&call.context.place, made.dependency.id, one))
}

async fn end_dependency(call: Call) -> Result<Nothing, Failure> {
    call.records::<Task>().end_dependency(call.id()?, call.named("part_id")?).await?;
    Ok(Nothing)
}

async fn label(call: Call) -> Result<One<Task>, Failure> {
    Ok(call.records::<Task>().label(call.id()?, call.text("name")).await?.into())
}

async fn unlabel(call: Call) -> Result<Nothing, Failure> {
    call.records::<Task>().unlabel(call.id()?, call.text("name")).await?;
    Ok(Nothing)
}
