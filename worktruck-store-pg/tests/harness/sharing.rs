use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sqlx::Connection as _;
use worktruck_store_pg::testing::{Database, Home};

use crate::{ask, connect, eventually, is_alive, kill, left_in, own_home, postmaster, servers};

async fn folder_of(database: &Database) -> String {
    ask(&mut connect(database.url()).await, "SHOW unix_socket_directories").await
}

/// Uses the home, and waits until its server has gone.
async fn use_once(folder: &Path, home: &Home) {
    drop(Database::fresh_in(home).await.unwrap());
    eventually("the server ends", || left_in(&servers(folder)).is_empty()).await;
}

#[tokio::test]
async fn the_server_ends_after_its_last_user() {
    let (folder, home) = own_home();
    let first = Database::fresh_in(&home).await.unwrap();
    let last = Database::fresh_in(&home).await.unwrap();
    let server = folder_of(&last).await;
    assert_eq!(folder_of(&first).await, server);
    let process = postmaster(server.as_ref());

    let mut connection = connect(last.url()).await;
    drop(first);
    connection.ping().await.unwrap();
    drop(last);
    eventually("the server ends", || !is_alive(process)).await;
    eventually("its folder is deleted", || !Path::new(&server).exists()).await;
    assert!(fs::read_to_string(servers(folder.path()).join("last.log")).unwrap().contains("shut down"));
}

#[tokio::test]
async fn within_the_grace_the_server_goes_on() {
    let (folder, home) = own_home();
    let home = home.with_grace(Duration::from_secs(30));
    let first = Database::fresh_in(&home).await.unwrap();
    let server = folder_of(&first).await;
    drop(first);
    let second = Database::fresh_in(&home).await.unwrap();
    assert_eq!(folder_of(&second).await, server);
    kill(postmaster(server.as_ref()));
    drop((second, folder));
}

#[tokio::test]
async fn users_that_come_at_the_same_time_start_one_server() {
    let (folder, home) = own_home();
    let databases = futures::future::join_all((0..8).map(|_| {
        let home = home.clone();
        tokio::spawn(async move { Database::fresh_in(&home).await.unwrap() })
    }));
    let databases: Vec<_> = databases.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(databases.len(), 8);
    assert_eq!(left_in(&servers(folder.path())).len(), 1);
}

#[tokio::test]
async fn a_server_that_was_killed_is_replaced() {
    let (folder, home) = own_home();
    let lost = Database::fresh_in(&home).await.unwrap();
    let server = folder_of(&lost).await;
    let process = postmaster(server.as_ref());
    kill(process);
    eventually("the server ends", || !is_alive(process)).await;

    let database = Database::fresh_in(&home).await.unwrap();
    assert_ne!(folder_of(&database).await, server);
    drop((lost, database));
    eventually("both are deleted", || left_in(&servers(folder.path())).is_empty()).await;
}

#[tokio::test]
async fn a_server_whose_folder_was_deleted_is_ended() {
    let (folder, home) = own_home();
    let database = Database::fresh_in(&home).await.unwrap();
    let process = postmaster(folder_of(&database).await.as_ref());
    drop(folder);
    assert!(is_alive(process));
    drop(database);
    eventually("the server ends", || !is_alive(process)).await;
}

#[tokio::test]
async fn a_template_that_was_left_half_made_is_made_again() {
    let (folder, home) = own_home();
    use_once(folder.path(), &home).await;
    let servers = servers(folder.path());
    let template = fs::read_dir(&servers)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("template-"));
    fs::rename(template.unwrap(), servers.join("making")).unwrap();
    fs::remove_file(servers.join("making/global/pg_control")).unwrap();
    use_once(folder.path(), &home).await;
    assert!(!servers.join("making").exists());
}

/// After a restart of the machine, the number of a server's process may be another's.
#[tokio::test]
async fn what_a_restart_of_the_machine_leaves_is_deleted_and_no_stranger_is_ended() {
    let (folder, home) = own_home();
    use_once(folder.path(), &home).await;
    let servers = servers(folder.path());
    let owner = fs::metadata(&servers).unwrap();
    let mut sleep = Command::new("sleep");
    let mut stranger = sleep.arg("600").uid(owner.uid()).gid(owner.gid()).current_dir("/").spawn().unwrap();

    let left = servers.join("0123456789ab");
    fs::create_dir_all(left.join("data")).unwrap();
    fs::write(left.join("data/postmaster.pid"), format!("{}\n", stranger.id())).unwrap();
    for path in [&left, &left.join("data"), &left.join("data/postmaster.pid")] {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    use_once(folder.path(), &home).await;
    assert!(!left.exists());
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
