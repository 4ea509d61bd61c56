use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::entity::Kind;
use crate::entity::attendee::{Attendee, ResponseStatus};
use crate::pim::contacts::of_contact;
use crate::pim::{ByTime, Filter, Operation, Record, Writing};
use crate::store::{ListQuery, Require};
use crate::{EntityId, Error, Result};

/// What lists of attendees can be filtered by.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
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
        Ok(())
    }
}
