//! Which entities the API shows, and what a read adds to them.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde_json::Value;
use worktruck_core::entity::affiliation::Affiliation;
use worktruck_core::entity::attachment::Attachment;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::comment::Comment;
use worktruck_core::entity::contact::Contact;
use worktruck_core::entity::deal::Deal;
use worktruck_core::entity::event::Event;
use worktruck_core::entity::event_link::EventLink;
use worktruck_core::entity::group::Group;
use worktruck_core::entity::interaction::Interaction;
use worktruck_core::entity::label::Label;
use worktruck_core::entity::merge_proposal::MergeProposal;
use worktruck_core::entity::milestone::Milestone;
use worktruck_core::entity::note::Note;
use worktruck_core::entity::note_link::NoteLink;
use worktruck_core::entity::note_tag::NoteTag;
use worktruck_core::entity::notebook::Notebook;
use worktruck_core::entity::pipeline::Pipeline;
use worktruck_core::entity::project::Project;
use worktruck_core::entity::project_member::ProjectMember;
use worktruck_core::entity::relationship::Relationship;
use worktruck_core::entity::section::Section;
use worktruck_core::entity::stage::Stage;
use worktruck_core::entity::stage_change::StageChange;
use worktruck_core::entity::task::Task;
use worktruck_core::entity::task_link::TaskLink;
use worktruck_core::entity::task_status::TaskStatus;
use worktruck_core::pim::{Record, Records, Stored};
use worktruck_core::{EntityId, Result};

use crate::Failure;
use crate::json::to_value;

/// An entity that the API shows.
#[async_trait]
pub(crate) trait Shown: Record<Filter: JsonSchema, Sort: JsonSchema> + JsonSchema {
    /// The fields that a new one must have.
    const NEEDS: &'static [&'static str];

    /// Whether lists of it can be searched for words.
    const IS_SEARCHED: bool = false;

    /// Whether a search shows what of its text matches.
    const HAS_SNIPPET: bool = false;

    /// The entity with what a single read adds, and its version.
    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let stored = records.get(id).await?;
        let version = stored.version();
        Ok((Self::listed(records, stored).await?, version))
    }

    /// The entity with what every answer adds.
    async fn listed(_records: &Records<Self>, stored: Stored<Self>) -> Result<Value, Failure> {
        Ok(stored.resource())
    }
}

/// The kinds to which answers add nothing.
macro_rules! plain {
    ($($entity:ident $needs:tt,)*) => {
        $(impl Shown for $entity {
            const NEEDS: &'static [&'static str] = &$needs;
        })*
    };
}

plain! {
    Affiliation ["organization_id"],
    Attachment ["url"],
    Attendee ["email"],
    Calendar ["name"],
    Comment ["body"],
    EventLink ["entity_type", "entity_id"],
    Group ["name"],
    Interaction ["type", "occurred_at", "summary", "contact_ids"],
    Label ["name"],
    MergeProposal ["contact_ids", "survivor_id", "score", "reasons"],
    Milestone ["name"],
    NoteLink ["target_type", "target_id"],
    NoteTag ["name"],
    Pipeline ["name"],
    ProjectMember ["contact_id", "role"],
    Relationship ["related_contact_id", "type"],
    Section ["name"],
    Stage ["name"],
    StageChange ["to_stage_id"],
    TaskLink ["url"],
    TaskStatus ["name", "category"],
}

impl Shown for Contact {
    const NEEDS: &'static [&'static str] = &["display_name"];
    const IS_SEARCHED: bool = true;
}

impl Shown for Task {
    const NEEDS: &'static [&'static str] = &["title"];
    const IS_SEARCHED: bool = true;
}

#[async_trait]
impl Shown for Deal {
    const NEEDS: &'static [&'static str] = &["name"];
    const IS_SEARCHED: bool = true;

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.deal.version()))
    }
}

#[async_trait]
impl Shown for Event {
    const NEEDS: &'static [&'static str] = &["calendar_id", "title"];
    const IS_SEARCHED: bool = true;

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.event.version()))
    }
}

#[async_trait]
impl Shown for Note {
    const NEEDS: &'static [&'static str] = &["title"];
    const IS_SEARCHED: bool = true;
    const HAS_SNIPPET: bool = true;

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.note.version()))
    }
}

#[async_trait]
impl Shown for Notebook {
    const NEEDS: &'static [&'static str] = &["name"];

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.notebook.version()))
    }

    async fn listed(records: &Records<Self>, stored: Stored<Self>) -> Result<Value, Failure> {
        to_value(&records.detail_of(stored).await?)
    }
}

#[async_trait]
impl Shown for Project {
    const NEEDS: &'static [&'static str] = &["identifier", "name"];

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.project.version()))
    }

    async fn listed(records: &Records<Self>, stored: Stored<Self>) -> Result<Value, Failure> {
        to_value(&records.detail_of(stored).await?)
    }
}
