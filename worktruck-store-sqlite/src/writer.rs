//! The one task that writes: it commits what is queued together.

use std::sync::Mutex;

use async_trait::async_trait;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Notify, mpsc, oneshot};
use worktruck_core::{Error, Result};

use crate::error::OrFailed as _;

/// A logical transaction: all of it takes effect, or nothing.
///
/// It may run more than once, and must depend on nothing but itself and the database.
#[async_trait]
pub(crate) trait Transact: Send + Sync + 'static {
    /// What it answers with.
    type Output: Send + 'static;

    /// Does it. On an error everything that it wrote is taken back.
    async fn run(&self, tx: &mut SqliteConnection) -> Result<Self::Output>;
}

/// Hands logical transactions to the task that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

/// How many logical transactions one commit holds at most, so that none waits too long.
const GROUP: usize = 64;
const QUEUE: usize = 1024;

impl Writer {
    /// Starts the task on `connection`; `committed` is told of every commit.
    pub(crate) fn start(connection: SqliteConnection, committed: std::sync::Arc<Notify>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            write(connection, jobs, &committed).await;
            // Nobody waits unless the store is being closed.
            let _ = end.send(());
        });
        Self { queue: Mutex::new(Some(queue)), ended: tokio::sync::Mutex::new(Some(ended)) }
    }

    /// Commits `work` and gives its answer, which is durable by then.
    pub(crate) async fn transact<W: Transact>(&self, work: W) -> Result<W::Output> {
        let queue = self.queue().clone().ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        let job = Pending { work, outcome: None, reply };
        queue.send(Box::new(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Takes nothing more, and returns when all that was queued is committed.
    pub(crate) async fn close(&self) {
        drop(self.queue().take());
        if let Some(ended) = self.ended.lock().await.take() {
            // An error says that the task has ended already.
            let _ = ended.await;
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Box<dyn Job>>>> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn stopped() -> Error {
    Error::unavailable("the store is closed")
}

/// A logical transaction whose type is forgotten.
#[async_trait]
trait Job: Send {
    /// Runs it and keeps the outcome; says whether it succeeded.
    async fn run(&mut self, tx: &mut SqliteConnection) -> bool;

    /// Answers with the outcome.
    fn answer(self: Box<Self>);

    /// Answers that it could not be committed.
    fn fail(self: Box<Self>, error: Error);
}

struct Pending<W: Transact> {
    work: W,
    outcome: Option<Result<W::Output>>,
    reply: oneshot::Sender<Result<W::Output>>,
}

#[async_trait]
impl<W: Transact> Job for Pending<W> {
    async fn run(&mut self, tx: &mut SqliteConnection) -> bool {
        let outcome = self.work.run(tx).await;
        let succeeded = outcome.is_ok();
        self.outcome = Some(outcome);
        succeeded
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(stopped()));
        // The caller may have gone; what it asked for is done all the same.
        let _ = self.reply.send(outcome);
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

async fn write(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Box<dyn Job>>, committed: &Notify) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        match commit_together(&mut connection, &mut group).await {
            Ok(()) => group.drain(..).for_each(Job::answer),
            Err(error) if group.len() == 1 => group.drain(..).for_each(|job| job.fail(unwritten(&error))),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "committing one by one after a failed commit");
                for job in group.drain(..) {
                    commit_alone(&mut connection, job).await;
                }
            }
        }
        committed.notify_one();
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the store failed");
    }
}

async fn commit_alone(connection: &mut SqliteConnection, job: Box<dyn Job>) {
    let mut alone = vec![job];
    let outcome = commit_together(connection, &mut alone).await;
    for job in alone {
        match &outcome {
            Ok(()) => job.answer(),
            Err(error) => job.fail(unwritten(error)),
        }
    }
}

/// Runs every job in one transaction of the database, each so that it can fail alone.
async fn commit_together(connection: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<()> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.or_failed("begin a transaction")?;
    let outcome = run_all(connection, group).await;
    let end = match outcome {
        Ok(true) => sqlx::query("COMMIT").execute(&mut *connection).await.or_failed("commit").map(drop),
        Ok(false) => {
            roll_back(connection).await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    if end.is_err() {
        roll_back(connection).await;
    }
    end
}

/// Whether there is anything to commit.
async fn run_all(connection: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<bool> {
    if let [job] = group {
        return Ok(job.run(connection).await);
    }
    let mut any = false;
    for job in group {
        sqlx::query("SAVEPOINT job").execute(&mut *connection).await.or_failed("set a savepoint")?;
        if job.run(connection).await {
            any = true;
        } else {
            sqlx::query("ROLLBACK TO job").execute(&mut *connection).await.or_failed("return to a savepoint")?;
        }
        sqlx::query("RELEASE job").execute(&mut *connection).await.or_failed("release a savepoint")?;
    }
    Ok(any)
}

async fn roll_back(connection: &mut SqliteConnection) {
    // It fails where the database has rolled back by itself, which is as good.
    if let Err(error) = sqlx::query("ROLLBACK").execute(connection).await {
        tracing::debug!(%error, "nothing was left to roll back");
    }
}

fn unwritten(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string()).with_source(error.chain())
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
