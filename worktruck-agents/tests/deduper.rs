//! The deduper as a run: a file in, a journal and proposals out.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Target};
use worktruck_agents::{MOST_RUNS, Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::entity::{Kind, merge_proposal::MergeProposal};
use worktruck_core::journal::{StepKind, verify};
use worktruck_core::run::{NewRun, Run, RunStatus};
use worktruck_core::store::{
    EntityStore as _, ListQuery, MemoryStore, NewTenant, RunQuery, RunStore as _, TenantStore as _,
};
use worktruck_core::{Clock as _, PageRequest, TenantId};

const FILE: &str = "uid,given_name,family_name,email,phone,birthday\n\
    1,Margaret,Okafor,margaret.okafor@example.org,+1 415 555 0100,1984-02-11\n\
    2,Maggie,Okafor,margaret.okafor@example.org,+1 415 555 0100,1984-02-11\n\
    3,Jonas,Lindqvist,jonas@example.org,+46 8 123 456 78,1991-07-30\n\
    4,Priya,Raman,priya.raman@example.com,+44 20 7946 0958,1979-12-01\n";

struct World {
    store: Arc<MemoryStore>,
    runtime: Runtime,
    tenant: TenantId,
}

async fn world() -> World {
    let store = Arc::new(MemoryStore::default());
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let tenant = TenantId::new(&ids, clock.now());
    let new = NewTenant::new(tenant, "test");
    store.create_tenant(new, clock.now()).await.unwrap();
    let parsed =
        import::parse("people.csv", FILE.as_bytes(), Format::Csv, &Options::default(), &ids, clock.now()).unwrap();
    let target = Target { store: &*store, tenant, ids: &ids, clock: &clock, captured_by: "test" };
    let report = import::load(target, parsed, |_| {}).await.unwrap();
    assert_eq!(report.created, 4);
    let runtime = Runtime::builder(store.clone())
        .tools(tools::builtin())
        .blueprint(blueprints::contact_deduper())
        .build()
        .unwrap();
    let blueprint = blueprints::contact_deduper();
    let config = AgentConfig {
        model: Some("local/rules".into()),
        guardrails: blueprint.default_guardrails,
        ..AgentConfig::new(blueprint.name)
    };
    runtime.save_config(tenant, config, "test").await.unwrap();
    World { store, runtime, tenant }
}

impl World {
    async fn run(&self) -> Run {
        let new = self.runtime.new_run("contact_deduper", json!({}));
        let run = self.runtime.enqueue(self.tenant, new).await.unwrap();
        let ended = async {
            loop {
                let now = self.store.run(self.tenant, run.id).await.unwrap().unwrap();
                if now.status.is_terminal() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        self.runtime.worker(WorkerOptions::default()).run_until(ended).await;
        self.store.run(self.tenant, run.id).await.unwrap().unwrap()
    }

    async fn proposals(&self) -> Vec<MergeProposal> {
        let mut query = ListQuery::new(Kind::MergeProposal);
        query.page = PageRequest::largest(None);
        let page = self.store.list(self.tenant, query, self.runtime.now()).await.unwrap();
        page.data.into_iter().map(|v| serde_json::from_value(v.slice.body.unwrap()).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_run_proposes_what_is_recorded_twice_and_journals_every_step() {
    let world = world().await;
    let run = world.run().await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.failure_detail);
    assert_eq!(run.output.as_ref().map(|output| &output["proposed"]), Some(&json!(1)));

    let proposals = world.proposals().await;
    assert_eq!(proposals.len(), 1);
    assert_eq!(proposals[0].run_id, Some(run.id));
    assert!(!proposals[0].reasons.is_empty());

    let journal = world.store.journal(world.tenant, run.id).await.unwrap().unwrap();
    assert!(verify(world.tenant, run.id, &run.input, &journal).unwrap().valid);
    let kinds: Vec<StepKind> = journal.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Llm, StepKind::Tool, StepKind::Llm, StepKind::Tool, StepKind::Llm]);
    let names: BTreeSet<&str> = journal.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["contacts_find_duplicates", "contacts_propose_merge", "local/rules"]));
}

#[tokio::test]
async fn a_second_run_proposes_nothing_again() {
    let world = world().await;
    world.run().await;
    let again = world.run().await;
    assert_eq!(again.status, RunStatus::Succeeded);
    assert_eq!(again.output.as_ref().map(|output| &output["proposed"]), Some(&json!(0)));
    assert_eq!(world.proposals().await.len(), 1);
    assert_eq!(world.store.runs(world.tenant, RunQuery::default()).await.unwrap().data.len(), 2);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let world = world().await;
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let parsed =
        import::parse("people.csv", FILE.as_bytes(), Format::Csv, &Options::default(), &ids, clock.now()).unwrap();
    let target = Target { store: &*world.store, tenant: world.tenant, ids: &ids, clock: &clock, captured_by: "test" };
    let report = import::load(target, parsed, |_| {}).await.unwrap();
    assert_eq!((report.created, report.updated, report.skipped), (0, 0, 4));
}

#[tokio::test]
async fn what_a_run_may_not_be_asked_is_refused_with_the_reason() {
    let world = world().await;
    let wrong = world.runtime.new_run("contact_deduper", json!({ "max_candidates": 0 }));
    let error = world.runtime.enqueue(world.tenant, wrong).await.unwrap_err();
    assert_eq!(error.pointer(), Some("/input/max_candidates"));

    let unknown = world.runtime.new_run("site_health", Value::Null);
    let error = world.runtime.enqueue(world.tenant, unknown).await.unwrap_err();
    assert_eq!(error.kind(), worktruck_core::ErrorKind::NotFound);

    let config = AgentConfig { model: Some("nobody/knows".into()), ..AgentConfig::new("contact_deduper") };
    let error = world.runtime.save_config(world.tenant, config, "test").await.unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[tokio::test]
async fn many_runs_are_accepted_together_or_not_at_all() {
    let world = world().await;
    let new = |max: u64| world.runtime.new_run("contact_deduper", json!({ "max_candidates": max }));
    let accepted = async || world.store.runs(world.tenant, RunQuery::default()).await.unwrap().data.len();
    let late = NewRun { priority: 101, ..new(1) };
    let table = [
        (vec![], "/runs"),
        ((0..=MOST_RUNS).map(|_| new(1)).collect(), "/runs"),
        (vec![new(1), new(0)], "/runs/1/input/max_candidates"),
        (vec![new(1), new(2), late], "/runs/2/priority"),
    ];
    for (runs, place) in table {
        let error = world.runtime.enqueue_all(world.tenant, runs).await.unwrap_err();
        assert_eq!(error.pointer(), Some(place), "{error}");
        assert_eq!(accepted().await, 0, "none is accepted: {place}");
    }
    let unknown = vec![new(1), world.runtime.new_run("nobody_knows", Value::Null)];
    let error = world.runtime.enqueue_all(world.tenant, unknown).await.unwrap_err();
    assert_eq!(error.kind(), worktruck_core::ErrorKind::NotFound);
    assert_eq!(accepted().await, 0);

    let runs: Vec<_> = (0..MOST_RUNS).map(|_| new(1)).collect();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    let all = world.runtime.enqueue_all(world.tenant, runs).await.unwrap();
    assert_eq!(all.iter().map(|run| run.id).collect::<Vec<_>>(), ids, "in the same order");
    assert_eq!(all[0].config_version, None, "no worker has begun one");
    let listed: Vec<_> = world.runtime.blueprints().map(|blueprint| blueprint.name.as_str()).collect();
    assert_eq!(listed, ["contact_deduper"]);
}
