//! How long an enqueued run waits for its first step when nothing else is done, beside the least that
//! the database needs for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::postgres::PgListener;
use sqlx::{Connection as _, Executor as _, PgConnection};
use worktruck_agents::Runtime;

use crate::Result;
use crate::agent::{self, BenchTool, CallsThenEnds};
use crate::bench::Bench;
use crate::plan::Work;
use crate::store;
use crate::worker::{Said, WorkerProcess};
use worktruck_benches::machine::progress;
use worktruck_benches::report::{Figure, Goal};
use worktruck_benches::samples::{Part, median, quantile};

/// How long nothing is done before each probe.
const GAP: Duration = Duration::from_millis(20);
/// Probes that open connections and make plans, and are not counted.
const WARM: usize = 10;

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let probes = bench.size.pick(50, 200);
    let (mut ours, mut least, mut queued) = (Rounds::default(), Rounds::default(), Rounds::default());
    let mut ratios = Vec::new();
    for round in 0..bench.size.rounds {
        progress(&format!("round {}: latency", round + 1));
        let (of_ours, of_least) = beside(bench, probes).await?;
        ratios.push(median(&of_ours) / median(&of_least));
        ours.add(&of_ours);
        least.add(&of_least);
        queued.add(&peer(bench, probes).await?);
    }
    let mut figures = ours.figures("enqueue until the first step begins, in another process");
    figures[1] = figures[1].clone().with_goal(Goal::AtMost(20.0));
    figures.extend(least.figures("round trip of notifications and two commits of a row"));
    figures.extend(queued.figures("durare, queue polled every 20 ms: enqueue until the first step begins"));
    figures.push(Figure::new("ours / the round trip and the commits, p50", "x", &ratios).with_goal(Goal::AtMost(3.0)));
    Ok(figures)
}

#[derive(Debug, Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, millis: &[f64]) {
        self.p50.push(median(millis));
        self.p99.push(quantile(millis, Part::All99));
    }

    fn figures(&self, name: &str) -> Vec<Figure> {
        let figure = |part, values: &[f64]| Figure::new(format!("{name}, {part}"), "ms", values);
        vec![figure("p50", &self.p50), figure("p99", &self.p99)]
    }
}

/// Our probes, and between them those of the least.
async fn beside(bench: &Bench, probes: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let database = bench.database().await?;
    let store = Arc::new(store::open(&database.url, bench.size.pool).await?);
    let tenant = store::tenants(&store, 1).await?[0];
    let runtime = Runtime::builder(Arc::clone(&store) as Arc<dyn worktruck_core::store::Store>)
        .tool(Arc::new(BenchTool::new(Work::Journal, Duration::ZERO)))
        .blueprint(agent::blueprint(Arc::new(CallsThenEnds::new(0, 0))))
        .build()?;
    let mut worker = WorkerProcess::start(&database.url, &[]).await?;
    let mut echo = Echo::start(&bench.database().await?.url).await?;
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for n in 0..WARM + probes {
        tokio::time::sleep(GAP).await;
        let began = runtime.now().as_micros();
        runtime.enqueue(tenant, runtime.new_run(agent::NAME, json!({ "number": n }))).await?;
        let begun = loop {
            match worker.hear().await? {
                Said::Turn { run, at } if run == n => break at,
                Said::Turn { .. } | Said::Ready => {}
            }
        };
        ours.push(Duration::from_micros(u64::try_from(begun - began).unwrap_or(0)).as_secs_f64() * 1_000.0);
        tokio::time::sleep(GAP).await;
        least.push(echo.probe().await?.as_secs_f64() * 1_000.0);
    }
    worker.kill().await?;
    store.close().await;
    Ok((ours.split_off(WARM), least.split_off(WARM)))
}

/// Two connections that notify each other, and one that commits rows.
struct Echo {
    caller: PgListener,
    writer: PgConnection,
    answering: tokio::task::JoinHandle<sqlx::Result<()>>,
}

impl Echo {
    async fn start(url: &str) -> Result<Self> {
        let mut writer = PgConnection::connect(url).await?;
        writer.execute("CREATE TABLE inserted (id uuid PRIMARY KEY, body jsonb NOT NULL)").await?;
        let mut caller = PgListener::connect(url).await?;
        caller.listen("answer").await?;
        let mut answerer = PgListener::connect(url).await?;
        answerer.listen("call").await?;
        let answering = tokio::spawn(async move {
            loop {
                answerer.recv().await?;
                answerer.execute("NOTIFY answer").await?;
            }
        });
        Ok(Self { caller, writer, answering })
    }

    /// How long a call and its answer take, and two commits.
    async fn probe(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.caller.execute("NOTIFY call").await?;
        self.caller.recv().await?;
        for _ in 0..2 {
            sqlx::query("INSERT INTO inserted (id, body) VALUES (gen_random_uuid(), $1)")
                .bind(json!({ "text": "x".repeat(1_000) }))
                .execute(&mut self.writer)
                .await?;
        }
        Ok(began.elapsed())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn peer(bench: &Bench, probes: usize) -> Result<Vec<f64>> {
    let database = bench.database().await?;
    let command =
        ["latency", "--probes", &probes.to_string(), "--gap", &GAP.as_millis().to_string()].map(str::to_owned);
    let printed = bench.peers.measure(&database, &command)?;
    Ok(serde_json::from_value(printed["millis"].clone())?)
}
