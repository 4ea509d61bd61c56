//! The conformance suite on PostgreSQL.

use std::sync::Arc;

use worktruck_core::store::Store;
use worktruck_core::testing::conformance::Fixture;
use worktruck_store_pg::PgStore;

struct Pg;

impl Fixture for Pg {
    type Guard = ();

    async fn fresh() -> (Arc<dyn Store>, ()) {
        use sqlx::{Connection as _, Executor as _};
        let mut admin = sqlx::PgConnection::connect("postgres://postgres@127.0.0.1:5599/postgres").await.expect("server");
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("database");
        let store = PgStore::open(&format!("postgres://postgres@127.0.0.1:5599/{name}")).await.expect("the store opens");
        (Arc::new(store), ())
    }
}

worktruck_core::store_conformance!(Pg);
