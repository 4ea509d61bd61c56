use async_trait::async_trait;
use serde_json::json;

use crate::Result;
use crate::entity::note::Note;
use crate::entity::note_tag::NoteTag;
use crate::entity::{Entity as _, Kind, Term};
use crate::pim::{ByTime, Deleting, Everything, Operation, Record, Writing};
use crate::store::{Changes, ListQuery, Require};
use crate::temporal::WriteOp;

use super::span::Span;

#[async_trait]
impl Record for NoteTag {
    type Filter = Everything;
    type Sort = ByTime;

    /// A name that changes is changed on all notes that have it.
    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if !writing.is_changed(|tag| &tag.name) {
            return Ok(());
        }
        let term = Self::name_term(&writing.new.name);
        writing.require(Require::UniqueTerm { kind: Kind::NoteTag, term });
        if let Some(old) = writing.old {
            let renamed = rename(writing.operation, &old.data.name, Some(&writing.new.name)).await?;
            writing.changes = std::mem::take(&mut writing.changes).and(renamed);
        }
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let removed = rename(deleting.operation, &deleting.old.data.name, None).await?;
        deleting.changes = std::mem::take(&mut deleting.changes).and(removed);
        Ok(())
    }
}

/// Gives all notes with a tag another in its place, or none.
async fn rename(operation: &Operation, old: &str, new: Option<&str>) -> Result<Changes> {
    let span = Span::of(operation);
    let term = Term::new("tag", old);
    let mut query = ListQuery { at: span.elsewhere(), ..ListQuery::new(Note::KIND) };
    query.terms.push(term.clone());
    let mut changes = Changes::none();
    for note in operation.all::<Note>(query).await? {
        let others = note.data.tags.iter().map(String::as_str).filter(|tag| *tag != old);
        let mut tags: Vec<&str> = others.chain(new).collect();
        tags.sort_unstable();
        tags.dedup();
        changes = changes.write_valid(note.key(), span.write_elsewhere(WriteOp::Patch(json!({ "tags": tags }))));
        if span.is_present {
            changes = changes.require(Require::Version { key: note.key(), version: note.version() });
        }
    }
    if span.is_present {
        changes = changes.require(Require::NoTerm { kind: Kind::Note, term });
    }
    Ok(changes)
}
