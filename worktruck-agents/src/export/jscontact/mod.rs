//! JSContact (RFC 9553).

mod items;
mod kept;

use serde_json::{Map, Value, json};
use worktruck_core::entity::contact::{Contact, ContactKind};

use self::kept::Kept;
use super::claims::Claims;
use super::{Format, Rest, rest, text};
use crate::import::jscontact::names;

/// What a contact without a name is called; its own is among the differences.
const NAMELESS: &str = "-";

/// The contact as a Card, in one line.
pub(super) fn card(contact: &Contact) -> String {
    let mut card = plain(contact);
    let trial = Value::Object(card);
    let Rest { metadata, more } = rest(Format::JsContact, &trial.to_string(), contact);
    card = match trial {
        Value::Object(card) => card,
        _ => Map::new(),
    };
    for (name, object) in [(names::METADATA, metadata), (names::MORE, more)] {
        if !object.is_empty() {
            card.insert(name.to_owned(), Value::Object(object));
        }
    }
    text::json(&Value::Object(card))
}

/// What JSContact has words for.
fn plain(contact: &Contact) -> Map<String, Value> {
    let mut claims = Claims::default();
    let kept = Kept::of(contact, &mut claims);
    let mut card = Map::new();
    let mut put = |member: &str, value: Option<Value>| {
        if let Some(value) = value {
            card.insert(member.to_owned(), value);
        }
    };
    put("@type", Some(json!("Card")));
    put("version", Some(json!("1.0")));
    put("uid", contact.vcard_uid.as_ref().map(|uid| json!(uid)));
    let kind = match contact.kind {
        ContactKind::Person => None,
        ContactKind::Organization => Some(json!("org")),
        ContactKind::Group => Some(json!("group")),
    };
    put("kind", kind);
    put(names::TIMEZONE, contact.timezone.as_ref().map(|zone| json!(zone)));
    if !(claims.display_name && (claims.name || !has_parts(contact))) {
        put("name", Some(name(contact)));
    }
    if !contact.tags.is_empty() {
        let tags: Map<String, Value> = contact.tags.iter().map(|tag| (tag.clone(), json!(true))).collect();
        put("keywords", Some(Value::Object(tags)));
    }
    let metadata = |key: &str| contact.metadata.get(key).and_then(Value::as_str).map(|name| json!({ "name": name }));
    let one = |key: &str, is_claimed: bool, item: Option<Value>| {
        item.filter(|_| !is_claimed).map(|item| Value::Object(Map::from_iter([(kept.free_key(key), item)])))
    };
    put(
        "nicknames",
        one("n", claims.nickname, contact.nickname.as_ref().map(|name| json!({ "name": name, "pref": 1 }))),
    );
    put("organizations", one("o", claims.organization, metadata("organization")));
    put("titles", one("t", claims.title, metadata("title")));
    put("notes", one("b", claims.bio, contact.bio.as_ref().map(|bio| json!({ "note": bio }))));
    let language = contact.language.as_ref().map(|language| json!({ "language": language, "pref": 1 }));
    put("preferredLanguages", one("l", claims.language, language));
    let photo = contact.avatar_url.as_ref().map(|uri| json!({ "kind": "photo", "uri": uri }));
    put("media", one("m", claims.avatar_url, photo));
    items::add(&mut card, contact, &claims, &kept);
    kept.add(&mut card);
    card
}

fn has_parts(contact: &Contact) -> bool {
    [&contact.prefix, &contact.given_name, &contact.middle_name, &contact.family_name, &contact.suffix]
        .iter()
        .any(|part| part.is_some())
}

fn name(contact: &Contact) -> Value {
    let full = if contact.display_name.is_empty() { NAMELESS } else { &contact.display_name };
    let mut name = Map::from_iter([("full".to_owned(), json!(full))]);
    let parts = [&contact.prefix, &contact.given_name, &contact.middle_name, &contact.family_name, &contact.suffix];
    let components = names::NAME_PARTS.iter().zip(parts);
    let components: Vec<Value> = components
        .filter_map(|((kind, _), value)| value.as_ref().map(|value| json!({ "kind": kind, "value": value })))
        .collect();
    if !components.is_empty() {
        name.insert("components".to_owned(), Value::Array(components));
    }
    Value::Object(name)
}
