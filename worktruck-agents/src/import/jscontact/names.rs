//! The names of our own members, for what JSContact has none for, and what its words are called here.

/// Comes before the name of each member of ours.
pub(crate) const VENDOR: &str = "worktruck.github.io:";
/// A member of a card: metadata.
pub(crate) const METADATA: &str = "worktruck.github.io:metadata";
/// A member of a card: differences from what the other members say.
pub(crate) const MORE: &str = "worktruck.github.io:more";
/// A member of a card: the time zone.
pub(crate) const TIMEZONE: &str = "worktruck.github.io:timezone";
/// A member of a channel: its place among those of its kind, where it is not that of its preference.
pub(crate) const ORDER: &str = "worktruck.github.io:order";
/// A member of a channel: whether it is verified.
pub(crate) const VERIFIED: &str = "worktruck.github.io:verified";
/// A member of an anniversary: its label.
pub(crate) const LABEL: &str = "worktruck.github.io:label";

/// The components of a name that are fields of a contact.
pub(crate) const NAME_PARTS: [(&str, &str); 5] = [
    ("title", "prefix"),
    ("given", "given_name"),
    ("given2", "middle_name"),
    ("surname", "family_name"),
    ("credential", "suffix"),
];
/// The components of an address that are fields of a contact.
pub(crate) const ADDRESS_PARTS: [(&str, &str); 7] = [
    ("postOfficeBox", "po_box"),
    ("apartment", "extended"),
    ("name", "street"),
    ("locality", "city"),
    ("region", "region"),
    ("postcode", "postal_code"),
    ("country", "country"),
];
/// The kinds of anniversaries that are types of dates.
pub(crate) const ANNIVERSARIES: [(&str, &str); 3] =
    [("birth", "birthday"), ("wedding", "anniversary"), ("death", "death")];
/// The contexts that have another name in labels.
pub(crate) const CONTEXTS: [(&str, &str); 2] = [("private", "home"), ("work", "work")];
/// The features of phones, and their names in labels.
pub(crate) const FEATURES: [(&str, &str); 8] = [
    ("fax", "fax"),
    ("main-number", "main"),
    ("mobile", "cell"),
    ("pager", "pager"),
    ("text", "text"),
    ("textphone", "textphone"),
    ("video", "video"),
    ("voice", "voice"),
];

/// Ours for theirs.
pub(crate) fn ours<'a>(words: &[(&str, &'a str)], theirs: &str) -> Option<&'a str> {
    words.iter().find(|(word, _)| *word == theirs).map(|(_, ours)| *ours)
}

/// Theirs for ours.
pub(crate) fn theirs<'a>(words: &[(&'a str, &str)], ours: &str) -> Option<&'a str> {
    words.iter().find(|(_, word)| *word == ours).map(|(theirs, _)| *theirs)
}
