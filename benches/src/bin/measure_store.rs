//! Measures the SQLite store beside the database's own limit: `measure_store [FOLDER]`.
//!
//! The limit is a commit of one row of the same size through the same driver, with the same
//! durability, in the same folder and the same run.

#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use worktruck_agents::clock::RandomIds;
use worktruck_benches::workload::{BLUEPRINT, claim, commit, person, step};
use worktruck_core::entity::{Kind, Term};
use worktruck_core::run::{Claimed, CommitStep, NewRun, Transition};
use worktruck_core::store::{
    Changes, CommitOutcome, EntityKey, EntityStore, ListQuery, Provenance, RunStore, Sort, SortField,
};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::{EntityId, PageRequest, Result, RunId, TenantId, Timestamp};
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let store = Arc::new(SqliteStore::open_with(SqliteOptions::new(folder.path().join("rates.db"))).await?);
    let ids = RandomIds::new();
    let tenant = TenantId::new(&ids, at(0));

    let contacts: Vec<_> =
        (0..10_000).map(|n| (EntityKey::new(Kind::Contact, EntityId::new(&ids, at(0))), n)).collect();
    let began = Instant::now();
    for batch in contacts.chunks(300) {
        let changes = batch.iter().fold(Changes::none(), |changes, (key, n)| changes.create(*key, person(*n)));
        store.apply(tenant, changes, Provenance::new("user:1", "import"), at(1)).await?;
    }
    report("contacts created, 300 to a commit", 10_000, began.elapsed());

    let began = Instant::now();
    for (key, _) in contacts.iter().take(1_000) {
        let patch = Changes::none().write(*key, WriteOp::Patch(json!({ "nickname": "Ad" })));
        store.apply(tenant, patch, Provenance::new("user:1", "user_edit"), at(2)).await?;
    }
    report("contacts changed, each in a commit", 1_000, began.elapsed());

    let began = Instant::now();
    for (key, _) in contacts.iter().take(5_000) {
        store.entity(tenant, *key, At::NOW, at(3)).await?;
    }
    report("contacts read", 5_000, began.elapsed());
    for (name, query) in lists() {
        let began = Instant::now();
        for _ in 0..100 {
            store.list(tenant, query.clone(), at(4)).await?;
        }
        report(name, 100, began.elapsed());
    }

    let limit = limit(folder.path()).await?;
    for workers in [1, 16] {
        let runs =
            (0..workers).map(|_| NewRun::new(RunId::new(&ids, at(5)), BLUEPRINT, json!({ "number": 1 }))).collect();
        store.enqueue(tenant, runs, at(5)).await?;
        let claimed = store.claim(claim(workers), at(5)).await?;
        let steps = 4_000 / workers;
        let began = Instant::now();
        let tasks: Vec<_> =
            claimed.into_iter().map(|claimed| tokio::spawn(work(Arc::clone(&store), claimed, steps))).collect();
        for task in tasks {
            task.await??;
        }
        let took = began.elapsed();
        report(&format!("steps of 1 kB, each in a commit, {workers} at once"), steps * workers, took);
        let rate = f64::from(u32::try_from(steps * workers)?) / took.as_secs_f64();
        println!("{:>12.2} of the limit", rate / limit);
    }

    let runs = vec![NewRun::new(RunId::new(&ids, at(6)), BLUEPRINT, json!({}))];
    store.enqueue(tenant, runs, at(6)).await?;
    let claimed = store.claim(claim(1), at(6)).await?.remove(0);
    let changed = contacts.iter().zip(1..=50).map(|((key, _), seq)| {
        let patch = Changes::none().write(*key, WriteOp::Patch(json!({ "bio": seq.to_string() })));
        CommitStep { step: step(&ids, seq, 1_000, at(6)), changes: patch }
    });
    let began = Instant::now();
    store.commit(&claimed.lease, commit(1, changed.collect(), Transition::Continue), at(7)).await?;
    report("steps that change a contact, 50 to a commit", 50, began.elapsed());

    store.close().await;
    let size = std::fs::metadata(folder.path().join("rates.db"))?.len();
    println!("{:>12.1} MB in the file", f64::from(u32::try_from(size / 1024)?) / 1024.0);
    Ok(())
}

/// Commits of one row of 1 kB that the database itself does in a second, one after the other.
async fn limit(folder: &Path) -> std::result::Result<f64, Box<dyn std::error::Error>> {
    let mut plain = SqliteConnectOptions::new()
        .filename(folder.join("limit.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::query("CREATE TABLE step (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)").execute(&mut plain).await?;
    let (count, body) = (2_000, "x".repeat(1_000));
    let began = Instant::now();
    for seq in 0..count {
        sqlx::query("INSERT INTO step (seq, body) VALUES (?, ?)").bind(seq).bind(&body).execute(&mut plain).await?;
    }
    let took = began.elapsed();
    plain.close().await?;
    report("rows of 1 kB, each in a commit: the limit", 2_000, took);
    Ok(f64::from(count) / took.as_secs_f64())
}

fn report(what: &str, count: usize, took: Duration) {
    let per_second = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64();
    println!("{per_second:>12.0} /s  {:>9.1} ms  {count} {what}", took.as_secs_f64() * 1_000.0);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn lists() -> Vec<(&'static str, ListQuery)> {
    let all = ListQuery::new(Kind::Contact);
    let by_name = Sort { field: SortField::Key("display_name".into()), descending: false };
    let page = PageRequest::default();
    vec![
        ("pages of 50 by creation", all.clone()),
        ("pages of 50 by name", ListQuery { sort: by_name, page, ..all.clone() }),
        ("pages of 50 with a tag of 200", ListQuery { terms: vec![Term::new("tag", "group-7")], ..all.clone() }),
        ("pages of 50 with a word of 2,500", ListQuery { text: Some("byr".into()), ..all.clone() }),
        ("pages of 50 as of the import", ListQuery { at: At::as_of(at(1)), ..all }),
    ]
}

async fn work(store: Arc<SqliteStore>, claimed: Claimed, steps: usize) -> Result<()> {
    let (ids, mut lease) = (RandomIds::new(), claimed.lease);
    for (number, seq) in (1..).zip(1..).take(steps) {
        let steps = vec![CommitStep { step: step(&ids, seq, 1_000, at(6)), changes: Changes::none() }];
        match store.commit(&lease, commit(number, steps, Transition::Continue), at(6)).await? {
            CommitOutcome::Committed { lease: renewed, .. } => lease = renewed,
            CommitOutcome::Conflicted { error, .. } => return Err(error),
        }
    }
    Ok(())
}
