use std::path::PathBuf;
use std::time::Duration;

use worktruck_core::{Error, Result};

use super::account::run;
use super::database::{self, on_another_thread, url_by_socket};
use super::home::{Home, Place};
use super::server::Server;

/// A PostgreSQL server of one test's own, to be stopped, restarted and killed.
///
/// When it is dropped, the server is stopped at once and everything is deleted; so it is when this
/// process is killed. A test that only needs a database takes [`Database`](super::Database).
///
/// Its methods block, for about a second.
///
/// # Examples
///
/// ```
/// use sqlx::{Connection as _, PgConnection};
/// use worktruck_store_pg::testing::{Cluster, ClusterOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = Cluster::start(&ClusterOptions::new())?;
/// let mut before = PgConnection::connect(&cluster.url("postgres")).await?;
/// cluster.restart_immediate()?;
///
/// assert!(before.ping().await.is_err());
/// PgConnection::connect(&cluster.url("postgres")).await?.ping().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    password: Option<String>,
}

/// How the server of a [`Cluster`] runs.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    home: Option<Home>,
    settings: Vec<(String, String)>,
    syncs: bool,
    listens: bool,
}

impl ClusterOptions {
    /// A server that only takes connections at its socket, and writes without waiting for the disk.
    #[must_use]
    pub const fn new() -> Self {
        Self { home: None, settings: Vec::new(), syncs: false, listens: false }
    }

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

    /// Waits at each commit for the disk, as a server in use does.
    #[must_use]
    pub const fn with_sync(mut self) -> Self {
        self.syncs = true;
        self
    }

    /// Takes connections at a free port of 127.0.0.1, too, with a password that is made up.
    #[must_use]
    pub const fn with_loopback(mut self) -> Self {
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
    pub fn start(options: &ClusterOptions) -> Result<Self> {
        let place = options.home.as_ref().map_or_else(Place::usual, Home::open)?;
        let mut settings = Vec::new();
        if !options.syncs {
            settings.extend(["fsync", "full_page_writes"].map(|name| (name.to_owned(), "off".to_owned())));
        }
        settings.extend(options.settings.iter().cloned());
        let lock = place.lock()?;
        let mut server = Server::prepare(&place, &settings, options.listens, Duration::ZERO)?;
        drop(lock);
        server.start()?;
        let mut cluster = Self { server, password: None };
        if options.listens {
            let password = uuid::Uuid::new_v4().simple().to_string();
            let sql = format!("ALTER ROLE postgres PASSWORD '{password}'");
            let set = on_another_thread(database::options(&cluster.url("postgres"))?, sql);
            set.map_err(|error| Error::internal("the test server takes no password").with_source(error))?;
            cluster.password = Some(password);
        }
        Ok(cluster)
    }

    /// The address of `database`, which need not exist, by the server's socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url_by_socket(&self.server.folder, self.server.port(), database)
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
    pub fn restart_immediate(&self) -> Result<()> {
        self.server.control(&["restart", "-m", "immediate"])
    }

    /// Stops the server in order: transactions are broken off, and nothing is left to recover.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub fn stop(&self) -> Result<()> {
        self.server.control(&["stop", "-m", "fast"])
    }

    /// Stops the server as in a crash, breaking every connection off.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub fn stop_immediate(&self) -> Result<()> {
        self.server.control(&["stop", "-m", "immediate"])
    }

    /// Kills the first process of the server. The others go by themselves, each when it sees it.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not run.
    pub fn kill(&self) -> Result<()> {
        let pid = self.postmaster().ok_or_else(|| Error::internal("the test server does not run"))?;
        let data = self.server.data();
        let mut kill = self.server.place.account.script(KILL, &[&data, pid.to_string().as_ref()]);
        run("killing the server", &mut kill, "").map(drop)
    }

    /// Starts the server again after it was stopped or killed, at the same addresses.
    ///
    /// # Errors
    ///
    /// `Internal` if it does not start, or runs already; the source has its log.
    pub fn start_again(&self) -> Result<()> {
        self.server.start_again()
    }

    /// The server's first process, the postmaster; nothing if it was stopped.
    #[must_use]
    pub fn postmaster(&self) -> Option<u32> {
        self.server.postmaster()
    }

    /// The folder of the server's socket.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        self.server.folder.clone()
    }

    /// The file with the server's log. It is deleted with the cluster.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }
}

/// The data folder and the process. Waits until nobody has to ask how it ended: until then, a server
/// that starts takes it for alive.
const KILL: &str = r#"
if ! [ "/proc/$2/cwd" -ef "$1" ]; then
  echo "the server does not run" >&2
  exit 1
fi
kill -KILL "$2"
tries=0
while kill -0 "$2" 2>/dev/null && [ "$tries" -lt 200 ]; do
  tries=$((tries + 1))
  sleep 0.05
done
"#;
