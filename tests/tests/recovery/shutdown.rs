//! A worker that is told to stop gives back what it holds.

use std::time::Duration;

use worktruck_core::run::{EventType, RunStatus, WaitingReason};
use worktruck_tests::{Announcement, Backend};

use crate::backend::on_every_backend;
use crate::checks::{Undisturbed, assert_exactly_once};
use crate::server::Arrival;
use crate::worker::{Setup, Worker};
use crate::world::World;

on_every_backend!(
    a_worker_that_stops_finishes_its_turn_and_gives_the_run_back,
    a_worker_that_must_stop_now_drops_what_is_under_way,
    a_run_given_back_was_never_lost,
);

async fn a_worker_that_stops_finishes_its_turn_and_gives_the_run_back(backend: Backend) {
    let undisturbed = Undisturbed::run(backend).await;
    let world = World::new(backend).await;
    let run = world.whole_run().await;
    world.server.hold(|arrival| matches!(arrival, Arrival::Asked { turn: 1, .. }));
    let mut first = world.worker(Setup::default()).await;
    world.server.held().await;
    first.terminate();
    first.until("it stops", |announcement| (*announcement == Announcement::Stopping).then_some(())).await;
    world.server.release();
    let said = first.stopped().await;
    assert_eq!(said.iter().find_map(Announcement::left), Some(RunStatus::Queued), "{said:?}");

    let left = world.kept(run).await;
    assert_eq!((left.run.status, left.run.attempt), (RunStatus::Queued, 0), "this attempt does not count");
    assert!(left.journal.steps.len() >= 4, "the turn under way was finished");
    assert_taken_at_once(&world).await;
    let kept = world.kept(run).await;
    assert_eq!((kept.run.status, kept.run.attempt), (RunStatus::Succeeded, 1));
    assert_eq!(kept.journal.steps.len(), undisturbed.steps.len());
    assert_eq!(kept.journal.forfeited.as_nanos(), 0, "nothing that was paid for was dropped");
    assert_eq!(world.server.asks("whole").into_values().collect::<Vec<_>>(), [1; 6]);
    assert_exactly_once(&world, run, "after a clean shutdown").await;
}

async fn a_worker_that_must_stop_now_drops_what_is_under_way(backend: Backend) {
    let world = World::new(backend).await;
    let run = world.whole_run().await;
    world.server.hold(|arrival| matches!(arrival, Arrival::Called { to, .. } if to == "carol"));
    let first = world.worker(Setup { grace: Duration::from_millis(200), ..Setup::default() }).await;
    world.server.held().await;
    first.terminate();
    first.stopped().await;

    let left = world.kept(run).await;
    assert_eq!((left.run.status, left.run.attempt), (RunStatus::Queued, 0));
    assert_taken_at_once(&world).await;
    let kept = world.kept(run).await;
    assert_eq!((kept.run.status, kept.run.attempt), (RunStatus::Waiting, 1));
    assert_eq!(kept.run.waiting_reason, Some(WaitingReason::UnknownOutcome), "the fax may have been sent");
    assert_eq!(world.server.faxes(run).get("carol"), Some(&1));
    assert_exactly_once(&world, run, "after a shutdown without grace").await;
}

/// The next worker gets the run with its first claim, long before a lease of 30 seconds runs out.
async fn assert_taken_at_once(world: &World) {
    let mut next: Worker = world.worker(Setup::default()).await;
    let claimed = next.until("it claims", |announcement| match announcement {
        Announcement::Claimed { runs } => Some(*runs),
        _ => None,
    });
    assert_eq!(claimed.await, 1);
    next.until("the run ends or waits", Announcement::left).await;
    next.terminate();
    next.stopped().await;
}

async fn a_run_given_back_was_never_lost(backend: Backend) {
    let world = World::new(backend).await;
    let run = world.whole_run().await;
    world.server.hold(|arrival| matches!(arrival, Arrival::Asked { turn: 0, .. }));
    let mut first = world.worker(Setup::default()).await;
    world.server.held().await;
    first.terminate();
    first.until("it stops", |announcement| (*announcement == Announcement::Stopping).then_some(())).await;
    world.server.release();
    first.stopped().await;
    assert_taken_at_once(&world).await;
    let events = world.kept(run).await.events;
    let count = |wanted| events.iter().filter(|event| event.event_type == wanted).count();
    assert_eq!([EventType::LeaseReleased, EventType::LeaseLost, EventType::RunResumed].map(count), [1, 0, 1]);
}
