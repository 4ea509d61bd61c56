//! A store of one's own is one that passes the conformance suite.
//!
//! `cargo run --release --example 09_own_store`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{JoinError, JoinSet};
use worktruck_core::conformance_stage;
use worktruck_core::testing::conformance::{SCENARIOS, Stage};
use worktruck_core::{Error, Result};
use worktruck_examples::counting_store::CountingStore;
use worktruck_examples::report::print;

/// How many scenarios run at once.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() -> ExitCode {
    match try_out().await {
        Ok(failed) if failed.is_empty() => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("error: the store does not do what is promised in {}", failed.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// Runs every scenario of the ports, each on a store of its own, and gives those that failed.
///
/// In a crate of a store they are tests: `worktruck_core::store_conformance!(MyFixture);` makes one of each.
async fn try_out() -> Result<Vec<&'static str>> {
    let calls: Arc<Mutex<BTreeMap<&'static str, u64>>> = Arc::default();
    let mut failed = Vec::new();
    let mut running = JoinSet::new();
    for scenario in SCENARIOS {
        if running.len() >= AT_ONCE {
            failed.extend(running.join_next().await.and_then(failure));
        }
        let calls = Arc::clone(&calls);
        running.spawn(async move {
            let store = Arc::new(CountingStore::default());
            let stage: Stage = conformance_stage!(store.clone(), 30_000);
            // A scenario panics where the store breaks its promise.
            let passed = tokio::spawn(scenario.run(stage)).await.is_ok();
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            store.calls().into_iter().for_each(|(name, count)| *calls.entry(name).or_default() += count);
            (scenario.name, passed)
        });
    }
    while let Some(done) = running.join_next().await {
        failed.extend(failure(done));
    }

    print(&format!("{} of {} scenarios passed.\n", SCENARIOS.len() - failed.len(), SCENARIOS.len()))?;
    let calls = calls.lock().map_err(|_| Error::internal("a scenario broke off while it counted"))?.clone();
    print(&format!("The store was asked in {} ways:\n", calls.len()))?;
    for (name, count) in calls {
        print(&format!("  {name:<18}{count:>7} times"))?;
    }
    Ok(failed)
}

/// The name of a scenario that failed.
fn failure(done: Result<(&'static str, bool), JoinError>) -> Option<&'static str> {
    done.map_or(Some("a scenario that broke off"), |(name, passed)| (!passed).then_some(name))
}
