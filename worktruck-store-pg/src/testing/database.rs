use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;
use std::{env, io, thread};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use worktruck_core::{Error, Result};

use crate::error::cannot_open;

use super::home::{Home, Place};
use super::server::Server;
use super::{blocking, shared};

/// The variable that names the server to make databases on.
const VARIABLE: &str = "WORKTRUCK_TEST_DATABASE_URL";

/// An empty database of one test's own.
///
/// When it is dropped, so is the database, whoever is still connected to it. On the server that
/// `WORKTRUCK_TEST_DATABASE_URL` names, a test that is killed leaves its database behind, with a
/// name that begins with `worktruck_test_`; elsewhere it goes with its server.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    admin: PgConnectOptions,
    /// Keeps the shared server running.
    _shared: Option<Server>,
}

impl Database {
    /// A new database on the server that `WORKTRUCK_TEST_DATABASE_URL` names, or on the one that all
    /// tests of this user share.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: there are no programs of a server, or no folder to run it in, or what
    ///   `WORKTRUCK_TEST_DATABASE_URL` names is no server on which this user may make databases.
    /// - `Internal`: the server does not start; the source has its log.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a database may be left behind.
    pub async fn fresh() -> Result<Self> {
        match env::var(VARIABLE) {
            Ok(url) => Self::on(url).await,
            Err(env::VarError::NotPresent) => Self::on_shared(Place::usual).await,
            Err(error) => Err(Error::invalid(format!("{VARIABLE} cannot be read")).with_source(error)),
        }
    }

    /// A new database on the server that those who use `home` share.
    ///
    /// # Errors
    ///
    /// As for [`fresh`](Self::fresh).
    pub async fn fresh_in(home: &Home) -> Result<Self> {
        let home = home.clone();
        Self::on_shared(move || home.open()).await
    }

    /// A new database on the server that `admin`, the address of one of its databases, is on.
    ///
    /// # Errors
    ///
    /// As for [`fresh`](Self::fresh).
    pub async fn on(admin: String) -> Result<Self> {
        Self::create(&admin, |name| with_database(&admin, name), None).await
    }

    /// The address of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements on the database, one or several.
    ///
    /// # Errors
    ///
    /// As for opening a store if the database cannot be reached; `Internal`, with what the server
    /// said, if it refuses a statement.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        execute(&options(&self.url)?, sql.to_owned())
            .await
            .map_err(|error| failed("a statement of a test failed", error))
    }

    async fn on_shared(place: impl FnOnce() -> Result<Place> + Send + 'static) -> Result<Self> {
        let server = blocking(move || shared::join(&place()?)).await?;
        let (folder, port) = (server.folder.clone(), server.port());
        let admin = url_by_socket(&folder, port, "postgres");
        Self::create(&admin, |name| url_by_socket(&folder, port, name), Some(server)).await
    }

    async fn create(admin: &str, url: impl FnOnce(&str) -> String, shared: Option<Server>) -> Result<Self> {
        let admin = options(admin)?;
        let name = format!("worktruck_test_{}", uuid::Uuid::new_v4().simple());
        // Nobody is ever connected to this template, so that any number can be copied at a time.
        let created = execute(&admin, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
        created.map_err(|error| failed("a test database cannot be made", error))?;
        Ok(Self { url: url(&name), name, admin, _shared: shared })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A database that stays is in nobody's way.
        on_another_thread(self.admin.clone(), sql).ok();
    }
}

/// Runs statements, blocking. This thread may be inside a runtime, which must not be blocked on.
pub(super) fn on_another_thread(server: PgConnectOptions, sql: String) -> sqlx::Result<()> {
    let done = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, execute(&server, sql)).await })
            .map_err(io::Error::other)?
    });
    done.join().unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// How long to wait for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

async fn execute(server: &PgConnectOptions, sql: String) -> sqlx::Result<()> {
    let mut connection = server.connect().await?;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    connection.close().await
}

fn failed(what: &str, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(error) => Error::internal(what).with_source(error.into_error()),
        error => cannot_open("for tests", error),
    }
}

/// The server at `url`. What it may be wrong with is not repeated: there may be a password in it.
pub(super) fn options(url: &str) -> Result<PgConnectOptions> {
    PgConnectOptions::from_str(url).map_err(|_| Error::invalid("the address of a test server cannot be read"))
}

/// The address of `database` on the server whose socket is in `folder`.
pub(super) fn url_by_socket(folder: &Path, port: u16, database: &str) -> String {
    let folder: String = folder.to_string_lossy().bytes().map(escaped).collect();
    format!("postgres://postgres@localhost/{database}?host={folder}&port={port}&sslmode=disable")
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// `url` with another database.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let start = address.find("://").map_or(0, |at| at + 3);
    let end = address[start..].find('/').map_or(address.len(), |at| start + at);
    // Would be preferred to the path.
    let query = query.map(|query| query.split('&').filter(|pair| !pair.starts_with("dbname=")));
    let query = query.map(|pairs| pairs.collect::<Vec<_>>().join("&")).filter(|query| !query.is_empty());
    format!("{}/{name}{}", &address[..end], query.map(|query| format!("?{query}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_everything_but_its_database() {
        for (url, expected) in [
            ("postgres://u:p%2F@h:1/postgres", "postgres://u:p%2F@h:1/fresh"),
            ("postgres://h", "postgres://h/fresh"),
            ("postgres://u@localhost?host=/run/pg", "postgres://u@localhost/fresh?host=/run/pg"),
            ("postgresql://h/a?dbname=b&sslmode=require", "postgresql://h/fresh?sslmode=require"),
        ] {
            assert_eq!(with_database(url, "fresh"), expected);
        }
    }

    #[test]
    fn a_folder_of_any_name_can_be_in_an_address() {
        let url = url_by_socket(Path::new("/tmp/a b&c/é"), 1, "d");
        let options = PgConnectOptions::from_str(&url).unwrap();
        assert_eq!(options.get_socket().unwrap(), Path::new("/tmp/a b&c/é"));
        assert_eq!((options.get_database(), options.get_port()), (Some("d"), 1));
    }
}
