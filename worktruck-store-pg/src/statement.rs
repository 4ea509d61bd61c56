use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, PgConnection, Postgres, Type};

/// A statement of several parts, `WITH a AS (…), b AS (…) SELECT …`, that takes effect as a whole.
///
/// All parts see the database as it was before the statement.
#[derive(Default)]
pub(crate) struct Statement {
    sql: String,
    arguments: PgArguments,
    count: usize,
    failed: Option<sqlx::error::BoxDynError>,
}

impl Statement {
    /// Adds a value, and gives its place for the text of a part.
    pub(crate) fn bind<'q, T>(&mut self, value: T) -> String
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.failed.get_or_insert(error);
        }
        self.count += 1;
        format!("${}", self.count)
    }

    /// Adds the part `name`.
    pub(crate) fn with(&mut self, name: &str, sql: impl std::fmt::Display) {
        let before = if self.sql.is_empty() { "WITH" } else { "," };
        // Writing to a text cannot fail.
        let _ = write!(self.sql, "{before} {name} AS ({sql})");
    }

    /// Runs the statement with `last` at its end, and gives the rows of that.
    pub(crate) async fn fetch(mut self, connection: &mut PgConnection, last: &str) -> sqlx::Result<Vec<PgRow>> {
        if let Some(error) = self.failed {
            return Err(sqlx::Error::Encode(error));
        }
        self.sql.push(' ');
        self.sql.push_str(last);
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments).fetch_all(connection).await
    }
}

/// Rows of a statement.
pub(crate) trait Rows {
    /// Whether there are none.
    fn is_empty(&self) -> bool;

    /// The rows as a table of the name given.
    fn bind(self, statement: &mut Statement, table: &str) -> String;
}

/// Rows to be bound as one array for each column, and joined as `unnest(…) AS name(columns)`.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident { $($column:ident: $type:ty = $sql:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $name {
            $($column: Vec<$type>,)+
        }

        impl $name {
            pub(crate) fn push(&mut self, $($column: $type),+) {
                $(self.$column.push($column);)+
            }
        }

        impl $crate::statement::Rows for $name {
            fn is_empty(&self) -> bool {
                [$(self.$column.len()),+].iter().all(|len| *len == 0)
            }

            fn bind(self, statement: &mut $crate::statement::Statement, table: &str) -> String {
                let arrays = [$(format!(concat!("{}::", $sql, "[]"), statement.bind(self.$column))),+];
                let names = [$(stringify!($column)),+];
                format!("unnest({}) AS {table}({})", arrays.join(", "), names.join(", "))
            }
        }
    };
}
pub(crate) use columns;
