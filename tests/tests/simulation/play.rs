//! Plays seeds: many at once, or one again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::breach::Breach;
use crate::faults::Table;
use crate::world::{Played, World};

/// How many seeds are played unless somebody wants more.
pub(crate) const SEEDS: u64 = 10_000;
/// Names the number of seeds.
const COUNT: &str = "WORKTRUCK_SIMULATION_SEEDS";
/// Names one seed that is played alone, with what happens in it.
const ONE: &str = "WORKTRUCK_SIMULATION_SEED";

/// Plays one seed.
pub(crate) fn one(seed: u64, breach: Option<Breach>) -> Played {
    World::new(seed, breach, false).play()
}

/// Plays one seed and writes down what happens.
pub(crate) fn traced(seed: u64) -> Played {
    World::new(seed, None, true).play()
}

/// Plays the seeds that are wanted, on all processors, until one fails.
///
/// # Panics
///
/// If one fails, with what happened in it and how it is played again.
pub(crate) fn wanted() -> (u64, Table) {
    if let Some(seed) = number(ONE) {
        let played = traced(seed);
        println!("{}", played.trace.join("\n"));
        assert!(played.outcome.is_ok(), "seed {seed} fails");
        return (1, played.table);
    }
    let count = number(COUNT).unwrap_or(SEEDS);
    let (next, failed, table) = (AtomicU64::new(0), Mutex::new(None::<u64>), Mutex::new(Table::default()));
    let lowest = |seed: u64| {
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some(failed.map_or(seed, |before| before.min(seed)));
        next.fetch_max(count, Ordering::Relaxed);
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Table::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        break;
                    }
                    let played = one(seed, None);
                    mine.add(&played.table);
                    if played.outcome.is_err() {
                        lowest(seed);
                    }
                }
                table.lock().unwrap_or_else(PoisonError::into_inner).add(&mine);
            });
        }
    });
    if let Some(seed) = *failed.lock().unwrap_or_else(PoisonError::into_inner) {
        panic!(
            "{}\nseed {seed} fails; again:\n{ONE}={seed} cargo test -p worktruck-tests --test simulation -- --nocapture holds",
            traced(seed).trace.join("\n")
        );
    }
    (count, table.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The number that a variable of the environment names.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {value:?}")))
}
