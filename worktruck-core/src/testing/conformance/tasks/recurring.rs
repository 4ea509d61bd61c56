use serde_json::{Value, json};

use crate::ErrorKind;
use crate::entity::Locale;
use crate::entity::comment::Comment;
use crate::entity::contact::Contact;
use crate::entity::dependency::DependencyType;
use crate::entity::task::Task;
use crate::entity::task_status::{StatusCategory, TaskStatus};
use crate::pim::Stored;
use crate::pim::tasks::{OfTask, TaskFilter};
use crate::testing::conformance::Stage;
use crate::{EntityId, PageRequest};

use super::super::desk::refusal;
use super::board::{Board, titles};

/// Completes a task and gives the next one, if there is one.
async fn follow(board: &Board, task: EntityId) -> Option<Stored<Task>> {
    let done = board.desk.of::<Task>().complete(task).await.unwrap();
    let next = board.get::<Task>(done.data.next_task_id?).await;
    assert_eq!(done.data.next_occurrence, next.data.due());
    assert_eq!(done.stored.slice.tx_id, next.stored.slice.tx_id, "both are one commit");
    Some(next)
}

/// A task that repeats makes its next occurrence when it is done: a task of its own, with all that was said of it
/// and nothing of what became of it.
pub async fn completed_task_makes_its_next_occurrence(stage: Stage) {
    let board = Board::new(&stage).await;
    let (ada, other) = (board.contact("Ada").await, board.task(json!({ "title": "other" })).await);
    let active = board.status(board.project.id, StatusCategory::InProgress).await;
    let said = json!({
        "description": "all of it", "priority": 3, "assignee_id": ada, "creator_id": ada, "parent_id": other.id,
        "estimation_minutes": 30, "labels": ["a", "b"], "position": 2.5, "metadata": { "k": 1 }, "rrule": "FREQ=WEEKLY",
    });
    let mut fields = json!({
        "due_date": "2026-04-10", "deadline": "2026-04-12", "start_date": "2026-04-08", "status_id": active,
        "time_spent_minutes": 20, "snoozed_until": "2026-04-09T00:00:00Z",
    });
    fields.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let task = board.task(fields).await;
    assert_eq!(task.data.next_occurrence.unwrap().to_string(), "2026-04-17");
    board.desk.create::<Comment>(json!({ "task_id": task.id, "body": "x" })).await;
    board.task(json!({ "title": "part", "parent_id": task.id })).await;
    let tasks = board.desk.of::<Task>();
    tasks.depend(task.id, DependencyType::Blocks, other.id).await.unwrap();

    let next = follow(&board, task.id).await.unwrap();
    let resource = next.resource();
    for (field, value) in said.as_object().unwrap() {
        assert_eq!(&resource[field], value, "{field}");
    }
    for (field, value) in [
        ("due_date", json!("2026-04-17")),
        ("deadline", json!("2026-04-19")),
        ("start_date", json!("2026-04-15")),
        ("next_occurrence", json!("2026-04-24")),
        ("identifier", json!("API-4")),
        ("status_id", json!(board.project.data.default_status_id)),
        ("time_spent_minutes", Value::Null),
        ("snoozed_until", Value::Null),
        ("completed_at", Value::Null),
        ("next_task_id", Value::Null),
    ] {
        assert_eq!(resource.get(field).cloned().unwrap_or_default(), value, "{field}");
    }
    // What people did with the one that is done stays there.
    assert!(tasks.dependencies(next.id, PageRequest::default()).await.unwrap().data.is_empty());
    assert_eq!(tasks.dependencies(task.id, PageRequest::default()).await.unwrap().data.len(), 1);
    assert!(board.desk.of::<Comment>().list(OfTask { task_id: Some(next.id) }).await.unwrap().data.is_empty());
    assert!(tasks.subtasks(next.id, PageRequest::default()).await.unwrap().data.is_empty());
    assert_eq!(titles(&tasks.subtasks(task.id, PageRequest::default()).await.unwrap().data), ["part"]);
}

/// The next occurrence follows when the task was due or when it was done, on the clocks of the tenant.
pub async fn next_occurrence_follows_its_basis(stage: Stage) {
    let mut board = Board::new(&stage).await;
    board.desk.locale = Locale { timezone: chrono_tz::Europe::Berlin, ..Locale::default() };
    // It is 14:00 in Berlin on Tuesday, 2026-04-14.
    for (due, rrule, basis, expected) in [
        ("2026-04-10", "FREQ=WEEKLY", "due", Some("2026-04-17")),
        ("2026-04-10", "FREQ=WEEKLY", "completion", Some("2026-04-21")),
        ("2026-04-20", "FREQ=DAILY;INTERVAL=3", "completion", Some("2026-04-17")),
        ("2026-01-31", "FREQ=MONTHLY", "due", Some("2026-03-31")),
        ("2026-01-31", "FREQ=MONTHLY", "completion", Some("2026-05-14")),
        ("2026-04-10", "FREQ=WEEKLY;BYDAY=MO,FR", "completion", Some("2026-04-17")),
        ("2026-04-10", "RRULE:FREQ=DAILY;UNTIL=20260411", "due", Some("2026-04-11")),
        ("2026-04-11", "FREQ=DAILY;UNTIL=20260411", "due", None),
        ("2026-04-10", "FREQ=DAILY;UNTIL=20260411", "completion", None),
        // 9:00 in Berlin, also when its clocks are set back.
        ("2026-10-20T07:00:00Z", "FREQ=WEEKLY", "due", Some("2026-10-27T08:00:00.000000Z")),
        ("2026-04-10T07:00:00Z", "FREQ=DAILY;INTERVAL=3", "completion", Some("2026-04-17T07:00:00.000000Z")),
        // Half past two does not exist on that day, and is half past two on the next.
        ("2027-03-27T01:30:00Z", "FREQ=DAILY", "due", Some("2027-03-28T01:30:00.000000Z")),
        ("9999-12-31", "FREQ=DAILY", "due", None),
    ] {
        let field = if due.len() == 10 { "due_date" } else { "due_at" };
        let task = board.loose(json!({ field: due, "rrule": rrule, "recurrence_basis": basis })).await;
        assert_eq!(task.data.rrule.as_deref(), Some(rrule));
        let next = follow(&board, task.id).await;
        let due = next.as_ref().map(|next| next.data.due().unwrap().to_string());
        assert_eq!(due.as_deref(), expected, "{rrule} {basis}");
        if let Some(next) = next {
            assert_eq!(json!(next.data.recurrence_basis), json!(basis));
        } else {
            assert_eq!(board.get::<Task>(task.id).await.data.next_occurrence, None);
        }
    }
    let skipped = board.loose(json!({ "due_at": "2027-03-27T01:30:00Z", "rrule": "FREQ=DAILY" })).await;
    let on_the_day = follow(&board, skipped.id).await.unwrap();
    let after = follow(&board, on_the_day.id).await.unwrap();
    assert_eq!(after.data.due().unwrap().to_string(), "2027-03-29T00:30:00.000000Z");
    // Shortly after midnight in Berlin it is the next day there, whatever it is elsewhere.
    board.desk.wait(10 * 3600 + 60);
    let task =
        board.loose(json!({ "due_date": "2026-04-14", "rrule": "FREQ=DAILY", "recurrence_basis": "completion" }));
    let next = follow(&board, task.await.id).await.unwrap();
    assert_eq!(next.data.due().unwrap().to_string(), "2026-04-16");
}

/// A rule with a count runs out, counted from when the task is due as from when it is done.
pub async fn counted_rule_runs_out(stage: Stage) {
    let board = Board::new(&stage).await;
    for (basis, days) in [("due", ["2026-04-11", "2026-04-12"]), ("completion", ["2026-04-15", "2026-04-15"])] {
        let fields = json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY;COUNT=3", "recurrence_basis": basis });
        let first = board.task(fields).await;
        let second = follow(&board, first.id).await.unwrap();
        let third = follow(&board, second.id).await.unwrap();
        assert_eq!([&second, &third].map(|task| task.data.due().unwrap().to_string()), days, "{basis}");
        assert_eq!(third.data.rrule.as_deref(), Some("FREQ=DAILY;COUNT=1"));
        assert_eq!(third.data.next_occurrence, None);
        assert_eq!(follow(&board, third.id).await, None);
        let last = board.get::<Task>(third.id).await.data;
        assert_eq!((last.next_task_id, last.next_occurrence, last.completed_at.is_some()), (None, None, true));
    }
}

/// However a task becomes done, it makes one next occurrence and never a second.
pub async fn next_occurrence_is_made_once(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let repeating = json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY" });
    let task = board.task(repeating.clone()).await;
    let shared = tasks.clone();
    let done = stage
        .in_parallel(5, move |_, _| {
            let (tasks, id) = (shared.clone(), task.id);
            Box::pin(async move { tasks.complete(id).await })
        })
        .await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    let count = || async { tasks.list(TaskFilter::default()).all().await.unwrap().len() };
    assert_eq!(count().await, 2);
    let next = board.get::<Task>(task.id).await.data.next_task_id;
    assert_eq!(board.get::<Task>(next.unwrap()).await.data.identifier.as_deref(), Some("API-2"));
    let open = tasks.reopen(task.id).await.unwrap().data;
    assert_eq!((open.next_task_id, open.completed_at), (next, None));
    assert_eq!(tasks.complete(task.id).await.unwrap().data.next_task_id, next);
    assert_eq!(count().await, 2, "opening it again leaves the next one alone, and no other is made");

    let done = board.status(board.project.id, StatusCategory::Done).await;
    let dragged = board.task(repeating.clone()).await;
    assert!(tasks.update(dragged.id, json!({ "status_id": done })).await.unwrap().data.next_task_id.is_some());
    assert_eq!(count().await, 4);
    for patch in [json!({ "title": "x" }), json!({ "completed_at": "2026-04-01T00:00:00Z" })] {
        tasks.update(dragged.id, patch).await.unwrap();
    }
    let canceled = board.task(repeating.clone()).await;
    let canceled = tasks.update(canceled.id, json!({ "canceled_at": "2026-04-14T00:00:00Z" })).await.unwrap().data;
    assert_eq!((canceled.next_task_id, canceled.next_occurrence), (None, None));
    let mut imported = repeating.clone();
    imported["completed_at"] = json!("2026-04-11T00:00:00Z");
    assert_eq!(board.task(imported).await.data.next_task_id, None);
    let meant =
        board.desk.create::<TaskStatus>(json!({ "project_id": board.project.id, "name": "x", "category": "todo" }));
    let meant = meant.await.id;
    let mut fields = repeating;
    fields["status_id"] = json!(meant);
    let task = board.task(fields).await;
    board.desk.of::<TaskStatus>().update(meant, json!({ "category": "done" })).await.unwrap();
    let found = board.get::<Task>(task.id).await.data;
    assert_eq!((found.completed_at.is_some(), found.next_task_id), (true, None), "nobody did it");
    assert_eq!(count().await, 7);
}

/// A task whose people are gone still makes its next occurrence.
pub async fn next_occurrence_is_made_without_those_who_are_gone(stage: Stage) {
    let board = Board::new(&stage).await;
    let (ada, bob) = (board.contact("Ada").await, board.contact("Bob").await);
    let fields = json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY", "assignee_id": ada, "creator_id": bob });
    let task = board.task(fields).await;
    board.desk.of::<Contact>().delete(ada).await.unwrap();
    let next = follow(&board, task.id).await.unwrap();
    assert_eq!((next.data.assignee_id, next.data.creator_id), (None, Some(bob)));
}

/// When a task is due next is kept with it, follows what is written, and is known of the past.
pub async fn next_occurrence_is_kept_with_the_task(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let task = board.task(json!({ "due_date": "2026-04-10" })).await;
    assert_eq!(task.data.next_occurrence, None);
    for (patch, expected) in [
        (json!({ "rrule": "FREQ=MONTHLY" }), Some("2026-05-10")),
        (json!({ "due_date": "2026-05-31" }), Some("2026-07-31")),
        (json!({ "due_date": null, "due_at": "2026-05-31T10:00:00Z" }), Some("2026-07-31T10:00:00.000000Z")),
        (json!({ "recurrence_basis": "completion" }), Some("2026-07-31T10:00:00.000000Z")),
        (json!({ "rrule": null }), None),
    ] {
        let next = tasks.update(task.id, patch.clone()).await.unwrap().data.next_occurrence;
        assert_eq!(next.map(|next| next.to_string()).as_deref(), expected, "{patch}");
        board.desk.wait(1);
    }
    let then = task.created_at().after(std::time::Duration::from_millis(500));
    let past = tasks.as_of(then).get(task.id).await.unwrap();
    assert_eq!(past.data.next_occurrence.map(|next| next.to_string()).as_deref(), Some("2026-05-10"));
}

/// A rule that cannot be, or a task that repeats and is never due, is refused at its place, and nothing is written.
pub async fn wrong_rule_is_refused(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, task) = (board.desk.of::<Task>(), board.task(json!({ "due_date": "2026-04-10" })).await);
    let place = (ErrorKind::InvalidRequest, "/rrule".to_owned());
    for rrule in [
        "",
        "FREQ=OFTEN",
        "INTERVAL=2",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20270101T000000Z",
        "FREQ=DAILY;\0",
        &"FREQ=DAILY;BYDAY=MO".repeat(1_000),
    ] {
        let body = json!({ "title": "x", "due_date": "2026-04-10", "rrule": rrule });
        assert_eq!(refusal(tasks.create_from(body).await), place, "{rrule:.40}");
        assert_eq!(refusal(tasks.update(task.id, json!({ "rrule": rrule })).await), place, "{rrule:.40}");
    }
    assert_eq!(refusal(tasks.create_from(json!({ "title": "x", "rrule": "FREQ=DAILY" })).await), place);
    let repeating = board.task(json!({ "due_date": "2026-04-10", "rrule": "FREQ=DAILY" })).await;
    assert_eq!(refusal(tasks.update(repeating.id, json!({ "due_date": null })).await), place);
    assert_eq!(tasks.list(TaskFilter::default()).all().await.unwrap(), [task, repeating]);
}
