use async_trait::async_trait;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::entity::note::Note;
use crate::entity::notebook::Notebook;
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::{ByTime, Deleting, Everything, Operation, Record, Stored};
use crate::store::{Changes, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Page, PageRequest, Result};

use super::operations::count;
use super::span::Span;
use super::{with, without};

#[async_trait]
impl Record for Notebook {
    type Filter = Everything;
    type Sort = ByTime;

    fn complete(body: &mut Value, _: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        // What a read adds may be sent back.
        without(body, &["note_count"]);
        Ok(())
    }

    /// Its notes stay, in no notebook: nobody loses a text with the folder that it was in.
    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let span = Span::of(deleting.operation);
        let term = Term::new("notebook_id", deleting.old.id.to_string());
        let mut query = ListQuery { at: span.elsewhere(), ..ListQuery::new(Note::KIND) };
        query.terms.push(term.clone());
        let mut changes = Changes::none();
        for note in deleting.operation.all::<Note>(query).await? {
            let write = span.write_elsewhere(WriteOp::Patch(json!({ "notebook_id": null })));
            changes = changes.write_valid(note.key(), write);
            if span.is_present {
                changes = changes.require(Require::Version { key: note.key(), version: note.version() });
            }
        }
        if span.is_present {
            changes = changes.require(Require::NoTerm { kind: Kind::Note, term });
        }
        deleting.changes = std::mem::take(&mut deleting.changes).and(changes);
        Ok(())
    }
}

/// A notebook with the number of its notes. Its JSON is that of the notebook with `note_count`.
#[derive(Clone, Debug, PartialEq)]
pub struct NotebookDetail {
    /// The notebook.
    pub notebook: Stored<Notebook>,
    /// How many notes it has, 10,000 at most: they are counted one by one.
    pub note_count: usize,
}

impl Serialize for NotebookDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        with(self.notebook.resource(), [("note_count", self.note_count)]).serialize(serializer)
    }
}

/// A notebook with the number of its notes, at the times of the operation and of one moment.
///
/// # Errors
///
/// `NotFound` if it does not exist, and those of the store.
pub async fn notebook_detail(operation: &Operation, id: EntityId) -> Result<NotebookDetail> {
    let operation = &operation.fixed().await?;
    let notebook = operation.expect::<Notebook>(id).await?;
    counted(operation, notebook).await
}

/// A page of notebooks in order of creation, each with the number of its notes.
///
/// # Errors
///
/// `InvalidCursor`, and those of the store.
pub async fn notebook_details(operation: &Operation, page: PageRequest) -> Result<Page<NotebookDetail>> {
    let found = operation.page::<Notebook>(ListQuery { page, ..operation.query::<Notebook>() }).await?;
    let operation = &operation.fixed().await?;
    let mut data = Vec::with_capacity(found.data.len());
    for notebook in found.data {
        data.push(counted(operation, notebook).await?);
    }
    Ok(Page::new(data, found.next_cursor))
}

pub(super) async fn counted(operation: &Operation, notebook: Stored<Notebook>) -> Result<NotebookDetail> {
    let notes = operation.query::<Note>().with("notebook_id", Some(notebook.id));
    Ok(NotebookDetail { note_count: count(operation, notes).await?, notebook })
}
