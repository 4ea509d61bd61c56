//! Files with keys in them, which nobody but their owner may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use worktruck_core::{Error, Result};
use zeroize::Zeroizing;

use super::key::{KeyBytes, fill};

/// More of a file is not read.
const LONGEST: u64 = 1 << 16;

/// The keys of a file, in its order.
pub(super) fn read(path: &Path) -> Result<Vec<KeyBytes>> {
    let cannot = |e: io::Error| wrong(path, "cannot be read", e);
    let file = File::open(path).map_err(cannot)?;
    // Of the file that is open, whatever comes to stand at its path.
    check(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(LONGEST).read_to_string(&mut text).map_err(cannot)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let key = |(at, line): (usize, &str)| {
        let place = format!("line {} of the key file {} is no key", at + 1, path.display());
        KeyBytes::from_base64(line).map_err(|e| Error::invalid(place).with_source(e))
    };
    lines.map(key).collect()
}

/// Makes a file with one key. Of several that make it at once one does, and the others find it made.
pub(super) fn create(path: &Path, key: &KeyBytes) -> Result<()> {
    let draft = write(path, std::slice::from_ref(key))?;
    let linked = std::fs::hard_link(&draft, path);
    let removed = std::fs::remove_file(&draft);
    match linked {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        linked => linked.and(removed).and_then(|()| keep(path)).map_err(|e| wrong(path, "cannot be made", e))?,
    }
    Ok(())
}

/// Puts a file with these keys in the place of another one, whole or not at all.
pub(super) fn replace(path: &Path, keys: &[KeyBytes]) -> Result<()> {
    let draft = write(path, keys)?;
    let replaced = std::fs::rename(&draft, path).and_then(|()| keep(path));
    replaced.map_err(|e| wrong(path, "cannot be replaced", e))
}

/// Writes a file beside `path`, to stand there later.
fn write(path: &Path, keys: &[KeyBytes]) -> Result<PathBuf> {
    let mut random = [0; 8];
    fill(&mut random)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(random)));
    let draft = path.with_file_name(name);
    let written = draft_options().open(&draft).and_then(|mut file| {
        for key in keys {
            file.write_all(key.to_base64().as_bytes())?;
            file.write_all(b"\n")?;
        }
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(draft),
        Err(error) => {
            // It may not be there at all.
            drop(std::fs::remove_file(&draft));
            Err(wrong(path, "cannot be made", error))
        }
    }
}

fn draft_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Sees to it that the name of a file outlives a power cut.
fn keep(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new("."))).and_then(|folder| folder.sync_all())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}

/// Checks that it is a file that only its owner may read.
fn check(path: &Path, file: &File) -> Result<()> {
    let about = file.metadata().map_err(|e| wrong(path, "cannot be read", e))?;
    if !about.is_file() {
        return Err(Error::invalid(format!("the key file {} is no file", path.display())));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
        if mode & 0o077 != 0 {
            return Err(Error::invalid(format!(
                "the key file {path} is open to others (mode {:04o}): chmod 600 {path}",
                mode & 0o7777,
                path = path.display()
            )));
        }
    }
    Ok(())
}

fn wrong(path: &Path, what: &str, error: io::Error) -> Error {
    Error::invalid(format!("the key file {} {what}", path.display())).with_source(error)
}
