//! A worker process of the fleet, and what it says.

use std::fmt::Debug;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use worktruck_agents::clock::SystemClock;
use worktruck_agents::{Runtime, WorkerOptions};
use worktruck_core::run::RunStatus;
use worktruck_core::{Error, Result, RunId};
use worktruck_store_pg::{PgOptions, PgStore};

use super::desk;

/// What a worker process is told when it is started.
#[derive(Clone, Debug, clap::Args)]
pub struct Orders {
    /// The database.
    #[arg(long)]
    pub store: String,
    /// Where in it the runs are.
    #[arg(long)]
    pub schema: String,
    /// How long a lease lasts, in milliseconds.
    #[arg(long)]
    pub lease_ms: u64,
    /// How long the model thinks, in milliseconds.
    #[arg(long)]
    pub pause_ms: u64,
    /// How many runs it executes at once.
    #[arg(long)]
    pub concurrency: usize,
}

/// What a worker says on its standard output, one a line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It looks for runs from now on.
    Ready,
    /// It has taken a run.
    Taken {
        /// The run.
        run: RunId,
        /// How many times it was taken, this time included.
        attempt: u32,
    },
    /// It is done with a run.
    Left {
        /// The run.
        run: RunId,
        /// What became of it, if the worker knows.
        status: Option<RunStatus>,
    },
}

/// Executes runs, and says which, until the standard input ends: when it is closed, or when the
/// process at its other end is gone.
///
/// # Errors
///
/// Those of the store.
pub async fn work(orders: &Orders) -> Result<()> {
    let told = tracing::subscriber::set_global_default(Telling);
    told.map_err(|e| Error::internal("there is a subscriber already").with_source(e))?;
    let options = PgOptions::parse(&orders.store)?.with_schema(&*orders.schema)?.with_readers(4);
    let store = Arc::new(PgStore::open_with(options.without_migrations()).await?);
    let lease = Duration::from_millis(orders.lease_ms);
    let builder = Runtime::builder(store.clone()).clock(store.clock(Arc::new(SystemClock::new())).await?).lease(lease);
    let runtime = desk::serve(builder, Duration::from_millis(orders.pause_ms)).build()?;
    say(Word::Ready);
    let options = WorkerOptions { concurrency: orders.concurrency, poll: lease / 10, ..WorkerOptions::default() };
    runtime.worker(options).run_until(told_to_stop()).await;
    store.close().await;
    Ok(())
}

async fn told_to_stop() {
    let input_ends = async { while matches!(tokio::io::stdin().read(&mut [0; 64]).await, Ok(1..)) {} };
    tokio::select! {
        () = input_ends => {}
        // A terminal sends it to the whole fleet; who started this worker stops it then.
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn say(word: Word) {
    let line = serde_json::to_string(&word).unwrap_or_default();
    // If nobody listens any more, the input has ended too.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says what the runtime traces of its runs, as an application would log it.
#[derive(Debug)]
struct Telling;

impl Subscriber for Telling {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("worktruck") && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        match (fields.run.as_deref().map(str::parse), fields.attempt) {
            (Some(Ok(run)), Some(attempt)) => say(Word::Taken { run, attempt }),
            (Some(Ok(run)), None) => say(Word::Left { run, status: fields.status }),
            _ => {
                let _ = writeln!(std::io::stderr(), "worker {}:{}", std::process::id(), fields.text);
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    run: Option<String>,
    attempt: Option<u32>,
    status: Option<RunStatus>,
    text: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "attempt" {
            self.attempt = value.try_into().ok();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "run" => self.run = Some(text),
            "status" => self.status = serde_json::from_value(text.into()).ok(),
            _ => self.text += &format!(" {text}"),
        }
    }
}
