use serde_json::json;

use crate::entity::comment::Comment;
use crate::entity::dependency::{Dependency, DependencyType};
use crate::entity::milestone::Milestone;
use crate::entity::project::Project;
use crate::entity::project_member::ProjectMember;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::tasks::{OfProject, OfTask, TaskFilter};
use crate::pim::{Everything, Record};
use crate::testing::conformance::Stage;
use crate::{ErrorKind, PageRequest};

use super::super::desk::{Desk, refusal};
use super::board::{Board, moment};

/// A project comes with a status of each category, one of which tasks begin in.
pub async fn project_comes_with_statuses(stage: Stage) {
    let board = Board::new(&stage).await;
    let of = OfProject { project_id: Some(board.project.id) };
    let statuses = board.desk.of::<TaskStatus>().list(of).all().await.unwrap();
    let categories: Vec<_> = statuses.iter().map(|status| status.data.category).collect();
    assert_eq!(categories, StatusCategory::ALL);
    assert!(statuses.is_sorted_by_key(|status| status.data.position.unwrap().number()));
    let todo = statuses.iter().find(|status| status.data.category == StatusCategory::Todo).unwrap();
    assert_eq!(board.project.data.default_status_id, Some(todo.id));
    let task = board.task(json!({})).await;
    assert_eq!((task.data.status_id, task.data.category()), (Some(todo.id), StatusCategory::Todo));
    // One commit made all of them.
    assert_eq!(statuses[4].stored.slice.tx_id, board.project.stored.slice.tx_id);
}

/// Two projects never have one identifier, however many are made at once, and a deleted one gives it back.
pub async fn project_identifier_is_unique(stage: Stage) {
    let desk = Desk::new(&stage);
    let shared = desk.clone();
    let made = stage
        .in_parallel(8, move |_, _| {
            let projects = shared.of::<Project>();
            Box::pin(async move { projects.create_from(json!({ "identifier": "API", "name": "x" })).await })
        })
        .await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refused in refused {
        assert_eq!(refusal(refused), (ErrorKind::Conflict, "/identifier".to_owned()));
    }
    let projects = desk.of::<Project>();
    let other = desk.create::<Project>(json!({ "identifier": "WEB", "name": "x" })).await;
    let taken = projects.update(other.id, json!({ "identifier": "API" })).await;
    assert_eq!(refusal(taken), (ErrorKind::Conflict, "/identifier".to_owned()));
    projects.update(other.id, json!({ "identifier": "WEB", "name": "y" })).await.unwrap();
    projects.delete(made[0].as_ref().unwrap().id).await.unwrap();
    projects.update(other.id, json!({ "identifier": "API" })).await.unwrap();
    let all = desk.of::<TaskStatus>().list(OfProject::default()).all().await.unwrap();
    assert_eq!(all.len(), 5, "those who were refused left no statuses");
}

/// The default status of a project is one of its own.
pub async fn default_status_is_one_of_the_project(stage: Stage) {
    let board = Board::new(&stage).await;
    let web = board.project("WEB").await;
    let projects = board.desk.of::<Project>();
    let foreign = board.status(web.id, StatusCategory::Backlog).await;
    let place = (ErrorKind::InvalidRequest, "/default_status_id".to_owned());
    for id in [json!(foreign), json!(board.project.id)] {
        assert_eq!(refusal(projects.update(board.project.id, json!({ "default_status_id": id })).await), place);
    }
    let body = json!({ "identifier": "X", "name": "x", "default_status_id": foreign });
    assert_eq!(refusal(projects.create_from(body).await), place);
    let backlog = board.status(board.project.id, StatusCategory::Backlog).await;
    projects.update(board.project.id, json!({ "default_status_id": backlog })).await.unwrap();
    assert_eq!(board.task(json!({})).await.data.status_id, Some(backlog));
    projects.update(board.project.id, json!({ "default_status_id": null })).await.unwrap();
    let todo = board.status(board.project.id, StatusCategory::Todo).await;
    assert_eq!(board.task(json!({})).await.data.status_id, Some(todo), "without a default it is the first to do");
}

/// Deleting a project deletes all that is part of it, in one commit, and nothing else.
pub async fn deleted_project_takes_its_tasks_along(stage: Stage) {
    async fn count<E: Record>(desk: &Desk, filter: E::Filter) -> usize {
        desk.of::<E>().list(filter).all().await.unwrap().len()
    }
    let board = Board::new(&stage).await;
    let web = board.project("WEB").await;
    let (desk, id) = (&board.desk, board.project.id);
    let ada = board.contact("Ada").await;
    desk.create::<Section>(json!({ "project_id": id, "name": "x" })).await;
    desk.create::<Milestone>(json!({ "project_id": id, "name": "x" })).await;
    desk.create::<ProjectMember>(json!({ "project_id": id, "contact_id": ada, "role": "lead" })).await;
    let task = board.task(json!({})).await;
    // A subtask goes with its task, also in another project.
    let sub = board.task(json!({ "parent_id": task.id, "project_id": web.id })).await;
    let kept = board.task(json!({ "project_id": web.id })).await;
    desk.create::<Comment>(json!({ "task_id": sub.id, "body": "x" })).await;
    desk.create::<Comment>(json!({ "task_id": kept.id, "body": "x" })).await;
    desk.of::<Task>().depend(task.id, DependencyType::Blocks, kept.id).await.unwrap();
    let before = moment(desk);
    let since = desk.pim.changes(desk.tenant, None, 200).await.unwrap().next_cursor;

    desk.of::<Project>().delete(id).await.unwrap();
    assert_eq!(desk.pim.changes(desk.tenant, Some(since), 200).await.unwrap().data.len(), 1);
    assert_eq!(count::<Project>(desk, Everything {}).await, 1);
    assert_eq!(count::<TaskStatus>(desk, OfProject::default()).await, 5);
    assert_eq!(count::<Section>(desk, OfProject::default()).await, 0);
    assert_eq!(count::<Milestone>(desk, OfProject::default()).await, 0);
    assert_eq!(count::<ProjectMember>(desk, OfProject::default()).await, 0);
    assert_eq!(count::<Dependency>(desk, OfTask::default()).await, 0);
    assert_eq!(count::<Comment>(desk, OfTask::default()).await, 1);
    let left = desk.of::<Task>().list(TaskFilter::default()).all().await.unwrap();
    assert_eq!(left.iter().map(|task| task.id).collect::<Vec<_>>(), [kept.id]);
    let then = desk.of::<Task>().as_of(before).list(TaskFilter::default()).all().await.unwrap();
    assert_eq!(then.len(), 3, "what was known before stays known");
    let seen = desk.of::<Task>().as_of(before).dependencies(kept.id, PageRequest::default()).await.unwrap();
    assert_eq!(seen.data[0].task_id, task.id);
}

/// No task is left in a project that is deleted while tasks are made in it.
pub async fn task_does_not_outlive_its_project(stage: Stage) {
    let board = Board::new(&stage).await;
    let shared = board.clone();
    let made = stage
        .in_parallel(9, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                if n == 4 {
                    board.desk.of::<Project>().delete(board.project.id).await.unwrap();
                    return None;
                }
                let body = json!({ "title": "x", "project_id": board.project.id });
                Some(board.desk.of::<Task>().create_from(body).await)
            })
        })
        .await;
    for refused in made.into_iter().flatten().filter(Result::is_err) {
        let (kind, pointer) = refusal(refused);
        // It was deleted before the task was looked at, or while it was, and then there was no project any more.
        assert_eq!((kind, pointer.as_str()), (ErrorKind::InvalidRequest, "/project_id"));
    }
    assert!(board.desk.of::<Task>().list(TaskFilter::default()).all().await.unwrap().is_empty());
}

/// A project that is wrong is refused at its place, and leaves nothing behind.
pub async fn wrong_project_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let projects = desk.of::<Project>();
    for (body, pointer) in [
        (json!({ "identifier": "api", "name": "x" }), "/identifier"),
        (json!({ "identifier": "API", "name": "" }), "/name"),
        (json!({ "identifier": "API", "name": "x", "status": "done" }), "/status"),
        (json!({ "identifier": "API", "name": "x", "target_date": "2026-13-01" }), "/target_date"),
        (json!({ "identifier": "API", "name": "x", "next_task_number": 7 }), "/next_task_number"),
    ] {
        let refused = refusal(projects.create_from(body).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    assert!(projects.list(Everything {}).await.unwrap().data.is_empty());
    assert!(desk.of::<TaskStatus>().list(OfProject::default()).await.unwrap().data.is_empty());
}
