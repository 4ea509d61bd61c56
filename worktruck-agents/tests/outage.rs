//! A store that is away for less than a lease costs no run its attempt, and a worker that may have
//! lost its lease calls nobody.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{Block, ModelError, ModelProvider, ModelReply, ModelRequest, StopReason, Usage};
use worktruck_core::run::{Run, RunStatus};
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::{CountingIds, Fault, FaultyStore, SimClock};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{Clock, RunId, Secret, TenantId, Timestamp};

const LEASE: Duration = Duration::from_secs(30);

/// A model that calls both tools at once, and is done when it sees what came of them.
#[derive(Debug)]
struct Model;

#[async_trait]
impl ModelProvider for Model {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let call = |name: &str| Block::ToolCall { id: name.to_owned(), name: name.to_owned(), input: json!({}) };
        let is_first = request.messages.len() == 1;
        Ok(ModelReply {
            content: if is_first {
                vec![call("one"), call("two")]
            } else {
                vec![Block::Text { text: "done".to_owned() }]
            },
            stop_reason: if is_first { StopReason::ToolUse } else { StopReason::EndTurn },
            model: "test/model".to_owned(),
            usage: Usage::default(),
        })
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

/// A call outside that counts, takes its time, and lets time pass.
#[derive(Debug)]
struct Outside {
    spec: Arc<ToolSpec>,
    clock: Arc<dyn Passing>,
    passes: Duration,
    lasts: Duration,
    calls: AtomicUsize,
    called: Notify,
}

/// A clock that can be moved, or that moves by itself.
trait Passing: Clock + std::fmt::Debug {
    fn pass(&self, time: Duration);
}

impl Passing for SimClock {
    fn pass(&self, time: Duration) {
        self.advance(time);
    }
}

/// The time of the runtime, which passes at once where nobody does anything.
#[derive(Debug)]
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Passing for Paused {
    fn pass(&self, _time: Duration) {}
}

#[async_trait]
impl Tool for Outside {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, _context: ToolContext, _input: Value) -> Result<ToolOutput, ToolError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.clock.pass(self.passes);
        self.called.notify_one();
        tokio::time::sleep(self.lasts).await;
        Ok(ToolOutput::new(json!({})))
    }
}

struct Stage {
    store: Arc<FaultyStore<MemoryStore>>,
    runtime: Runtime,
    tools: [Arc<Outside>; 2],
    tenant: TenantId,
    run: RunId,
}

impl Stage {
    /// A run of two calls outside, the first of which lets `passes` pass and lasts for `lasts`.
    async fn new(clock: Arc<dyn Passing>, passes: Duration, lasts: Duration) -> Self {
        let store = Arc::new(FaultyStore::new(MemoryStore::default()));
        let outside = |name: &str, passes, lasts| {
            let spec = ToolSpec {
                name: name.to_owned(),
                title: name.to_owned(),
                description: String::new(),
                input_schema: json!({ "type": "object" }),
                effect: ToolEffect::OutsideIdempotent,
                is_untrusted: false,
            };
            let (spec, clock) = (Arc::new(spec), Arc::clone(&clock));
            Arc::new(Outside { spec, clock, passes, lasts, calls: AtomicUsize::new(0), called: Notify::new() })
        };
        let tools = [outside("one", passes, lasts), outside("two", Duration::ZERO, Duration::ZERO)];
        let runtime = Runtime::builder(store.clone())
            .clock(clock.clone())
            .lease(LEASE)
            .provider("test", Arc::new(Model))
            .tools(tools.clone().map(|tool| tool as Arc<dyn Tool>))
            .blueprint(blueprint())
            .build()
            .unwrap();
        let tenant = TenantId::new(&CountingIds::new(1), clock.now());
        let new = NewTenant::new(tenant, "test");
        store.create_tenant(new, clock.now()).await.unwrap();
        let run = runtime.enqueue(tenant, runtime.new_run("calls", json!({}))).await.unwrap().id;
        Self { store, runtime, tools, tenant, run }
    }

    async fn work(&self, until: impl Future<Output = ()>) {
        // A worker that has its one run asks for no other: while a call lasts there are only renewals.
        let options = WorkerOptions { concurrency: 1, grace: Duration::ZERO, ..WorkerOptions::default() };
        let worked = self.runtime.worker(options).run_until(until);
        tokio::time::timeout(Duration::from_secs(600), worked).await.expect("the worker stops");
    }

    /// Works until the run has ended.
    async fn finish(&self) -> Run {
        let ended = async {
            while !self.read().await.status.is_terminal() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        self.work(ended).await;
        self.read().await
    }

    async fn read(&self) -> Run {
        self.store.inner().run(self.tenant, self.run).await.unwrap().unwrap()
    }

    /// How many calls of the store there were before the first one of this name from now on.
    fn calls_before(&self, name: &str, from: usize) -> usize {
        let calls = self.store.calls();
        from + calls[from..].iter().position(|call| *call == name).unwrap_or_else(|| panic!("{name}: {calls:?}"))
    }
}

fn blueprint() -> Blueprint {
    let tools = vec!["one".to_owned(), "two".to_owned()];
    let allow = Rule::new(RuleKind::Allowlist, tools.clone());
    Blueprint {
        name: "calls".to_owned(),
        version: 1,
        title: "Calls".to_owned(),
        description: String::new(),
        input_schema: json!({ "type": "object" }),
        system_prompt: "Call both.".to_owned(),
        default_guardrails: vec![allow],
        tools,
        default_model: "test/model".to_owned(),
        default_budget_cents: None,
        default_deadline_seconds: 86_400,
        default_max_steps: 100,
        max_tokens: 1_000,
        policy: None,
    }
}

/// A run whose first call outside lasts for four leases, on the time of the runtime.
async fn long_run() -> Stage {
    Stage::new(Arc::new(Paused(tokio::time::Instant::now())), Duration::ZERO, 4 * LEASE).await
}

#[tokio::test]
async fn a_call_is_not_made_when_the_lease_ran_out_before_it_is_handed_over() {
    let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
    // The process is stopped in the first call, before the second one of the same turn begins.
    let stage = Stage::new(clock, LEASE, Duration::ZERO).await;
    stage.work(stage.tools[0].called.notified()).await;
    assert_eq!(stage.tools.each_ref().map(|tool| tool.calls.load(Ordering::Relaxed)), [1, 0]);
    let run = stage.read().await;
    assert_eq!((run.status, run.attempt), (RunStatus::Running, 1), "it is left to whoever takes it over");
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_as_soon_as_the_store_is_back() {
    let undisturbed = long_run().await;
    assert_eq!(undisturbed.finish().await.status, RunStatus::Succeeded);
    let stage = long_run().await;
    let first = undisturbed.calls_before("renew", 0) + 1;
    // Renewals that fail at their usual pace would be as long as the lease.
    for call in first..first + 3 {
        stage.store.fail(call, Fault::Before);
    }
    let run = stage.finish().await;
    assert_eq!((run.status, run.attempt), (RunStatus::Succeeded, 1));
    assert_eq!(stage.tools[0].calls.load(Ordering::Relaxed), 1, "no other attempt called again");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_begun_when_the_store_is_back() {
    let undisturbed = long_run().await;
    assert_eq!(undisturbed.finish().await.status, RunStatus::Succeeded);
    let stage = long_run().await;
    let claimed = undisturbed.calls_before("claim", 0);
    let config = undisturbed.calls_before("list", claimed) + 1;
    for call in config..config + 3 {
        stage.store.fail(call, Fault::Before);
    }
    let run = stage.finish().await;
    assert_eq!((run.status, run.attempt), (RunStatus::Succeeded, 1));
}
