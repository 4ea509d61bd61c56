//! What a runtime tells of a run that is over, and of one that a tenant does not have.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use serde_json::json;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Target};
use worktruck_agents::undo::{Force, replay_check};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::entity::Kind;
use worktruck_core::journal::RunExport;
use worktruck_core::run::RunStatus;
use worktruck_core::store::{EntityStore as _, ListQuery, MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::{Clock as _, ErrorKind, PageRequest, RunId, TenantId};

/// Somebody who is written twice.
const FILE: &str = "uid,given_name,family_name,email,phone,birthday\n\
    1,Margaret,Okafor,margaret.okafor@example.org,+1 415 555 0100,1984-02-11\n\
    2,Maggie,Okafor,margaret.okafor@example.org,+1 415 555 0100,1984-02-11\n";

async fn world() -> (Arc<MemoryStore>, Runtime, TenantId) {
    let store = Arc::new(MemoryStore::default());
    let deduper = Blueprint { default_model: "local/rules".into(), ..blueprints::contact_deduper() };
    let runtime = Runtime::builder(store.clone()).tools(tools::builtin()).blueprint(deduper).build().unwrap();
    let tenant = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), runtime.now()).await.unwrap();
    (store, runtime, tenant)
}

#[tokio::test]
async fn a_run_of_the_deduper_is_shown_checked_exported_and_undone() {
    let (store, runtime, tenant) = world().await;
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let people =
        import::parse("people.csv", FILE.as_bytes(), Format::Csv, &Options::default(), &ids, clock.now()).unwrap();
    let target = Target { store: &*store, tenant, ids: &ids, clock: &clock, captured_by: "user:1" };
    assert_eq!(import::load(target, people, |_| {}).await.unwrap().created, 2);
    let run = runtime.enqueue(tenant, runtime.new_run("contact_deduper", json!({}))).await.unwrap().id;
    let ended = async {
        while !store.run(tenant, run).await.unwrap().unwrap().status.is_terminal() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    runtime.worker(WorkerOptions::default()).run_until(ended).await;
    assert_eq!(store.run(tenant, run).await.unwrap().unwrap().status, RunStatus::Succeeded);

    let verification = runtime.verify(tenant, run).await.unwrap();
    let steps = store.journal(tenant, run).await.unwrap().unwrap().steps;
    assert!(verification.valid && verification.head_hash == steps.last().unwrap().hash);
    let changes = runtime.changes(tenant, run, PageRequest::default()).await.unwrap().data;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].entity.kind, &changes[0].before), (Kind::MergeProposal, &None));

    let text = runtime.export(tenant, run).await.unwrap().to_text().unwrap();
    assert_eq!(runtime.export(tenant, run).await.unwrap().to_text().unwrap(), text, "the same run is the same text");
    let export = RunExport::parse(&text).unwrap();
    assert_eq!(export.events.last().unwrap().event_type.as_str(), "run.succeeded");
    let report = replay_check(&export).unwrap();
    assert!(report.same && report.checked == report.steps && report.chain == verification, "{report:?}");

    assert_eq!(runtime.revert(tenant, run, &Force::None, "user:1").await.unwrap().entities.len(), 1);
    let left = store.list(tenant, ListQuery::new(Kind::MergeProposal), runtime.now()).await.unwrap().data;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_run_that_never_began_has_nothing_to_undo_and_another_tenants_is_not_there() {
    let (store, runtime, tenant) = world().await;
    let run = runtime.enqueue(tenant, runtime.new_run("contact_deduper", json!({}))).await.unwrap().id;
    runtime.cancel(tenant, run, None).await.unwrap();
    assert_eq!(runtime.changes(tenant, run, PageRequest::default()).await.unwrap().data, []);
    assert_eq!(runtime.revert(tenant, run, &Force::All, "user:1").await.unwrap().tx_id, None);
    let verification = runtime.verify(tenant, run).await.unwrap();
    assert!(verification.valid && verification.steps == 0);
    assert!(replay_check(&runtime.export(tenant, run).await.unwrap()).unwrap().same);

    let other = TenantId::new(runtime.ids(), runtime.now());
    store.create_tenant(NewTenant::new(other, "other"), runtime.now()).await.unwrap();
    for (tenant, run) in [(other, run), (tenant, RunId::new(runtime.ids(), runtime.now()))] {
        let answers = [
            runtime.changes(tenant, run, PageRequest::default()).await.map(drop),
            runtime.revert(tenant, run, &Force::None, "user:1").await.map(drop),
            runtime.verify(tenant, run).await.map(drop),
            runtime.export(tenant, run).await.map(drop),
        ];
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
