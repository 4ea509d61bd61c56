//! One card.

use serde_json::{Map, Value};
use worktruck_core::entity::contact::{Address, Channel, Contact, ContactDate, ContactKind};

use super::{KEPT, names};
use crate::import::intake::{Intake, add_note, keep};
use crate::import::rank::{Rank, rank};
use crate::import::without_nul;

/// Something that has its place in a list by its key.
pub(super) type Placed<T> = (Option<u32>, T);

/// Reads one card: what it understands it takes out, what is left is kept.
pub(super) struct Reader<'i, 'a> {
    pub(super) intake: &'i mut Intake<'a>,
    pub(super) line: u64,
    pub(super) contact: Contact,
    pub(super) channels: Vec<Placed<(Channel, Rank)>>,
    pub(super) addresses: Vec<Placed<Address>>,
    pub(super) dates: Vec<Placed<ContactDate>>,
    /// Whether other members refer to items by their keys, which only the items themselves keep.
    keeps_keys: bool,
}

/// An object with several items.
pub(crate) const LISTS: [&str; 12] = [
    "nicknames",
    "organizations",
    "titles",
    "emails",
    "phones",
    "onlineServices",
    "links",
    "addresses",
    "anniversaries",
    "notes",
    "preferredLanguages",
    "media",
];

impl<'i, 'a> Reader<'i, 'a> {
    pub(super) fn new(intake: &'i mut Intake<'a>, line: u64) -> Self {
        Self {
            intake,
            line,
            contact: Contact::default(),
            channels: Vec::new(),
            addresses: Vec::new(),
            dates: Vec::new(),
            keeps_keys: false,
        }
    }

    pub(super) fn read(mut self, mut card: Map<String, Value>) -> Option<Contact> {
        self.keeps_keys = refers_to_keys(&card);
        without_nul(&mut card);
        card.remove("@type");
        card.remove("version");
        let metadata = card.remove(names::METADATA);
        let more = card.remove(names::MORE);
        self.contact.vcard_uid = self.text(&mut card, "uid");
        self.contact.timezone = self.text(&mut card, names::TIMEZONE);
        self.kind(&mut card);
        self.name(&mut card);
        self.keywords(&mut card);
        for list in LISTS {
            self.list(list, &mut card);
        }
        self.arrange();
        if !card.is_empty() {
            self.contact.metadata.insert(KEPT.to_owned(), Value::Object(card));
        }
        self.ours(metadata, more);
        self.intake.is_named(&mut self.contact).then_some(self.contact)
    }

    /// Takes over what an export of ours could not say otherwise.
    fn ours(&mut self, metadata: Option<Value>, more: Option<Value>) {
        for (member, value) in [(names::METADATA, metadata), (names::MORE, more)] {
            match value {
                None => {}
                Some(Value::Object(mut object)) if member == names::METADATA => {
                    self.contact.metadata.append(&mut object);
                }
                Some(Value::Object(more)) => self.intake.complete(self.line, member, &mut self.contact, &more),
                Some(other) => {
                    self.warn(member, "is not an object");
                    keep(&mut self.contact.metadata, member, &other.to_string());
                }
            }
        }
    }

    pub(super) fn warn(&mut self, field: &str, what: &str) {
        self.intake.warn(self.line, Some(field), format_args!("{field} {what}; kept in metadata"));
    }

    /// Takes a text out; a value that is none stays.
    pub(super) fn text(&mut self, card: &mut Map<String, Value>, member: &str) -> Option<String> {
        match card.remove(member)? {
            Value::String(text) => (!text.is_empty()).then_some(text),
            other => {
                card.insert(member.to_owned(), other);
                self.warn(member, "is not a text");
                None
            }
        }
    }

    fn kind(&mut self, card: &mut Map<String, Value>) {
        let Some(kind) = self.text(card, "kind") else { return };
        self.contact.kind = match kind.as_str() {
            "individual" => ContactKind::Person,
            "org" => ContactKind::Organization,
            "group" => ContactKind::Group,
            _ => return drop(card.insert("kind".to_owned(), kind.into())),
        };
    }

    fn name(&mut self, card: &mut Map<String, Value>) {
        let whole = match card.remove("name") {
            None => return,
            Some(Value::Object(whole)) => whole,
            Some(other) => {
                card.insert("name".to_owned(), other);
                return self.warn("name", "is not an object");
            }
        };
        let mut name = whole.clone();
        name.remove("@type");
        self.contact.display_name = self.text(&mut name, "full").unwrap_or_default();
        let (parts, is_whole) =
            components(&mut name, &names::NAME_PARTS, &[("surname2", "surname"), ("generation", "credential")]);
        let contact = &mut self.contact;
        for (field, text) in parts {
            let field = match field {
                "prefix" => &mut contact.prefix,
                "given_name" => &mut contact.given_name,
                "middle_name" => &mut contact.middle_name,
                "family_name" => &mut contact.family_name,
                _ => &mut contact.suffix,
            };
            *field = Some(text);
        }
        if !is_whole || !name.is_empty() {
            card.insert("name".to_owned(), Value::Object(whole));
        }
    }

    fn keywords(&mut self, card: &mut Map<String, Value>) {
        let Some(Value::Object(keywords)) = card.get_mut("keywords") else { return };
        let tags = &mut self.contact.tags;
        keywords.retain(|tag, is_set| {
            let is_tag = *is_set == Value::Bool(true) && !tag.trim().is_empty();
            if is_tag {
                tags.push(tag.clone());
            }
            !is_tag
        });
        if keywords.is_empty() {
            card.remove("keywords");
        }
    }

    fn list(&mut self, list: &str, card: &mut Map<String, Value>) {
        let items = match card.remove(list) {
            None => return,
            Some(Value::Object(items)) => items,
            Some(other) => {
                card.insert(list.to_owned(), other);
                return self.warn(list, "is not an object");
            }
        };
        let mut kept = Map::new();
        let mut ordered: Vec<(String, Value)> = items.into_iter().collect();
        // Where the contact has one field for many items, the most preferred becomes it.
        ordered.sort_by_key(|(_, item)| item.get("pref").and_then(Value::as_u64).unwrap_or(u64::MAX));
        for (key, item) in ordered {
            let is_taken_in = match &item {
                Value::Object(object) => {
                    let mut left = object.clone();
                    left.remove("@type");
                    self.item(list, &key, &mut left) && left.is_empty()
                }
                _ => {
                    self.warn(&format!("{list}/{key}"), "is not an object");
                    false
                }
            };
            if !is_taken_in || self.keeps_keys {
                kept.insert(key, item);
            }
        }
        if !kept.is_empty() {
            card.insert(list.to_owned(), Value::Object(kept));
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        add_note(&mut self.contact, text);
    }

    /// Puts items into the order of their keys, where we gave them.
    fn arrange(&mut self) {
        fn arranged<T>(mut items: Vec<Placed<T>>) -> impl Iterator<Item = T> {
            if items.iter().all(|(place, _)| place.is_some()) {
                items.sort_by_key(|(place, _)| *place);
            }
            items.into_iter().map(|(_, item)| item)
        }
        let (channels, ranks): (Vec<Channel>, Vec<Rank>) = arranged(std::mem::take(&mut self.channels)).unzip();
        self.contact.channels = channels;
        rank(&mut self.contact.channels, &ranks);
        self.contact.addresses = arranged(std::mem::take(&mut self.addresses)).collect();
        self.contact.dates = arranged(std::mem::take(&mut self.dates)).collect();
    }
}

/// Takes the components out of a name or an address; whether all of them are fields of a contact, each once.
pub(super) fn components(
    of: &mut Map<String, Value>,
    parts: &[(&str, &'static str)],
    similar: &[(&str, &str)],
) -> (Vec<(&'static str, String)>, bool) {
    of.remove("isOrdered");
    let list = match of.get("components") {
        None => return (Vec::new(), true),
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return (Vec::new(), false),
    };
    of.remove("components");
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut is_whole = true;
    for component in &list {
        let text = |member: &str| component.get(member).and_then(Value::as_str);
        let (Some(kind), Some(value)) = (text("kind"), text("value")) else {
            is_whole = false;
            continue;
        };
        let members = component.as_object().map_or(0, Map::len) - usize::from(component.get("@type").is_some());
        let known = names::ours(similar, kind);
        is_whole &= members == 2 && known.is_none();
        let Some(field) = names::ours(parts, known.unwrap_or(kind)) else {
            is_whole = false;
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == field) {
            Some((_, text)) => {
                is_whole = false;
                text.push(' ');
                text.push_str(value);
            }
            None => found.push((field, value.to_owned())),
        }
    }
    (found, is_whole)
}

/// Whether a member refers to an item by its key.
fn refers_to_keys(card: &Map<String, Value>) -> bool {
    let has_organization = |title: &Value| title.get("organizationId").is_some();
    card.contains_key("localizations")
        || card.get("titles").and_then(Value::as_object).is_some_and(|titles| titles.values().any(has_organization))
}
