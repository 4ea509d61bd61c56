use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use worktruck_core::{Error, Result};

use super::account::run;
use super::home::{Home, Place};
use super::server::Server;
use super::{blocking, database};

/// A PostgreSQL server of one test's own, to be stopped, restarted and killed.
///
/// When it is dropped, the server is stopped at once and everything is deleted; so it is when this
/// process is killed. A test that only needs a database takes [`Database`](super::Database).
///
/// # Cancel safety
///
/// What a method has begun goes on when its future is dropped, and the next one waits for it.
///
/// # Examples
///
/// ```
/// use sqlx::{Connection as _, PgConnection};
/// use worktruck_store_pg::testing::{Cluster, ClusterOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = Cluster::start(ClusterOptions::default()).await?;
/// let mut before = PgConnection::connect(&cluster.url("postgres")).await?;
/// cluster.restart_immediate().await?;
///
/// assert!(before.ping().await.is_err());
/// PgConnection::connect(&cluster.url("postgres")).await?.ping().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cluster {
    server: Arc<Server>,
    password: Option<String>,
}

/// How the server of a [`Cluster`] runs.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    home: Option<Home>,
    settings: Vec<(String, String)>,
    durable: bool,
    listens: bool,
}

impl ClusterOptions {
    /// Lives in `home`.
    #[must_use]
    pub fn with_home(mut self, home: Home) -> Self {
        self.home = Some(home);
        self
    }

    /// Sets a parameter of the server, such as `max_connections`.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Waits at each commit until it is on the disk, as a server in production does; unless set, it
    /// does not, and only a loss of the whole machine would show.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Takes connections at a free port of 127.0.0.1, too, with a password that is made up.
    #[must_use]
    pub const fn on_loopback(mut self) -> Self {
        self.listens = true;
        self
    }
}

impl Cluster {
    /// Starts a new server, without any database but `postgres`.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: there are no programs of a server, or no folder to run it in.
    /// - `Internal`: the server does not start; the source has its log.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        let ClusterOptions { home, settings: given, durable, listens } = options;
        let server = blocking(move || {
            let place = home.map_or_else(Place::usual, |home| home.open())?;
            let mut settings = Vec::new();
            if !durable {
                settings.extend(["fsync", "full_page_writes"].map(|name| (name.to_owned(), "off".to_owned())));
            }
            settings.extend(given);
            let lock = place.lock()?;
            let mut server = Server::prepare(&place, &settings, listens, Duration::ZERO)?;
            drop(lock);
            server.start()?;
            Ok(server)
        });
        let mut cluster = Self { server: Arc::new(server.await?), password: None };
        if listens {
            let password = uuid::Uuid::new_v4().simple().to_string();
            cluster.set_password(&password).await?;
            cluster.password = Some(password);
        }
        Ok(cluster)
    }

    /// The address of `database`, which need not exist, by the server's socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        database::url_by_socket(&self.server.folder, self.server.port(), database)
    }

    /// The address of `database` by TCP; nothing if the server does not listen.
    #[must_use]
    pub fn loopback_url(&self, database: &str) -> Option<String> {
        let password = self.password.as_deref()?;
        let port = self.server.port();
        Some(format!("postgres://postgres:{password}@127.0.0.1:{port}/{database}?sslmode=disable"))
    }

    /// Stops the server as in a crash, breaking every connection off, and starts it again: it comes
    /// back with what was committed.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not come back.
    pub async fn restart_immediate(&self) -> Result<()> {
        self.with_server(|server| server.control(&["restart", "-m", "immediate"])).await
    }

    /// Stops the server in order: transactions are broken off, and nothing is left to recover.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub async fn stop(&self) -> Result<()> {
        self.with_server(|server| server.control(&["stop", "-m", "fast"])).await
    }

    /// Stops the server as in a crash, breaking every connection off.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub async fn stop_immediate(&self) -> Result<()> {
        self.with_server(|server| server.control(&["stop", "-m", "immediate"])).await
    }

    /// Kills the first process of the server. The others go by themselves, each when it sees it.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub async fn kill(&self) -> Result<()> {
        self.with_server(|server| {
            let pid = server.postmaster().ok_or_else(|| Error::internal("the test server does not run"))?;
            let mut kill = server.place.account.command("kill");
            run("killing the server", kill.args(["-KILL", &pid.to_string()]), "").map(drop)
        })
        .await
    }

    /// Starts the server again after it was stopped or killed, at the same addresses.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not start, or runs already; the source has its log.
    pub async fn start_again(&self) -> Result<()> {
        self.with_server(Server::start_again).await
    }

    /// The server's first process, the postmaster; nothing if it was stopped.
    #[must_use]
    pub fn postmaster(&self) -> Option<u32> {
        self.server.postmaster()
    }

    /// The file with the server's log. It is deleted with the cluster.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }

    async fn with_server(&self, work: impl FnOnce(&Server) -> Result<()> + Send + 'static) -> Result<()> {
        let server = self.server.clone();
        blocking(move || work(&server)).await
    }

    async fn set_password(&self, password: &str) -> Result<()> {
        let failed = |error| Error::internal("the test server takes no password").with_source(error);
        let mut connection = PgConnection::connect(&self.url("postgres")).await.map_err(failed)?;
        let sql = format!("ALTER ROLE postgres PASSWORD '{password}'");
        connection.execute(AssertSqlSafe(sql)).await.map_err(failed)?;
        Ok(())
    }
}
