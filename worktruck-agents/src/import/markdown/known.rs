//! Which notebooks and notes of a tenant belong to which folders and files.

use std::collections::HashMap;

use worktruck_core::entity::note::Note;
use worktruck_core::entity::notebook::Notebook;
use worktruck_core::pim::notes::NoteFilter;
use worktruck_core::pim::{Everything, Records};
use worktruck_core::{EntityId, PageRequest, Result};

use super::names::{self, Names};

/// The places of all that there is.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The folder of each notebook.
    pub(crate) folders: HashMap<EntityId, String>,
    /// The path of each note.
    pub(crate) files: HashMap<EntityId, String>,
    /// How many notes each notebook has.
    pub(crate) sizes: HashMap<EntityId, usize>,
    /// Notebooks by what they are called, of several the oldest.
    called: HashMap<String, EntityId>,
    /// Notes by their folders' notebooks and what they say that their files are called, of several the oldest.
    said: HashMap<(Option<EntityId>, String), EntityId>,
    by_folder: HashMap<String, EntityId>,
    by_file: HashMap<String, EntityId>,
}

impl Known {
    /// Finds out what there is: older ones have their names before younger ones.
    pub(crate) async fn of(notebooks: &Records<Notebook>, notes: &Records<Note>) -> Result<Self> {
        let (mut known, mut names) = (Self::default(), Names::default());
        let mut page = Some(notebooks.list(Everything::default()));
        while let Some(listing) = page {
            let found = listing.limit(PageRequest::MAX_LIMIT).await?;
            for notebook in &found.data {
                let folder = names.folder(&notebook.data.name);
                known.called.entry(notebook.data.name.clone()).or_insert(notebook.id);
                known.by_folder.insert(folder.clone(), notebook.id);
                known.folders.insert(notebook.id, folder);
            }
            page = found.next_cursor.map(|cursor| notebooks.list(Everything::default()).after(cursor));
        }
        let mut unsaid = Vec::new();
        let mut page = Some(notes.list(NoteFilter::default()));
        while let Some(listing) = page {
            let found = listing.limit(PageRequest::MAX_LIMIT).await?;
            for note in &found.data {
                let (place, said) = (note.data.notebook_id, names::said_by(&note.data));
                if let Some(id) = place {
                    *known.sizes.entry(id).or_default() += 1;
                }
                let wanted = names::file_of(&note.data.title, said);
                match said {
                    Some(said) => {
                        known.said.entry((place, said.to_owned())).or_insert(note.id);
                        known.place(&mut names, note.id, place, &wanted);
                    }
                    None => unsaid.push((note.id, place, wanted)),
                }
            }
            page = found.next_cursor.map(|cursor| notes.list(NoteFilter::default()).after(cursor));
        }
        for (id, place, wanted) in unsaid {
            known.place(&mut names, id, place, &wanted);
        }
        Ok(known)
    }

    fn place(&mut self, names: &mut Names, id: EntityId, notebook: Option<EntityId>, wanted: &str) {
        let folder = notebook.and_then(|id| self.folders.get(&id));
        let path = names.file(folder.map(String::as_str), wanted);
        self.by_file.insert(path.clone(), id);
        self.files.insert(id, path);
    }

    /// The notebook of a folder.
    pub(crate) fn notebook(&self, folder: &str) -> Option<EntityId> {
        self.by_folder.get(folder).or_else(|| self.called.get(folder)).copied()
    }

    /// Notes that there is a notebook of a folder now.
    pub(crate) fn add_notebook(&mut self, folder: &str, id: EntityId) {
        self.by_folder.insert(folder.to_owned(), id);
    }

    /// Takes the note of a file, which no other file gets then.
    pub(crate) fn take(&mut self, notebook: Option<EntityId>, path: &str) -> Option<EntityId> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let id = self.said.remove(&(notebook, name.to_owned())).or_else(|| self.by_file.get(path).copied())?;
        let own = self.files.remove(&id)?;
        self.by_file.remove(&own);
        Some(id)
    }
}
