//! Channels, addresses and dates.

use serde_json::{Map, Value, json};
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate, canonical_value};

use super::kept::Kept;
use crate::export::claims::Claims;
use crate::import::jscontact::names;
use crate::import::rank::{Rank, rank};
use crate::import::vcard::names::profile;

/// Adds what stands several times in a card; the keys say the order.
pub(super) fn add(card: &mut Map<String, Value>, contact: &Contact, claims: &Claims, kept: &Kept<'_>) {
    let mut put = |list: &str, key: String, item: Value| {
        let items = card.entry(list).or_insert_with(|| json!({}));
        if let Value::Object(items) = items {
            items.insert(key, item);
        }
    };
    let channels = claims.channels(contact);
    let mut read: Vec<Channel> = channels.iter().map(|(_, channel)| (*channel).clone()).collect();
    let ranks: Vec<Rank> =
        read.iter().map(|channel| Rank { preference: channel.is_primary.then_some(1), order: None }).collect();
    rank(&mut read, &ranks);
    for ((at, channel), read) in channels.into_iter().zip(read) {
        let (list, mut item) = self::channel(channel);
        if channel.is_primary {
            item.insert("pref".to_owned(), json!(1));
        }
        if channel.preference_order != read.preference_order {
            item.insert(names::ORDER.to_owned(), json!(channel.preference_order));
        }
        if channel.is_verified {
            item.insert(names::VERIFIED.to_owned(), json!(true));
        }
        put(list, kept.key("c", at), Value::Object(item));
    }
    for (at, address) in claims.addresses(contact) {
        put("addresses", kept.key("a", at), Value::Object(self::address(address)));
    }
    for (at, date) in claims.dates(contact) {
        put("anniversaries", kept.key("d", at), Value::Object(anniversary(date)));
    }
}

/// The list and the item of a channel.
fn channel(channel: &Channel) -> (&'static str, Map<String, Value>) {
    let mut item = Map::new();
    let mut put = |member: &str, value: &str| drop(item.insert(member.to_owned(), json!(value)));
    let value = channel.value.as_str();
    let list = match channel.kind {
        ChannelKind::Email => {
            put("address", value);
            "emails"
        }
        ChannelKind::Phone => {
            put("number", value);
            "phones"
        }
        ChannelKind::Url => {
            put("uri", value);
            "links"
        }
        ChannelKind::Custom => {
            let is_uri = value.split_once(':').is_some_and(|(scheme, _)| {
                !scheme.is_empty()
                    && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            });
            put(if is_uri { "uri" } else { "user" }, value);
            if let Some(label) = &channel.label {
                put("service", label);
            }
            return ("onlineServices", item);
        }
        ChannelKind::Twitter | ChannelKind::Linkedin => {
            put("service", if channel.kind == ChannelKind::Twitter { "Twitter" } else { "LinkedIn" });
            let is_name = !value.contains(['/', ':']) && !canonical_value(channel.kind, value, None).is_empty();
            if is_name {
                put("uri", &profile(channel.kind, value));
            }
            put(if is_name { "user" } else { "uri" }, value);
            "onlineServices"
        }
    };
    label(&mut item, channel.label.as_deref(), channel.kind == ChannelKind::Phone);
    (list, item)
}

fn address(address: &Address) -> Map<String, Value> {
    let mut item = Map::new();
    let fields = [
        &address.po_box,
        &address.extended,
        &address.street,
        &address.city,
        &address.region,
        &address.postal_code,
        &address.country,
    ];
    let components: Vec<Value> = names::ADDRESS_PARTS
        .iter()
        .zip(fields)
        .filter_map(|((kind, _), value)| value.as_ref().map(|value| json!({ "kind": kind, "value": value })))
        .collect();
    if !components.is_empty() {
        item.insert("components".to_owned(), Value::Array(components));
    }
    if let Some(code) = &address.country_code {
        item.insert("countryCode".to_owned(), json!(code));
    }
    if let (Some(latitude), Some(longitude)) = (address.latitude, address.longitude) {
        item.insert("coordinates".to_owned(), json!(format!("geo:{latitude},{longitude}")));
    }
    if address.is_primary {
        item.insert("pref".to_owned(), json!(1));
    }
    label(&mut item, address.label.as_deref(), false);
    item
}

fn anniversary(date: &ContactDate) -> Map<String, Value> {
    let kind = match names::theirs(&names::ANNIVERSARIES, &date.date_type) {
        Some(kind) => kind.to_owned(),
        None => format!("{}{}", names::VENDOR, date.date_type),
    };
    let mut day = Map::from_iter([("@type".to_owned(), json!("PartialDate"))]);
    for (part, number) in [("year", date.year), ("month", date.month.map(u16::from)), ("day", date.day.map(u16::from))]
    {
        if let Some(number) = number {
            day.insert(part.to_owned(), json!(number));
        }
    }
    let mut item = Map::from_iter([("kind".to_owned(), json!(kind)), ("date".to_owned(), Value::Object(day))]);
    if let Some(label) = &date.label {
        item.insert(names::LABEL.to_owned(), json!(label));
    }
    item
}

/// Adds the label: as contexts and features if it is made of them.
fn label(item: &mut Map<String, Value>, label: Option<&str>, is_phone: bool) {
    let Some(label) = label else { return };
    let (mut contexts, mut features) = (Map::new(), Map::new());
    for word in label.split(", ") {
        if let Some(context) = names::theirs(&names::CONTEXTS, word) {
            contexts.insert(context.to_owned(), json!(true));
        } else if let Some(feature) = names::theirs(&names::FEATURES, word).filter(|_| is_phone) {
            features.insert(feature.to_owned(), json!(true));
        }
    }
    let ours = |(words, set): (&[(&'static str, &'static str)], &Map<String, Value>)| -> Vec<&'static str> {
        set.keys().filter_map(|word| names::ours(words, word)).collect()
    };
    let mut read = ours((&names::CONTEXTS, &contexts));
    read.extend(ours((&names::FEATURES, &features)));
    if read.join(", ") != label || label.is_empty() {
        item.insert("label".to_owned(), json!(label));
        return;
    }
    for (member, set) in [("contexts", contexts), ("features", features)] {
        if !set.is_empty() {
            item.insert(member.to_owned(), Value::Object(set));
        }
    }
}
