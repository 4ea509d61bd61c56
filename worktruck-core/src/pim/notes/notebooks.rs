use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};

use crate::entity::note::Note;
use crate::entity::notebook::Notebook;
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::{ByTime, Deleting, Everything, Operation, Record, Stored};
use crate::store::{Changes, ListQuery, Require};
use crate::temporal::WriteOp;
use crate::{EntityId, Result};

use super::operations::count;
use super::span::Span;
use super::without;

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

/// What a single read of a notebook adds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct NotebookDetail {
    /// How many notes it has, 10,000 at most: they are counted one by one.
    pub note_count: usize,
}

/// What a single read of a notebook adds, at the times of the operation.
///
/// # Errors
///
/// `NotFound` if it does not exist, and those of the store.
pub async fn notebook_detail(operation: &Operation, id: EntityId) -> Result<NotebookDetail> {
    operation.expect::<Notebook>(id).await?;
    let note_count = count(operation, operation.query::<Note>().with("notebook_id", Some(id))).await?;
    Ok(NotebookDetail { note_count })
}
