//! Whose turn it is: kept from process to process, from schema to schema, and past damage.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use worktruck_core::run::{NewRun, RunStatus};
use worktruck_core::store::{RunQuery, RunStore};
use worktruck_core::testing::CountingIds;
use worktruck_core::{RunId, TenantId};

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_kept_when_the_store_is_opened_again() {
    let (store, folder) = fresh().await;
    let ids = CountingIds::new(6);
    for (n, priority) in [(1, 100), (2, 0)] {
        let new = || NewRun { priority, ..NewRun::new(RunId::new(&ids, at(0)), "echo", json!({})) };
        store.enqueue(tenant(n), vec![new(), new(), new()], at(0)).await.unwrap();
    }
    let mut store = store;
    let mut order = Vec::new();
    for now in 1..=6 {
        order.push(store.claim(claim_any(1), at(now)).await.unwrap().remove(0).run.tenant_id);
        store.close().await;
        store = again(&folder).await;
    }
    assert_eq!(order, [1, 2, 1, 2, 1, 2].map(tenant));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_is_passed_over() {
    let (store, folder) = fresh().await;
    let ids = CountingIds::new(8);
    let mut runs = Vec::new();
    for priority in [100, 50, 0] {
        let new = NewRun { priority, ..NewRun::new(RunId::new(&ids, at(0)), "echo", json!({})) };
        runs.push(store.enqueue(tenant(1), vec![new], at(0)).await.unwrap()[0].id);
    }
    let damage = "UPDATE run SET state = '{}' WHERE priority = 100";
    sqlx::query(damage).execute(&mut file_of(&folder).await).await.unwrap();
    for (now, run) in (1..).zip(&runs[1..]) {
        let claimed = store.claim(claim_any(1), at(now)).await.unwrap();
        assert_eq!(claimed.iter().map(|claimed| claimed.run.id).collect::<Vec<_>>(), [*run]);
    }
    assert!(store.claim(claim_any(5), at(9)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_store_of_the_third_schema_are_claimed_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("store.db")).create_if_missing(true);
    let mut file = options.connect().await.unwrap();
    let mut old: Migrator = sqlx::migrate!("./migrations");
    old.migrations = old.migrations.iter().filter(|migration| migration.version <= 3).cloned().collect();
    old.run(&mut file).await.unwrap();
    // What that version wrote: the first tenant has more urgent runs than the second, one delayed run
    // each, and one that a worker holds.
    let ids = CountingIds::new(9);
    let mut names = BTreeMap::new();
    for (n, priority) in [(1, 100), (2, 0)] {
        for (name, status, run_at, lease) in [
            ("running", RunStatus::Running, 0, Some(50)),
            ("first", RunStatus::Queued, 0, None),
            ("second", RunStatus::Queued, 0, None),
            ("delayed", RunStatus::Queued, 1_000, None),
        ] {
            let run = RunId::new(&ids, at(0));
            names.insert(run, format!("{name} of {n}"));
            write_run(&mut file, tenant(n), run, (status, priority, run_at, lease)).await;
        }
    }
    file.close().await.unwrap();

    let store = again(&folder).await;
    let mut order = Vec::new();
    for now in [10, 11, 12, 13, 14, 60, 61, 62, 999, 1_000, 1_001, 1_002] {
        let claimed = store.claim(claim_any(1), at(now)).await.unwrap();
        order.push(claimed.first().map_or("nothing", |claimed| &names[&claimed.run.id]));
    }
    let expected = [
        ["first of 1", "first of 2", "second of 1", "second of 2", "nothing"].as_slice(),
        &["running of 1", "running of 2", "nothing", "nothing"],
        &["delayed of 1", "delayed of 2", "nothing"],
    ];
    assert_eq!(order, expected.concat());
    let runs = store.runs(tenant(1), RunQuery::default()).await;
    assert!(runs.unwrap().data.iter().all(|run| run.status == RunStatus::Running), "nothing was lost");
}

/// Writes a run as the third schema has it.
async fn write_run(
    file: &mut SqliteConnection,
    tenant: TenantId,
    run: RunId,
    (status, priority, run_at, lease): (RunStatus, i8, i64, Option<i64>),
) {
    let mut new = NewRun::new(run, "echo", json!({})).accept(tenant, at(0));
    (new.priority, new.run_at) = (priority, at(run_at));
    new.status = status;
    let (tenant, run) = (tenant.as_uuid().into_bytes().to_vec(), run.as_uuid().into_bytes().to_vec());
    let state = json!(new).to_string();
    sqlx::query(
        "INSERT INTO run (tenant, id, blueprint, status, priority, run_at, created_at, lease_expires_at, fence, head_seq,
             commits, event_seq, reserved, forfeited, state)
         VALUES (?, ?, 'echo', ?, ?, ?, ?, ?, 0, 0, 0, 1, 0, 0, ?)",
    )
    .bind(&tenant)
    .bind(&run)
    .bind(status.as_str())
    .bind(priority)
    .bind(at(run_at).as_micros())
    .bind(at(0).as_micros())
    .bind(lease.map(|lease| at(lease).as_micros()))
    .bind(state)
    .execute(&mut *file)
    .await
    .expect("a run is written");
    sqlx::query("INSERT INTO run_content (tenant, id, input, metadata) VALUES (?, ?, '{}', '{}')")
        .bind(&tenant)
        .bind(&run)
        .execute(file)
        .await
        .expect("a run is written");
}
