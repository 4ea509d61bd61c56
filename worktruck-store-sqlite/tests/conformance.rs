//! The conformance suite on SQLite.

use std::sync::Arc;

use tempfile::TempDir;
use worktruck_core::store::Store;
use worktruck_core::testing::conformance::Fixture;
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

struct Sqlite;

impl Fixture for Sqlite {
    type Guard = TempDir;

    async fn fresh() -> (Arc<dyn Store>, TempDir) {
        let folder = tempfile::tempdir().expect("a folder is made");
        let store =
            SqliteStore::open_with(SqliteOptions::new(folder.path().join("store.db"))).await.expect("the store opens");
        (Arc::new(store), folder)
    }
}

worktruck_core::store_conformance!(Sqlite);
