//! What a contact, and what refers to it, is without one that was merged into it.

use serde_json::{Map, Value, json};

use crate::entity::contact::{Contact, MERGED_KEY};
use crate::entity::parse;
use crate::{EntityId, Result};

use super::super::complete::channel_key;
use super::combine::{FIELDS, json_of, same_address, same_date};

/// A contact before a merge, as the merge has left it, and as it is now.
pub(super) struct Past<'a> {
    pub(super) before: &'a Contact,
    pub(super) merged: &'a Contact,
    pub(super) now: &'a Contact,
}

/// What leaves a contact, and what stays.
pub(super) struct Leaving<'a> {
    /// The contact that is unmerged, as it last was.
    pub(super) source: &'a Contact,
    /// Its id, and those of what was merged into it.
    pub(super) gone: &'a [EntityId],
    /// The contacts that remain merged, as they last were.
    pub(super) others: &'a [Contact],
}

/// `now` with each member as it was before the merge, if the merge changed it and nobody has since.
///
/// Of lists of contacts each item is judged by itself, so that those who were merged at once can part one by one.
pub(super) fn given_back(before: &Value, merged: &Value, now: &Value, source: EntityId) -> Value {
    let (Some(before), Some(merged), Some(now)) = (before.as_object(), merged.as_object(), now.as_object()) else {
        return now.clone();
    };
    let mut members = now.clone();
    for name in before.keys().chain(merged.keys()) {
        if before.get(name) == merged.get(name) {
            continue;
        }
        let lists = (before.get(name), merged.get(name), now.get(name));
        if now.get(name) == merged.get(name) {
            put(&mut members, name, before.get(name));
        } else if let (Some(Value::Array(before)), Some(Value::Array(merged)), Some(Value::Array(now))) = lists {
            members.insert(name.clone(), Value::Array(list_given_back(before, merged, now, source)));
        }
    }
    Value::Object(members)
}

fn list_given_back(before: &[Value], merged: &[Value], now: &[Value], source: EntityId) -> Vec<Value> {
    let find = |items: &[Value], key: &Value| items.iter().find(|item| contact_of(item) == key).cloned();
    let mut back: Vec<Value> = Vec::with_capacity(now.len() + 1);
    for item in now {
        let key = contact_of(item);
        let is_the_merges = find(merged, key).as_ref() == Some(item);
        back.extend(if is_the_merges { find(before, key) } else { Some(item.clone()) });
    }
    let source = json!(source);
    if find(&back, &source).is_none() {
        back.extend(find(before, &source));
    }
    // Where all are back they stand as they stood.
    let place =
        |item: &Value| before.iter().position(|was| contact_of(was) == contact_of(item)).unwrap_or(before.len());
    back.sort_by_key(place);
    back
}

/// The contact that an item of a list is, or is about.
fn contact_of(item: &Value) -> &Value {
    item.get("contact_id").unwrap_or(item)
}

/// The survivor without what it has of the source alone, unless somebody has changed that since.
pub(super) fn without(past: &Past<'_>, leaving: &Leaving<'_>) -> Result<Contact> {
    let mut contact = with_own_fields(past, leaving)?;
    let Past { before, merged, .. } = past;
    let Leaving { source, others, gone } = leaving;
    contact.channels.retain(|channel| {
        let has = |other: &&Contact| other.channels.iter().any(|has| channel_key(has) == channel_key(channel));
        let is_added = before.channels.iter().all(|has| has.id != channel.id) && merged.channels.contains(channel);
        !is_added || !has(source) || others.iter().any(|other| has(&other))
    });
    contact.addresses.retain(|address| {
        let has = |other: &&Contact| other.addresses.iter().any(|has| same_address(has, address));
        let is_added = before.addresses.iter().all(|has| has.id != address.id) && merged.addresses.contains(address);
        !is_added || !has(source) || others.iter().any(|other| has(&other))
    });
    contact.dates.retain(|date| {
        let has = |other: &&Contact| other.dates.iter().any(|has| same_date(has, date));
        let is_added = before.dates.iter().all(|has| has.id != date.id) && merged.dates.contains(date);
        !is_added || !has(source) || others.iter().any(|other| has(&other))
    });
    contact.tags.retain(|tag| {
        let is_added = !before.tags.contains(tag) && merged.tags.contains(tag);
        !is_added || !source.tags.contains(tag) || others.iter().any(|other| other.tags.contains(tag))
    });
    for (name, value) in merged.metadata.iter().filter(|(name, _)| *name != MERGED_KEY) {
        let is_of = |contact: &Contact| contact.metadata.get(name) == Some(value);
        let is_added = !before.metadata.contains_key(name) && is_of(source) && is_of(&contact);
        if is_added && !others.iter().any(is_of) {
            let value = others.iter().find_map(|other| other.metadata.get(name));
            put(&mut contact.metadata, name, value);
        }
    }
    contact.merged_ids.retain(|id| !gone.contains(id));
    forget(&mut contact, gone)?;
    Ok(contact)
}

/// What it is now, with the fields of one value that it has of the source alone as they were, or as others have them.
fn with_own_fields(past: &Past<'_>, leaving: &Leaving<'_>) -> Result<Contact> {
    let (before, merged) = (json_of(past.before)?, json_of(past.merged)?);
    let others: Vec<Map<String, Value>> = leaving.others.iter().map(json_of).collect::<Result<_>>()?;
    let mut now = json_of(past.now)?;
    for field in FIELDS {
        let value = merged.get(*field);
        let is_the_merges = before.get(*field) != value && now.get(*field) == value;
        if is_the_merges && others.iter().all(|other| other.get(*field) != value) {
            let value = before.get(*field).or_else(|| others.iter().find_map(|other| other.get(*field)));
            put(&mut now, field, value);
        }
    }
    parse(&Value::Object(now))
}

/// Takes what `gone` have lost to the contact out of its metadata, and what is no longer lost.
fn forget(contact: &mut Contact, gone: &[EntityId]) -> Result<()> {
    let fields = json_of(contact)?;
    let metadata = contact.metadata.clone();
    let Some(merged) = contact.metadata.get_mut(MERGED_KEY).and_then(Value::as_object_mut) else { return Ok(()) };
    merged.retain(|id, lost| {
        let Some(lost) = lost.as_object_mut() else { return true };
        if let Some(Value::Object(members)) = lost.get_mut("metadata") {
            members.retain(|name, value| metadata.get(name) != Some(value));
        }
        lost.retain(
            |name, value| if name == "metadata" { *value != json!({}) } else { fields.get(name) != Some(value) },
        );
        !lost.is_empty() && !gone.iter().any(|gone| gone.to_string() == *id)
    });
    if merged.is_empty() {
        contact.metadata.remove(MERGED_KEY);
    }
    Ok(())
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => members.insert(name.to_owned(), value.clone()),
        None => members.remove(name),
    };
}
