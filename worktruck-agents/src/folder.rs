//! Folders of files: the one place that reads and writes the file system.
//!
//! A path is that of a file within its folder, with `/` between its parts. Links are never followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use worktruck_core::{Error, Result};

/// Something in a folder, or in a folder of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
}

/// What stands in a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum EntryKind {
    File,
    /// A file whose name begins with a dot.
    HiddenFile,
    /// A folder whose name begins with a dot; what is in it is not listed.
    HiddenFolder,
    /// A symbolic link.
    Link,
    /// Neither a file nor a folder, such as a pipe.
    Special,
    /// Its name is no Unicode; the path shows something like it.
    Nameless,
    /// A folder that cannot be read, and why.
    Unreadable(String),
}

/// What stands where a file is to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Free,
    File(Vec<u8>),
    /// Something that is not to be replaced, and what.
    Blocked(String),
}

/// All that is in a folder and its folders, sorted by path. Folders themselves are not listed.
///
/// # Errors
///
/// `InvalidRequest` if the folder cannot be read.
pub(crate) async fn entries(root: &Path) -> Result<Vec<Entry>> {
    let root = root.to_owned();
    blocking(move || {
        let mut found = Vec::new();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            match list(&root, &folder, &mut open) {
                Ok(entries) => found.extend(entries),
                Err(error) if folder.is_empty() => {
                    let message = format!("the folder {} cannot be read: {error}", root.display());
                    return Err(Error::invalid(message).with_source(error));
                }
                Err(error) => found.push(Entry { path: folder, kind: EntryKind::Unreadable(error.to_string()) }),
            }
        }
        found.sort_by(|one: &Entry, other| one.path.cmp(&other.path));
        Ok(found)
    })
    .await?
}

fn list(root: &Path, folder: &str, open: &mut Vec<String>) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(within(root, folder)?)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_named = name.to_str().is_some();
        let name = name.to_string_lossy();
        let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
        let (kind, is_hidden) = (entry.file_type()?, name.starts_with('.'));
        let kind = if !is_named {
            EntryKind::Nameless
        } else if kind.is_symlink() {
            EntryKind::Link
        } else if kind.is_dir() && is_hidden {
            EntryKind::HiddenFolder
        } else if kind.is_dir() {
            open.push(path);
            continue;
        } else if !kind.is_file() {
            EntryKind::Special
        } else if is_hidden {
            EntryKind::HiddenFile
        } else {
            EntryKind::File
        };
        found.push(Entry { path, kind });
    }
    Ok(found)
}

/// The content of a file; nothing if it has more than `limit` bytes.
pub(crate) async fn read(root: &Path, path: &str, limit: u64) -> Result<io::Result<Option<Vec<u8>>>> {
    let (root, path) = (root.to_owned(), path.to_owned());
    blocking(move || within(&root, &path).and_then(|path| content(&path, limit))).await
}

fn content(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
    Ok(is_whole.then_some(bytes))
}

/// What stands where a file is to be written. More than `limit` bytes are not read.
pub(crate) async fn look(root: &Path, path: &str, limit: u64) -> Result<Place> {
    let (root, name) = (root.to_owned(), path.to_owned());
    blocking(move || place(&root, &name, limit)).await?.map_err(|error| unwritten(path, error))
}

fn place(root: &Path, path: &str, limit: u64) -> io::Result<Place> {
    let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
    for folder in folders {
        match fs::symlink_metadata(within(root, folder)?) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Ok(Place::Blocked(format!("{folder} is no folder"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
            Err(error) => return Err(error),
        }
    }
    let path = within(root, path)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => Ok(match content(&path, limit)? {
            Some(bytes) => Place::File(bytes),
            None => Place::Blocked(format!("a file of more than {limit} bytes is there")),
        }),
        Ok(found) if found.is_symlink() => Ok(Place::Blocked("a link is there".to_owned())),
        Ok(_) => Ok(Place::Blocked("something that is no file is there".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::Free),
        Err(error) => Err(error),
    }
}

/// Writes a whole file or nothing, and makes the folders that it needs. One that is there already is replaced if
/// that is what `place` was, and else left alone.
///
/// # Errors
///
/// `Unavailable` if it cannot be written.
pub(crate) async fn write(root: &Path, path: &str, bytes: Vec<u8>, place: Place) -> Result<()> {
    let (root, name) = (root.to_owned(), path.to_owned());
    let is_new = place == Place::Free;
    blocking(move || put(&root, &name, &bytes, is_new)).await?.map_err(|error| unwritten(path, error))
}

fn put(root: &Path, path: &str, bytes: &[u8], is_new: bool) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let target = within(root, path)?;
    let folder = target.parent().unwrap_or(root);
    fs::create_dir_all(folder)?;
    // Hidden, so that nobody takes one that is left behind for a note.
    let name = format!(".worktruck-{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let temporary = folder.join(name);
    let written = OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()
    });
    let placed = written.and_then(|()| {
        if !is_new {
            return fs::rename(&temporary, &target);
        }
        // Unlike a renaming, a second name never takes the place of a file that came meanwhile.
        match fs::hard_link(&temporary, &target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(&temporary, &target),
            done => done,
        }
    });
    if is_new || placed.is_err() {
        // After a renaming it is gone already.
        let _ = fs::remove_file(&temporary);
    }
    placed
}

/// The place of a path, which never leads out of the folder.
fn within(root: &Path, path: &str) -> io::Result<PathBuf> {
    let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside {
        return Ok(root.join(path));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads out of the folder"))
}

fn unwritten(path: &str, error: io::Error) -> Error {
    let message = format!("{path} cannot be written: {error}; see that the folder may be written to and has room");
    Error::unavailable(message).with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("a file was not dealt with to the end").with_source(error))
}
