//! Where the fleet keeps its runs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use worktruck_agents::clock::RandomIds;
use worktruck_core::{Error, IdSource as _, Result, Timestamp};
use worktruck_store_pg::testing::{Cluster, ClusterOptions, Home};

/// A schema of its own in a database that was named, or a server that is removed with all that is
/// in it.
#[derive(Debug)]
pub struct Place {
    /// The database.
    pub url: String,
    /// The schema in it.
    pub schema: String,
    server: Option<Server>,
    keep: bool,
}

/// A server and all that it needs, in a folder of its own.
#[derive(Debug)]
struct Server {
    cluster: Cluster,
    // Removed when the server has stopped: fields are dropped in this order.
    _folder: TempDir,
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
        let server = spawn_blocking(start).await;
        let server = server.map_err(|e| Error::internal("starting a server was interrupted").with_source(e))?;
        let server = server.map_err(|e| {
            Error::new(e.kind(), "there is no throw-away server; name a database with --store").with_source(e)
        })?;
        Ok(Self { url: server.cluster.url("postgres"), schema, server: Some(server), keep })
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

/// Starts a server that waits for the disk, as one in use does.
fn start() -> Result<Server> {
    let mut failed = Error::unavailable("there is no folder for temporary files");
    // The name of a socket is short, and a folder for temporary files may have a long one.
    for base in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        // As root, the server runs as another user, who must be able to pass through.
        let open = std::fs::Permissions::from_mode(0o711);
        match tempfile::Builder::new().prefix("fleet-").permissions(open).tempdir_in(base) {
            Ok(folder) => {
                let home = Home::default().with_folder(folder.path());
                match Cluster::start(&ClusterOptions::new().with_home(home).with_sync()) {
                    Ok(cluster) => return Ok(Server { cluster, _folder: folder }),
                    Err(error) => failed = error,
                }
            }
            Err(error) => failed = failed.with_source(error),
        }
    }
    Err(failed)
}
