use serde_json::json;

use crate::ErrorKind;
use crate::entity::label::Label;
use crate::entity::task::Task;
use crate::pim::Everything;
use crate::pim::tasks::TaskFilter;
use crate::testing::conformance::Stage;

use super::super::desk::refusal;
use super::board::{Board, moment};

/// A task is labelled and relabelled as often as anybody likes, also by many at once.
pub async fn task_is_labelled_once(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, task) = (board.desk.of::<Task>(), board.task(json!({ "labels": ["z", "a", "z"] })).await);
    assert_eq!(task.data.labels, ["z", "a"]);
    let labelled = tasks.label(task.id, "b").await.unwrap();
    assert_eq!((labelled.data.labels.concat().as_str(), labelled.version()), ("zab", 2));
    assert_eq!(tasks.label(task.id, "b").await.unwrap().version(), 2);
    assert_eq!(tasks.unlabel(task.id, "a").await.unwrap().data.labels.concat(), "zb");
    assert_eq!(tasks.unlabel(task.id, "a").await.unwrap().version(), 3);
    for name in ["", "  ", "a\0", &"x".repeat(513)] {
        assert_eq!(refusal(tasks.label(task.id, name).await), (ErrorKind::InvalidRequest, "/name".to_owned()));
    }
    assert_eq!(refusal(tasks.label(board.project.id, "a").await).0, ErrorKind::NotFound);
    assert_eq!(refusal(tasks.unlabel(board.project.id, "a").await).0, ErrorKind::NotFound);
    let stale = tasks.clone().if_version(1);
    assert_eq!(refusal(stale.label(task.id, "c").await).0, ErrorKind::VersionMismatch);
    assert_eq!(refusal(stale.unlabel(task.id, "b").await).0, ErrorKind::VersionMismatch);
    let shared = tasks.clone();
    stage
        .in_parallel(8, move |n, _| {
            let (tasks, id) = (shared.clone(), task.id);
            Box::pin(async move { tasks.label(id, &format!("n{n}")).await.unwrap() })
        })
        .await;
    assert_eq!(board.get::<Task>(task.id).await.data.labels.len(), 10);
}

/// The name of a label is unique; renaming it renames it on all tasks, and deleting it takes it off them.
pub async fn label_changes_on_all_tasks(stage: Stage) {
    let board = Board::new(&stage).await;
    let (labels, tasks) = (board.desk.of::<Label>(), board.desk.of::<Task>());
    let bug = board.desk.create::<Label>(json!({ "name": "bug", "color": "#f00" })).await;
    board.desk.create::<Label>(json!({ "name": "taken" })).await;
    let place = (ErrorKind::Conflict, "/name".to_owned());
    assert_eq!(refusal(labels.create_from(json!({ "name": "bug" })).await), place);
    assert_eq!(refusal(labels.update(bug.id, json!({ "name": "taken" })).await), place);
    let wrong = labels.create_from(json!({ "name": " " })).await;
    assert_eq!(refusal(wrong), (ErrorKind::InvalidRequest, "/name".to_owned()));
    let one = board.task(json!({ "labels": ["a", "bug", "b"] })).await;
    let both = board.task(json!({ "labels": ["defect", "bug"] })).await;
    let other = board.task(json!({ "labels": ["bugs"] })).await;
    let then = moment(&board.desk);
    labels.update(bug.id, json!({ "name": "defect" })).await.unwrap();
    assert_eq!(board.get::<Task>(one.id).await.data.labels, ["a", "defect", "b"]);
    assert_eq!(board.get::<Task>(both.id).await.data.labels, ["defect"]);
    assert_eq!(board.get::<Task>(other.id).await, other);
    labels.update(bug.id, json!({ "color": null })).await.unwrap();
    labels.delete(bug.id).await.unwrap();
    assert_eq!(board.get::<Task>(one.id).await.data.labels, ["a", "b"]);
    assert!(board.get::<Task>(both.id).await.data.labels.is_empty());
    assert_eq!(labels.list(Everything {}).all().await.unwrap().len(), 1);
    let bugs = TaskFilter { label: Some("bug".to_owned()), ..TaskFilter::default() };
    assert_eq!(tasks.clone().as_of(then).list(bugs.clone()).all().await.unwrap().len(), 2);
    assert_eq!(labels.clone().as_of(then).get(bug.id).await.unwrap().data, bug.data);

    // No task keeps the old name because it got it meanwhile and not before or after.
    let again = board.desk.create::<Label>(json!({ "name": "bug" })).await;
    let shared = board.clone();
    stage
        .in_parallel(7, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                if n == 3 {
                    board.desk.of::<Label>().update(again.id, json!({ "name": "flaw" })).await.unwrap();
                } else {
                    board.task(json!({ "labels": ["bug"] })).await;
                }
            })
        })
        .await;
    let flaws = TaskFilter { label: Some("flaw".to_owned()), ..TaskFilter::default() };
    let renamed_at = labels.get(again.id).await.unwrap().updated_at();
    for task in tasks.list(bugs).all().await.unwrap() {
        assert!(task.created_at() > renamed_at, "it was labelled after the renaming");
    }
    for task in tasks.list(flaws).all().await.unwrap() {
        assert!(task.created_at() < renamed_at);
    }
}
