//! What is removed from the file, and when a process is stopped between two pieces.

use serde_json::json;
use worktruck_core::run::{NewRun, Signal};
use worktruck_core::store::{Changes, EntityStore, RetentionStore, RunStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{ErrorKind, RunId};

use crate::fixture::*;

fn run_id(n: u128) -> RunId {
    RunId::from_uuid(uuid::Uuid::from_u128(n))
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_stop_after_a_piece_leave_the_rest_to_the_next() {
    let (store, folder) = fresh().await;
    for n in 1..=3 {
        let keyed = NewRun { idempotency_key: Some(format!("key-{n}")), ..NewRun::new(run_id(n), "echo", json!({})) };
        store.enqueue(tenant(1), vec![keyed], at(0)).await.unwrap();
        store.signal(tenant(1), run_id(n), Signal::Cancel { actor: None }, at(2)).await.unwrap();
    }
    for n in 0..5 {
        let changes = Changes::none().write(contact(1), WriteOp::Put(named(&format!("Ada {n}"))));
        store.apply(tenant(1), changes, user(), at(n)).await.unwrap();
    }
    store.close().await;

    let mut pieces = 0;
    loop {
        let store = again(&folder).await;
        let piece = store.expire(tenant(1), at(100), 1, at(200)).await.unwrap();
        let ada = store.entity(tenant(1), contact(1), At::NOW, at(200)).await.unwrap().unwrap();
        assert_eq!((ada.slice.version, ada.slice.body), (5, Some(named("Ada 4"))));
        let old = store.entity(tenant(1), contact(1), At::as_of(at(99)), at(200)).await.unwrap_err();
        assert_eq!(old.kind(), ErrorKind::HistoryExpired, "the horizon is there from the first piece on");
        store.close().await;
        pieces += 1;
        if !piece.has_more {
            break;
        }
    }
    // A piece for each run and each commit, and no more.
    assert_eq!(pieces, 3 + 5);
    let mut file = file_of(&folder).await;
    for table in ["run", "run_content", "step", "event", "payload", "idempotency", "open_call"] {
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut file)
            .await
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    let replaced: i64 = sqlx::query_scalar("SELECT count(*) FROM slice WHERE sys_to <> ?")
        .bind(i64::MAX)
        .fetch_one(&mut file)
        .await
        .unwrap();
    assert_eq!(replaced, 0, "what was replaced is gone");
}
