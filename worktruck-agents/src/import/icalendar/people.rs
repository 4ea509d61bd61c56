//! The contacts that events of a file mean.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::contact::{ChannelKind, Contact};
use worktruck_core::entity::event::Event;
use worktruck_core::pim::Operation;
use worktruck_core::pim::contacts::find_by_channel;
use worktruck_core::{EntityId, ErrorKind, Result};

use super::property::Property;
use super::{ImportedEvent, KEPT, attendee};

/// The contacts that there are of those that a batch of events names.
#[derive(Debug)]
pub(super) struct People {
    by_email: HashMap<String, EntityId>,
    known: HashSet<EntityId>,
}

impl People {
    pub(super) async fn of(operation: &Operation, batch: &[ImportedEvent]) -> Result<Self> {
        let mut people = Self { by_email: HashMap::new(), known: HashSet::new() };
        let emails: HashSet<&str> = batch.iter().filter_map(|imported| imported.organizer.as_deref()).collect();
        for email in emails {
            match find_by_channel(operation, ChannelKind::Email, email).await {
                Ok(contact) => drop(people.by_email.insert(email.to_owned(), contact.id)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let of_attendees = batch.iter().flat_map(|imported| &imported.attendees).filter_map(|asked| asked.contact_id);
        let ids: HashSet<EntityId> =
            batch.iter().filter_map(|imported| imported.event.organizer_id).chain(of_attendees).collect();
        for id in ids {
            if operation.find::<Contact>(id).await?.is_some() {
                people.known.insert(id);
            }
        }
        Ok(people)
    }

    /// Who asks to the event: the contact with the address, else the one that an export named, if it is there.
    pub(super) fn organizer(&self, imported: &ImportedEvent) -> Option<EntityId> {
        let by_email = imported.organizer.as_ref().and_then(|email| self.by_email.get(email)).copied();
        by_email.or_else(|| imported.event.organizer_id.filter(|id| self.known.contains(id)))
    }

    /// The attendees, without contacts that are not there.
    pub(super) fn attendees(&self, imported: &ImportedEvent) -> Vec<Attendee> {
        let contact_id = |asked: &Attendee| asked.contact_id.filter(|id| self.known.contains(id));
        imported.attendees.iter().map(|asked| Attendee { contact_id: contact_id(asked), ..asked.clone() }).collect()
    }
}

/// The address of the organizer whose line was kept with an event.
pub(super) fn kept_organizer(event: &Event) -> Option<String> {
    let lines = event.metadata.get(KEPT)?.as_array()?;
    let mut kept = lines.iter().filter_map(Value::as_str).filter_map(Property::kept);
    attendee::address(&kept.find(|property| property.name == "ORGANIZER")?)
}
