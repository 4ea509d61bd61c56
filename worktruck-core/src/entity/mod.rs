//! Everything a store keeps in versions: its data, its validation, its index terms.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

pub mod affiliation;
pub mod agent_breaker;
pub mod agent_config;
pub mod agent_schedule;
pub mod amount;
pub mod attachment;
pub mod attendee;
pub mod byok_key;
pub mod calendar;
pub mod comment;
pub mod contact;
pub mod counter;
pub mod deal;
pub mod dependency;
pub mod event;
pub mod event_link;
pub mod group;
pub mod group_member;
pub mod integration_key;
pub mod interaction;
pub mod label;
mod locale;
pub mod merge_proposal;
pub mod milestone;
pub mod note;
pub mod note_link;
pub mod note_tag;
pub mod notebook;
pub mod pipeline;
pub mod project;
pub mod project_member;
pub mod relationship;
pub mod section;
pub mod stage;
pub mod stage_change;
pub mod task;
pub mod task_link;
pub mod task_status;
mod text;
mod texts;
pub mod webhook;

pub use locale::Locale;
pub(crate) use text::check_object;
pub use texts::Texts;

/// Makes [`Kind`] and what depends on it of one list, which has a line for each kind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $entity:ty,)*) => {
        /// What an entity is.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name in JSON and in stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        /// What a store indexes of `body`, an entity of `kind`; fails if it is not one.
        ///
        /// # Errors
        ///
        /// `InvalidRequest` saying what is wrong with the body.
        pub fn index(kind: Kind, body: &Value) -> Result<Index> {
            match kind {
                $(Kind::$kind => Index::of(&parse::<$entity>(body)?),)*
            }
        }

        /// What lists of `kind` can be sorted by or cut to a range of, beside the times of writes.
        #[must_use]
        pub const fn sort_keys(kind: Kind) -> &'static [&'static str] {
            match kind {
                $(Kind::$kind => <$entity as Entity>::SORT_KEYS,)*
            }
        }

        /// The fields of the bodies of `kind` that nobody is shown.
        #[must_use]
        pub const fn inner_fields(kind: Kind) -> &'static [&'static str] {
            match kind {
                $(Kind::$kind => <$entity as Entity>::INNER_FIELDS,)*
            }
        }
    };
}

kinds! {
    /// What a contact is at an organization.
    Affiliation "affiliation" affiliation::Affiliation,
    /// Whether runs of a blueprint are accepted.
    AgentBreaker "agent_breaker" agent_breaker::AgentBreaker,
    /// How a blueprint behaves for a tenant.
    AgentConfig "agent_config" agent_config::AgentConfig,
    /// When runs of a blueprint are due.
    AgentSchedule "agent_schedule" agent_schedule::AgentSchedule,
    /// A file that belongs to a note.
    Attachment "attachment" attachment::Attachment,
    /// Somebody who is asked to an event.
    Attendee "attendee" attendee::Attendee,
    /// That a tenant has brought a key of a model provider.
    ByokKey "byok_key" byok_key::ByokKey,
    /// What events are in.
    Calendar "calendar" calendar::Calendar,
    /// What somebody says about a task.
    Comment "comment" comment::Comment,
    /// A person, an organization or a group.
    Contact "contact" contact::Contact,
    /// What gives numbers out.
    Counter "counter" counter::Counter,
    /// What may be sold.
    Deal "deal" deal::Deal,
    /// How two tasks depend on each other.
    Dependency "dependency" dependency::Dependency,
    /// What happens at a time.
    Event "event" event::Event,
    /// What an event is about.
    EventLink "event_link" event_link::EventLink,
    /// A list of contacts under a name.
    Group "group" group::Group,
    /// That a contact is in a group.
    GroupMember "group_member" group_member::GroupMember,
    /// That a key of another service is stored.
    IntegrationKey "integration_key" integration_key::IntegrationKey,
    /// Something that took place with contacts.
    Interaction "interaction" interaction::Interaction,
    /// The colour of a name that tasks are labelled with.
    Label "label" label::Label,
    /// Contacts that may be the same.
    MergeProposal "merge_proposal" merge_proposal::MergeProposal,
    /// What a project wants to have reached by a day.
    Milestone "milestone" milestone::Milestone,
    /// A Markdown text with a title.
    Note "note" note::Note,
    /// Where a note leads.
    NoteLink "note_link" note_link::NoteLink,
    /// What is known of a name that notes are tagged with.
    NoteTag "note_tag" note_tag::NoteTag,
    /// What notes are kept in.
    Notebook "notebook" notebook::Notebook,
    /// What deals go through.
    Pipeline "pipeline" pipeline::Pipeline,
    /// What tasks belong to.
    Project "project" project::Project,
    /// Who works on a project, and as what.
    ProjectMember "project_member" project_member::ProjectMember,
    /// A part that a project's tasks are laid out in.
    Section "section" section::Section,
    /// Where in its pipeline a deal is.
    Stage "stage" stage::Stage,
    /// That a deal came into a stage.
    StageChange "stage_change" stage_change::StageChange,
    /// What a contact is to another.
    Relationship "relationship" relationship::Relationship,
    /// What is to be done.
    Task "task" task::Task,
    /// An address of the web that belongs to a task.
    TaskLink "task_link" task_link::TaskLink,
    /// A step that tasks of a project go through.
    TaskStatus "task_status" task_status::TaskStatus,
    /// Where to tell of what happens.
    Webhook "webhook" webhook::Webhook,
}

/// The data of one kind of entity: what is stored as its body, and read back from it.
///
/// A body has the fields of the type and no others; whatever else somebody wants to keep with an
/// entity goes into its `metadata`.
pub trait Entity: Clone + fmt::Debug + DeserializeOwned + PartialEq + Send + Serialize + Sync + 'static {
    /// What it is.
    const KIND: Kind;

    /// What lists can be sorted by or cut to a range of, beside the times of writes.
    const SORT_KEYS: &'static [&'static str] = &[];

    /// The fields of its body that nobody is shown: what is kept with it for its index, and follows from the others.
    const INNER_FIELDS: &'static [&'static str] = &[];

    /// Validates every field that can be judged by itself, and puts it into its canonical form.
    ///
    /// # Errors
    ///
    /// Usually `InvalidRequest`, with the JSON pointer of the field.
    fn normalise(&mut self, locale: &Locale) -> Result<()>;

    /// What it is found by and sorted by.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is damaged beyond that.
    fn index(&self) -> Result<Index>;

    /// What a search for words looks at; nothing if this is not said.
    fn texts(&self) -> Texts<'_> {
        Texts::default()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| Error::invalid(format!("{text:?} is not a kind of entity")))
    }
}

/// A name and a value that an entity can be found by.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Term {
    /// Such as `tag` or `channel:email`.
    pub name: String,
    /// Such as `vip`.
    pub value: String,
}

impl Term {
    /// The term `name` = `value`.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What a store indexes of an entity's body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Index {
    /// What it can be found by.
    pub terms: Vec<Term>,
    /// What lists can be sorted by beside the times of its writes; compared byte by byte.
    pub sort: Vec<(&'static str, String)>,
    /// What it is called, whose words a search tells from others.
    pub title: String,
    /// What a search for words looks at, the title too.
    pub text: String,
}

impl Index {
    /// What a store indexes of `entity`.
    ///
    /// # Errors
    ///
    /// As for [`Entity::index`].
    pub fn of<E: Entity>(entity: &E) -> Result<Self> {
        let texts = entity.texts();
        Ok(Self { title: texts.title.to_owned(), text: texts.joined(), ..entity.index()? })
    }

    /// Adds a term.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an id or a text is handed over as it comes")]
    pub fn term(mut self, name: &str, value: impl ToString) -> Self {
        self.terms.push(Term::new(name, value.to_string()));
        self
    }

    /// Adds a term for each value.
    #[must_use]
    pub fn terms(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.terms.extend(values.into_iter().map(|value| Term::new(name, value.to_string())));
        self
    }

    /// Adds a sort key.
    #[must_use]
    pub fn key(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.sort.push((name, value.into()));
        self
    }
}

/// Reads the body of an entity.
///
/// # Errors
///
/// `InvalidRequest` with the JSON pointer of what is missing, unknown or of the wrong type.
pub fn parse<E: Entity>(body: &Value) -> Result<E> {
    // A list of all fields in their order would be read too.
    if !body.is_object() {
        return Err(Error::invalid(format!("the body of a {} must be an object", E::KIND)));
    }
    read(E::KIND.as_str(), body)
}

/// Reads JSON as what people call `what`.
///
/// # Errors
///
/// `InvalidRequest` with the JSON pointer of what is missing, unknown or of the wrong type.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::entity::read;
/// use worktruck_core::pim::contacts::Merge;
///
/// let error = read::<Merge>("merge", &json!({ "source_ids": [7] })).unwrap_err();
/// assert_eq!(error.pointer(), Some("/source_ids/0"));
/// ```
pub fn read<T: DeserializeOwned>(what: &str, body: &Value) -> Result<T> {
    // To keep track of the path costs more than to read, so only what cannot be read is looked at again.
    T::deserialize(body).or_else(|_| serde_path_to_error::deserialize(body)).map_err(|e| {
        let e: serde_path_to_error::Error<serde_json::Error> = e;
        let mut pointer: String =
            e.path().iter().map(|segment| format!("/{}", escaped(&segment.to_string()))).collect();
        let message = e.inner().to_string();
        if let Some(field) = missing_field(&message) {
            pointer.push('/');
            pointer.push_str(&escaped(field));
        }
        let error = Error::invalid(format!("the body is not a {what}: {message}"));
        if pointer.is_empty() { error } else { error.at(pointer) }
    })
}

/// The field that is missing: `serde` tells it in words, and its path ends before it.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Refuses a merge patch that takes a field away which `T` does not have.
///
/// # Errors
///
/// `InvalidRequest` with the JSON pointer of the field.
pub(crate) fn check_taken<T: DeserializeOwned>(patch: &Map<String, Value>) -> Result<()> {
    for (name, _) in patch.iter().filter(|(_, value)| value.is_null()) {
        let alone = Value::Object(Map::from_iter([(name.clone(), Value::Null)]));
        if let Err(error) = serde_json::from_value::<T>(alone)
            && error.to_string().starts_with("unknown field `")
        {
            return Err(Error::invalid(error.to_string()).at(format!("/{}", escaped(name))));
        }
    }
    Ok(())
}

fn escaped(segment: &str) -> String {
    segment.trim_matches(['[', ']']).replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_that_is_not_one_is_refused_at_its_place() {
        let contact = |fields: Value| {
            let mut body = json!({ "display_name": "Ada" });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            parse::<contact::Contact>(&body).unwrap_err()
        };
        for (fields, pointer) in [
            (json!({ "kind": "robot" }), "/kind"),
            (json!({ "display_name": 7 }), "/display_name"),
            (json!({ "shoe": 38 }), "/shoe"),
            (json!({ "a/b~c": 1 }), "/a~1b~0c"),
            (json!({ "missing field `x`": 1 }), "/missing field `x`"),
            (json!({ "channels": [{ "type": "email", "value": "a@x.org" }] }), "/channels/0/id"),
            (json!({ "channels": [{ "id": 1 }] }), "/channels/0/id"),
            (json!({ "addresses": [{ "town": "London" }] }), "/addresses/0/town"),
        ] {
            assert_eq!(contact(fields.clone()).pointer(), Some(pointer), "{fields}");
        }
        let empty = parse::<note_link::NoteLink>(&json!({})).unwrap_err();
        assert_eq!(empty.pointer(), Some("/note_id"));
        assert_eq!(parse::<contact::Contact>(&json!([])).unwrap_err().pointer(), None);
    }
}
