//! The members that an import kept.

use serde_json::{Map, Value, json};
use worktruck_core::entity::contact::Contact;

use crate::export::claims::Claims;
use crate::export::{Format, read_back};
use crate::import::jscontact::{KEPT, LISTS};

/// The kept members that can be written as they are.
#[derive(Debug, Default)]
pub(super) struct Kept<'c> {
    /// Items: their list, their key and themselves.
    items: Vec<(&'c str, &'c str, &'c Value)>,
    members: Vec<(&'c str, &'c Value)>,
    /// The highest number of a key such as `c3`.
    last: usize,
}

impl<'c> Kept<'c> {
    /// Chooses the members, and claims what they say.
    pub(super) fn of(contact: &'c Contact, claims: &mut Claims) -> Self {
        let mut kept = Self::default();
        for (member, value) in contact.metadata.get(KEPT).and_then(Value::as_object).into_iter().flatten() {
            match value {
                Value::Object(items) if LISTS.contains(&member.as_str()) => {
                    for (key, item) in items {
                        let number = key.get(1..).and_then(|number| number.parse().ok()).unwrap_or(0);
                        kept.last = kept.last.max(number);
                        if claims.claim(contact, &read(member, &json!({ key: item }))) {
                            kept.items.push((member, key, item));
                        }
                    }
                }
                _ => {
                    if claims.claim(contact, &read(member, value)) {
                        kept.members.push((member, value));
                    }
                }
            }
        }
        kept
    }

    /// The key of the item at that place.
    pub(super) fn key(&self, letter: &str, at: usize) -> String {
        format!("{letter}{}", self.last.saturating_add(at).saturating_add(1))
    }

    /// A key that no kept item has.
    pub(super) fn free_key(&self, letter: &str) -> String {
        self.key(letter, 0)
    }

    /// Writes them into a card, where they take nobody's place.
    pub(super) fn add(&self, card: &mut Map<String, Value>) {
        for (list, key, item) in &self.items {
            if let Value::Object(items) = card.entry(*list).or_insert_with(|| json!({})) {
                items.entry(*key).or_insert_with(|| (*item).clone());
            }
        }
        for (member, value) in &self.members {
            match (card.get_mut(*member), value) {
                (None, _) => drop(card.insert((*member).to_owned(), (*value).clone())),
                // Keywords that are not set.
                (Some(Value::Object(known)), Value::Object(more)) if *member == "keywords" => {
                    known.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                _ => {}
            }
        }
    }
}

/// What is read of one member.
fn read(member: &str, value: &Value) -> Contact {
    read_back(Format::JsContact, &json!({ "@type": "Card", member: value }).to_string())
}
