//! Several workers over one store in virtual time, while everything goes wrong: a seed decides what happens when, and
//! the same seed does the same again.
//!
//! The executor and the store are those of the product. The workers, the people and the outside are played here, one
//! event after the other, so that something can go wrong between any two of them. [`real`] plays the workers of the
//! runtime.

#![expect(clippy::print_stdout, reason = "what was played is told")]

mod book;
mod breach;
mod calls;
mod desk;
mod faults;
mod invariants;
mod part;
mod people;
mod play;
mod post;
mod real;
mod tally;
mod worker;
mod world;

/// How often each fault must have struck each position that it can.
const LEAST: u64 = 50;

#[test]
fn everything_that_must_hold_holds_whatever_goes_wrong() {
    let (seeds, table) = play::wanted();
    println!("{seeds} seeds\n{table}");
    if seeds >= play::SEEDS {
        let below = table.below(LEAST);
        assert!(below.is_empty(), "struck less than {LEAST} times: {below:#?}");
    }
}

#[test]
fn a_seed_does_the_same_again() {
    let mut lines = 0;
    for seed in 0..20 {
        let [first, second] = [play::traced(seed), play::traced(seed)].map(|played| played.trace);
        assert_eq!(first, second, "seed {seed}");
        lines += first.len();
    }
    assert!(lines > 500, "{lines} lines are next to nothing");
}
