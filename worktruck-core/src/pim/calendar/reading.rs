//! What a single read of an event adds.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::entity::attendee::Attendee;
use crate::entity::event::Event;
use crate::entity::event_link::EventLink;
use crate::pim::{Operation, Records, Stored};
use crate::{EntityId, Result};

/// An event with its attendees and links. Its JSON is that of the event with `attendees` and `links`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDetail {
    /// The event.
    pub event: Stored<Event>,
    /// Who is asked to it, in the order in which they were added.
    pub attendees: Vec<Stored<Attendee>>,
    /// What it is about, in the order in which it was added.
    pub links: Vec<Stored<EventLink>>,
}

impl Serialize for EventDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut resource = self.event.resource();
        if let Some(members) = resource.as_object_mut() {
            let attendees: Vec<Value> = self.attendees.iter().map(Stored::resource).collect();
            let links: Vec<Value> = self.links.iter().map(Stored::resource).collect();
            members.insert("attendees".to_owned(), Value::Array(attendees));
            members.insert("links".to_owned(), Value::Array(links));
        }
        resource.serialize(serializer)
    }
}

/// An event with its attendees and links, at the times of the operation and of one moment.
///
/// # Errors
///
/// `NotFound` if it does not exist, and those of the store.
pub async fn detail(operation: &Operation, id: EntityId) -> Result<EventDetail> {
    let operation = &operation.fixed().await?;
    let event = operation.expect::<Event>(id).await?;
    let attendees = operation.all(operation.query::<Attendee>().with("event_id", Some(id))).await?;
    let links = operation.all(operation.query::<EventLink>().with("event_id", Some(id))).await?;
    Ok(EventDetail { event, attendees, links })
}

impl Records<Event> {
    /// An event with its attendees and links.
    ///
    /// # Errors
    ///
    /// As for [`detail`].
    pub async fn detail(&self, id: EntityId) -> Result<EventDetail> {
        detail(&self.operation(), id).await
    }
}
