use serde_json::json;

use crate::ErrorKind;
use crate::entity::task::Task;
use crate::pim::tasks::TaskFilter;
use crate::testing::conformance::Stage;

use super::super::desk::refusal;
use super::board::{Board, moment};

/// A task that is wrong is refused at its place, uses no number, and nothing of it is written.
pub async fn wrong_task_is_refused(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, project) = (board.desk.of::<Task>(), board.project.id);
    let task = board.task(json!({ "due_date": "2026-04-14", "rrule": "FREQ=DAILY" })).await;
    for (fields, pointer) in [
        (json!({ "title": "" }), "/title"),
        (json!({ "priority": 5 }), "/priority"),
        (json!({ "priority": "high" }), "/priority"),
        (json!({ "due_date": "2026-04-14", "due_at": "2026-04-14T00:00:00Z" }), "/due_at"),
        (json!({ "due_date": "2026-04-31" }), "/due_date"),
        (json!({ "deadline": "2026-04-14T00:00:00Z" }), "/deadline"),
        (json!({ "snoozed_until": "2026-04-14" }), "/snoozed_until"),
        (json!({ "estimation_minutes": 1.5 }), "/estimation_minutes"),
        (json!({ "labels": ["a", " "] }), "/labels/1"),
        (json!({ "assignee_id": project }), "/assignee_id"),
        (json!({ "creator_id": project }), "/creator_id"),
        (json!({ "project_id": task.id }), "/project_id"),
        (json!({ "parent_id": project }), "/parent_id"),
        (json!({ "recurrence_basis": "sometimes" }), "/recurrence_basis"),
        (json!({ "metadata": { "a": "\0" } }), "/metadata/a"),
        // What the server fills in is not for others.
        (json!({ "identifier": "API-7" }), "/identifier"),
        (json!({ "status_category": "done" }), "/status_category"),
        (json!({ "next_occurrence": "2027-01-01" }), "/next_occurrence"),
        (json!({ "next_task_id": project }), "/next_task_id"),
    ] {
        let mut body = json!({ "title": "x", "project_id": project });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let expected = (ErrorKind::InvalidRequest, pointer.to_owned());
        assert_eq!(refusal(tasks.create_from(body).await), expected, "{fields}");
        assert_eq!(refusal(tasks.update(task.id, fields.clone()).await), expected, "{fields}");
    }
    assert_eq!(tasks.list(TaskFilter::default()).all().await.unwrap(), [task]);
    assert_eq!(board.task(json!({})).await.data.identifier.as_deref(), Some("API-2"));
}

/// What was read can be written back, and replacing a task keeps what the server filled in.
pub async fn replaced_task_keeps_what_was_filled_in(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let fields = json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY", "labels": ["a"], "priority": 2 });
    let task = board.task(fields).await;
    let done = tasks.complete(task.id).await.unwrap();
    assert_eq!(tasks.replace(task.id, done.data.clone()).await.unwrap(), done, "that changes nothing");
    let whole = Task { title: "x".to_owned(), project_id: Some(board.project.id), ..Task::default() };
    let replaced = tasks.replace(task.id, whole).await.unwrap().data;
    assert_eq!((replaced.identifier.as_deref(), replaced.next_task_id), (Some("API-1"), done.data.next_task_id));
    assert_eq!((replaced.position, replaced.next_occurrence), (done.data.position, None));
    assert_eq!((replaced.status_id, replaced.completed_at), (board.project.data.default_status_id, None));
    assert_eq!((replaced.priority, replaced.labels.len(), replaced.rrule), (0, 0, None));
    let body = json!({ "identifier": null, "next_task_id": null });
    let kept = tasks.update(task.id, body).await.unwrap().data;
    assert_eq!((kept.identifier.as_deref(), kept.next_task_id), (Some("API-1"), done.data.next_task_id));
}

/// A task that was done before anybody said so was done then.
pub async fn task_is_completed_in_the_past(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let task = board.task(json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY" })).await;
    let then = moment(&board.desk);
    board.desk.wait(1_000);
    let between = then.after(std::time::Duration::from_secs(500));
    let done = tasks.clone().valid_from(between).complete(task.id).await.unwrap();
    assert_eq!(done.data.completed_at, Some(between));
    assert_eq!(tasks.get(task.id).await.unwrap().data.completed_at, Some(between));
    assert_eq!(tasks.clone().valid_at(then).get(task.id).await.unwrap().data.completed_at, None);
    let next = done.data.next_task_id.unwrap();
    assert!(tasks.clone().valid_at(between).get(next).await.is_ok());
    assert_eq!(refusal(tasks.clone().valid_at(then).get(next).await).0, ErrorKind::NotFound);
    let open = TaskFilter { overdue: Some(true), ..TaskFilter::default() };
    assert_eq!(tasks.clone().valid_at(then).list(open).all().await.unwrap().len(), 1);
}
