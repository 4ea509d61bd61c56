//! What the JSON of a contact may leave out: the ids of its parts, and what only merging changes.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::ItemId;
use crate::entity::contact::{Channel, ChannelKind, Contact, canonical_value};
use crate::pim::{Operation, Stored};

/// Whether a new item, with its place in the list, is an old one.
type Sameness<'a> = &'a dyn Fn(usize, &Value, usize, &Value) -> bool;

/// Gives each channel, address and date without an id that of the old one that it is, or a new one.
///
/// It is the old one with the same content; else a channel is the one of its type and canonical value (and label,
/// if it is a custom one), a date the first of its type, an address the one at its place in the list. No old one is
/// matched twice, nor one whose id is given. Nothing but the id is taken over from it.
///
/// Canonical values are computed, so that given ones are left out. `merged_ids` stays what it was if it is not given
/// or empty.
pub(super) fn complete(body: &mut Value, old: Option<&Stored<Contact>>, operation: &Operation) {
    let Some(body) = body.as_object_mut() else { return };
    let was = old.and_then(|old| old.stored.slice.body.as_ref());
    let region = operation.locale.region;
    let same_channel = |_: usize, new: &Value, _: usize, old: &Value| {
        let read = |item: &Value| -> Option<(ChannelKind, String, Option<String>)> {
            let kind = serde_json::from_value(item.get("type")?.clone()).ok()?;
            let label = item.get("label").and_then(Value::as_str).filter(|_| kind == ChannelKind::Custom);
            Some((kind, canonical_value(kind, item.get("value")?.as_str()?, region), label.map(str::to_owned)))
        };
        read(new).is_some_and(|new| read(old) == Some(new))
    };
    let same_date = |_: usize, new: &Value, _: usize, old: &Value| {
        new.get("date_type").is_some_and(|kind| old.get("date_type") == Some(kind))
    };
    let same_place = |new_at: usize, _: &Value, old_at: usize, _: &Value| new_at == old_at;
    let lists: [(&str, Sameness<'_>); 3] =
        [("channels", &same_channel), ("addresses", &same_place), ("dates", &same_date)];
    for (list, is_same) in lists {
        let Some(items) = body.get_mut(list).and_then(Value::as_array_mut) else { continue };
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("canonical_value");
        }
        let known = was.and_then(|was| was.get(list)).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        identify(items, known, is_same, operation);
    }
    let is_unsaid = body.get("merged_ids").is_none_or(|ids| ids.is_null() || *ids == json!([]));
    if let Some(merged) = was.and_then(|was| was.get("merged_ids")).filter(|_| is_unsaid) {
        body.insert("merged_ids".to_owned(), merged.clone());
    }
}

fn identify(items: &mut [Value], known: &[Value], is_same: Sameness<'_>, operation: &Operation) {
    let id = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_lowercase);
    let mut taken: HashSet<String> = items.iter().filter_map(id).collect();
    let has_same_content = |_: usize, new: &Value, _: usize, old: &Value| content(new) == content(old);
    for is_it in [&has_same_content as Sameness<'_>, is_same] {
        for (at, item) in items.iter_mut().enumerate().filter(|(_, item)| needs_id(item)) {
            let mut candidates = known.iter().enumerate();
            let found = candidates
                .find(|(old_at, old)| id(old).is_some_and(|id| !taken.contains(&id)) && is_it(at, item, *old_at, old));
            if let Some(id) = found.and_then(|(_, old)| id(old)) {
                set_id(item, json!(id));
                taken.insert(id);
            }
        }
    }
    for item in items.iter_mut().filter(|item| needs_id(item)) {
        set_id(item, json!(ItemId::new(&*operation.ids, operation.now())));
    }
}

fn needs_id(item: &Value) -> bool {
    item.as_object().is_some_and(|item| item.get("id").is_none_or(Value::is_null))
}

fn set_id(item: &mut Value, id: Value) {
    if let Some(item) = item.as_object_mut() {
        item.insert("id".to_owned(), id);
    }
}

/// What an item says, without its id and what is computed or not said.
fn content(item: &Value) -> Map<String, Value> {
    let is_said = |(name, value): &(&String, &Value)| {
        !matches!(name.as_str(), "id" | "canonical_value")
            && !value.is_null()
            && **value != json!(false)
            && (name.as_str(), *value) != ("preference_order", &json!(0))
    };
    let members = item.as_object().into_iter().flatten();
    members.filter(is_said).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What makes a channel the same as another of one contact.
pub(super) fn channel_key(channel: &Channel) -> (ChannelKind, Option<&str>, &str) {
    let label = channel.label.as_deref().filter(|_| channel.kind == ChannelKind::Custom);
    (channel.kind, label, &channel.canonical_value)
}
