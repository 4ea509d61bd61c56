//! A worker that sleeps through its lease, wakes up and finds its run in other hands.

use std::time::Duration;

use rustix::process::Signal;
use worktruck_core::run::RunStatus;
use worktruck_tests::{Announcement, Answer, Backend, Position};

use crate::backend::on_every_backend;
use crate::checks::{Undisturbed, assert_exactly_once};
use crate::server::Arrival;
use crate::worker::{Setup, Worker};
use crate::world::World;

/// A lease that runs out while the worker sleeps.
const LEASE: Duration = Duration::from_secs(1);

on_every_backend!(
    a_zombie_with_a_commit_on_its_way_writes_nothing,
    a_zombie_about_to_call_outside_calls_nobody,
    a_zombie_whose_model_answers_late_does_not_use_the_answer,
    a_zombie_whose_call_returns_late_does_not_store_the_receipt,
);

async fn a_zombie_with_a_commit_on_its_way_writes_nothing(backend: Backend) {
    let undisturbed = Undisturbed::run(backend).await;
    let created = undisturbed.steps.iter().find(|line| line.name == "contacts_create").map(|line| line.seq).unwrap();
    let position = Position::before_step(created);
    let refused = woken_after_a_takeover(backend, Sleeping::At(position), RunStatus::Succeeded).await;
    assert!(refused, "the commit reached the store, and the store refused it");
}

async fn a_zombie_about_to_call_outside_calls_nobody(backend: Backend) {
    let undisturbed = Undisturbed::run(backend).await;
    let position = Position::after_opening(undisturbed.seq("letters_send", "alice"));
    woken_after_a_takeover(backend, Sleeping::At(position), RunStatus::Succeeded).await;
}

async fn a_zombie_whose_model_answers_late_does_not_use_the_answer(backend: Backend) {
    let in_turn = |arrival: &Arrival| matches!(arrival, Arrival::Asked { turn: 2, .. });
    woken_after_a_takeover(backend, Sleeping::In(in_turn), RunStatus::Succeeded).await;
}

async fn a_zombie_whose_call_returns_late_does_not_store_the_receipt(backend: Backend) {
    let in_fax = |arrival: &Arrival| matches!(arrival, Arrival::Called { to, .. } if to == "carol");
    woken_after_a_takeover(backend, Sleeping::In(in_fax), RunStatus::Waiting).await;
}

/// Where the worker falls asleep.
#[derive(Clone, Copy)]
enum Sleeping {
    At(Position),
    In(fn(&Arrival) -> bool),
}

/// Whether the zombie's commit was refused.
async fn woken_after_a_takeover(backend: Backend, sleeping: Sleeping, ends: RunStatus) -> bool {
    let world = World::new(backend).await;
    let run = world.whole_run().await;
    let hold = match sleeping {
        Sleeping::At(position) => Some(position),
        Sleeping::In(arrival) => {
            world.server.hold(arrival);
            None
        }
    };
    let mut zombie = world.worker(Setup { lease: LEASE, hold, ..Setup::default() }).await;
    match sleeping {
        Sleeping::At(position) => {
            zombie.until("it is held", |announcement| position.reached(announcement).map(drop)).await;
        }
        Sleeping::In(_) => world.server.held().await,
    }
    fall_asleep(&mut zombie, &world).await;
    world.finish().await;
    let (kept, arrivals) = (world.kept(run).await, world.server.arrivals());
    assert_eq!((kept.run.status, kept.run.attempt), (ends, 2));

    match sleeping {
        Sleeping::At(_) => zombie.go_on().await,
        Sleeping::In(_) => world.server.release(),
    }
    zombie.signal(Signal::CONT);
    let refused = left_alone(&mut zombie).await;
    assert_eq!(world.kept(run).await, kept, "the run, its journal and its events are as they were");
    assert_eq!(world.server.arrivals(), arrivals, "nobody outside was called");
    zombie.terminate();
    let rest = zombie.stopped().await;
    let commits = rest.iter().filter(|announcement| matches!(announcement, Announcement::Before { .. }));
    assert_eq!(commits.count(), 0, "a worker that lost its run has nothing to give back");
    assert_eq!(world.kept(run).await, kept);
    assert_eq!(world.server.arrivals(), arrivals);
    assert_exactly_once(&world, run, "after a zombie").await;
    refused
}

/// Stops the zombie where it does not hold the lock of a file, which nobody could take from it.
async fn fall_asleep(zombie: &mut Worker, world: &World) {
    loop {
        zombie.signal(Signal::STOP);
        let written = tokio::time::timeout(Duration::from_secs(1), world.write_nothing()).await;
        if written.is_ok() {
            return;
        }
        zombie.signal(Signal::CONT);
        world.write_nothing().await;
    }
}

/// Waits until the zombie has given up its run: it executes one at a time, and looks for another.
async fn left_alone(zombie: &mut Worker) -> bool {
    let mut refused = false;
    zombie
        .until("it looks for another run", |announcement| {
            refused |= matches!(announcement, Announcement::After { answer: Answer::LeaseLost, .. });
            matches!(announcement, Announcement::Claimed { runs: 0 }).then_some(())
        })
        .await;
    refused
}
