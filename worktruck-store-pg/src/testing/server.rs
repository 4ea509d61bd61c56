use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use worktruck_core::{Error, Result};

/// The data of a server in a folder, and the programs that run it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Holds the data, the socket, the log and the lock of those who use it.
    pub(super) folder: PathBuf,
    binaries: PathBuf,
    /// Who the server runs as, if that is somebody else.
    user: Option<(u32, u32)>,
}

/// The name of the socket has this number in it; the folder tells servers apart.
const PORT: u16 = 5432;
/// How long the name of a socket may be, and what is added to that of its folder.
const LONGEST_SOCKET: usize = 107 - "/.s.PGSQL.5432.lock".len();

impl Server {
    /// The server in `folder`, which is made if it does not exist.
    pub(super) fn at(folder: PathBuf) -> Result<Self> {
        if folder.as_os_str().len() > LONGEST_SOCKET {
            return Err(Error::invalid(format!(
                "{} is too long for the folder of a socket: set TMPDIR to a shorter one",
                folder.display()
            )));
        }
        let server = Self { folder, binaries: binaries()?, user: user()? };
        if let Err(error) = fs::create_dir(&server.folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(failed("make the folder of a test server", error));
        }
        server.give(&server.folder, 0o700)?;
        Ok(server)
    }

    /// The address of a database of the server.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:{PORT}/{database}?host={}", self.folder.display())
    }

    /// Where the server tells what it does.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A lock on the file `name`: whoever has it shared keeps others from having it alone.
    pub(super) fn lock(&self, name: &str, alone: bool) -> Result<File> {
        let path = self.folder.join(name);
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = open.map_err(|e| failed("open the lock of a test server", e))?;
        self.give(&path, 0o600)?;
        let locked = if alone { file.lock() } else { file.lock_shared() };
        locked.map_err(|e| failed("lock a test server", e))?;
        Ok(file)
    }

    /// Makes the data, if they are not there. Data that were half made are made again.
    pub(super) fn init(&self, settings: &[(String, String)]) -> Result<()> {
        if self.data().join("PG_VERSION").exists() {
            return Ok(());
        }
        let begun = self.folder.join("begun");
        if begun.exists() {
            fs::remove_dir_all(&begun).map_err(|e| failed("clear a test server", e))?;
        }
        let mut init = self.command("initdb");
        run(self
            .as_user(&mut init)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pgdata")
            .arg(&begun))?;
        let mut conf = format!("listen_addresses = ''\nunix_socket_directories = '{}'\n", self.folder.display());
        for (name, value) in settings {
            conf.push_str(&format!("{name} = '{value}'\n"));
        }
        fs::write(begun.join("postgresql.auto.conf"), conf)
            .map_err(|e| failed("write settings of a test server", e))?;
        self.give(&begun.join("postgresql.auto.conf"), 0o600)?;
        fs::rename(&begun, self.data()).map_err(|e| failed("make a test server", e))
    }

    /// Whether the server runs.
    pub(super) fn is_running(&self) -> bool {
        let mut status = self.command("pg_ctl");
        self.as_user(&mut status).arg("status").arg("-D").arg(self.data());
        status.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Does `action` of `pg_ctl`, and waits for it.
    pub(super) fn control(&self, action: &[&str]) -> Result<()> {
        let mut control = self.command("pg_ctl");
        let control = self.as_user(&mut control).args(action).arg("-w").arg("-D").arg(self.data());
        if action.first() != Some(&"stop") {
            control.arg("-l").arg(self.log());
        }
        run(control).map_err(|error| {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(20).collect();
            Error::unavailable(format!(
                "{error}; its log ends with:\n{}",
                end.into_iter().rev().collect::<Vec<_>>().join("\n")
            ))
        })
    }

    /// Starts a process that stops the server when nobody holds the lock `users` any more, and then
    /// runs `and_then`, a command of the shell in which `$1` is the folder.
    pub(super) fn watch(&self, and_then: &str) -> Result<()> {
        let script = format!(
            "cd /; while sleep 2; do
                 flock --nonblock --exclusive \"$1/users\" \"$2/pg_ctl\" stop -m immediate -D \"$1/data\" && break
             done; {and_then}"
        );
        let mut shell = Command::new("sh");
        let shell = self.as_user(&mut shell).arg("-c").arg(script).arg("watch").arg(&self.folder).arg(&self.binaries);
        // A group of its own: what ends the tests does not end it.
        let shell = shell.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().map(drop).map_err(|e| failed("watch a test server", e))
    }

    fn command(&self, name: &str) -> Command {
        Command::new(self.binaries.join(name))
    }

    fn as_user<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir("/")
    }

    /// Makes a file or folder the server's.
    fn give(&self, path: &Path, mode: u32) -> Result<()> {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).map_err(|e| failed("give a file to a test server", e))?;
        } else if fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o777 == mode) {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|e| failed("close a test server's files", e))
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    // A server that is started keeps what it inherits: its output must not be waited for.
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = output.map_err(|e| failed("start a program of the server", e))?;
    if status.success() { Ok(()) } else { Err(Error::unavailable(format!("{name} failed with {status}"))) }
}

fn failed(what: &str, error: io::Error) -> Error {
    Error::unavailable(format!("could not {what}")).with_source(error)
}

/// The folder with the newest binaries.
fn binaries() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("WORKTRUCK_TEST_PG_BIN") {
        let folder = PathBuf::from(folder);
        return if has_server(&folder) { Ok(folder) } else { Err(missing(&format!("{} has none", folder.display()))) };
    }
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    installed.sort();
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed.into_iter().rev().map(|(_, folder)| folder).chain(std::env::split_paths(&in_path));
    found.into_iter().find(|folder| has_server(folder)).ok_or_else(|| missing("none were found"))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists())
}

fn missing(why: &str) -> Error {
    Error::invalid(format!(
        "tests need the binaries of a PostgreSQL server, and {why}: install them (on Debian: apt-get install \
         postgresql), name their folder in WORKTRUCK_TEST_PG_BIN, or name a server in WORKTRUCK_TEST_DATABASE_URL"
    ))
}

/// Who the server runs as where we are root, which it refuses to run as.
fn user() -> Result<Option<(u32, u32)>> {
    let own = fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    if own.map_err(|e| failed("see who runs the tests", e))? != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|e| failed("look for a user for a test server", e))?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    found.map(Some).ok_or_else(|| Error::invalid("root may not run a PostgreSQL server: make a user named postgres"))
}
