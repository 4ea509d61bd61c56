//! The workload of `measure_pg` on durare: each command measures once and prints one line of JSON.

#![expect(clippy::print_stdout, reason = "a command that prints its measurement")]

mod engine;
mod latency;
mod rate;
mod workload;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::engine::Place;
use crate::rate::Rate;

/// Measures durare on a database of its own.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Runs that are started in this process, so many at once.
    Direct(Rate),
    /// Runs that go through a queue.
    Queued(Rate),
    /// How long a queued run waits for its first step when nothing else is done.
    Latency(latency::Latency),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { place, what } = Arguments::parse();
    let printed: Value = match what {
        What::Direct(rate) => json!({ "seconds": rate::direct(&place, &rate).await? }),
        What::Queued(rate) => json!({ "seconds": rate::queued(&place, &rate).await? }),
        What::Latency(latency) => json!({ "millis": latency::measure(&place, &latency).await? }),
    };
    println!("{printed}");
    Ok(())
}
