//! Stores to ask, and roles to ask them as.

use std::str::FromStr as _;

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use worktruck_store_pg::PgStore;
use worktruck_store_pg::testing::Database;

/// A store in a database of its own.
pub(crate) struct Place {
    pub(crate) store: PgStore,
    database: Database,
}

impl Place {
    pub(crate) async fn fresh() -> Self {
        let database = Database::fresh().await.expect("a database is made");
        let store = PgStore::open(database.url()).await.expect("the store opens");
        Self { store, database }
    }

    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// A session of whoever owns the tables.
    pub(crate) async fn owner(&self) -> Session {
        Session::open(PgConnectOptions::from_str(self.url()).expect("the address is one")).await
    }

    /// Makes a role that may log in, with these attributes too.
    pub(crate) async fn role(&self, attributes: &str) -> Role {
        let name = format!("Role \"{}\"", uuid::Uuid::new_v4().simple());
        let role = Role { name, url: self.url().to_owned() };
        self.owner().await.run(&format!("CREATE ROLE {} LOGIN {attributes}", role.quoted())).await;
        role
    }
}

/// A role of the server, with a name that has to be quoted; dropped with all that it was granted.
pub(crate) struct Role {
    pub(crate) name: String,
    url: String,
}

impl Role {
    /// Its name in SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// A session of this role.
    pub(crate) async fn log_in(&self) -> Session {
        let options = PgConnectOptions::from_str(&self.url).expect("the address is one");
        Session::open(options.username(&self.name)).await
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let (url, role) = (self.url.clone(), self.quoted());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let mut session = Session::open(PgConnectOptions::from_str(&url).expect("the address is one")).await;
                // A test may have dropped it.
                let _ = session.try_run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
            });
        });
        let _ = dropping.join();
    }
}

/// Somebody at a prompt, who asks what they like.
pub(crate) struct Session(PgConnection);

impl Session {
    async fn open(options: PgConnectOptions) -> Self {
        let options = options.options([("search_path", "worktruck")]).disable_statement_logging();
        Self(options.connect().await.expect("the server lets the role in"))
    }

    /// Runs statements that must succeed.
    pub(crate) async fn run(&mut self, sql: &str) {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs statements; gives how many rows the last one changed.
    pub(crate) async fn try_run(&mut self, sql: &str) -> sqlx::Result<u64> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await?;
        Ok(done.rows_affected())
    }

    /// The code of the error that `sql` must end with.
    pub(crate) async fn refused(&mut self, sql: &str) -> String {
        match self.try_run(sql).await {
            Err(sqlx::Error::Database(error)) => error.code().expect("errors of the server have codes").into_owned(),
            other => panic!("{sql} must be refused, but: {other:?}"),
        }
    }

    /// The rows of a query as JSON objects.
    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<Value> {
        let sql = format!("SELECT to_jsonb(q)::text AS row FROM ({sql}) q");
        let rows = sqlx::query(AssertSqlSafe(sql.clone())).fetch_all(&mut self.0).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| serde_json::from_str(row.get("row")).expect("a row is JSON")).collect()
    }

    /// The one row of a query.
    pub(crate) async fn row(&mut self, sql: &str) -> Value {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// The texts of a query with one column.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let texts = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await;
        texts.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The count that a query gives.
    pub(crate) async fn count(&mut self, sql: &str) -> i64 {
        let count = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.0).await;
        count.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The plan of a query.
    pub(crate) async fn plan(&mut self, sql: &str) -> String {
        self.texts(&format!("EXPLAIN (VERBOSE) {sql}")).await.join("\n")
    }

    pub(crate) async fn close(self) {
        let _ = self.0.close().await;
    }
}
