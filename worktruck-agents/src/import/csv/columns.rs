//! The columns that are known.

use worktruck_core::entity::contact::ChannelKind;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Column {
    Uid,
    Kind,
    GivenName,
    MiddleName,
    FamilyName,
    DisplayName,
    Prefix,
    Suffix,
    Nickname,
    Language,
    Timezone,
    AvatarUrl,
    Channel(ChannelKind),
    ChannelLabel(ChannelKind),
    Street,
    Extended,
    PoBox,
    City,
    Region,
    PostalCode,
    Country,
    CountryCode,
    Latitude,
    Longitude,
    AddressLabel,
    Birthday,
    Anniversary,
    Tags,
    Organization,
    Title,
    Note,
    Metadata,
    More,
}

/// Names that a header may have; a message lists the first of them.
pub(super) const COLUMNS: [(&str, Column); 38] = [
    ("uid", Column::Uid),
    ("given_name", Column::GivenName),
    ("middle_name", Column::MiddleName),
    ("family_name", Column::FamilyName),
    ("display_name", Column::DisplayName),
    ("email", Column::Channel(ChannelKind::Email)),
    ("phone", Column::Channel(ChannelKind::Phone)),
    ("street", Column::Street),
    ("city", Column::City),
    ("region", Column::Region),
    ("postal_code", Column::PostalCode),
    ("country", Column::Country),
    ("birthday", Column::Birthday),
    ("identifier", Column::Channel(ChannelKind::Custom)),
    ("organization", Column::Organization),
    ("title", Column::Title),
    ("note", Column::Note),
    ("kind", Column::Kind),
    ("prefix", Column::Prefix),
    ("suffix", Column::Suffix),
    ("nickname", Column::Nickname),
    ("language", Column::Language),
    ("timezone", Column::Timezone),
    ("avatar_url", Column::AvatarUrl),
    ("url", Column::Channel(ChannelKind::Url)),
    ("twitter", Column::Channel(ChannelKind::Twitter)),
    ("linkedin", Column::Channel(ChannelKind::Linkedin)),
    ("email_label", Column::ChannelLabel(ChannelKind::Email)),
    ("phone_label", Column::ChannelLabel(ChannelKind::Phone)),
    ("url_label", Column::ChannelLabel(ChannelKind::Url)),
    ("extended", Column::Extended),
    ("po_box", Column::PoBox),
    ("country_code", Column::CountryCode),
    ("latitude", Column::Latitude),
    ("longitude", Column::Longitude),
    ("address_label", Column::AddressLabel),
    ("anniversary", Column::Anniversary),
    ("tags", Column::Tags),
];
/// How many of them a message lists.
pub(super) const LISTED: usize = 17;

/// The columns of our own exports that no person fills in.
const OURS: [(&str, Column); 2] = [(super::METADATA_COLUMN, Column::Metadata), (super::MORE_COLUMN, Column::More)];

impl Column {
    /// Whether several columns may have this name.
    pub(super) const fn is_repeatable(self) -> bool {
        matches!(self, Self::Note | Self::Channel(ChannelKind::Email | ChannelKind::Phone | ChannelKind::Custom))
    }

    /// Whether a number in the name says which of several it is about.
    const fn is_numbered(self) -> bool {
        match self {
            Self::Channel(_) | Self::ChannelLabel(_) => true,
            other => other.is_of_address(),
        }
    }

    /// Whether it is a part of an address.
    pub(super) const fn is_of_address(self) -> bool {
        matches!(
            self,
            Self::Street
                | Self::Extended
                | Self::PoBox
                | Self::City
                | Self::Region
                | Self::PostalCode
                | Self::Country
                | Self::CountryCode
                | Self::Latitude
                | Self::Longitude
                | Self::AddressLabel
        )
    }

    /// The name as this list writes it.
    pub(super) fn name(self) -> Option<&'static str> {
        COLUMNS.iter().chain(&OURS).find(|(_, column)| *column == self).map(|(name, _)| *name)
    }
}

/// The column of that name, and which of several it is about: `email_2`, `address_2_label`.
pub(super) fn column(name: &str) -> Option<(Column, u32)> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let known = |wanted: &str| COLUMNS.iter().chain(&OURS).find(|(name, _)| *name == wanted).map(|(_, column)| *column);
    if let Some(column) = known(&name) {
        return Some((column, 1));
    }
    let number =
        name.split('_').find_map(|word| word.parse::<u32>().ok().filter(|number| (1..100).contains(number)))?;
    let words: Vec<&str> = name.split('_').filter(|word| word.parse() != Ok(number)).collect();
    known(&words.join("_")).filter(|column| column.is_numbered()).map(|column| (column, number))
}
