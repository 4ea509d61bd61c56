//! A store that fails before or after any single call changes nothing about a run.

use super::{End, played, stage};
use crate::testing::Fault;
use crate::testing::script::{Script, scripts};

/// Plays `script`, with a worker that crashes at `crash`, once for every call of the store and
/// every way in which it can fail, and says how many times that was.
fn with_every_fault(name: &str, script: &Script, crash: Option<usize>) -> usize {
    let (mut whole, store) = stage(script.clone());
    if let Some(point) = crash {
        whole.crash_at(point);
    }
    whole.play().unwrap();
    let end = End::of(&whole, &store);
    let calls = store.calls();
    for (number, call) in (1..).zip(&calls) {
        for fault in [Fault::Before, Fault::After] {
            let (mut stage, store) = stage(script.clone());
            store.fail(number, fault);
            if let Some(point) = crash {
                stage.crash_at(point);
            }
            stage.play().unwrap();
            let name = format!("{name}: call {number}, {call}, fails {fault:?}\n{}", stage.trace().join("\n"));
            let failed = End::of(&stage, &store);
            assert_eq!(failed, end, "{name}");
            let keys = |stage: &crate::testing::script::Stage| {
                [stage.tools().publish.keys().len(), stage.tools().send.keys().len()]
            };
            assert_eq!(keys(&stage), keys(&whole), "{name}: no call outside is made for the sake of the store");
            assert_eq!(stage.model().asks(), whole.model().asks(), "{name}: nor is the model asked");
        }
    }
    calls.len() * 2
}

#[test]
fn a_run_comes_to_the_same_end_whichever_call_of_the_store_fails() {
    let mut faults = 0;
    for (name, script) in scripts::all() {
        faults += with_every_fault(name, &script, None);
    }
    assert!(faults > 150, "{faults}");
}

#[test]
fn a_run_that_is_taken_over_comes_to_the_same_end_whichever_call_of_the_store_fails() {
    for (name, script) in scripts::all() {
        let (whole, _) = played(script.clone());
        for third in 1..=2 {
            with_every_fault(name, &script, Some(whole.points() * third / 3));
        }
    }
}
