//! The names of our own properties and parameters, for what vCard has none for.

use worktruck_core::entity::contact::{ChannelKind, canonical_value};

/// A property: a custom channel; its label is a type or that of its group.
pub(crate) const CHANNEL: &str = "X-WORKTRUCK-CHANNEL";
/// A property: the preferred language, in vCard 3.0, which has none.
pub(crate) const LANGUAGE: &str = "X-WORKTRUCK-LANGUAGE";
/// A property: metadata, as a JSON object.
pub(crate) const METADATA: &str = "X-WORKTRUCK-METADATA";
/// A property: differences from what the other lines say, as a JSON object.
pub(crate) const MORE: &str = "X-WORKTRUCK-MORE";

/// A parameter of a channel: its place among those of its kind, where it is not that of its line.
pub(crate) const ORDER: &str = "X-WORKTRUCK-ORDER";
/// A parameter of a channel: `TRUE` if it is verified.
pub(crate) const VERIFIED: &str = "X-WORKTRUCK-VERIFIED";
/// A parameter of a date: its label, beside the label of its group, which is its type.
pub(crate) const LABEL: &str = "X-WORKTRUCK-LABEL";
/// A parameter of an address in vCard 3.0: its place, as `geo:51.5,-0.14`.
pub(crate) const GEO: &str = "X-WORKTRUCK-GEO";
/// A parameter of a social profile: the name there, from which its address is made.
pub(crate) const USER: &str = "X-USER";

/// The address of a profile, made of the name that it has there.
pub(crate) fn profile(kind: ChannelKind, user: &str) -> String {
    let site = if kind == ChannelKind::Linkedin { "www.linkedin.com" } else { "twitter.com" };
    format!("https://{site}/{}", canonical_value(kind, user, None))
}
