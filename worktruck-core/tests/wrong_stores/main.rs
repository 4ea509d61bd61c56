//! Stores that break one promise each, and the scenarios that notice.
//!
//! A suite that cannot fail proves nothing. Each store here is the reference store with one
//! defect; its test asserts which scenarios fail on it: those, and no others.

#[macro_use]
mod listing;
#[macro_use]
mod rest;

mod broken;
mod claims;
mod defects;
mod entities;
mod outbox;
mod retention;
mod runs;
mod secrets;
mod service;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};

use futures::FutureExt as _;
use worktruck_core::store::Store;
use worktruck_core::testing::conformance::SCENARIOS;

use broken::Broken;
use defects::{CAUGHT, Defect};

/// Runs the whole suite on a store with `defect` and compares what fails with what should.
async fn assert_caught(defect: Defect) {
    let expected = CAUGHT.iter().find(|(known, _)| *known == defect).map_or(&[][..], |(_, scenarios)| scenarios);
    let mut failed = BTreeSet::new();
    for scenario in SCENARIOS {
        let store: Arc<dyn Store> = Arc::new(Broken::new(defect));
        let stage = worktruck_core::conformance_stage!(store, 50);
        if quietly(AssertUnwindSafe(scenario.run(stage)).catch_unwind()).await.is_err() {
            failed.insert(scenario.name);
        }
    }
    assert!(!failed.is_empty(), "no scenario notices {defect:?}");
    assert_eq!(failed, expected.iter().copied().collect(), "the scenarios that notice {defect:?}");
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` without a report of its panics, which are what is wanted here.
async fn quietly<T>(work: impl Future<Output = T>) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let answer = work.await;
    QUIET.set(false);
    answer
}

#[test]
fn every_scenario_fails_on_some_wrong_store() {
    assert!(CAUGHT.len() >= 10, "{} wrong stores", CAUGHT.len());
    let caught: BTreeSet<_> = CAUGHT.iter().flat_map(|(_, scenarios)| scenarios.iter().copied()).collect();
    let idle: Vec<_> = SCENARIOS.iter().map(|s| s.name).filter(|name| !caught.contains(name)).collect();
    assert!(idle.is_empty(), "no wrong store makes these fail: {idle:?}");
}

#[tokio::test]
async fn nothing_fails_on_a_store_without_a_defect() {
    for scenario in SCENARIOS {
        let store: Arc<dyn Store> = Arc::new(worktruck_core::store::MemoryStore::default());
        let stage = worktruck_core::conformance_stage!(store, 50);
        let outcome = quietly(AssertUnwindSafe(scenario.run(stage)).catch_unwind()).await;
        assert!(outcome.is_ok(), "{} fails on the reference store", scenario.name);
    }
}
