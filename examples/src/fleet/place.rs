//! Where the fleet keeps its runs.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use worktruck_agents::clock::RandomIds;
use worktruck_core::{Error, IdSource as _, Result, Timestamp};

/// A schema of its own in a database that was named, or a server that is removed with all that is
/// in it.
#[derive(Debug)]
pub struct Place {
    /// The database.
    pub url: String,
    /// The schema in it.
    pub schema: String,
    keep: bool,
}

impl Place {
    /// A new schema in the database `url`, or a throw-away server.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if no PostgreSQL is installed.
    pub async fn find(url: Option<String>, keep: bool) -> Result<Self> {
        let id = RandomIds::new().next_uuid(Timestamp::EPOCH).simple().to_string();
        let schema = format!("worktruck_fleet_{}", &id[24..]);
        let url = url.ok_or_else(|| Error::invalid("name a database with --store"))?;
        Ok(Self { url, schema, keep })
    }

    /// Whether what is in it stays.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.keep
    }

    /// Removes what the fleet has made, unless it is to stay.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the database cannot be reached.
    pub async fn clear(self) -> Result<()> {
        if self.keep {
            return Ok(());
        }
        let failed =
            |error| Error::unavailable(format!("the schema {} cannot be removed", self.schema)).with_source(error);
        let mut connection = PgConnection::connect(&self.url).await.map_err(failed)?;
        let drop = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.schema);
        connection.execute(AssertSqlSafe(drop)).await.map_err(failed)?;
        Ok(())
    }
}
