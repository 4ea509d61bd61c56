use std::sync::Arc;

use worktruck_core::Result;
use worktruck_core::store::Store;
use worktruck_store_pg::{PgOptions, PgStore};
use worktruck_store_sqlite::SqliteStore;

/// A store of the kind that its URL names.
#[derive(Clone, Debug)]
pub enum AnyStore {
    /// `sqlite://…`
    Sqlite(Arc<SqliteStore>),
    /// `postgres://…`
    Postgres(Arc<PgStore>),
}

impl AnyStore {
    /// Opens the store, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStore::open`] and [`PgStore::open`]; a URL of another kind is one of SQLite.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(Arc::new(PgStore::open(url).await?)));
        }
        Ok(Self::Sqlite(Arc::new(SqliteStore::open(url).await?)))
    }

    /// As [`open`](Self::open), but the store hears of no work: it has to look for it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); a file is none that one could listen to.
    pub async fn open_deaf(url: &str) -> Result<Self> {
        let options = PgOptions::parse(url)?.without_notifications();
        Ok(Self::Postgres(Arc::new(PgStore::open_with(options).await?)))
    }

    /// The ports of the store.
    #[must_use]
    pub fn ports(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Commits what is queued, and takes nothing more.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}
