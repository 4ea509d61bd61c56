//! What [`RunStore::enqueue`](crate::store::RunStore::enqueue) promises.

use futures::FutureExt as _;
use serde_json::json;

use crate::ErrorKind;
use crate::run::{NewRun, RunStatus};
use crate::store::RunQuery;

use super::Stage;
use super::build::*;

fn keyed(n: u32, key: &str) -> NewRun {
    NewRun { input: json!({ "key": key }), idempotency_key: Some(key.to_owned()), ..new_run(n) }
}

/// One bad run keeps out the whole batch, and leaves no trace of the good ones.
pub async fn enqueue_is_all_or_none(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.accept(tenant, keyed(1, "used"), at(10)).await;
    let before = stage.run_ids(tenant, RunQuery::default()).await;

    let mismatch = NewRun { input: json!("other"), ..keyed(11, "used") };
    let bad = [
        (NewRun { priority: 101, ..new_run(11) }, ErrorKind::InvalidRequest),
        (new_run(1), ErrorKind::Conflict),
        (new_run(10), ErrorKind::Conflict),
        (mismatch, ErrorKind::IdempotencyMismatch),
    ];
    for (last, kind) in bad {
        let batch = vec![keyed(10, "fresh"), new_run(12), last];
        let what = format!("a batch that ends with {:?}", batch[2]);
        assert_refused(stage.store.enqueue(tenant, batch, at(20)).await, kind, &what);
        assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, before, "{what} left a run");
        assert_eq!(stage.store.run(tenant, run_id(10)).await.expect("a run is read"), None, "{what} left a run");
    }
    let claimed: Vec<_> = stage.claim(10, at(30)).await.into_iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(claimed, before, "nothing of a refused batch is handed out");

    // Neither ids nor keys of a refused batch are used up.
    let batch = vec![NewRun { input: json!("new"), ..keyed(10, "fresh") }, new_run(11), new_run(12)];
    let runs = stage.store.enqueue(tenant, batch, at(40)).await.expect("a good batch is accepted");
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [run_id(10), run_id(11), run_id(12)], "the answers are in the order of the batch");
}

/// The same request made again makes no second run.
pub async fn enqueue_with_the_same_key_answers_with_the_first_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let first = stage.accept(tenant, keyed(1, "a"), at(10)).await;
    let again = stage.accept(tenant, keyed(2, "a"), at(20)).await;
    assert_eq!(again, first, "the id does not count as content");
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, [run_id(1)]);
    assert_eq!(stage.store.run(tenant, run_id(2)).await.expect("a run is read"), None);

    // In a batch beside a new one, and within one batch.
    let batch = vec![keyed(3, "a"), keyed(4, "b"), keyed(5, "b")];
    let runs = stage.store.enqueue(tenant, batch, at(30)).await.expect("the batch is accepted");
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [run_id(1), run_id(4), run_id(4)]);

    // Also when the first run has gone on.
    assert_eq!(stage.claim(10, at(40)).await.len(), 2, "two runs were accepted");
    assert_eq!(stage.accept(tenant, keyed(6, "a"), at(50)).await.id, run_id(1));

    // Without a key every request is a run of its own.
    stage.accept(tenant, NewRun { input: json!({}), ..new_run(7) }, at(60)).await;
    stage.accept(tenant, NewRun { input: json!({}), ..new_run(8) }, at(60)).await;
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await.len(), 4);
}

/// A key stands for its content.
pub async fn enqueue_with_the_same_key_and_other_content_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    stage.accept(tenant, keyed(1, "a"), at(10)).await;
    let others = [
        NewRun { input: json!({ "key": "other" }), ..keyed(2, "a") },
        NewRun { agent_blueprint: "other".to_owned(), ..keyed(2, "a") },
        NewRun { priority: 5, ..keyed(2, "a") },
        NewRun { budget_usd_cents: Some(1), ..keyed(2, "a") },
        NewRun { run_at: Some(at(99)), ..keyed(2, "a") },
        NewRun { metadata: [("a".to_owned(), json!(1))].into_iter().collect(), ..keyed(2, "a") },
    ];
    for other in others {
        let what = format!("{other:?}");
        let refused = stage.store.enqueue(tenant, vec![other], at(20)).await;
        assert_refused(refused, ErrorKind::IdempotencyMismatch, &what);
    }
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, [run_id(1)]);
}

/// However many make the same request at once, there is one run.
pub async fn many_tasks_with_one_key_make_one_run(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let mut ids = stage
        .in_parallel(32, move |n, store| {
            async move {
                let runs = store.enqueue(tenant, vec![keyed(n, "a")], at(10)).await.expect("an answer");
                runs[0].id
            }
            .boxed()
        })
        .await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "all are answered with the same run");
    assert_eq!(stage.run_ids(tenant, RunQuery::default()).await, ids);
}

/// A run that is malformed is refused.
pub async fn malformed_run_is_refused(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let bad = [
        NewRun { agent_blueprint: String::new(), ..new_run(1) },
        NewRun { priority: -101, ..new_run(1) },
        NewRun { deadline_secs: Some(0), ..new_run(1) },
        keyed(1, ""),
        keyed(1, "with space"),
    ];
    for new in bad {
        let what = format!("{new:?}");
        let refused = stage.store.enqueue(tenant, vec![new], at(10)).await;
        assert_refused(refused, ErrorKind::InvalidRequest, &what);
    }
}

/// What was accepted is what was asked for, and reads back the same.
pub async fn accepted_run_is_what_was_asked_for(stage: Stage) {
    let tenant = stage.tenant(1).await;
    let new = NewRun {
        input: json!({ "contacts": ["a", 1, null, 0.1], "text": "\u{1F600} \" \\ \n" }),
        budget_usd_cents: Some(250),
        deadline_secs: Some(600),
        run_at: Some(at(100)),
        priority: -7,
        metadata: [("source".to_owned(), json!({ "row": 3 }))].into_iter().collect(),
        ..new_run(1)
    };
    let run = stage.accept(tenant, new.clone(), at(10)).await;
    assert_eq!(run, new.accept(tenant, at(10)));
    assert_eq!(stage.run(tenant, run_id(1)).await, run);
    assert_eq!(run.status, RunStatus::Queued);

    let journal = stage.journal(tenant, run_id(1)).await;
    assert_eq!(journal, crate::journal::Journal::default(), "nothing is journaled yet");
}
