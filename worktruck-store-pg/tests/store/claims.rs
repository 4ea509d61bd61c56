//! Whose runs a claim takes where very many wait, and what a step costs.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use worktruck_core::entity::Kind;
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::run::{NewRun, Transition};
use worktruck_core::store::{Changes, EntityKey, EntityStore, RunStore};
use worktruck_core::{EntityId, RunId, TenantId};
use worktruck_store_pg::PgStore;

use crate::fixture::*;

/// Makes `count` copies of the run 0 of the tenant 1, each of the tenant that `owner`, an expression with
/// `n`, gives.
async fn copies(database: &Database, count: u32, owner: &str) {
    let (run, tenant) = (run_id(0), tenant(1));
    let id = format!("overlay('{run}' placing lpad(to_hex(n), 8, '0') from 29)");
    let state = format!("replace(replace(state::text, '{run}', {id}), '{tenant}', ({owner})::text)::json");
    database
        .run(&format!(
            "INSERT INTO run (tenant, id, blueprint, created_at, state, input, metadata)
             SELECT {owner}, {id}::uuid, blueprint, created_at, {state}, input, metadata
             FROM run, generate_series(1, {count}) n WHERE id = '{run}'"
        ))
        .await;
    database
        .run(&format!(
            "INSERT INTO queue (tenant, run, created_at, run_at, attempt, priority, delayed, status, blueprint, fence,
                 updated_at, head_seq, commits, event_seq, cost, reserved, forfeited)
             SELECT {owner}, {id}::uuid, created_at, run_at, attempt, priority, delayed, status, blueprint, fence,
                 updated_at, head_seq, commits, event_seq, cost, reserved, forfeited
             FROM queue, generate_series(1, {count}) n WHERE run = '{run}'"
        ))
        .await;
    database.run("ANALYZE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_very_many_runs_delays_another_by_no_more_than_a_claim() {
    let database = Database::fresh().await;
    let store = database.store().await;
    store.enqueue(tenant(1), vec![new_run(0)], at(0)).await.unwrap();
    copies(&database, 100_000, "tenant").await;
    assert!(store.claim(claim_any(16), at(1)).await.unwrap().iter().all(|claimed| claimed.run.tenant_id == tenant(1)));
    store.enqueue(tenant(2), vec![new_run(1 << 40)], at(2)).await.unwrap();
    let claimed = store.claim(claim_any(16), at(3)).await.unwrap();
    assert_eq!(claimed.len(), 16);
    assert_eq!(claimed.iter().filter(|claimed| claimed.run.tenant_id == tenant(2)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_behind_more_than_a_claim_looks_at_have_their_turn() {
    const TENANTS: u32 = 5_000;
    let database = Database::fresh().await;
    let store = database.store().await;
    store.enqueue(tenant(1), vec![new_run(0)], at(0)).await.unwrap();
    copies(&database, TENANTS, "overlay(tenant::text placing lpad(to_hex(n + 1), 8, '0') from 29)::uuid").await;
    let last: uuid::Uuid = sqlx::query_scalar("SELECT max(tenant::text)::uuid FROM queue")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    // The first claim sees the first 4,096 of them, and the second those behind.
    let mut served = BTreeSet::new();
    let mut claims = 0;
    for _ in 1..=2 {
        claims += 1;
        let claimed = store.claim(claim_any(1_000), at(claims)).await.unwrap();
        served.extend(claimed.iter().map(|claimed| claimed.run.tenant_id));
    }
    assert!(served.contains(&TenantId::from_uuid(last)), "{} tenants were served, and not the last", served.len());
    // Nobody is served twice before all are served once.
    let mut all = served.len();
    while all < usize::try_from(TENANTS).unwrap() + 1 {
        claims += 1;
        let claimed = store.claim(claim_any(1_000), at(9)).await.unwrap();
        assert!(!claimed.is_empty(), "{all} tenants were served");
        all += claimed.len();
        served.extend(claimed.iter().map(|claimed| claimed.run.tenant_id));
    }
    assert_eq!(served.len(), all);
    assert!(claims <= 6, "{claims} claims for 5,001 runs, each of up to 1,000");
}

/// Of many tenants a claim looks at few: what it takes is what the rule says all the same.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_tenants_those_go_first_whose_turn_it_is() {
    let database = Database::fresh().await;
    let store = database.store().await;
    // Of each of 60 tenants two runs, the second with the higher priority.
    let id = |n: u16, second: bool| u128::from(n) * 2 + u128::from(second);
    for n in 1..=60 {
        let mut runs = vec![new_run(id(n, false)), new_run(id(n, true))];
        runs[1].priority = 5;
        // The tenants with the greater numbers have waited longer.
        store.enqueue(tenant(n), runs, at(100 - i64::from(n))).await.unwrap();
    }
    let ids = |claimed: Vec<worktruck_core::run::Claimed>| -> Vec<RunId> {
        let mut ids: Vec<RunId> = claimed.iter().map(|claimed| claimed.run.id).collect();
        ids.sort_unstable();
        ids
    };
    let sorted = |mut ids: Vec<RunId>| {
        ids.sort_unstable();
        ids
    };
    let first = ids(store.claim(claim_any(20), at(200)).await.unwrap());
    assert_eq!(first, sorted((41..=60).map(|n| run_id(id(n, true))).collect()), "none was served: the oldest go first");
    let second = ids(store.claim(claim_any(40), at(201)).await.unwrap());
    assert_eq!(second, sorted((1..=40).map(|n| run_id(id(n, true))).collect()), "those that were not served yet");
    let third = ids(store.claim(claim_any(80), at(202)).await.unwrap());
    assert_eq!(third, sorted((1..=60).map(|n| run_id(id(n, false))).collect()));
}

/// What has expired and what is kept back may be of tenants that a first look leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_tenants_all_are_looked_at_where_a_turn_is_not_enough() {
    let database = Database::fresh().await;
    let store = database.store().await;
    // The tenant 61 is served, and its worker dies.
    store.enqueue(tenant(61), vec![new_run(1_000)], at(0)).await.unwrap();
    assert_eq!(store.claim(claim_any(1), at(1)).await.unwrap().len(), 1);
    // Of 58 others one run runs each, and no more may.
    for n in 1..=58 {
        let config = AgentConfig { max_concurrent_runs: Some(1), ..AgentConfig::new("echo") };
        let key = EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(uuid::Uuid::from_u128(7)));
        let changes = Changes::none().create(key, serde_json::to_value(config).unwrap());
        store.apply(tenant(n), changes, user(), at(2)).await.unwrap();
        let id = u128::from(n) * 10;
        store.enqueue(tenant(n), vec![new_run(id), new_run(id + 1)], at(2)).await.unwrap();
    }
    assert_eq!(store.claim(claim_any(100), at(4)).await.unwrap().len(), 58);
    let urgent = NewRun { priority: 9, ..new_run(1_001) };
    store.enqueue(tenant(61), vec![urgent], at(5)).await.unwrap();
    for n in [59, 60] {
        store.enqueue(tenant(n), vec![new_run(u128::from(n))], at(5)).await.unwrap();
    }
    let later = at(2).after(LEASE);
    let claimed = store.claim(claim_any(3), later).await.unwrap();
    let mut ids: Vec<RunId> = claimed.iter().map(|claimed| claimed.run.id).collect();
    ids.sort_unstable();
    // Those that were never served, and then the first of the tenant whose turn was: not the expired one.
    assert_eq!(ids, [run_id(59), run_id(60), run_id(1_001)]);
    let rest = store.claim(claim_any(3), later).await.unwrap();
    assert_eq!(rest.iter().map(|claimed| claimed.run.id).collect::<Vec<_>>(), [run_id(1_000)]);
    // The turn is first of those that may run no more.
    store.enqueue(tenant(59), vec![new_run(2_000)], later).await.unwrap();
    let last = store.claim(claim_any(3), later).await.unwrap();
    assert_eq!(last.iter().map(|claimed| claimed.run.id).collect::<Vec<_>>(), [run_id(2_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_runs_holds_for_many_machines_at_once() {
    const LIMIT: usize = 3;
    let database = Database::fresh().await;
    let stores = join_all((0..6).map(|_| database.store())).await;
    let config = AgentConfig { max_concurrent_runs: Some(u32::try_from(LIMIT).unwrap()), ..AgentConfig::new("echo") };
    let key = EntityKey::new(Kind::AgentConfig, EntityId::from_uuid(uuid::Uuid::from_u128(7)));
    let changes = Changes::none().create(key, serde_json::to_value(config).unwrap());
    stores[0].apply(tenant(1), changes, user(), at(0)).await.unwrap();
    stores[0].enqueue(tenant(1), (0..40).map(new_run).collect(), at(1)).await.unwrap();

    let work = async |store: &PgStore| -> usize {
        let mut done = 0;
        while database.count("SELECT count(*) FROM queue").await > 0 {
            for claimed in store.claim(claim_any(2), at(2)).await.unwrap() {
                let running = database.count("SELECT count(*) FROM queue WHERE status = 'running'").await;
                assert!(running <= i64::try_from(LIMIT).unwrap(), "{running} run at once");
                let end = Transition::Succeed { output: json!(null) };
                let commit = worktruck_core::run::Commit { transition: end, ..commit(1, Vec::new()) };
                store.commit(&claimed.lease, commit, at(3)).await.unwrap();
                done += 1;
            }
        }
        done
    };
    let done = in_time("the end of all runs", join_all(stores.iter().map(work))).await;
    assert_eq!(done.into_iter().sum::<usize>(), 40);
}

/// How many transactions the server has committed for `steps` commits of a step each, and all around.
async fn transactions(steps: u32, with_changes: bool) -> i64 {
    let database = Database::fresh().await;
    let store = database.store().await;
    let lease = claimed(&store, tenant(1), 1).await.lease;
    for seq in 1..=steps {
        let changes = if with_changes { create(u128::from(seq), "Ada") } else { Changes::none() };
        store.commit(&lease, commit(u64::from(seq), vec![step(seq, json!("x"), changes)]), at(2)).await.unwrap();
    }
    store.close().await;
    // A connection hands in what it has counted when it ends. Whoever looks from elsewhere is not counted.
    let elsewhere = PgConnectOptions::from_str(database.url()).unwrap().database("postgres");
    let mut elsewhere = PgConnection::connect_with(&elsewhere).await.unwrap();
    let open = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1)";
    while sqlx::query_scalar(open).bind(database.name()).fetch_one(&mut elsewhere).await.unwrap() {}
    let count = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1";
    sqlx::query_scalar(count).bind(database.name()).fetch_one(&mut elsewhere).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_one_statement_and_one_commit() {
    // Every statement outside a transaction is one; what opens and closes a store is a few more or less.
    for (with_changes, each) in [(false, 1), (true, 2)] {
        let more = transactions(205, with_changes).await - transactions(5, with_changes).await;
        // Changes of entities are read before they are written.
        assert!((200 * each - 20..=200 * each + 20).contains(&more), "{more} for 200 steps, {each} for each expected");
    }
}
