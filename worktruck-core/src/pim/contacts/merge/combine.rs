//! What several contacts are as one.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use crate::entity::contact::{Contact, MERGED_KEY};
use crate::entity::parse;
use crate::store::Version;
use crate::{EntityId, Error, ItemId, Result};

use super::super::complete::channel_key;

/// The fields that hold one value.
pub(super) const FIELDS: &[&str] = &[
    "display_name",
    "kind",
    "given_name",
    "middle_name",
    "family_name",
    "prefix",
    "suffix",
    "nickname",
    "bio",
    "avatar_url",
    "language",
    "timezone",
    "vcard_uid",
];

/// The contact of a version that has one.
pub(super) fn read_body(version: &Version) -> Result<Contact> {
    let body = version.slice.body.as_ref().ok_or_else(|| Error::internal("a deleted contact is read"))?;
    parse(body).map_err(|e| Error::internal(format!("{} is stored damaged", version.key)).with_source(e))
}

/// The JSON of a contact.
pub(super) fn json_of(contact: &Contact) -> Result<Map<String, Value>> {
    match serde_json::to_value(contact) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::internal("the JSON form of a contact is no object")),
        Err(e) => Err(Error::internal("a contact has no JSON form").with_source(e)),
    }
}

/// `survivor` with everything that `sources` have and it has not.
pub(super) fn combine(
    survivor: (EntityId, &Contact),
    sources: &[(EntityId, &Contact)],
    prefer: &BTreeMap<String, EntityId>,
) -> Result<Contact> {
    let mut whole = with_fields(survivor, sources, prefer)?;
    for (id, source) in sources {
        add_items(&mut whole, source);
        whole.tags.extend(source.tags.iter().cloned());
        add_metadata(&mut whole.metadata, *id, &source.metadata)?;
        whole.merged_ids.extend([*id].iter().chain(&source.merged_ids));
    }
    whole.tags.sort_unstable();
    whole.tags.dedup();
    Ok(whole)
}

/// The survivor with the fields of one value as they are to be, and those that were lost in its metadata.
fn with_fields(
    (survivor, kept): (EntityId, &Contact),
    sources: &[(EntityId, &Contact)],
    prefer: &BTreeMap<String, EntityId>,
) -> Result<Contact> {
    let mut whole = json_of(kept)?;
    let mut parties = vec![(survivor, whole.clone())];
    for (id, source) in sources {
        parties.push((*id, json_of(source)?));
    }
    let mut lost = Vec::new();
    for field in FIELDS {
        let preferred = prefer.get(*field).and_then(|id| parties.iter().find(|(party, _)| party == id));
        let Some(value) = preferred.into_iter().chain(&parties).find_map(|(_, party)| party.get(*field)) else {
            continue;
        };
        for (id, party) in &parties {
            if let Some(other) = party.get(*field).filter(|other| *other != value) {
                lost.push((*id, *field, other.clone()));
            }
        }
        whole.insert((*field).to_owned(), value.clone());
    }
    let mut whole: Contact = parse(&Value::Object(whole))?;
    for (id, field, value) in lost {
        record(&mut whole.metadata, id)?.insert(field.to_owned(), value);
    }
    Ok(whole)
}

/// Where the metadata holds what `id` has lost.
fn record(metadata: &mut Map<String, Value>, id: EntityId) -> Result<&mut Map<String, Value>> {
    let pointer = format!("/metadata/{MERGED_KEY}");
    let refused = || Error::conflict("the contact keeps something else where merging keeps what differs").at(&*pointer);
    let merged = metadata.entry(MERGED_KEY).or_insert_with(|| json!({})).as_object_mut().ok_or_else(refused)?;
    merged.entry(id.to_string()).or_insert_with(|| json!({})).as_object_mut().ok_or_else(refused)
}

fn add_items(whole: &mut Contact, source: &Contact) {
    let mut used: HashSet<ItemId> = whole.channels.iter().map(|item| item.id).collect();
    used.extend(whole.addresses.iter().map(|item| item.id));
    used.extend(whole.dates.iter().map(|item| item.id));
    // A part that was copied with its id into a contact of its own is another part here.
    let mut own = |id: ItemId| {
        let mut id = id;
        while !used.insert(id) {
            id = ItemId::from_uuid(uuid::Uuid::from_u128(id.as_uuid().as_u128().wrapping_add(1)));
        }
        id
    };
    for channel in &source.channels {
        let key = channel_key(channel);
        if whole.channels.iter().any(|has| channel_key(has) == key) {
            continue;
        }
        let is_rival = |has: &&crate::entity::contact::Channel| {
            has.is_primary && (channel_key(has).0, channel_key(has).1) == (key.0, key.1)
        };
        let is_primary = channel.is_primary && whole.channels.iter().find(is_rival).is_none();
        let mut channel = channel.clone();
        channel.is_primary = is_primary;
        channel.id = own(channel.id);
        whole.channels.push(channel);
    }
    for address in &source.addresses {
        if whole.addresses.iter().any(|has| same_address(has, address)) {
            continue;
        }
        let mut address = address.clone();
        address.is_primary &= !whole.addresses.iter().any(|has| has.is_primary);
        address.id = own(address.id);
        whole.addresses.push(address);
    }
    for date in &source.dates {
        if !whole.dates.iter().any(|has| same_date(has, date)) {
            let mut date = date.clone();
            date.id = own(date.id);
            whole.dates.push(date);
        }
    }
}

/// Whether two addresses say the same.
pub(super) fn same_address(one: &crate::entity::contact::Address, other: &crate::entity::contact::Address) -> bool {
    let mut other = other.clone();
    (other.id, other.is_primary) = (one.id, one.is_primary);
    *one == other
}

/// Whether two dates say the same.
pub(super) fn same_date(
    one: &crate::entity::contact::ContactDate,
    other: &crate::entity::contact::ContactDate,
) -> bool {
    let mut other = other.clone();
    other.id = one.id;
    *one == other
}

/// Adds the members that the survivor does not have, and keeps those that differ.
fn add_metadata(whole: &mut Map<String, Value>, id: EntityId, source: &Map<String, Value>) -> Result<()> {
    for (name, value) in source {
        if name == MERGED_KEY {
            // What was lost to the source before is lost to the survivor now.
            for (earlier, values) in value.as_object().into_iter().flatten() {
                let Ok(earlier) = earlier.parse() else { continue };
                record(whole, earlier)?.extend(values.as_object().cloned().unwrap_or_default());
            }
            continue;
        }
        match whole.get(name) {
            None => {
                whole.insert(name.clone(), value.clone());
            }
            Some(kept) if kept == value => {}
            Some(_) => {
                let lost = record(whole, id)?.entry("metadata").or_insert_with(|| json!({}));
                if let Some(lost) = lost.as_object_mut() {
                    lost.insert(name.clone(), value.clone());
                }
            }
        }
    }
    Ok(())
}
