use sqlx::postgres::PgArguments;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Postgres, Row as _, Sqlite,
    SqliteConnection,
};
use worktruck_benches::Result;

/// A connection to the database that has the plain tables. Both write parameters as `$1`.
#[derive(Debug)]
pub(in crate::lists) enum Link {
    Sqlite(SqliteConnection),
    Pg(PgConnection),
}

/// A parameter.
#[derive(Clone, Debug)]
pub(in crate::lists) enum Value {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
}

impl Link {
    /// A new file, used as the readers of the store use theirs.
    pub(in crate::lists) async fn sqlite(path: &std::path::Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        Ok(Self::Sqlite(options.pragma("cache_size", "-8192").disable_statement_logging().connect().await?))
    }

    /// The database at `url`.
    pub(in crate::lists) async fn pg(url: &str) -> Result<Self> {
        let options: sqlx::postgres::PgConnectOptions = url.parse()?;
        Ok(Self::Pg(options.disable_statement_logging().connect().await?))
    }

    /// Runs statements without parameters.
    pub(in crate::lists) async fn run(&mut self, sql: String) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop)?,
            Self::Pg(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs a statement that gives nothing.
    pub(in crate::lists) async fn write(&mut self, sql: String, values: &[Value]) -> Result<()> {
        match self {
            Self::Sqlite(connection) => sqlite(sql, values).execute(connection).await.map(drop)?,
            Self::Pg(connection) => pg(sql, values).execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// The ids of a list, whose rows are read whole.
    pub(in crate::lists) async fn list(&mut self, sql: String, values: &[Value]) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlite(sql, values).fetch_all(connection).await?;
                rows.iter()
                    .map(|row| self::row(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
                    .collect()
            }
            Self::Pg(connection) => {
                let rows = pg(sql, values).fetch_all(connection).await?;
                rows.iter()
                    .map(|row| self::row(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
                    .collect()
            }
        }
    }

    /// The number that a statement gives.
    pub(in crate::lists) async fn number(&mut self, sql: String, values: &[Value]) -> Result<i64> {
        Ok(match self {
            Self::Sqlite(connection) => sqlite(sql, values).fetch_one(connection).await?.try_get(0)?,
            Self::Pg(connection) => pg(sql, values).fetch_one(connection).await?.try_get(0)?,
        })
    }

    /// The text that a statement gives.
    pub(in crate::lists) async fn text(&mut self, sql: String, values: &[Value]) -> Result<String> {
        Ok(match self {
            Self::Sqlite(connection) => sqlite(sql, values).fetch_one(connection).await?.try_get(0)?,
            Self::Pg(connection) => pg(sql, values).fetch_one(connection).await?.try_get(0)?,
        })
    }

    pub(in crate::lists) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Pg(connection) => connection.close().await?,
        }
        Ok(())
    }
}

fn row(id: Vec<u8>, created_at: i64, updated_at: i64, body: &str) -> Result<Vec<u8>> {
    let body: serde_json::Value = serde_json::from_str(body)?;
    std::hint::black_box((created_at, updated_at, body));
    Ok(id)
}

fn sqlite(sql: String, values: &[Value]) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Number(number) => query.bind(*number),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}

fn pg(sql: String, values: &[Value]) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Number(number) => query.bind(*number),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}
