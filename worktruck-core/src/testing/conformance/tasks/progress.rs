use serde_json::json;

use crate::ErrorKind;
use crate::entity::task::{Progress, Task};
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::Stored;
use crate::pim::tasks::TaskFilter;
use crate::testing::conformance::Stage;

use super::super::desk::refusal;
use super::board::{Board, moment};

/// A task is done once: doing it again is refused, also at the same time, until it is opened again.
pub async fn completed_task_is_completed_once(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, task) = (board.desk.of::<Task>(), board.task(json!({})).await);
    let at = board.desk.wait(0);
    let shared = tasks.clone();
    let done = stage
        .in_parallel(6, move |_, _| {
            let (tasks, id) = (shared.clone(), task.id);
            Box::pin(async move { tasks.complete(id).await })
        })
        .await;
    let (done, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 5));
    for refused in refused {
        assert_eq!(refusal(refused).0, ErrorKind::Conflict);
    }
    let found = board.get::<Task>(task.id).await;
    assert_eq!((found.data.completed_at, found.version()), (Some(at), 2));
    assert_eq!(found.data.status_id, Some(board.status(board.project.id, StatusCategory::Done).await));

    let open = tasks.reopen(task.id).await.unwrap().data;
    assert_eq!((open.completed_at, open.status_id), (None, board.project.data.default_status_id));
    assert_eq!(refusal(tasks.reopen(task.id).await).0, ErrorKind::Conflict);
    tasks.update(task.id, json!({ "canceled_at": at })).await.unwrap();
    assert_eq!(refusal(tasks.complete(task.id).await).0, ErrorKind::Conflict);
    tasks.reopen(task.id).await.unwrap();
    board.desk.wait(5);
    assert_eq!(tasks.complete(task.id).await.unwrap().data.completed_at, Some(board.desk.wait(0)));
    assert_eq!(refusal(tasks.complete(board.project.id).await).0, ErrorKind::NotFound);
}

/// The status and the times agree, whichever of them a write changes.
pub async fn status_and_times_agree(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, project) = (board.desk.of::<Task>(), board.project.id);
    let todo = board.status(project, StatusCategory::Todo).await;
    let active = board.status(project, StatusCategory::InProgress).await;
    let done = board.status(project, StatusCategory::Done).await;
    let canceled = board.status(project, StatusCategory::Canceled).await;
    let now = board.desk.wait(0);
    let past = "2026-01-01T00:00:00Z";
    let known = past.parse().unwrap();
    let check = |task: &Stored<Task>, status, completed, canceled| {
        let data = &task.data;
        assert_eq!((data.status_id, data.completed_at, data.canceled_at), (Some(status), completed, canceled));
        let category = data.status_category.unwrap();
        assert_eq!(Progress::from(category), data.progress(), "{category:?}");
    };
    let task = board.task(json!({ "status_id": active })).await;
    check(&task, active, None, None);
    for (patch, status, completed, given_up) in [
        (json!({ "status_id": done }), done, Some(now), None),
        (json!({ "title": "else" }), done, Some(now), None),
        (json!({ "completed_at": past }), done, Some(known), None),
        (json!({ "status_id": canceled }), canceled, None, Some(now)),
        (json!({ "completed_at": past }), done, Some(known), None),
        (json!({ "canceled_at": past }), canceled, None, Some(known)),
        (json!({ "canceled_at": null }), todo, None, None),
        (json!({ "status_id": active }), active, None, None),
        (json!({ "status_id": done, "completed_at": past }), done, Some(known), None),
        (json!({ "status_id": todo }), todo, None, None),
        (json!({ "completed_at": past }), done, Some(known), None),
        (json!({ "status_id": null }), done, Some(known), None),
        (json!({ "completed_at": null, "canceled_at": null }), todo, None, None),
    ] {
        let task = tasks.update(task.id, patch).await.unwrap();
        check(&task, status, completed, given_up);
    }
    for (body, place) in [
        (json!({ "completed_at": past, "canceled_at": past }), "/canceled_at"),
        (json!({ "status_id": active, "completed_at": past }), "/completed_at"),
        (json!({ "status_id": done, "canceled_at": past }), "/canceled_at"),
    ] {
        let expected = (ErrorKind::InvalidRequest, place.to_owned());
        assert_eq!(refusal(tasks.update(task.id, body.clone()).await), expected, "{body}");
        let mut body = body;
        body.as_object_mut()
            .unwrap()
            .extend(json!({ "title": "x", "project_id": project }).as_object().unwrap().clone());
        assert_eq!(refusal(tasks.create_from(body.clone()).await), expected, "{body}");
    }
    check(&board.task(json!({ "completed_at": past })).await, done, Some(known), None);
    check(&board.task(json!({ "status_id": canceled })).await, canceled, None, Some(now));

    let loose = board.loose(json!({})).await;
    let data = tasks.complete(loose.id).await.unwrap().data;
    assert_eq!((data.status_id, data.status_category), (None, Some(StatusCategory::Done)));
    let data = tasks.update(loose.id, json!({ "canceled_at": past })).await.unwrap().data;
    assert_eq!((data.completed_at, data.status_category), (None, Some(StatusCategory::Canceled)));
}

/// A status that tasks have, or that they begin in, is not deleted.
pub async fn status_in_use_is_not_deleted(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, statuses) = (board.desk.of::<Task>(), board.desk.of::<TaskStatus>());
    let done = board.status(board.project.id, StatusCategory::Done).await;
    let default = board.project.data.default_status_id.unwrap();
    assert_eq!(refusal(statuses.delete(default).await).0, ErrorKind::Conflict);
    let task = board.task(json!({ "status_id": done })).await;
    assert_eq!(refusal(statuses.delete(done).await).0, ErrorKind::Conflict);
    tasks.reopen(task.id).await.unwrap();
    statuses.delete(done).await.unwrap();
    let refused = tasks.complete(task.id).await;
    assert_eq!(refusal(refused).0, ErrorKind::Conflict, "there is no status for it any more");
    tasks.delete(task.id).await.unwrap();

    // Whoever is first: the task that gets the status, or the deletion.
    let last = board.status(board.project.id, StatusCategory::InProgress).await;
    let shared = board.clone();
    let results = stage
        .in_parallel(8, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                if n % 2 == 0 {
                    return board.desk.of::<TaskStatus>().delete(last).await.is_ok();
                }
                let body = json!({ "title": "x", "project_id": board.project.id, "status_id": last });
                board.desk.of::<Task>().create_from(body).await.is_ok()
            })
        })
        .await;
    let is_deleted = results.iter().step_by(2).any(|is_ok| *is_ok);
    let is_used = results.iter().skip(1).step_by(2).any(|is_ok| *is_ok);
    assert_ne!(is_deleted, is_used);
}

/// A status that comes to mean something else does so for all tasks that have it.
pub async fn status_that_means_something_else_does_so_for_its_tasks(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, statuses) = (board.desk.of::<Task>(), board.desk.of::<TaskStatus>());
    let status = board.status(board.project.id, StatusCategory::InProgress).await;
    let task = board.task(json!({ "status_id": status })).await;
    let then = moment(&board.desk);
    let of = |category| TaskFilter { status_category: Some(category), ..TaskFilter::default() };
    statuses.update(status, json!({ "category": "backlog" })).await.unwrap();
    assert_eq!(tasks.list(of(StatusCategory::Backlog)).all().await.unwrap()[0].id, task.id);
    let at = board.desk.wait(0);
    statuses.update(status, json!({ "category": "done" })).await.unwrap();
    let found = board.get::<Task>(task.id).await.data;
    assert_eq!((found.status_category, found.completed_at), (Some(StatusCategory::Done), Some(at)));
    statuses.update(status, json!({ "category": "todo", "name": "x" })).await.unwrap();
    let found = board.get::<Task>(task.id).await.data;
    assert_eq!((found.status_category, found.completed_at), (Some(StatusCategory::Todo), None));
    let past = tasks.as_of(then);
    assert_eq!(past.list(of(StatusCategory::InProgress)).all().await.unwrap().len(), 1);
    assert!(past.list(of(StatusCategory::Todo)).all().await.unwrap().is_empty());

    // No task takes the status for what it meant before.
    let shared = board.clone();
    let made = stage
        .in_parallel(9, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                if n == 4 {
                    let patch = json!({ "category": "canceled" });
                    board.desk.of::<TaskStatus>().update(status, patch).await.unwrap();
                    return None;
                }
                Some(board.task(json!({ "status_id": status })).await.id)
            })
        })
        .await;
    for id in made.into_iter().flatten() {
        let found = board.get::<Task>(id).await.data;
        assert_eq!(found.status_category, Some(StatusCategory::Canceled));
        assert!(found.canceled_at.is_some());
    }
}
