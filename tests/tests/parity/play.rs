//! The same script on every store.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use worktruck_core::store::{MemoryStore, Store};
use worktruck_tests::{AnyStore, Backend, Place};

use crate::watched::{Line, Watched};

/// What happens on each store.
pub(crate) type Script = dyn for<'a> Fn(&'a Watched) -> BoxFuture<'a, ()> + Send + Sync;

/// The trace of the script on the reference store.
pub(crate) async fn on_memory(script: &Script) -> Vec<Line> {
    on(vec![Arc::new(MemoryStore::default())], script).await
}

/// The trace of the script on these openings of a store.
pub(crate) async fn on(openings: Vec<Arc<dyn Store>>, script: &Script) -> Vec<Line> {
    let store = Watched::new(openings);
    script(&store).await;
    store.trace()
}

/// The trace of the script on a new store of this kind, through so many openings of it.
pub(crate) async fn on_new(backend: Backend, openings: usize, script: &Script) -> Vec<Line> {
    let place = Place::new(backend).await;
    let mut opened = Vec::new();
    for _ in 0..openings {
        opened.push(AnyStore::open(&place.url).await.expect("the store opens"));
    }
    let trace = on(opened.iter().map(AnyStore::ports).collect(), script).await;
    for store in opened {
        store.close().await;
    }
    trace
}

/// Fails if the script does not have the same trace on every store, and says where.
pub(crate) async fn assert_parity(what: &str, script: &Script) -> Vec<Line> {
    let reference = on_memory(script).await;
    let stores = [(Backend::Sqlite, 1), (Backend::Sqlite, 2), (Backend::Postgres, 1), (Backend::Postgres, 2)];
    let traces = join_all(stores.map(|(backend, openings)| on_new(backend, openings, script))).await;
    for ((backend, openings), trace) in stores.into_iter().zip(traces) {
        if let Some(difference) = difference(&reference, &trace) {
            panic!("{what}: {backend:?} opened {openings} times differs from the reference store\n{difference}");
        }
    }
    reference
}

/// Where two traces differ first, with the calls that led there.
pub(crate) fn difference(reference: &[Line], other: &[Line]) -> Option<String> {
    let same = reference.iter().zip(other).take_while(|(one, two)| one == two).count();
    let (one, two) = (reference.get(same), other.get(same));
    if one.is_none() && two.is_none() {
        return None;
    }
    let mut told = String::new();
    for line in &reference[same.saturating_sub(6)..same] {
        told.push_str(&format!("before: {}\n", part(&line.call, 0)));
    }
    for of in [|line: &Line| line.call.clone(), |line: &Line| line.answer.clone()] {
        let [one, two] = [one, two].map(|line| line.map(of).unwrap_or_default());
        let common = one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count();
        let from = common.saturating_sub(PART / 2);
        told.push_str(&format!(
            "call {same}, reference: {}\n      and the other: {}\n",
            part(&one, from),
            part(&two, from)
        ));
    }
    Some(told)
}

/// How much of a call or an answer is shown.
const PART: usize = 600;

fn part(text: &str, from: usize) -> String {
    text.chars().skip(from).take(PART).collect()
}
