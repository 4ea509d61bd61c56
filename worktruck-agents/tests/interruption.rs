//! A model that is silent is not waited for when the run is cancelled or its deadline passes.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_core::model::{ModelError, ModelProvider, ModelReply, ModelRequest};
use worktruck_core::run::{FailureCategory, Run, RunStatus};
use worktruck_core::store::{MemoryStore, NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::{Clock as _, Secret, TenantId};

/// A model that never answers; it tells when it is asked, and when nobody listens any more.
#[derive(Debug, Default)]
struct Silent {
    asked: Notify,
    left: Notify,
}

struct Listening<'a>(&'a Notify);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl ModelProvider for Silent {
    async fn complete(&self, _request: ModelRequest) -> Result<ModelReply, ModelError> {
        let _listening = Listening(&self.left);
        self.asked.notify_one();
        std::future::pending().await
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

/// The run after its model was left alone, because it is to be cancelled or must end at once.
async fn interrupted(deadline_secs: Option<u32>) -> Run {
    let (store, model) = (Arc::new(MemoryStore::default()), Arc::new(Silent::default()));
    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let tenant = TenantId::new(&ids, clock.now());
    store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();
    let runtime = Runtime::builder(store.clone())
        .tools(tools::builtin())
        .blueprint(blueprints::contact_deduper())
        .provider("anthropic", model.clone())
        .build()
        .unwrap();
    let mut new = runtime.new_run("contact_deduper", json!({}));
    new.deadline_secs = deadline_secs;
    let run = runtime.enqueue(tenant, new).await.unwrap();
    let stop = async {
        model.asked.notified().await;
        if deadline_secs.is_none() {
            let marked = runtime.cancel(tenant, run.id, None).await.unwrap();
            assert_eq!(marked.status, RunStatus::Running, "its worker ends it");
        }
        let waited = tokio::time::Instant::now();
        model.left.notified().await;
        // Leases last for half a minute, and nobody has told the worker.
        assert!(deadline_secs.is_some() || waited.elapsed() <= Duration::from_secs(2), "{:?}", waited.elapsed());
    };
    let worked = runtime.worker(WorkerOptions::default()).run_until(stop);
    tokio::time::timeout(Duration::from_secs(20), worked).await.expect("the model is left alone");
    store.run(tenant, run.id).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_interrupts_a_model_in_flight() {
    assert_eq!(interrupted(None).await.status, RunStatus::Cancelled);
}

#[tokio::test]
async fn a_deadline_interrupts_a_model_in_flight() {
    let run = interrupted(Some(1)).await;
    assert_eq!((run.status, run.failure_category), (RunStatus::Failed, Some(FailureCategory::Timeout)));
}
