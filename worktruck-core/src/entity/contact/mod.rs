//! Contacts: people, organizations and groups (vCard, RFC 6350; JSContact, RFC 9553).

mod canonical;
mod check;
mod index;
mod region;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entity::{Entity, Index, Kind, Locale, Texts};
use crate::{EntityId, ItemId, Result};

pub use canonical::canonical_value;
pub use check::{MAX_BIO_BYTES, MAX_TEXT_CHARS, MAX_URL_CHARS};
pub use region::Region;

/// A person, an organization or a group, with everything that belongs to it alone.
///
/// [`Contact::normalise`] is what makes one fit to be stored.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::contact::{Channel, ChannelKind, Contact};
/// use worktruck_core::{DerivedIds, ItemId, Timestamp};
///
/// let ids = DerivedIds::new("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?, 1);
/// let phone = Channel::new(ItemId::new(&ids, Timestamp::EPOCH), ChannelKind::Phone, "020 7946 0958");
/// let mut contact = Contact {
///     display_name: "Ada Lovelace".to_owned(),
///     tags: vec!["maths".to_owned(), " engines".to_owned()],
///     channels: vec![phone],
///     ..Contact::default()
/// };
///
/// contact.normalise(Some("GB".parse()?))?;
/// assert_eq!(contact.channels[0].canonical_value, "+442079460958");
/// assert_eq!(contact.tags, ["engines", "maths"]);
///
/// contact.channels[0].value = "nobody knows".to_owned();
/// contact.channels[0].kind = ChannelKind::Email;
/// let error = contact.normalise(None).unwrap_err();
/// assert_eq!(error.pointer(), Some("/channels/0/value"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// The name to show; never empty.
    pub display_name: String,
    /// What it is.
    pub kind: ContactKind,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Second and further given names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Title before the name, such as "Dr.".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Addition after the name, such as "Jr.".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// What friends call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Free text about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Preferred language (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Time zone (IANA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The UID of the vCard it came from; imports are idempotent by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcard_uid: Option<String>,
    /// Ways to reach it.
    pub channels: Vec<Channel>,
    /// Postal addresses.
    pub addresses: Vec<Address>,
    /// Birthdays, anniversaries.
    pub dates: Vec<ContactDate>,
    /// Labels, sorted, each once.
    pub tags: Vec<String>,
    /// Contacts that were merged into this one.
    pub merged_ids: Vec<EntityId>,
    /// Whatever else the application or an import keeps with it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// The member of a contact's `metadata` that holds what others have lost to it when they were merged: an object with
/// a member for each of them by its id, and in that its fields, and the members of its own `metadata`, that differed.
pub const MERGED_KEY: &str = "_merged";

/// The index term of the contacts that were merged into a contact.
pub const MERGED_TERM: &str = "merged_id";

impl Contact {
    /// Validates everything and puts it into its canonical form.
    ///
    /// Canonical values are computed anew, tags are trimmed, sorted and deduplicated, and country codes
    /// are put into upper case; nothing else is changed. `region` is that of phone numbers without a
    /// country code. After an error the contact may be half canonical.
    ///
    /// # Errors
    ///
    /// Each with the JSON pointer of the place:
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for the second of two channels of one type and
    ///   canonical value (for custom ones: of one label, too);
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for anything else: an empty or too long
    ///   text, a NUL character, a value that is not what its type says, a second primary channel of one type,
    ///   an impossible or empty date, a place that is not on the globe, an item id that is used twice.
    pub fn normalise(&mut self, region: Option<Region>) -> Result<()> {
        check::normalise(self, region)
    }

    /// What the contact, once normalised, is found by.
    ///
    /// Terms: `kind`, `tag`, `merged_id`, `vcard_uid` (its own, and those of what was merged into it), and
    /// `channel:email`, `channel:phone` … with canonical values.
    /// Sort: `display_name`. Text: see [`Entity::texts`].
    #[must_use]
    pub fn index(&self) -> Index {
        index::index(self)
    }
}

impl Entity for Contact {
    const KIND: Kind = Kind::Contact;
    const SORT_KEYS: &'static [&'static str] = &["display_name"];

    fn normalise(&mut self, locale: &Locale) -> Result<()> {
        Self::normalise(self, locale.region)
    }

    fn index(&self) -> Result<Index> {
        Ok(Self::index(self))
    }

    fn texts(&self) -> Texts<'_> {
        index::texts(self)
    }
}

/// What a contact is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    /// A human being.
    #[default]
    Person,
    /// A company, an authority, a club.
    Organization,
    /// Several contacts under one name.
    Group,
}

impl ContactKind {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organization => "organization",
            Self::Group => "group",
        }
    }
}

/// One way to reach a contact.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Names it within the contact.
    pub id: ItemId,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// As it was given.
    pub value: String,
    /// As it is compared: an e-mail address in lower case, a phone number as E.164 where it parses.
    #[serde(default)]
    pub canonical_value: String,
    /// Such as "work"; what a custom channel is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether it is the one to use.
    #[serde(default)]
    pub is_primary: bool,
    /// Whether it is known to reach the contact.
    #[serde(default)]
    pub is_verified: bool,
    /// Lower comes first.
    #[serde(default)]
    pub preference_order: u32,
}

impl Channel {
    /// A channel with this value and nothing else; [`Contact::normalise`] fills in the canonical value.
    pub fn new(id: ItemId, kind: ChannelKind, value: impl Into<String>) -> Self {
        Self {
            id,
            kind,
            value: value.into(),
            canonical_value: String::new(),
            label: None,
            is_primary: false,
            is_verified: false,
            preference_order: 0,
        }
    }
}

/// What a channel is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A web address.
    Url,
    /// A Twitter handle.
    Twitter,
    /// A LinkedIn profile.
    Linkedin,
    /// Anything else; the label says what.
    Custom,
}

impl ChannelKind {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Twitter => "twitter",
            Self::Linkedin => "linkedin",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A postal address.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Names it within the contact.
    pub id: ItemId,
    /// Such as "home".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Street and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Apartment, floor, suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<String>,
    /// Post-office box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub po_box: Option<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State, province, county.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Country (ISO 3166-1 alpha-2, upper case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// Degrees north, -90 to 90.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// Whether it is the one to use.
    #[serde(default)]
    pub is_primary: bool,
}

impl Address {
    /// An address of which nothing is known yet.
    #[must_use]
    pub const fn new(id: ItemId) -> Self {
        Self {
            id,
            label: None,
            street: None,
            extended: None,
            po_box: None,
            city: None,
            region: None,
            postal_code: None,
            country: None,
            country_code: None,
            latitude: None,
            longitude: None,
            is_primary: false,
        }
    }
}

/// A day that matters to a contact; any of year, month and day may be unknown.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ContactDate {
    /// Names it within the contact.
    pub id: ItemId,
    /// Such as "birthday" or "anniversary".
    pub date_type: String,
    /// What it is, where the type does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// 1 to 9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// 1 to 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<u8>,
    /// 1 to 31, as the month allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u8>,
}

impl ContactDate {
    /// Whether a calendar has it: a day that its month has, a day of a year with its month, and not nothing.
    ///
    /// The parts that may be unknown are those of RFC 6350, section 4.3.1.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        check::date_parts(self.year, self.month, self.day).is_ok()
    }
}
