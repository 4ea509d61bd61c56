//! Attendees of events. Those of a series are asked to the occurrences that differ too: see [`invited`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::Kind;
use crate::entity::attendee::{Attendee, ResponseStatus};
use crate::entity::event::Event;
use crate::pim::contacts::of_contact;
use crate::pim::part::{body_of_part, part_of};
use crate::pim::{ByTime, Deleting, Filter, Operation, Record, Records, Stored, Writing, create, delete, update};
use crate::store::{Changes, ListQuery, Require};
use crate::{EntityId, Error, Page, PageRequest, Result};

use super::invited;

/// What lists of attendees can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AttendeeFilter {
    /// The event.
    pub event_id: Option<EntityId>,
    /// The contact; what was merged is the survivor.
    pub contact_id: Option<EntityId>,
    /// Where they are asked, in lower case.
    pub email: Option<String>,
    /// What they answered.
    pub response_status: Option<ResponseStatus>,
}

#[async_trait]
impl Filter for AttendeeFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = of_contact(query, operation, "contact_id", self.contact_id).await?;
        Ok(query
            .with("event_id", self.event_id)
            .with("email", self.email.as_ref())
            .with("response_status", self.response_status.map(ResponseStatus::as_str)))
    }
}

#[async_trait]
impl Record for Attendee {
    type Filter = AttendeeFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if writing.old.is_some() && writing.is_changed(|attendee| &attendee.event_id) {
            return Err(Error::invalid("an attendee stays with the event; add one to the other").at("/event_id"));
        }
        writing.refer("/event_id", Kind::Event, |attendee| Some(attendee.event_id)).await?;
        writing.refer("/contact_id", Kind::Contact, |attendee| attendee.contact_id).await?;
        let term = writing.new.email_term();
        let query = ListQuery { terms: vec![term.clone()], ..ListQuery::new(Kind::Attendee) };
        let other = writing.operation.first::<Self>(query).await?;
        if other.is_some_and(|other| other.id != writing.id) {
            let message = format!("{} is an attendee already; change that one", writing.new.email);
            return Err(Error::conflict(message).at("/email"));
        }
        writing.require(Require::UniqueTerm { kind: Kind::Attendee, term });
        let elsewhere = invited::written(writing).await?;
        writing.changes = std::mem::take(&mut writing.changes).and(elsewhere);
        Ok(())
    }

    async fn on_delete(deleting: &mut Deleting<'_, Self>) -> Result<()> {
        let elsewhere = invited::deleted(deleting.operation, deleting.old).await?;
        deleting.changes = std::mem::take(&mut deleting.changes).and(elsewhere);
        Ok(())
    }
}

/// A page of the attendees of an event, in the order in which they were added.
///
/// # Errors
///
/// `NotFound` if the event does not exist, `InvalidCursor`, and those of the store.
pub async fn attendees(operation: &Operation, event: EntityId, page: PageRequest) -> Result<Page<Stored<Attendee>>> {
    operation.expect::<Event>(event).await?;
    let query = operation.query::<Attendee>().with("event_id", Some(event));
    operation.page(ListQuery { page, ..query }).await
}

/// Asks somebody to an event, by the JSON of an attendee without the event.
///
/// # Errors
///
/// `NotFound` if there is no such event, `InvalidRequest` or `Conflict` at the field that is wrong, and those of the
/// store.
pub async fn invite(operation: &Operation, event: EntityId, body: Value) -> Result<(Changes, EntityId)> {
    create::<Attendee>(operation, body_of_part(operation, ("event_id", Kind::Event, event), body).await?).await
}

/// Changes an attendee of an event by a JSON merge patch.
///
/// With `expected`, only if that is the version of the attendee.
///
/// # Errors
///
/// `NotFound` if the event has no such attendee, and those of [`update`].
pub async fn update_attendee(
    operation: &Operation,
    (event, attendee): (EntityId, EntityId),
    expected: Option<u64>,
    patch: &Value,
) -> Result<Changes> {
    part_of::<Attendee>(operation, attendee, |data| data.event_id == event).await?;
    update::<Attendee>(operation, attendee, expected, patch).await
}

/// No longer asks an attendee to an event.
///
/// With `expected`, only if that is the version of the attendee.
///
/// # Errors
///
/// `NotFound` if the event has no such attendee, `VersionMismatch`, and those of the store.
pub async fn uninvite(
    operation: &Operation,
    (event, attendee): (EntityId, EntityId),
    expected: Option<u64>,
) -> Result<Changes> {
    part_of::<Attendee>(operation, attendee, |data| data.event_id == event).await?;
    delete::<Attendee>(operation, attendee, expected).await
}

impl Records<Event> {
    /// A page of the attendees of an event.
    ///
    /// # Errors
    ///
    /// As for [`attendees`].
    pub async fn attendees(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<Attendee>>> {
        attendees(&self.operation(), id, page).await
    }

    /// Asks somebody to an event, by the JSON of an attendee without the event.
    ///
    /// # Errors
    ///
    /// As for [`invite`].
    pub async fn invite(&self, id: EntityId, body: Value) -> Result<Stored<Attendee>> {
        let body = &body;
        let run = |operation: Operation| async move { invite(&operation, id, body.clone()).await };
        let (applied, attendee) = self.commit(run).await?;
        self.of_kind::<Attendee>().written(attendee, &applied).await
    }

    /// Changes an attendee of an event by a JSON merge patch, if it has the version that was said.
    ///
    /// # Errors
    ///
    /// As for [`update_attendee`].
    pub async fn update_attendee(&self, id: EntityId, attendee: EntityId, patch: Value) -> Result<Stored<Attendee>> {
        let (patch, expected) = (&patch, self.expected);
        let run =
            |operation: Operation| async move { update_attendee(&operation, (id, attendee), expected, patch).await };
        let applied = self.commit_all(run).await?;
        self.of_kind::<Attendee>().written(attendee, &applied).await
    }

    /// No longer asks an attendee to an event.
    ///
    /// # Errors
    ///
    /// As for [`uninvite`].
    pub async fn uninvite(&self, id: EntityId, attendee: EntityId) -> Result<()> {
        let expected = self.expected;
        self.commit_all(|operation| async move { uninvite(&operation, (id, attendee), expected).await }).await?;
        Ok(())
    }
}
