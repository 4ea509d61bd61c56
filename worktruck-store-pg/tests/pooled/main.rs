//! The store behind a pool that gives every transaction another connection: the conformance suite, and
//! what processes that share a pool do at the same time.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

mod sharing;

use std::sync::Arc;

use worktruck_core::store::Store;
use worktruck_core::testing::conformance::Fixture;
use worktruck_store_pg::testing::{Database, Pooler};
use worktruck_store_pg::{PgOptions, PgStore};

/// So few that connections of the server change hands all the time.
const CONNECTIONS: u32 = 3;

/// A store behind the pool.
async fn open(pooler: &Pooler) -> PgStore {
    let options = PgOptions::parse(pooler.url()).unwrap().behind_transaction_pool();
    PgStore::open_with(options).await.unwrap()
}

struct Pooled;

impl Fixture for Pooled {
    type Guard = (Pooler, Database);

    async fn fresh() -> (Arc<dyn Store>, (Pooler, Database)) {
        let database = Database::fresh().await.unwrap();
        let pooler = Pooler::start(database.url(), CONNECTIONS).unwrap();
        let store = open(&pooler).await;
        (Arc::new(store), (pooler, database))
    }
}

worktruck_core::store_conformance!(Pooled);
