//! Notebooks and notes.

use schemars::JsonSchema;
use serde::Serialize;
use worktruck_core::EntityId;
use worktruck_core::entity::attachment::Attachment;
use worktruck_core::entity::note::Note;
use worktruck_core::entity::note_link::{LinkTargetType, NoteLink};
use worktruck_core::entity::note_tag::NoteTag;
use worktruck_core::entity::notebook::Notebook;

use crate::answer::{Many, Nothing, One};
use crate::call::Call;
use crate::entities::Called;
use crate::route::Routes;
use crate::schema::Kept;
use crate::{Domain, Failure};

/// The routes of notebooks and notes.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Notes)
        .entity::<Notebook>("/notebooks", Called("a notebook", "notebooks"))
        .entity::<Note>("/notes", Called("a note", "notes"))
        .part_lists::<NoteLink>("/notes/{id}/links", Called("a link", "the links from a note"))
        .list("/notes/{id}/backlinks", "Lists the links to a note.", backlinks)
        .put("/notes/{id}/tags/{name}", "Tags a note.", tag)
        .delete("/notes/{id}/tags/{name}", "Takes a tag from a note.", untag)
        .part_lists::<Attachment>("/notes/{id}/attachments", Called("an attachment", "the attachments of a note"))
        .entity::<NoteTag>("/note-tags", Called("a tag of notes", "the tags of notes"))
}

/// A link to a note, with what stands around it.
#[derive(Debug, JsonSchema, Serialize)]
struct Backlink {
    /// The note that it is in.
    note_id: EntityId,
    /// The title of that note.
    note_title: String,
    /// What it leads to.
    target_type: LinkTargetType,
    /// The note that it leads to.
    target_id: EntityId,
    /// The line that it is in, or the part of it around the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// Whether somebody made it beside the text.
    is_manual: bool,
}

impl Kept for Backlink {
    const INNER: &'static [&'static str] = &[];
}

async fn backlinks(call: Call) -> Result<Many<Backlink>, Failure> {
    Many::of(call.records::<Note>().backlinks(call.id()?, call.page()?).await?)
}

async fn tag(call: Call) -> Result<One<Note>, Failure> {
    Ok(call.records::<Note>().tag(call.id()?, call.text("name")).await?.into())
}

async fn untag(call: Call) -> Result<Nothing, Failure> {
    call.records::<Note>().untag(call.id()?, call.text("name")).await?;
    Ok(Nothing)
}
