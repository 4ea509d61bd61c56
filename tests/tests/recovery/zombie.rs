//! A worker that sleeps through its lease, wakes up and finds its run in other hands.
//!
//! It is stopped wherever it waits for something: before and after each call of the store, and in
//! each call outside. When it wakes, nothing that it writes may take effect, and it may call nobody.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use rustix::process::Signal;
use worktruck_core::RunId;
use worktruck_tests::{Announcement, Answer, Backend, Beside, Moment, Position, Which};

use crate::backend::on_every_backend;
use crate::checks::{Undisturbed, assert_recovered};
use crate::worker::{Setup, Worker};
use crate::world::{Kept, World};

/// A lease that runs out while the worker sleeps, and not on its way to where it sleeps.
const LEASE: Duration = Duration::from_secs(2);
/// How often a worker that lost its lease on the way is set up again.
const TRIES: usize = 5;
/// How many worlds go on at once: most of the time they wait for a lease to run out.
const AT_ONCE: usize = 8;
/// A run makes fewer calls of its store than that beside its commits.
const READS: u64 = 16;

on_every_backend!(
    a_zombie_before_any_call_of_the_store_does_nothing_more,
    a_zombie_after_any_call_of_the_store_does_nothing_more,
    a_zombie_in_any_call_outside_does_nothing_more,
);

async fn a_zombie_before_any_call_of_the_store_does_nothing_more(backend: Backend) {
    let zombies = asleep_beside_every_call(backend, Moment::Before).await;
    assert!(zombies.iter().any(|zombie| zombie.beside == Beside::Read), "some slept before reads");
}

async fn a_zombie_after_any_call_of_the_store_does_nothing_more(backend: Backend) {
    let zombies = asleep_beside_every_call(backend, Moment::After).await;
    let after_claim = zombies.iter().filter(|zombie| zombie.beside == Beside::Claim).count();
    assert_eq!(after_claim, 1, "one slept when it had just taken the run");
    assert!(zombies.iter().any(|zombie| zombie.beside == Beside::Read), "some slept after reads");
}

async fn asleep_beside_every_call(backend: Backend, moment: Moment) -> Vec<Woken> {
    let undisturbed = &Undisturbed::run(backend).await;
    let calls = usize::try_from(undisturbed.commits + READS).unwrap();
    let sleepers = (1..=calls).map(|number| Position { moment, commit: Which::Call(number) });
    let zombies = asleep_at_all(undisturbed, sleepers).await;
    // How many commits a run has depends on which calls come back together.
    assert!(zombies.len() < calls, "zombies slept beside all calls that there are");
    assert!(zombies.len() > usize::try_from(undisturbed.commits).unwrap(), "{} zombies", zombies.len());
    zombies
}

async fn a_zombie_in_any_call_outside_does_nothing_more(backend: Backend) {
    let undisturbed = &Undisturbed::run(backend).await;
    let calls = undisturbed.arrivals;
    let sleepers = (1..=calls).map(|number| Position { moment: Moment::During, commit: Which::Outside(number) });
    let zombies = asleep_at_all(undisturbed, sleepers).await;
    assert_eq!(zombies.len(), calls, "every call outside was slept in");
}

/// A zombie that got as far as to sleep where it should.
#[derive(Debug)]
struct Woken {
    beside: Beside,
}

async fn asleep_at_all(undisturbed: &Undisturbed, sleepers: impl Iterator<Item = Position>) -> Vec<Woken> {
    stream::iter(sleepers)
        .map(|position| woken_after_a_takeover(undisturbed, position))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// What became of a worker that slept at `position`; nothing if its run ends before.
///
/// A worker that loses its lease on the way, because the machine is slow, takes its own run over. It
/// is no zombie of the first attempt, and proves nothing: another one is set up.
async fn woken_after_a_takeover(undisturbed: &Undisturbed, position: Position) -> Option<Woken> {
    for _ in 0..TRIES {
        let world = World::new(undisturbed.backend).await;
        let run = world.whole_run().await;
        let mut zombie = world.worker(Setup { lease: LEASE, hold: Some(position), ..Setup::default() }).await;
        match goes_to_bed(&mut zombie, &world, position).await {
            Bed::Reached { beside, called } => {
                return Some(
                    sleeps_and_wakes(undisturbed, &world, run, zombie, Asleep { position, beside, called }).await,
                );
            }
            Bed::RunEnded => return None,
            Bed::TookItsOwnRunOver => {}
        }
    }
    panic!("{position}: {TRIES} workers lost their lease of {LEASE:?} before they were there");
}

enum Bed {
    /// It stays where it is to be stopped.
    Reached {
        beside: Beside,
        called: usize,
    },
    /// There is no such place in its run.
    RunEnded,
    TookItsOwnRunOver,
}

struct Asleep {
    position: Position,
    beside: Beside,
    /// How often it had called outside.
    called: usize,
}

async fn goes_to_bed(zombie: &mut Worker, world: &World, position: Position) -> Bed {
    let (mut taken, mut called) = (0, 0);
    let mut is_there = |announcement: &Announcement| {
        match announcement {
            Announcement::Held { beside } => return Some(Bed::Reached { beside: *beside, called }),
            Announcement::Claimed { runs: 0 } if taken > 0 => return Some(Bed::RunEnded),
            Announcement::Claimed { runs } => taken += runs,
            Announcement::Calls => called += 1,
            _ => {}
        }
        (taken > 1).then_some(Bed::TookItsOwnRunOver)
    };
    if position.moment != Moment::During {
        return zombie.until("it is held or its run ends", is_there).await;
    }
    tokio::select! {
        // The call has arrived.
        () = world.server.held() => {}
        bed = zombie.until("its call arrives", &mut is_there) => return bed,
    }
    zombie.tell().await;
    zombie.until("it stays in its call", is_there).await
}

async fn sleeps_and_wakes(
    undisturbed: &Undisturbed,
    world: &World,
    run: RunId,
    mut zombie: Worker,
    asleep: Asleep,
) -> Woken {
    let Asleep { position, beside, called } = asleep;
    let context = &format!("asleep {position}");
    fall_asleep(&zombie, world).await;
    let left = still(world, run).await;
    assert_eq!(left.run.attempt, 1, "{context}: the run is this worker's");
    let taken_over = !left.run.status.is_terminal();
    let called_since = if taken_over { world.finish().await } else { 0 };
    let kept = world.kept(run).await;

    world.server.release();
    zombie.tell().await;
    zombie.signal(Signal::CONT);
    let mut said = until_left_alone(&mut zombie).await;
    zombie.terminate();
    said.extend(zombie.stopped().await);
    assert_eq!(said[0], Announcement::GoesOn, "{context}: {said:?}");
    assert_eq!(world.kept(run).await, kept, "{context}: the run, its journal and its events are as they were");
    // What it handed over before it slept may have gone out when it woke: the client writes at its
    // own time. So what counts is when a call begins, and none began.
    assert!(!said.contains(&Announcement::Calls), "{context}: nobody outside is called; {said:?}");
    let arrived = world.server.arrivals().len();
    assert!(arrived <= called + called_since, "{context}: {arrived} calls of {called} and {called_since}");

    assert_refused(&said, beside, position.moment, taken_over, context);
    // Exactly one takeover: the run is in its second attempt.
    assert_recovered(world, undisturbed, &left, context).await;
    Woken { beside }
}

/// Each commit that it hands to the store when it is awake is refused. The first refusal is the last
/// thing that its run comes to, so that there is no second one.
fn assert_refused(said: &[Announcement], beside: Beside, moment: Moment, taken_over: bool, context: &str) {
    let begun = said.iter().filter(|announcement| matches!(announcement, Announcement::Before { .. })).count();
    let answers = said.iter().filter_map(|announcement| match announcement {
        Announcement::After { answer, .. } => Some(*answer),
        _ => None,
    });
    let answers: Vec<Answer> = answers.collect();
    let is_about_to_commit = beside == Beside::Commit && moment == Moment::Before;
    assert_eq!(answers.len(), begun + usize::from(is_about_to_commit), "{context}: every commit is answered");
    assert!(answers.iter().all(|answer| *answer == Answer::LeaseLost), "{context}: {answers:?}");
    match (beside, moment) {
        _ if !taken_over => assert_eq!(answers, [], "{context}: its run had ended"),
        // It wakes up in the commit, or commits next: a run begins with a commit.
        (Beside::Commit, Moment::Before) | (Beside::Claim, _) => assert_eq!(answers.len(), 1, "{context}"),
        // After a commit or a read, what comes next may be a commit, which is refused, or a look at
        // the lease, which has run out: it depends on what else has come back by then. So it is in a
        // call outside and before a read, when their answers are faster than the look at the lease.
        _ => assert!(answers.len() <= 1, "{context}: {answers:?}"),
    }
}

/// Stops the zombie where it does not hold the lock of a file, which nobody could take from it. Its
/// run does not move meanwhile.
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
