//! A blueprint whose runs keep failing is disabled until a person enables it; one whose model stays away has others.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use worktruck_agents::breaker::{MOST_FAILED_RUNS, WINDOW};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::entity::Kind;
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::entity::webhook::Webhook;
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::{
    Block, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, StopReason, Usage,
};
use worktruck_core::pricing::Price;
use worktruck_core::run::{BudgetAction, OnBudget, Run, RunStatus};
use worktruck_core::store::{
    AuditQuery, AuditStore as _, Changes, Delivery, EntityKey, EntityStore as _, MemoryStore, NewTenant, Outbox as _,
    Provenance, RunStore as _, TenantStore as _,
};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{Clock as _, EntityId, ErrorKind, PageRequest, Secret, TenantId, Timestamp};

/// A model that fails as it is told, or says that it is done.
#[derive(Debug)]
struct Model {
    fails: Option<ModelErrorCategory>,
    asked: AtomicUsize,
}

impl Model {
    fn new(fails: Option<ModelErrorCategory>) -> Arc<Self> {
        Arc::new(Self { fails, asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl ModelProvider for Model {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.fails {
            Some(category) => Err(ModelError::new(category, "as it was told")),
            None => Ok(ModelReply {
                content: vec![Block::Text { text: "done".to_owned() }],
                stop_reason: StopReason::EndTurn,
                model: request.model,
                usage: Usage::default(),
            }),
        }
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

struct Stage {
    store: Arc<MemoryStore>,
    clock: Arc<SimClock>,
    runtime: Runtime,
    tenant: TenantId,
    webhook: EntityKey,
}

const BLUEPRINT: &str = "contact_deduper";

impl Stage {
    async fn new(first: Arc<Model>, second: Arc<Model>) -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
        let runtime = Runtime::builder(store.clone())
            .clock(clock.clone())
            .tools(tools::builtin())
            .blueprint(blueprints::contact_deduper())
            .provider("anthropic", first)
            .provider("second", second)
            // Without a price no run with a budget would fall back on it.
            .prices([Price {
                model: "second/best".to_owned(),
                effective_from: Timestamp::EPOCH,
                above_prompt_tokens: 0,
                input: 1_000,
                output: 1_000,
                cache_write: 1_000,
                cache_read: 1_000,
            }])
            .build()
            .unwrap();
        let tenant = TenantId::new(&CountingIds::new(1), clock.now());
        store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();
        let webhook = EntityKey::new(Kind::Webhook, EntityId::new(&CountingIds::new(3), clock.now()));
        let hook = Webhook::new("https://example.com/hook", ["config.disabled"]);
        let hook = Changes::none().create(webhook, serde_json::to_value(hook).unwrap());
        store.apply(tenant, hook, Provenance::new("user:ada", "user_edit"), clock.now()).await.unwrap();
        Self { store, clock, runtime, tenant, webhook }
    }

    /// A run to its end.
    async fn run(&self) -> Run {
        let run = self.runtime.enqueue(self.tenant, self.runtime.new_run(BLUEPRINT, json!({}))).await.unwrap();
        let read = async || self.store.run(self.tenant, run.id).await.unwrap().unwrap();
        let ended = async {
            while !read().await.status.is_terminal() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let worked = self.runtime.worker(WorkerOptions::default()).run_until(ended);
        tokio::time::timeout(Duration::from_secs(60), worked).await.expect("the run ends");
        read().await
    }

    /// What a webhook is told that asks for what is disabled.
    async fn told(&self) -> Vec<Delivery> {
        self.store.deliveries(self.tenant, self.webhook.id, PageRequest::largest(None)).await.unwrap().data
    }

    /// What the audit log says, newest first: the kind of who did it, and what.
    async fn audited(&self) -> Vec<(String, String)> {
        let log = self.store.audit_log(self.tenant, AuditQuery::default()).await.unwrap().data;
        log.into_iter().map(|record| (record.entry.actor_type, record.entry.action)).collect()
    }

    async fn refusal(&self) -> worktruck_core::Error {
        self.runtime.enqueue(self.tenant, self.runtime.new_run(BLUEPRINT, json!({}))).await.unwrap_err()
    }
}

#[tokio::test]
async fn runs_that_keep_failing_disable_their_blueprint_until_it_is_enabled() {
    let stage = Stage::new(Model::new(Some(ModelErrorCategory::InvalidKey)), Model::new(None)).await;
    // The first failure is too long ago by the end, one other is not enough to make up for it.
    assert_eq!(stage.run().await.status, RunStatus::Failed);
    stage.clock.advance(WINDOW);
    for n in 1..MOST_FAILED_RUNS {
        stage.clock.advance(Duration::from_secs(1));
        assert_eq!(stage.run().await.status, RunStatus::Failed, "run {n}");
    }
    let breaker = stage.runtime.breaker(stage.tenant, BLUEPRINT).await.unwrap();
    assert!(!breaker.is_open(), "{} of them count", MOST_FAILED_RUNS - 1);
    stage.clock.advance(Duration::from_secs(1));
    stage.run().await;

    let error = stage.refusal().await;
    assert_eq!((error.kind(), error.kind().as_str()), (ErrorKind::ConfigDisabled, "config_disabled"));
    let reason = "10 runs failed within 48 hours, the newest as auth_failed";
    assert_eq!(error.details().unwrap()["disabled_reason"], reason);
    let breaker = stage.runtime.breaker(stage.tenant, BLUEPRINT).await.unwrap();
    assert_eq!(breaker.disabled_reason.as_deref(), Some(reason));
    assert!(stage.runtime.config(stage.tenant, BLUEPRINT).await.unwrap().is_none(), "no config was saved");
    let [told] = &stage.told().await[..] else { panic!("one delivery is there") };
    assert_eq!(told.body["data"]["agent_blueprint"], BLUEPRINT);
    assert_eq!(told.body["data"]["disabled_reason"], reason);
    assert_eq!(stage.audited().await, [("system".to_owned(), "agent_config.disabled".to_owned())]);

    let elsewhere = TenantId::new(&CountingIds::new(2), stage.clock.now());
    stage.store.create_tenant(NewTenant::new(elsewhere, "other"), stage.clock.now()).await.unwrap();
    stage.runtime.enqueue(elsewhere, stage.runtime.new_run(BLUEPRINT, json!({}))).await.unwrap();

    let empty = stage.runtime.enable(stage.tenant, BLUEPRINT, " ", "user:ada").await.unwrap_err();
    assert_eq!(empty.pointer(), Some("/reason"));
    stage.clock.advance(Duration::from_secs(1));
    let enabled = stage.runtime.enable(stage.tenant, BLUEPRINT, "the key was renewed", "user:ada").await.unwrap();
    assert_eq!(enabled.enabled_reason.as_deref(), Some("the key was renewed"));
    assert_eq!(stage.audited().await[0], ("user".to_owned(), "agent_config.enabled".to_owned()));
    assert_eq!(stage.told().await.len(), 1, "that it is enabled is not told");
    for _ in 1..MOST_FAILED_RUNS {
        stage.clock.advance(Duration::from_secs(1));
        stage.run().await;
    }
    assert!(!stage.runtime.breaker(stage.tenant, BLUEPRINT).await.unwrap().is_open(), "the count started anew");
    stage.clock.advance(Duration::from_secs(1));
    stage.run().await;
    assert!(stage.runtime.breaker(stage.tenant, BLUEPRINT).await.unwrap().is_open());
}

#[tokio::test]
async fn a_person_disables_a_blueprint_and_gives_the_reason() {
    let stage = Stage::new(Model::new(None), Model::new(None)).await;
    stage.runtime.disable(stage.tenant, BLUEPRINT, "holidays", "user:ada").await.unwrap();
    assert!(stage.refusal().await.to_string().ends_with("holidays"));
    stage.runtime.enable(stage.tenant, BLUEPRINT, "back", "user:ada").await.unwrap();
    assert_eq!(stage.run().await.status, RunStatus::Succeeded);
    let unknown = stage.runtime.disable(stage.tenant, "nobody", "because", "user:ada").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_config_names_the_models_that_go_on_and_what_the_budget_says() {
    let (first, second) = (Model::new(Some(ModelErrorCategory::QuotaExhausted)), Model::new(None));
    let stage = Stage::new(first.clone(), second.clone()).await;
    let config = AgentConfig {
        model: Some("claude-haiku-5-5".to_owned()),
        fallback_models: vec!["second/best".to_owned()],
        on_budget: vec![OnBudget { at_percent: 80, action: BudgetAction::Finish }],
        guardrails: vec![Rule::new(RuleKind::Allowlist, ["*"])],
        ..AgentConfig::new(BLUEPRINT)
    };
    let wrong = AgentConfig { fallback_models: vec!["third/best".to_owned()], ..config.clone() };
    let error = stage.runtime.save_config(stage.tenant, wrong, "user:ada").await.unwrap_err();
    assert!(error.to_string().contains("third"), "{error}");
    stage.runtime.save_config(stage.tenant, config.clone(), "user:ada").await.unwrap();
    let run = stage.run().await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.failure_detail);
    assert_eq!((first.asked.load(Ordering::Relaxed), second.asked.load(Ordering::Relaxed)), (1, 1));
    let journal = stage.store.journal(stage.tenant, run.id).await.unwrap().unwrap();
    assert_eq!((&*journal.steps[0].name, journal.steps[0].model.as_deref()), ("second/best", Some("best")));
    let snapshot = journal.snapshot.unwrap();
    assert_eq!((snapshot.fallback_models, snapshot.on_budget), (config.fallback_models, config.on_budget));
}
