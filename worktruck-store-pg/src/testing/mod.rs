//! Throw-away PostgreSQL servers and databases for tests, behind the feature `testing`.
//!
//! [`Database::fresh`] gives an empty database to one test. It is on the server that
//! `WORKTRUCK_TEST_DATABASE_URL` names, if it does. Otherwise it is on a server that all tests of
//! this user share while they run, in whatever process they are. The first starts it, and a few
//! seconds after the last has gone it is stopped and deleted, also if that one was killed. A
//! [`Cluster`] is a server for one test alone, which may stop, restart and kill it. A [`Pooler`] stands
//! between a test and a server, and shares few connections among many.
//!
//! # What is needed
//!
//! Linux, and the programs of a PostgreSQL server (on Debian: `apt-get install postgresql`); the
//! system's own server is not used and need not run. They are looked for in the folder
//! `WORKTRUCK_TEST_PG_BIN` if it is set, else where `pg_config --bindir` says, in the `PATH`, and in
//! `/usr/lib/postgresql`, where the newest is taken. PostgreSQL refuses to run as root: for root,
//! the servers run as the user `postgres`, or else `nobody`. A [`Pooler`] needs `pgbouncer` besides (on
//! Debian: `apt-get install pgbouncer`), and runs as the same user.
//!
//! # Where they are
//!
//! Under the folder for temporary files, where only this user reaches them, and so does their
//! socket: whoever can connect may do everything. The log of the last server that was stopped stays
//! there, in `worktruck-pg-*/*/servers/last.log`. A server that is killed keeps what was committed;
//! a machine that loses its power may not, because nothing waits for the disk.
//!
//! # Examples
//!
//! ```
//! use worktruck_store_pg::PgStore;
//! use worktruck_store_pg::testing::Database;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> worktruck_core::Result<()> {
//! let (used, unused) = (Database::fresh().await?, Database::fresh().await?);
//! PgStore::open(used.url()).await?.close().await;
//!
//! used.execute("SELECT FROM worktruck.tenant").await?;
//! assert!(unused.execute("SELECT FROM worktruck.tenant").await.is_err());
//! # Ok(())
//! # }
//! ```

mod account;
mod binaries;
mod cluster;
mod database;
mod home;
mod pooler;
mod server;
mod shared;

pub use cluster::{Cluster, ClusterOptions};
pub use database::Database;
pub use home::Home;
pub use pooler::Pooler;

use worktruck_core::{Error, Result};

/// What `work` comes to, done on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal("the work on a test server was broken off").with_source(error)),
    }
}
