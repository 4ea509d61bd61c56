//! What entities are to each other, by their index terms: who refers to whom, and what only one may have.
//!
//! An ordinary write asks the operation of its kind for all that it entails. What was there before a run was checked
//! when it was written; to put it back it is enough that nothing refers to nothing, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::entity::agent_config::BLUEPRINT_TERM;
use crate::entity::integration_key::PROVIDER_TERM;
use crate::entity::merge_proposal::CONTACTS_TERM;
use crate::entity::pipeline::Pipeline;
use crate::entity::relationship::END_TERM;
use crate::entity::{Kind, Term, index};
use crate::store::{EntityKey, ListQuery, Require, Version};
use crate::temporal::At;
use crate::{EntityId, PageRequest, Result, TenantId, Timestamp};

use super::Undo;
use super::obstacles::{Dangling, Obstacles, Taken};

/// That entities of a kind refer to others.
#[derive(Clone, Copy)]
struct Reference {
    from: Kind,
    /// The name of the index term.
    term: &'static str,
    /// What stands before the id in its value.
    prefix: &'static str,
    to: Kind,
}

const fn refers(from: Kind, term: &'static str, to: Kind) -> Reference {
    Reference { from, term, prefix: "", to }
}

const fn leads(prefix: &'static str, to: Kind) -> Reference {
    Reference { from: Kind::NoteLink, term: "target", prefix, to }
}

/// Every reference that must not lead to nothing. What has taken place may name what is gone: proposals to merge that
/// were decided, and the stages that deals went through.
const REFERENCES: &[Reference] = &[
    refers(Kind::Affiliation, "contact_id", Kind::Contact),
    refers(Kind::Affiliation, "organization_id", Kind::Contact),
    refers(Kind::Attachment, "note_id", Kind::Note),
    refers(Kind::Attendee, "event_id", Kind::Event),
    refers(Kind::Attendee, "contact_id", Kind::Contact),
    refers(Kind::Comment, "task_id", Kind::Task),
    refers(Kind::Deal, "contact_id", Kind::Contact),
    refers(Kind::Deal, "introduced_by", Kind::Contact),
    refers(Kind::Deal, "organization_id", Kind::Contact),
    refers(Kind::Deal, "pipeline_id", Kind::Pipeline),
    refers(Kind::Deal, "stage_id", Kind::Stage),
    refers(Kind::Dependency, "task_id", Kind::Task),
    refers(Kind::Event, "calendar_id", Kind::Calendar),
    refers(Kind::Event, "series_id", Kind::Event),
    refers(Kind::Event, "organizer_id", Kind::Contact),
    refers(Kind::EventLink, "event_id", Kind::Event),
    refers(Kind::EventLink, "entity_id", Kind::Contact),
    refers(Kind::EventLink, "entity_id", Kind::Deal),
    refers(Kind::EventLink, "entity_id", Kind::Note),
    refers(Kind::EventLink, "entity_id", Kind::Task),
    refers(Kind::GroupMember, "group_id", Kind::Group),
    refers(Kind::GroupMember, "contact_id", Kind::Contact),
    refers(Kind::Interaction, "contact_id", Kind::Contact),
    refers(Kind::Milestone, "project_id", Kind::Project),
    refers(Kind::Note, "notebook_id", Kind::Notebook),
    refers(Kind::NoteLink, "note_id", Kind::Note),
    leads("note:", Kind::Note),
    leads("contact:", Kind::Contact),
    leads("task:", Kind::Task),
    leads("event:", Kind::Event),
    leads("deal:", Kind::Deal),
    refers(Kind::ProjectMember, "project_id", Kind::Project),
    refers(Kind::ProjectMember, "contact_id", Kind::Contact),
    refers(Kind::Relationship, END_TERM, Kind::Contact),
    refers(Kind::Section, "project_id", Kind::Project),
    refers(Kind::Stage, "pipeline_id", Kind::Pipeline),
    refers(Kind::StageChange, "deal_id", Kind::Deal),
    refers(Kind::Task, "project_id", Kind::Project),
    refers(Kind::Task, "section_id", Kind::Section),
    refers(Kind::Task, "milestone_id", Kind::Milestone),
    refers(Kind::Task, "status_id", Kind::TaskStatus),
    refers(Kind::Task, "parent_id", Kind::Task),
    refers(Kind::Task, "assignee_id", Kind::Contact),
    refers(Kind::Task, "creator_id", Kind::Contact),
    refers(Kind::TaskLink, "task_id", Kind::Task),
    refers(Kind::TaskStatus, "project_id", Kind::Project),
];

/// The index terms that no two entities of a kind share; with a value where that alone is not shared.
const UNIQUE: &[(Kind, &str, Option<&str>)] = &[
    (Kind::AgentConfig, BLUEPRINT_TERM, None),
    (Kind::Attendee, "event_email", None),
    (Kind::Calendar, "primary", Some("true")),
    (Kind::Dependency, "pair", None),
    (Kind::Event, "occurrence", None),
    (Kind::EventLink, "event_target", None),
    (Kind::GroupMember, "membership", None),
    (Kind::IntegrationKey, PROVIDER_TERM, None),
    (Kind::Label, "name", None),
    (Kind::MergeProposal, CONTACTS_TERM, None),
    (Kind::NoteLink, "manual", None),
    (Kind::NoteTag, "name", None),
    (Kind::Pipeline, Pipeline::DEFAULT_TERM, Some("true")),
    (Kind::Project, "identifier", None),
    (Kind::ProjectMember, "member", None),
    (Kind::Relationship, "says", None),
    (Kind::Stage, "place", None),
];

/// What becomes of an entity at the moment at which a run is undone.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) key: EntityKey,
    /// What it is.
    pub(super) now: Option<&'a Value>,
    /// What it will be.
    pub(super) then: Option<&'a Value>,
    /// Just before the run first wrote to it.
    pub(super) before: Timestamp,
}

impl Undo {
    /// What must hold for `turns`, all of them, to be made; what does not is added to `obstacles`.
    pub(super) async fn relations(
        &self,
        tenant: TenantId,
        turns: &[Turn<'_>],
        obstacles: &mut Obstacles,
    ) -> Result<Vec<Require>> {
        let then: BTreeMap<EntityKey, BTreeSet<Term>> =
            turns.iter().map(|turn| Ok((turn.key, terms(turn.key.kind, turn.then)?))).collect::<Result<_>>()?;
        let mut requires = Vec::new();
        self.nothing_refers_to_what_goes(tenant, turns, &then, obstacles, &mut requires).await?;
        for turn in turns.iter().filter(|turn| turn.then.is_some()) {
            let now = terms(turn.key.kind, turn.now)?;
            let new: Vec<&Term> = then[&turn.key].difference(&now).collect();
            self.what_comes_refers_to_something(tenant, turn, &new, turns, obstacles, &mut requires).await?;
            self.what_comes_is_there_once(tenant, turn, &new, &then, obstacles, &mut requires).await?;
        }
        Ok(requires)
    }

    async fn nothing_refers_to_what_goes(
        &self,
        tenant: TenantId,
        turns: &[Turn<'_>],
        then: &BTreeMap<EntityKey, BTreeSet<Term>>,
        obstacles: &mut Obstacles,
        requires: &mut Vec<Require>,
    ) -> Result<()> {
        let gone: Vec<EntityKey> = turns.iter().filter(|turn| turn.then.is_none()).map(|turn| turn.key).collect();
        for reference in REFERENCES {
            let ids: Vec<EntityId> = gone.iter().filter(|key| key.kind == reference.to).map(|key| key.id).collect();
            for ids in ids.chunks(MOST_VALUES) {
                let values = ids.iter().map(|id| format!("{}{id}", reference.prefix));
                let query = ListQuery::new(reference.from).with_any(reference.term, values);
                for found in self.all(tenant, query).await? {
                    let has = match then.get(&found.key) {
                        Some(then) => then.clone(),
                        None => terms(found.key.kind, found.slice.body.as_ref())?,
                    };
                    let id = ids.iter().find(|id| has.contains(&reference.term_of(**id)));
                    obstacles.dangling.extend(id.map(|id| Dangling {
                        entity: found.key.into(),
                        refers_to: EntityKey::new(reference.to, *id).into(),
                    }));
                }
                let kind = reference.from;
                requires.extend(ids.iter().map(|id| Require::NoTerm { kind, term: reference.term_of(*id) }));
            }
        }
        Ok(())
    }

    async fn what_comes_refers_to_something(
        &self,
        tenant: TenantId,
        turn: &Turn<'_>,
        new: &[&Term],
        turns: &[Turn<'_>],
        obstacles: &mut Obstacles,
        requires: &mut Vec<Require>,
    ) -> Result<()> {
        for term in new {
            let mut missing = None;
            for reference in REFERENCES.iter().filter(|it| it.from == turn.key.kind && it.term == term.name) {
                let Some(id) = term.value.strip_prefix(reference.prefix).and_then(|id| id.parse().ok()) else {
                    continue;
                };
                let key = EntityKey::new(reference.to, id);
                if turns.iter().any(|other| other.key == key && other.then.is_some()) {
                    missing = None;
                    break;
                }
                let now = self.clock.now();
                if self.store.entity(tenant, key, At::NOW, now).await?.is_some() {
                    requires.push(Require::Exists { key });
                    missing = None;
                    break;
                }
                // What referred to nothing before the run may do so again.
                let before = turn.before;
                if self.store.entity(tenant, key, At::as_of(before), now.max(before)).await?.is_some() {
                    missing = Some(key);
                }
            }
            let entity = turn.key.into();
            obstacles.dangling.extend(missing.map(|key| Dangling { entity, refers_to: key.into() }));
        }
        Ok(())
    }

    async fn what_comes_is_there_once(
        &self,
        tenant: TenantId,
        turn: &Turn<'_>,
        new: &[&Term],
        then: &BTreeMap<EntityKey, BTreeSet<Term>>,
        obstacles: &mut Obstacles,
        requires: &mut Vec<Require>,
    ) -> Result<()> {
        let kind = turn.key.kind;
        let is_unique = |term: &Term| {
            let mut rows = UNIQUE.iter().filter(|(of, name, _)| *of == kind && *name == term.name);
            rows.any(|(_, _, value)| value.is_none_or(|value| value == term.value))
        };
        for term in new.iter().copied().filter(|term| is_unique(term)) {
            let query = ListQuery { terms: vec![term.clone()], ..ListQuery::new(kind) };
            let mut others = self.all(tenant, query).await?.into_iter().map(|found| found.key);
            let by = others.find(|key| *key != turn.key && then.get(key).is_none_or(|then| then.contains(term)));
            obstacles.taken.extend(by.map(|by| Taken { entity: turn.key.into(), by: by.into(), term: term.clone() }));
            requires.push(Require::UniqueTerm { kind, term: term.clone() });
        }
        Ok(())
    }

    async fn all(&self, tenant: TenantId, query: ListQuery) -> Result<Vec<Version>> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let part = ListQuery { page: PageRequest::largest(cursor), ..query.clone() };
            let page = self.store.list(tenant, part, self.clock.now()).await?;
            all.extend(page.data);
            cursor = page.next_cursor;
            // So many are enough to see that something is in the way.
            if cursor.is_none() || all.len() >= MOST_FOUND {
                return Ok(all);
            }
        }
    }
}

/// How many values one query asks for.
const MOST_VALUES: usize = 100;
/// How many entities of one query are looked at.
const MOST_FOUND: usize = 1_000;

impl Reference {
    fn term_of(&self, id: EntityId) -> Term {
        Term::new(self.term, format!("{}{id}", self.prefix))
    }
}

fn terms(kind: Kind, body: Option<&Value>) -> Result<BTreeSet<Term>> {
    Ok(match body {
        Some(body) => index(kind, body)?.terms.into_iter().collect(),
        None => BTreeSet::new(),
    })
}
