//! Measures the PostgreSQL store beside its peers and beside the database's own limit.
//!
//! `measure_pg [PART …] [--quick] [--json]`. Everything is measured in one run on a cluster that it
//! makes itself, the systems taking turns, several times; medians are printed. Needs the programs of a
//! PostgreSQL server, and builds the peer's program first.
#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

mod agent;
mod bench;
mod parts;
mod peers;
mod pgbench;
mod plan;
mod ports;
mod runtime;
mod settings;
mod store;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use worktruck_benches::Result;
use worktruck_benches::cluster::Cluster;
use worktruck_benches::report;

use crate::bench::{Bench, Size};
use crate::parts::Part;
use crate::peers::Peers;
use crate::worker::WorkerArguments;

/// Measures the PostgreSQL store beside its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Less of everything, for development: the figures are rough.
    #[arg(long)]
    quick: bool,
    /// How often each thing is measured.
    #[arg(long)]
    rounds: Option<usize>,
    /// Of the steps, measures only what has this in its name.
    #[arg(long)]
    only: Option<String>,
    /// How many connections each system has.
    #[arg(long, default_value_t = 20)]
    pool: u32,
    /// Where the cluster is made; on the disk that is to be measured.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How many seconds leases last where a worker is to lose them; 5, or 2 if it is quick.
    #[arg(long)]
    lease: Option<u64>,
    #[command(flatten)]
    worker: WorkerArguments,
    /// Prints only JSON, and no table for people before it.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.worker.work(arguments.pool).await? {
        return Ok(());
    }
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 5 }).max(1);
    let lease = Duration::from_secs(arguments.lease.unwrap_or(if arguments.quick { 2 } else { 5 }));
    let size = Size { rounds, quick: arguments.quick, pool: arguments.pool, lease };
    let peers = Peers::build(size.pool)?;
    let bench = Bench { cluster: Cluster::start(arguments.folder.as_deref())?, peers, size, only: arguments.only };
    let settings = settings::read(&bench).await?;
    if !arguments.json {
        println!("{settings:#}");
    }
    let parts = if arguments.parts.is_empty() { Part::ALL } else { &arguments.parts };
    let mut measured = Vec::new();
    for part in parts {
        let figures = part.measure(&bench).await?;
        if !arguments.json {
            println!("\n{}", part.title());
            figures.iter().for_each(|figure| println!("{}", figure.line()));
        }
        let figures: Vec<Value> = figures.iter().map(report::Figure::json).collect();
        measured.push(json!({ "part": format!("{part:?}").to_lowercase(), "title": part.title(), "figures": figures }));
    }
    let all = json!({ "settings": settings, "parts": measured });
    if arguments.json {
        println!("{all:#}");
    } else {
        println!("\nthe same for programs, in one line:\n{all}");
    }
    Ok(())
}
