//! Connections that break in the middle: nothing is half done, and the next call succeeds.

use std::pin::pin;

use futures::future::join_all;
use futures::poll;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use worktruck_core::run::{NewRun, RunStatus};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore, RunQuery, RunStore, TenantStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{Error, ErrorKind, PageRequest, Result};

use crate::fixture::*;
use crate::wire::Wire;

/// Does `call` while another transaction holds what `hold` takes, and ends the connection that
/// waits for it.
async fn killed<T>(database: &Database, hold: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    tx.execute(AssertSqlSafe(hold.to_owned())).await.unwrap();
    let mut call = pin!(call);
    assert!(poll!(&mut call).is_pending());
    let kill = async {
        database.until_waiting(1).await;
        assert_eq!(database.kill("wait_event_type = 'Lock'").await, 1);
        tx.rollback().await.unwrap();
    };
    in_time("an answer after the end of a connection", async { tokio::join!(call, kill).0 }).await
}

fn may_be_made_again(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_is_killed_is_made_once() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let mut lease = claimed(&store, tenant(1), 1).await.lease;
    for number in 1..=4 {
        let step = step(u32::try_from(number).unwrap(), json!(number), Changes::none());
        let commit = store.commit(&lease, commit(number, vec![step]), at(2));
        let outcome = if number % 2 == 0 {
            killed(&database, "SELECT FROM queue FOR UPDATE", commit).await
        } else {
            commit.await
        };
        let CommitOutcome::Committed { lease: renewed, .. } = outcome.unwrap() else { panic!("a conflict") };
        lease = renewed;
    }
    let journal = store.journal(tenant(1), run_id(1)).await.unwrap().unwrap();
    assert_eq!((journal.commits, journal.steps.len()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_whose_connection_is_killed_are_not_half_made() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    let both = create(2, "Bob").write(contact(1), WriteOp::Patch(named("Ada King")));
    let failed =
        killed(&database, "SELECT FROM tenant_head FOR UPDATE", store.apply(tenant(1), both.clone(), user(), at(2)))
            .await;
    // Whether they were made is not known by then: to make them again is left to the caller.
    may_be_made_again(&failed.unwrap_err());
    assert_eq!(store.entity(tenant(1), contact(2), At::NOW, at(3)).await.unwrap(), None);

    let applied = store.apply(tenant(1), both, user(), at(3)).await.unwrap();
    assert_eq!((applied.tx_id, applied.versions), (2, vec![(contact(2), 1), (contact(1), 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_connection_is_killed_takes_nothing() {
    let database = Database::fresh().await;
    let store = database.store().await;
    claimed(&store, tenant(1), 1).await;
    store.enqueue(tenant(1), vec![new_run(2), new_run(3)], at(2)).await.unwrap();
    let failed = killed(&database, "SELECT FROM turn FOR UPDATE", store.claim(claim_any(2), at(3))).await;
    may_be_made_again(&failed.unwrap_err());
    let waiting = RunQuery { status: Some(RunStatus::Queued), ..RunQuery::default() };
    assert_eq!(store.runs(tenant(1), waiting).await.unwrap().data.len(), 2);
    assert_eq!(store.claim(claim_any(2), at(3)).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_whose_connection_is_killed_are_not_half_accepted() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let runs = || {
        let keyed = NewRun { idempotency_key: Some("once".into()), ..new_run(2) };
        vec![new_run(1), keyed, new_run(3)]
    };
    let hold = format!(
        "INSERT INTO idempotency (tenant, key, digest, run) VALUES ('{}', 'once', '', '{}')",
        tenant(1),
        run_id(9)
    );
    let failed = killed(&database, &hold, store.enqueue(tenant(1), runs(), at(1))).await;
    may_be_made_again(&failed.unwrap_err());
    for table in ["run", "queue", "event", "idempotency"] {
        assert_eq!(database.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(store.enqueue(tenant(1), runs(), at(1)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_takes_effect_once() {
    let database = Database::fresh().await;
    let wire = Wire::to(&database).await;
    let store = database.open(wire.options()).await;
    let mut lease = claimed(&store, tenant(1), 1).await.lease;
    for number in 1..=6 {
        let write = Changes::none().write(contact(1), WriteOp::Put(named(&format!("Ada {number}"))));
        let changes = if number % 2 == 0 { write } else { Changes::none() };
        let step = step(u32::try_from(number).unwrap(), json!(number), changes);
        // Later commits are statements that the server knows: the last answer is that of the write.
        match number {
            5 => wire.lose_an_answer(0),
            6 => wire.lose_an_answer(1),
            _ => {}
        }
        let outcome = in_time("an answer", store.commit(&lease, commit(number, vec![step]), at(2))).await;
        let CommitOutcome::Committed { lease: renewed, run } = outcome.unwrap() else { panic!("a conflict") };
        assert_eq!(run.status, RunStatus::Running);
        lease = renewed;
    }
    assert_eq!(wire.lost(), 2);
    let journal = store.journal(tenant(1), run_id(1)).await.unwrap().unwrap();
    assert_eq!((journal.commits, journal.steps.len()), (6, 6));
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(9)).await.unwrap().unwrap();
    assert_eq!((ada.slice.version, ada.slice.tx_id), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_whose_answer_is_lost_are_not_made_again() {
    let database = Database::fresh().await;
    let wire = Wire::to(&database).await;
    let store = database.open(wire.options()).await;
    let rename = |name: &str| Changes::none().write(contact(1), WriteOp::Put(named(name)));
    for name in ["Ada", "Ada B", "Ada Byron"] {
        store.apply(tenant(1), rename(name), user(), at(1)).await.unwrap();
    }
    wire.lose_an_answer(1);
    let lost = in_time("an answer", store.apply(tenant(1), rename("Ada King"), user(), at(2))).await.unwrap_err();
    may_be_made_again(&lost);
    assert!(lost.to_string().contains("not known"), "{lost}");
    assert_eq!(wire.lost(), 1);
    let feed = store.changes(tenant(1), None, PageRequest::default()).await.unwrap();
    assert_eq!(feed.data.len(), 4, "made once");

    // The answer of what was only read can be lost without harm.
    wire.lose_an_answer(0);
    store.apply(tenant(1), rename("Ada Lovelace"), user(), at(3)).await.unwrap();
    assert_eq!((wire.lost(), database.count("SELECT max(tx_id) FROM entity_commit").await), (2, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_answer_is_lost_makes_no_changes_twice() {
    let database = Database::fresh().await;
    let wire = Wire::to(&database).await;
    let store = database.open(wire.options()).await;
    let write = |n: u128| {
        let changes = Changes::none().write(contact(n % 10), WriteOp::Put(named(&format!("Ada {n}"))));
        store.apply(tenant(1), changes, user(), at(1))
    };
    let all = join_all((0..10).map(write)).await;
    assert!(all.iter().all(Result::is_ok));
    wire.lose_an_answer(1);
    let answers = in_time("answers", join_all((10..50).map(write))).await;
    assert_eq!(wire.lost(), 1);
    let lost: Vec<&Error> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(!lost.is_empty());
    lost.into_iter().for_each(may_be_made_again);
    let twice = "SELECT count(DISTINCT version) FROM (
             SELECT version, body::text AS body FROM slice UNION ALL SELECT version, body::text FROM head
         ) e GROUP BY body ORDER BY 1 DESC LIMIT 1";
    assert_eq!(database.count(twice).await, 1, "every name was given once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_found_again() {
    let database = Database::fresh().await;
    let wire = Wire::to(&database).await;
    let store = database.open(wire.options().with_readers(2)).await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.commit(&lease, commit(1, Vec::new()), at(2)).await.unwrap();
    wire.cut();
    may_be_made_again(&in_time("an answer", store.entity(tenant(1), contact(1), At::NOW, at(3))).await.unwrap_err());
    may_be_made_again(&in_time("an answer", store.claim(claim_any(1), at(3))).await.unwrap_err());
    may_be_made_again(&in_time("an answer", store.enqueue(tenant(1), vec![new_run(2)], at(3))).await.unwrap_err());
    may_be_made_again(&in_time("an answer", store.tenant(tenant(1))).await.unwrap_err());
    may_be_made_again(
        &in_time("an answer", store.apply(tenant(1), create(2, "Bob"), user(), at(3))).await.unwrap_err(),
    );
    let cut = in_time("an answer", store.commit(&lease, commit(2, Vec::new()), at(3))).await;
    may_be_made_again(&cut.unwrap_err());

    wire.mend();
    assert!(store.entity(tenant(1), contact(1), At::NOW, at(4)).await.unwrap().is_some());
    store.enqueue(tenant(1), vec![new_run(2)], at(4)).await.unwrap();
    assert_eq!(store.claim(claim_any(1), at(4)).await.unwrap().len(), 1);
    store.apply(tenant(1), create(2, "Bob"), user(), at(4)).await.unwrap();
    store.commit(&lease, commit(2, Vec::new()), at(4)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_while_nobody_used_them_are_not_noticed() {
    let database = Database::fresh().await;
    let store = database.open(database.options().without_notifications().with_readers(4)).await;
    let reads = || (0..4).map(|_| store.entity(tenant(1), contact(1), At::NOW, at(1)));
    for read in join_all(reads()).await {
        read.unwrap();
    }
    database
        .until(
            "NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'worktruck' AND state_change > clock_timestamp() - interval '1.1 seconds')",
        )
        .await;
    assert!(database.kill("TRUE").await >= 2);
    for read in join_all(reads()).await {
        read.unwrap();
    }
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
}
