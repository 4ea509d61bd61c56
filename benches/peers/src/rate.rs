use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use durare::{DurableEngine, Error, Result, WorkflowOptions};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::engine::{Place, QUEUE};
use crate::workload::{Asked, Bench, DONE, Work};

/// Runs that are done as fast as they can be.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rate {
    /// What each step does.
    #[arg(long, value_enum)]
    work: Work,
    /// How many runs.
    #[arg(long)]
    runs: usize,
    /// How many at once.
    #[arg(long)]
    at_once: usize,
    /// How many steps a run has.
    #[arg(long, default_value_t = 10)]
    steps: usize,
    /// How large the result of a step is.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// How many runs are done before, unmeasured.
    #[arg(long, default_value_t = 0)]
    warm: usize,
}

/// Starts each run where it is executed, which is the shortest way, and waits for its end.
pub(crate) async fn direct(place: &Place, rate: &Rate) -> Result<f64> {
    let (engine, pool) = place.open(rate.at_once).await?;
    let engine = Arc::new(engine);
    start_all(&engine, rate, rate.warm).await?;
    let began = Instant::now();
    start_all(&engine, rate, rate.runs).await?;
    let took = began.elapsed();
    check(&pool, rate.warm + rate.runs).await?;
    close(&engine, &pool).await?;
    Ok(took.as_secs_f64())
}

async fn start_all(engine: &Arc<DurableEngine>, rate: &Rate, runs: usize) -> Result<()> {
    let begun = Arc::new(AtomicUsize::new(0));
    each(rate.at_once, |_| {
        let (engine, begun, asked) = (Arc::clone(engine), Arc::clone(&begun), asked(rate));
        async move {
            while begun.fetch_add(1, Ordering::SeqCst) < runs {
                engine.start_with(Bench, asked, WorkflowOptions::default()).await?.await?;
            }
            Ok(())
        }
    })
    .await
}

/// Enqueues all runs, then lets the queue's dispatcher begin; the time is that of both.
pub(crate) async fn queued(place: &Place, rate: &Rate) -> Result<f64> {
    let (engine, pool) = place.open(rate.at_once).await?;
    let engine = Arc::new(engine);
    // Without the queue, which must not be looked at yet.
    start_all(&engine, rate, rate.warm).await?;
    let began = Instant::now();
    let begun = Arc::new(AtomicUsize::new(0));
    each(rate.at_once, |_| {
        let (engine, begun, rate) = (Arc::clone(&engine), Arc::clone(&begun), rate.clone());
        async move {
            while begun.fetch_add(1, Ordering::SeqCst) < rate.runs {
                engine.start_with(Bench, asked(&rate), WorkflowOptions::default().queue(QUEUE)).await?;
            }
            Ok(())
        }
    })
    .await?;
    engine.launch().await?;
    let all = rate.warm + rate.runs;
    while DONE.load(Ordering::SeqCst) < all || check(&pool, all).await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    close(&engine, &pool).await?;
    Ok(took.as_secs_f64())
}

const fn asked(rate: &Rate) -> Asked {
    Asked { work: rate.work, steps: rate.steps, bytes: rate.bytes }
}

async fn each<F>(count: usize, task: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks: JoinSet<Result<()>> = (0..count).map(task).collect();
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|e| Error::app(e.to_string()))??;
    }
    Ok(())
}

/// Fails unless so many runs have succeeded.
async fn check(pool: &PgPool, runs: usize) -> Result<()> {
    let succeeded: i64 = sqlx::query_scalar("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")
        .fetch_one(pool)
        .await?;
    if usize::try_from(succeeded).is_ok_and(|count| count == runs) {
        return Ok(());
    }
    Err(Error::app(format!("{succeeded} of {runs} runs have succeeded")))
}

/// Leaves no connection, so that the server has counted everything.
async fn close(engine: &DurableEngine, pool: &PgPool) -> Result<()> {
    engine.shutdown(Duration::from_secs(5)).await?;
    pool.close().await;
    Ok(())
}
