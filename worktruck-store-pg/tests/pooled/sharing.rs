use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};
use worktruck_core::entity::Kind;
use worktruck_core::journal::{Snapshot, Step, StepKind, StepOutcome};
use worktruck_core::run::{BlueprintVersion, ClaimRequest, Claimed, Commit, CommitStep, Cost, NewRun, Transition};
use worktruck_core::store::{Changes, CommitOutcome, EntityKey, EntityStore, Provenance, Require, RunStore};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::testing::CountingIds;
use worktruck_core::{Digest, EntityId, ErrorKind, NanoUsd, PageRequest, RunId, StepId, TenantId, Timestamp};
use worktruck_store_pg::testing::{Database, Pooler};
use worktruck_store_pg::{PgOptions, PgStore};

use crate::{CONNECTIONS, open};

const LEASE: Duration = Duration::from_secs(30);

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn tenant() -> TenantId {
    TenantId::new(&CountingIds::new(1), at(0))
}

fn contact(n: usize) -> EntityKey {
    let n = u128::try_from(n).unwrap();
    EntityKey::new(
        Kind::Contact,
        EntityId::from_uuid(uuid::Uuid::from_u128(0x0194_a8b3_7e5a_77c1_9d0f_0000_0000_0000 + n)),
    )
}

fn run_id(n: usize) -> RunId {
    let n = u128::try_from(n).unwrap();
    RunId::from_uuid(uuid::Uuid::from_u128(0x0194_a8b3_7e5a_77c1_9d0f_1000_0000_0000 + n))
}

fn named(name: &str) -> Value {
    json!({ "display_name": name })
}

fn user() -> Provenance {
    Provenance::new("user:1", "user_edit")
}

/// A commit with one step, which makes `changes`, and which ends the run if it is the second.
fn commit(number: u64, changes: Changes) -> Commit {
    let seq = u32::try_from(number).unwrap();
    let step = Step {
        id: StepId::new(&CountingIds::new(9), at(i64::from(seq))),
        seq,
        kind: StepKind::Tool,
        name: "echo".into(),
        call_digest: Digest::of_bytes(b"call"),
        hash: Digest::of_bytes(b"hash"),
        input: json!({ "seq": seq }),
        output: Some(json!("x".repeat(200))),
        outcome: StepOutcome::Ok,
        model: None,
        usage: None,
        cost: Cost::default(),
        started_at: at(0),
        completed_at: Some(at(1)),
        payload_ref: None,
        tried: None,
    };
    Commit {
        number,
        snapshot: (number == 1).then(snapshot),
        steps: vec![CommitStep { step, changes }],
        calls: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        reserved: NanoUsd::ZERO,
        forfeited: NanoUsd::ZERO,
        transition: if number == 2 { Transition::Succeed { output: json!(null) } } else { Transition::Continue },
        lease_for: LEASE,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        blueprint: "echo".into(),
        blueprint_version: 1,
        config_version: None,
        model: "local/echo".into(),
        system_prompt: String::new(),
        first_message: String::new(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: None,
        deadline_at: at(60_000_000),
        max_steps: 100,
        max_tokens: 100,
        max_repeats: 3,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}

/// What `future` gives, or a failed test if that takes far too long.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("an end")
}

/// Claims runs, two at a time, and takes each to its end, until there are none; gives which they were.
/// The first step of each makes a contact.
async fn work(store: &PgStore) -> Vec<RunId> {
    let mut done = Vec::new();
    loop {
        let blueprints = vec![BlueprintVersion { blueprint: "echo".into(), version: 1 }];
        let request = ClaimRequest { blueprints, limit: 2, lease_for: LEASE };
        let claimed = store.claim(request, at(1)).await.unwrap();
        if claimed.is_empty() {
            return done;
        }
        let ends = claimed.iter().map(async |Claimed { lease, run, .. }| {
            let own = EntityKey::new(Kind::Contact, EntityId::from_uuid(run.id.as_uuid()));
            for commit in [commit(1, Changes::none().create(own, named("Ada"))), commit(2, Changes::none())] {
                let outcome = store.commit(lease, commit, at(2)).await.unwrap();
                assert!(matches!(outcome, CommitOutcome::Committed { .. }), "{outcome:?}");
            }
            run.id
        });
        done.extend(join_all(ends).await);
    }
}

/// Adds one to the contact 0, which counts, `times` times.
async fn count(store: &PgStore, times: usize) {
    for _ in 0..times {
        loop {
            let read = store.entity(tenant(), contact(0), At::NOW, at(1)).await.unwrap().unwrap();
            let count: usize = read.slice.body.unwrap()["display_name"].as_str().unwrap().parse().unwrap();
            let changes = Changes::none()
                .require(Require::Version { key: contact(0), version: read.slice.version })
                .write(contact(0), WriteOp::Put(named(&(count + 1).to_string())));
            match store.apply(tenant(), changes, user(), at(1)).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::VersionMismatch, "{}", error.chain()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_through_one_pool_lose_nothing_and_do_nothing_twice() {
    const RUNS: usize = 40;
    const COUNTS: usize = 20;
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), CONNECTIONS).unwrap();
    let (one, other) = (open(&pooler).await, open(&pooler).await);
    one.apply(tenant(), Changes::none().create(contact(0), named("0")), user(), at(0)).await.unwrap();
    let runs = (0..RUNS).map(|n| NewRun::new(run_id(n), "echo", json!({}))).collect();
    one.enqueue(tenant(), runs, at(0)).await.unwrap();

    let all = async { tokio::join!(work(&one), work(&other), count(&one, COUNTS), count(&other, COUNTS)) };
    let (mut done, by_other, (), ()) = in_time(all).await;
    done.extend(by_other);

    assert_eq!(done.len(), RUNS, "no run was given out twice");
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>(), (0..RUNS).map(run_id).collect());
    let counter = other.entity(tenant(), contact(0), At::NOW, at(2)).await.unwrap().unwrap();
    assert_eq!(counter.slice.body, Some(named(&(2 * COUNTS).to_string())));
    for n in 0..RUNS {
        let own = EntityKey::new(Kind::Contact, EntityId::from_uuid(run_id(n).as_uuid()));
        assert!(other.entity(tenant(), own, At::NOW, at(2)).await.unwrap().is_some());
        let journal = one.journal(tenant(), run_id(n)).await.unwrap().unwrap();
        assert_eq!(journal.steps.len(), 2);
    }
    let commits = one.changes(tenant(), None, PageRequest::largest(None)).await.unwrap();
    assert_eq!(commits.data.len(), 1 + RUNS + 2 * COUNTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_the_server_are_shared() {
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), CONNECTIONS).unwrap();
    let stores = join_all((0..4).map(|_| open(&pooler))).await;
    let create =
        |n: usize| stores[n % 4].apply(tenant(), Changes::none().create(contact(n), named("Ada")), user(), at(1));
    let read = |n: usize| stores[n % 4].entity(tenant(), contact(n), At::NOW, at(2));
    in_time(join_all((0..40).map(create))).await.into_iter().for_each(|applied| drop(applied.unwrap()));
    for read in in_time(join_all((0..40).map(read))).await {
        assert!(read.unwrap().is_some());
    }

    let mut direct = PgConnection::connect(database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let connections: i64 = sqlx::query_scalar(sql).fetch_one(&mut direct).await.unwrap();
    assert!((1..=i64::from(CONNECTIONS)).contains(&connections), "{connections} of the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_statements_of_a_store_are_not_left_to_others() {
    let database = Database::fresh().await.unwrap();
    // With one connection, whoever comes next gets the same.
    let pooler = Pooler::start(database.url(), 1).unwrap();
    let store = open(&pooler).await;
    store.apply(tenant(), Changes::none().create(contact(1), named("Ada")), user(), at(1)).await.unwrap();

    let mut other = PgConnection::connect(pooler.url()).await.unwrap();
    let before = ask(&mut other, "SELECT pg_backend_pid()::text").await;
    for (setting, expected) in
        [("SHOW search_path", "\"$user\", public"), ("SHOW statement_timeout", "0"), ("SHOW enable_seqscan", "on")]
    {
        assert_eq!(ask(&mut other, setting).await, expected, "{setting}");
    }
    // What a store prepares has names that others use too, and what they set stays.
    let prepared =
        "DEALLOCATE ALL; PREPARE sqlx_s_1 AS SELECT 1; PREPARE sqlx_s_2 AS SELECT 2; SET search_path = pg_catalog";
    sqlx::raw_sql(prepared).execute(&mut other).await.unwrap();
    store.apply(tenant(), Changes::none().create(contact(2), named("Bob")), user(), at(2)).await.unwrap();
    assert!(store.entity(tenant(), contact(2), At::NOW, at(3)).await.unwrap().is_some());
    assert_eq!(ask(&mut other, "SELECT pg_backend_pid()::text").await, before, "it was the same connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_others_is_found_by_looking_and_nobody_listens() {
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), CONNECTIONS).unwrap();
    let options = PgOptions::parse(pooler.url()).unwrap().behind_transaction_pool();
    let waiting = PgStore::open_with(options.with_poll_interval(Duration::from_millis(50))).await.unwrap();
    let other = open(&pooler).await;
    let mut mark = in_time(waiting.wait_for_work(0)).await.unwrap();
    other.enqueue(tenant(), vec![NewRun::new(run_id(1), "echo", json!({}))], at(0)).await.unwrap();
    let found = in_time(async {
        loop {
            mark = waiting.wait_for_work(mark).await.unwrap();
            let done = work(&waiting).await;
            if !done.is_empty() {
                return done;
            }
        }
    });
    assert_eq!(found.await, [run_id(1)]);
    let mut direct = PgConnection::connect(database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%'";
    let listening: i64 = sqlx::query_scalar(sql).fetch_one(&mut direct).await.unwrap();
    assert_eq!(listening, 0);
}

/// Asks without preparing a statement.
async fn ask(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::raw_sql(sql).fetch_one(connection).await.unwrap().get(0)
}
