//! The tasks that commit: what is queued at the same time is written by one statement.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;
use worktruck_core::run::{Commit, Lease};
use worktruck_core::store::{Applied, Changes, CommitOutcome, Provenance};
use worktruck_core::{Error, Result, TenantId, Timestamp};

use crate::error::out_of_time;
use crate::group::{Attempt, attempt};
use crate::link::Link;
use crate::options::PgOptions;
use crate::run::{Accept, Intake, NewRuns, Records};

/// Hands commits to the tasks that write.
///
/// Commits that change entities go to a task of their own, because those of one tenant have to be
/// made one after the other; new runs have a task of their own, and all else goes to whichever task is
/// free.
#[derive(Debug)]
pub(crate) struct Writer {
    queues: Mutex<Option<Queues>>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

#[derive(Clone, Debug)]
struct Queues {
    journal: mpsc::Sender<Job>,
    entities: mpsc::Sender<Job>,
    new_runs: mpsc::Sender<Accept>,
}

/// Something to be committed.
#[derive(Debug)]
pub(crate) enum Job {
    /// What the holder of a lease did.
    Commit { lease: Lease, commit: Box<Commit>, now: Timestamp, reply: oneshot::Sender<Result<CommitOutcome>> },
    /// Changes that somebody without a run makes.
    Apply {
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
        reply: oneshot::Sender<Result<Applied>>,
    },
}

impl Job {
    /// Answers that it was not done.
    pub(crate) fn fail(self, error: Error) {
        // The caller may have gone.
        match self {
            Self::Commit { reply, .. } => drop(reply.send(Err(error))),
            Self::Apply { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// How many jobs one statement commits at most, so that none waits too long.
const GROUP: usize = 64;
const QUEUE: usize = 1024;
/// How often a commit is tried when others change what it rests on.
const ATTEMPTS: usize = 40;

impl Writer {
    /// Starts the tasks.
    pub(crate) fn start(options: &PgOptions, records: &Arc<Records>) -> Self {
        let (journal, of_journal) = mpsc::channel(QUEUE);
        let (entities, of_entities) = mpsc::channel(QUEUE);
        let (new_runs, of_new_runs) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let of_journal = Arc::new(tokio::sync::Mutex::new(of_journal));
        for _ in 0..options.writers() {
            tasks.spawn(write(Link::new(options), Arc::clone(&of_journal), Arc::clone(records)));
        }
        let of_entities = Arc::new(tokio::sync::Mutex::new(of_entities));
        tasks.spawn(write(Link::new(options), of_entities, Arc::clone(records)));
        tasks.spawn(accept(Intake::new(Link::new(options)), of_new_runs));
        Self { queues: Mutex::new(Some(Queues { journal, entities, new_runs })), tasks: tokio::sync::Mutex::new(tasks) }
    }

    /// Commits what the holder of a lease did.
    pub(crate) async fn commit(&self, lease: Lease, commit: Commit, now: Timestamp) -> Result<CommitOutcome> {
        let queues = self.queues()?;
        let changes = commit.steps.iter().any(|step| !step.changes.is_empty());
        let queue = if changes { queues.entities } else { queues.journal };
        let (reply, answer) = oneshot::channel();
        let job = Job::Commit { lease, commit: Box::new(commit), now, reply };
        queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Commits changes.
    pub(crate) async fn apply(
        &self,
        tenant: TenantId,
        changes: Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Apply { tenant, changes, provenance, now, reply };
        self.queues()?.entities.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes new runs; says whether it did, or else a key or an id of theirs was used before.
    pub(crate) async fn accept(&self, new: NewRuns) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.queues()?.new_runs.send(Accept { new, reply }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Takes nothing more, and returns when all that was queued is committed.
    pub(crate) async fn close(&self) {
        drop(self.lock().take());
        while self.tasks.lock().await.join_next().await.is_some() {}
    }

    fn queues(&self) -> Result<Queues> {
        self.lock().clone().ok_or_else(closed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Queues>> {
        // A panic elsewhere cannot leave the queues half closed.
        self.queues.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The error of a store that takes nothing more.
pub(crate) fn closed() -> Error {
    Error::unavailable("the store is closed")
}

async fn write(mut link: Link, jobs: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>, records: Arc<Records>) {
    loop {
        let group = together(&mut *jobs.lock().await).await;
        if group.is_empty() {
            break;
        }
        commit_together(&mut link, group, &records).await;
    }
    link.close().await;
}

async fn accept(mut intake: Intake, mut new_runs: mpsc::Receiver<Accept>) {
    loop {
        let group = together(&mut new_runs).await;
        if group.is_empty() {
            break;
        }
        intake.take_in(group).await;
    }
    intake.close().await;
}

/// What is queued, as soon as there is something; nothing if there will be nothing more.
async fn together<T>(jobs: &mut mpsc::Receiver<T>) -> Vec<T> {
    let mut group = Vec::new();
    jobs.recv_many(&mut group, GROUP).await;
    // Runs whose commits were answered together are about to commit again together.
    for _ in 0..2 {
        tokio::task::yield_now().await;
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
    }
    group
}

async fn commit_together(link: &mut Link, group: Vec<Job>, records: &Records) {
    let is_alone = group.len() == 1;
    let left = match try_once(link, group, records, true).await {
        // Others were faster: with the tenants locked the rest is sure to be made together.
        Attempt::Again(jobs) if jobs.len() > 1 => match try_once(link, jobs, records, false).await {
            Attempt::Failed(failure, jobs) if failure.is_unanswered() => repeatable(jobs),
            Attempt::Failed(failure, jobs) if failure.is_out_of_time() => fail_all(jobs),
            Attempt::Again(jobs) | Attempt::Failed(_, jobs) => jobs,
        },
        Attempt::Again(jobs) => jobs,
        Attempt::Failed(failure, jobs) => {
            if is_alone && !failure.is_retryable() {
                if let Some(job) = jobs.into_iter().next() {
                    job.fail(failure.or_failed("commit"));
                }
                return;
            }
            tracing::debug!(%failure, "committing one by one after a failed commit");
            if failure.is_unanswered() {
                repeatable(jobs)
            } else if failure.is_out_of_time() {
                fail_all(jobs)
            } else {
                jobs
            }
        }
    };
    for job in left {
        commit_alone(link, job, records).await;
    }
}

/// Fails what was too slow together, and leaves nothing: one after the other they would keep all others
/// waiting for as long as that many times.
fn fail_all(jobs: Vec<Job>) -> Vec<Job> {
    jobs.into_iter().for_each(|job| job.fail(out_of_time("commit")));
    Vec::new()
}

async fn commit_alone(link: &mut Link, mut job: Job, records: &Records) {
    for attempt in 1.. {
        let (left, failure) = match try_once(link, vec![job], records, false).await {
            Attempt::Again(mut jobs) => (jobs.pop(), None),
            Attempt::Failed(failure, mut jobs) => (jobs.pop(), Some(failure)),
        };
        let Some(left) = left else { return };
        match failure {
            Some(failure) if failure.is_unanswered() && matches!(left, Job::Apply { .. }) => {
                drop(repeatable(vec![left]));
                return;
            }
            Some(failure) if attempt == ATTEMPTS || !failure.is_retryable() => {
                left.fail(failure.or_failed("commit"));
                return;
            }
            None if attempt == ATTEMPTS => {
                left.fail(Error::unavailable("others change the same things too fast; try again"));
                return;
            }
            Some(_) | None => job = left,
        }
        // Those who get in each other's way come back at different times.
        tokio::time::sleep(PAUSE * u32::try_from(attempt).unwrap_or(1).min(20)).await;
    }
}

/// What may be committed again after its answer was lost: a commit of a run knows its number, and
/// changes outside a run would be made twice.
fn repeatable(jobs: Vec<Job>) -> Vec<Job> {
    let (repeatable, changes): (Vec<Job>, _) = jobs.into_iter().partition(|job| matches!(job, Job::Commit { .. }));
    for job in changes {
        job.fail(Error::unavailable("the store went away: whether the changes were made is not known"));
    }
    repeatable
}

/// How long to leave the server alone after the first failed attempt.
const PAUSE: Duration = Duration::from_millis(1);

async fn try_once(link: &mut Link, jobs: Vec<Job>, records: &Records, cached: bool) -> Attempt {
    let wire = match link.wire().await {
        Ok(wire) => wire,
        Err(error) => return Attempt::Failed(error.into(), jobs),
    };
    if !cached && let Err(error) = wire.lock(&tenants(&jobs)).await {
        link.drop_connection();
        return Attempt::Failed(error.into(), jobs);
    }
    match attempt(wire, jobs, records, cached).await {
        Attempt::Failed(failure, jobs) if failure.is_transient() => {
            tracing::debug!(%failure, "the statement is made again");
            link.roll_back().await;
            Attempt::Again(jobs)
        }
        Attempt::Failed(failure, jobs) => {
            if failure.is_disconnected() {
                link.drop_connection();
            }
            link.roll_back().await;
            Attempt::Failed(failure, jobs)
        }
        done => done,
    }
}

/// The tenants whose entities the jobs change, in order.
fn tenants(jobs: &[Job]) -> Vec<Uuid> {
    let changed = jobs.iter().filter_map(|job| match job {
        Job::Apply { tenant, .. } => Some(tenant.as_uuid()),
        Job::Commit { lease, commit, .. } => {
            commit.steps.iter().any(|step| !step.changes.is_empty()).then(|| lease.tenant().as_uuid())
        }
    });
    let tenants: BTreeSet<Uuid> = changed.collect();
    tenants.into_iter().collect()
}
