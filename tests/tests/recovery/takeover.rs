//! How soon the runs of a worker that is gone are in the hands of another, which has nothing to do.

use std::time::{Duration, Instant};

use worktruck_tests::{Announcement, Backend};

use crate::backend::on_every_backend;
use crate::fleet::{Fleet, Runs};
use crate::worker::{Setup, Worker};
use crate::world::World;

/// All are under way at once.
const RUNS: usize = 4;
/// How often a time is measured at most.
const TRIES: usize = 3;
/// With the time that a worker sleeps at most unless told otherwise.
const SETUP: Setup = Setup { concurrency: RUNS, poll: Duration::from_secs(1), ..Setup::USUAL };

on_every_backend!(
    what_a_killed_worker_had_is_resumed_when_its_lease_has_run_out,
    what_a_worker_told_to_stop_had_is_taken_at_once,
);

async fn what_a_killed_worker_had_is_resumed_when_its_lease_has_run_out(backend: Backend) {
    killed(backend, false).await;
}

#[tokio::test]
async fn what_a_killed_worker_had_is_resumed_by_one_that_hears_nothing() {
    killed(Backend::Postgres, true).await;
}

#[tokio::test]
async fn what_a_worker_told_to_stop_had_is_taken_by_one_that_hears_nothing() {
    told_to_stop(Backend::Postgres, true).await;
}

async fn what_a_worker_told_to_stop_had_is_taken_at_once(backend: Backend) {
    told_to_stop(backend, false).await;
}

/// What is promised is a time, so a time is measured: from the kill on, a lease and two seconds.
///
/// A machine that has no time for the workers proves nothing: then it is measured again.
async fn killed(backend: Backend, deaf: bool) {
    const LEASE: Duration = Duration::from_secs(2);
    let mut measured = Vec::new();
    for _ in 0..TRIES {
        let world = World::new(backend).await;
        let Two { runs, first, mut idle } = Two::start(&world, Setup { lease: LEASE, ..SETUP }, deaf).await;
        let killed_at = Instant::now();
        first.kill().await;
        if runs.attempts(&world).await > RUNS {
            // The killed worker had lost them before, and taken them again.
            continue;
        }
        world.server.gate(0);
        takes_all(&mut idle).await;
        let after = killed_at.elapsed();

        let mut fleet = Fleet::of(vec![idle]);
        fleet.until_ended(&runs, &world).await;
        fleet.stop().await;
        assert_eq!(runs.assert_done(&world).await, 2 * RUNS, "each run was taken over once");
        if after <= LEASE + Duration::from_secs(2) {
            return;
        }
        measured.push(after);
    }
    panic!("resumed {measured:?} after the kill");
}

/// Far before its lease would have run out.
async fn told_to_stop(backend: Backend, deaf: bool) {
    const LEASE: Duration = Duration::from_secs(600);
    let world = World::new(backend).await;
    let Two { runs, mut first, mut idle } = Two::start(&world, Setup { lease: LEASE, ..SETUP }, deaf).await;
    let told_at = Instant::now();
    first.terminate();
    first.until("it stops", |announcement| (*announcement == Announcement::Stopping).then_some(())).await;
    world.server.gate(0);
    takes_all(&mut idle).await;
    let after = told_at.elapsed();
    assert!(after <= LEASE / 60, "taken {after:?} after the signal");
    first.stopped().await;

    let mut fleet = Fleet::of(vec![idle]);
    fleet.until_ended(&runs, &world).await;
    fleet.stop().await;
    assert_eq!(runs.assert_done(&world).await, RUNS, "no run was lost, and none took another attempt");
}

/// A worker in the middle of all runs, and one that has nothing to do.
struct Two {
    runs: Runs,
    first: Worker,
    idle: Worker,
}

impl Two {
    async fn start(world: &World, setup: Setup, deaf: bool) -> Self {
        world.server.gate(RUNS + 1);
        let runs = Runs::enqueue(world, RUNS).await;
        let first = world.worker(setup).await;
        world.server.asked(RUNS).await;
        // It keeps what it takes, however slow the machine is.
        let mut idle = world.worker(Setup { deaf, lease: Setup::USUAL.lease, ..setup }).await;
        let looked = |announcement: &Announcement| matches!(announcement, Announcement::Claimed { .. }).then_some(());
        idle.until("it looks for runs", looked).await;
        Self { runs, first, idle }
    }
}

async fn takes_all(worker: &mut Worker) {
    let mut taken = 0;
    let all = |announcement: &Announcement| {
        if let Announcement::Claimed { runs } = announcement {
            taken += runs;
        }
        (taken == RUNS).then_some(())
    };
    worker.until("it has taken all runs", all).await;
}
