//! Parity: the same script has the same trace on the reference store, on SQLite and on PostgreSQL.
//!
//! A script is a function of a store; its trace is every call that it made and every answer. Times
//! and ids are arguments, so that answers are compared as they are, but for what
//! [`normalise::told`] says.

mod compare;
mod draw;
mod entities;
mod grid;
mod normalise;
mod plays;
mod runs;
mod watched;
mod world;
mod wrong;

use std::sync::Arc;

use compare::{Script, assert_parity, difference, trace_on};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use worktruck_core::store::MemoryStore;
use wrong::{DEFECTS, Wrong};

/// How many random scripts there are of each kind.
const SEEDS: u64 = 12;

fn of_entities(seed: u64) -> Script {
    Box::new(move |store| async move { entities::script(&store, seed).await }.boxed())
}

fn of_runs(seed: u64) -> Script {
    Box::new(move |store| async move { runs::script(&store, seed).await }.boxed())
}

#[tokio::test(flavor = "multi_thread")]
async fn random_scripts_of_entities() {
    let calls = on_all_stores((0..SEEDS).map(|seed| (format!("seed {seed}"), of_entities(seed)))).await;
    assert!(calls > 60 * usize::try_from(SEEDS).unwrap(), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_scripts_of_runs() {
    let calls = on_all_stores((0..SEEDS).map(|seed| (format!("seed {seed}"), of_runs(seed)))).await;
    assert!(calls > 120 * usize::try_from(SEEDS).unwrap(), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_of_a_set_of_entities() {
    let script: Script = Box::new(|store| async move { grid::script(&store).await }.boxed());
    let calls = assert_parity("lists", &script).await;
    assert!(calls > 1_000, "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_runs_of_agents() {
    let plays = plays::names().into_iter().flat_map(|name| {
        [None, Some(plays::middle(name))].map(|crash| {
            let script: Script = Box::new(move |store| plays::script(store, name, crash).boxed());
            (format!("{name}, crashing at {crash:?}"), script)
        })
    });
    let calls = on_all_stores(plays).await;
    assert!(calls > 300, "{calls}");
}

/// How many calls the scripts made.
async fn on_all_stores(scripts: impl Iterator<Item = (String, Script)>) -> usize {
    let calls = stream::iter(scripts).map(|(what, script)| async move { assert_parity(&what, &script).await });
    calls.buffer_unordered(2).fold(0, |calls, more| async move { calls + more }).await
}

#[tokio::test]
async fn a_store_that_is_wrong_in_one_thing_is_found() {
    for defect in DEFECTS {
        let mut found = false;
        for script in (0..SEEDS).flat_map(|seed| [of_entities(seed), of_runs(seed)]) {
            let reference = trace_on(vec![Arc::new(MemoryStore::default())], &script).await;
            let again = trace_on(vec![Arc::new(MemoryStore::default())], &script).await;
            assert_eq!(difference(&reference, &again), None, "a script does the same each time");
            let wrong = trace_on(vec![Arc::new(Wrong::new(defect))], &script).await;
            found |= difference(&reference, &wrong).is_some();
            if found {
                break;
            }
        }
        assert!(found, "no script finds {defect:?}");
    }
}
