use sqlx::Connection as _;
use worktruck_store_pg::testing::{Cluster, ClusterOptions, Database};

use crate::{ask, connect, one_test, refusal};

const TABLES: &str = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'";

#[tokio::test]
async fn fresh_databases_are_separate() {
    let (a, b) = (Database::fresh().await.unwrap(), Database::fresh().await.unwrap());
    assert_ne!(a.name(), b.name());
    a.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)").await.unwrap();
    let (mut in_a, mut in_b) = (connect(a.url()).await, connect(b.url()).await);
    assert_eq!(ask(&mut in_a, "SELECT current_database()::text").await, a.name());
    assert_eq!(ask(&mut in_a, TABLES).await, "1");
    assert_eq!(ask(&mut in_b, TABLES).await, "0");
}

#[tokio::test]
async fn a_dropped_database_is_gone_whoever_is_connected() {
    let database = Database::fresh().await.unwrap();
    let mut connection = connect(database.url()).await;
    let url = database.url().to_owned();
    drop(database);
    assert!(connection.ping().await.is_err());
    assert_eq!(refusal(&url).await, "3D000", "no such database");
}

#[tokio::test]
async fn a_statement_that_is_refused_is_an_error_that_says_why() {
    let database = Database::fresh().await.unwrap();
    let error = database.execute("SELECT 1; SELECT * FROM nowhere").await.unwrap_err();
    let text = error.chain();
    assert!(text.contains("\"nowhere\" does not exist"), "{text}");
}

#[tokio::test]
async fn databases_are_made_on_the_server_that_is_named() {
    let options = ClusterOptions::new().with_loopback().with_setting("log_statement", "ddl");
    let cluster = Cluster::start(&options).unwrap();
    let mut test = one_test("databases::fresh_databases_are_separate");
    let output = test.env("WORKTRUCK_TEST_DATABASE_URL", cluster.loopback_url("postgres").unwrap()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let log = std::fs::read_to_string(cluster.log()).unwrap();
    assert_eq!(log.matches("CREATE DATABASE worktruck_test_").count(), 2, "{log}");
    assert_eq!(log.matches("DROP DATABASE IF EXISTS worktruck_test_").count(), 2, "{log}");
}
