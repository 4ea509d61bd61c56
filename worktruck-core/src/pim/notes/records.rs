use serde_json::Value;

use crate::entity::attachment::Attachment;
use crate::entity::note::Note;
use crate::entity::note_link::{LinkTargetType, NoteLink};
use crate::entity::notebook::Notebook;
use crate::pim::{Operation, Records, Stored};
use crate::{EntityId, Page, PageRequest, Result};

use super::{Backlink, NoteDetail, NotebookDetail};

impl Records<Notebook> {
    /// A notebook with the number of its notes.
    ///
    /// # Errors
    ///
    /// `NotFound` if it does not exist, and those of the store.
    pub async fn detail(&self, id: EntityId) -> Result<NotebookDetail> {
        super::notebook_detail(&self.operation(), id).await
    }

    /// A page of notebooks, each with the number of its notes.
    ///
    /// # Errors
    ///
    /// As for [`notebook_details`](super::notebook_details).
    pub async fn details(&self, page: PageRequest) -> Result<Page<NotebookDetail>> {
        super::notebook_details(&self.operation(), page).await
    }

    /// A notebook that was read or written, with the number of its notes.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn detail_of(&self, notebook: Stored<Notebook>) -> Result<NotebookDetail> {
        super::notebooks::counted(&self.operation(), notebook).await
    }
}

impl Records<Note> {
    /// A note with the numbers of its links.
    ///
    /// # Errors
    ///
    /// `NotFound` if it does not exist, and those of the store.
    pub async fn detail(&self, id: EntityId) -> Result<NoteDetail> {
        super::note_detail(&self.operation(), id).await
    }

    /// A page of the links from a note.
    ///
    /// # Errors
    ///
    /// `NotFound` if the note does not exist, `InvalidCursor`, and those of the store.
    pub async fn links(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<NoteLink>>> {
        super::links(&self.operation(), id, page).await
    }

    /// A page of the links from notes to a note.
    ///
    /// # Errors
    ///
    /// `NotFound` if the note does not exist, `InvalidCursor`, and those of the store.
    pub async fn backlinks(&self, id: EntityId, page: PageRequest) -> Result<Page<Backlink>> {
        self.backlinks_of(LinkTargetType::Note, id, page).await
    }

    /// A page of the links from notes to whatever they may lead to.
    ///
    /// # Errors
    ///
    /// `NotFound` if it does not exist, `InvalidCursor`, and those of the store.
    pub async fn backlinks_of(
        &self,
        target_type: LinkTargetType,
        target: EntityId,
        page: PageRequest,
    ) -> Result<Page<Backlink>> {
        super::backlinks(&self.operation(), target_type, target, page).await
    }

    /// Links a note to an entity, beside the links of its text.
    ///
    /// # Errors
    ///
    /// As for [`link`](super::link).
    pub async fn link(&self, id: EntityId, to: LinkTargetType, target: EntityId) -> Result<Stored<NoteLink>> {
        let run = |operation: Operation| async move { super::link(&operation, id, to, target).await };
        let (applied, link) = self.commit(run).await?;
        self.of_kind::<NoteLink>().written(link, &applied).await
    }

    /// Ends a link that [`link`](Self::link) made.
    ///
    /// # Errors
    ///
    /// As for [`unlink`](super::unlink).
    pub async fn unlink(&self, id: EntityId, link: EntityId) -> Result<()> {
        self.commit_all(|operation| async move { super::unlink(&operation, id, link).await }).await?;
        Ok(())
    }

    /// Tags a note; does nothing if it is tagged so.
    ///
    /// # Errors
    ///
    /// As for [`tag`](super::tag).
    pub async fn tag(&self, id: EntityId, name: &str) -> Result<Stored<Note>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { super::tag(&operation, id, expected, name).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Takes a tag from a note; does nothing if it is not tagged so.
    ///
    /// # Errors
    ///
    /// As for [`untag`](super::untag).
    pub async fn untag(&self, id: EntityId, name: &str) -> Result<Stored<Note>> {
        let expected = self.expected;
        let run = |operation: Operation| async move { super::untag(&operation, id, expected, name).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// A page of the attachments of a note.
    ///
    /// # Errors
    ///
    /// `NotFound` if the note does not exist, `InvalidCursor`, and those of the store.
    pub async fn attachments(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<Attachment>>> {
        super::attachments(&self.operation(), id, page).await
    }

    /// Adds an attachment to a note, of its JSON without the note.
    ///
    /// # Errors
    ///
    /// As for [`attach`](super::attach).
    pub async fn attach(&self, id: EntityId, body: Value) -> Result<Stored<Attachment>> {
        let body = &body;
        let run = |operation: Operation| async move { super::attach(&operation, id, body.clone()).await };
        let (applied, file) = self.commit(run).await?;
        self.of_kind::<Attachment>().written(file, &applied).await
    }

    /// Ends an attachment of a note.
    ///
    /// # Errors
    ///
    /// `NotFound` if the note has no such attachment, and those of the store.
    pub async fn detach(&self, id: EntityId, attachment: EntityId) -> Result<()> {
        self.commit_all(|operation| async move { super::detach(&operation, id, attachment).await }).await?;
        Ok(())
    }
}
