//! Who does what, as far as the workers have said.

use std::collections::{BTreeMap, HashMap};

use worktruck_core::RunId;

use super::worker::Word;

/// What the workers of a fleet have said, added up.
#[derive(Debug, Default)]
pub struct Tally {
    /// The workers, in order of their numbers.
    pub workers: Vec<Worker>,
    /// The tenants, in order of their numbers.
    pub tenants: Vec<Tenant>,
    runs: HashMap<RunId, Known>,
}

/// What is known of a worker.
#[derive(Debug, Default)]
pub struct Worker {
    /// How it is.
    pub state: State,
    /// The runs that it holds, each with the attempt that is its own; of a dead one, those that
    /// nobody has taken over yet.
    pub holds: BTreeMap<RunId, u32>,
    /// How many runs it has brought to their end.
    pub finished: usize,
    /// How many runs it has taken from others that were lost.
    pub taken_over: usize,
}

/// How a worker is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// It was started.
    #[default]
    Starts,
    /// It looks for runs and executes them.
    Works,
    /// It was killed.
    Killed,
    /// It was told to stop, and has.
    Stopped,
}

impl State {
    /// As people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::Works => "works",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
        }
    }
}

/// What is known of the runs of a tenant.
#[derive(Debug, Default)]
pub struct Tenant {
    /// Its short name.
    pub slug: String,
    /// How many runs it has.
    pub runs: usize,
    /// How many of them have ended.
    pub ended: usize,
}

#[derive(Debug)]
struct Known {
    tenant: usize,
    has_ended: bool,
}

impl Tally {
    /// `workers` workers, of whom nothing was heard yet, and no runs.
    #[must_use]
    pub fn of(workers: usize) -> Self {
        Self { workers: (0..workers).map(|_| Worker::default()).collect(), ..Self::default() }
    }

    /// Adds a tenant with its runs.
    pub fn add(&mut self, slug: &str, runs: impl IntoIterator<Item = RunId>) {
        let (tenant, before) = (self.tenants.len(), self.runs.len());
        self.runs.extend(runs.into_iter().map(|run| (run, Known { tenant, has_ended: false })));
        self.tenants.push(Tenant { slug: slug.to_owned(), runs: self.runs.len() - before, ended: 0 });
    }

    /// How many runs there are.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many runs have ended.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.tenants.iter().map(|tenant| tenant.ended).sum()
    }

    /// Takes in what a worker says.
    pub fn hear(&mut self, worker: usize, word: Word) {
        match word {
            Word::Ready => self.workers[worker].state = State::Works,
            Word::Taken { run, attempt } => {
                for other in &mut self.workers {
                    other.holds.remove(&run);
                }
                self.workers[worker].holds.insert(run, attempt);
                self.workers[worker].taken_over += usize::from(attempt > 1);
            }
            Word::Left { run, status } => {
                self.workers[worker].holds.remove(&run);
                if status.is_some_and(|status| status.is_terminal()) {
                    self.end(worker, run);
                }
            }
        }
    }

    /// Takes in that a worker was killed.
    pub fn bury(&mut self, worker: usize) {
        self.workers[worker].state = State::Killed;
    }

    /// Takes in that all workers that were alive have stopped.
    pub fn stop(&mut self) {
        let alive = self.workers.iter_mut().filter(|worker| worker.state != State::Killed);
        alive.for_each(|worker| worker.state = State::Stopped);
    }

    /// Takes in that a run has ended which a dead worker held: it did not live to say so.
    pub fn end(&mut self, worker: usize, run: RunId) {
        self.workers[worker].holds.remove(&run);
        if let Some(known) = self.runs.get_mut(&run)
            && !known.has_ended
        {
            known.has_ended = true;
            self.tenants[known.tenant].ended += 1;
            self.workers[worker].finished += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use worktruck_core::RunId;
    use worktruck_core::run::RunStatus;

    use super::*;

    fn run(n: u8) -> RunId {
        format!("00000000-0000-7000-8000-0000000000{n:02}").parse().unwrap()
    }

    fn taken(n: u8, attempt: u32) -> Word {
        Word::Taken { run: run(n), attempt }
    }

    fn left(n: u8, status: RunStatus) -> Word {
        Word::Left { run: run(n), status: Some(status) }
    }

    #[test]
    fn runs_are_held_until_they_are_left_and_count_when_they_have_ended() {
        let mut tally = Tally::of(2);
        tally.add("acme", [run(1), run(2)]);
        tally.add("birch", [run(3)]);
        assert_eq!((tally.runs(), tally.ended()), (3, 0));
        [taken(1, 1), taken(3, 1)].into_iter().for_each(|word| tally.hear(1, word));
        tally.hear(0, taken(2, 1));
        assert_eq!(tally.workers.iter().map(|worker| worker.holds.len()).collect::<Vec<_>>(), [1, 2]);
        tally.hear(1, left(3, RunStatus::Succeeded));
        tally.hear(0, left(2, RunStatus::Queued));
        assert_eq!(tally.tenants.iter().map(|tenant| tenant.ended).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((tally.workers[1].finished, tally.workers[1].holds.len()), (1, 1));
        assert_eq!((tally.workers[0].finished, tally.workers[0].holds.len()), (0, 0), "it was given back");
    }

    #[test]
    fn what_a_dead_worker_held_is_its_own_until_somebody_takes_it() {
        let mut tally = Tally::of(2);
        tally.add("acme", [run(1), run(2)]);
        [taken(1, 1), taken(2, 1)].into_iter().for_each(|word| tally.hear(0, word));
        tally.bury(0);
        tally.hear(1, taken(1, 2));
        tally.hear(1, left(1, RunStatus::Succeeded));
        assert_eq!(tally.workers[0].holds, [(run(2), 1)].into());
        assert_eq!((tally.workers[1].taken_over, tally.workers[1].finished), (1, 1));
        tally.end(0, run(2));
        assert_eq!((tally.ended(), tally.workers[0].finished), (2, 1), "it ended, and nobody said so");
        tally.hear(1, left(2, RunStatus::Succeeded));
        assert_eq!((tally.ended(), tally.workers[1].finished), (2, 1), "a run ends once");
    }
}
