//! Folders of Markdown files that are imported and exported: nothing is lost, doubled or overwritten.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod export;
mod import;
mod round_trip;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::export::markdown::{self as exports, Foreign};
use worktruck_agents::import::Report;
use worktruck_agents::import::markdown::{self as imports, Target};
use worktruck_core::entity::Locale;
use worktruck_core::entity::note::Note;
use worktruck_core::pim::notes::NoteFilter;
use worktruck_core::pim::{Everything, Pim, Stored};
use worktruck_core::store::{NewTenant, TenantStore as _};
use worktruck_core::temporal::At;
use worktruck_core::{Clock as _, TenantId};
use worktruck_store_sqlite::SqliteStore;

/// A tenant in a SQLite file.
struct World {
    target: Target,
    pim: Pim,
    tenant: TenantId,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("notes.db").display());
        let store = Arc::new(SqliteStore::open(&url).await.unwrap());
        let (ids, clock) = (Arc::new(RandomIds::new()), Arc::new(SystemClock::new()));
        let tenant = TenantId::new(&*ids, clock.now());
        store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();
        let pim = Pim::new(store.clone(), clock.clone(), ids.clone());
        let target = Target { store, tenant, ids, clock, captured_by: "test".to_owned(), locale: Locale::default() };
        Self { target, pim, tenant, _folder: folder }
    }

    async fn import(&self, folder: &Path) -> Report {
        imports::load(&self.target, folder, |_| {}).await.unwrap()
    }

    async fn export(&self, folder: &Path) -> exports::Report {
        self.export_over(folder, Foreign::Keep).await
    }

    async fn export_over(&self, folder: &Path, foreign: Foreign) -> exports::Report {
        exports::write(&self.pim, self.tenant, At::NOW, folder, foreign, |_| {}).await.unwrap()
    }

    async fn notes(&self) -> Vec<Stored<Note>> {
        self.pim.notes(self.tenant).list(NoteFilter::default()).limit(200).await.unwrap().data
    }

    async fn note(&self, title: &str) -> Stored<Note> {
        let notes = self.notes().await;
        let titles: Vec<String> = notes.iter().map(|note| note.data.title.clone()).collect();
        notes.into_iter().find(|note| note.data.title == title).unwrap_or_else(|| panic!("{title}: {titles:?}"))
    }

    async fn notebook_names(&self) -> BTreeMap<String, String> {
        let found = self.pim.notebooks(self.tenant).list(Everything::default()).limit(200).await.unwrap().data;
        found.into_iter().map(|notebook| (notebook.id.to_string(), notebook.data.name)).collect()
    }

    /// All notes without their ids, each with the name of its notebook, in a fixed order.
    async fn told(&self) -> Vec<(String, Note)> {
        let names = self.notebook_names().await;
        let told = self.notes().await.into_iter().map(|note| {
            let notebook = note.data.notebook_id.map(|id| names[&id.to_string()].clone()).unwrap_or_default();
            (notebook, Note { notebook_id: None, ..note.data })
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|(notebook, note)| (notebook.clone(), note.title.clone(), note.body.clone()));
        told
    }
}

/// A new folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        put(folder.path(), path, text.as_bytes());
    }
    folder
}

fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// The files of a folder and its folders, hidden ones too.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(path, std::fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    found
}

fn counts(report: &Report) -> (usize, usize, usize) {
    (report.created, report.updated, report.skipped)
}

fn messages(errors: &[worktruck_agents::import::Problem]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
