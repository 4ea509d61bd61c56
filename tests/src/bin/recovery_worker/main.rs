//! A worker process that tests kill, stop and wake.
//!
//! It says on its standard output, one JSON object a line, what it is about to do to its store and
//! what came of it, and can be held at one place. It works until SIGTERM.

mod announcing;
mod hold;
mod outside;
mod script;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use worktruck_agents::clock::SystemClock;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::{Clock, Error, Result, Timestamp};
use worktruck_tests::{Announcement, AnyStore, Position};

use announcing::Announcing;
use hold::announce;
use outside::Outside;
use script::Scripted;

#[derive(Debug, Parser)]
struct Args {
    /// The store.
    #[arg(long)]
    store: String,
    /// The server that plays the outside, and the model.
    #[arg(long)]
    server: String,
    /// How long leases last.
    #[arg(long, default_value_t = 30_000)]
    lease_ms: u64,
    /// How far its clock is behind.
    #[arg(long, default_value_t = 0)]
    behind_secs: u64,
    /// How many runs it executes at once.
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// How long it waits at most before it looks for runs by itself.
    #[arg(long, default_value_t = 50)]
    poll_ms: u64,
    /// Whether its store hears of no work.
    #[arg(long)]
    deaf: bool,
    /// How long runs may finish what is under way.
    #[arg(long, default_value_t = 10_000)]
    grace_ms: u64,
    /// Where to stay until a line comes on standard input.
    #[arg(long)]
    hold: Option<Position>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match work(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            announce_failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn work(args: Args) -> Result<()> {
    let mut terminated =
        signal(SignalKind::terminate()).map_err(|e| Error::unavailable("cannot listen to signals").with_source(e))?;
    let store = if args.deaf { AnyStore::open_deaf(&args.store).await? } else { AnyStore::open(&args.store).await? };
    let clock = Behind { clock: SystemClock::new(), by: Duration::from_secs(args.behind_secs) };
    let outside = Arc::new(Outside::new(args.server, args.hold)?);
    let runtime = Runtime::builder(Arc::new(Announcing::new(store.ports(), args.hold)))
        .clock(Arc::new(clock))
        .lease(Duration::from_millis(args.lease_ms))
        .provider("scripted", Arc::new(Scripted::new(Arc::clone(&outside))))
        .prices([script::price()])
        .tools(tools::all(&outside))
        .blueprint(script::blueprint())
        .build()?;
    let options = WorkerOptions {
        concurrency: args.concurrency,
        poll: Duration::from_millis(args.poll_ms),
        grace: Duration::from_millis(args.grace_ms),
    };
    announce(&Announcement::Ready);
    let stop = async {
        terminated.recv().await;
        announce(&Announcement::Stopping);
    };
    runtime.worker(options).run_until(stop).await;
    store.close().await;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the test that started the process shows it")]
fn announce_failure(error: &Error) {
    eprintln!("recovery_worker: {}", error.chain());
}

/// A clock that is behind: for everybody else a lease that it gives has run out already. So a run
/// can be taken over as soon as its worker is dead, however slow or fast the machine is.
#[derive(Debug)]
struct Behind {
    clock: SystemClock,
    by: Duration,
}

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.clock.now().before(self.by)
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}
