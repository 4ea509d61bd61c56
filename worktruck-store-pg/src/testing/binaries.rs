use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use worktruck_core::{Error, Result};

use super::account::{Account, run};

/// The variable that names the folder of the server's programs.
const VARIABLE: &str = "WORKTRUCK_TEST_PG_BIN";

/// What a server is made and run with.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// The programs of a PostgreSQL server.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    version: String,
}

impl Binaries {
    /// Those in `folder`, else those that this machine has.
    pub(super) fn find(folder: Option<&Path>, account: &Account) -> Result<Self> {
        let named = folder.map(|folder| folder.as_os_str().to_owned()).or_else(|| env::var_os(VARIABLE));
        Self::at(choose(named, installed())?, account)
    }

    fn at(folder: PathBuf, account: &Account) -> Result<Self> {
        let output = run("postgres --version", account.command(folder.join("postgres")).arg("--version"), "");
        let output = output.map_err(|error| {
            let (folder, name) = (folder.display(), account.name());
            Error::invalid(format!("{name} cannot run the programs in {folder}: it must be able to read them"))
                .with_source(error)
        })?;
        // As in `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
        let version = String::from_utf8_lossy(&output.stdout).split(' ').nth(2).unwrap_or("unknown").trim().to_owned();
        Ok(Self { folder, version })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// As the server says it, such as `15.14`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

/// The folder that was named, or else the first that has the programs.
fn choose(named: Option<OsString>, mut installed: impl Iterator<Item = PathBuf>) -> Result<PathBuf> {
    if let Some(named) = named {
        let named = PathBuf::from(named);
        return if is_complete(&named) {
            Ok(named)
        } else {
            Err(Error::invalid(format!(
                "{} has not all of {}: name the folder that has them ({VARIABLE})",
                named.display(),
                PROGRAMS.join(", ")
            )))
        };
    }
    installed.find(|folder| is_complete(folder)).ok_or_else(|| {
        Error::invalid(format!(
            "the programs of a PostgreSQL server are not on this machine: install them (on Debian: apt-get install \
             postgresql), or name their folder in {VARIABLE}, or a server to use in WORKTRUCK_TEST_DATABASE_URL"
        ))
    })
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// Where the programs may be, the best place first.
fn installed() -> impl Iterator<Item = PathBuf> {
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = env::split_paths(&path).collect();
    asked.into_iter().chain(path).chain(versions(Path::new("/usr/lib/postgresql")))
}

/// The folders of programs that Debian keeps side by side, the newest first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut versions: Vec<u32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|version| folder.join(version.to_string()).join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(programs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for program in programs {
            fs::write(folder.path().join(program), "").unwrap();
        }
        folder
    }

    #[test]
    fn without_programs_the_error_says_what_to_install() {
        let client_only = folder_with(&["psql", "pg_config"]);
        let error = choose(None, [client_only.path().to_owned()].into_iter()).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql") && error.contains(VARIABLE), "{error}");
    }

    #[test]
    fn a_folder_that_is_named_is_used_or_refused_but_never_passed_over() {
        let (named, other) = (folder_with(&PROGRAMS), folder_with(&PROGRAMS));
        let choose_from_other = |named: &Path| choose(Some(named.into()), [other.path().to_owned()].into_iter());
        assert_eq!(choose_from_other(named.path()).unwrap(), named.path());
        fs::remove_file(named.path().join("initdb")).unwrap();
        let error = choose_from_other(named.path()).unwrap_err().to_string();
        assert!(error.contains("initdb") && error.contains(VARIABLE), "{error}");
    }

    #[test]
    fn the_newest_version_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9", "18", "15", "common"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = versions(folder.path());
        assert_eq!(found, ["18/bin", "15/bin", "9/bin"].map(|name| folder.path().join(name)));
    }
}
