//! The conformance suite on PostgreSQL.

use std::sync::Arc;

use worktruck_core::store::Store;
use worktruck_core::testing::conformance::Fixture;
use worktruck_store_pg::PgStore;
use worktruck_store_pg::testing::Database;

struct Pg;

impl Fixture for Pg {
    type Guard = Database;

    async fn fresh() -> (Arc<dyn Store>, Database) {
        let database = Database::fresh().await.expect("a database is made");
        let store = PgStore::open(database.url()).await.expect("the store opens");
        (Arc::new(store), database)
    }
}

worktruck_core::store_conformance!(Pg);
