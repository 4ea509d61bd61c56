//! Scenarios of notebooks, notes and their links.

#![expect(clippy::unwrap_used, reason = "a scenario is a test")]

mod links;
mod lists;
mod text;
mod together;

pub use links::*;
pub use lists::*;
pub use text::*;
pub use together::*;

use serde_json::{Value, json};

use crate::entity::note::Note;
use crate::entity::note_link::NoteLink;
use crate::pim::{Records, Stored};
use crate::{EntityId, PageRequest, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

/// Makes a note of a title and a text.
async fn write(desk: &Desk, title: &str, body: &str) -> Stored<Note> {
    desk.create(json!({ "title": title, "body": body })).await
}

/// The links from a note, in order.
async fn links_of(notes: &Records<Note>, id: EntityId) -> Vec<Stored<NoteLink>> {
    let page = notes.links(id, PageRequest::largest(None)).await.unwrap();
    assert!(!page.has_more);
    page.data
}

/// Where the links from a note lead, in order.
async fn targets(notes: &Records<Note>, id: EntityId) -> Vec<Option<EntityId>> {
    links_of(notes, id).await.into_iter().map(|link| link.data.target_id).collect()
}

/// The notes that link to a note, in the order of their links.
async fn linking(notes: &Records<Note>, id: EntityId) -> Vec<EntityId> {
    let page = notes.backlinks(id, PageRequest::largest(None)).await.unwrap();
    page.data.into_iter().map(|found| found.link.data.note_id).collect()
}

/// A moment after all that was written, and before all that will be.
fn pause(desk: &Desk) -> Timestamp {
    desk.wait(1);
    desk.wait(1)
}

/// The titles of notes.
fn titles(notes: impl IntoIterator<Item = Stored<Note>>) -> Vec<String> {
    notes.into_iter().map(|note| note.data.title).collect()
}

/// The title of a note, for a patch.
fn title(title: &str) -> Value {
    json!({ "title": title })
}
