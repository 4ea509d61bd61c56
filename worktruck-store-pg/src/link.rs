//! A connection whose statements are planned once in a while.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use crate::options::{PgOptions, Session};

/// A connection that is made again when it breaks.
#[derive(Debug)]
pub(crate) struct Link {
    session: Session,
    wire: Option<Wire>,
}

/// How many texts of statements a connection remembers: more than there are.
const STATEMENTS: usize = 512;
/// How long plans are kept. One that was made while a table was empty may read all of it, and the server
/// makes it anew only when the table has been looked at in the background.
const PLANNED_FOR: Duration = Duration::from_secs(5);
/// How long a server may take to be connected to.
const CONNECT: Duration = Duration::from_secs(10);

impl Link {
    pub(crate) fn new(options: &PgOptions) -> Self {
        Self { session: options.writing(), wire: None }
    }

    /// The connection, with no transaction open but one where each use needs one.
    pub(crate) async fn wire(&mut self) -> sqlx::Result<&mut Wire> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => {
                let begin = self.session.begin();
                let connect = self.session.connect();
                // A pool that shares connections keeps no statements.
                let connect = if begin.is_some() { connect } else { connect.statement_cache_capacity(STATEMENTS) };
                Wire { connection: soon(connect.connect()).await?, begin, has_begun: false, planned_at: Instant::now() }
            }
        };
        wire.begin().await?;
        wire.plan_anew().await?;
        Ok(self.wire.insert(wire))
    }

    /// Makes sure that the connection, if there is one, has not broken unnoticed.
    pub(crate) async fn check(&mut self) {
        if let Some(wire) = &mut self.wire
            && soon(wire.connection.ping()).await.is_err()
        {
            self.wire = None;
        }
    }

    /// Ends what failed: a transaction would keep a connection that is shared, and its locks.
    pub(crate) async fn roll_back(&mut self) {
        if let Some(wire) = &mut self.wire
            && std::mem::take(&mut wire.has_begun)
            && wire.connection.execute("ROLLBACK").await.is_err()
        {
            self.wire = None;
        }
    }

    pub(crate) fn drop_connection(&mut self) {
        self.wire = None;
    }

    pub(crate) async fn close(self) {
        if let Some(wire) = self.wire
            && let Err(error) = wire.connection.close().await
        {
            tracing::debug!(%error, "closing a connection failed");
        }
    }
}

/// What `future` gives, if it does not take far too long: a server may be out of reach without a sign.
async fn soon<T>(future: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let too_long = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(CONNECT, future).await.unwrap_or_else(|_| Err(too_long()))
}

/// A connection, and whether it has a transaction to be committed.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) connection: PgConnection,
    begin: Option<String>,
    has_begun: bool,
    planned_at: Instant,
}

impl Wire {
    async fn begin(&mut self) -> sqlx::Result<()> {
        // Whoever left one open has not waited for what it would come to.
        if std::mem::take(&mut self.has_begun) {
            self.connection.execute("ROLLBACK").await?;
        }
        if let Some(begin) = &self.begin {
            self.has_begun = true;
            self.connection.execute(sqlx::raw_sql(AssertSqlSafe(begin.clone()))).await?;
        }
        Ok(())
    }

    async fn plan_anew(&mut self) -> sqlx::Result<()> {
        if self.begin.is_none() && self.planned_at.elapsed() > PLANNED_FOR {
            self.connection.execute("DISCARD PLANS").await?;
            self.planned_at = Instant::now();
        }
        Ok(())
    }

    /// Makes a transaction of what comes until the commit.
    pub(crate) async fn hold(&mut self) -> sqlx::Result<()> {
        if !self.has_begun {
            self.has_begun = true;
            self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        }
        Ok(())
    }

    /// Lets nobody else change entities of these tenants until the commit. Whoever waits for the same
    /// lock gets it in turn, so that nobody is always too late.
    pub(crate) async fn lock(&mut self, tenants: &[Uuid]) -> sqlx::Result<()> {
        if tenants.is_empty() {
            return Ok(());
        }
        self.hold().await?;
        sqlx::query("SELECT FROM tenant_head WHERE tenant = ANY ($1) ORDER BY tenant FOR UPDATE")
            .bind(tenants)
            .execute(&mut self.connection)
            .await
            .map(drop)
    }

    /// Makes what was written last.
    pub(crate) async fn commit(&mut self) -> sqlx::Result<()> {
        if self.has_begun {
            self.connection.execute("COMMIT").await?;
            self.has_begun = false;
        }
        Ok(())
    }
}
