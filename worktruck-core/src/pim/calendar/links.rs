use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::entity::Kind;
use crate::entity::event_link::{EventLink, LinkedType};
use crate::pim::contacts::of_contact;
use crate::pim::{ByTime, Filter, Operation, Record, Writing};
use crate::store::{ListQuery, Require};
use crate::{EntityId, Error, Result};

/// What lists of links can be filtered by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
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
