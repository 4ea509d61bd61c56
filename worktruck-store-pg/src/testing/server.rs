use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use worktruck_core::{Error, Result};

use super::account::run;
use super::home::{Place, unusable};

/// The port that stands in the name of a socket, where no other is meant.
const PORT: u16 = 5432;

/// A folder with a server's data, socket and log, and the right to use it.
///
/// The right is a shared lock on the folder. A process of its own watches it: when nobody holds the
/// lock any more, however that came about, it stops the server and deletes the folder.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) folder: PathBuf,
    port: u16,
    listens: bool,
    used: Option<File>,
    control: Mutex<()>,
    /// Waited for in the end, unless the server is left to others.
    watch: Option<Child>,
}

impl Server {
    /// A new folder with a server that is not running yet. The lock of the place must be held.
    ///
    /// `listens` is whether it will take connections by TCP, too, and `grace` how long it goes on
    /// without anybody who uses it.
    pub(super) fn prepare(
        place: &Place,
        settings: &[(String, String)],
        listens: bool,
        grace: Duration,
    ) -> Result<Self> {
        let template = place.template()?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let folder = place.servers().join(&name[..12]);
        let mut prepare = place.account.script(PREPARE, &[&folder, &template]);
        run("making the folder of a server", &mut prepare, &configuration(&folder, settings, listens))?;
        let used = use_of(&folder)?;
        let watch = watch(place, &folder, grace)?;
        let mut server = Self::with(place, folder, used);
        (server.listens, server.watch) = (listens, Some(watch));
        Ok(server)
    }

    /// The server in `folder`, unless it has gone.
    pub(super) fn join(place: &Place, folder: PathBuf) -> Option<Self> {
        let used = use_of(&folder).ok()?;
        let server = Self::with(place, folder, used);
        server.is_running().then_some(server)
    }

    /// Starts the server for the first time, at a port that is free if it listens.
    pub(super) fn start(&mut self) -> Result<()> {
        let mut attempts = ATTEMPTS;
        loop {
            if self.listens {
                self.port = free_port()?;
            }
            attempts -= 1;
            // A port is free until somebody else takes it.
            match self.start_again() {
                Err(error) if attempts > 0 && error.chain().contains("Address already in use") => {}
                ended => return ended,
            }
        }
    }

    /// Starts the server, which does not run, at the port that it has.
    pub(super) fn start_again(&self) -> Result<()> {
        let mut attempts = ATTEMPTS;
        loop {
            let end_of_log = fs::metadata(self.log()).map_or(0, |metadata| metadata.len());
            let Err(error) = self.control(&["start", "-o", &format!("-p {}", self.port)]) else { return Ok(()) };
            let log = self.log_since(end_of_log);
            attempts -= 1;
            // The other processes of a server that was killed go soon.
            if attempts == 0 || !log.contains("pre-existing shared memory block") {
                let said = format!("{}\n{log}", error.chain());
                return Err(Error::internal("a test server does not start").with_source(said));
            }
        }
    }

    /// Runs pg_ctl on the server, and waits until what was asked has happened.
    pub(super) fn control(&self, args: &[&str]) -> Result<()> {
        let _one_at_a_time = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = self.place.account.command(self.place.binaries.program("pg_ctl"));
        command.args(args).arg("-D").arg(self.data()).arg("-l").arg(self.log()).args(["-w", "-s"]);
        if let Some(used) = &self.used {
            // It may outlive this process, and then still needs the folder.
            let used = used.try_clone().map_err(|error| unusable(&self.folder, error))?;
            command.stdin(used);
        }
        run("pg_ctl", &mut command, "").map(drop)
    }

    /// Whether a server takes connections in the folder.
    pub(super) fn is_running(&self) -> bool {
        UnixStream::connect(self.folder.join(format!(".s.PGSQL.{}", self.port))).is_ok()
    }

    /// The process that all others of the server descend from; nothing if none was started.
    pub(super) fn postmaster(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("postmaster.pid")).ok()?.lines().next()?.parse().ok()
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Does not wait in the end until the server is gone.
    pub(super) fn leave(&mut self) {
        self.watch = None;
    }

    fn with(place: &Place, folder: PathBuf, used: File) -> Self {
        let (place, used) = (place.clone(), Some(used));
        Self { place, folder, port: PORT, listens: false, used, control: Mutex::new(()), watch: None }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_since(&self, start: u64) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or(0).min(log.len());
        String::from_utf8_lossy(&log[start..]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.used = None;
        if let Some(mut watch) = self.watch.take() {
            watch.wait().ok();
        }
    }
}

/// Ends servers whose processes were killed together with what watched them.
pub(super) fn sweep(place: &Place) {
    for entry in fs::read_dir(place.servers()).into_iter().flatten().flatten() {
        let is_server = entry.file_name().len() == 12 && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let folder = File::open(entry.path());
        if is_server && folder.is_ok_and(|folder| folder.try_lock().is_ok()) {
            // What fails now is tried again next time.
            watch(place, &entry.path(), Duration::ZERO).ok();
        }
    }
}

/// How often a start is tried.
const ATTEMPTS: u32 = 20;

/// The server's folder, and the data folder to copy; the settings come in.
const PREPARE: &str = r#"
set -eu
if ! command -v flock >/dev/null; then
  echo "there is no flock (on Debian: apt-get install util-linux)" >&2
  exit 1
fi
mkdir -m 700 "$1"
cp -a "$2" "$1/data"
cat >>"$1/data/postgresql.conf"
"#;

/// The server's folder, which is also the standard input, and the grace in seconds.
///
/// Users lock the folder and then touch it: one that came and went within the grace is seen by the
/// time. The server's processes are known by the folder that they are in, even if it was deleted:
/// a number that was noted may be another's since the machine was started again.
const WATCH: &str = r#"
[ ! -d "$1/data" ] || exec 3<"$1/data"
running() {
  for process in /proc/[0-9]*; do
    if [ "$process/cwd" -ef "/proc/$$/fd/3" ]; then echo "${process#/proc/}"; fi
  done
}
while flock -x 0; do
  flock -u 0
  touched=$(stat -c %y "$1") || break
  sleep "$2"
  if flock -n -x 0; then
    [ "$touched" = "$(stat -c %y "$1")" ] && break
    flock -u 0
  fi
done
signal=QUIT
tries=0
while processes=$(running) && [ -n "$processes" ]; do
  # Processes that do not go within ten seconds are made to.
  [ "$tries" -lt 200 ] || signal=KILL
  kill "-$signal" $processes
  tries=$((tries + 1))
  sleep 0.05
done
mv -f "$1/log" "$1/../last.log"
rm -rf "$1"
"#;

/// Starts what ends the server in `folder` when nobody uses it.
fn watch(place: &Place, folder: &Path, grace: Duration) -> Result<Child> {
    let failed = |error| unusable(folder, error);
    let grace = format!("{:.3}", grace.as_secs_f64());
    let mut command = place.account.script(WATCH, &[folder, Path::new(&grace)]);
    // Opened again: the lock belongs to what was opened, not to the process.
    command.stdin(File::open(folder).map_err(failed)?).stdout(Stdio::null()).stderr(Stdio::null());
    // What is sent to the processes of a terminal or of a test is not for it.
    command.process_group(0).spawn().map_err(failed)
}

/// The right to use the server in `folder`, waited for while it is being stopped.
fn use_of(folder: &Path) -> Result<File> {
    let opened = File::open(folder).and_then(|file| file.lock_shared().map(|()| file));
    let touched = opened.and_then(|file| file.set_modified(SystemTime::now()).map(|()| file));
    touched.map_err(|error| unusable(folder, error))
}

fn free_port() -> Result<u16> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|error| Error::internal("there is no free port").with_source(error))
}

/// The server's settings, those of `settings` last.
fn configuration(folder: &Path, settings: &[(String, String)], listens: bool) -> String {
    let addresses = if listens { "127.0.0.1" } else { "" };
    let folder = folder.display().to_string();
    let ours = [
        ("listen_addresses", addresses),
        ("unix_socket_directories", &folder),
        ("unix_socket_permissions", "0700"),
        ("max_connections", "500"),
        ("max_prepared_transactions", "0"),
        ("log_line_prefix", "%m [%p] %q%d "),
        ("log_checkpoints", "off"),
    ];
    let given = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    ours.into_iter()
        .chain(given)
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\\', r"\\").replace('\'', "''")))
        .collect()
}
