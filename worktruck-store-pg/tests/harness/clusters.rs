use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;

use sqlx::Connection as _;
use worktruck_store_pg::testing::{Cluster, ClusterOptions, Database, Home};

use crate::{ask, connect, eventually, is_alive, left_in, one_test, own_home, postmaster, refusal, servers};

#[tokio::test]
async fn a_server_that_is_restarted_as_in_a_crash_comes_back_with_what_was_committed() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    let database = Database::on(cluster.url("postgres")).await.unwrap();
    database.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (42)").await.unwrap();
    let (mut before, process) = (connect(database.url()).await, cluster.postmaster());

    cluster.restart_immediate().unwrap();

    assert!(before.ping().await.is_err());
    assert_ne!(cluster.postmaster(), process);
    assert_eq!(ask(&mut connect(database.url()).await, "SELECT i::text FROM t").await, "42");
    let log = std::fs::read_to_string(cluster.log()).unwrap();
    assert!(log.contains("was not properly shut down"), "{log}");
}

#[tokio::test]
async fn a_server_starts_again_however_it_was_ended() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    for end in [Cluster::stop, Cluster::stop_immediate, Cluster::kill] {
        let process = cluster.postmaster();
        // Whoever is served when the server is killed goes on for a moment.
        let _served = connect(&cluster.url("postgres")).await;
        end(&cluster).unwrap();
        cluster.start_again().unwrap();
        connect(&cluster.url("postgres")).await.ping().await.unwrap();
        assert_ne!(cluster.postmaster(), process);
    }
    cluster.stop().unwrap();
    assert_eq!(cluster.postmaster(), None);
    assert!(cluster.stop().is_err() && cluster.kill().is_err(), "it does not run");
}

#[tokio::test]
async fn a_server_has_the_settings_that_are_given() {
    let options =
        ClusterOptions::new().with_setting("cluster_name", r"it's \ mine").with_setting("max_connections", "7");
    let cluster = Cluster::start(&options).unwrap();
    let mut connection = connect(&cluster.url("postgres")).await;
    assert_eq!(ask(&mut connection, "SHOW cluster_name").await, r"it's \ mine");
    assert_eq!(ask(&mut connection, "SHOW max_connections").await, "7");
    assert_eq!(ask(&mut connection, "SHOW fsync").await, "off");
    let cluster = Cluster::start(&ClusterOptions::new().with_sync()).unwrap();
    assert_eq!(ask(&mut connect(&cluster.url("postgres")).await, "SHOW fsync").await, "on");
}

#[tokio::test]
async fn a_server_that_listens_asks_for_its_password() {
    let cluster = Cluster::start(&ClusterOptions::new().with_loopback()).unwrap();
    let url = cluster.loopback_url("postgres").unwrap();
    let sql = "SELECT host(inet_server_addr())";
    assert_eq!(ask(&mut connect(&url).await, sql).await, "127.0.0.1");
    let (start, end) = url.split_once('@').unwrap();
    assert_eq!(refusal(&format!("{start}x@{end}")).await, "28P01", "the password is wrong");

    cluster.restart_immediate().unwrap();
    assert_eq!(ask(&mut connect(&url).await, sql).await, "127.0.0.1");
}

#[tokio::test]
async fn a_server_listens_only_if_it_is_told_to() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    assert_eq!(cluster.loopback_url("postgres"), None);
    assert_eq!(ask(&mut connect(&cluster.url("postgres")).await, "SHOW listen_addresses").await, "");
}

#[tokio::test]
async fn a_cluster_that_is_dropped_leaves_nothing() {
    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    let (folder, process) = (cluster.socket_folder(), cluster.postmaster().unwrap());
    assert!(folder.exists() && is_alive(process));
    drop(cluster);
    assert!(!folder.exists() && !is_alive(process));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let error = Cluster::start(&ClusterOptions::new().with_setting("max_connections", "many")).unwrap_err();
    let text = error.chain();
    assert!(text.contains("invalid value for parameter \"max_connections\""), "{text}");
}

/// Names the home in which the holder below waits to be killed.
const HELD: &str = "WORKTRUCK_TEST_HELD_HOME";

/// What the next test kills: it uses a cluster and a shared server. Run alone it uses both and ends.
#[tokio::test]
async fn a_holder_uses_both_kinds_of_server() {
    let held = std::env::var_os(HELD);
    let (_folder, home) = match &held {
        Some(folder) => (None, Home::default().with_folder(PathBuf::from(folder))),
        None => {
            let (folder, home) = own_home();
            (Some(folder), home)
        }
    };
    let cluster = Cluster::start(&ClusterOptions::new().with_home(home.clone())).unwrap();
    let database = Database::fresh_in(&home).await.unwrap();
    assert_ne!(
        ask(&mut connect(database.url()).await, "SHOW unix_socket_directories").await,
        ask(&mut connect(&cluster.url("postgres")).await, "SHOW unix_socket_directories").await,
    );
    if held.is_some() {
        println!("\nheld");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[tokio::test]
async fn servers_end_when_who_uses_them_is_killed() {
    let (folder, _) = own_home();
    let mut test = one_test("clusters::a_holder_uses_both_kinds_of_server");
    let mut holder = test.env(HELD, folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"), "the holder failed");

    let servers = servers(folder.path());
    let processes: Vec<_> = left_in(&servers).iter().map(|server| postmaster(server)).collect();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|process| is_alive(*process)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the servers end", || !processes.iter().any(|process| is_alive(*process))).await;
    eventually("their folders are deleted", || left_in(&servers).is_empty()).await;
}
