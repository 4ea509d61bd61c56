//! What a contact is found by.

use serde_json::{Map, Value};

use super::{Contact, MERGED_KEY, MERGED_TERM};
use crate::entity::{Index, Term, Texts};

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
    Index { terms, sort: vec![("display_name", contact.display_name.to_lowercase())], ..Index::default() }
}

/// Its own vCard UID, and those of the contacts that were merged into it: their cards are about it now.
fn uids(contact: &Contact) -> impl Iterator<Item = &str> {
    let merged = contact.metadata.get(MERGED_KEY).and_then(Value::as_object).into_iter().flat_map(Map::values);
    contact.vcard_uid.as_deref().into_iter().chain(merged.filter_map(|values| values.get("vcard_uid")?.as_str()))
}

pub(super) fn texts(contact: &Contact) -> Texts<'_> {
    let names = [
        &contact.prefix,
        &contact.given_name,
        &contact.middle_name,
        &contact.family_name,
        &contact.suffix,
        &contact.nickname,
    ];
    let channels = contact.channels.iter().flat_map(|channel| {
        let canonical = Some(&*channel.canonical_value).filter(|value| *value != channel.value);
        [Some(&*channel.value), canonical]
    });
    Texts::titled(&contact.display_name)
        .heading(names.map(Option::as_deref))
        .heading(channels)
        .body([contact.bio.as_deref()])
}
