//! Entities that belong to another one: the stages of a pipeline, the comments on a task.

use serde_json::Value;

use crate::entity::Entity as _;
use crate::entity::affiliation::Affiliation;
use crate::entity::attachment::Attachment;
use crate::entity::attendee::Attendee;
use crate::entity::comment::Comment;
use crate::entity::contact::Contact;
use crate::entity::event::Event;
use crate::entity::event_link::EventLink;
use crate::entity::milestone::Milestone;
use crate::entity::note::Note;
use crate::entity::note_link::NoteLink;
use crate::entity::pipeline::Pipeline;
use crate::entity::project::Project;
use crate::entity::project_member::ProjectMember;
use crate::entity::relationship::Relationship;
use crate::entity::section::Section;
use crate::entity::stage::Stage;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::entity::task_status::TaskStatus;
use crate::store::{Changes, EntityKey};
use crate::{EntityId, Error, ErrorKind, PageRequest, Result};

use super::calendar::{AttendeeFilter, EventLinkFilter};
use super::contacts::{AffiliationFilter, RelationshipFilter};
use super::crm::StageFilter;
use super::notes::{AttachmentFilter, NoteLinkFilter};
use super::part::body_of_part;
use super::tasks::{OfProject, OfTask};
use super::write::part_of_no_other;
use super::{Listing, Operation, Record, Records, Stored, create, delete, update};

/// An entity that belongs to one of another kind, which it names in a field.
pub trait Nested: Record {
    /// What it belongs to.
    type Whole: Record;

    /// The field that names it.
    const WHOLE: &'static str;

    /// Which one.
    fn whole(&self) -> EntityId;

    /// Whether it belongs to `whole`.
    fn belongs_to(&self, whole: EntityId) -> bool {
        self.whole() == whole
    }

    /// The filter of those that belong to `whole`.
    fn of(whole: EntityId) -> Self::Filter;
}

/// Says of each kind what it belongs to.
macro_rules! nested {
    ($($part:ident $whole:ident $field:ident $filter:ident,)*) => {
        $(impl Nested for $part {
            type Whole = $whole;

            const WHOLE: &'static str = stringify!($field);

            fn whole(&self) -> EntityId {
                self.$field
            }

            fn of(whole: EntityId) -> Self::Filter {
                let mut filter = $filter::default();
                filter.$field = Some(whole);
                filter
            }
        })*
    };
}

nested! {
    Affiliation Contact contact_id AffiliationFilter,
    Stage Pipeline pipeline_id StageFilter,
    TaskStatus Project project_id OfProject,
    Section Project project_id OfProject,
    Milestone Project project_id OfProject,
    ProjectMember Project project_id OfProject,
    Comment Task task_id OfTask,
    TaskLink Task task_id OfTask,
    Attendee Event event_id AttendeeFilter,
    EventLink Event event_id EventLinkFilter,
    NoteLink Note note_id NoteLinkFilter,
    Attachment Note note_id AttachmentFilter,
}

/// A relationship belongs to both of its ends, and names the first.
impl Nested for Relationship {
    type Whole = Contact;

    const WHOLE: &'static str = "contact_id";

    fn whole(&self) -> EntityId {
        self.contact_id
    }

    fn belongs_to(&self, whole: EntityId) -> bool {
        [self.contact_id, self.related_contact_id].contains(&whole)
    }

    fn of(whole: EntityId) -> Self::Filter {
        RelationshipFilter { contact_id: Some(whole), ..RelationshipFilter::default() }
    }
}

/// The part `id` of `whole`, at the two times of the operation.
///
/// # Errors
///
/// `NotFound` if either does not exist or the part belongs to another, and those of the store.
pub async fn part<P: Nested>(operation: &Operation, whole: EntityId, id: EntityId) -> Result<Stored<P>> {
    let whole = P::Whole::read(operation, whole).await?;
    let found = operation.find::<P>(id).await?.filter(|found| found.data.belongs_to(whole.id));
    found.ok_or_else(|| no_part::<P>(whole.id, id))
}

fn no_part<P: Nested>(whole: EntityId, id: EntityId) -> Error {
    Error::not_found(format!("{} {id} of {} {whole}", P::KIND, P::Whole::KIND))
}

/// A new part of `whole` with the JSON `body`, in which the field that names the whole is left out.
///
/// # Errors
///
/// `NotFound` if there is no such whole, `Conflict` if it has become a part of another, and those of [`create`].
pub async fn create_part<P: Nested>(
    operation: &Operation,
    whole: EntityId,
    body: Value,
) -> Result<(Changes, EntityId)> {
    part_of_no_other::<P::Whole>(operation, whole).await?;
    let body = body_of_part(operation, (P::WHOLE, P::Whole::KIND, whole), body).await?;
    create::<P>(operation, body).await
}

/// Changes a part of `whole` by a JSON merge patch.
///
/// With `expected`, only if that is the version of the part.
///
/// # Errors
///
/// `NotFound` if the whole has no such part, `Conflict` if it has become a part of another, and those of [`update`].
pub async fn update_part<P: Nested>(
    operation: &Operation,
    (whole, id): (EntityId, EntityId),
    expected: Option<u64>,
    patch: &Value,
) -> Result<Changes> {
    own::<P>(operation, whole, id).await?;
    update::<P>(operation, id, expected, patch).await
}

/// Ends a part of `whole`; its history stays.
///
/// With `expected`, only if that is the version of the part.
///
/// # Errors
///
/// As for [`update_part`].
pub async fn delete_part<P: Nested>(
    operation: &Operation,
    (whole, id): (EntityId, EntityId),
    expected: Option<u64>,
) -> Result<Changes> {
    own::<P>(operation, whole, id).await?;
    delete::<P>(operation, id, expected).await
}

/// Refuses a part that is not one of `whole`, and a whole that may not be written.
async fn own<P: Nested>(operation: &Operation, whole: EntityId, id: EntityId) -> Result<()> {
    part_of_no_other::<P::Whole>(operation, whole).await?;
    part::<P>(operation, whole, id).await.map(|_| ())
}

impl<P: Nested> Records<P> {
    /// The part `id` of `whole`.
    ///
    /// # Errors
    ///
    /// As for [`part`].
    pub async fn get_part(&self, whole: EntityId, id: EntityId) -> Result<Stored<P>> {
        part(&self.operation(), whole, id).await
    }

    /// The parts of `whole`, as a list to be awaited.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such whole, and those of the store.
    pub async fn parts(&self, whole: EntityId) -> Result<Listing<'_, P>> {
        P::Whole::read(&self.operation(), whole).await?;
        Ok(self.list(P::of(whole)))
    }

    /// Adds a part to `whole`, of its JSON without the whole.
    ///
    /// # Errors
    ///
    /// As for [`create_part`].
    pub async fn create_part(&self, whole: EntityId, body: Value) -> Result<Stored<P>> {
        let body = &body;
        let run = |operation: Operation| async move { create_part::<P>(&operation, whole, body.clone()).await };
        let (applied, id) = self.commit(run).await?;
        self.written(id, &applied).await
    }

    /// Changes a part of `whole` by a JSON merge patch (RFC 7396).
    ///
    /// # Errors
    ///
    /// As for [`update_part`].
    pub async fn update_part_of(&self, whole: EntityId, id: EntityId, patch: Value) -> Result<Stored<P>> {
        let (patch, expected) = (&patch, self.expected);
        let run =
            |operation: Operation| async move { update_part::<P>(&operation, (whole, id), expected, patch).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Erases a part of `whole`, as [`purge`](Self::purge) does.
    ///
    /// # Errors
    ///
    /// `NotFound` if it never was a part of that, and those of [`purge`](Self::purge).
    pub async fn purge_part_of(&self, whole: EntityId, id: EntityId) -> Result<()> {
        part_of_no_other::<P::Whole>(&self.operation(), whole).await?;
        self.was_part(whole, id).await?;
        self.purge(id).await
    }

    /// Makes sure that something is or was a part of `whole`, for a look at its history.
    ///
    /// # Errors
    ///
    /// `NotFound` if it never was, as far as is known, and those of the store.
    pub async fn was_part(&self, whole: EntityId, id: EntityId) -> Result<()> {
        let operation = self.operation();
        let mut known = vec![whole];
        match P::Whole::read(&operation, whole).await {
            Ok(found) => known.push(found.id),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let key = EntityKey::new(P::KIND, id);
        let mut cursor = None;
        loop {
            let page = operation.view.history(key, PageRequest::largest(cursor)).await?;
            for version in page.data {
                let Some(stored) = Stored::<P>::read(version)? else { continue };
                if known.iter().any(|whole| stored.data.belongs_to(*whole)) {
                    return Ok(());
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Err(no_part::<P>(whole, id));
            }
        }
    }

    /// Ends a part of `whole`; its history stays.
    ///
    /// # Errors
    ///
    /// As for [`update_part`].
    pub async fn delete_part_of(&self, whole: EntityId, id: EntityId) -> Result<()> {
        let expected = self.expected;
        let run = |operation: Operation| async move { delete_part::<P>(&operation, (whole, id), expected).await };
        self.commit_all(run).await?;
        Ok(())
    }
}
