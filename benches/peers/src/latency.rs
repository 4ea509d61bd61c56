use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use durare::{Result, WorkflowOptions};

use crate::engine::{Place, QUEUE};
use crate::workload::{Asked, BEGAN, Bench, DONE, Work};

/// Queued runs of one step, one after the other.
#[derive(Args, Debug)]
pub(crate) struct Latency {
    /// How many.
    #[arg(long, default_value_t = 200)]
    probes: usize,
    /// How long nothing is done before each, in milliseconds.
    #[arg(long, default_value_t = 20)]
    gap: u64,
}

/// The milliseconds from the call that enqueues a run until its first step begins.
pub(crate) async fn measure(place: &Place, latency: &Latency) -> Result<Vec<f64>> {
    let (engine, pool) = place.open(16).await?;
    engine.launch().await?;
    let mut millis = Vec::new();
    for probe in 0..latency.probes {
        tokio::time::sleep(Duration::from_millis(latency.gap)).await;
        let asked = Asked { work: Work::Journal, steps: 1, bytes: 200 };
        let began = Instant::now();
        engine.start_with(Bench, asked, WorkflowOptions::default().queue(QUEUE)).await?;
        while DONE.load(Ordering::SeqCst) <= probe {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let first = BEGAN.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(began);
        millis.push(first.duration_since(began).as_secs_f64() * 1_000.0);
    }
    engine.shutdown(Duration::from_secs(5)).await?;
    pool.close().await;
    Ok(millis)
}
