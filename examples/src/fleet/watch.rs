//! Watches a fleet, and kills one of its workers half-way.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use worktruck_agents::Runtime;
use worktruck_core::{Error, Result, Timestamp};

use super::board::Board;
use super::crew::{Crew, Heard};
use super::tally::Tally;
use super::tenants::Tenant;
use super::worker::Word;

/// How often the table is drawn.
const TICK: Duration = Duration::from_millis(100);
/// How long nothing may happen, beyond what a lease takes to expire.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// Who did what.
    pub tally: Tally,
    /// Who was killed.
    pub killed: Killed,
    /// How long it all took.
    pub took: Duration,
}

/// The worker that was killed.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// Its number.
    pub worker: usize,
    /// When, by the clock of the database.
    pub at: Timestamp,
    /// How many runs it left behind.
    pub left_behind: usize,
}

/// Watches until all runs have ended, and stops the workers.
///
/// # Errors
///
/// - `Unavailable`: the store cannot be reached, or nothing happens any more.
/// - `Internal`: a worker ends that nobody has killed.
pub async fn watch(
    mut crew: Crew,
    runtime: &Runtime,
    tenants: &[Tenant],
    lease: Duration,
    board: &mut Board,
) -> Result<Seen> {
    let mut tally = Tally::of(crew.count());
    tenants.iter().for_each(|tenant| tally.add(tenant.slug, tenant.runs.iter().copied()));
    let started = Instant::now();
    let mut news = started;
    let mut killed: Option<Killed> = None;
    let mut is_buried = false;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while tally.ended() < tally.runs() || (killed.is_some() && !is_buried) {
        tokio::select! {
            Some((worker, heard)) = crew.hear() => {
                news = Instant::now();
                match (heard, &mut killed) {
                    (Heard::Said(word), killed) => {
                        tally.hear(worker, word);
                        // It has just begun a run, so that it does not die idle.
                        let begins = matches!(word, Word::Taken { .. }) && 2 * tally.ended() >= tally.runs();
                        if begins && killed.is_none() {
                            *killed = Some(Killed { worker, at: runtime.now(), left_behind: 0 });
                            crew.kill(worker).await?;
                            tally.bury(worker);
                        }
                    }
                    (Heard::Gone, Some(killed)) if killed.worker == worker => {
                        is_buried = true;
                        killed.left_behind = tally.workers[worker].holds.len();
                        let (number, held) = (worker + 1, killed.left_behind);
                        board.say(&format!("Half of them have ended. Worker {number} is killed; it holds {held} runs."))?;
                    }
                    (Heard::Gone, _) => {
                        return Err(Error::internal(format!("worker {} has ended by itself", worker + 1)));
                    }
                }
            }
            _ = ticks.tick() => {
                if let Some(killed) = &mut killed {
                    let settled = settle(&mut tally, killed.worker, runtime, tenants).await?;
                    killed.left_behind = killed.left_behind.saturating_sub(settled);
                }
                board.show(&tally, started.elapsed())?;
                if news.elapsed() > PATIENCE + 2 * lease {
                    return Err(Error::unavailable("the workers do nothing any more"));
                }
            }
        }
    }
    let took = started.elapsed();
    crew.stop().await?;
    tally.stop();
    board.show(&tally, took)?;
    let killed = killed.ok_or_else(|| Error::internal("all runs had ended before a worker could be killed"))?;
    Ok(Seen { tally, killed, took })
}

/// Asks the store for the runs of a dead worker, and says how many had ended: what it sent last may
/// have taken effect after its death, and nobody takes such a run over.
async fn settle(tally: &mut Tally, worker: usize, runtime: &Runtime, tenants: &[Tenant]) -> Result<usize> {
    let mut settled = 0;
    for (run, attempt) in tally.workers[worker].holds.clone() {
        let Some(tenant) = tenants.iter().find(|tenant| tenant.runs.contains(&run)) else { continue };
        let found = runtime.store().run(tenant.id, run).await?;
        // A later attempt is somebody else's, who will say so.
        if found.is_some_and(|found| found.status.is_terminal() && found.attempt == attempt) {
            tally.end(worker, run);
            settled += 1;
        }
    }
    Ok(settled)
}
