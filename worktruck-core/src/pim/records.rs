use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::entity::Locale;
use crate::entity::affiliation::Affiliation;
use crate::entity::agent_schedule::AgentSchedule;
use crate::entity::attachment::Attachment;
use crate::entity::attendee::Attendee;
use crate::entity::calendar::Calendar;
use crate::entity::comment::Comment;
use crate::entity::contact::Contact;
use crate::entity::deal::Deal;
use crate::entity::dependency::Dependency;
use crate::entity::event::Event;
use crate::entity::event_link::EventLink;
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::entity::interaction::Interaction;
use crate::entity::label::Label;
use crate::entity::merge_proposal::MergeProposal;
use crate::entity::milestone::Milestone;
use crate::entity::note::Note;
use crate::entity::note_link::NoteLink;
use crate::entity::note_tag::NoteTag;
use crate::entity::notebook::Notebook;
use crate::entity::pipeline::Pipeline;
use crate::entity::project::Project;
use crate::entity::project_member::ProjectMember;
use crate::entity::relationship::Relationship;
use crate::entity::section::Section;
use crate::entity::stage::Stage;
use crate::entity::stage_change::StageChange;
use crate::entity::task::Task;
use crate::entity::task_link::TaskLink;
use crate::entity::task_status::TaskStatus;
use crate::entity::webhook::Webhook;
use crate::store::{Applied, Changes, Commits, Effect, EntityStore, Provenance, RequestMark, View};
use crate::temporal::At;
use crate::{Clock, Cursor, EntityId, Error, ErrorKind, IdSource, PageRequest, Result, TenantId, Timestamp};

use super::{Listing, Operation, Record, Stored, create, delete, replace, update};

/// How often an operation is run again because others changed what it read. Of writers that meet, one is through
/// each time.
const ATTEMPTS: usize = 64;
/// How often an operation that says itself that it cannot be done is run again.
const DOUBTS: usize = 3;

/// Contacts, deals, tasks, events and notes in a store, for an application.
///
/// See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct Pim {
    store: Arc<dyn EntityStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// Makes a method of [`Pim`] for each kind that people write.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident $entity:ty,)*) => {
        impl Pim {
            $($(#[$doc])* #[must_use]
            pub fn $name(&self, tenant: TenantId) -> Records<$entity> {
                self.records(tenant)
            })*
        }
    };
}

records! {
    /// The files that belong to notes.
    attachments Attachment,
    /// What notes are kept in.
    notebooks Notebook,
    /// Markdown texts.
    notes Note,
    /// Where notes lead.
    note_links NoteLink,
    /// What notes are tagged with.
    note_tags NoteTag,
    /// Who is asked to events.
    attendees Attendee,
    /// What events are in.
    calendars Calendar,
    /// Where to tell of what happens.
    webhooks Webhook,
    /// When runs are due.
    agent_schedules AgentSchedule,
    /// Persons, organizations and groups.
    contacts Contact,
    /// What contacts are at organizations.
    affiliations Affiliation,
    /// What events are about.
    event_links EventLink,
    /// What happens at a time.
    events Event,
    /// What contacts are to each other.
    relationships Relationship,
    /// What took place with contacts.
    interactions Interaction,
    /// Lists of contacts under a name.
    groups Group,
    /// Who is in a group.
    group_members GroupMember,
    /// Contacts that may be the same.
    merge_proposals MergeProposal,
    /// What may be sold.
    deals Deal,
    /// What deals go through.
    pipelines Pipeline,
    /// The parts of pipelines.
    stages Stage,
    /// What deals went through.
    stage_changes StageChange,
    /// What is to be done.
    tasks Task,
    /// What tasks belong to.
    projects Project,
    /// The steps that tasks of projects go through.
    task_statuses TaskStatus,
    /// The parts that tasks of projects are laid out in.
    sections Section,
    /// What projects want to have reached by a day.
    milestones Milestone,
    /// Who works on projects, and as what.
    project_members ProjectMember,
    /// How tasks depend on each other.
    dependencies Dependency,
    /// What people say about tasks.
    comments Comment,
    /// The colours of what tasks are labelled with.
    labels Label,
    /// Addresses of the web that belong to tasks.
    task_links TaskLink,
}

impl Pim {
    /// What `store` holds, where `clock` says what time it is and `ids` names what is new.
    #[must_use]
    pub fn new(store: Arc<dyn EntityStore>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { store, clock, ids }
    }

    /// The entities of one kind that `tenant` has.
    #[must_use]
    pub fn records<E: Record>(&self, tenant: TenantId) -> Records<E> {
        Records {
            pim: self.clone(),
            tenant,
            provenance: Provenance::new("user", "user_edit"),
            locale: Locale::default(),
            at: At::NOW,
            valid_from: None,
            valid_to: None,
            expected: None,
            request: None,
            kind: PhantomData,
        }
    }

    /// The commits of `tenant` after `since`, or from the first that is kept.
    ///
    /// # Errors
    ///
    /// As for [`EntityStore::changes`].
    pub async fn changes(&self, tenant: TenantId, since: Option<Cursor>, limit: u16) -> Result<Commits> {
        self.store.changes(tenant, since, PageRequest::new(limit, None)?).await
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An id that nothing has.
    #[must_use]
    pub fn new_id(&self) -> EntityId {
        EntityId::new(&*self.ids, self.now())
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EntityStore> {
        &self.store
    }
}

/// The entities of one kind that a tenant has, at two times, as somebody may read and write them.
///
/// What the methods that return `Self` set holds for the calls after them.
#[derive(Clone, Debug)]
pub struct Records<E> {
    pub(super) pim: Pim,
    pub(super) tenant: TenantId,
    provenance: Provenance,
    locale: Locale,
    pub(super) at: At,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    pub(super) expected: Option<u64>,
    request: Option<Answering>,
    kind: PhantomData<fn() -> E>,
}

/// An attempt at a request that a commit is for.
#[derive(Clone, Debug)]
struct Answering {
    key: String,
    attempt: Uuid,
    /// What an attempt before it did.
    done: Option<Effect>,
}

impl<E: Record> Records<E> {
    /// Written by `principal`; `user` if this is not said.
    #[must_use]
    pub fn by(mut self, principal: impl Into<String>) -> Self {
        self.provenance.captured_by = principal.into();
        self
    }

    /// Written for `reason`; `user_edit` if this is not said.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.provenance.capture_reason = reason.into();
        self
    }

    /// Written with this provenance.
    #[must_use]
    pub fn with_provenance(mut self, provenance: Provenance) -> Self {
        self.provenance = provenance;
        self
    }

    /// Where the tenant is at home; nowhere, and in UTC, if this is not said.
    #[must_use]
    pub const fn at_home(mut self, locale: Locale) -> Self {
        self.locale = locale;
        self
    }

    /// Reads what was known at `as_of`, about that moment unless [`valid_at`](Self::valid_at) says another.
    #[must_use]
    pub const fn as_of(mut self, as_of: Timestamp) -> Self {
        self.at.as_of = Some(as_of);
        self
    }

    /// Reads what holds at `valid_at`, as known now unless [`as_of`](Self::as_of) says another moment.
    #[must_use]
    pub const fn valid_at(mut self, valid_at: Timestamp) -> Self {
        self.at.valid_at = Some(valid_at);
        self
    }

    /// Writes what holds from `from` on, which may be before or after now.
    #[must_use]
    pub const fn valid_from(mut self, from: Timestamp) -> Self {
        self.valid_from = Some(from);
        self
    }

    /// Writes what holds up to, and not including, `to`.
    #[must_use]
    pub const fn valid_to(mut self, to: Timestamp) -> Self {
        self.valid_to = Some(to);
        self
    }

    /// Writes only if the entity is at this version.
    #[must_use]
    pub const fn if_version(mut self, version: u64) -> Self {
        self.expected = Some(version);
        self
    }

    /// The next write, which must be one commit, is what an attempt at a request does, or has done before: then nothing
    /// is written, and the answer is what it was.
    ///
    /// See [`RequestStore`](crate::store::RequestStore).
    #[must_use]
    pub fn for_request(mut self, key: impl Into<String>, attempt: Uuid, done: Option<Effect>) -> Self {
        self.request = Some(Answering { key: key.into(), attempt, done });
        self
    }

    /// Makes a new entity.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` or `Conflict` with the JSON pointer of the field, and those of the store.
    pub async fn create(&self, data: E) -> Result<Stored<E>> {
        self.create_from(body(&data)?).await
    }

    /// Makes a new entity of its JSON, in which ids of parts may be left out.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub async fn create_from(&self, body: Value) -> Result<Stored<E>> {
        let body = &body;
        let (applied, id) = self.commit(|operation| async move { create::<E>(&operation, body.clone()).await }).await?;
        self.written(id, &applied).await
    }

    /// The entity; that which it has become a part of, if it has.
    ///
    /// # Errors
    ///
    /// `NotFound` if it does not exist at the two times, and those of [`EntityStore::entity`].
    pub async fn get(&self, id: EntityId) -> Result<Stored<E>> {
        E::read(&self.operation(), id).await
    }

    /// Changes an entity by a JSON merge patch (RFC 7396), in every slice of the valid axis that is written.
    ///
    /// # Errors
    ///
    /// `NotFound`, `VersionMismatch`, `InvalidRequest` or `Conflict`, and those of the store.
    pub async fn update(&self, id: EntityId, patch: Value) -> Result<Stored<E>> {
        let (patch, expected) = (&patch, self.expected);
        let run = |operation: Operation| async move { update::<E>(&operation, id, expected, patch).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Puts `data` in the place of all that an entity is.
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub async fn replace(&self, id: EntityId, data: E) -> Result<Stored<E>> {
        let (body, expected) = (&body(&data)?, self.expected);
        let run = |operation: Operation| async move { replace::<E>(&operation, id, expected, body.clone()).await };
        let applied = self.commit_all(run).await?;
        self.written(id, &applied).await
    }

    /// Ends an entity; its history stays.
    ///
    /// # Errors
    ///
    /// `NotFound`, `VersionMismatch` or `Conflict`, and those of the store.
    pub async fn delete(&self, id: EntityId) -> Result<()> {
        let expected = self.expected;
        self.commit_all(|operation| async move { delete::<E>(&operation, id, expected).await }).await?;
        Ok(())
    }

    /// A list of entities, to be awaited.
    pub fn list(&self, filter: E::Filter) -> Listing<'_, E> {
        Listing::new(self, filter)
    }

    /// The records of another kind, with all that was said of these.
    pub(super) fn of_kind<P: Record>(&self) -> Records<P> {
        Records {
            pim: self.pim.clone(),
            tenant: self.tenant,
            provenance: self.provenance.clone(),
            locale: self.locale,
            at: self.at,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            expected: self.expected,
            request: self.request.clone(),
            kind: PhantomData,
        }
    }

    /// Runs an operation and commits its changes, and does so again while others change what it read.
    ///
    /// # Errors
    ///
    /// Those of the operation and of [`EntityStore::apply`]; `VersionMismatch` or `Conflict` if others were faster
    /// every time.
    pub(super) async fn commit<T, R>(&self, run: impl Fn(Operation) -> R) -> Result<(Applied, T)>
    where
        R: Future<Output = Result<(Changes, T)>>,
        T: Serialize + DeserializeOwned,
    {
        if let Some(Answering { done: Some(Effect { tx_id, at, note }), .. }) = &self.request {
            let output = T::deserialize(note)
                .map_err(|e| Error::internal("what a request did is stored damaged").with_source(e))?;
            return Ok((Applied { tx_id: *tx_id, at: *at, versions: Vec::new() }, output));
        }
        let (mut attempt, mut doubts) = (1, 0);
        loop {
            let (mut changes, output) = match Box::pin(run(self.operation())).await {
                // Others may have written between two of its reads, so that what it saw was never true together.
                Err(error) if doubts < DOUBTS && is_overtaken(&error) => {
                    doubts += 1;
                    continue;
                }
                done => done?,
            };
            if let Some(Answering { key, attempt, .. }) = &self.request {
                let note = serde_json::to_value(&output)
                    .map_err(|e| Error::internal("what a request did has no JSON form").with_source(e))?;
                changes.request = Some(Box::new(RequestMark { key: key.clone(), attempt: *attempt, note }));
            }
            let now = self.pim.clock.now();
            match self.pim.store.apply(self.tenant, changes, self.provenance.clone(), now).await {
                Ok(applied) => return Ok((applied, output)),
                Err(error) if attempt == ATTEMPTS || !is_overtaken(&error) => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Runs an operation that gives nothing but its changes, as [`commit`](Self::commit) does.
    pub(super) async fn commit_all<R>(&self, run: impl Fn(Operation) -> R) -> Result<Applied>
    where
        R: Future<Output = Result<Changes>>,
    {
        let run = |operation| {
            let changes = run(operation);
            async move { Ok((changes.await?, ())) }
        };
        Ok(self.commit(run).await?.0)
    }

    /// An operation about the two times, with all that was said of writes.
    pub(super) fn operation(&self) -> Operation {
        let view = View::new(Arc::clone(&self.pim.store), self.tenant, self.pim.clock.now());
        let mut operation = Operation::new(view, Arc::clone(&self.pim.ids), &self.provenance.captured_by);
        operation.locale = self.locale;
        operation.at = self.at;
        operation.valid_from = self.valid_from;
        operation.valid_to = self.valid_to;
        operation
    }

    /// The entity as the commit has left it, where the commit wrote.
    pub(super) async fn written(&self, id: EntityId, applied: &Applied) -> Result<Stored<E>> {
        let at = At { as_of: Some(applied.at), valid_at: self.valid_from };
        // The commit may be stamped later than the clock shows.
        let now = self.pim.clock.now().max(applied.at);
        let view = View::new(Arc::clone(&self.pim.store), self.tenant, now);
        let found = Operation { view, ..self.operation() }.find_at(id, at).await?;
        // It is the answer of a write, and not one about the past.
        let found = found.map(|found| Stored { temporal: None, ..found });
        found.ok_or_else(|| Error::internal(format!("{} {id} is gone after it was written", E::KIND)))
    }
}

fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::Conflict)
}

fn body<E: Record>(data: &E) -> Result<Value> {
    serde_json::to_value(data).map_err(|e| Error::internal(format!("a {} has no JSON form", E::KIND)).with_source(e))
}
