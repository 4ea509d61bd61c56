//! Notebooks, notes and the links between them.
//!
//! # Links
//!
//! On every write of a note, the `[[wikilinks]]` of its text become [`NoteLink`]s in the same commit. A link by title
//! leads to the oldest note with that title, or to the oldest with it as an alias where none has it as its title;
//! until there is one it waits. When a note comes, is called otherwise or goes, all links by the names that it gains
//! or loses lead anew in the same commit, so that renaming a note away lets its links wait, unless the old title
//! stays as an alias. An archived note keeps its links. A link by id (`[[contact:…]]`, `[[note:…]]`) leads to that id
//! whether or not it exists.
//!
//! A write that holds only in the past or the future decides all this where it begins, and is not guarded against
//! another that does so at the same time.
//!
//! # Front matter
//!
//! What the YAML front matter of a text says is in the note's metadata and wins over what was there. A member of the
//! metadata is that of the front matter if the text names it; when the text no longer does, the member goes, unless
//! the same write sets it to something else. All other members are left alone.

mod file;
mod links;
mod names;
mod notebooks;
mod operations;
mod records;
mod resolve;
mod span;
mod tags;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entity::Kind;
use crate::entity::attachment::Attachment;
use crate::entity::note::Note;
use crate::entity::note_link::{LinkTargetType, NoteLink};
use crate::store::{ListQuery, Require, SortField};
use crate::temporal::WriteOp;
use crate::{EntityId, Error, Result};

use super::{ByTime, Deleting, Filter, Operation, Record, Stored, Writing};

pub use file::{from_markdown, to_markdown};
pub use notebooks::{NotebookDetail, notebook_detail, notebook_details};
pub use operations::{
    Backlink, NoteDetail, attach, attachments, backlinks, detach, link, links, note_detail, tag, unlink, untag,
};

/// What lists of notes can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NoteFilter {
    /// A tag that it has.
    pub tag: Option<String>,
    /// The notebook that it is in.
    pub notebook_id: Option<EntityId>,
    /// Whether it is pinned.
    pub pinned: Option<bool>,
    /// Whether it is archived.
    pub archived: Option<bool>,
}

/// What lists of notes can be sorted by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoteSort {
    /// By when it was first written.
    #[default]
    CreatedAt,
    /// By when it was last written.
    UpdatedAt,
    /// By title, without regard to case.
    Title,
}

impl From<NoteSort> for SortField {
    fn from(by: NoteSort) -> Self {
        match by {
            NoteSort::CreatedAt => Self::CreatedAt,
            NoteSort::UpdatedAt => Self::UpdatedAt,
            NoteSort::Title => Self::Key("title".to_owned()),
        }
    }
}

#[async_trait]
impl Filter for NoteFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        let query = query.with("tag", self.tag.as_ref()).with("notebook_id", self.notebook_id);
        Ok(query.with("pinned", self.pinned).with("archived", self.archived))
    }
}

#[async_trait]
impl Record for Note {
    type Filter = NoteFilter;
    type Sort = NoteSort;

    fn complete(body: &mut Value, _: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        // What a read adds may be sent back.
        without(body, &["outgoing_link_count", "backlink_count"]);
        Ok(())
    }

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        writing.refer("/notebook_id", Kind::Notebook, |note| note.notebook_id).await?;
        if let Some(old) = writing.old {
            writing.new.forget_front_matter_of(&old.data);
            if old.data.body != writing.new.body {
                // What is computed of the text holds wherever the text does, also where it was the same by chance.
                let members = writing.new.front_matter().map(|found| found.members).unwrap_or_default();
                let computed = json!({ "word_count": writing.new.word_count, "metadata": members });
                let key = writing.key();
                let write = writing.operation.write(WriteOp::Patch(computed));
                writing.changes = std::mem::take(&mut writing.changes).write_valid(key, write);
            }
        }
        let links = links::on_write(writing).await?;
        writing.changes = std::mem::take(&mut writing.changes).and(links);
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let links = links::on_delete(deleting).await?;
        let attachments = operations::delete_attachments(deleting.operation, deleting.old.id).await?;
        deleting.changes = std::mem::take(&mut deleting.changes).and(links).and(attachments);
        Ok(())
    }
}

/// What lists of links can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NoteLinkFilter {
    /// The note that they lead from.
    pub note_id: Option<EntityId>,
    /// What they lead to.
    pub target_type: Option<LinkTargetType>,
    /// The entity that they lead to, together with `target_type`.
    pub target_id: Option<EntityId>,
    /// Whether somebody made them.
    pub is_manual: Option<bool>,
}

#[async_trait]
impl Filter for NoteLinkFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        let kind = self.target_type.map(LinkTargetType::as_str);
        let mut query = query.with("note_id", self.note_id).with("target_type", kind).with("is_manual", self.is_manual);
        if let Some(id) = self.target_id {
            let kinds = self.target_type.map_or_else(|| LinkTargetType::ALL.to_vec(), |kind| vec![kind]);
            query.any.push(kinds.into_iter().map(|kind| NoteLink::target_term(kind, id)).collect());
        }
        Ok(query)
    }
}

#[async_trait]
impl Record for NoteLink {
    type Filter = NoteLinkFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if writing.old.is_some_and(|old| !old.data.is_manual) {
            return Err(of_the_text());
        }
        if writing.new.title.is_some() {
            let message = "a link that is not in the text leads to a target_id, and has no title";
            return Err(Error::invalid(message).at("/title"));
        }
        writing.new.is_manual = true;
        writing.refer("/note_id", Kind::Note, |link| Some(link.note_id)).await?;
        let (target_type, note_id) = (writing.new.target_type, writing.new.note_id);
        writing.refer("/target_id", target_type.kind(), |link| link.target_id).await?;
        if let Some(id) = writing.new.target_id {
            let term = Self::manual_of(note_id, target_type, id);
            writing.require(Require::UniqueTerm { kind: Kind::NoteLink, term });
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        if deleting.old.data.is_manual { Ok(()) } else { Err(of_the_text()) }
    }
}

fn of_the_text() -> Error {
    Error::conflict("the link is in the text of its note; change the text instead")
}

/// What lists of attachments can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AttachmentFilter {
    /// The note that they belong to.
    pub note_id: Option<EntityId>,
}

#[async_trait]
impl Filter for AttachmentFilter {
    async fn apply(&self, query: ListQuery, _: &Operation) -> Result<ListQuery> {
        Ok(query.with("note_id", self.note_id))
    }
}

#[async_trait]
impl Record for Attachment {
    type Filter = AttachmentFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        writing.refer("/note_id", Kind::Note, |attachment| Some(attachment.note_id)).await
    }
}

/// The JSON of an entity with what a read adds to it.
fn with<const N: usize>(mut body: Value, counts: [(&str, usize); N]) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.extend(counts.map(|(name, count)| (name.to_owned(), json!(count))));
    }
    body
}

/// Takes members out of the JSON of an entity.
fn without(body: &mut Value, names: &[&str]) {
    if let Some(members) = body.as_object_mut() {
        for name in names {
            members.remove(*name);
        }
    }
}
