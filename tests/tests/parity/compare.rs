//! The same script on every store.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use worktruck_core::store::{MemoryStore, Store};
use worktruck_tests::{AnyStore, Backend, Place};

use crate::watched::{Line, Watched};

/// What happens on each store.
pub(crate) type Script = Box<dyn Fn(Arc<Watched>) -> BoxFuture<'static, ()> + Send + Sync>;

/// The stores beside the reference store, and how many openings of each take turns.
const STORES: [(Backend, usize); 4] =
    [(Backend::Sqlite, 1), (Backend::Sqlite, 2), (Backend::Postgres, 1), (Backend::Postgres, 2)];

/// Fails if the script does not have the same trace on every store, and says where. Gives the number
/// of calls.
pub(crate) async fn assert_parity(what: &str, script: &Script) -> usize {
    let reference = trace_on(vec![Arc::new(MemoryStore::default())], script).await;
    let traces = join_all(STORES.map(|(backend, openings)| trace_on_new(backend, openings, script))).await;
    for ((backend, openings), trace) in STORES.into_iter().zip(traces) {
        if let Some(difference) = difference(&reference, &trace) {
            panic!("{what}: {backend:?} through {openings} openings is not the reference store\n{difference}");
        }
    }
    reference.len()
}

/// The trace of the script on a new store of this kind, through so many openings of it.
async fn trace_on_new(backend: Backend, openings: usize, script: &Script) -> Vec<Line> {
    let place = Place::new(backend).await;
    let opened = join_all((0..openings).map(|_| AnyStore::open(&place.url))).await;
    let opened: Vec<AnyStore> = opened.into_iter().map(|store| store.expect("the store opens")).collect();
    let trace = trace_on(opened.iter().map(AnyStore::ports).collect(), script).await;
    join_all(opened.iter().map(AnyStore::close)).await;
    trace
}

/// The trace of the script on these openings of a store.
pub(crate) async fn trace_on(openings: Vec<Arc<dyn Store>>, script: &Script) -> Vec<Line> {
    let store = Arc::new(Watched::new(openings));
    script(Arc::clone(&store)).await;
    store.trace()
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
