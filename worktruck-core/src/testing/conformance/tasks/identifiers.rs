use serde_json::json;

use crate::ErrorKind;
use crate::entity::milestone::Milestone;
use crate::entity::project::Project;
use crate::entity::section::Section;
use crate::entity::task::Task;
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::testing::conformance::Stage;

use super::super::desk::refusal;
use super::board::{Board, moment};

/// Tasks made at once in one project are numbered without gap or repeat, whatever else fails meanwhile.
pub async fn identifiers_neither_repeat_nor_skip(stage: Stage) {
    let board = Board::new(&stage).await;
    let shared = board.clone();
    let made = stage
        .in_parallel(48, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                // Every third fails: in its own fields, or at what it refers to.
                let body = match n % 6 {
                    2 => json!({ "title": "", "project_id": board.project.id }),
                    5 => json!({ "title": "x", "project_id": board.project.id, "parent_id": board.project.id }),
                    _ => json!({ "title": "x", "project_id": board.project.id }),
                };
                board.desk.of::<Task>().create_from(body).await
            })
        })
        .await;
    let identifier = |task: crate::pim::Stored<Task>| task.data.identifier.unwrap();
    let mut found: Vec<String> = made.into_iter().filter_map(|made| made.ok().map(identifier)).collect();
    let number = |text: &String| text.strip_prefix("API-").unwrap().parse::<u32>().unwrap();
    found.sort_by_key(number);
    assert_eq!(found.iter().map(number).collect::<Vec<_>>(), (1..=32).collect::<Vec<_>>());
    assert_eq!(board.desk.of::<Project>().detail(board.project.id).await.unwrap().next_task_number, 33);
}

/// The number of a deleted task is not given again, and what comes next is known at any moment.
pub async fn number_of_a_deleted_task_is_not_given_again(stage: Stage) {
    let board = Board::new(&stage).await;
    let (projects, tasks) = (board.desk.of::<Project>(), board.desk.of::<Task>());
    assert_eq!(projects.detail(board.project.id).await.unwrap().next_task_number, 1);
    let before = moment(&board.desk);
    let first = board.task(json!({})).await;
    tasks.delete(first.id).await.unwrap();
    assert_eq!(board.task(json!({})).await.data.identifier.as_deref(), Some("API-2"));
    assert_eq!(projects.detail(board.project.id).await.unwrap().next_task_number, 3);
    assert_eq!(projects.clone().as_of(before).detail(board.project.id).await.unwrap().next_task_number, 1);

    // Nor does another project with the same identifier give it again.
    projects.delete(board.project.id).await.unwrap();
    let again = board.project("API").await;
    let task = board.task(json!({ "project_id": again.id })).await;
    assert_eq!(task.data.identifier.as_deref(), Some("API-3"));
}

/// A task is found by its identifier, in the present and in the past.
pub async fn task_is_found_by_its_identifier(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let task = board.task(json!({})).await;
    board.task(json!({})).await;
    let then = moment(&board.desk);
    assert_eq!(tasks.by_identifier("API-1").await.unwrap(), task);
    for unknown in ["API-3", "API", "api-1", "", "WEB-1"] {
        assert_eq!(refusal(tasks.by_identifier(unknown).await).0, ErrorKind::NotFound);
    }
    tasks.delete(task.id).await.unwrap();
    assert_eq!(refusal(tasks.by_identifier("API-1").await).0, ErrorKind::NotFound);
    assert_eq!(tasks.as_of(then).by_identifier("API-1").await.unwrap().stored.resource(), task.stored.resource());
}

/// A project that is renamed leaves the identifiers of its tasks alone, and numbers the next ones anew.
pub async fn renamed_project_numbers_anew(stage: Stage) {
    let board = Board::new(&stage).await;
    let projects = board.desk.of::<Project>();
    let first = board.task(json!({})).await;
    projects.update(board.project.id, json!({ "identifier": "NEW" })).await.unwrap();
    assert_eq!(board.get::<Task>(first.id).await.data.identifier.as_deref(), Some("API-1"));
    assert_eq!(board.task(json!({})).await.data.identifier.as_deref(), Some("NEW-1"));
    let other = board.project("API").await;
    let task = board.task(json!({ "project_id": other.id })).await;
    assert_eq!(task.data.identifier.as_deref(), Some("API-2"), "API-1 is taken");
}

/// A task that moves gets an identifier of where it goes, a status that means the same, and leaves the rest behind.
pub async fn task_that_moves_is_numbered_there(stage: Stage) {
    let board = Board::new(&stage).await;
    let (web, tasks) = (board.project("WEB").await, board.desk.of::<Task>());
    let section = board.desk.create::<Section>(json!({ "project_id": board.project.id, "name": "x" })).await;
    let milestone = board.desk.create::<Milestone>(json!({ "project_id": board.project.id, "name": "x" })).await;
    let status = board.status(board.project.id, StatusCategory::InProgress).await;
    let fields = json!({ "section_id": section.id, "milestone_id": milestone.id, "status_id": status });
    let task = board.task(fields).await;
    board.task(json!({ "project_id": web.id })).await;

    let moved = tasks.update(task.id, json!({ "project_id": web.id })).await.unwrap().data;
    assert_eq!(moved.identifier.as_deref(), Some("WEB-2"));
    assert_eq!((moved.section_id, moved.milestone_id), (None, None));
    assert_eq!(moved.status_id, Some(board.status(web.id, StatusCategory::InProgress).await));
    assert_eq!(board.task(json!({ "project_id": web.id })).await.data.identifier.as_deref(), Some("WEB-3"));

    let done = board.status(board.project.id, StatusCategory::Done).await;
    let patch = json!({ "project_id": board.project.id, "section_id": section.id, "status_id": done });
    let back = tasks.update(task.id, patch).await.unwrap().data;
    assert_eq!((back.identifier.as_deref(), back.section_id), (Some("API-2"), Some(section.id)));
    assert!(back.completed_at.is_some());

    let loose = tasks.update(task.id, json!({ "project_id": null })).await.unwrap().data;
    assert_eq!((loose.identifier, loose.section_id, loose.status_id), (None, None, None));
    assert_eq!((loose.completed_at, loose.status_category), (back.completed_at, Some(StatusCategory::Done)));
    assert_eq!(refusal(tasks.by_identifier("API-1").await).0, ErrorKind::NotFound);

    let loose = board.loose(json!({})).await;
    assert_eq!((loose.data.identifier.as_deref(), loose.data.status_category), (None, Some(StatusCategory::Todo)));
    let backlog = board.status(web.id, StatusCategory::Backlog).await;
    board.desk.of::<Project>().update(web.id, json!({ "default_status_id": backlog })).await.unwrap();
    let moved = tasks.update(loose.id, json!({ "project_id": web.id })).await.unwrap().data;
    assert_eq!((moved.identifier.as_deref(), moved.status_id), (Some("WEB-4"), Some(backlog)));
}

/// Tasks that move and tasks that are made at once are numbered together.
pub async fn tasks_that_move_at_once_share_no_number(stage: Stage) {
    let board = Board::new(&stage).await;
    let mut loose = Vec::new();
    for _ in 0..6 {
        loose.push(board.loose(json!({})).await.id);
    }
    let shared = board.clone();
    let found = stage
        .in_parallel(12, move |n, _| {
            let (board, loose) = (shared.clone(), loose.get(usize::try_from(n).unwrap()).copied());
            Box::pin(async move {
                let tasks = board.desk.of::<Task>();
                let task = match loose {
                    Some(id) => tasks.update(id, json!({ "project_id": board.project.id })).await.unwrap(),
                    None => board.task(json!({})).await,
                };
                task.data.identifier.unwrap()
            })
        })
        .await;
    let mut numbers: Vec<u32> = found.iter().map(|text| text.strip_prefix("API-").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
}

/// What a task is in must be of the project that it is in, and a task of no project is in nothing.
pub async fn task_is_in_parts_of_its_own_project(stage: Stage) {
    let board = Board::new(&stage).await;
    let web = board.project("WEB").await;
    let section = board.desk.create::<Section>(json!({ "project_id": web.id, "name": "x" })).await.id;
    let milestone = board.desk.create::<Milestone>(json!({ "project_id": web.id, "name": "x" })).await.id;
    let status =
        board.desk.create::<TaskStatus>(json!({ "project_id": web.id, "name": "x", "category": "todo" })).await.id;
    let (tasks, task) = (board.desk.of::<Task>(), board.task(json!({})).await);
    let nobody = board.project.id;
    for (field, id) in [("section_id", section), ("milestone_id", milestone), ("status_id", status)] {
        let place = (ErrorKind::InvalidRequest, format!("/{field}"));
        for id in [id, nobody] {
            let body = json!({ "title": "x", "project_id": board.project.id, field: id });
            assert_eq!(refusal(tasks.create_from(body).await), place);
            assert_eq!(refusal(tasks.update(task.id, json!({ field: id })).await), place);
        }
        assert_eq!(refusal(tasks.create_from(json!({ "title": "x", field: id })).await), place);
        let there = board.task(json!({ "project_id": web.id, field: id })).await;
        assert_eq!(there.resource()[field], json!(id));
    }
    let refused = tasks.create_from(json!({ "title": "x", "project_id": section })).await;
    assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, "/project_id".to_owned()));
}
