//! Throw-away PostgreSQL servers and databases for tests.
//!
//! A [`Database`] is fresh for every test. It lives on a server that all tests of this machine and
//! user share, also from several processes: the first starts it, and a few seconds after the last
//! has gone it stops, however that ended. `WORKTRUCK_TEST_DATABASE_URL` names another server to
//! make the databases on.
//!
//! A [`Cluster`] is a server of one's own, to be restarted and stopped.
//!
//! Both need the binaries of the server, not a running one: those in the folder that
//! `WORKTRUCK_TEST_PG_BIN` names, or the newest that is found where they are usually installed. As
//! root the server runs as the user `postgres`, or `nobody`. It listens on a Unix socket in a
//! folder that is open to its user alone, and writes to the disk without waiting for it.
//!
//! ```no_run
//! use worktruck_store_pg::{PgStore, testing::Database};
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Database::fresh().await?;
//! let store = PgStore::open(database.url()).await?;
//! # Ok(())
//! # }
//! ```

mod cluster;
mod database;
mod server;

pub use cluster::{Cluster, ClusterOptions};
pub use database::Database;
