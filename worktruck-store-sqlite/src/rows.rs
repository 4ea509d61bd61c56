//! Between values of core and columns, and many rows in one statement.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection};
use worktruck_core::{Digest, Error, Result, Timestamp};

use crate::error::OrFailed as _;

/// A statement with the values bound so far.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Inserts `rows` with as few statements as their number allows; `bind` adds one row's columns.
///
/// The sizes of the statements are powers of two, so that the database prepares few of them. While it executes one,
/// the next is put together. One that fails does not take back what it has inserted, which would cost a copy of every
/// page that it touches: whoever runs the transaction takes back all of it.
pub(crate) async fn insert<T>(
    tx: &mut SqliteConnection,
    into: &str,
    columns: usize,
    and_then: &str,
    rows: &[T],
    bind: impl for<'q> Fn(Query<'q>, &T) -> Query<'q> + Sync,
) -> sqlx::Result<()>
where
    T: Sync,
{
    let most = (MOST_PARAMETERS / columns).max(1);
    let mut rest = rows;
    let mut next = || {
        let size = 1 << rest.len().min(most).checked_ilog2()?;
        let (now, later) = rest.split_at(size);
        rest = later;
        let mut sql = format!("INSERT OR FAIL INTO {into} VALUES ");
        for n in 0..size {
            sql.push_str(if n == 0 { "(?" } else { ", (?" });
            sql.push_str(&", ?".repeat(columns - 1));
            sql.push(')');
        }
        sql.push_str(and_then);
        Some(now.iter().fold(sqlx::query(AssertSqlSafe(sql)), &bind))
    };
    let mut query = next();
    while let Some(now) = query {
        // What is polled first is under way when the other begins.
        let (executed, later) = tokio::join!(biased; now.execute(&mut *tx), async { next() });
        executed?;
        query = later;
    }
    Ok(())
}

/// Of one statement; each is a trip to the thread of the connection. SQLite allows 32,766.
const MOST_PARAMETERS: usize = 4_096;

/// The bytes of an id.
pub(crate) trait IdBytes {
    /// As the tables keep it.
    fn bytes(self) -> Vec<u8>;
    /// As a list in a JSON parameter has it.
    fn hex(self) -> String;
}

macro_rules! ids {
    ($($id:ident),*) => {
        $(impl IdBytes for worktruck_core::$id {
            fn bytes(self) -> Vec<u8> {
                self.as_uuid().into_bytes().to_vec()
            }

            fn hex(self) -> String {
                self.as_uuid().simple().to_string()
            }
        }

        impl FromBytes for worktruck_core::$id {
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                uuid::Uuid::from_slice(bytes).ok().map(Self::from_uuid)
            }
        })*
    };
}

ids!(ApiKeyId, ApprovalId, DeliveryId, EntityId, RunId, TenantId);

/// What a column of bytes can hold.
pub(crate) trait FromBytes: Sized {
    /// The value with these bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl FromBytes for uuid::Uuid {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl FromBytes for Digest {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }
}

/// Reads columns as values of core.
pub(crate) trait Columns {
    /// An id or a digest.
    fn bytes<T: FromBytes>(&self, column: &'static str) -> Result<T>;
    /// An id or a digest that may be absent.
    fn maybe_bytes<T: FromBytes>(&self, column: &'static str) -> Result<Option<T>>;
    /// A number, which is not negative.
    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T>;
    /// A moment.
    fn time(&self, column: &'static str) -> Result<Timestamp>;
    /// A moment that may be absent.
    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>>;
    /// A text.
    fn text(&self, column: &'static str) -> Result<&str>;
    /// A JSON text.
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T>;
    /// A JSON text that may be absent.
    fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>>;
}

impl Columns for SqliteRow {
    fn bytes<T: FromBytes>(&self, column: &'static str) -> Result<T> {
        self.maybe_bytes(column)?.ok_or_else(|| damaged(column))
    }

    fn maybe_bytes<T: FromBytes>(&self, column: &'static str) -> Result<Option<T>> {
        let bytes: Option<&[u8]> = self.try_get(column).or_failed("read a row")?;
        bytes.map(|bytes| T::from_bytes(bytes).ok_or_else(|| damaged(column))).transpose()
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        let number: i64 = self.try_get(column).or_failed("read a row")?;
        T::try_from(number).map_err(|_| damaged(column))
    }

    fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.number(column).map(Timestamp::from_micros)
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        let micros: Option<i64> = self.try_get(column).or_failed("read a row")?;
        Ok(micros.map(Timestamp::from_micros))
    }

    fn text(&self, column: &'static str) -> Result<&str> {
        self.try_get(column).or_failed("read a row")
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        from_json(self.text(column)?, column)
    }

    fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        let text: Option<&str> = self.try_get(column).or_failed("read a row")?;
        text.map(|text| from_json(text, column)).transpose()
    }
}

/// The value as JSON text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::invalid("value has no JSON form").with_source(e))
}

/// A count as a column has it.
pub(crate) fn number(count: impl TryInto<i64>) -> Result<i64> {
    count.try_into().map_err(|_| Error::internal("a number does not fit into the store"))
}

fn from_json<T: DeserializeOwned>(text: &str, column: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| damaged(column).with_source(e))
}

pub(crate) fn damaged(column: &str) -> Error {
    Error::internal(format!("the store holds a damaged {column}"))
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    fn bind<'q>(query: Query<'q>, number: &i64) -> Query<'q> {
        query.bind(*number)
    }

    async fn numbers(tx: &mut SqliteConnection) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM number ORDER BY n").fetch_all(tx).await.unwrap()
    }

    #[tokio::test]
    async fn any_number_of_rows_is_inserted_and_one_that_is_refused_is_for_the_transaction_to_take_back() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE number (n INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
        let many: Vec<i64> = (0..10_007).collect();
        for rows in [&[][..], &many[..1], &many[1..3], &many[3..]] {
            insert(&mut connection, "number (n)", 1, "", rows, bind).await.unwrap();
        }
        assert_eq!(numbers(&mut connection).await, many);

        sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
        insert(&mut connection, "number (n)", 1, "", &[20_000, 20_001, 7, 20_002], bind).await.unwrap_err();
        assert_eq!(numbers(&mut connection).await.len(), many.len() + 2);
        sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
        assert_eq!(numbers(&mut connection).await, many);
    }
}
