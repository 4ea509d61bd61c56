//! What happens when others hold, change or lock what the store needs.

use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use futures::poll;
use serde_json::json;
use sqlx::{Connection as _, Executor as _};
use worktruck_core::run::{Lease, Renewal, Signal};
use worktruck_core::store::{Changes, CommitOutcome, EntityStore, RunStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{ErrorKind, PageRequest};

use crate::fixture::*;

/// A step that changes the contact 1.
fn renaming(number: u64, name: &str) -> worktruck_core::run::Commit {
    let changes = Changes::none().write(contact(1), WriteOp::Put(named(name)));
    commit(number, vec![step(u32::try_from(number).unwrap(), json!(name), changes)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_with_others_is_survived() {
    let database = Database::fresh().await;
    // The store looks for a deadlock soon, the others never: it is always the one to give way.
    database.set("deadlock_timeout = '200ms'").await;
    let store = database.store().await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();

    let mut other = database.connect().await;
    other.execute("SET deadlock_timeout = '10min'").await.unwrap();
    let mut tx = other.begin().await.unwrap();
    tx.execute("SELECT FROM tenant_head FOR UPDATE").await.unwrap();
    let mut commit = pin!(store.commit(&lease, renaming(1, "Ada King"), at(2)));
    assert!(poll!(&mut commit).is_pending());
    let wait_for_each_other = async {
        database.until_waiting(1).await;
        // The commit has the run, and waits for the tenant. It has to give up the run for this to end.
        tx.execute("SELECT FROM queue FOR UPDATE").await.unwrap();
        tx.rollback().await.unwrap();
    };
    let (outcome, ()) = in_time("the end of a deadlock", async { tokio::join!(commit, wait_for_each_other) }).await;
    assert!(matches!(outcome.unwrap(), CommitOutcome::Committed { .. }));
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(3)).await.unwrap().unwrap();
    assert_eq!((ada.slice.version, ada.slice.body), (2, Some(named("Ada King"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_stricter_isolation_only_takes_more_attempts() {
    let database = Database::fresh().await;
    database.set("default_transaction_isolation = 'serializable'").await;
    let stores = join_all((0..4).map(|_| database.store())).await;
    let rename = |n: usize| {
        let changes = Changes::none().write(contact(1), WriteOp::Put(named(&format!("Ada {n}"))));
        stores[n % 4].apply(tenant(1), changes, user(), at(1))
    };
    for applied in join_all((0..40).map(rename)).await {
        applied.unwrap();
    }
    let runs = stores.iter().zip(1_u128..).map(|(store, n)| store.enqueue(tenant(1), vec![new_run(n)], at(1)));
    join_all(runs).await.into_iter().for_each(|accepted| drop(accepted.unwrap()));
    let claims = join_all(stores.iter().map(|store| store.claim(claim_any(2), at(2)))).await;
    assert_eq!(claims.into_iter().map(|claimed| claimed.unwrap().len()).sum::<usize>(), 4);
    let history = stores[0].history(tenant(1), contact(1), PageRequest::largest(None)).await.unwrap();
    assert_eq!(history.data[0].slice.version, 40);
}

/// Lets the next two statements that write to any of these tables fail with `code`. A sequence counts on
/// where a transaction is undone.
async fn fail_twice(database: &Database, code: &str) {
    database.run("DROP SEQUENCE IF EXISTS failures").await;
    database.run("CREATE SEQUENCE failures").await;
    database
        .run(&format!(
            "CREATE OR REPLACE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
             BEGIN
                 IF nextval('failures') <= 2 THEN RAISE EXCEPTION 'try again' USING ERRCODE = '{code}'; END IF;
                 RETURN NULL;
             END $$"
        ))
        .await;
    for table in ["run", "queue", "step", "head"] {
        database
            .run(&format!(
                "CREATE OR REPLACE TRIGGER fails AFTER INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail_twice()"
            ))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serialization_failure_is_another_attempt() {
    let database = Database::fresh().await;
    let store = database.store().await;
    for code in ["40001", "40P01"] {
        let n = if code == "40001" { 1 } else { 2 };
        fail_twice(&database, code).await;
        store.enqueue(tenant(1), vec![new_run(n)], at(0)).await.unwrap();
        fail_twice(&database, code).await;
        let lease = store.claim(claim_any(1), at(1)).await.unwrap().remove(0).lease;
        fail_twice(&database, code).await;
        let outcome = store.commit(&lease, commit(1, vec![step(1, json!(1), create(n, "Ada"))]), at(2)).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed { .. }), "{code}: {outcome:?}");
        fail_twice(&database, code).await;
        let changes = Changes::none().write(contact(n), WriteOp::Put(named("Ada King")));
        store.apply(tenant(1), changes, user(), at(3)).await.unwrap();
        fail_twice(&database, code).await;
        store.signal(tenant(1), run_id(n), Signal::Cancel { actor: None }, at(4)).await.unwrap();
        assert!(database.count("SELECT last_value FROM failures").await > 2, "{code}: nothing failed");
        // Each took effect once.
        let journal = store.journal(tenant(1), run_id(n)).await.unwrap().unwrap();
        assert_eq!((journal.steps.len(), journal.commits), (1, 1), "{code}");
        let ada = store.entity(tenant(1), contact(n), At::NOW, at(5)).await.unwrap().unwrap();
        assert_eq!(ada.slice.version, 2, "{code}");
    }
}

/// So ends what a process leaves open that was stopped in a transaction for too long.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_ended_is_made_again() {
    let database = Database::fresh().await;
    let store = database.store().await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    for code in ["25P03", "57P01"] {
        let n = if code == "25P03" { 1 } else { 2 };
        fail_twice(&database, code).await;
        let before = database.count(BACKENDS).await;
        store
            .commit(&lease, commit(n, vec![step(u32::try_from(n).unwrap(), json!(n), Changes::none())]), at(2))
            .await
            .unwrap();
        assert_ne!(database.count(BACKENDS).await, before, "{code}: it is another connection");
    }
    assert_eq!(store.journal(tenant(1), run_id(1)).await.unwrap().unwrap().steps.len(), 2);
}

/// Tells the connections that there are from others.
const BACKENDS: &str = "SELECT coalesce(sum(pid), 0) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = 'worktruck'";

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_timeout_is_another_attempt() {
    let database = Database::fresh().await;
    database.set("lock_timeout = '30ms'").await;
    let store = database.store().await;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    tx.execute("SELECT FROM tenant_head FOR UPDATE").await.unwrap();
    let hold = async {
        // The second wait is of the second attempt.
        for _ in 0..2 {
            database.until_waiting(1).await;
            database.until_waiting(0).await;
        }
        tx.rollback().await.unwrap();
    };
    let apply = store.apply(tenant(1), create(2, "Bob"), user(), at(2));
    let (applied, ()) = in_time("the end of the lock", async { tokio::join!(apply, hold) }).await;
    assert_eq!(applied.unwrap().tx_id, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_says_so() {
    let database = Database::fresh().await;
    let store = database
        .open(database.options().without_notifications().with_statement_timeout(Duration::from_millis(300)))
        .await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.enqueue(tenant(1), vec![new_run(2)], at(1)).await.unwrap();

    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    tx.execute("LOCK TABLE head, queue, tenant_head IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let calls = async {
        [
            store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.map(drop),
            store.commit(&lease, commit(1, Vec::new()), at(2)).await.map(drop),
            store.entity(tenant(1), contact(1), At::NOW, at(2)).await.map(drop),
            store.claim(claim_any(1), at(2)).await.map(drop),
            store.renew(std::slice::from_ref(&lease), LEASE, at(2)).await.map(drop),
            store.enqueue(tenant(1), vec![new_run(3)], at(2)).await.map(drop),
        ]
    };
    // Six waits of 300 ms: none is made again and again.
    let answers = tokio::time::timeout(Duration::from_secs(10), calls).await.expect("answers soon");
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
        assert!(error.to_string().contains("took longer than it may"), "{error}");
    }
    tx.rollback().await.unwrap();
    assert_eq!(store.claim(claim_any(2), at(3)).await.unwrap().len(), 1);
    store.commit(&lease, commit(1, Vec::new()), at(3)).await.unwrap();
    assert_eq!(store.apply(tenant(1), create(2, "Bob"), user(), at(3)).await.unwrap().tx_id, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_waits_for_no_commit() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.enqueue(tenant(1), vec![new_run(1), new_run(2)], at(0)).await.unwrap();
    let leases: Vec<Lease> =
        store.claim(claim_any(2), at(1)).await.unwrap().into_iter().map(|claimed| claimed.lease).collect();
    let mut other = database.connect().await;
    let mut tx = other.begin().await.unwrap();
    let lock = format!("SELECT FROM queue WHERE run = '{}' FOR UPDATE", leases[0].run());
    tx.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
    let later = at(1).after(LEASE / 2);
    let renewed = in_time("an answer", store.renew(&leases, LEASE, later)).await.unwrap();
    let ends: Vec<_> = renewed
        .iter()
        .map(|renewal| match renewal {
            Renewal::Renewed { lease, .. } => lease.expires_at(),
            Renewal::Lost(run) => panic!("{run} is lost"),
        })
        .collect();
    assert_eq!(ends, [at(1).after(LEASE), later.after(LEASE)], "what is locked is told as it is");
    tx.rollback().await.unwrap();
    let renewed = store.renew(&leases, LEASE, later).await.unwrap();
    assert!(
        renewed.iter().all(
            |renewal| matches!(renewal, Renewal::Renewed { lease, .. } if lease.expires_at() == later.after(LEASE))
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_connections_wait_for_their_turn() {
    let database = Database::fresh().await;
    let store = database.open(database.options().without_notifications().with_readers(1).with_writers(1)).await;
    store.apply(tenant(1), create(0, "Ada"), user(), at(1)).await.unwrap();
    let calls = (1..=100_u128).map(async |n| {
        store.apply(tenant(1), create(n, "Bob"), user(), at(2)).await.map(drop)?;
        store.enqueue(tenant(1), vec![new_run(n)], at(2)).await.map(drop)?;
        store.history(tenant(1), contact(n), PageRequest::largest(None)).await.map(drop)?;
        store.entity(tenant(1), contact(0), At::as_of(at(1)), at(3)).await.map(|ada| assert!(ada.is_some()))
    });
    for done in in_time("the end of all calls", join_all(calls)).await {
        done.unwrap();
    }
    assert_eq!(store.claim(claim_any(200), at(3)).await.unwrap().len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_write_the_entities_of_one_tenant() {
    const STORES: usize = 8;
    const EACH: usize = 25;
    let database = Database::fresh().await;
    let stores = join_all((0..STORES).map(|_| database.store())).await;
    // Each adds to a counter that it has read, and writes a contact of its own.
    stores[0].apply(tenant(1), create(0, "0"), user(), at(0)).await.unwrap();
    let write = async |store: &worktruck_store_pg::PgStore, place: usize| {
        for n in 0..EACH {
            loop {
                let read = store.entity(tenant(1), contact(0), At::NOW, at(1)).await.unwrap().unwrap();
                let count: u64 = read.slice.body.unwrap()["display_name"].as_str().unwrap().parse().unwrap();
                let own = contact(u128::try_from(1 + place * EACH + n).unwrap());
                let changes = Changes::none()
                    .create(own, named("Ada"))
                    .require(worktruck_core::store::Require::Version { key: contact(0), version: read.slice.version })
                    .write(contact(0), WriteOp::Put(named(&(count + 1).to_string())));
                match store.apply(tenant(1), changes, user(), at(1)).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::VersionMismatch, "{}", error.chain()),
                }
            }
        }
    };
    let writers = stores.iter().enumerate().map(|(place, store)| write(store, place));
    in_time("the last write", join_all(writers)).await;

    let written = STORES * EACH;
    let counter = stores[0].entity(tenant(1), contact(0), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(counter.slice.body, Some(named(&written.to_string())), "no update is lost");
    let gaps = "SELECT count(*) FROM generate_series(1, (SELECT tx_id FROM tenant_head)) n
         WHERE NOT EXISTS (SELECT 1 FROM entity_commit WHERE tx_id = n)";
    assert_eq!(database.count(gaps).await, 0);
    assert_eq!(database.count("SELECT tx_id FROM tenant_head").await, i64::try_from(written + 1).unwrap());
}
