//! A server of PostgreSQL that breaks its connections off, crashes, or has none left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use worktruck_store_pg::testing::{Cluster, ClusterOptions};
use worktruck_tests::{Announcement, Answer, Backend, Place};

use crate::fleet::{Fleet, Runs};
use crate::worker::{Setup, Worker, in_time};
use crate::world::World;

const RUNS: usize = 40;
const WORKERS: usize = 3;
/// The lease outlasts every outage, and is short because runs whose claim was not answered are
/// nobody's until theirs runs out.
const SETUP: Setup = Setup { lease: Duration::from_secs(10), concurrency: 4, ..Setup::USUAL };

#[tokio::test]
async fn connections_that_break_again_and_again_lose_no_run_and_double_nothing() {
    let mut world = World::new(Backend::Postgres).await;
    let runs = Runs::enqueue(&world, RUNS).await;
    let mut storm = PgConnection::connect(&world.place.url).await.unwrap();
    let mut fleet = Fleet::start(&world, WORKERS, SETUP).await;
    let (mut storms, mut broken, mut at_work) = (0, 0, 0);
    while fleet.commits(5, &runs, &world).await {
        let Broken { connections, busy } = break_connections(&mut storm).await;
        (storms, broken, at_work) = (storms + 1, broken + connections, at_work + busy);
    }
    assert!(storms >= 20, "{storms} storms");
    assert!(broken >= storms * WORKERS, "{broken} connections in {storms} storms");
    assert!(at_work > 0, "connections were at work when they broke");
    let given = fleet.stop().await;
    world.open_again().await;
    assert!(given <= runs.assert_done(&world).await, "no attempt is given to two workers");
}

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_loses_no_run_and_doubles_nothing() {
    let cluster = Arc::new(Cluster::start(&ClusterOptions::new()).unwrap());
    let mut world = World::at(Place::at(cluster.url("postgres"))).await;
    let runs = Runs::enqueue(&world, RUNS).await;
    let mut fleet = Fleet::start(&world, WORKERS, SETUP).await;
    for _ in 0..3 {
        assert!(fleet.commits(40, &runs, &world).await, "the server crashes in the middle");
        let crashes = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || crashes.restart_immediate()).await.unwrap().unwrap();
    }
    world.open_again().await;
    fleet.until_ended(&runs, &world).await;
    let given = fleet.stop().await;
    assert!(given <= runs.assert_done(&world).await, "no attempt is given to two workers");
    let log = std::fs::read_to_string(cluster.log()).unwrap();
    assert_eq!(log.matches("was not properly shut down").count(), 3, "{log}");
}

#[tokio::test]
async fn workers_that_get_no_connection_for_a_while_go_on_afterwards() {
    const LIMIT: usize = 40;
    let options = ClusterOptions::new().with_setting("max_connections", LIMIT.to_string());
    let cluster = Cluster::start(&options).unwrap();
    let mut world = World::at(Place::at(cluster.url("postgres"))).await;
    let under_way = WORKERS * SETUP.concurrency;
    world.server.gate(RUNS + 1);
    let runs = Runs::enqueue(&world, RUNS).await;
    let mut admin = PgConnection::connect(&world.place.url).await.unwrap();
    let mut fleet = Fleet::start(&world, WORKERS, SETUP).await;
    world.server.asked(under_way).await;

    let mut others = Vec::new();
    let all_taken = async {
        while others.len() < LIMIT - 1 {
            break_connections(&mut admin).await;
            while let Ok(other) = crowd(&world).await {
                others.push(other);
            }
        }
    };
    in_time("others have all connections", all_taken).await;
    // Every run under way has something to commit.
    world.server.gate(0);
    let mut refused = BTreeSet::new();
    while refused.len() < WORKERS {
        if let Announcement::After { commit, answer: Answer::Unavailable } = fleet.said().await {
            refused.insert(commit.run);
        }
    }
    let complaint = Worker::refused(&world).await;
    assert!(complaint.contains("the server has too many connections already"), "{complaint}");

    drop(others);
    world.open_again().await;
    fleet.until_ended(&runs, &world).await;
    let given = fleet.stop().await;
    assert!(given <= runs.assert_done(&world).await, "no attempt is given to two workers");
}

/// How the connections of others call themselves.
const OTHERS: &str = "others";

async fn crowd(world: &World) -> sqlx::Result<PgConnection> {
    let options: sqlx::postgres::PgConnectOptions = world.place.url.parse().unwrap();
    PgConnection::connect_with(&options.application_name(OTHERS)).await
}

/// How many connections were broken off, and how many of them were in the middle of something.
struct Broken {
    connections: usize,
    busy: usize,
}

/// Breaks off every connection to the database but those of others.
async fn break_connections(by: &mut PgConnection) -> Broken {
    let sql = format!(
        "SELECT state, pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> '{OTHERS}'"
    );
    let broken: Vec<(Option<String>, bool)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(by).await.unwrap();
    let busy = broken.iter().filter(|(state, _)| state.as_deref() != Some("idle"));
    Broken { connections: broken.len(), busy: busy.count() }
}
