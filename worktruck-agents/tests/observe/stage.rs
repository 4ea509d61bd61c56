use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::metrics::Counters;
use worktruck_agents::tools::FnTool;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::guardrail::{Gate, OnExpiry, Rule, RuleKind};
use worktruck_core::pricing::Price;
use worktruck_core::run::{Event, Run, RunStatus};
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::script::{Cast, Reply, ScriptedModel};
use worktruck_core::testing::{CountingIds, FaultyStore, SimClock};
use worktruck_core::tool::{Tool, ToolContext};
use worktruck_core::{PageRequest, RunId, TenantId, Timestamp};

use super::capture;

pub(crate) fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

pub(crate) fn start() -> Timestamp {
    "2026-04-14T12:00:00Z".parse().unwrap()
}

/// A store, a runtime with a scripted model, and its numbers.
pub(crate) struct Stage {
    pub(crate) store: Arc<FaultyStore<MemoryStore>>,
    pub(crate) runtime: Runtime,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<SimClock>,
    /// Calls of `gate` wait for a permit of it.
    pub(crate) gate: Arc<Semaphore>,
}

impl Stage {
    pub(crate) async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        capture::listen();
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let (counters, gate) = (Arc::new(Counters::default()), Arc::new(Semaphore::new(0)));
        let clock = Arc::new(SimClock::starting_at(start()));
        let runtime = runtime(store.clone(), replies, &counters, &clock, &gate);
        store.create_tenant(NewTenant::new(tenant(), "acme"), runtime.now()).await.unwrap();
        Self { store, runtime, counters, clock, gate }
    }

    pub(crate) async fn enqueue(&self) -> RunId {
        self.runtime.enqueue(tenant(), self.runtime.new_run("agent", json!({}))).await.unwrap().id
    }

    /// Works until a run rests, and returns it.
    pub(crate) async fn work(&self, run: RunId) -> Run {
        let rests = async {
            loop {
                let run = self.read(run).await;
                if run.status.is_terminal() || (run.status == RunStatus::Waiting && run.run_at > self.runtime.now()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let worked = self.runtime.worker(WorkerOptions::default()).run_until(rests);
        tokio::time::timeout(Duration::from_secs(30), worked).await.expect("the run comes to rest");
        self.read(run).await
    }

    pub(crate) async fn read(&self, run: RunId) -> Run {
        self.store.inner().run(tenant(), run).await.unwrap().unwrap()
    }

    /// All events of a run, as the store has them.
    pub(crate) async fn events(&self, run: RunId) -> Vec<Event> {
        let mut events = Vec::new();
        let mut page = PageRequest::largest(None);
        loop {
            let read = self.store.inner().events(tenant(), run, page).await.unwrap();
            events.extend(read.data);
            let Some(cursor) = read.next_cursor else { return events };
            page = PageRequest::largest(Some(cursor));
        }
    }
}

/// A runtime over a store that others may use too.
pub(crate) fn runtime(
    store: Arc<FaultyStore<MemoryStore>>,
    replies: impl IntoIterator<Item = Reply>,
    counters: &Arc<Counters>,
    clock: &Arc<SimClock>,
    gate: &Arc<Semaphore>,
) -> Runtime {
    let gate = Arc::clone(gate);
    let gated = FnTool::outside_idempotent("gate", "Gate", "Waits.", move |_: ToolContext, _: Value| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(json!({}))
        }
    });
    let cast = Cast::new();
    let price = Price {
        model: "scripted/model".to_owned(),
        effective_from: Timestamp::EPOCH,
        above_prompt_tokens: 0,
        input: 10,
        output: 100,
        cache_write: 0,
        cache_read: 0,
    };
    Runtime::builder(store)
        .clock(Arc::clone(clock) as _)
        .ids(Arc::new(CountingIds::new(1)))
        .provider("scripted", Arc::new(ScriptedModel::new(replies)))
        .tools(cast.all().map(|tool| Arc::clone(tool) as Arc<dyn Tool>))
        .tool(Arc::new(gated))
        .prices([price])
        .metrics(Arc::clone(counters) as _)
        .blueprint(blueprint())
        .build()
        .unwrap()
}

fn blueprint() -> Blueprint {
    let names = ["contacts_search", "contacts_write", "page_publish", "mail_send", "gate"];
    let gate = Gate { expires_secs: 3_600, on_expiry: OnExpiry::Reject, summary: Some("mails go out".to_owned()) };
    Blueprint {
        name: "agent".to_owned(),
        version: 1,
        title: "Agent".to_owned(),
        description: String::new(),
        input_schema: json!({ "type": "object" }),
        system_prompt: "Do it.".to_owned(),
        default_guardrails: vec![
            Rule::new(RuleKind::Allowlist, ["contacts_*", "mail_send", "gate"]),
            Rule { id: Some("mails".to_owned()), ..Rule::new(RuleKind::ApprovalGate(gate), ["mail_send"]) },
        ],
        tools: names.map(str::to_owned).to_vec(),
        default_model: "scripted/model".to_owned(),
        default_budget_cents: Some(1_000),
        default_deadline_seconds: 86_400,
        default_max_steps: 1_000,
        max_tokens: 1_000,
        policy: None,
    }
}
