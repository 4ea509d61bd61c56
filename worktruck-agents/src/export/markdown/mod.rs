//! Notes to a folder of Markdown files, as Obsidian and other programs read them.
//!
//! A notebook is a folder, `/` in its name leading to a folder in it, and a note is a file with the name that it was
//! [imported](crate::import::markdown) from or else its title. A note that came from a file and is still all that
//! this says is written as it was, to the last byte; any other has a front matter with all that its text does not say
//! ([`to_markdown`](worktruck_core::pim::notes::to_markdown)). What is imported again is the same.
//!
//! No name leads out of the folder, is hidden or stands for a device, and no two differ only by case. Where two would
//! be the same, the younger note has a number behind its title. A notebook that has no notes, or has more to say than
//! its name, has a file `.notebook.json` in its folder.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use worktruck_core::entity::notebook::Notebook;
use worktruck_core::pim::notes::NoteFilter;
use worktruck_core::pim::{Everything, Pim, Record, Records, Stored};
use worktruck_core::temporal::At;
use worktruck_core::{EntityId, PageRequest, Result, TenantId};

use crate::folder::{self, Place};
use crate::import::Problem;
use crate::import::markdown::ABOUT;
use crate::import::markdown::known::Known;
use crate::import::markdown::text::{MAX_BYTES, text_of};

/// What is done with files that are there and that no export of their note has written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Foreign {
    /// They stay, and each is a problem of the report.
    #[default]
    Keep,
    /// They are replaced, and each is a problem of the report too.
    Replace,
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Files that are new or have changed.
    pub written: usize,
    /// Files that were as they should be.
    pub unchanged: usize,
    /// Notes that were not written.
    pub skipped: usize,
    /// What was in the way.
    pub errors: Vec<Problem>,
}

/// Writes the notes of a tenant to a folder, as they are at `at`; with a fixed `as_of` all at one moment.
///
/// Each file is written whole or not at all. One that is there already is replaced if it is what an earlier version of
/// its note was written as; any other is `foreign`. Nothing is deleted: a note that is gone, or is called otherwise
/// since, leaves its file behind. Links of the file system are never followed. `progress` is told how many notes are
/// done.
///
/// # Errors
///
/// `Unavailable` if a file cannot be written, and those of the store; what was written before stays.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_agents::clock::{RandomIds, SystemClock};
/// use worktruck_agents::export::markdown::{Foreign, write};
/// use worktruck_core::entity::note::Note;
/// use worktruck_core::pim::Pim;
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
/// use worktruck_core::temporal::At;
/// use worktruck_core::{Clock as _, TenantId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::default());
/// let (ids, clock) = (Arc::new(RandomIds::new()), Arc::new(SystemClock::new()));
/// let tenant = TenantId::new(&*ids, clock.now());
/// store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await?;
/// let pim = Pim::new(store, clock, ids);
/// let note = Note { title: "To do: today?".to_owned(), body: "[[Plan]]".to_owned(), ..Note::default() };
/// pim.notes(tenant).create(note).await?;
///
/// let folder = tempfile::tempdir()?;
/// let report = write(&pim, tenant, At::NOW, folder.path(), Foreign::Keep, |_done| {}).await?;
/// assert_eq!(report.written, 1);
/// let file = std::fs::read_to_string(folder.path().join("To do_ today_.md"))?;
/// assert!(file.starts_with("---\ntitle: \"To do: today?\"\n") && file.ends_with("---\n[[Plan]]"));
/// # Ok(())
/// # }
/// ```
pub async fn write(
    pim: &Pim,
    tenant: TenantId,
    at: At,
    root: &Path,
    foreign: Foreign,
    mut progress: impl FnMut(usize),
) -> Result<Report> {
    let (notebooks, notes) = (at_times(pim.notebooks(tenant), at), at_times(pim.notes(tenant), at));
    let known = Known::of(&notebooks, &notes).await?;
    let mut export = Export { root, foreign, report: Report::default() };
    let mut page = Some(notebooks.list(Everything::default()));
    while let Some(listing) = page {
        let found = listing.limit(PageRequest::MAX_LIMIT).await?;
        for notebook in &found.data {
            let Some(folder) = known.folders.get(&notebook.id) else { continue };
            let is_empty = !known.sizes.contains_key(&notebook.id);
            let about = |notebook: &Notebook| about(folder, notebook, is_empty);
            let Some(text) = about(&notebook.data) else { continue };
            export.put(&notebooks, notebook, &format!("{folder}/{ABOUT}"), text, about).await?;
        }
        page = found.next_cursor.map(|cursor| notebooks.list(Everything::default()).after(cursor));
    }
    let mut done = 0;
    // Without a fixed moment, notes may come that have no name yet: they are for the next export.
    let mut page = Some(notes.list(NoteFilter::default()));
    while let Some(listing) = page {
        let found = listing.limit(PageRequest::MAX_LIMIT).await?;
        for note in &found.data {
            if let Some(path) = known.files.get(&note.id) {
                let name = path.rsplit('/').next().unwrap_or(path);
                let text = text_of(name, &note.data);
                export.put(&notes, note, path, text, |note| Some(text_of(name, note))).await?;
            }
            done += 1;
            progress(done);
        }
        page = found.next_cursor.map(|cursor| notes.list(NoteFilter::default()).after(cursor));
    }
    Ok(export.report)
}

fn at_times<E: Record>(records: Records<E>, at: At) -> Records<E> {
    let records = match at.as_of {
        Some(as_of) => records.as_of(as_of),
        None => records,
    };
    match at.valid_at {
        Some(valid_at) => records.valid_at(valid_at),
        None => records,
    }
}

/// What is written of a notebook beside its notes, if anything is.
fn about(folder: &str, notebook: &Notebook, is_empty: bool) -> Option<String> {
    let plain = Notebook { name: folder.to_owned(), ..Notebook::default() };
    let text = serde_json::to_string_pretty(notebook).ok()?;
    (is_empty || *notebook != plain).then(|| text + "\n")
}

/// An export under way.
struct Export<'a> {
    root: &'a Path,
    foreign: Foreign,
    report: Report,
}

impl Export<'_> {
    /// Writes the file of an entity, unless something else is there.
    async fn put<E: Record>(
        &mut self,
        records: &Records<E>,
        entity: &Stored<E>,
        path: &str,
        text: String,
        text_of: impl Fn(&E) -> Option<String>,
    ) -> Result<()> {
        let place = folder::look(self.root, path, MAX_BYTES).await?;
        match &place {
            Place::Free => {}
            Place::File(bytes) if bytes == text.as_bytes() => {
                self.report.unchanged += 1;
                return Ok(());
            }
            Place::File(bytes) => {
                if !is_earlier(records, entity.id, bytes, text_of).await? {
                    match self.foreign {
                        Foreign::Keep => {
                            let message = "another file is there, which stays; the note is not written".to_owned();
                            self.skip(path, message);
                            return Ok(());
                        }
                        Foreign::Replace => self.problem(path, "another file was there; replaced".to_owned(), false),
                    }
                }
            }
            Place::Blocked(reason) => {
                self.skip(path, format!("{reason}; the note is not written"));
                return Ok(());
            }
        }
        folder::write(self.root, path, text.into_bytes(), place).await?;
        self.report.written += 1;
        Ok(())
    }

    fn skip(&mut self, path: &str, message: String) {
        self.report.skipped += 1;
        self.problem(path, message, true);
    }

    fn problem(&mut self, path: &str, message: String, skipped: bool) {
        self.report.errors.push(Problem { source: Arc::from(path), line: 1, field: None, message, skipped });
    }
}

/// Whether a file is what some version of an entity was written as.
async fn is_earlier<E: Record>(
    records: &Records<E>,
    id: EntityId,
    bytes: &[u8],
    text_of: impl Fn(&E) -> Option<String>,
) -> Result<bool> {
    let mut cursor = None;
    loop {
        let page = records.history(id, (None, None), PageRequest::largest(cursor)).await?;
        let mut texts = page.data.iter().filter_map(|entry| text_of(entry.data.as_ref()?));
        if texts.any(|text| text.as_bytes() == bytes) {
            return Ok(true);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(false);
        }
    }
}
