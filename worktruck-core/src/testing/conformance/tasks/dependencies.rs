use serde_json::json;

use crate::entity::dependency::Dependency;
use crate::entity::dependency::DependencyType::{self, BlockedBy, Blocks, Duplicate, Related};
use crate::entity::task::Task;
use crate::testing::conformance::Stage;
use crate::{EntityId, ErrorKind, PageRequest};

use super::super::desk::refusal;
use super::board::{Board, moment};

async fn many(board: &Board, count: usize) -> Vec<EntityId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(board.task(json!({})).await.id);
    }
    ids
}

async fn seen(board: &Board, task: EntityId) -> Vec<(EntityId, DependencyType)> {
    let page = board.desk.of::<Task>().dependencies(task, PageRequest::default()).await.unwrap();
    page.data.iter().map(|dependency| (dependency.task_id, dependency.r#type)).collect()
}

/// A dependency is kept once and seen from both ends, each in its own way, also in the past.
pub async fn dependency_is_seen_from_both_ends(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, ids) = (board.desk.of::<Task>(), many(&board, 3).await);
    let made = tasks.depend(ids[0], BlockedBy, ids[1]).await.unwrap();
    assert_eq!((made.task_id, made.r#type), (ids[1], BlockedBy));
    assert_eq!(made.dependency.data.task_id, ids[1], "it is kept as the other one blocking it");
    tasks.depend(ids[0], Related, ids[2]).await.unwrap();
    tasks.depend(ids[1], Duplicate, ids[2]).await.unwrap();
    let both = [(ids[1], BlockedBy), (ids[2], Related)];
    assert_eq!(seen(&board, ids[0]).await, both);
    assert_eq!(seen(&board, ids[1]).await, [(ids[0], Blocks), (ids[2], Duplicate)]);
    assert_eq!(seen(&board, ids[2]).await, [(ids[0], Related), (ids[1], Duplicate)]);
    let resource = made.resource();
    assert_eq!((&resource["task_id"], &resource["type"]), (&json!(ids[1]), &json!("blocked_by")));
    assert_eq!((resource["id"].clone(), resource.get("other_task_id")), (json!(made.dependency.id), None));
    let then = moment(&board.desk);
    let foreign = tasks.end_dependency(ids[2], made.dependency.id).await;
    assert_eq!(refusal(foreign).0, ErrorKind::NotFound);
    tasks.end_dependency(ids[1], made.dependency.id).await.unwrap();
    assert_eq!(refusal(tasks.end_dependency(ids[1], made.dependency.id).await).0, ErrorKind::NotFound);
    assert_eq!(seen(&board, ids[0]).await, [(ids[2], Related)]);
    let past = tasks.clone().as_of(then).dependencies(ids[0], PageRequest::default()).await.unwrap();
    assert_eq!(past.data.iter().map(|found| (found.task_id, found.r#type)).collect::<Vec<_>>(), both);
    let nobody = tasks.dependencies(board.project.id, PageRequest::default()).await;
    assert_eq!(refusal(nobody).0, ErrorKind::NotFound);
}

/// A dependency that is there already, of a task on itself, or on nothing, is refused.
pub async fn dependency_that_cannot_be_is_refused(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, ids) = (board.desk.of::<Task>(), many(&board, 2).await);
    let (one, other) = (ids[0], ids[1]);
    let place = "/task_id".to_owned();
    for kind in [Blocks, BlockedBy, Related, Duplicate] {
        let own = tasks.depend(one, kind, one).await;
        assert_eq!(refusal(own), (ErrorKind::InvalidRequest, place.clone()));
        let none = tasks.depend(one, kind, board.project.id).await;
        assert_eq!(refusal(none), (ErrorKind::InvalidRequest, place.clone()));
        let nobodys = tasks.depend(board.project.id, kind, one).await;
        assert_eq!(refusal(nobodys).0, ErrorKind::NotFound);
    }
    for (kind, inverse) in [(BlockedBy, Blocks), (Related, Related), (Duplicate, Duplicate)] {
        let made = tasks.depend(one, kind, other).await.unwrap();
        assert_eq!(refusal(tasks.depend(one, kind, other).await), (ErrorKind::Conflict, place.clone()));
        assert_eq!(refusal(tasks.depend(other, inverse, one).await), (ErrorKind::Conflict, place.clone()));
        let dependencies = board.desk.of::<Dependency>();
        let changed = dependencies.update(made.dependency.id, json!({ "task_id": board.project.id }));
        assert_eq!(refusal(changed.await), (ErrorKind::InvalidRequest, place.clone()));
    }
    assert_eq!(seen(&board, one).await, [(other, BlockedBy), (other, Related), (other, Duplicate)]);
}

/// Tasks do not block themselves through others; what is related may go in circles.
pub async fn blocking_makes_no_circle(stage: Stage) {
    let board = Board::new(&stage).await;
    let (tasks, ids) = (board.desk.of::<Task>(), many(&board, 8).await);
    for pair in ids.windows(2) {
        tasks.depend(pair[0], Blocks, pair[1]).await.unwrap();
        tasks.depend(pair[0], Related, pair[1]).await.unwrap();
    }
    tasks.depend(ids[0], Blocks, ids[5]).await.unwrap();
    tasks.depend(ids[7], Related, ids[0]).await.unwrap();
    let place = (ErrorKind::Conflict, "/task_id".to_owned());
    assert_eq!(refusal(tasks.depend(ids[1], Blocks, ids[0]).await), place);
    assert_eq!(refusal(tasks.depend(ids[7], Blocks, ids[0]).await), place);
    assert_eq!(refusal(tasks.depend(ids[2], BlockedBy, ids[7]).await), place);
    tasks.delete(ids[3]).await.unwrap();
    tasks.depend(ids[7], Blocks, ids[1]).await.unwrap();
    assert_eq!(refusal(tasks.depend(ids[7], Blocks, ids[0]).await), place, "there is another way");
}

/// Dependencies that are added at once never make a circle.
pub async fn dependencies_added_at_once_make_no_circle(stage: Stage) {
    let board = Board::new(&stage).await;
    let ids = many(&board, 6).await;
    let shared = board.clone();
    let results = stage
        .in_parallel(6, move |n, _| {
            let n = usize::try_from(n).unwrap();
            let (tasks, one, other) = (shared.desk.of::<Task>(), ids[n], ids[(n + 1) % ids.len()]);
            Box::pin(async move { tasks.depend(one, Blocks, other).await })
        })
        .await;
    let refused: Vec<_> = results.into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused, [(ErrorKind::Conflict, "/task_id".to_owned())], "one of them closes the circle");
}
