//! Links from events to what they are about.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Result};

use super::text::check_object;
use super::{Entity, Index, Kind, Locale, Term};

/// A link from an event to a contact, a task, a note or a deal.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::event_link::{EventLink, LinkedType};
///
/// let event: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let contact: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse()?;
/// let link = EventLink::new(event, LinkedType::Contact, contact);
/// assert_eq!(link.target_term().value, format!("{event}/contact/{contact}"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventLink {
    /// The event.
    pub event_id: EntityId,
    /// What it is about.
    pub entity_type: LinkedType,
    /// Which one.
    pub entity_id: EntityId,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What an event can be linked to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkedType {
    /// A contact.
    Contact,
    /// A task.
    Task,
    /// A note.
    Note,
    /// A deal.
    Deal,
}

impl LinkedType {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Note => "note",
            Self::Deal => "deal",
        }
    }

    /// The kind of entity.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Contact => Kind::Contact,
            Self::Task => Kind::Task,
            Self::Note => Kind::Note,
            Self::Deal => Kind::Deal,
        }
    }
}

impl EventLink {
    /// A link from an event.
    #[must_use]
    pub fn new(event_id: EntityId, entity_type: LinkedType, entity_id: EntityId) -> Self {
        Self { event_id, entity_type, entity_id, metadata: Map::new() }
    }

    /// The index term that no two links of an event share.
    #[must_use]
    pub fn target_term(&self) -> Term {
        Term::new("event_target", format!("{}/{}/{}", self.event_id, self.entity_type.as_str(), self.entity_id))
    }
}

impl Entity for EventLink {
    const KIND: Kind = Kind::EventLink;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default()
            .term("event_id", self.event_id)
            .term("entity_type", self.entity_type.as_str())
            .term("entity_id", self.entity_id);
        index.terms.push(self.target_term());
        Ok(index)
    }
}
