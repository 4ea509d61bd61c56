use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use worktruck_core::{Error, Result};

use super::account::{Account, run};
use super::binaries::Binaries;

/// Where throw-away servers live, and what runs them.
///
/// The default is what [`Database::fresh`](super::Database::fresh) uses; the module says where it is.
#[derive(Clone, Debug)]
pub struct Home {
    folder: Option<PathBuf>,
    programs: Option<PathBuf>,
    grace: Duration,
}

impl Default for Home {
    fn default() -> Self {
        Self { folder: None, programs: None, grace: Duration::from_secs(5) }
    }
}

impl Home {
    /// Keeps everything in `folder`, which must exist.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Uses the server's programs in `folder`.
    #[must_use]
    pub fn with_programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// Stops the shared server when it was not used for so long; 5 seconds unless set.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Finds the programs and makes the folders.
    pub(super) fn open(&self) -> Result<Place> {
        let account = Account::of_this_process()?;
        let binaries = Binaries::find(self.programs.as_deref(), &account)?;
        let fits = |base: &PathBuf| base.is_absolute() && is_short(base) && (account.other.is_none() || is_open(base));
        let base = match &self.folder {
            Some(folder) if fits(folder) => folder.clone(),
            Some(folder) => return Err(unfit(folder)),
            None => {
                let mut bases = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()].into_iter();
                bases.find(fits).ok_or_else(|| unfit(&std::env::temp_dir()))?
            }
        };
        Place::open(base, account, binaries, self.grace)
    }
}

/// An opened [`Home`], for servers of one version.
///
/// `lock` is held by whoever makes or joins a server, `current` names the shared one, and `servers`
/// belongs to the account that they run as: a folder for each server, and their template.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) account: Account,
    pub(super) binaries: Binaries,
    pub(super) grace: Duration,
    folder: PathBuf,
}

impl Place {
    /// The place of the default home, opened once.
    pub(super) fn usual() -> Result<Self> {
        static USUAL: OnceLock<Place> = OnceLock::new();
        if let Some(place) = USUAL.get() {
            return Ok(place.clone());
        }
        let place = Home::default().open()?;
        Ok(USUAL.get_or_init(|| place).clone())
    }

    fn open(base: PathBuf, account: Account, binaries: Binaries, grace: Duration) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        binaries.folder().hash(&mut hasher);
        let name = format!("{}-{:x}", binaries.version(), hasher.finish() >> 32);
        // Those that another user's servers pass through have nothing to read.
        let mode = if account.other.is_some() { 0o711 } else { 0o700 };
        let mut folder = base;
        for part in [format!("worktruck-pg-{}", account.caller), name] {
            folder.push(part);
            own_folder(&folder, account.caller, mode)?;
        }
        let place = Self { account, binaries, grace, folder };
        // So that nobody sees the folder before it has its owner.
        let _lock = place.lock()?;
        place.own_servers()?;
        Ok(place)
    }

    fn own_servers(&self) -> Result<()> {
        let servers = self.servers();
        let Some(other) = &self.account.other else {
            return own_folder(&servers, self.account.caller, 0o700);
        };
        let owner = fs::symlink_metadata(&servers).map(|metadata| metadata.uid());
        if owner.is_ok_and(|owner| owner == other.uid) {
            return own_folder(&servers, other.uid, 0o700);
        }
        own_folder(&servers, self.account.caller, 0o700)?;
        chown(&servers, Some(other.uid), Some(other.gid)).map_err(|error| unusable(&servers, error))
    }

    /// Waits until nobody else makes or joins a server; until the file is dropped, nobody else does.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        file.and_then(|file| file.lock().map(|()| file)).map_err(|error| unusable(&path, error))
    }

    pub(super) fn servers(&self) -> PathBuf {
        self.folder.join("servers")
    }

    /// The file that names the shared server.
    pub(super) fn current(&self) -> PathBuf {
        self.folder.join("current")
    }

    /// A data folder to copy, made if it is not there. The lock must be held.
    ///
    /// It is made again each day, because cleaners of temporary files take away what is older, and
    /// after each start of the machine, because it is not written to last.
    pub(super) fn template(&self) -> Result<PathBuf> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let template = self.servers().join(format!("template-{}", boot.trim()));
        let made = fs::metadata(&template).and_then(|metadata| metadata.modified()).ok();
        let age = made.and_then(|made| SystemTime::now().duration_since(made).ok());
        if age.is_none_or(|age| age > DAY) {
            let args = [&self.servers(), &template, &self.binaries.program("initdb")];
            run("making a data folder", &mut self.account.script(INITDB, &args.map(PathBuf::as_path)), "")?;
        }
        Ok(template)
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder of servers, the template, and initdb. Half a template is never under its name.
const INITDB: &str = r#"
set -eu
rm -rf "$1/making" "$1"/template-*
"$3" --pgdata="$1/making" --username=postgres --encoding=UTF8 --locale=C --no-sync \
  --auth-local=trust --auth-host=scram-sha-256
mv "$1/making" "$2"
"#;

/// What is left of the 107 bytes of a socket's path when our own names are taken off.
const LONGEST_BASE: usize = 107 - "/worktruck-pg-4294967295/18.10-01234567/servers/0123456789ab/.s.PGSQL.65535".len();

fn is_short(base: &Path) -> bool {
    base.as_os_str().as_bytes().len() <= LONGEST_BASE
}

/// Whether every user may pass through.
fn is_open(base: &Path) -> bool {
    base.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
}

fn unfit(base: &Path) -> Error {
    Error::invalid(format!(
        "servers cannot live in {}: its path must be absolute and have at most {LONGEST_BASE} bytes, and as root, \
         every user must be able to pass through",
        base.display()
    ))
}

/// Makes the folder if it is not there, and refuses one that others could have prepared.
fn own_folder(folder: &Path, owner: u32, mode: u32) -> Result<()> {
    let made = match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    let metadata = made.and_then(|()| fs::symlink_metadata(folder)).map_err(|error| unusable(folder, error))?;
    if !metadata.is_dir() || metadata.uid() != owner || metadata.mode() & 0o022 != 0 {
        let folder = folder.display();
        return Err(Error::invalid(format!("{folder} is not a folder of user {owner} alone: delete it")));
    }
    if metadata.mode() & 0o777 != mode {
        // Not by the mode above, which the process may restrict further.
        fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(|error| unusable(folder, error))?;
    }
    Ok(())
}

pub(super) fn unusable(path: &Path, error: io::Error) -> Error {
    Error::invalid(format!("{} cannot be used for test servers", path.display())).with_source(error)
}
