use serde_json::json;

use crate::entity::Locale;
use crate::entity::task::Task;
use crate::entity::task_status::StatusCategory;
use crate::pim::tasks::{TaskFilter, TaskSort};
use crate::testing::conformance::Stage;
use crate::{ErrorKind, PageRequest};

use super::super::desk::refusal;
use super::board::{Board, moment, titles};

fn overdue(is_overdue: bool) -> TaskFilter {
    TaskFilter { overdue: Some(is_overdue), ..TaskFilter::default() }
}

/// What is overdue is so where the tenant is, and at the moment that is asked about; all else is not.
pub async fn overdue_depends_on_where_and_when(stage: Stage) {
    let board = Board::new(&stage).await;
    // It is 12:00 UTC on 2026-04-14: 02:00 on the 15th in Kiritimati, and still 01:00 on the 14th in Pago Pago.
    for (title, fields) in [
        ("yesterday", json!({ "due_date": "2026-04-13" })),
        ("today", json!({ "due_date": "2026-04-14" })),
        ("passed", json!({ "due_at": "2026-04-14T11:59:59.999999Z" })),
        ("now", json!({ "due_at": "2026-04-14T14:00:00+02:00" })),
        ("done", json!({ "due_date": "2026-04-01", "completed_at": "2026-04-02T00:00:00Z" })),
        ("canceled", json!({ "due_at": "2026-04-01T00:00:00Z", "canceled_at": "2026-04-02T00:00:00Z" })),
        ("never", json!({ "deadline": "2026-04-01" })),
    ] {
        let mut fields = fields;
        fields["title"] = json!(title);
        board.task(fields).await;
    }
    let tasks = board.desk.of::<Task>();
    let late = tasks.list(overdue(true)).all().await.unwrap();
    assert_eq!(titles(&late), ["yesterday", "passed"]);
    let rest = tasks.list(overdue(false)).all().await.unwrap();
    assert_eq!(titles(&rest), ["today", "now", "done", "canceled", "never"]);
    for (zone, expected) in [
        ("Pacific/Kiritimati", &["yesterday", "today", "passed"][..]),
        ("Pacific/Pago_Pago", &["yesterday", "passed"][..]),
    ] {
        let there = tasks.clone().at_home(Locale { timezone: zone.parse().unwrap(), ..Locale::default() });
        assert_eq!(titles(&there.list(overdue(true)).all().await.unwrap()), expected, "{zone}");
    }
    let then = moment(&board.desk);
    board.desk.wait(86_400);
    let late = tasks.list(overdue(true)).all().await.unwrap();
    assert_eq!(titles(&late), ["yesterday", "today", "passed", "now"]);
    let done = tasks.complete(late[0].id).await.unwrap();
    assert_eq!(titles(&tasks.list(overdue(true)).all().await.unwrap()), ["today", "passed", "now"]);
    // Time passes between the pages of a walk.
    let first = tasks.list(overdue(true)).limit(2).await.unwrap();
    let foreign = tasks.list(overdue(false)).limit(2).after(first.next_cursor.clone().unwrap()).await;
    assert_eq!(refusal(foreign).0, ErrorKind::InvalidCursor);
    board.desk.wait(1);
    let rest = tasks.list(overdue(true)).limit(2).after(first.next_cursor.unwrap()).await.unwrap();
    assert_eq!((titles(&first.data), titles(&rest.data)), (vec!["today", "passed"], vec!["now"]));
    assert_eq!(done.data.title, "yesterday");
    let past = tasks.clone().as_of(then);
    assert_eq!(titles(&past.list(overdue(true)).all().await.unwrap()), ["yesterday", "passed", "now"]);
    let early = tasks.as_of(then).valid_at("2026-04-14T00:00:00Z".parse().unwrap());
    assert!(early.list(overdue(true)).all().await.unwrap().is_empty(), "nothing was there yet");
}

/// Days and times are cut at days and at times, where the tenant is.
pub async fn due_is_cut_at_days_and_times(stage: Stage) {
    let board = Board::new(&stage).await;
    for (title, fields) in [
        ("27", json!({ "due_date": "2026-11-27" })),
        // In Berlin it is already the 28th.
        ("27T23", json!({ "due_at": "2026-11-27T23:00:00Z" })),
        ("28", json!({ "due_date": "2026-11-28" })),
        ("28T12", json!({ "due_at": "2026-11-28T12:00:00Z" })),
        ("28T23", json!({ "due_at": "2026-11-28T23:00:00Z" })),
        ("29", json!({ "due_date": "2026-11-29" })),
        ("none", json!({})),
    ] {
        let mut fields = fields;
        fields["title"] = json!(title);
        board.loose(fields).await;
    }
    let berlin = Locale { timezone: chrono_tz::Europe::Berlin, ..Locale::default() };
    for (zone, before, after, expected) in [
        (Locale::default(), Some("2026-11-28"), None, &["27", "27T23"][..]),
        (berlin, Some("2026-11-28"), None, &["27"][..]),
        (Locale::default(), None, Some("2026-11-28"), &["29"][..]),
        (berlin, None, Some("2026-11-28"), &["28T23", "29"][..]),
        (Locale::default(), Some("2026-11-28T12:00:00Z"), None, &["27", "27T23"][..]),
        (Locale::default(), Some("2026-11-28T12:00:00.000001Z"), None, &["27", "27T23", "28T12"][..]),
        (Locale::default(), None, Some("2026-11-28T12:00:00Z"), &["28", "28T23", "29"][..]),
        (berlin, Some("2026-11-28T23:00:00Z"), None, &["27", "27T23", "28", "28T12"][..]),
        (Locale::default(), Some("2026-11-29"), Some("2026-11-27"), &["28", "28T12", "28T23"][..]),
        (Locale::default(), Some("2026-11-27"), Some("2026-11-27"), &[][..]),
        (Locale::default(), Some("9999-12-31"), Some("0001-01-01"), &["27", "27T23", "28", "28T12", "28T23", "29"][..]),
        (Locale::default(), None, Some("9999-12-31"), &[][..]),
        (Locale::default(), Some("0001-01-01"), None, &[][..]),
    ] {
        let day = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let filter = TaskFilter { due_before: day(before), due_after: day(after), ..TaskFilter::default() };
        let tasks = board.desk.of::<Task>().at_home(zone);
        let found = tasks.list(filter).all().await.unwrap();
        assert_eq!(titles(&found), expected, "{before:?} {after:?} {zone:?}");
    }
}

/// Lists of tasks are sorted by position, priority and when they are due.
pub async fn tasks_are_sorted(stage: Stage) {
    let board = Board::new(&stage).await;
    for (title, fields) in [
        ("a", json!({ "position": 2, "priority": 4, "due_date": "2026-11-28" })),
        ("b", json!({ "position": -1.5, "priority": 0, "due_at": "2026-11-28T00:00:00Z" })),
        ("c", json!({ "position": 10, "priority": 2 })),
        ("d", json!({ "position": 1.5, "priority": 4, "due_at": "2026-11-27T22:00:00-01:00" })),
        ("e", json!({ "priority": 1, "due_date": "2026-11-27" })),
    ] {
        let mut fields = fields;
        fields["title"] = json!(title);
        board.task(fields).await;
        board.desk.wait(1);
    }
    let tasks = board.desk.of::<Task>();
    for (sort, expected) in [
        (TaskSort::CreatedAt, "abcde"),
        (TaskSort::UpdatedAt, "abcde"),
        (TaskSort::Position, "bdace"),
        (TaskSort::Priority, "becad"),
        (TaskSort::Due, "cedab"),
    ] {
        let mut found = String::new();
        let mut cursor = None;
        loop {
            let mut list = tasks.list(TaskFilter::default()).sort(sort).limit(2);
            if let Some(cursor) = cursor.take() {
                list = list.after(cursor);
            }
            let page = list.await.unwrap();
            found.extend(page.data.iter().map(|task| task.data.title.as_str()));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{sort:?}");
        let backwards = tasks.list(TaskFilter::default()).sort(sort).descending().all().await.unwrap();
        assert_eq!(titles(&backwards).concat(), expected.chars().rev().collect::<String>(), "{sort:?}");
    }
    let first = tasks.list(TaskFilter::default()).await.unwrap().data.remove(0);
    assert_eq!(first.resource()["position"], json!(2));
    let moved = tasks.update(first.id, json!({ "position": null })).await.unwrap();
    assert_eq!(moved.data.position, first.data.position, "a task always has a place");
}

/// Lists of tasks are filtered by all that they can be filtered by, together, and at any moment.
pub async fn tasks_are_filtered(stage: Stage) {
    let board = Board::new(&stage).await;
    let web = board.project("WEB").await;
    let ada = board.contact("Ada").await;
    let active = board.status(board.project.id, StatusCategory::InProgress).await;
    let parent = board.task(json!({ "title": "parent" })).await;
    board.task(json!({ "title": "active", "status_id": active, "labels": ["a", "b"] })).await;
    board.task(json!({ "title": "hers", "assignee_id": ada, "labels": ["b"] })).await;
    board.task(json!({ "title": "part", "parent_id": parent.id })).await;
    board.task(json!({ "title": "web", "project_id": web.id, "description": "The Élan release" })).await;
    board.loose(json!({ "title": "loose", "assignee_id": ada })).await;
    let (tasks, all) = (board.desk.of::<Task>(), TaskFilter::default());
    let then = moment(&board.desk);
    let table = [
        (TaskFilter { project_id: Some(web.id), ..all.clone() }, &["web"][..]),
        (TaskFilter { status_id: Some(active), ..all.clone() }, &["active"]),
        (TaskFilter { status_category: Some(StatusCategory::InProgress), ..all.clone() }, &["active"]),
        (
            TaskFilter { status_category: Some(StatusCategory::Todo), ..all.clone() },
            &["parent", "hers", "part", "web", "loose"],
        ),
        (TaskFilter { assignee_id: Some(ada), ..all.clone() }, &["hers", "loose"]),
        (TaskFilter { assignee_id: Some(ada), label: Some("b".to_owned()), ..all.clone() }, &["hers"]),
        (TaskFilter { label: Some("b".to_owned()), ..all.clone() }, &["active", "hers"]),
        (TaskFilter { label: Some("c".to_owned()), ..all.clone() }, &[]),
        (TaskFilter { parent_id: Some(parent.id), ..all.clone() }, &["part"]),
    ];
    for (filter, expected) in &table {
        assert_eq!(titles(&tasks.list(filter.clone()).all().await.unwrap()), *expected, "{filter:?}");
    }
    let parts = async |id| tasks.subtasks(id, PageRequest::default()).await;
    assert_eq!(titles(&parts(parent.id).await.unwrap().data), ["part"]);
    assert_eq!(refusal(parts(ada).await).0, ErrorKind::NotFound, "it is no task");
    assert_eq!(titles(&tasks.list(all.clone()).search("elan rel").await.unwrap().data), ["web"]);
    assert_eq!(titles(&tasks.list(all.clone()).search("web-1").await.unwrap().data), ["web"]);
    for task in tasks.list(all).all().await.unwrap() {
        tasks.delete(task.id).await.ok();
    }
    for (filter, expected) in &table {
        assert!(tasks.list(filter.clone()).all().await.unwrap().is_empty());
        let past = tasks.clone().as_of(then);
        assert_eq!(titles(&past.list(filter.clone()).all().await.unwrap()), *expected, "{filter:?}");
    }
    let (past, none) = (tasks.as_of(then), TaskFilter::default());
    assert_eq!(refusal(past.list(none).search("x").await).0, ErrorKind::InvalidRequest);
}
