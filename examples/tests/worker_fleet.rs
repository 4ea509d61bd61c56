//! `03_worker_fleet`: what it reports is what is in the database.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use worktruck_store_pg::testing::Database;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(240);

fn program() -> PathBuf {
    // Cargo builds the examples of a package before it runs the package's tests.
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/03_worker_fleet");
    assert!(program.exists(), "{} is not built; run the tests of the whole package", program.display());
    program
}

fn start(arguments: &[&str]) -> Child {
    start_in(&std::env::temp_dir(), arguments)
}

/// Starts it with `folder` as the one for temporary files.
fn start_in(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).env("TMPDIR", folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn ended(child: Child) -> Output {
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap()
}

async fn run(arguments: &[&str]) -> Output {
    ended(start(arguments)).await
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The number that a statement finds among the tables of `schema`.
async fn number(connection: &mut PgConnection, schema: &str, sql: &str) -> i64 {
    let sql = sql.replace("SCHEMA", schema);
    sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(connection).await.expect(&sql)
}

/// How many schemas of fleets there are.
async fn schemas(database: &Database) -> i64 {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    number(&mut connection, "", "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'worktruck_fleet_%'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_what_is_in_the_database() {
    let database = Database::fresh().await.unwrap();
    let url = database.url();
    let output = run(&["--runs", "60", "--lease", "1", "--pause", "50", "--store", url, "--keep", "--json"]).await;
    assert!(output.status.success(), "{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else");
    assert_eq!(report["exactly_once"], true);
    assert_eq!((&report["runs"], &report["succeeded"]), (&json!(60), &json!(60)));
    assert_eq!(report["effects"], json!({ "wanted": 240, "made": 240 }));
    assert_eq!(report["visits"], 180);

    let schema = report["schema"].as_str().unwrap();
    let connection = &mut PgConnection::connect(url).await.unwrap();
    let mut numbers = Vec::new();
    for sql in [
        "SELECT count(*) FROM SCHEMA.run WHERE outcome = 'succeeded'",
        "SELECT count(*) FROM SCHEMA.run",
        "SELECT count(*) FROM SCHEMA.queue",
        // A model step for the note, one for each visit and one for the end, and a tool step for each effect.
        "SELECT count(*) FROM SCHEMA.step",
        "SELECT count(*) FROM SCHEMA.entity_commit",
        "SELECT count(DISTINCT (provenance->>'run_id', provenance->>'step_seq')) FROM SCHEMA.entity_commit",
        "SELECT count(*) FROM SCHEMA.head WHERE kind = 'contact'",
        "SELECT sum((body->'metadata'->>'visits')::int) FROM SCHEMA.head WHERE kind = 'contact'",
        "SELECT max((body->'metadata'->>'visits')::int)::bigint FROM SCHEMA.head WHERE kind = 'contact'",
        "SELECT count(*) FROM SCHEMA.tenant",
    ] {
        numbers.push(number(connection, schema, sql).await);
    }
    assert_eq!(numbers, [60, 60, 0, 540, 240, 240, 60, 180, 3, 4]);

    let lost = "SELECT count(DISTINCT run) FROM SCHEMA.event WHERE body::text LIKE '%lease.lost%'";
    let taken_over = report["taken_over"]["runs"].as_i64().unwrap();
    assert_eq!(number(connection, schema, lost).await, taken_over);
    let left_behind = report["killed"]["left_behind"].as_i64().unwrap();
    assert!(left_behind > 0 && taken_over >= left_behind, "{report}");
    let killed = report["killed"]["worker"].as_u64().unwrap();
    let workers = report["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 3);
    let killed_ones: Vec<_> = workers.iter().filter(|worker| worker["state"] == "killed").collect();
    assert_eq!(killed_ones.iter().map(|worker| worker["worker"].as_u64().unwrap()).collect::<Vec<_>>(), [killed]);
    assert_eq!(workers.iter().map(|worker| worker["finished"].as_u64().unwrap()).sum::<u64>(), 60);
    let tenants: Vec<_> = report["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["ended"]).collect();
    assert_eq!(tenants, [24, 18, 12, 6]);
    assert_eq!(schemas(&database).await, 1, "it was to stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_lines_tell_what_happens_and_nothing_is_left() {
    let database = Database::fresh().await.unwrap();
    let output =
        run(&["--runs", "20", "--workers", "2", "--lease", "1", "--pause", "50", "--store", database.url()]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}{text}", stderr(&output));
    for part in ["20 runs of 4 tenants are accepted; 2 workers start", "is killed", "ok: 20 of 20 runs succeeded"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert!(!text.contains("NOT SO") && !text.contains('\u{1b}'), "{text}");
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    assert_eq!(schemas(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_nothing_behind() {
    let database = Database::fresh().await.unwrap();
    // They would take an hour.
    let mut fleet = start(&["--runs", "1000", "--pause", "60000", "--store", database.url()]);
    let pid = Pid::from_raw(i32::try_from(fleet.id().unwrap()).unwrap()).unwrap();
    let mut lines = BufReader::new(fleet.stdout.take().unwrap()).lines();
    let accepted = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it begins").unwrap().unwrap();
    assert!(accepted.contains("are accepted"), "{accepted}");
    let workers = workers_of(pid, 3).await;
    kill_process(pid, Signal::INT).unwrap();
    let output = ended(fleet).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
    assert_eq!(schemas(&database).await, 0);
    until("the workers are gone", || workers.iter().all(|worker| !Path::new(worker).exists())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_server_is_removed_with_all_that_it_needed() {
    // Short, for the name of a socket, and open to the user that a server of root runs as.
    let open = fs::Permissions::from_mode(0o711);
    let folder = tempfile::Builder::new().permissions(open).tempdir_in("/tmp").unwrap();
    let left = || fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let output = ended(start_in(folder.path(), &["--runs", "10", "--lease", "0.5", "--pause", "20", "--json"])).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else");
    assert_eq!((&report["exactly_once"], &report["schema"]), (&json!(true), &Value::Null));
    assert_eq!(left(), Vec::<PathBuf>::new());

    let fleet = start_in(folder.path(), &["--json"]);
    let pid = Pid::from_raw(i32::try_from(fleet.id().unwrap()).unwrap()).unwrap();
    until("a server is being made", || !left().is_empty()).await;
    kill_process(pid, Signal::INT).unwrap();
    let output = ended(fleet).await;
    assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
    assert_eq!(left(), Vec::<PathBuf>::new(), "interrupted while the server was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_before_anything_is_begun() {
    let unknown = run(&["--store", "postgres://nobody@127.0.0.1:1/nowhere"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("nowhere at 127.0.0.1:1"), "{}", stderr(&unknown));
    let without = Command::new(program()).env("WORKTRUCK_TEST_PG_BIN", "/nowhere").output().await.unwrap();
    for part in ["--store", "/nowhere", "initdb"] {
        assert!(stderr(&without).contains(part), "{}", stderr(&without));
    }
    for (arguments, said) in [
        (["--store", "sqlite://people.db"], "postgres://"),
        (["--lease", "0.1"], "0.5 to 60"),
        (["--workers", "1"], "2..=10"),
        (["--runs", "3"], "10..=100000"),
    ] {
        let output = run(&arguments).await;
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// The folders of `count` processes that `parent` has started, in the list of all processes.
async fn workers_of(parent: Pid, count: usize) -> Vec<String> {
    let children = || -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())).into_iter().flatten().flatten();
        let ids = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        ids.flat_map(|ids| ids.split_whitespace().map(|id| format!("/proc/{id}")).collect::<Vec<_>>()).collect()
    };
    until("the workers are there", || children().len() == count).await;
    children()
}

/// Returns as soon as `holds` does.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let looking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while !holds() {
            pace.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect(what);
}
