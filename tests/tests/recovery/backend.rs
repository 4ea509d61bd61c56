//! The stores that every scenario runs on.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// What keeps the runs of a world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A store that nobody else knows of, without anything in it.
pub(crate) struct Database {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

/// Makes a test of each scenario on each backend.
macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $scenario() { super::$scenario(crate::backend::Backend::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $scenario() { super::$scenario(crate::backend::Backend::Postgres).await; })+
        }
    };
}
pub(crate) use on_every_backend;

impl Database {
    pub(crate) async fn fresh(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("store.db").display());
                Self { url, _folder: Some(folder) }
            }
            Backend::Postgres => Self { url: postgres().await, _folder: None },
        }
    }
}

/// A new database of the server that `WORKTRUCK_POSTGRES` names.
async fn postgres() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("WORKTRUCK_POSTGRES").expect("WORKTRUCK_POSTGRES names a PostgreSQL server");
    let name = format!("recovery_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    format!("{server}/{name}")
}
