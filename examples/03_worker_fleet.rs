//! Three worker processes on one PostgreSQL, and one of them is killed half-way: every run succeeds all the same, once.
//!
//! `cargo run --release --example 03_worker_fleet -- --help` says what it can do.

#![expect(clippy::print_stderr, reason = "a command talks to its user")]

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use worktruck_agents::Runtime;
use worktruck_agents::clock::SystemClock;
use worktruck_core::{Error, Result};
use worktruck_examples::fleet::board::Board;
use worktruck_examples::fleet::count::Count;
use worktruck_examples::fleet::crew::{Crew, until_interrupted};
use worktruck_examples::fleet::outcome::Outcome;
use worktruck_examples::fleet::place::Place;
use worktruck_examples::fleet::tenants::accept;
use worktruck_examples::fleet::watch::watch;
use worktruck_examples::fleet::worker::{Orders, work};
use worktruck_examples::fleet::{desk, lease};
use worktruck_examples::report::print;
use worktruck_store_pg::{PgOptions, PgStore};

/// Lets worker processes share the runs of four tenants, kills one of them half-way, and counts what has happened.
///
/// Rules play the model, so that no key and no network is used; each turn takes them a moment, as it would a model.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// How many runs.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    runs: u32,
    /// How many worker processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=10))]
    workers: u8,
    /// How many seconds a lease lasts: after that the runs of a dead worker are taken over.
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = lease)]
    lease: Duration,
    /// How many milliseconds the model thinks about a turn.
    #[arg(long, default_value_t = 100, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=10_000))]
    pause: u64,
    /// A PostgreSQL database, such as postgres://localhost/crm; a throw-away server if absent.
    ///
    /// Everything is done in a schema of its own, which is removed at the end.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Leave the schema in the database.
    #[arg(long, requires = "store")]
    keep: bool,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// What this program starts.
    #[command(hide = true)]
    Worker(Orders),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.role {
        Some(Role::Worker(orders)) => work(orders).await.map(|()| true),
        None => find_a_place(&args).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// Does it all in a place that is cleared at the end, whatever happens.
async fn find_a_place(args: &Args) -> Result<bool> {
    let mut interrupted = pin!(until_interrupted());
    let failed = || Error::unavailable("interrupted");
    let place = tokio::select! {
        () = &mut interrupted => return Err(failed()),
        place = Place::find(args.store.clone(), args.keep) => place?,
    };
    let done = tokio::select! {
        () = &mut interrupted => Err(failed()),
        done = fleet(args, &place) => done,
    };
    let cleared = place.clear().await;
    done.and_then(|is_right| cleared.map(|()| is_right))
}

async fn fleet(args: &Args, place: &Place) -> Result<bool> {
    let (mut board, runs) = (Board::new(args.json), args.runs.try_into().unwrap_or(usize::MAX));
    let store = Arc::new(PgStore::open_with(PgOptions::parse(&place.url)?.with_schema(&*place.schema)?).await?);
    let clock = store.clock(Arc::new(SystemClock::new())).await?;
    let builder = Runtime::builder(store.clone()).clock(clock).lease(args.lease);
    let runtime = desk::serve(builder, Duration::from_millis(args.pause)).build()?;
    let tenants = accept(&runtime, runs).await?;
    board.say(&format!("{runs} runs of {} tenants are accepted; {} workers start.", tenants.len(), args.workers))?;
    let lease_ms = args.lease.as_millis().try_into().unwrap_or(u64::MAX);
    let orders = Orders {
        store: place.url.clone(),
        schema: place.schema.clone(),
        lease_ms,
        pause_ms: args.pause,
        // Few enough that when half of the runs have ended, a quarter has not begun.
        concurrency: (runs / (4 * usize::from(args.workers))).clamp(1, 16),
    };
    let crew = Crew::start(args.workers.into(), &orders)?;
    let seen = watch(crew, &runtime, &tenants, args.lease, &mut board).await?;
    board.clear();
    let count = Count::read(&*store, &tenants, seen.killed.at, runtime.now()).await?;
    let outcome = Outcome { seen, count, runs, lease: args.lease };
    print(&if args.json { outcome.to_json(place).to_string() } else { outcome.to_text(place) })?;
    store.close().await;
    Ok(outcome.is_right())
}
