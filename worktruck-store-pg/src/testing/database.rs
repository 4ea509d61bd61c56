use std::fs::File;
use std::sync::{Mutex, PoisonError};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;
use worktruck_core::{Error, Result};

use crate::error::cannot_open;

use super::cluster::{ClusterOptions, folder};
use super::server::Server;

/// A fresh database, empty but for what every database has; removed when it is dropped.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
    admin: String,
}

impl Database {
    /// Makes a database, and starts the shared server if it does not run.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: there are no binaries of a server, or the server that
    ///   `WORKTRUCK_TEST_DATABASE_URL` names does not let us in.
    /// - `Unavailable`: the server cannot be started or reached.
    pub async fn fresh() -> Result<Self> {
        let admin = admin().await?;
        Self::on(admin).await
    }

    /// Makes a database on the server that `admin`, the address of one of its databases, is on.
    ///
    /// # Errors
    ///
    /// As for [`fresh`](Self::fresh).
    pub async fn on(admin: String) -> Result<Self> {
        let name = format!("worktruck_test_{}", Uuid::new_v4().simple());
        execute(&admin, format!("CREATE DATABASE {name}")).await?;
        Ok(Self { url: with_database(&admin, &name), name, admin })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements on it, one or several.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Internal`, with what the server said.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        execute(&self.url, sql.to_owned()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, sql) = (self.admin.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // This may be on a thread of a runtime, which must not be blocked by another one.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // A server that has gone needs no clearing up.
            let _ = runtime.map(|runtime| runtime.block_on(execute(&admin, sql)));
        });
        let _ = dropping.join();
    }
}

async fn execute(url: &str, sql: String) -> Result<()> {
    let mut connection = PgConnection::connect(url).await.map_err(|e| cannot_open("for tests", e))?;
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    done.map_err(|e| Error::internal(format!("a statement of a test failed: {e}")))?;
    // What was asked for is done.
    let _ = connection.close().await;
    Ok(())
}

/// The address of a database of the server to make others on.
async fn admin() -> Result<String> {
    if let Ok(url) = std::env::var("WORKTRUCK_TEST_DATABASE_URL") {
        return Ok(url);
    }
    let started = tokio::task::spawn_blocking(start_shared).await;
    started.map_err(|e| Error::internal("starting the test server was interrupted").with_source(e))?
}

/// The shared server as this process uses it, until its end.
static SHARED: Mutex<Option<(Server, File)>> = Mutex::new(None);

fn start_shared() -> Result<String> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((server, _)) = &*shared {
        return Ok(server.url("postgres"));
    }
    let server = Server::at(folder("shared"))?;
    // The watchdog has the lock alone while it stops the server: afterwards it is seen to be stopped.
    let users = server.lock("users", false)?;
    let start = server.lock("start", true)?;
    if !server.is_running() {
        server.init(&ClusterOptions::new().settings())?;
        server.control(&["start"])?;
        server.watch(":")?;
    }
    drop(start);
    let url = server.url("postgres");
    *shared = Some((server, users));
    Ok(url)
}

/// The address of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = place.split_once("://").unwrap_or(("postgres", place));
    let host = rest.split('/').next().unwrap_or_default();
    let options = if options.is_empty() { String::new() } else { format!("?{options}") };
    format!("{scheme}://{host}/{name}{options}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn another_database_of_the_same_server() {
        for (url, other) in [
            ("postgres://u:p@h:1/a?host=/tmp", "postgres://u:p@h:1/x?host=/tmp"),
            ("postgresql://h", "postgresql://h/x"),
            ("postgres://u@h/a", "postgres://u@h/x"),
        ] {
            assert_eq!(with_database(url, "x"), other);
        }
    }
}
