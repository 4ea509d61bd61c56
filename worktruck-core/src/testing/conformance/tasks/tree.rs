use serde_json::json;

use crate::entity::comment::Comment;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::pim::tasks::{OfTask, TaskFilter};
use crate::testing::conformance::Stage;
use crate::{EntityId, ErrorKind};

use super::super::desk::refusal;
use super::board::{Board, moment};

/// A task is no part of itself, at whatever depth.
pub async fn task_is_no_part_of_itself(stage: Stage) {
    let board = Board::new(&stage).await;
    let tasks = board.desk.of::<Task>();
    let mut chain = vec![board.task(json!({})).await.id];
    for _ in 0..12 {
        chain.push(board.task(json!({ "parent_id": chain.last() })).await.id);
    }
    let place = (ErrorKind::Conflict, "/parent_id".to_owned());
    for id in &chain {
        assert_eq!(refusal(tasks.update(chain[0], json!({ "parent_id": id })).await), place);
    }
    let unknown = tasks.update(chain[0], json!({ "parent_id": board.project.id })).await;
    assert_eq!(refusal(unknown), (ErrorKind::InvalidRequest, "/parent_id".to_owned()));
    tasks.update(chain[12], json!({ "parent_id": chain[0] })).await.unwrap();
    tasks.update(chain[1], json!({ "parent_id": null })).await.unwrap();
    tasks.update(chain[0], json!({ "parent_id": chain[11] })).await.unwrap();
}

/// Parents that are changed at once never make a circle.
pub async fn parents_changed_at_once_make_no_circle(stage: Stage) {
    let board = Board::new(&stage).await;
    let mut ids: Vec<EntityId> = Vec::new();
    for _ in 0..6 {
        ids.push(board.task(json!({})).await.id);
    }
    let (shared, ring) = (board.clone(), ids.clone());
    let results = stage
        .in_parallel(6, move |n, _| {
            let n = usize::try_from(n).unwrap();
            let (tasks, id, parent) = (shared.desk.of::<Task>(), ring[n], ring[(n + 1) % ring.len()]);
            Box::pin(async move { tasks.update(id, json!({ "parent_id": parent })).await })
        })
        .await;
    let refused: Vec<_> = results.into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused, [(ErrorKind::Conflict, "/parent_id".to_owned())], "one of them closes the circle");
}

/// Deleting a task deletes its parts at whatever depth, and those of no other.
pub async fn deleted_task_takes_its_parts_along(stage: Stage) {
    let board = Board::new(&stage).await;
    let (desk, tasks) = (&board.desk, board.desk.of::<Task>());
    let root = board.task(json!({})).await;
    let sub = board.task(json!({ "parent_id": root.id })).await;
    let leaf = board.loose(json!({ "parent_id": sub.id })).await;
    let other = board.task(json!({})).await;
    for task in [root.id, leaf.id, other.id] {
        desk.create::<Comment>(json!({ "task_id": task, "body": "x" })).await;
        desk.create::<TaskLink>(json!({ "task_id": task, "url": "https://example.org" })).await;
    }
    let then = moment(desk);
    tasks.delete(sub.id).await.unwrap();
    let left = || async { tasks.list(TaskFilter::default()).all().await.unwrap().len() };
    assert_eq!(left().await, 2);
    tasks.delete(root.id).await.unwrap();
    assert_eq!(left().await, 1);
    let comments = desk.of::<Comment>().list(OfTask::default()).all().await.unwrap();
    assert_eq!(comments.iter().map(|comment| comment.data.task_id).collect::<Vec<_>>(), [other.id]);
    let links = desk.of::<TaskLink>().list(OfTask::default()).all().await.unwrap();
    assert_eq!(links.iter().map(|link| link.data.task_id).collect::<Vec<_>>(), [other.id]);
    let then = desk.of::<Comment>().as_of(then);
    assert_eq!(then.list(OfTask { task_id: Some(leaf.id) }).await.unwrap().data.len(), 1);
}

/// Whatever is added to a task while it is deleted goes with it or is refused.
pub async fn nothing_is_added_to_a_deleted_task(stage: Stage) {
    let board = Board::new(&stage).await;
    let root = board.task(json!({})).await.id;
    let shared = board.clone();
    let added = stage
        .in_parallel(9, move |n, _| {
            let board = shared.clone();
            Box::pin(async move {
                if n == 4 {
                    board.desk.of::<Task>().delete(root).await.unwrap();
                } else if n % 2 == 0 {
                    let comment = json!({ "task_id": root, "body": "x" });
                    return board.desk.of::<Comment>().create_from(comment).await.err();
                } else {
                    let task = json!({ "title": "x", "parent_id": root });
                    return board.desk.of::<Task>().create_from(task).await.err();
                }
                None
            })
        })
        .await;
    for error in added.into_iter().flatten() {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(matches!(error.pointer(), Some("/task_id" | "/parent_id")));
    }
    assert!(board.desk.of::<Task>().list(TaskFilter::default()).await.unwrap().data.is_empty());
    assert!(board.desk.of::<Comment>().list(OfTask::default()).await.unwrap().data.is_empty());
}
