//! What a contact is found by.

use serde_json::{Map, Value};

use super::{Contact, MERGED_KEY, MERGED_TERM};
use crate::entity::{Index, Term};

pub(super) fn index(contact: &Contact) -> Index {
    let mut terms = Vec::with_capacity(2 + contact.tags.len() + contact.channels.len());
    terms.push(Term::new("kind", contact.kind.as_str()));
    terms.extend(contact.tags.iter().map(|tag| Term::new("tag", tag)));
    terms.extend(
        contact.channels.iter().map(|channel| Term::new(format!("channel:{}", channel.kind), &channel.canonical_value)),
    );
    terms.extend(uids(contact).map(|uid| Term::new("vcard_uid", uid)));
    terms.extend(contact.merged_ids.iter().map(|id| Term::new(MERGED_TERM, id.to_string())));
    terms.sort_unstable();
    terms.dedup();
    Index { terms, sort: vec![("display_name", contact.display_name.to_lowercase())], text: text(contact) }
}

/// Its own vCard UID, and those of the contacts that were merged into it: their cards are about it now.
fn uids(contact: &Contact) -> impl Iterator<Item = &str> {
    let merged = contact.metadata.get(MERGED_KEY).and_then(Value::as_object).into_iter().flat_map(Map::values);
    contact.vcard_uid.as_deref().into_iter().chain(merged.filter_map(|values| values.get("vcard_uid")?.as_str()))
}

fn text(contact: &Contact) -> String {
    let names = [
        Some(&contact.display_name),
        contact.prefix.as_ref(),
        contact.given_name.as_ref(),
        contact.middle_name.as_ref(),
        contact.family_name.as_ref(),
        contact.suffix.as_ref(),
        contact.nickname.as_ref(),
    ];
    let mut text = String::new();
    let mut add = |part: &str| {
        if !part.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(part);
        }
    };
    names.into_iter().flatten().for_each(|name| add(name));
    for channel in &contact.channels {
        add(&channel.value);
        if channel.canonical_value != channel.value {
            add(&channel.canonical_value);
        }
    }
    contact.bio.iter().for_each(|bio| add(bio));
    text
}
