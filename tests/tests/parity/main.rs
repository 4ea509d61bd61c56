//! Parity: the same script has the same trace on the reference store, on SQLite and on PostgreSQL.
//!
//! A script is a function of a store; its trace is every call that it made and every answer. Times
//! and ids are arguments, so that answers are compared as they are, but for what
//! [`normalise::told`] says.

#![expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]

mod dice;
mod entities;
mod normalise;
mod play;
mod runs;
mod watched;
mod world;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use play::{Script, assert_parity};

/// How many random scripts there are of each kind.
const SEEDS: u64 = 24;

#[tokio::test(flavor = "multi_thread")]
async fn random_scripts_of_entities() {
    let calls = in_all_stores(&|seed| Box::new(move |store| entities::script(store, seed).boxed())).await;
    assert!(calls > 60 * usize::try_from(SEEDS).unwrap(), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_scripts_of_runs() {
    let calls = in_all_stores(&|seed| Box::new(move |store| runs::script(store, seed).boxed())).await;
    assert!(calls > 120 * usize::try_from(SEEDS).unwrap(), "{calls}");
}

/// How many calls the scripts of all seeds made.
async fn in_all_stores(script: &dyn Fn(u64) -> Box<Script>) -> usize {
    let scripts = stream::iter((0..SEEDS).map(|seed| (seed, script(seed))));
    let traces =
        scripts.map(|(seed, script)| async move { assert_parity(&format!("seed {seed}"), &*script).await.len() });
    traces.buffer_unordered(2).fold(0, |calls, more| async move { calls + more }).await
}
