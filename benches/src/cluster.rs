//! A PostgreSQL cluster of its own for a measurement.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::Result;

/// What is set in the cluster that is measured; everything else is as the server ships.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("autovacuum", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("max_connections", "200"),
    ("listen_addresses", ""),
    ("shared_preload_libraries", "pg_stat_statements"),
    // Counting costs time: it begins where it is wanted.
    ("pg_stat_statements.track", "none"),
    ("pg_stat_statements.max", "20000"),
];

/// A cluster that is gone when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    databases: AtomicUsize,
}

impl Cluster {
    /// Makes a cluster in `folder`, the system's folder for temporary files if there is none, and
    /// starts it.
    ///
    /// # Errors
    ///
    /// If there are no programs of a server, or one of them fails.
    pub fn start(folder: Option<&Path>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let cluster = Self { programs: programs()?, folder, databases: AtomicUsize::new(0) };
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(cluster.folder.path()))?;
        }
        let data = cluster.data();
        run(cluster.program("initdb").arg("--pgdata").arg(&data).args(["--username=postgres", "--auth=trust"]))?;
        let mut settings = format!("unix_socket_directories = '{}'\n", cluster.folder.path().display());
        for (name, value) in SETTINGS {
            settings.push_str(&format!("{name} = '{value}'\n"));
        }
        let file = data.join("postgresql.conf");
        let shipped = std::fs::read_to_string(&file)?;
        std::fs::write(&file, shipped + &settings)?;
        let log = cluster.folder.path().join("log");
        // Its output is not ours: whoever waits for ours to end would wait for the server.
        run(cluster
            .program("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(log))?;
        Ok(cluster)
    }

    /// A database with nothing in it, and its address.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub async fn database(&self) -> Result<Database> {
        let name = format!("measured_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let mut admin = self.admin().await?;
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        admin.close().await?;
        let socket = self.folder.path().display();
        Ok(Database { url: format!("postgres://postgres@localhost/{name}?host={socket}"), name })
    }

    /// A connection that is not to the databases that are measured.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub async fn admin(&self) -> Result<PgConnection> {
        let options = PgConnectOptions::new().socket(self.folder.path()).username("postgres").database("postgres");
        Ok(options.disable_statement_logging().connect().await?)
    }

    /// Cleans a database up and counts what is in it, as the server does by itself after a while.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub async fn tidy(&self, database: &Database) -> Result<()> {
        let options = PgConnectOptions::new().socket(self.folder.path()).username("postgres").database(&database.name);
        let mut connection = options.disable_statement_logging().connect().await?;
        connection.execute("VACUUM ANALYZE").await?;
        connection.execute("CHECKPOINT").await?;
        Ok(connection.close().await?)
    }

    /// A program of the server, as the user who owns the cluster.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !rustix::process::geteuid().is_root() {
            return quiet(Command::new(program));
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        quiet(command)
    }

    /// Where the server's socket is.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stop = ["stop", "--mode=immediate", "--silent", "--pgdata"];
        // Whoever drops it has no use for the error, and the folder goes in any case.
        let _ = run(self.program("pg_ctl").args(stop).arg(self.data()));
    }
}

/// A database of a cluster.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its address.
    pub url: String,
    /// Its name.
    pub name: String,
}

/// Where the server's programs are: where Debian puts them, the newest first, or in the path.
fn programs() -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten() {
        let folder = entry?.path().join("bin");
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        if folder.join("initdb").exists() {
            found.push((version, folder));
        }
    }
    if let Some((_, folder)) = found.into_iter().max() {
        return Ok(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    folder.ok_or_else(|| "no PostgreSQL server: install one (on Debian: postgresql)".into())
}

fn quiet(mut command: Command) -> Command {
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Runs a command to its end, and gives what it printed.
///
/// # Errors
///
/// With what it wrote to standard error, if it fails.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
