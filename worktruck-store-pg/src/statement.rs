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

    /// Rows whose columns are bound as one array each, as a table of the name given.
    ///
    /// A function that gives the elements of many arrays keeps each array's in a store of its own: of a
    /// few rows, picking each element by its place takes less. Of many, a text far back in its array is
    /// found faster the other way.
    pub(crate) fn table(&mut self, table: &str, len: usize, columns: &[Column]) -> String {
        let join = |text: fn(&Column) -> String| columns.iter().map(text).collect::<Vec<_>>().join(", ");
        if len > FEW {
            let arrays = join(|column| format!("{}::{}[]", column.array, column.sql_type));
            return format!("unnest({arrays}) AS {table}({})", join(|column| column.name.to_owned()));
        }
        let elements = join(|column| format!("({}::{}[])[n] AS {}", column.array, column.sql_type, column.name));
        let places: Vec<i32> = (1..).take(len).collect();
        format!("(SELECT {elements} FROM unnest({}::int[]) AS n) AS {table}", self.bind(places))
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

/// How many rows are few.
const FEW: usize = 64;

/// A column of rows, all of whose values are in one array.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) sql_type: &'static str,
    /// The place of the array among the values of the statement.
    pub(crate) array: String,
}

/// Rows of a statement.
pub(crate) trait Rows {
    /// Whether there are none.
    fn is_empty(&self) -> bool;

    /// The rows as a table of the name given.
    fn bind(self, statement: &mut Statement, table: &str) -> String;
}

/// Rows to be bound as one array for each column.
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
                let len = [$(self.$column.len()),+].into_iter().max().unwrap_or_default();
                let columns = [$($crate::statement::Column {
                    name: stringify!($column),
                    sql_type: $sql,
                    array: statement.bind(self.$column),
                }),+];
                statement.table(table, len, &columns)
            }
        }
    };
}
pub(crate) use columns;
