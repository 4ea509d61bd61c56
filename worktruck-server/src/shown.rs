//! Which entities the API shows, and what a read adds to them.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde_json::{Value, json};
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

    /// A new one, for the description.
    fn example() -> Value;

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

/// The kinds to which answers add nothing: what a new one must have, and one for the description.
macro_rules! plain {
    ($($entity:ident $needs:tt $example:tt,)*) => {
        $(impl Shown for $entity {
            const NEEDS: &'static [&'static str] = &$needs;

            fn example() -> Value {
                json!($example)
            }
        })*
    };
}

plain! {
    Affiliation ["organization_id"] { "organization_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "title": "Analyst", "start_date": "2026-04-01" },
    Attachment ["url"] { "url": "https://example.org/plan.pdf", "name": "Plan", "media_type": "application/pdf" },
    Attendee ["email"] { "email": "ada@example.org", "display_name": "Ada Lovelace" },
    Calendar ["name"] { "name": "Work", "timezone": "Europe/Berlin" },
    Comment ["body"] { "body": "The drawings are done." },
    EventLink ["entity_type", "entity_id"] { "entity_type": "deal", "entity_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d" },
    Group ["name"] { "name": "Analysts", "description": "Who reads the figures" },
    Interaction ["type", "occurred_at", "summary"] {
        "type": "call", "occurred_at": "2026-04-14T08:00:00Z", "summary": "Spoke of the roof", "contact_ids": ["0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d"],
    },
    Label ["name"] { "name": "home", "color": "#aa0000" },
    MergeProposal ["contact_ids", "survivor_id", "score", "reasons"] { "contact_ids": ["0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d"], "survivor_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "score": 0.9, "reasons": ["one address"] },
    Milestone ["name"] { "name": "Beta", "due_date": "2026-06-01" },
    NoteLink ["target_type", "target_id"] { "target_type": "deal", "target_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d" },
    NoteTag ["name"] { "name": "looms", "color": "#00aa00" },
    Pipeline ["name"] { "name": "Sales", "currency": "EUR" },
    ProjectMember ["contact_id", "role"] { "contact_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "role": "lead" },
    Relationship ["related_contact_id", "type"] { "related_contact_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "type": "works_with" },
    Section ["name"] { "name": "This week" },
    Stage ["name"] { "name": "Lead", "stage_type": "open", "probability": 0.1 },
    StageChange ["to_stage_id"] { "to_stage_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d" },
    TaskLink ["url"] { "url": "https://example.org/drawings", "title": "Drawings" },
    TaskStatus ["name", "category"] { "name": "Review", "category": "in_progress" },
}

impl Shown for Contact {
    const NEEDS: &'static [&'static str] = &["display_name"];

    fn example() -> Value {
        json!({
            "display_name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
            "channels": [{ "type": "email", "value": "ada@example.org", "is_primary": true }], "tags": ["vip"],
        })
    }
    const IS_SEARCHED: bool = true;
}

impl Shown for Task {
    const NEEDS: &'static [&'static str] = &["title"];

    fn example() -> Value {
        json!({ "title": "Send the offer", "due_date": "2026-04-20", "priority": 3, "labels": ["sales"] })
    }
    const IS_SEARCHED: bool = true;
}

#[async_trait]
impl Shown for Deal {
    const NEEDS: &'static [&'static str] = &["name"];
    const IS_SEARCHED: bool = true;

    fn example() -> Value {
        json!({ "name": "New roof", "amount": "15000.00", "currency": "EUR", "expected_close_date": "2026-06-30" })
    }

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.deal.version()))
    }
}

#[async_trait]
impl Shown for Event {
    const NEEDS: &'static [&'static str] = &["calendar_id", "title"];
    const IS_SEARCHED: bool = true;

    fn example() -> Value {
        json!({
            "calendar_id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "title": "Standup", "timezone": "Europe/Berlin",
            "start_at": "2026-04-14T07:00:00Z", "end_at": "2026-04-14T07:15:00Z", "rrule": "FREQ=DAILY",
        })
    }

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

    fn example() -> Value {
        json!({ "title": "Engine", "body": "See [[Plan]] first.", "tags": ["looms"] })
    }

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.note.version()))
    }
}

#[async_trait]
impl Shown for Notebook {
    const NEEDS: &'static [&'static str] = &["name"];

    fn example() -> Value {
        json!({ "name": "Diary" })
    }

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

    fn example() -> Value {
        json!({ "identifier": "API", "name": "Interface", "status": "active" })
    }

    async fn single(records: &Records<Self>, id: EntityId) -> Result<(Value, u64), Failure> {
        let detail = records.detail(id).await?;
        Ok((to_value(&detail)?, detail.project.version()))
    }

    async fn listed(records: &Records<Self>, stored: Stored<Self>) -> Result<Value, Failure> {
        to_value(&records.detail_of(stored).await?)
    }
}
