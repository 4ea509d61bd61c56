//! `01_dedupe_contacts`, interrupted with Ctrl-C and started again.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use worktruck_core::TenantId;
use worktruck_core::journal::verify;
use worktruck_core::run::{EventType, Run, RunStatus};
use worktruck_core::store::{RunQuery, RunStore as _, TenantStore as _};
use worktruck_core::{PageRequest, RunId};
use worktruck_store_sqlite::SqliteStore;

/// Starts the example on its sample file, with the store at `url`.
fn start(url: &str) -> Child {
    // Cargo builds the examples of a package before it runs the package's tests.
    let here = std::env::current_exe().unwrap();
    let program: PathBuf = here.parent().unwrap().parent().unwrap().join("examples/01_dedupe_contacts");
    assert!(program.exists(), "{} is not built; run the tests of the whole package", program.display());
    let mut command = Command::new(program);
    command.args(["--store", url, "--json"]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn ended(child: Child) -> Output {
    tokio::time::timeout(Duration::from_secs(120), child.wait_with_output()).await.expect("it ends").unwrap()
}

/// The only run, once it has a step.
async fn begun(store: &SqliteStore) -> (TenantId, Run) {
    let looking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(2));
        loop {
            pace.tick().await;
            let Some(tenant) = store.tenant_by_slug("example").await.unwrap() else { continue };
            let Some(run) = store.runs(tenant.id, RunQuery::default()).await.unwrap().data.pop() else { continue };
            if !store.journal(tenant.id, run.id).await.unwrap().unwrap().steps.is_empty() {
                return (tenant.id, run);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), looking).await.expect("the run begins")
}

#[tokio::test]
async fn an_interrupted_run_goes_on_with_the_same_command() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("people.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    let first = start(&url);
    let (tenant, run) = begun(&store).await;
    let pid = first.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = ended(first).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the same command goes on from here"), "{text}");
    assert!(output.stdout.is_empty(), "half a report is none");
    let left = store.run(tenant, run.id).await.unwrap().unwrap();
    assert_eq!((left.status, left.attempt), (RunStatus::Queued, 0), "it was given back, which uses up no attempt");
    let before = store.journal(tenant, run.id).await.unwrap().unwrap().steps;
    assert!(!before.is_empty());

    let output = ended(start(&url)).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["run_id"].as_str().and_then(|id| id.parse::<RunId>().ok()), Some(run.id), "the same run");
    assert_eq!(report["status"], "succeeded");
    assert!(!report["clusters"].as_array().unwrap().is_empty());
    assert_eq!(store.runs(tenant, RunQuery::default()).await.unwrap().data.len(), 1, "and no other");

    let journal = store.journal(tenant, run.id).await.unwrap().unwrap();
    assert!(verify(tenant, run.id, &run.input, &journal).unwrap().valid);
    assert!(journal.steps.len() > before.len() && journal.steps.starts_with(&before));
    let events = store.events(tenant, run.id, PageRequest::largest(None)).await.unwrap().data;
    let count = |wanted| events.iter().filter(|event| event.event_type == wanted).count();
    assert_eq!([EventType::LeaseReleased, EventType::RunResumed, EventType::LeaseLost].map(count), [1, 1, 0]);
}
