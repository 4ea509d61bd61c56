//! Many small runs, and several workers that execute them.

use std::collections::BTreeSet;

use futures::future::{FutureExt as _, join_all, select_all};
use serde_json::json;
use worktruck_core::RunId;
use worktruck_core::entity::Kind;
use worktruck_core::run::{EventType, RunStatus};
use worktruck_tests::{Announcement, Answer};

use crate::checks::assert_exactly_once;
use crate::worker::{Setup, Worker, in_time};
use crate::world::World;

/// Runs that each create a contact and send a letter.
pub(crate) struct Runs(Vec<RunId>);

/// Workers whose announcements are heard together.
pub(crate) struct Fleet {
    workers: Vec<Worker>,
    /// The runs that a commit has ended.
    ended: BTreeSet<RunId>,
    /// How many runs the workers were given. A claim whose answer is lost gives none.
    given: usize,
}

impl Runs {
    pub(crate) async fn enqueue(world: &World, count: usize) -> Self {
        let mut runs = Self(Vec::new());
        runs.enqueue_more(world, count).await;
        runs
    }

    pub(crate) async fn enqueue_more(&mut self, world: &World, count: usize) {
        let numbers = self.0.len()..self.0.len() + count;
        let inputs = numbers.map(|n| json!({ "script": "small", "label": label(n) })).collect();
        self.0.extend(world.enqueue(inputs).await);
    }

    /// No run is lost, and each has had its effects once. Gives back how many attempts that took.
    pub(crate) async fn assert_done(&self, world: &World) -> usize {
        let mut all_attempts = 0;
        for (n, run) in self.0.iter().enumerate() {
            let label = label(n);
            assert_exactly_once(world, *run, &label).await;
            let kept = world.kept(*run).await;
            assert_eq!(kept.run.status, RunStatus::Succeeded, "{label}: {:?}", kept.run.failure_detail);
            let count = |wanted| kept.events.iter().filter(|event| event.event_type == wanted).count();
            let attempts = usize::try_from(kept.run.attempt).unwrap();
            assert_eq!([EventType::RunStarted, EventType::RunSucceeded].map(count), [1, 1], "{label}");
            assert_eq!(count(EventType::LeaseLost), attempts - 1, "{label}: each attempt but the first is a takeover");
            let asks = world.server.asks(&label);
            assert_eq!(asks.keys().copied().collect::<Vec<_>>(), [0, 1], "{label}");
            assert!(asks.values().all(|asks| *asks <= attempts), "{label}: {asks:?} in {attempts} attempts");
            assert_eq!(world.server.letters(*run).len(), 1, "{label}: its letter");
            all_attempts += attempts;
        }
        let written = world.written(Kind::Contact).await;
        let name = |body: &serde_json::Value| body["display_name"].as_str().unwrap().to_owned();
        let mut names: Vec<_> = written.iter().map(|version| name(version.slice.body.as_ref().unwrap())).collect();
        names.sort();
        assert_eq!(names, (0..self.0.len()).map(label).collect::<Vec<_>>(), "one contact for each run");
        all_attempts
    }

    /// How many attempts there have been.
    pub(crate) async fn attempts(&self, world: &World) -> usize {
        let mut all = 0;
        for run in &self.0 {
            all += usize::try_from(world.kept(*run).await.run.attempt).unwrap();
        }
        all
    }

    /// Those of the runs that have ended: as many as the store can say at the moment.
    async fn ended(&self, world: &World) -> BTreeSet<RunId> {
        let looks = self.0.iter().map(|run| world.store.run(world.tenant, *run));
        let looks = join_all(looks).await.into_iter().filter_map(|look| look.ok().flatten());
        looks.filter(|run| run.status.is_terminal()).map(|run| run.id).collect()
    }
}

impl Fleet {
    pub(crate) async fn start(world: &World, workers: usize, setup: Setup) -> Self {
        Self::of(join_all((0..workers).map(|_| world.worker(setup))).await)
    }

    pub(crate) const fn of(workers: Vec<Worker>) -> Self {
        Self { workers, ended: BTreeSet::new(), given: 0 }
    }

    pub(crate) async fn add(&mut self, world: &World, setup: Setup) {
        self.workers.push(world.worker(setup).await);
    }

    /// What one of the workers says next.
    pub(crate) async fn said(&mut self) -> Announcement {
        let speakers = self.workers.iter_mut().map(|worker| worker.said().boxed());
        let (announcement, ..) = in_time("a worker says something", select_all(speakers)).await;
        match &announcement {
            Announcement::After { commit, answer } => {
                assert_ne!(*answer, Answer::Other, "{commit:?}");
                if announcement.left().is_some() {
                    self.ended.insert(commit.run);
                }
            }
            Announcement::Claimed { runs } => self.given += runs,
            _ => {}
        }
        announcement
    }

    /// Waits until so many more commits have taken effect, or all runs have ended: then it says no.
    pub(crate) async fn commits(&mut self, commits: usize, runs: &Runs, world: &World) -> bool {
        let mut committed = 0;
        let waiting = async {
            while committed < commits {
                if self.ended.len() == runs.0.len() {
                    return false;
                }
                match self.said().await {
                    Announcement::After { answer: Answer::Committed, .. } => committed += 1,
                    // The answer to a commit that ended a run may have been lost with its worker's lease.
                    Announcement::Claimed { runs: 0 } => self.ended.extend(runs.ended(world).await),
                    _ => {}
                }
            }
            true
        };
        in_time("commits", waiting).await
    }

    pub(crate) async fn until_ended(&mut self, runs: &Runs, world: &World) {
        while self.commits(usize::MAX, runs, world).await {}
    }

    /// Stops all workers, which complain of nothing, and gives back how many runs they were given.
    pub(crate) async fn stop(self) -> usize {
        self.workers.iter().for_each(Worker::terminate);
        let rest = join_all(self.workers.into_iter().map(Worker::stopped)).await;
        let given = rest.iter().flatten().filter_map(|announcement| match announcement {
            Announcement::Claimed { runs } => Some(*runs),
            _ => None,
        });
        self.given + given.sum::<usize>()
    }
}

fn label(n: usize) -> String {
    format!("run {n:02}")
}
