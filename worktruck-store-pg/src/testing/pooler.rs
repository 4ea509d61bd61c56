use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::{env, fs};

use worktruck_core::{Error, Result};

use super::account::Account;
use super::database::{options, url_by_socket};

/// A `PgBouncer` of one test's own, in its transaction mode: it gives every transaction whichever of a
/// few connections to a server is free.
///
/// The program is looked for in the `PATH` and where the system's own servers are (on Debian:
/// `apt-get install pgbouncer`). It takes connections at a socket that only this user reaches. When the
/// value is dropped it is stopped and its folder is deleted; so it is when this process is killed.
///
/// # Examples
///
/// ```
/// use worktruck_store_pg::testing::{Database, Pooler};
/// use worktruck_store_pg::{PgOptions, PgStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let database = Database::fresh().await?;
/// let pooler = Pooler::start(database.url(), 3)?;
/// let store = PgStore::open_with(PgOptions::parse(pooler.url())?.behind_transaction_pool()).await?;
/// store.close().await;
///
/// // It is the same database.
/// database.execute("SELECT FROM worktruck.tenant").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pooler {
    url: String,
    folder: PathBuf,
    /// A shell that ends all of it when its input does.
    keeper: Child,
}

impl Pooler {
    /// Starts a pool of up to `connections` connections to the database at `url`. It blocks for a moment.
    ///
    /// # Errors
    ///
    /// - `InvalidRequest`: there is no `pgbouncer`, no folder for its socket, or `url` is not the address
    ///   of a database.
    /// - `Internal`: it does not start; the source has its log.
    pub fn start(url: &str, connections: u32) -> Result<Self> {
        let program = find(folders())?;
        let account = Account::of_this_process()?;
        let server = options(url)?;
        let database = server.get_database().unwrap_or_else(|| server.get_username());
        let host = server.get_socket().map_or_else(|| server.get_host().to_owned(), |path| path.display().to_string());
        let password = password(url).map(|password| format!(" password={}", quoted(&password)));
        let configuration = format!(
            "[databases]\n* = host={} port={} user={}{}\n[pgbouncer]\npool_mode = transaction\nauth_type = any\n\
             default_pool_size = {connections}\nmax_client_conn = 1000\nlisten_addr =\nlisten_port = {PORT}\n\
             ignore_startup_parameters = extra_float_digits\n\n",
            quoted(&host),
            server.get_port(),
            quoted(server.get_username()),
            password.unwrap_or_default(),
        );
        let io_failed = |error: std::io::Error| Error::internal("a test pool does not start").with_source(error);
        let mut keeper = account.script(KEEP, &[&program, &env::temp_dir()]);
        // What is sent to the processes of a terminal or of a test is not for it.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().map_err(io_failed)?;
        if let Some(stdin) = keeper.stdin.as_mut() {
            // A script that does not read it fails with a reason of its own.
            stdin.write_all(configuration.as_bytes()).ok();
        }
        let mut said =
            keeper.stdout.take().map(BufReader::new).ok_or_else(|| Error::internal("a shell has no output"))?;
        let mut folder = String::new();
        said.read_line(&mut folder).map_err(io_failed)?;
        let folder = PathBuf::from(folder.trim_end());
        if folder.is_absolute() {
            return Ok(Self { url: url_by_socket(&folder, PORT, database), folder, keeper });
        }
        drop(keeper.stdin.take());
        let mut log = String::new();
        said.read_to_string(&mut log).map_err(io_failed)?;
        keeper.wait().map_err(io_failed)?;
        if log.is_empty() {
            return Err(Error::invalid("there is no folder for the socket of a test pool: its path must be short"));
        }
        Err(Error::internal("a test pool does not start").with_source(log))
    }

    /// The address of the database through the pool.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the pool's socket. It is deleted with the pool.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// The process of the pool; nothing if it has ended.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// The port that stands in the name of the socket.
const PORT: u16 = 5432;

/// The program, and the folder for temporary files. The configuration comes in, up to an empty line;
/// when the input ends, however that comes about, so does the pool.
///
/// A folder is said when there is a pool in it, or else an empty line and the log. The longest path
/// of a socket has 107 bytes.
const KEEP: &str = r#"
set -u
folder=
for base in "$2" /tmp /var/tmp; do
  case "$base" in /*) ;; *) continue ;; esac
  [ "$(printf %s "$base" | wc -c)" -le 69 ] || continue
  folder=$(mktemp -d "$base/worktruck-pool-XXXXXXXX" 2>/dev/null) && break
done
[ -n "$folder" ] || exit 1
trap 'rm -rf "$folder"' EXIT
{
  while IFS= read -r line && [ -n "$line" ]; do printf '%s\n' "$line"; done
  printf 'unix_socket_dir = %s\nlogfile = %s/log\n' "$folder" "$folder"
} >"$folder/configuration"
"$1" -q "$folder/configuration" >>"$folder/output" 2>&1 &
pool=$!
echo "$pool" >"$folder/pid"
until grep -qs 'process up' "$folder/log"; do
  if ! kill -0 "$pool" 2>/dev/null; then
    echo
    cat "$folder/output" "$folder/log" 2>/dev/null
    exit 1
  fi
  sleep 0.01
done
echo "$folder"
cat >/dev/null
# Nothing of it is worth keeping, and a milder signal means something else in every version.
kill -KILL "$pool"
wait "$pool" 2>/dev/null
"#;

/// Where the program may be.
fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A user's own path seldom has the programs of servers.
    env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from)).collect()
}

fn find(folders: Vec<PathBuf>) -> Result<PathBuf> {
    let mut programs = folders.into_iter().map(|folder| folder.join("pgbouncer"));
    programs.find(|program| Path::is_file(program)).ok_or_else(|| {
        Error::invalid("there is no pgbouncer on this machine: install it (on Debian: apt-get install pgbouncer)")
    })
}

/// A value of a connection as the configuration has it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The password in an address, whose escapes are those of any other.
fn password(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, escaped) = user.split_once(':')?;
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_program_the_error_says_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(vec![folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("apt-get install pgbouncer"), "{error}");
        fs::write(folder.path().join("pgbouncer"), "").unwrap();
        assert_eq!(find(vec![folder.path().to_owned()]).unwrap(), folder.path().join("pgbouncer"));
    }

    #[test]
    fn the_password_of_an_address_is_found() {
        for (url, expected) in [
            ("postgres://u:p%2F%25@h:1/d", Some("p/%")),
            ("postgres://u@h:1/d", None),
            ("postgres://h/d?host=/a:b@c", None),
        ] {
            assert_eq!(password(url).as_deref(), expected, "{url}");
        }
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
