use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;

use sqlx::{Connection as _, Row as _};
use worktruck_core::ErrorKind;
use worktruck_store_pg::testing::{Cluster, ClusterOptions, Database, Pooler};

use crate::{ask, connect, eventually, is_alive, one_test, user_of};

#[tokio::test]
async fn a_pool_leads_to_its_database_and_shares_connections() {
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), 1).unwrap();
    let (mut one, mut other) = (connect(pooler.url()).await, connect(pooler.url()).await);
    // What is not prepared leaves nothing behind for whoever is next on the connection.
    let who = "SELECT pg_backend_pid()::text, current_database()::text";
    let (one, other) = (
        sqlx::raw_sql(who).fetch_one(&mut one).await.unwrap(),
        sqlx::raw_sql(who).fetch_one(&mut other).await.unwrap(),
    );
    assert_eq!(one.get::<String, _>(1), database.name());
    // Both connections are open, and the server has one for them.
    assert_eq!(one.get::<String, _>(0), other.get::<String, _>(0));
}

#[tokio::test]
async fn a_pool_knows_the_password_of_its_server() {
    let cluster = Cluster::start(&ClusterOptions::new().with_loopback()).unwrap();
    let pooler = Pooler::start(&cluster.loopback_url("postgres").unwrap(), 1).unwrap();
    assert_eq!(ask(&mut connect(pooler.url()).await, "SELECT host(inet_server_addr())").await, "127.0.0.1");
}

#[tokio::test]
async fn a_pool_that_is_dropped_leaves_nothing() {
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), 1).unwrap();
    let (folder, process) = (pooler.socket_folder(), pooler.process().unwrap());
    assert!(is_alive(process) && user_of(process) != 0);
    drop(pooler);
    assert!(!folder.exists() && !is_alive(process));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let error = Pooler::start("postgres://[", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
}

/// Makes the holder below wait to be killed.
const HELD: &str = "WORKTRUCK_TEST_HELD_POOL";

/// What the next test kills. Run alone it uses a pool and ends.
#[tokio::test]
async fn a_holder_uses_a_pool() {
    let database = Database::fresh().await.unwrap();
    let pooler = Pooler::start(database.url(), 1).unwrap();
    connect(pooler.url()).await.ping().await.unwrap();
    if std::env::var_os(HELD).is_some() {
        println!("\nheld {} {}", pooler.process().unwrap(), pooler.socket_folder().display());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[tokio::test]
async fn a_pool_ends_when_who_uses_it_is_killed() {
    let mut test = one_test("poolers::a_holder_uses_a_pool");
    let mut holder = test.env(HELD, "yes").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let held = lines.find_map(|line| line.strip_prefix("held ").map(str::to_owned)).expect("the holder holds");
    let (process, folder) = held.split_once(' ').unwrap();
    let (process, folder) = (process.parse().unwrap(), PathBuf::from(folder));
    assert!(is_alive(process) && folder.exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the pool ends", || !is_alive(process)).await;
    eventually("its folder is deleted", || !folder.exists()).await;
}
