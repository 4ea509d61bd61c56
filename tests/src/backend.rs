use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// A kind of store that keeps what it is given when its process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database of a server.
    Postgres,
}

/// A place for a store that nobody else knows of, without anything in it. It is gone when dropped.
#[derive(Debug)]
pub struct Place {
    /// Names the store.
    pub url: String,
    _folder: Option<TempDir>,
}

impl Place {
    /// A new place.
    ///
    /// # Panics
    ///
    /// If there is none: tests that cannot have a store must fail.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]
    pub async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("store.db").display());
                Self { url, _folder: Some(folder) }
            }
            Backend::Postgres => Self { url: database().await, _folder: None },
        }
    }
}

/// A new database of the server that `WORKTRUCK_POSTGRES` names.
#[expect(clippy::unwrap_used, reason = "whatever goes wrong here fails the test")]
async fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("WORKTRUCK_POSTGRES").unwrap();
    let name = format!("worktruck_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    format!("{server}/{name}")
}
