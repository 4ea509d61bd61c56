use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Postgres};
use uuid::Uuid;
use worktruck_core::Result;

use crate::error::cannot_open;
use crate::link::Link;
use crate::migrate::migrate;
use crate::options::PgOptions;
use crate::run::Records;
use crate::work::Work;
use crate::writer::Writer;

/// A store in a schema of a PostgreSQL database.
///
/// It may be shared by any number of tasks. It needs the tokio runtime that it was opened in.
#[derive(Debug)]
pub struct PgStore {
    pub(crate) readers: PgPool,
    pub(crate) writer: Writer,
    /// The connection for claims and renewals, which wait for nothing else that this process does. None
    /// when it is closed.
    pub(crate) queue: tokio::sync::Mutex<Option<Link>>,
    /// The first tenant whose waiting runs the next claim looks at, where there are too many for one.
    lanes_from: std::sync::Mutex<Uuid>,
    pub(crate) work: Work,
    pub(crate) records: Arc<Records>,
    options: PgOptions,
}

impl PgStore {
    /// Opens the store in the schema `worktruck` of the database that `url` names, and creates it
    /// if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`open_with`](Self::open_with).
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(PgOptions::parse(url)?).await
    }

    /// Opens a store, creates it if it does not exist, and brings its schema up to date.
    ///
    /// Whether the schema fits this software is looked at now and never again: stop processes that a
    /// migration is not compatible with before it is made.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: the database cannot be used: it does not exist, does not let this user
    ///   in, is a standby or too old, or holds a schema that this software cannot work on.
    /// - `Unavailable`: the server cannot be reached.
    pub async fn open_with(options: PgOptions) -> Result<Self> {
        migrate(&options).await?;
        let place = options.place();
        let readers = pool(&options).await.map_err(|e| cannot_open(&place, e))?;
        let records = Arc::new(Records::default());
        let writer = Writer::start(&options, &records);
        let work = Work::start(&readers, &options).await;
        let queue = tokio::sync::Mutex::new(Some(Link::new(&options)));
        Ok(Self { readers, writer, queue, lanes_from: std::sync::Mutex::default(), work, records, options })
    }

    /// A connection for statements that write: they have taken effect when it is
    /// [done](Writing::done).
    pub(crate) async fn writing(&self) -> sqlx::Result<Writing> {
        Ok(Writing { connection: self.readers.acquire().await?, shares: self.options.reading().begin().is_some() })
    }

    /// The first tenant whose lanes a claim looks at.
    pub(crate) fn lanes_from(&self) -> std::sync::MutexGuard<'_, Uuid> {
        // A panic elsewhere cannot leave it half written.
        self.lanes_from.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Where the store is, and how it is used.
    #[must_use]
    pub const fn options(&self) -> &PgOptions {
        &self.options
    }

    /// Commits what is queued, and takes nothing more.
    pub async fn close(&self) {
        self.writer.close().await;
        if let Some(link) = self.queue.lock().await.take() {
            link.close().await;
        }
        self.work.stop().await;
        self.readers.close().await;
    }
}

/// A connection of the pool for statements that write.
pub(crate) struct Writing {
    connection: PoolConnection<Postgres>,
    shares: bool,
}

impl Writing {
    /// Makes what was written last, where each call is a transaction.
    pub(crate) async fn done(mut self) -> sqlx::Result<()> {
        if self.shares {
            self.connection.execute("COMMIT").await?;
        }
        Ok(())
    }
}

impl Deref for Writing {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// The connections for reads. Where settings last no longer than a transaction, each use
/// of a connection is one.
async fn pool(options: &PgOptions) -> sqlx::Result<PgPool> {
    let session = options.reading();
    let mut pool = PgPoolOptions::new()
        .max_connections(options.readers())
        // A connection is looked at when it is given back, and again only if that is a while ago: a
        // server that went away in between is an error like any other.
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE);
    if let Some(begin) = session.begin() {
        let begin: Arc<str> = begin.into();
        let again = Arc::clone(&begin);
        pool = pool
            .after_connect(move |connection, _| {
                let begin = AssertSqlSafe(begin.to_string());
                Box::pin(async move { connection.execute(sqlx::raw_sql(begin)).await.map(drop) })
            })
            .before_acquire(move |connection, _| {
                let begin = AssertSqlSafe(again.to_string());
                Box::pin(async move { connection.execute(sqlx::raw_sql(begin)).await.map(|_| true) })
            })
            .after_release(|connection, _| Box::pin(async move { connection.execute("COMMIT").await.map(|_| true) }));
    } else {
        pool = pool.before_acquire(|connection, been| {
            Box::pin(async move { Ok(been.idle_for < LONG_IDLE || connection.ping().await.is_ok()) })
        });
    }
    // What opens a pool with a first connection keeps that as it began: in a transaction, where each use
    // is one, and so with one of the few connections that are shared. What is given back has ended it.
    let pool = pool.connect_lazy_with(session.connect());
    drop(pool.acquire().await?);
    Ok(pool)
}

/// A connection that nobody used for so long may have broken unnoticed.
const LONG_IDLE: std::time::Duration = std::time::Duration::from_secs(1);
/// How long to wait for a connection while all are in use.
const ACQUIRE: std::time::Duration = std::time::Duration::from_secs(10);
