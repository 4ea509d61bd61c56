//! What is removed while others work, and when a process is stopped between two pieces.

use serde_json::json;
use sqlx::{Connection as _, Executor as _};
use worktruck_core::run::{Commit, NewRun, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore, RetentionStore, RunStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{ErrorKind, TenantId};
use worktruck_store_pg::PgStore;

use crate::fixture::*;

fn long() -> serde_json::Value {
    json!("long ".repeat(20_000))
}

/// A run with a key, and a step whose payload is kept apart; it ends at once.
async fn ended(store: &PgStore, owner: TenantId, n: u128) {
    let keyed = NewRun { idempotency_key: Some(format!("key-{n}")), ..new_run(n) };
    store.enqueue(owner, vec![keyed], at(0)).await.unwrap();
    let lease = store.claim(claim_any(1), at(1)).await.unwrap().remove(0).lease;
    let end = Commit {
        transition: Transition::Succeed { output: json!("done") },
        ..commit(1, vec![step(1, long(), Changes::none())])
    };
    store.commit(&lease, end, at(2)).await.unwrap();
}

const LEFT: &str = "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM queue) + (SELECT count(*) FROM step)
    + (SELECT count(*) FROM event) + (SELECT count(*) FROM payload) + (SELECT count(*) FROM idempotency)
    + (SELECT count(*) FROM open_call)";

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_stop_after_a_piece_leave_the_rest_to_the_next() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for n in 1..=3 {
        ended(&store, tenant(1), n).await;
    }
    for n in 0..5 {
        let changes = Changes::none().write(contact(1), WriteOp::Put(named(&format!("Ada {n}"))));
        store.apply(tenant(1), changes, user(), at(n)).await.unwrap();
    }
    store.close().await;

    let mut pieces = 0;
    loop {
        let store = database.store().await;
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
    assert_eq!(database.count(LEFT).await, 0, "nothing of the runs is left");
    let replaced = format!("SELECT count(*) FROM slice WHERE sys_to <> {}", i64::MAX);
    assert_eq!(database.count(&replaced).await, 0, "what was replaced is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_a_commit_under_way_names_stays() {
    let database = Database::fresh().await;
    let store = database.store().await;
    ended(&store, tenant(1), 1).await;
    store.enqueue(tenant(1), vec![new_run(2)], at(3)).await.unwrap();
    let lease = store.claim(claim_any(1), at(4)).await.unwrap().remove(0).lease;

    // A commit of another process has named the payload, and is not through yet.
    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    let again = "INSERT INTO step (tenant, run, id, started_at, at, event_seq, seq, kind, outcome, name, call_digest,
             hash, input_ref, output_ref)
         SELECT s.tenant, q.run, s.id, s.started_at, s.at, 9, 9, s.kind, s.outcome, s.name, s.call_digest, s.hash,
             s.input_ref, s.output_ref
         FROM step s, queue q";
    assert_eq!(tx.execute(again).await.unwrap().rows_affected(), 1);
    let through = async {
        database.until_waiting(1).await;
        tx.commit().await.unwrap();
    };
    let expire = store.expire(tenant(1), at(100), 10, at(200));
    let (expired, ()) = in_time("the end of a commit", async { tokio::join!(expire, through) }).await;
    assert_eq!(expired.unwrap().runs, 1);
    assert_eq!(database.count("SELECT count(*) FROM payload").await, 1, "it is named by the other run");
    database.run("DELETE FROM step").await;

    // The other way round: it goes while a commit that names it is made.
    let mut tx = other.begin().await.unwrap();
    tx.execute("DELETE FROM payload").await.unwrap();
    let gone = async {
        database.until_waiting(1).await;
        tx.commit().await.unwrap();
    };
    let made = store.commit(&lease, commit(1, vec![step(1, long(), Changes::none())]), at(5));
    let (made, ()) = in_time("the end of a removal", async { tokio::join!(made, gone) }).await;
    assert!(matches!(made.unwrap(), CommitOutcome::Committed { .. }));
    let journal = store.journal(tenant(1), run_id(2)).await.unwrap().unwrap();
    assert!(journal.steps[0].output == Some(long()), "the payload is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_waits_for_another_process_is_not_removed_twice() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for n in 1..=2 {
        ended(&store, tenant(1), n).await;
    }
    assert_eq!(store.expire(tenant(1), at(1), 1, at(200)).await.unwrap().runs, 0, "there is a count of pieces");
    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    tx.execute("UPDATE removal SET pieces = pieces + 1").await.unwrap();
    let done = async {
        database.until_waiting(1).await;
        tx.commit().await.unwrap();
    };
    let expire = store.expire(tenant(1), at(100), 10, at(200));
    let (expired, ()) = in_time("the end of a piece", async { tokio::join!(expire, done) }).await;
    assert_eq!(expired.unwrap().runs, 2, "the second attempt sees how things are by then");
    assert_eq!(database.count(LEFT).await, 0, "payloads of both runs went with the last of them");
}
