//! How a waiting worker learns of new work, of this process and of others.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use worktruck_core::{Digest, Error, Result};

use crate::options::PgOptions;

/// A mark that changes whenever there may be new work.
///
/// Work of this process is told at once. Other processes hear of it by a notification, which is a
/// hint that may be lost: behind it the mark changes once in every poll interval. Notifications are
/// sent after the commit and on a connection of their own, no more often than [`PAUSE`] allows,
/// because the server lets transactions that notify commit one at a time.
#[derive(Debug)]
pub(crate) struct Work {
    mark: Arc<watch::Sender<u64>>,
    /// Has something in it when others are to be told.
    made: std::sync::Mutex<Option<mpsc::Sender<()>>>,
    poll_interval: Duration,
    listener: Option<AbortHandle>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

/// The mark of a store that is closed.
const CLOSED: u64 = u64::MAX;
/// How long a process waits between two notifications that it sends.
const PAUSE: Duration = Duration::from_millis(5);
/// How long to leave the server alone after it could not be listened to.
const RETRY: Duration = Duration::from_secs(1);

impl Work {
    /// Begins to listen and to notify.
    pub(crate) async fn start(pool: &PgPool, options: &PgOptions) -> Self {
        let mark = Arc::new(watch::Sender::new(1));
        let (made, to_tell) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let mut listener = None;
        if options.listens() {
            // Whoever begins to wait after the store is open hears of everything.
            let listening = Arc::new(Notify::new());
            listener = Some(tasks.spawn(listen(options.clone(), Arc::clone(&mark), Arc::clone(&listening))));
            tasks.spawn(tell(pool.clone(), options.schema().to_owned(), to_tell));
            // A server that cannot be listened to is polled.
            let _ = tokio::time::timeout(RETRY, listening.notified()).await;
        }
        Self {
            mark,
            made: std::sync::Mutex::new(Some(made)),
            poll_interval: options.poll_interval(),
            listener,
            tasks: tokio::sync::Mutex::new(tasks),
        }
    }

    /// Wakes those who wait, here and elsewhere.
    pub(crate) fn announce(&self) {
        bump(&self.mark);
        if let Some(made) = self.made().as_ref() {
            // If there is something in it, nobody has been told of that yet.
            let _ = made.try_send(());
        }
    }

    /// Waits for a mark other than `seen`.
    pub(crate) async fn wait(&self, seen: u64) -> Result<u64> {
        let mut mark = self.mark.subscribe();
        loop {
            let now = *mark.borrow_and_update();
            if now == CLOSED {
                return Err(Error::unavailable("the store is closed"));
            }
            if now != seen {
                return Ok(now);
            }
            tokio::select! {
                changed = mark.changed() => changed.map_err(|_| Error::unavailable("the store is closed"))?,
                () = tokio::time::sleep(self.poll_interval) => bump(&self.mark),
            }
        }
    }

    /// Listens no more, and notifies no more than what was announced; whoever waits is told.
    pub(crate) async fn stop(&self) {
        self.mark.send_replace(CLOSED);
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        drop(self.made().take());
        let mut tasks = self.tasks.lock().await;
        let all = async { while tasks.join_next().await.is_some() {} };
        // Those who are not told look for themselves.
        let _ = tokio::time::timeout(RETRY, all).await;
        tasks.abort_all();
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<()>>> {
        // A panic elsewhere cannot leave it half changed.
        self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn bump(mark: &watch::Sender<u64>) {
    mark.send_modify(|mark| *mark = mark.saturating_add(1));
}

fn channel(schema: &str) -> String {
    let name = format!("{schema}.work");
    if name.len() <= LONGEST_CHANNEL {
        return name;
    }
    Digest::of_bytes(schema.as_bytes()).to_string().chars().take(LONGEST_CHANNEL).collect()
}

/// Longer names are cut by the server when it listens, and refused when it notifies.
const LONGEST_CHANNEL: usize = 63;

async fn listen(options: PgOptions, mark: Arc<watch::Sender<u64>>, listening: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&options, &mark, &listening).await {
            tracing::warn!(%error, "cannot listen for new work; looking for it instead");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen_once(options: &PgOptions, mark: &watch::Sender<u64>, listening: &Notify) -> sqlx::Result<()> {
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options.reading().connect()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(&channel(options.schema())).await?;
    listening.notify_one();
    // What was notified before the connection was there is not heard.
    bump(mark);
    while listener.try_recv().await?.is_some() {
        // One look serves all that has come meanwhile.
        while listener.next_buffered().is_some() {}
        bump(mark);
    }
    Ok(())
}

async fn tell(pool: PgPool, schema: String, mut made: mpsc::Receiver<()>) {
    let channel = channel(&schema);
    while made.recv().await.is_some() {
        if let Err(error) = sqlx::query("SELECT pg_notify($1, '')").bind(&channel).execute(&pool).await {
            tracing::debug!(%error, "cannot tell others of new work; they will look for it");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
