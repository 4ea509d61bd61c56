//! The servers and databases of tests: what `worktruck_store_pg::testing` promises.

#![expect(clippy::unwrap_used, reason = "a machine that cannot run a server fails the test")]

mod clusters;
mod databases;
mod machine;
mod poolers;
mod sharing;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use worktruck_store_pg::testing::Home;

/// A home of a test's own, in a folder that goes with it.
fn own_home() -> (TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = Home::default().with_folder(folder.path()).with_grace(Duration::from_millis(50));
    (folder, home)
}

/// The folder of the servers in a home that was used.
fn servers(home: &Path) -> PathBuf {
    let only = |folder: &Path| fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    only(&only(home)).join("servers")
}

/// The servers that were not deleted yet.
fn left_in(servers: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(servers).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("data").exists()).collect()
}

/// The first process of the server in `folder`.
fn postmaster(folder: &Path) -> u32 {
    fs::read_to_string(folder.join("data/postmaster.pid")).unwrap().lines().next().unwrap().parse().unwrap()
}

fn is_alive(process: u32) -> bool {
    // One that has ended stays until somebody asks how.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn user_of(process: u32) -> u32 {
    fs::metadata(format!("/proc/{process}")).unwrap().uid()
}

fn kill(process: u32) {
    // The shell's own: a small machine has no other.
    let mut shell = Command::new("sh");
    assert!(shell.args(["-c", "kill -KILL \"$1\"", "sh", &process.to_string()]).status().unwrap().success());
}

/// This test program again, for the one test that `name` says.
fn one_test(name: &str) -> Command {
    // By this name even who may not enter its folder can start it.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--nocapture"]).current_dir("/");
    command
}

/// Waits until `happened`, a minute at most.
async fn eventually(what: &str, happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect(what);
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// The code of the error with which the server refuses the connection.
async fn refusal(url: &str) -> String {
    let error = PgConnection::connect(url).await.unwrap_err();
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

async fn ask(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}
