//! A worker that sleeps through its lease, wakes up and finds its run in other hands.
//!
//! It is stopped wherever it waits for something: before and after each call of the store, and in
//! each call outside. When it wakes, nothing that it writes may take effect, and it may call nobody.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use rustix::process::Signal;
use worktruck_core::RunId;
use worktruck_tests::{Announcement, Answer, Backend, Moment, Position, Which};

use crate::backend::on_every_backend;
use crate::checks::{Undisturbed, assert_recovered};
use crate::worker::{Setup, Worker};
use crate::world::{Kept, World};

/// A lease that runs out while the worker sleeps.
const LEASE: Duration = Duration::from_secs(3);
/// How many worlds go on at once: most of the time they wait for a lease to run out.
const AT_ONCE: usize = 10;
/// A run makes fewer calls of its store than that beside its commits.
const READS: u64 = 16;

on_every_backend!(
    a_zombie_before_any_call_of_the_store_does_nothing_more,
    a_zombie_after_any_call_of_the_store_does_nothing_more,
    a_zombie_in_any_call_outside_does_nothing_more,
);

async fn a_zombie_before_any_call_of_the_store_does_nothing_more(backend: Backend) {
    asleep_beside_every_call(backend, Moment::Before).await;
}

async fn a_zombie_after_any_call_of_the_store_does_nothing_more(backend: Backend) {
    asleep_beside_every_call(backend, Moment::After).await;
}

async fn asleep_beside_every_call(backend: Backend, moment: Moment) {
    let undisturbed = &Undisturbed::run(backend).await;
    let calls = usize::try_from(undisturbed.commits + READS).unwrap();
    let sleepers = stream::iter(1..=calls).map(|number| async move {
        let position = Position { moment, commit: Which::Call(number) };
        (number, woken_after_a_takeover(undisturbed, Sleeping::At(position)).await)
    });
    let refused: Vec<(usize, Option<usize>)> = sleepers.buffer_unordered(AT_ONCE).collect().await;
    let reached = refused.iter().filter(|(_, refused)| refused.is_some()).count();
    let commits = usize::try_from(undisturbed.commits).unwrap();
    assert!(reached > commits, "zombies slept beside reads and commits: {reached}");
    assert!(reached < calls, "and beside all that there are");
    let refused: usize = refused.iter().filter_map(|(_, refused)| *refused).sum();
    // A zombie that is about to commit does so; one that has committed mostly calls outside next.
    let expected = if moment == Moment::Before { commits } else { 1 };
    assert!(refused >= expected, "{refused} commits of {reached} zombies reached the store, and were refused");
}

async fn a_zombie_in_any_call_outside_does_nothing_more(backend: Backend) {
    let undisturbed = &Undisturbed::run(backend).await;
    let arrivals = undisturbed.arrivals;
    let sleepers = stream::iter(1..=arrivals)
        .map(|number| woken_after_a_takeover(undisturbed, Sleeping::In(number)))
        .buffer_unordered(AT_ONCE);
    let reached = sleepers.filter(|refused| std::future::ready(refused.is_some())).count().await;
    assert_eq!(reached, arrivals, "every call outside was slept in");
}

/// Where the worker falls asleep.
#[derive(Clone, Copy, Debug)]
enum Sleeping {
    At(Position),
    /// In the call outside that is the so manieth.
    In(usize),
}

/// How many commits of the zombie were refused, if it got as far as to fall asleep.
async fn woken_after_a_takeover(undisturbed: &Undisturbed, sleeping: Sleeping) -> Option<usize> {
    let context = &format!("asleep {sleeping:?}");
    let world = World::new(undisturbed.backend).await;
    let run = world.whole_run().await;
    let hold = match sleeping {
        Sleeping::At(position) => Some(position),
        Sleeping::In(number) => {
            let mut arrived = 0;
            world.server.hold(move |_| {
                arrived += 1;
                arrived == number
            });
            None
        }
    };
    let mut zombie = world.worker(Setup { lease: LEASE, hold, ..Setup::default() }).await;
    if !is_there(&mut zombie, &world, sleeping).await {
        return None;
    }
    fall_asleep(&zombie, &world).await;
    let left = still(&world, run).await;
    if !left.run.status.is_terminal() {
        world.finish().await;
    }
    let (kept, arrivals) = (world.kept(run).await, world.server.arrivals());

    match sleeping {
        Sleeping::At(_) => zombie.go_on().await,
        Sleeping::In(_) => world.server.release(),
    }
    zombie.signal(Signal::CONT);
    let mut said = until_left_alone(&mut zombie).await;
    zombie.terminate();
    said.extend(zombie.stopped().await);
    assert_eq!(world.kept(run).await, kept, "{context}: the run, its journal and its events are as they were");
    let calls = world.server.arrivals();
    assert_eq!(calls[arrivals.len()..], [], "{context}: nobody outside was called; {said:?}");
    let refused = refused(&said, &left, context);
    assert_recovered(&world, undisturbed, &left, context).await;
    Some(refused)
}

/// Whether the worker gets to where it is to fall asleep, before its run ends.
async fn is_there(zombie: &mut Worker, world: &World, sleeping: Sleeping) -> bool {
    match sleeping {
        Sleeping::In(_) => {
            world.server.held().await;
            true
        }
        Sleeping::At(_) => {
            let idle = |announcement: &Announcement| match announcement {
                Announcement::Held => Some(true),
                // It looks for another run: this one has ended.
                Announcement::Claimed { runs: 0 } => Some(false),
                _ => None,
            };
            zombie.until("it is held or its run ends", idle).await
        }
    }
}

/// Stops the zombie where it does not hold the lock of a file, which nobody could take from it.
async fn fall_asleep(zombie: &Worker, world: &World) {
    loop {
        zombie.signal(Signal::STOP);
        let written = tokio::time::timeout(Duration::from_secs(1), world.write_nothing()).await;
        if matches!(written, Ok(Ok(()))) {
            return;
        }
        zombie.signal(Signal::CONT);
        world.write_nothing().await.unwrap();
    }
}

/// What is kept of the run when the server has done what it was asked for last.
async fn still(world: &World, run: RunId) -> Kept {
    let mut kept = world.kept(run).await;
    loop {
        let again = world.kept(run).await;
        if again == kept {
            return kept;
        }
        kept = again;
    }
}

/// Waits until the zombie has given up its run: it executes one at a time, and looks for another.
async fn until_left_alone(zombie: &mut Worker) -> Vec<Announcement> {
    let mut said = Vec::new();
    zombie
        .until("it looks for another run", |announcement| {
            said.push(announcement.clone());
            matches!(announcement, Announcement::Claimed { runs: 0 }).then_some(())
        })
        .await;
    said
}

/// How many commits were refused: all but those that had taken effect before the zombie slept.
fn refused(said: &[Announcement], left: &Kept, context: &str) -> usize {
    let answers = said.iter().filter_map(|announcement| match announcement {
        Announcement::After { commit, answer } => Some((commit.number, *answer)),
        _ => None,
    });
    let late = answers.filter(|(number, answer)| *answer != Answer::Committed || *number > left.journal.commits);
    let late: Vec<(u64, Answer)> = late.collect();
    assert!(late.iter().all(|(_, answer)| *answer == Answer::LeaseLost), "{context}: {late:?}");
    late.len()
}
