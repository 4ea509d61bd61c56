//! Links from notes to notes and to other entities.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::note::{LinkTarget, WikiLink, title_key};
use super::text::{check_name, check_object, check_optional};
use super::{Entity, Index, Kind, Locale, Term};

/// A link from a note: one that its text has, or one that somebody made beside it.
///
/// A link by title has a `title`, and a `target_id` while there is a note of that title. A link by id has a
/// `target_id` always, whether or not that entity exists.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoteLink {
    /// The note that it leads from.
    pub note_id: EntityId,
    /// What it leads to.
    pub target_type: LinkTargetType,
    /// Where it leads; absent while there is no note of the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<EntityId>,
    /// The title as the text has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the text shows in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The heading, or `^` and a block, that it leads to there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// Whether somebody made it, so that it does not depend on the text.
    #[serde(default)]
    pub is_manual: bool,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What a link leads to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkTargetType {
    /// A note.
    #[default]
    Note,
    /// A contact.
    Contact,
    /// A task.
    Task,
    /// An event.
    Event,
    /// A deal.
    Deal,
}

impl LinkTargetType {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Note, Self::Contact, Self::Task, Self::Event, Self::Deal];

    /// Its name in JSON and in texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Event => "event",
            Self::Deal => "deal",
        }
    }

    /// The kind of the entity.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Note => Kind::Note,
            Self::Contact => Kind::Contact,
            Self::Task => Kind::Task,
            Self::Event => Kind::Event,
            Self::Deal => Kind::Deal,
        }
    }
}

impl NoteLink {
    /// A link that somebody makes.
    #[must_use]
    pub fn manual(note_id: EntityId, target_type: LinkTargetType, target_id: EntityId) -> Self {
        Self {
            note_id,
            target_type,
            target_id: Some(target_id),
            title: None,
            alias: None,
            heading: None,
            is_manual: true,
            metadata: Map::new(),
        }
    }

    /// The link that a text has. One by title leads nowhere yet.
    #[must_use]
    pub fn of_text(note_id: EntityId, link: WikiLink) -> Self {
        let (target_type, target_id, title) = match link.target {
            LinkTarget::Title(title) => (LinkTargetType::Note, None, Some(title)),
            LinkTarget::Entity(kind, id) => (kind, Some(id), None),
        };
        let (alias, heading) = (link.alias, link.heading);
        let metadata = Map::new();
        Self { note_id, target_type, target_id, title, alias, heading, is_manual: false, metadata }
    }

    /// The index term of the links that lead to an entity.
    pub(crate) fn target_term(target_type: LinkTargetType, id: EntityId) -> Term {
        Term::new("target", format!("{}:{id}", target_type.as_str()))
    }

    /// The index term of the links that somebody made to an entity.
    pub(crate) fn manual_term(target_type: LinkTargetType, id: EntityId) -> Term {
        Term::new("manual_target", format!("{}:{id}", target_type.as_str()))
    }

    /// The index term of the links that somebody made from a note to an entity.
    pub(crate) fn manual_of(note: EntityId, target_type: LinkTargetType, id: EntityId) -> Term {
        Term::new("manual", format!("{note}:{}:{id}", target_type.as_str()))
    }

    /// The index term of the links by a title to `target`; to nothing if there is none.
    pub(crate) fn resolved_term(title_key: &str, target: Option<EntityId>) -> Term {
        let target = target.map_or_else(|| "none".to_owned(), |id| id.to_string());
        Term::new("resolved", format!("{title_key}:{target}"))
    }
}

impl Entity for NoteLink {
    const KIND: Kind = Kind::NoteLink;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        if let Some(title) = &self.title {
            check_name("/title", title)?;
        } else if self.target_id.is_none() {
            return Err(Error::invalid("a link needs a target_id").at("/target_id"));
        }
        check_optional("/alias", self.alias.as_deref())?;
        check_optional("/heading", self.heading.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default()
            .term("note_id", self.note_id)
            .term("target_type", self.target_type.as_str())
            .term("is_manual", self.is_manual);
        if let Some(title) = &self.title {
            let key = title_key(title);
            index.terms.push(Self::resolved_term(&key, self.target_id));
            index = index.term("title_key", key);
        }
        if let Some(id) = self.target_id {
            index.terms.push(Self::target_term(self.target_type, id));
            if self.is_manual {
                index.terms.push(Self::manual_term(self.target_type, id));
                index.terms.push(Self::manual_of(self.note_id, self.target_type, id));
            }
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EntityId {
        format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}").parse().unwrap()
    }

    #[test]
    fn a_waiting_link_is_found_by_the_title_that_it_waits_for() {
        let link = WikiLink::to_title("Road  Map");
        let mut link = NoteLink::of_text(id(1), link);
        link.normalise(&Locale::default()).unwrap();
        let terms = link.index().unwrap().terms;
        assert!(terms.contains(&Term::new("title_key", title_key("road map"))), "{terms:?}");
        assert!(terms.contains(&NoteLink::resolved_term(&title_key("ROAD MAP"), None)), "{terms:?}");
        assert!(terms.iter().all(|term| term.name != "target"), "{terms:?}");
        link.target_id = Some(id(2));
        let terms = link.index().unwrap().terms;
        assert!(terms.contains(&Term::new("target", format!("note:{}", id(2)))), "{terms:?}");
        assert!(!terms.contains(&NoteLink::resolved_term(&title_key("road map"), None)), "{terms:?}");
    }

    #[test]
    fn every_target_has_its_kind_and_a_link_needs_one() {
        for target_type in LinkTargetType::ALL {
            let mut link = NoteLink::manual(id(1), target_type, id(2));
            link.normalise(&Locale::default()).unwrap();
            let target = format!("{}:{}", target_type.as_str(), id(2));
            assert!(link.index().unwrap().terms.contains(&Term::new("manual_target", target)));
            link.target_id = None;
            assert_eq!(link.normalise(&Locale::default()).unwrap_err().pointer(), Some("/target_id"));
        }
    }
}
