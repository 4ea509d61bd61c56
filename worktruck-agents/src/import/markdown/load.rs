use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use worktruck_core::entity::note::Note;
use worktruck_core::entity::notebook::Notebook;
use worktruck_core::pim::{Pim, Records};
use worktruck_core::{EntityId, Error, ErrorKind, Result};

use super::known::Known;
use super::text::{self, MAX_BYTES};
use super::{ABOUT, Target, about, names};
use crate::folder::{self, EntryKind};
use crate::import::Report;

/// How often a note is read and written again because others changed it meanwhile.
const ATTEMPTS: usize = 8;

/// Reads the Markdown files of a folder, and of the folders in it, into notes, each in a commit with its links.
///
/// A file belongs to the note that was read from it, or that an export of now would write to it, so that the same
/// folder can be imported again, also after it was broken off. A file whose text has not changed changes nothing.
/// Otherwise the note becomes what the file says; pins, metadata that are not of the front matter, titles and tags
/// that were given since, and whatever else the file does not say stay. Nothing is deleted because its file is gone,
/// and a file that was moved is a new note.
///
/// Of a file that is not UTF-8, has a NUL, is larger than 2 MiB or is refused otherwise, nothing is written; it is a
/// problem of the report with its path and line. `progress` is told how many files are done.
///
/// # Cancel safety
///
/// Dropping the future leaves whole notes written; importing the folder again completes it.
///
/// # Errors
///
/// `InvalidRequest` if the folder cannot be read, and those of the store; what was committed before stays.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_agents::clock::{RandomIds, SystemClock};
/// use worktruck_agents::import::markdown::{Target, load};
/// use worktruck_core::entity::Locale;
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
/// use worktruck_core::{Clock as _, TenantId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vault = tempfile::tempdir()?;
/// std::fs::create_dir(vault.path().join("Trips"))?;
/// std::fs::write(vault.path().join("Trips/Rome.md"), "---\ntags: [italy]\n---\nWith [[Ada]].")?;
///
/// let store = Arc::new(MemoryStore::default());
/// let (ids, clock) = (Arc::new(RandomIds::new()), Arc::new(SystemClock::new()));
/// let tenant = TenantId::new(&*ids, clock.now());
/// store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await?;
/// let target = Target { store, tenant, ids, clock, captured_by: "ada".to_owned(), locale: Locale::default() };
/// assert_eq!(load(&target, vault.path(), |_done| {}).await?.created, 1);
/// let again = load(&target, vault.path(), |_done| {}).await?;
/// assert_eq!((again.created, again.updated, again.skipped), (0, 0, 1));
/// # Ok(())
/// # }
/// ```
pub async fn load(target: &Target, root: &Path, mut progress: impl FnMut(usize)) -> Result<Report> {
    let mut report = Report::default();
    let (mut files, mut abouts) = (Vec::new(), BTreeSet::new());
    for entry in folder::entries(root).await? {
        let (parent, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        let message = match entry.kind {
            EntryKind::File if names::is_markdown(name) => {
                files.push(entry.path);
                continue;
            }
            EntryKind::HiddenFile if name == ABOUT && !parent.is_empty() => {
                abouts.insert(parent.to_owned());
                files.push(entry.path);
                continue;
            }
            EntryKind::File => "it is no Markdown; left out".to_owned(),
            EntryKind::HiddenFile => "the file is hidden; left out".to_owned(),
            EntryKind::HiddenFolder => "the folder is hidden; it is left out with all that is in it".to_owned(),
            EntryKind::Link => "it is a link, which is not followed; left out".to_owned(),
            EntryKind::Special => "it is no file; left out".to_owned(),
            EntryKind::Nameless => "its name is not UTF-8; left out".to_owned(),
            EntryKind::Unreadable(reason) => format!("the folder cannot be read: {reason}; left out"),
        };
        report.skip(&entry.path, 1, message);
    }
    files.sort_by_cached_key(|path| names::order(path));
    let mut import = Import::new(target, root, abouts, report).await?;
    let mut done = 0;
    for path in &files {
        match path.rsplit_once('/') {
            // A notebook may have no notes.
            Some((folder, ABOUT)) => drop(import.notebook(folder, true).await?),
            _ => {
                import.file(path).await?;
                done += 1;
                progress(done);
            }
        }
    }
    Ok(import.report)
}

/// An import under way.
struct Import<'a> {
    root: &'a Path,
    notebooks: Records<Notebook>,
    notes: Records<Note>,
    known: Known,
    /// The folders that say more of their notebooks, and have not been asked.
    abouts: BTreeSet<String>,
    report: Report,
}

impl<'a> Import<'a> {
    async fn new(target: &Target, root: &'a Path, abouts: BTreeSet<String>, report: Report) -> Result<Self> {
        let pim = Pim::new(Arc::clone(&target.store), Arc::clone(&target.clock), Arc::clone(&target.ids));
        let notebooks = pim.notebooks(target.tenant).by(&target.captured_by).because("import").at_home(target.locale);
        let notes = pim.notes(target.tenant).by(&target.captured_by).because("import").at_home(target.locale);
        let known = Known::of(&notebooks, &notes).await?;
        Ok(Self { root, notebooks, notes, known, abouts, report })
    }

    async fn file(&mut self, path: &str) -> Result<()> {
        match self.read(path).await? {
            Err((line, reason)) => {
                self.report.skip(path, line, format!("{reason}; the file is skipped"));
                Ok(())
            }
            Ok(found) => match self.write(path, found).await {
                Err(error) if is_refused(&error) => {
                    let reason = crate::import::icalendar::reason(&error);
                    self.report.skip(path, 1, format!("{reason}; the file is skipped"));
                    Ok(())
                }
                done => done,
            },
        }
    }

    /// What a file says, or the line where it cannot be read and why.
    async fn read(&self, path: &str) -> Result<Result<text::Read, (u64, String)>> {
        let bytes = match folder::read(self.root, path, MAX_BYTES).await? {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Err((1, format!("the file has more than {MAX_BYTES} bytes")))),
            Err(error) => return Ok(Err((1, format!("the file cannot be read: {error}")))),
        };
        let text = match text::decode(&bytes) {
            Ok(text) => text,
            Err((line, reason)) => return Ok(Err((line, reason.to_owned()))),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(text::read(name, text).map_err(|error| (1, crate::import::icalendar::reason(&error))))
    }

    async fn write(&mut self, path: &str, found: text::Read) -> Result<()> {
        let (folder, name) = path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
        let notebook = match folder {
            Some(folder) => self.notebook(folder, false).await?,
            None => None,
        };
        let Some(id) = self.known.take(notebook, path) else {
            return self.create(path, notebook, folder, found.note).await;
        };
        for attempt in 1.. {
            let old = match self.notes.get(id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return self.create(path, notebook, folder, found.note).await;
                }
                old => old?,
            };
            let Some(new) = text::joined(name, &old.data, found.clone()) else {
                self.report.skipped += 1;
                return Ok(());
            };
            match self.notes.clone().if_version(old.version()).replace(id, new).await {
                Err(error) if error.kind() == ErrorKind::VersionMismatch && attempt < ATTEMPTS => {}
                done => {
                    done?;
                    self.report.updated += 1;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn create(&mut self, path: &str, notebook: Option<EntityId>, folder: Option<&str>, note: Note) -> Result<()> {
        let notebook_id = match (notebook, folder) {
            (None, Some(folder)) => self.notebook(folder, true).await?,
            (notebook, _) => notebook,
        };
        self.notes.create(Note { notebook_id, ..note }).await?;
        self.report.created += 1;
        let odd = path.split('/').find(|part| !names::is_plain(part));
        if let Some(odd) = odd {
            let message = format!("the name {odd:?} means something else on other systems; an export changes it");
            self.report.problem(path, 1, message, false);
        }
        Ok(())
    }

    /// The notebook of a folder, which is made if there is none and it is wanted.
    async fn notebook(&mut self, folder: &str, is_wanted: bool) -> Result<Option<EntityId>> {
        let known = self.known.notebook(folder);
        if known.is_some() || !is_wanted {
            return Ok(known);
        }
        let mut notebook = Notebook { name: folder.to_owned(), ..Notebook::default() };
        if self.abouts.remove(folder) {
            let path = format!("{folder}/{ABOUT}");
            let said = folder::read(self.root, &path, MAX_BYTES).await?;
            match said.ok().flatten().as_deref().and_then(about) {
                Some(said) => notebook = said,
                None => self.report.problem(&path, 1, "it does not describe a notebook; ignored".to_owned(), false),
            }
        }
        let made = self.notebooks.create(notebook).await?.id;
        self.known.add_notebook(folder, made);
        Ok(Some(made))
    }
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Conflict)
}
