use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use worktruck_core::{Error, Result};

/// Who the processes of servers run as.
///
/// This user; for root another one, because PostgreSQL refuses to run as root.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Who this process runs as.
    pub(super) caller: u32,
    /// Who its servers run as, if it is another.
    pub(super) other: Option<Other>,
}

#[derive(Clone, Debug)]
pub(super) struct Other {
    pub(super) name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    pub(super) fn of_this_process() -> Result<Self> {
        let caller = rustix::process::geteuid();
        let other = if caller.is_root() {
            let found = ["postgres", "nobody"].into_iter().find_map(other);
            Some(found.ok_or_else(|| {
                Error::invalid("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
            })?)
        } else {
            None
        };
        Ok(Self { caller: caller.as_raw(), other })
    }

    /// A command that runs as this account, in a folder and a language that do not depend on the caller's.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).current_dir("/").env("LC_ALL", "C").env_remove("PGDATA");
        if let Some(other) = &self.other {
            command.uid(other.uid).gid(other.gid);
        }
        command
    }

    /// A shell script that runs as this account.
    pub(super) fn script(&self, script: &str, args: &[&Path]) -> Command {
        let mut command = self.command("/bin/sh");
        command.args(["-c", script, "sh"]).args(args);
        command
    }

    /// The account's name for people.
    pub(super) fn name(&self) -> &str {
        self.other.as_ref().map_or("this user", |other| other.name)
    }
}

/// Runs `command`, which gets `input`, to its end.
///
/// # Errors
///
/// `Internal` with what it printed if it fails: the tests' machine is not as it must be.
pub(super) fn run(what: &str, command: &mut Command, input: &str) -> Result<Output> {
    let failed = || format!("{what} failed");
    let io_failed = |error: std::io::Error| Error::internal(failed()).with_source(error);
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(io_failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read it fails with a reason of its own.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(io_failed)?;
    if !output.status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = format!("{}: {}\n{}", output.status, stderr.trim(), stdout.trim());
        return Err(Error::internal(failed()).with_source(said));
    }
    Ok(output)
}

fn other(name: &'static str) -> Option<Other> {
    let id = |option: &str| {
        let output = Command::new("id").args([option, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    Some(Other { name, uid: id("-u")?, gid: id("-g")? })
}
