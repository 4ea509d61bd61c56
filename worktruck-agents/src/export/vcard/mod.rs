//! vCard 3.0 (RFC 2426) and 4.0 (RFC 6350).
//!
//! calcard reads vCards for us but does not write them: to what is not ASCII it adds a CHARSET in 3.0, which that
//! version does not have and Apple does not read, and a month without a year it writes with one digit.

mod items;
mod kept;
mod line;

use serde_json::Value;
use worktruck_core::entity::contact::{Contact, ContactKind};

use self::kept::Kept;
use self::line::{Line, escaped};
use super::claims::Claims;
use super::text::json;
use super::{Format, Rest, rest};
use crate::import::vcard::names;

/// The version of vCard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    V3,
    V4,
}

/// What a contact without a name that can be written is called; its own is among the differences.
const NAMELESS: &str = "-";

/// The contact as a card.
pub(super) fn card(contact: &Contact, version: Version) -> String {
    let mut card = Card { version, text: String::new(), group: 0 };
    card.plain(contact);
    let end = "END:VCARD\r\n";
    let Rest { metadata, more } = rest(Format::Vcard3, &format!("{}{end}", card.text), contact);
    for (name, object) in [(names::METADATA, metadata), (names::MORE, more)] {
        if !object.is_empty() {
            card.put(Line::new(name).value(&escaped(&json(&Value::Object(object)))));
        }
    }
    card.text + end
}

/// A card that is being written.
struct Card {
    version: Version,
    text: String,
    /// The number of the last group.
    group: u32,
}

impl Card {
    fn put(&mut self, line: Line) {
        line.fold_into(&mut self.text);
    }

    fn put_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(Line::new(name).value(&escaped(text)));
        }
    }

    /// Writes what vCard and Apple have words for.
    fn plain(&mut self, contact: &Contact) {
        let mut claims = Claims::default();
        let kept = Kept::of(contact, &mut claims);
        self.group = kept.last_group;
        let is_3 = self.version == Version::V3;
        self.text.push_str("BEGIN:VCARD\r\n");
        self.put(Line::new("VERSION").value(if is_3 { "3.0" } else { "4.0" }));
        let (name, value) = match (contact.kind, is_3) {
            (ContactKind::Organization, true) => ("X-ABShowAs", "COMPANY"),
            (ContactKind::Group, true) => ("X-ADDRESSBOOKSERVER-KIND", "group"),
            (ContactKind::Organization, false) => ("KIND", "org"),
            (ContactKind::Group, false) => ("KIND", "group"),
            (ContactKind::Person, _) => ("", ""),
        };
        if !name.is_empty() {
            self.put(Line::new(name).value(value));
        }
        self.names(contact, &claims);
        let of_metadata =
            |key: &str, is_claimed: bool| contact.metadata.get(key).and_then(Value::as_str).filter(|_| !is_claimed);
        self.put_text("ORG", of_metadata("organization", claims.organization));
        self.put_text("TITLE", of_metadata("title", claims.title));
        self.channels(contact, &claims);
        for (_, address) in claims.addresses(contact) {
            self.address(address);
        }
        self.dates(&claims.dates(contact));
        self.put_text("NOTE", contact.bio.as_deref().filter(|_| !claims.bio));
        if !contact.tags.is_empty() {
            let tags: Vec<String> = contact.tags.iter().map(|tag| escaped(tag)).collect();
            self.put(Line::new("CATEGORIES").value(&tags.join(",")));
        }
        if let Some(language) = contact.language.as_deref().filter(|_| !claims.language) {
            let line = if is_3 { Line::new(names::LANGUAGE) } else { Line::new("LANG").parameter("PREF", "1") };
            self.put(line.value(&escaped(language)));
        }
        if let Some(timezone) = contact.timezone.as_deref().filter(|_| !claims.timezone) {
            let line = if is_3 { Line::new("TZ").parameter("VALUE", "text") } else { Line::new("TZ") };
            self.put(line.value(&escaped(timezone)));
        }
        if let Some(address) = contact.avatar_url.as_deref().filter(|_| !claims.avatar_url) {
            self.put(Line::new("PHOTO").parameter("VALUE", "uri").value(address.trim()));
        }
        self.put_text("UID", contact.vcard_uid.as_deref().filter(|_| !claims.uid));
        for line in kept.lines {
            self.put(Line::verbatim(line));
        }
    }

    fn names(&mut self, contact: &Contact, claims: &Claims) {
        if !claims.display_name {
            let name = escaped(contact.display_name.trim());
            self.put(Line::new("FN").value(if name.is_empty() { NAMELESS } else { &name }));
        }
        if !claims.name {
            let names =
                [&contact.family_name, &contact.given_name, &contact.middle_name, &contact.prefix, &contact.suffix];
            let names: Vec<String> = names.iter().map(|name| escaped(name.as_deref().unwrap_or_default())).collect();
            self.put(Line::new("N").value(&names.join(";")));
        }
        self.put_text("NICKNAME", contact.nickname.as_deref().filter(|_| !claims.nickname));
    }
}
