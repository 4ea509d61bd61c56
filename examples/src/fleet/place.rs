//! Where the fleet keeps its runs.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::task::spawn_blocking;
use worktruck_agents::clock::RandomIds;
use worktruck_core::{Error, IdSource as _, Result, Timestamp};
use worktruck_store_pg::testing::{Cluster, ClusterOptions};

/// A schema of its own in a database that was named, or a server that is removed with all that is
/// in it.
#[derive(Debug)]
pub struct Place {
    /// The database.
    pub url: String,
    /// The schema in it.
    pub schema: String,
    server: Option<Cluster>,
    keep: bool,
}

impl Place {
    /// A new schema in the database `url`, or a throw-away server.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if a server is needed and PostgreSQL is not installed.
    pub async fn find(url: Option<String>, keep: bool) -> Result<Self> {
        let id = RandomIds::new().next_uuid(Timestamp::EPOCH).simple().to_string();
        let schema = format!("worktruck_fleet_{}", &id[24..]);
        if let Some(url) = url {
            return Ok(Self { url, schema, server: None, keep });
        }
        // As a server that is in use it waits for the disk.
        let server = spawn_blocking(|| Cluster::start(&ClusterOptions::new().with_sync())).await;
        let server = server.map_err(|e| Error::internal("starting a server was interrupted").with_source(e))?;
        let server = server.map_err(|e| {
            Error::new(e.kind(), "there is no throw-away server; name a database with --store").with_source(e)
        })?;
        Ok(Self { url: server.url("postgres"), schema, server: Some(server), keep })
    }

    /// Whether what is in it stays.
    #[must_use]
    pub const fn stays(&self) -> bool {
        self.keep
    }

    /// Removes what the fleet has made, unless it is to stay.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the database cannot be reached.
    pub async fn clear(self) -> Result<()> {
        if let Some(server) = self.server {
            let removed = spawn_blocking(|| drop(server)).await;
            return removed.map_err(|e| Error::internal("removing a server was interrupted").with_source(e));
        }
        if self.keep {
            return Ok(());
        }
        let failed = |e| Error::unavailable(format!("the schema {} cannot be removed", self.schema)).with_source(e);
        let mut connection = PgConnection::connect(&self.url).await.map_err(failed)?;
        let sql = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.schema);
        connection.execute(AssertSqlSafe(sql)).await.map(drop).map_err(failed)
    }
}
