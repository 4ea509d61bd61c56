//! Attendees: who is asked to an event, and what they answered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EntityId, Error, Result};

use super::contact::{ChannelKind, canonical_value};
use super::text::{check_name, check_object, check_optional, check_optional_text};
use super::{Entity, Index, Kind, Locale, Term, Texts};

/// Somebody or something that is asked to an event.
///
/// # Examples
///
/// ```
/// use worktruck_core::EntityId;
/// use worktruck_core::entity::attendee::{Attendee, AttendeeRole, ResponseStatus};
/// use worktruck_core::entity::{Entity, Locale};
///
/// let event: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let mut ada = Attendee::new(event, " Ada@Example.org ");
/// ada.normalise(&Locale::default())?;
/// assert_eq!(ada.email, "ada@example.org");
/// assert_eq!((ada.role, ada.response_status), (AttendeeRole::ReqParticipant, ResponseStatus::Pending));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Attendee {
    /// The event.
    pub event_id: EntityId,
    /// Where they are asked, in lower case; once for each event.
    pub email: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The contact that they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<EntityId>,
    /// What they are there for.
    #[serde(default)]
    pub role: AttendeeRole,
    /// What they are.
    #[serde(default)]
    pub participant_type: ParticipantType,
    /// What they answered.
    #[serde(default)]
    pub response_status: ResponseStatus,
    /// What they said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// What an attendee is there for: the words of ROLE (RFC 5545). `required` and `optional` are read too.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttendeeRole {
    /// Leads it.
    Chair,
    /// Must be there.
    #[default]
    #[serde(alias = "required")]
    ReqParticipant,
    /// May be there.
    #[serde(alias = "optional")]
    OptParticipant,
    /// Is only told of it.
    NonParticipant,
}

impl AttendeeRole {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chair => "chair",
            Self::ReqParticipant => "req_participant",
            Self::OptParticipant => "opt_participant",
            Self::NonParticipant => "non_participant",
        }
    }
}

/// What an attendee is: the words of CUTYPE (RFC 5545).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParticipantType {
    /// A person.
    #[default]
    Individual,
    /// Several persons.
    Group,
    /// A thing that is used.
    Resource,
    /// A place.
    Room,
    /// Nobody knows.
    Unknown,
}

impl ParticipantType {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Group => "group",
            Self::Resource => "resource",
            Self::Room => "room",
            Self::Unknown => "unknown",
        }
    }
}

/// What an attendee answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// Nothing yet.
    #[default]
    Pending,
    /// Will come.
    Accepted,
    /// Will not come.
    Declined,
    /// May come.
    Tentative,
}

impl ResponseStatus {
    /// Its name in JSON and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Tentative => "tentative",
        }
    }
}

impl Attendee {
    /// A person who must be there and has not answered.
    pub fn new(event_id: EntityId, email: impl Into<String>) -> Self {
        Self {
            event_id,
            email: email.into(),
            display_name: None,
            contact_id: None,
            role: AttendeeRole::default(),
            participant_type: ParticipantType::default(),
            response_status: ResponseStatus::default(),
            comment: None,
            metadata: Map::new(),
        }
    }

    /// The index term that no two attendees of an event share.
    #[must_use]
    pub fn email_term(&self) -> Term {
        Term::new("event_email", format!("{}/{}", self.event_id, self.email))
    }
}

impl Entity for Attendee {
    const KIND: Kind = Kind::Attendee;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.email = canonical_value(ChannelKind::Email, &self.email, None);
        check_name("/email", &self.email)?;
        let is_address = self.email.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !self.email.contains(|c: char| c.is_whitespace() || c.is_control())
        });
        if !is_address {
            let message = format!("{:?} is not an e-mail address; one looks like ada@example.org", self.email);
            return Err(Error::invalid(message).at("/email"));
        }
        check_optional("/display_name", self.display_name.as_deref())?;
        check_optional_text("/comment", self.comment.as_deref())?;
        check_object("/metadata", &self.metadata)
    }

    fn index(&self) -> Result<Index> {
        let mut index = Index::default()
            .term("event_id", self.event_id)
            .term("email", &self.email)
            .term("response_status", self.response_status.as_str())
            .terms("contact_id", self.contact_id);
        index.terms.push(self.email_term());
        Ok(index)
    }

    fn texts(&self) -> Texts<'_> {
        Texts::titled(self.display_name.as_deref().unwrap_or_default()).heading([&*self.email])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::parse;

    const EVENT: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        for (fields, pointer) in [
            (json!({ "email": "" }), "/email"),
            (json!({ "email": "ada" }), "/email"),
            (json!({ "email": "ada@" }), "/email"),
            (json!({ "email": "@example.org" }), "/email"),
            (json!({ "email": "a b@example.org" }), "/email"),
            (json!({ "email": "a\0@example.org" }), "/email"),
            (json!({ "display_name": "" }), "/display_name"),
            (json!({ "comment": "\0" }), "/comment"),
            (json!({ "role": "king" }), "/role"),
            (json!({ "participant_type": "cat" }), "/participant_type"),
            (json!({ "response_status": "maybe" }), "/response_status"),
        ] {
            let mut body = json!({ "event_id": EVENT, "email": "ada@example.org" });
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = parse::<Attendee>(&body).and_then(|mut attendee| attendee.normalise(&Locale::default()));
            assert_eq!(found.unwrap_err().pointer(), Some(pointer), "{fields}");
        }
    }

    #[test]
    fn the_words_of_an_attendee_are_written_as_stores_know_them() {
        let all = |values: &[Value], names: &[&str]| assert_eq!(json!(values), json!(names));
        use AttendeeRole as R;
        use ParticipantType as P;
        use ResponseStatus as S;
        let roles = [R::Chair, R::ReqParticipant, R::OptParticipant, R::NonParticipant];
        all(&roles.map(|role| json!(role)), &roles.map(R::as_str));
        let types = [P::Individual, P::Group, P::Resource, P::Room, P::Unknown];
        all(&types.map(|kind| json!(kind)), &types.map(P::as_str));
        let answers = [S::Pending, S::Accepted, S::Declined, S::Tentative];
        all(&answers.map(|answer| json!(answer)), &answers.map(S::as_str));
        assert_eq!(serde_json::from_value::<R>(json!("optional")).unwrap(), R::OptParticipant);
    }
}
