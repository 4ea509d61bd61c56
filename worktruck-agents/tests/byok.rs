//! Tenants bring keys of model providers for their own runs.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use worktruck_agents::vault::{KeyBytes, KeyRing, Vault};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::entity::byok_key::{ByokKey, ByokStatus};
use worktruck_core::model::{
    Block, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, ProbeResult, StopReason, Usage,
};
use worktruck_core::run::{FailureCategory, Run, RunStatus};
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::testing::{CountingIds, SimClock};
use worktruck_core::{Clock as _, ErrorKind, Secret, TenantId, Timestamp};

const OWN: &str = "sk-of-the-application";
const BROUGHT: &str = "sk-of-the-tenant-12E7";
const OTHER: &str = "sk-of-the-tenant-9A0B";

/// A provider that knows some keys, and notes with which one it was asked.
#[derive(Clone, Debug)]
struct Provider {
    key: Secret,
    known: Arc<Mutex<Vec<&'static str>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn check(&self, key: &Secret) -> Result<(), ModelError> {
        match self.known.lock().unwrap().contains(&key.expose()) {
            true => Ok(()),
            false => Err(ModelError::new(ModelErrorCategory::InvalidKey, "no such key")),
        }
    }
}

#[async_trait]
impl ModelProvider for Provider {
    async fn complete(&self, _request: ModelRequest) -> Result<ModelReply, ModelError> {
        self.asked.lock().unwrap().push(self.key.expose().to_owned());
        self.check(&self.key)?;
        Ok(ModelReply {
            // A model may say anything.
            content: vec![Block::Text { text: format!("asked with {}", self.key.expose()) }],
            stop_reason: StopReason::EndTurn,
            model: "test".to_owned(),
            usage: Usage::default(),
        })
    }

    async fn probe(&self, key: &Secret) -> Result<(), ModelError> {
        self.check(key)
    }

    fn with_key(&self, key: &Secret) -> Option<Arc<dyn ModelProvider>> {
        Some(Arc::new(Self { key: key.clone(), ..self.clone() }))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.key.clone()]
    }
}

const BLUEPRINT: &str = "contact_deduper";

struct Stage {
    store: Arc<MemoryStore>,
    runtime: Runtime,
    provider: Provider,
    tenants: [TenantId; 2],
}

impl Stage {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(SimClock::starting_at(Timestamp::EPOCH));
        let known = Arc::new(Mutex::new(vec![OWN, BROUGHT, OTHER]));
        let provider = Provider { key: Secret::new(OWN), known, asked: Arc::default() };
        let ring = KeyRing::new(KeyBytes::random().unwrap());
        let runtime = Runtime::builder(store.clone())
            .clock(clock.clone())
            .tools(tools::builtin())
            .blueprint(blueprints::contact_deduper())
            .provider("anthropic", Arc::new(provider.clone()))
            .vault(Vault::new(store.clone(), Arc::new(ring), clock.clone()))
            .build()
            .unwrap();
        let tenants = [1, 2].map(|n| TenantId::new(&CountingIds::new(n), clock.now()));
        for (tenant, slug) in tenants.into_iter().zip(["one", "two"]) {
            store.create_tenant(NewTenant::new(tenant, slug), clock.now()).await.unwrap();
        }
        Self { store, runtime, provider, tenants }
    }

    async fn bring(&self, key: &str) -> worktruck_core::Result<ByokKey> {
        self.runtime.bring_key(self.tenants[0], BLUEPRINT, "anthropic", &Secret::new(key), "user:ada").await
    }

    async fn status(&self) -> Option<ByokStatus> {
        self.runtime.byok_key(self.tenants[0], BLUEPRINT).await.unwrap().map(|key| key.status)
    }

    /// A run to its end, and the keys that its model was asked with.
    async fn run(&self, tenant: TenantId) -> (Run, Vec<String>) {
        self.provider.asked.lock().unwrap().clear();
        let run = self.runtime.enqueue(tenant, self.runtime.new_run(BLUEPRINT, json!({}))).await.unwrap();
        let read = async || self.store.run(tenant, run.id).await.unwrap().unwrap();
        let ended = async {
            while !read().await.status.is_terminal() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let worked = self.runtime.worker(WorkerOptions::default()).run_until(ended);
        tokio::time::timeout(Duration::from_secs(60), worked).await.expect("the run ends");
        (read().await, self.provider.asked.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn runs_ask_with_the_key_that_their_tenant_has_brought() {
    let stage = Stage::new().await;
    let [tenant, other] = stage.tenants;
    assert_eq!(stage.run(tenant).await.1, [OWN]);
    let brought = stage.bring(BROUGHT).await.unwrap();
    assert_eq!((brought.status, &*brought.key_hint), (ByokStatus::Active, "12E7"));
    assert_eq!(brought.last_probed_at, Some(Timestamp::EPOCH));
    let (run, asked) = stage.run(tenant).await;
    assert_eq!((run.status, asked), (RunStatus::Succeeded, vec![BROUGHT.to_owned()]));
    let recorded = serde_json::to_string(&stage.store.journal(tenant, run.id).await.unwrap()).unwrap();
    assert!(recorded.contains("asked with") && !recorded.contains("sk-of"), "{recorded}");
    assert_eq!(stage.run(other).await.1, [OWN], "another tenant has brought none");
    stage.bring(OTHER).await.unwrap();
    assert_eq!(stage.run(tenant).await.1, [OTHER]);
}

#[tokio::test]
async fn a_key_that_is_not_taken_changes_nothing() {
    let stage = Stage::new().await;
    let error = stage.bring("sk-unknown").await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/api_key")));
    let expected = json!({ "status": "invalid", "category": "invalid_key", "message": "no such key" });
    assert_eq!(error.details(), Some(&expected));
    assert!(!format!("{error:?}").contains("sk-unknown"));
    assert_eq!(stage.status().await, None);
    assert_eq!(stage.run(stage.tenants[0]).await.1, [OWN]);

    let key = Secret::new(BROUGHT);
    assert_eq!(stage.runtime.validate_key("anthropic", &key).await.unwrap(), ProbeResult::Valid);
    let unknown = stage.runtime.validate_key("nobody", &key).await.unwrap_err();
    assert_eq!(unknown.pointer(), Some("/provider"));
    let revoked = stage.runtime.revoke_key(stage.tenants[0], BLUEPRINT, "user:ada").await.unwrap_err();
    assert_eq!(revoked.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_revoked_key_is_not_replaced_by_the_one_of_the_application() {
    let stage = Stage::new().await;
    stage.bring(BROUGHT).await.unwrap();
    let revoked = stage.runtime.revoke_key(stage.tenants[0], BLUEPRINT, "user:ada").await.unwrap();
    assert_eq!(revoked.status, ByokStatus::Revoked);
    let (run, asked) = stage.run(stage.tenants[0]).await;
    assert_eq!(run.failure_category, Some(FailureCategory::AuthFailed), "it was accepted, and failed");
    assert!(run.failure_detail.unwrap().contains("is revoked; bring another one"));
    assert!(asked.is_empty());
    stage.bring(OTHER).await.unwrap();
    assert_eq!(stage.run(stage.tenants[0]).await.1, [OTHER]);
}

#[tokio::test]
async fn a_key_that_its_provider_refuses_in_a_run_is_known_as_refused() {
    let stage = Stage::new().await;
    stage.bring(BROUGHT).await.unwrap();
    stage.provider.known.lock().unwrap().retain(|key| *key != BROUGHT);
    let (run, asked) = stage.run(stage.tenants[0]).await;
    assert_eq!(run.failure_category, Some(FailureCategory::AuthFailed));
    assert_eq!(asked, [BROUGHT]);
    assert_eq!(stage.status().await, Some(ByokStatus::AuthFailed));
    stage.bring(OTHER).await.unwrap();
    assert_eq!(stage.status().await, Some(ByokStatus::Active));
}
