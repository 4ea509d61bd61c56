//! Measures the main job: a file of people is imported into SQLite and deduplicated by a run.
//!
//! `measure_run [--counts 10000,100000] [--runs N]`; each measurement is a process of its own, so
//! that its peak of memory is its own.
#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Target};
use worktruck_agents::{Runtime, WorkerOptions, blueprints, tools};
use worktruck_benches::people::{Profile, generate};
use worktruck_core::entity::agent_config::AgentConfig;
use worktruck_core::run::RunStatus;
use worktruck_core::store::{NewTenant, RunStore as _, TenantStore as _};
use worktruck_core::{Clock as _, TenantId};
use worktruck_store_sqlite::SqliteStore;

/// Measures the main job: import into SQLite and a deduplication run.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many contacts.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    counts: Vec<usize>,
    /// How often; medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Measure once with so many contacts and print JSON.
    #[arg(long, hide = true)]
    once: Option<usize>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Measured {
    import_secs: f64,
    run_secs: f64,
    peak_mb: f64,
    steps: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(count) = arguments.once {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        println!("{}", serde_json::to_string(&runtime.block_on(once(count))?)?);
        return Ok(());
    }
    println!(
        "{:>9}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}",
        "contacts", "import s", "run s", "total s", "peak MB", "steps"
    );
    let mut totals = Vec::new();
    for count in &arguments.counts {
        let mut measured = Vec::new();
        for _ in 0..arguments.runs {
            let output = Command::new(std::env::current_exe()?).args(["--once", &count.to_string()]).output()?;
            let printed: Measured = serde_json::from_slice(&output.stdout)
                .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&output.stderr)))?;
            measured.push(printed);
        }
        let median = |value: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = measured.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let total = median(|m| m.import_secs + m.run_secs);
        println!(
            "{count:>9}  {:>8.2}  {:>8.2}  {total:>8.2}  {:>8.0}  {:>6}",
            median(|m| m.import_secs),
            median(|m| m.run_secs),
            median(|m| m.peak_mb),
            measured[0].steps
        );
        totals.push(total);
    }
    if let [first, .., last] = totals[..] {
        println!("the largest costs {:.1} times the smallest", last / first);
    }
    Ok(())
}

async fn once(count: usize) -> Result<Measured, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("people.csv");
    std::fs::write(&path, generate(&Profile::sample(), count, 1).csv())?;

    let (ids, clock) = (RandomIds::new(), SystemClock::new());
    let store = Arc::new(SqliteStore::open(&format!("sqlite://{}", folder.path().join("store.db").display())).await?);
    let tenant = TenantId::new(&ids, clock.now());
    let new = NewTenant::new(tenant, "bench");
    store.create_tenant(new, clock.now()).await?;

    let started = Instant::now();
    let bytes = std::fs::read(&path)?;
    let parsed = import::parse("people.csv", &bytes, Format::Csv, &Options::default(), &ids, clock.now())?;
    let target = Target { store: &*store, tenant, ids: &ids, clock: &clock, captured_by: "bench" };
    import::load(target, parsed, |_| {}).await?;
    let import_secs = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let blueprint = blueprints::contact_deduper();
    let runtime = Runtime::builder(store.clone()).tools(tools::builtin()).blueprint(blueprint.clone()).build()?;
    let config = AgentConfig {
        model: Some("local/rules".to_owned()),
        guardrails: blueprint.default_guardrails,
        ..AgentConfig::new(blueprint.name)
    };
    runtime.save_config(tenant, config, "bench").await?;
    let run = runtime.enqueue(tenant, runtime.new_run("contact_deduper", json!({}))).await?;
    let ended = async {
        while !matches!(store.run(tenant, run.id).await, Ok(Some(run)) if run.status.is_terminal()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    runtime.worker(WorkerOptions::default()).run_until(ended).await;
    let run_secs = started.elapsed().as_secs_f64();

    let run = store.run(tenant, run.id).await?.ok_or("the run is gone")?;
    if run.status != RunStatus::Succeeded {
        return Err(format!("the run {}: {:?}", run.status, run.failure_detail).into());
    }
    let journal = store.journal(tenant, run.id).await?.ok_or("the journal is gone")?;
    let steps = u32::try_from(journal.steps.len())?;
    Ok(Measured { import_secs, run_secs, peak_mb: peak_mb()?, steps })
}

/// The peak of this process' resident memory, in megabytes.
fn peak_mb() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
