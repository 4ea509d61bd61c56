//! A small agent of the examples, and how they let it work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use worktruck_agents::blueprint::Blueprint;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::guardrail::{Rule, RuleKind};
use worktruck_core::model::ModelProvider;
use worktruck_core::run::{Run, RunStatus};
use worktruck_core::testing::script::{Reply, ScriptedModel};
use worktruck_core::{Error, Result, RunId, TenantId};

/// An agent that may call these tools, whose model is the provider `scripted`.
#[must_use]
pub fn agent(name: &str, tools: &[&str]) -> Blueprint {
    Blueprint {
        name: name.to_owned(),
        version: 1,
        title: name.to_owned(),
        description: "An agent of an example.".to_owned(),
        input_schema: json!({ "type": "object" }),
        system_prompt: format!("You are a {name}."),
        tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
        default_model: "scripted/model".to_owned(),
        default_budget_cents: None,
        default_deadline_seconds: 3_600,
        default_max_steps: 20,
        max_tokens: 1_000,
        default_guardrails: vec![Rule::new(RuleKind::Allowlist, tools.iter().copied())],
        policy: None,
    }
}

/// What plays the model: it says this, in order, without a key or a network.
pub fn scripted(replies: impl IntoIterator<Item = Reply>) -> Arc<dyn ModelProvider> {
    Arc::new(ScriptedModel::new(replies))
}

/// Lets a worker work until a run has ended or waits, and returns the run.
///
/// # Errors
///
/// `NotFound` if there is no such run, and those of the store.
pub async fn work(runtime: &Runtime, tenant: TenantId, run: RunId) -> Result<Run> {
    let rests = async {
        while !matches!(read(runtime, tenant, run).await, Ok(run) if rests(&run)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    runtime.worker(WorkerOptions::default()).run_until(rests).await;
    read(runtime, tenant, run).await
}

fn rests(run: &Run) -> bool {
    run.status.is_terminal() || run.status == RunStatus::Waiting
}

async fn read(runtime: &Runtime, tenant: TenantId, run: RunId) -> Result<Run> {
    let found = runtime.store().run(tenant, run).await?;
    found.ok_or_else(|| Error::not_found(format!("run {run}")))
}
