//! SIGKILL, everywhere.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};
use serde_json::json;
use worktruck_core::run::RunStatus;
use worktruck_tests::{Backend, CommitSummary, Moment, Position, Which};

use crate::backend::on_every_backend;
use crate::checks::{Undisturbed, assert_recovered};
use crate::server::Arrival;
use crate::world::{Kept, World};

/// How many worlds go on at once.
const AT_ONCE: usize = 3;

/// How many commits a run may have more or fewer than another: the receipts of calls that go on
/// side by side come one by one or together.
const SLACK: u64 = 4;

on_every_backend!(
    killed_right_before_any_commit,
    killed_right_after_any_commit,
    killed_between_an_outside_call_and_its_receipt,
    killed_around_a_receipt_that_is_ahead_of_the_chain,
    killed_while_the_model_answers,
);

async fn killed_right_before_any_commit(backend: Backend) {
    killed_around_every_commit(backend, Moment::Before).await;
}

async fn killed_right_after_any_commit(backend: Backend) {
    killed_around_every_commit(backend, Moment::After).await;
}

async fn killed_around_every_commit(backend: Backend, moment: Moment) {
    let undisturbed = &Undisturbed::run(backend).await;
    let numbers = (1..=undisturbed.commits + SLACK).map(Which::Number);
    let mut reached = killed_at_all(undisturbed, moment, numbers).await;
    // Which steps a commit holds depends on which call is the first to return. A step whose commit
    // was not among them is looked for by its own number.
    let seen: BTreeSet<u32> = reached.iter().flat_map(|commit| commit.steps.clone()).collect();
    let unseen = undisturbed.steps.iter().map(|line| line.seq).filter(|seq| !seen.contains(seq));
    reached.extend(killed_at_all(undisturbed, moment, unseen.map(Which::Step)).await);

    let steps: BTreeSet<u32> = reached.iter().flat_map(|commit| commit.steps.clone()).collect();
    let all: BTreeSet<u32> = undisturbed.steps.iter().map(|line| line.seq).collect();
    assert_eq!(steps, all, "a worker was killed around the commit of every step");
    assert!(reached.iter().any(|commit| commit.number == 1), "and around the one that begins the run");
    assert!(reached.iter().any(|commit| commit.leaves == RunStatus::Succeeded), "and around the one that ends it");
}

async fn killed_at_all(
    undisturbed: &Undisturbed,
    moment: Moment,
    commits: impl Iterator<Item = Which>,
) -> Vec<CommitSummary> {
    stream::iter(commits)
        .map(|commit| killed_at(undisturbed, Position { moment, commit }))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// The commit at which a worker was killed, or nothing if the run ended before.
async fn killed_at(undisturbed: &Undisturbed, position: Position) -> Option<CommitSummary> {
    let world = World::new(undisturbed.backend).await;
    let run = world.whole_run().await;
    let mut doomed = world.doomed(Some(position)).await;
    let reached = doomed
        .until("it is held or the run ends", |announcement| match position.reached(announcement) {
            Some(commit) => Some(Some(commit.clone())),
            None => announcement.left().map(|_| None),
        })
        .await;
    doomed.kill().await;
    let left = world.kept(run).await;
    if reached.is_some() {
        recovered(&world, undisturbed, &left, &position.to_string()).await;
    }
    reached
}

/// Lets another worker go on, and checks what came of it.
async fn recovered(world: &World, undisturbed: &Undisturbed, left: &Kept, context: &str) {
    if left.run.status.is_terminal() {
        let idle = world.worker(crate::worker::Setup::default()).await;
        idle.terminate();
        idle.stopped().await;
    } else {
        world.finish().await;
    }
    assert_recovered(world, undisturbed, left, context).await;
}

async fn killed_between_an_outside_call_and_its_receipt(backend: Backend) {
    let undisturbed = &Undisturbed::run(backend).await;
    let letters = ["alice", "bob", "dave", "nobody", "erin"].map(|to| ("letters_send", to));
    let faxes = ["carol", "frank"].map(|to| ("faxes_send", to));
    stream::iter(letters.into_iter().chain(faxes))
        .for_each_concurrent(AT_ONCE, |(tool, to)| killed_in_a_call(undisturbed, tool, to))
        .await;
}

async fn killed_in_a_call(undisturbed: &Undisturbed, tool: &'static str, to: &'static str) {
    let context = format!("killed when {tool} to {to} had happened");
    let world = World::new(undisturbed.backend).await;
    let run = world.whole_run().await;
    world
        .server
        .hold(move |arrival| matches!(arrival, Arrival::Called { tool: t, to: of, .. } if t == tool && of == to));
    let doomed = world.doomed(None).await;
    world.server.held().await;
    doomed.kill().await;
    let left = world.kept(run).await;
    let seq = undisturbed.seq(tool, to);
    let open = left.journal.calls.iter().find(|call| call.seq == seq).expect("its intent is journaled");
    assert_eq!(open.receipt, None, "{context}");
    recovered(&world, undisturbed, &left, &context).await;
    let kept = world.kept(run).await;
    if tool == "letters_send" {
        let key = json!(open.call_digest);
        let letters = world.server.letters(run);
        assert_eq!(letters.get(key.as_str().unwrap()), Some(&2), "{context}: sent again under the same key");
    } else {
        assert_eq!(world.server.faxes(run).get(to), Some(&1), "{context}: not sent again");
        assert_eq!(kept.run.status, RunStatus::Waiting, "{context}: a person decides");
    }
}

/// Of two letters of one turn the later one has come back, and its receipt cannot join the chain
/// because the earlier one is still under way.
async fn killed_around_a_receipt_that_is_ahead_of_the_chain(backend: Backend) {
    let undisturbed = &Undisturbed::run(backend).await;
    let moments = [Moment::Before, Moment::After];
    stream::iter(moments).for_each_concurrent(AT_ONCE, |moment| killed_ahead_of_the_chain(undisturbed, moment)).await;
}

async fn killed_ahead_of_the_chain(undisturbed: &Undisturbed, moment: Moment) {
    let context = format!("killed {moment:?} the commit of a receipt");
    let world = World::new(undisturbed.backend).await;
    let run = world.whole_run().await;
    world.server.hold(|arrival| matches!(arrival, Arrival::Called { to, .. } if to == "alice"));
    let (alice, bob) = (undisturbed.seq("letters_send", "alice"), undisturbed.seq("letters_send", "bob"));
    let position = Position { moment, commit: Which::Receipt(bob) };
    let mut doomed = world.doomed(Some(position)).await;
    world.server.held().await;
    doomed.until("the receipt", |announcement| position.reached(announcement).map(drop)).await;
    doomed.kill().await;

    let left = world.kept(run).await;
    let stored = |seq| left.journal.calls.iter().find(|call| call.seq == seq).map(|call| call.receipt.is_some());
    assert_eq!(stored(alice), Some(false), "{context}");
    assert_eq!(stored(bob), Some(moment == Moment::After), "{context}");
    recovered(&world, undisturbed, &left, &context).await;
    let kept = world.kept(run).await;
    let sent = |seq: u32| {
        let step = &kept.journal.steps[usize::try_from(seq).unwrap() - 1];
        world.server.letters(run).get(json!(step.call_digest).as_str().unwrap()).copied()
    };
    assert_eq!(sent(alice), Some(2), "{context}");
    assert_eq!(sent(bob), Some(if moment == Moment::After { 1 } else { 2 }), "{context}");
}

async fn killed_while_the_model_answers(backend: Backend) {
    let undisturbed = &Undisturbed::run(backend).await;
    stream::iter(0..6).for_each_concurrent(AT_ONCE, |turn| killed_in_a_turn(undisturbed, turn)).await;
}

async fn killed_in_a_turn(undisturbed: &Undisturbed, turn: usize) {
    let context = format!("killed in turn {turn}");
    let world = World::new(undisturbed.backend).await;
    let run = world.whole_run().await;
    world.server.hold(move |arrival| matches!(arrival, Arrival::Asked { turn: t, .. } if *t == turn));
    let doomed = world.doomed(None).await;
    world.server.held().await;
    doomed.kill().await;
    let left = world.kept(run).await;
    assert!(left.journal.reserved.as_nanos() > 0, "{context}: the turn was provided for");
    recovered(&world, undisturbed, &left, &context).await;
    let kept = world.kept(run).await;
    assert_eq!(kept.run.status, RunStatus::Succeeded, "{context}");
    assert_eq!(kept.journal.forfeited, left.journal.reserved, "{context}");
    let mut asks = world.server.asks("whole");
    assert_eq!(asks.remove(&turn), Some(2), "{context}: this turn was lost");
    assert_eq!(asks.into_values().collect::<Vec<_>>(), [1; 5], "{context}: and no other");
}
