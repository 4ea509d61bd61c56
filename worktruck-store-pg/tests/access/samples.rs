//! An entity of each kind with a value in every field, and what the types of core make of less.

use serde_json::{Value, json};
use worktruck_core::entity::{self, Kind};
use worktruck_core::temporal::merge_patch;

/// The kinds that people write, and the views of them. What gives numbers out is nobody's to see.
pub(crate) fn view_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Affiliation => "affiliations",
        Kind::AgentBreaker => "agent_breakers",
        Kind::AgentConfig => "agent_configs",
        Kind::AgentSchedule => "agent_schedules",
        Kind::Attachment => "attachments",
        Kind::Attendee => "attendees",
        Kind::ByokKey => "byok_keys",
        Kind::Calendar => "calendars",
        Kind::Comment => "comments",
        Kind::Contact => "contacts",
        Kind::Counter => return None,
        Kind::Deal => "deals",
        Kind::Dependency => "dependencies",
        // The events of runs had the name first.
        Kind::Event => "calendar_events",
        Kind::EventLink => "event_links",
        Kind::Group => "groups",
        Kind::GroupMember => "group_members",
        Kind::IntegrationKey => "integration_keys",
        Kind::Interaction => "interactions",
        Kind::Label => "labels",
        Kind::MergeProposal => "merge_proposals",
        Kind::Milestone => "milestones",
        Kind::Note => "notes",
        Kind::NoteLink => "note_links",
        Kind::NoteTag => "note_tags",
        Kind::Notebook => "notebooks",
        Kind::Pipeline => "pipelines",
        Kind::Project => "projects",
        Kind::ProjectMember => "project_members",
        Kind::Section => "sections",
        Kind::Stage => "stages",
        Kind::StageChange => "stage_changes",
        Kind::Relationship => "relationships",
        Kind::Task => "tasks",
        Kind::TaskLink => "task_links",
        Kind::TaskStatus => "task_statuses",
        Kind::Webhook => "webhooks",
    })
}

/// Makes [`typed`] of a list of kinds and their types.
macro_rules! typed {
    ($($kind:ident $entity:path,)*) => {
        /// The body as the type of its kind writes it: with all that it leaves out and that has a default.
        pub(crate) fn typed(kind: Kind, body: Value) -> Value {
            match kind {
                $(Kind::$kind => {
                    let entity: $entity = serde_json::from_value(body).expect("the body is one of its kind");
                    serde_json::to_value(entity).expect("an entity has a JSON form")
                })*
            }
        }
    };
}

typed! {
    Affiliation entity::affiliation::Affiliation,
    AgentBreaker entity::agent_breaker::AgentBreaker,
    AgentConfig entity::agent_config::AgentConfig,
    AgentSchedule entity::agent_schedule::AgentSchedule,
    Attachment entity::attachment::Attachment,
    Attendee entity::attendee::Attendee,
    ByokKey entity::byok_key::ByokKey,
    Calendar entity::calendar::Calendar,
    Comment entity::comment::Comment,
    Contact entity::contact::Contact,
    Counter entity::counter::Counter,
    Deal entity::deal::Deal,
    Dependency entity::dependency::Dependency,
    Event entity::event::Event,
    EventLink entity::event_link::EventLink,
    Group entity::group::Group,
    GroupMember entity::group_member::GroupMember,
    IntegrationKey entity::integration_key::IntegrationKey,
    Interaction entity::interaction::Interaction,
    Label entity::label::Label,
    MergeProposal entity::merge_proposal::MergeProposal,
    Milestone entity::milestone::Milestone,
    Note entity::note::Note,
    NoteLink entity::note_link::NoteLink,
    NoteTag entity::note_tag::NoteTag,
    Notebook entity::notebook::Notebook,
    Pipeline entity::pipeline::Pipeline,
    Project entity::project::Project,
    ProjectMember entity::project_member::ProjectMember,
    Section entity::section::Section,
    Stage entity::stage::Stage,
    StageChange entity::stage_change::StageChange,
    Relationship entity::relationship::Relationship,
    Task entity::task::Task,
    TaskLink entity::task_link::TaskLink,
    TaskStatus entity::task_status::TaskStatus,
    Webhook entity::webhook::Webhook,
}

/// The fields that an entity of a kind may have, as its type tells them.
pub(crate) fn fields(kind: Kind) -> Vec<String> {
    let error = entity::index(kind, &json!({ "\u{1}": 0 })).expect_err("it is no field").chain();
    let (_, known) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    let fields: Vec<String> = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!fields.is_empty(), "{error}");
    fields
}

/// A body with a value in each field, in texts `word`; of two that exclude each other the least one has the other.
pub(crate) fn full(kind: Kind, word: &str) -> Value {
    merge_patch(&least(kind, word), &more(kind, word))
}

fn id() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}

/// A body with what it must have and nothing else.
pub(crate) fn least(kind: Kind, word: &str) -> Value {
    let at = "2026-04-14T07:30:00.000001Z";
    match kind {
        Kind::Affiliation => json!({ "contact_id": id(), "organization_id": id() }),
        Kind::AgentBreaker | Kind::AgentConfig => json!({ "agent_blueprint": word }),
        Kind::AgentSchedule => json!({ "blueprint": word, "cron_expression": "0 7 * * *" }),
        Kind::Attachment => json!({ "note_id": id(), "url": "https://example.org/x" }),
        Kind::Attendee => json!({ "event_id": id(), "email": "ada@example.org" }),
        Kind::ByokKey => {
            json!({ "agent_blueprint": word, "provider": word, "key_hint": "12E7", "status": "active" })
        }
        Kind::Calendar | Kind::Group | Kind::Label | Kind::NoteTag | Kind::Notebook | Kind::Pipeline => {
            json!({ "name": word })
        }
        Kind::Comment => json!({ "task_id": id(), "body": word }),
        Kind::Contact => json!({ "display_name": word }),
        Kind::Counter => json!({ "next": 1 }),
        Kind::Deal => json!({ "name": word, "pipeline_id": id(), "stage_id": id() }),
        Kind::Dependency => json!({ "task_id": id(), "other_task_id": id(), "type": "blocked_by" }),
        Kind::Event => json!({ "calendar_id": id(), "title": word, "start_at": at, "ical_uid": word }),
        Kind::EventLink => json!({ "event_id": id(), "entity_type": "deal", "entity_id": id() }),
        Kind::GroupMember => json!({ "group_id": id(), "contact_id": id() }),
        Kind::IntegrationKey => json!({ "provider": "github", "key_hint": "abcd", "secret_ref": word }),
        Kind::Interaction => json!({ "type": "call", "occurred_at": at, "summary": word, "contact_ids": [id(), id()] }),
        Kind::MergeProposal => {
            let survivor = id();
            json!({ "contact_ids": [id(), survivor], "survivor_id": survivor, "score": 0.125, "reasons": [word] })
        }
        Kind::Milestone | Kind::Section => json!({ "project_id": id(), "name": word }),
        Kind::Note => json!({ "title": word, "body": "" }),
        Kind::NoteLink => json!({ "note_id": id(), "target_type": "note" }),
        Kind::Project => json!({ "identifier": "API", "name": word }),
        Kind::ProjectMember => json!({ "project_id": id(), "contact_id": id(), "role": word }),
        Kind::Stage => json!({ "pipeline_id": id(), "name": word, "position": 0 }),
        Kind::StageChange => json!({ "deal_id": id(), "pipeline_id": id(), "to_stage_id": id(), "changed_at": at,
            "changed_by": word }),
        Kind::Relationship => json!({ "contact_id": id(), "related_contact_id": id(), "type": word }),
        Kind::Task => json!({ "title": word, "due_at": at }),
        Kind::TaskLink => json!({ "task_id": id(), "url": "https://example.org/x" }),
        Kind::TaskStatus => json!({ "project_id": id(), "name": word, "category": "in_progress" }),
        Kind::Webhook => json!({ "url": "https://example.org/x", "events": ["run.failed"] }),
    }
}

/// What else a body may have.
fn more(kind: Kind, word: &str) -> Value {
    let (at, day) = ("2026-04-14T07:30:00.000001Z", "2026-04-14");
    let mut more = match kind {
        Kind::Affiliation => json!({ "title": word, "role": word, "department": word, "description": word,
            "start_date": day, "end_date": "9999-12-31", "is_current": false }),
        Kind::AgentBreaker => json!({ "disabled_at": at, "disabled_reason": word, "enabled_at": at,
            "enabled_reason": word }),
        Kind::AgentConfig => json!({ "system_prompt": word, "model": "claude-haiku-5-5",
            "fallback_models": ["openai/gpt-7"], "on_budget": [{ "at_percent": 80, "action": "warn" }], "tools": ["contacts_get"],
            "budget_default_cents": u32::MAX, "deadline_default_seconds": 60, "max_steps": 5, "max_concurrent_runs": 2,
            "max_repeats": 3, "guardrails": [] }),
        Kind::AgentSchedule => json!({ "timezone": "Europe/Paris", "input_template": { "a": [word] }, "enabled": false,
            "overlap": "queue", "catch_up": "all", "jitter_secs": 60, "next_run_at": at, "last_enqueued_at": at,
            "last_run_id": id(), "consecutive_failures": 2, "disabled_reason": word }),
        Kind::Attachment => json!({ "name": word, "media_type": "image/png", "size_bytes": u64::MAX }),
        Kind::ByokKey => json!({ "last_probed_at": at }),
        Kind::Attendee => json!({ "display_name": word, "contact_id": id(), "role": "chair",
            "participant_type": "room", "response_status": "tentative", "comment": word }),
        Kind::Calendar => json!({ "color": "#3366cc", "description": word, "timezone": "Europe/Paris",
            "is_primary": true, "is_visible": false }),
        Kind::Comment => json!({ "author": word }),
        Kind::Contact => json!({ "kind": "organization", "given_name": word, "middle_name": word,
            "family_name": "\\u0000 is no NUL \u{1f600}", "prefix": "Dr.", "suffix": "FRS", "nickname": "", "bio": word,
            "avatar_url": "https://example.org/a.png", "language": "en", "timezone": "Europe/London",
            "vcard_uid": word,
            "channels": [{ "id": id(), "type": "email", "value": "Ada@example.org",
                "canonical_value": "ada@example.org", "is_primary": true, "is_verified": false,
                "preference_order": 0 }],
            "addresses": [{ "id": id(), "city": "London", "latitude": 51.5, "is_primary": true }],
            "dates": [{ "id": id(), "date_type": "birthday", "year": 1815, "month": 12, "day": 10 }],
            "tags": [word, "maths"], "merged_ids": [id()] }),
        Kind::Counter => json!({}),
        Kind::Deal => json!({ "amount": "123456789012345678.100000",
            "currency": "EUR", "value_period": "quarterly", "probability": 0.1, "confidence": 100, "contact_id": id(),
            "organization_id": id(), "source": word, "description": word, "next_step": word,
            "expected_close_date": "0001-01-01", "closed_at": at, "won_reason": word, "lost_reason": word,
            "contacts": [{ "contact_id": id(), "role": word, "is_primary": true, "introduced_by": id() }] }),
        Kind::Dependency | Kind::EventLink | Kind::GroupMember | Kind::ProjectMember => json!({}),
        Kind::Event => json!({ "description": word, "location": word, "location_lat": -51.25, "location_lng": 0.1,
            "conference_url": "https://example.org/x", "event_type": "focus_time", "status": "tentative",
            "availability": "free", "visibility": "private", "is_all_day": true, "end_at": at, "start_date": day,
            "end_date": day, "timezone": "Europe/Paris", "rrule": "FREQ=DAILY", "exdates": [day, "9999-12-31"],
            "rdates": [day], "series_id": id(), "recurrence_id": day, "sequence": 7,
            "reminders": [{ "minutes": 5, "method": "email" }], "organizer_id": id(), "next_occurrence": at,
            "color": "#3366cc" }),
        Kind::Group | Kind::Notebook => json!({ "description": word }),
        Kind::IntegrationKey => json!({ "label": word, "status": "active", "last_verified_at": at }),
        Kind::Interaction => json!({ "body": word, "duration_minutes": 30 }),
        Kind::Label => json!({ "color": "#3366cc" }),
        Kind::MergeProposal => json!({ "status": "rejected", "run_id": id() }),
        Kind::Milestone => json!({ "due_date": day, "completed_at": at }),
        Kind::Note => json!({ "body": "---\r\na: 1\r\n---\r\n[[Plan]]", "notebook_id": id(), "is_pinned": true,
            "is_archived": true, "source_url": "https://example.org/x", "word_count": 1, "tags": ["a, b", word] }),
        Kind::NoteLink => json!({ "target_type": "task", "target_id": id(), "title": word, "alias": word,
            "heading": "^x", "is_manual": true }),
        Kind::NoteTag => json!({ "color": "red", "description": word }),
        Kind::Pipeline => json!({ "description": word, "is_default": true, "currency": "JPY" }),
        Kind::Project => json!({ "description": word, "status": "active", "is_archived": true, "is_private": true,
            "default_status_id": id(), "start_date": day, "target_date": day }),
        Kind::Section => json!({ "position": 1.5 }),
        Kind::Stage => json!({ "position": u32::MAX, "stage_type": "won", "probability": 1.0 }),
        Kind::StageChange => json!({ "from_stage_id": id(), "amount": "-0.10", "currency": "USD", "reason": word }),
        Kind::Relationship => json!({ "note": word }),
        Kind::Task => json!({ "description": word, "project_id": id(), "section_id": id(), "milestone_id": id(),
            "status_id": id(), "status_category": "done", "parent_id": id(), "identifier": "API-1", "priority": 4,
            "assignee_id": id(), "creator_id": id(), "due_date": day, "due_at": null, "deadline": day,
            "start_date": day, "snoozed_until": at, "estimation_minutes": 5, "time_spent_minutes": u32::MAX,
            "rrule": "FREQ=DAILY", "recurrence_basis": "completion", "next_occurrence": day, "next_task_id": id(),
            "position": -2.5, "labels": ["b", word], "completed_at": at, "canceled_at": at }),
        Kind::TaskLink => json!({ "title": word }),
        Kind::TaskStatus => json!({ "color": "#3366cc", "position": 3 }),
        Kind::Webhook => json!({ "events": ["run.failed", "run.waiting"], "description": word, "status": "disabled",
            "disabled_at": at, "disabled_reason": word }),
    };
    if !matches!(kind, Kind::AgentBreaker | Kind::ByokKey | Kind::Counter) {
        more["metadata"] = json!({ word: [1, 0.1, true, { "b": word }] });
    }
    more
}
