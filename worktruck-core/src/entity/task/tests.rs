use serde_json::json;

use super::*;
use crate::Error;
use crate::entity::{Term, index};

const ID: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

fn task(fields: &Value) -> Value {
    let mut body = json!({ "title": "Call Ada" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[test]
fn a_field_that_is_wrong_is_refused_at_its_place() {
    let table = [
        (json!({}), None),
        (json!({ "title": "" }), Some("/title")),
        (json!({ "title": "é".repeat(512) }), None),
        (json!({ "title": "é".repeat(513) }), Some("/title")),
        (json!({ "title": "a\0" }), Some("/title")),
        (json!({ "description": "x".repeat(1 << 20) }), None),
        (json!({ "description": "x".repeat((1 << 20) + 1) }), Some("/description")),
        (json!({ "priority": 4 }), None),
        (json!({ "priority": 5 }), Some("/priority")),
        (json!({ "priority": -1 }), Some("/priority")),
        (json!({ "due_date": "2026-11-28", "due_at": "2026-11-28T10:00:00Z" }), Some("/due_at")),
        (json!({ "due_date": "2026-11-31" }), Some("/due_date")),
        (json!({ "due_date": "+10000-01-01" }), Some("/due_date")),
        (json!({ "due_at": "9999-12-31T23:59:59-01:00" }), Some("/due_at")),
        (json!({ "snoozed_until": "0000-12-31T00:00:00Z" }), Some("/snoozed_until")),
        (json!({ "deadline": "0000-12-31" }), Some("/deadline")),
        (json!({ "estimation_minutes": -1 }), Some("/estimation_minutes")),
        (json!({ "labels": ["a", ""] }), Some("/labels/1")),
        (json!({ "rrule": "FREQ=DAILY" }), Some("/rrule")),
        (json!({ "rrule": "FREQ=DAILY", "due_date": "2026-11-28" }), None),
        (json!({ "recurrence_basis": "never" }), Some("/recurrence_basis")),
        (json!({ "position": "1" }), Some("/position")),
        (json!({ "parent_id": "x" }), Some("/parent_id")),
        (json!({ "metadata": { "a": "\0" } }), Some("/metadata/a")),
    ];
    for (fields, expected) in table {
        let found = index(Kind::Task, &task(&fields));
        assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
        assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
    }
}

#[test]
fn a_task_is_found_by_every_filter() {
    let fields = json!({
        "project_id": ID, "status_id": ID, "status_category": "in_progress", "parent_id": ID, "assignee_id": ID,
        "identifier": "API-42", "labels": ["a", "b"],
    });
    let found = index(Kind::Task, &task(&fields)).unwrap();
    for (name, value) in [
        ("project_id", ID),
        ("status_id", ID),
        ("status_category", "in_progress"),
        ("parent_id", ID),
        ("assignee_id", ID),
        ("identifier", "API-42"),
        ("label", "a"),
        ("label", "b"),
    ] {
        assert!(found.terms.contains(&Term::new(name, value)), "{name}");
    }
    assert!(found.text.contains("Call Ada") && found.text.contains("API-42"));
    for (fields, category) in [
        (json!({}), "todo"),
        (json!({ "completed_at": "2026-11-28T10:00:00Z" }), "done"),
        (json!({ "canceled_at": "2026-11-28T10:00:00Z" }), "canceled"),
    ] {
        let found = index(Kind::Task, &task(&fields)).unwrap();
        assert!(found.terms.contains(&Term::new("status_category", category)), "{category}");
    }
}

#[test]
fn days_and_times_sort_and_are_cut_apart() {
    let key = |fields: Value, name: &str| {
        let found = index(Kind::Task, &task(&fields)).unwrap();
        found.sort.into_iter().find(|(key, _)| *key == name).unwrap().1
    };
    let in_order = [
        json!({}),
        json!({ "due_at": "2026-11-27T23:00:00Z" }),
        json!({ "due_date": "2026-11-28" }),
        json!({ "due_at": "2026-11-28T01:30:00+01:00" }),
        json!({ "due_date": "2026-11-29" }),
    ];
    let keys = in_order.map(|fields| key(fields, "due"));
    assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
    assert_eq!(key(json!({ "due_date": "2026-11-28" }), DueKey::ALL), "d2026-11-28");
    assert_eq!(key(json!({ "due_at": "2026-11-28T10:00:00Z" }), DueKey::OPEN), "t2026-11-28T10:00:00.000000Z");
    let done = json!({ "due_date": "2026-11-28", "completed_at": "2026-11-28T10:00:00Z" });
    assert_eq!((key(done.clone(), DueKey::ALL), key(done, DueKey::OPEN)), ("d2026-11-28".to_owned(), String::new()));
    let last: NaiveDate = "9999-12-31".parse().unwrap();
    assert!(DueKey::day(last) < DueKey::day(last.succ_opt().unwrap()));
    assert!(DueKey::time("9999-12-31T00:00:00Z".parse().unwrap()) < DueKey::time(Timestamp::FOREVER));
    assert!(DueKey::time(Timestamp::from_micros(i64::MIN)) < DueKey::time("0001-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn labels_are_kept_once_in_their_order() {
    let mut task: Task = serde_json::from_value(task(&json!({ "labels": ["b", "a", "b"] }))).unwrap();
    task.normalise(&Locale::default()).unwrap();
    assert_eq!(task.labels, ["b", "a"]);
}
