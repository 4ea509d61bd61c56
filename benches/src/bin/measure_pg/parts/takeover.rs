//! How long the runs of a worker that dies, or is told to stop, stand still until another goes on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use worktruck_agents::Runtime;
use worktruck_agents::clock::SystemClock;
use worktruck_core::Clock as _;

use crate::Result;
use crate::agent::{self, BenchTool, CallsThenEnds};
use crate::bench::Bench;
use crate::plan::Work;
use crate::store;
use crate::worker::{Said, WorkerProcess};
use worktruck_benches::machine::progress;
use worktruck_benches::report::{Figure, Goal};
use worktruck_benches::samples::{Part, median, quantile};

/// How many runs the worker holds.
const RUNS: usize = 16;
const CALL: Duration = Duration::from_millis(50);

/// How the worker ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Killed,
    Told,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let lease = bench.size.lease;
    for (end, signal) in [(End::Killed, "SIGKILL"), (End::Told, "SIGTERM")] {
        let (mut half, mut all) = (Vec::new(), Vec::new());
        for round in 0..bench.size.rounds {
            progress(&format!("round {}: takeover after {signal}", round + 1));
            let waited = once(bench, end).await?;
            half.push(median(&waited));
            all.push(quantile(&waited, Part::All));
        }
        let most = if end == End::Killed { lease + Duration::from_secs(2) } else { Duration::from_secs(1) };
        let name = format!("{signal}, lease {} s, until {RUNS} runs go on elsewhere", lease.as_secs_f64());
        figures.push(Figure::new(format!("{name}, p50"), "s", &half));
        let last = Figure::new(format!("{name}, last"), "s", &all);
        figures.push(last.with_goal(Goal::AtMost(most.as_secs_f64())));
    }
    Ok(figures)
}

/// The seconds that each run stood still.
async fn once(bench: &Bench, end: End) -> Result<Vec<f64>> {
    let database = bench.database().await?;
    let store = Arc::new(store::open(&database.url, bench.size.pool).await?);
    let tenant = store::tenants(&store, 1).await?[0];
    let runtime = Runtime::builder(Arc::clone(&store) as Arc<dyn worktruck_core::store::Store>)
        .tool(Arc::new(BenchTool::new(Work::Journal, Duration::ZERO)))
        .blueprint(agent::blueprint(Arc::new(CallsThenEnds::new(0, 0))))
        .build()?;
    let call = u64::try_from(CALL.as_millis())?;
    let lease = u64::try_from(bench.size.lease.as_millis())?;
    let options = [("lease-ms", lease), ("call-ms", call), ("calls", 100_000)];
    let mut first = WorkerProcess::start(&database.url, &options).await?;
    for n in 0..RUNS {
        runtime.enqueue(tenant, runtime.new_run(agent::NAME, json!({ "number": n }))).await?;
    }
    // The second turn of each: the run has a journal that must be gone through.
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    while twice.len() < RUNS {
        if let Said::Turn { run, .. } = first.hear().await?
            && !once.insert(run)
        {
            twice.insert(run);
        }
    }
    let mut second = WorkerProcess::start(&database.url, &options).await?;
    let ended_at = SystemClock::new().now().as_micros();
    let left = match end {
        End::Killed => {
            first.kill().await?;
            None
        }
        End::Told => {
            first.terminate()?;
            // It still says what it does until it has stopped, and must be able to.
            Some(tokio::spawn(async move { while first.hear().await.is_ok() {} }))
        }
    };
    let mut waited = Vec::new();
    let mut resumed = BTreeSet::new();
    while resumed.len() < RUNS {
        if let Said::Turn { run, at } = second.hear().await?
            && resumed.insert(run)
        {
            let micros = u64::try_from(at - ended_at).unwrap_or(0);
            waited.push(Duration::from_micros(micros).as_secs_f64());
        }
    }
    second.kill().await?;
    if let Some(left) = left {
        left.await?;
    }
    store.close().await;
    Ok(waited)
}
