//! Runs that the whole runtime executes: the loop, the guardrails, the chain of the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::TenantId;
use worktruck_core::store::RunStore as _;

use crate::Result;
use crate::agent::{self, BenchTool, CallsThenEnds};
use crate::plan::Plan;
use crate::store;

/// Does all runs of the plan, and gives the time from the first enqueue to the last end, and how many
/// steps each run has: one for each turn and one for each call.
pub(crate) async fn measure(url: &str, plan: &Plan, pool: u32) -> Result<(Duration, usize)> {
    let store = Arc::new(store::open(url, pool).await?);
    let tenants: Arc<[TenantId]> = store::tenants(&store, plan.tenants).await?.into();
    let calls = usize::try_from(plan.steps)? / 2;
    all(&store, plan, &tenants, calls, plan.warm).await?;
    let began = Instant::now();
    all(&store, plan, &tenants, calls, plan.runs).await?;
    let took = began.elapsed();
    store::check_all_ended(&store, &tenants).await?;
    let newest = store.runs(tenants[0], worktruck_core::store::RunQuery::default()).await?;
    let newest = newest.data.first().ok_or("no run was made")?;
    let journal = store.journal(tenants[0], newest.id).await?.ok_or("the journal is gone")?;
    store.close().await;
    Ok((took, journal.steps.len()))
}

async fn all(
    store: &Arc<worktruck_store_pg::PgStore>,
    plan: &Plan,
    tenants: &Arc<[TenantId]>,
    calls: usize,
    runs: usize,
) -> Result<()> {
    // What a turn says comes back as the input of its call: each of the two steps has all of it.
    let policy = Arc::new(CallsThenEnds::new(calls, plan.bytes));
    let runtime = Runtime::builder(Arc::clone(store) as Arc<dyn worktruck_core::store::Store>)
        .tool(Arc::new(BenchTool::new(plan.work, Duration::ZERO)))
        .blueprint(agent::blueprint(Arc::clone(&policy) as Arc<dyn worktruck_agents::providers::Policy>))
        .build()?;
    enqueue(&runtime, plan.at_once, tenants, runs).await?;
    let options = WorkerOptions { concurrency: plan.at_once, ..WorkerOptions::default() };
    runtime.worker(options).run_until(policy.until_ended(runs)).await;
    Ok(())
}

/// Enqueues the runs one by one, so many at once.
async fn enqueue(runtime: &Runtime, at_once: usize, tenants: &Arc<[TenantId]>, runs: usize) -> Result<()> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (runtime, begun, tenants) = (runtime.clone(), Arc::clone(&begun), Arc::clone(tenants));
        tasks.spawn(async move {
            loop {
                let n = begun.fetch_add(1, Ordering::SeqCst);
                if n >= runs {
                    return Ok::<_, worktruck_core::Error>(());
                }
                let run = runtime.new_run(agent::NAME, json!({ "number": n }));
                runtime.enqueue(tenants[n % tenants.len()], run).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
