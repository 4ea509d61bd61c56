//! The file: what it survives, who may share it, and what is said when it cannot be used.

use crate::fixture::*;
use futures::future::join_all;
use worktruck_core::ErrorKind;
use worktruck_core::RunId;
use worktruck_core::run::NewRun;
use worktruck_core::store::{EntityStore, NewTenant, RunQuery, RunStore, TenantStore};
use worktruck_core::temporal::At;
use worktruck_core::testing::CountingIds;
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_the_store_is_opened_again() {
    let (store, folder) = fresh().await;
    let new = NewTenant { name: Some("Acme".into()), ..NewTenant::new(tenant(1), "acme") };
    let made = store.create_tenant(new, at(0)).await.unwrap();
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    let run = RunId::new(&CountingIds::new(2), at(1));
    store.enqueue(tenant(1), vec![NewRun::new(run, "echo", named("input"))], at(1)).await.unwrap();
    drop(store);

    let store = again(&folder).await;
    assert_eq!(store.tenant(tenant(1)).await.unwrap(), Some(made));
    let ada = store.entity(tenant(1), contact(1), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(ada.slice.body, Some(named("Ada")));
    assert_eq!(store.runs(tenant(1), RunQuery::default()).await.unwrap().data[0].id, run);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_moves_the_log_into_the_file_and_ends_writing() {
    let (store, folder) = fresh().await;
    store.apply(tenant(1), create(1, "Ada"), user(), at(1)).await.unwrap();
    store.close().await;

    let log = folder.path().join("store.db-wal");
    assert_eq!(log.metadata().map_or(0, |log| log.len()), 0);
    let refused = store.apply(tenant(1), create(2, "Bob"), user(), at(2)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_on_one_file_see_each_other_and_share_the_runs() {
    let (one, folder) = fresh().await;
    let two = again(&folder).await;
    let ids = CountingIds::new(3);
    let runs: Vec<_> = (0..40).map(|_| NewRun::new(RunId::new(&ids, at(0)), "echo", named("input"))).collect();
    one.enqueue(tenant(1), runs, at(0)).await.unwrap();

    let claims = (0..40).map(|n| if n % 2 == 0 { &one } else { &two }.claim(claim_any(3), at(1)));
    let claimed = join_all(claims).await.into_iter().flat_map(Result::unwrap);
    let mut ids: Vec<_> = claimed.map(|claimed| claimed.run.id).collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), 40);
    ids.dedup();
    assert_eq!(ids.len(), 40);

    let writes = (0..40).map(|n| {
        let store = if n % 2 == 0 { &one } else { &two };
        store.apply(tenant(1), create(n, "Ada"), user(), at(2))
    });
    let mut numbers: Vec<_> = join_all(writes).await.into_iter().map(|applied| applied.unwrap().tx_id).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    for n in 0..40 {
        let other = if n % 2 == 0 { &two } else { &one };
        assert!(other.entity(tenant(1), contact(n), At::NOW, at(3)).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_from_another_store_wakes_a_waiting_worker() {
    let (one, folder) = fresh().await;
    let two = again(&folder).await;
    let mark = one.wait_for_work(0).await.unwrap();
    let run = NewRun::new(RunId::new(&CountingIds::new(4), at(0)), "echo", named("input"));

    let (woken, enqueued) = tokio::join!(one.wait_for_work(mark), two.enqueue(tenant(1), vec![run], at(0)));
    enqueued.unwrap();
    assert_ne!(woken.unwrap(), mark);
    assert_eq!(one.claim(claim_any(1), at(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "Remember the milk, the bread, the butter and above all the cheese.\n".repeat(20)).unwrap();
    for (path, says) in [
        (folder.path().join("missing/store.db"), "a folder that exists"),
        (text.join("store.db"), "a folder that exists"),
        (folder.path().to_owned(), "a folder that exists"),
        (text.clone(), "not a SQLite database"),
    ] {
        let error = SqliteStore::open_with(SqliteOptions::new(&path)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.chain());
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("PRAGMA"), "{error}");
    }
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("Remember"));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    use sqlx::{ConnectOptions as _, Connection as _};

    let (store, folder) = fresh().await;
    store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut connection = options.connect().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();

    let error = SqliteStore::open_with(SqliteOptions::new(folder.path().join("store.db"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_create_the_same_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opened = join_all((0..6).map(|_| again(&folder))).await;
    let writes = opened.iter().zip(1..).map(|(store, n)| store.apply(tenant(1), create(n, "Ada"), user(), at(1)));
    let numbers = join_all(writes).await.into_iter().map(|applied| applied.unwrap().tx_id);
    assert_eq!(numbers.max(), Some(6));
}
