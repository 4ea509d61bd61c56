use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::entity::Kind;
use crate::entity::event::Event;
use crate::entity::event_link::{EventLink, LinkedType};
use crate::pim::contacts::of_contact;
use crate::pim::part::{body_of_part, part_of};
use crate::pim::{ByTime, Filter, Operation, Record, Records, Stored, Writing, create, delete};
use crate::store::{Changes, ListQuery, Require};
use crate::{EntityId, Error, Page, PageRequest, Result};

/// What lists of links can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EventLinkFilter {
    /// The event.
    pub event_id: Option<EntityId>,
    /// What it is about.
    pub entity_type: Option<LinkedType>,
    /// Which one; a contact that was merged is the survivor.
    pub entity_id: Option<EntityId>,
}

#[async_trait]
impl Filter for EventLinkFilter {
    async fn apply(&self, query: ListQuery, operation: &Operation) -> Result<ListQuery> {
        let query = query.with("event_id", self.event_id).with("entity_type", self.entity_type.map(LinkedType::as_str));
        match self.entity_type {
            Some(LinkedType::Contact) | None => of_contact(query, operation, "entity_id", self.entity_id).await,
            Some(_) => Ok(query.with("entity_id", self.entity_id)),
        }
    }
}

#[async_trait]
impl Record for EventLink {
    type Filter = EventLinkFilter;
    type Sort = ByTime;

    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        if writing.old.is_some() && writing.is_changed(|link| &link.event_id) {
            return Err(Error::invalid("a link stays with the event; add one to the other").at("/event_id"));
        }
        writing.refer("/event_id", Kind::Event, |link| Some(link.event_id)).await?;
        let kind = writing.new.entity_type.kind();
        if writing.is_changed(|link| &link.entity_id) || writing.is_changed(|link| &link.entity_type) {
            let exists = writing.operation.refer("/entity_id", kind, writing.new.entity_id).await?;
            writing.require(exists);
        }
        let term = writing.new.target_term();
        let query = ListQuery { terms: vec![term.clone()], ..ListQuery::new(Kind::EventLink) };
        let other = writing.operation.first::<Self>(query).await?;
        if other.is_some_and(|other| other.id != writing.id) {
            return Err(Error::conflict("the event is linked to it already").at("/entity_id"));
        }
        writing.require(Require::UniqueTerm { kind: Kind::EventLink, term });
        Ok(())
    }
}

/// A page of the links of an event, in the order in which they were made.
///
/// # Errors
///
/// `NotFound` if the event does not exist, `InvalidCursor`, and those of the store.
pub async fn links(operation: &Operation, event: EntityId, page: PageRequest) -> Result<Page<Stored<EventLink>>> {
    operation.expect::<Event>(event).await?;
    let query = operation.query::<EventLink>().with("event_id", Some(event));
    operation.page(ListQuery { page, ..query }).await
}

/// Links an event to an entity.
///
/// # Errors
///
/// `NotFound` if there is no such event, `InvalidRequest` at `/entity_id` if there is no such entity, `Conflict` there
/// if it is linked already, and those of the store.
pub async fn link(
    operation: &Operation,
    event: EntityId,
    entity_type: LinkedType,
    entity: EntityId,
) -> Result<(Changes, EntityId)> {
    let body = json!({ "entity_type": entity_type, "entity_id": entity });
    create::<EventLink>(operation, body_of_part(operation, ("event_id", Kind::Event, event), body).await?).await
}

/// Ends a link of an event.
///
/// # Errors
///
/// `NotFound` if the event has no such link, and those of the store.
pub async fn unlink(operation: &Operation, event: EntityId, link: EntityId) -> Result<Changes> {
    part_of::<EventLink>(operation, link, |data| data.event_id == event).await?;
    delete::<EventLink>(operation, link, None).await
}

impl Records<Event> {
    /// A page of the links of an event.
    ///
    /// # Errors
    ///
    /// As for [`links`].
    pub async fn links(&self, id: EntityId, page: PageRequest) -> Result<Page<Stored<EventLink>>> {
        links(&self.operation(), id, page).await
    }

    /// Links an event to an entity.
    ///
    /// # Errors
    ///
    /// As for [`link`].
    pub async fn link(&self, id: EntityId, to: LinkedType, entity: EntityId) -> Result<Stored<EventLink>> {
        let run = |operation: Operation| async move { link(&operation, id, to, entity).await };
        let (applied, link) = self.commit(run).await?;
        self.of_kind::<EventLink>().written(link, &applied).await
    }

    /// Ends a link of an event.
    ///
    /// # Errors
    ///
    /// As for [`unlink`].
    pub async fn unlink(&self, id: EntityId, link: EntityId) -> Result<()> {
        self.commit_all(|operation| async move { unlink(&operation, id, link).await }).await?;
        Ok(())
    }
}
