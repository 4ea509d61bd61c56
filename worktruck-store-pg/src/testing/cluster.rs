use std::fs::File;
use std::path::PathBuf;

use uuid::Uuid;
use worktruck_core::Result;

use super::server::Server;

/// How a [`Cluster`] is made.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    settings: Vec<(String, String)>,
    syncs: bool,
}

impl ClusterOptions {
    /// A server that writes to the disk without waiting for it.
    #[must_use]
    pub const fn new() -> Self {
        Self { settings: Vec::new(), syncs: false }
    }

    /// Waits for the disk, as a server in use does.
    #[must_use]
    pub const fn with_sync(mut self) -> Self {
        self.syncs = true;
        self
    }

    /// Sets a setting of the server.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> =
            [("max_connections", "400"), ("shared_buffers", "128MB"), ("max_wal_size", "4GB")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        if !self.syncs {
            settings
                .extend([("fsync".to_owned(), "off".to_owned()), ("full_page_writes".to_owned(), "off".to_owned())]);
        }
        settings.extend(self.settings.iter().cloned());
        settings
    }
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A PostgreSQL server of one's own. Dropping it stops it and removes its data; if this process is
/// killed, a watchdog does so a few seconds later.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    /// Held as long as the server is used.
    _users: File,
}

impl Cluster {
    /// Makes and starts a server.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: there are no binaries of a server.
    /// - `Unavailable`: it does not start; the error has the end of its log.
    pub fn start(options: &ClusterOptions) -> Result<Self> {
        let server = Server::at(folder(&Uuid::new_v4().simple().to_string()))?;
        let users = server.lock("users", false)?;
        server.init(&options.settings())?;
        server.control(&["start"])?;
        server.watch("rm -rf -- \"$1\"")?;
        Ok(Self { server, _users: users })
    }

    /// The address of a database of the server; `postgres` is always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// Where the socket of the server is.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        self.server.folder.clone()
    }

    /// Where the server tells what it does.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }

    /// Stops the server as a crash would, and starts it again.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it does not stop or start.
    pub fn restart_immediate(&self) -> Result<()> {
        self.server.control(&["restart", "-m", "immediate"])
    }

    /// Stops the server as a crash would.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it does not stop.
    pub fn stop_immediate(&self) -> Result<()> {
        self.server.control(&["stop", "-m", "immediate"])
    }

    /// Starts the server after it was stopped.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it does not start.
    pub fn start_again(&self) -> Result<()> {
        self.server.control(&["start"])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What is left is removed by the watchdog.
        if self.server.control(&["stop", "-m", "immediate"]).is_ok() {
            let _ = std::fs::remove_dir_all(&self.server.folder);
        }
    }
}

/// The folder of a server, in the folder for temporary files.
pub(super) fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("worktruck-pg-{name}"))
}
