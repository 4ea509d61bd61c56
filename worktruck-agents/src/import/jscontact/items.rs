//! What stands several times in a card.

use serde_json::{Map, Value};
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, canonical_value};

use super::card::{Reader, components};
use super::names;
use crate::import::date::{self, Parts};
use crate::import::intake::keep;
use crate::import::rank::Rank;
use crate::import::vcard;

impl Reader<'_, '_> {
    /// Takes what it understands out of an item of a list; false if the item must be kept as a whole.
    pub(super) fn item(&mut self, list: &str, key: &str, item: &mut Map<String, Value>) -> bool {
        match list {
            "emails" => self.channel(ChannelKind::Email, "address", list, key, item),
            "phones" => self.channel(ChannelKind::Phone, "number", list, key, item),
            "links" => self.channel(ChannelKind::Url, "uri", list, key, item),
            "onlineServices" => self.online_service(list, key, item),
            "addresses" => self.address(key, item),
            "anniversaries" => self.anniversary(list, key, item),
            "notes" => match self.text(item, "note") {
                Some(note) => {
                    self.note(&note);
                    true
                }
                None => false,
            },
            "nicknames" if self.contact.nickname.is_none() => {
                item.remove("pref");
                self.contact.nickname = self.text(item, "name");
                self.contact.nickname.is_some()
            }
            "preferredLanguages" if self.contact.language.is_none() => {
                item.remove("pref");
                self.contact.language = self.text(item, "language");
                self.contact.language.is_some()
            }
            "organizations" => self.first_name("organization", item),
            "titles" if item.get("kind").is_none_or(|kind| kind == "title") => {
                item.remove("kind");
                self.first_name("title", item)
            }
            "media" => self.photo(item),
            _ => false,
        }
    }

    fn first_name(&mut self, field: &str, item: &mut Map<String, Value>) -> bool {
        let is_first = !self.contact.metadata.contains_key(field);
        let name = if is_first { self.text(item, "name") } else { None };
        if let Some(name) = &name {
            keep(&mut self.contact.metadata, field, name);
        }
        name.is_some()
    }

    fn photo(&mut self, item: &mut Map<String, Value>) -> bool {
        let is_photo = item.get("kind").is_some_and(|kind| kind == "photo");
        let uri = item.get("uri").and_then(Value::as_str).filter(|uri| !uri.starts_with("data:"));
        match uri.map(str::to_owned) {
            Some(uri) if is_photo && self.contact.avatar_url.is_none() => {
                self.contact.avatar_url = Some(uri);
                ["kind", "uri", "pref"].iter().for_each(|member| drop(item.remove(*member)));
                true
            }
            _ => false,
        }
    }

    fn channel(
        &mut self,
        kind: ChannelKind,
        member: &str,
        list: &str,
        key: &str,
        item: &mut Map<String, Value>,
    ) -> bool {
        let Some(value) = item.get(member).and_then(Value::as_str).map(str::to_owned) else {
            self.warn(&format!("{list}/{key}"), &format!("has no {member}"));
            return false;
        };
        item.remove(member);
        let value = if kind == ChannelKind::Phone { value.strip_prefix("tel:").unwrap_or(&value) } else { &value };
        let mut channel = self.intake.channel(kind, value);
        channel.label = label(item);
        self.add(channel, key, item)
    }

    fn online_service(&mut self, list: &str, key: &str, item: &mut Map<String, Value>) -> bool {
        let service = item.get("service").and_then(Value::as_str).map(str::to_owned);
        let kind = match service.as_deref().map(str::to_lowercase).as_deref() {
            Some("twitter") => ChannelKind::Twitter,
            Some("linkedin") => ChannelKind::Linkedin,
            _ => ChannelKind::Custom,
        };
        let text = |member: &str| item.get(member).and_then(Value::as_str).map(str::to_owned);
        let (uri, user) = (text("uri"), text("user"));
        let is_profile = kind != ChannelKind::Custom;
        let value = match (&uri, &user) {
            (None, None) => {
                self.warn(&format!("{list}/{key}"), "has neither uri nor user");
                return false;
            }
            (Some(uri), Some(user)) if is_profile => {
                if canonical_value(kind, uri, None) == canonical_value(kind, user, None) {
                    item.remove("user");
                }
                item.remove("uri");
                // An address that can be made of the name says nothing more than the name.
                if vcard::names::profile(kind, user) == *uri { user } else { uri }
            }
            (Some(uri), _) => {
                item.remove("uri");
                uri
            }
            (None, Some(user)) => {
                item.remove("user");
                user
            }
        };
        let mut channel = self.intake.channel(kind, value);
        item.remove("service");
        channel.label = if is_profile { label(item) } else { service };
        self.add(channel, key, item)
    }

    fn add(&mut self, mut channel: Channel, key: &str, item: &mut Map<String, Value>) -> bool {
        let number = |value: Option<Value>| value.and_then(|value| u32::try_from(value.as_u64()?).ok());
        channel.is_verified = item.remove(names::VERIFIED) == Some(Value::Bool(true));
        let preference = number(item.remove("pref")).map(|preference| preference.clamp(1, 100));
        let rank = Rank { preference, order: number(item.remove(names::ORDER)) };
        self.channels.push((place('c', key), (channel, rank)));
        true
    }

    fn address(&mut self, key: &str, item: &mut Map<String, Value>) -> bool {
        let mut address = Address::new(self.intake.item_id());
        let similar = [("number", "name"), ("room", "apartment"), ("floor", "apartment"), ("building", "apartment")];
        let (parts, is_whole) = components(item, &names::ADDRESS_PARTS, &similar);
        for (field, text) in parts {
            let field = match field {
                "po_box" => &mut address.po_box,
                "extended" => &mut address.extended,
                "street" => &mut address.street,
                "city" => &mut address.city,
                "region" => &mut address.region,
                "postal_code" => &mut address.postal_code,
                _ => &mut address.country,
            };
            *field = Some(text);
        }
        if let Some(code) = item.get("countryCode").and_then(Value::as_str)
            && code.len() == 2
            && code.bytes().all(|b| b.is_ascii_alphabetic())
        {
            address.country_code = Some(code.to_ascii_uppercase());
            item.remove("countryCode");
        }
        if let Some((latitude, longitude)) =
            item.get("coordinates").and_then(Value::as_str).and_then(vcard::coordinates)
        {
            (address.latitude, address.longitude) = (Some(latitude), Some(longitude));
            item.remove("coordinates");
        }
        address.label = label(item);
        let is_preferred = item.get("pref").and_then(Value::as_u64) == Some(1);
        address.is_primary = is_preferred;
        if address.is_primary {
            item.remove("pref");
        }
        let nothing =
            Address { label: address.label.clone(), is_primary: address.is_primary, ..Address::new(address.id) };
        if address == nothing {
            // An address that is written in one piece is more than none.
            address.street = item.get("full").and_then(Value::as_str).map(str::to_owned);
        }
        self.addresses.push((place('a', key), address));
        is_whole
    }

    fn anniversary(&mut self, list: &str, key: &str, item: &mut Map<String, Value>) -> bool {
        let Some(kind) = item.get("kind").and_then(Value::as_str) else {
            self.warn(&format!("{list}/{key}"), "has no kind");
            return false;
        };
        let date_type = names::ours(&names::ANNIVERSARIES, kind)
            .unwrap_or_else(|| kind.strip_prefix(names::VENDOR).unwrap_or(kind))
            .to_owned();
        let parts = item.get("date").and_then(Value::as_object).and_then(parts);
        match self.intake.date(&date_type, parts) {
            Ok(mut date) => {
                ["kind", "date"].iter().for_each(|member| drop(item.remove(*member)));
                date.label = self.text(item, names::LABEL);
                self.dates.push((place('d', key), date));
                true
            }
            Err(reason) => {
                self.warn(&format!("{list}/{key}"), reason);
                false
            }
        }
    }
}

/// The day of a PartialDate or a Timestamp; nothing if it says more or cannot be read.
fn parts(date: &Map<String, Value>) -> Option<Parts> {
    if let Some(Value::String(utc)) = date.get("utc") {
        return date::read(utc, None).filter(|_| date.len() <= 2);
    }
    let is_known = |member: &String| ["@type", "year", "month", "day"].contains(&member.as_str());
    if !date.keys().all(is_known) {
        return None;
    }
    let number = |member: &str| match date.get(member) {
        None => Some(None),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()).map(Some),
    };
    let small = |member: &str| match number(member)? {
        None => Some(None),
        Some(number) => u8::try_from(number).ok().map(Some),
    };
    Some(Parts { year: number("year")?, month: small("month")?, day: small("day")? })
}

/// Takes the label out of an item: its own, else its contexts and features.
fn label(item: &mut Map<String, Value>) -> Option<String> {
    if let Some(label) = item.get("label").and_then(Value::as_str).map(str::to_owned) {
        item.remove("label");
        return Some(label);
    }
    let mut words = Vec::new();
    for (member, names) in [("contexts", names::CONTEXTS.as_slice()), ("features", &names::FEATURES)] {
        let Some(Value::Object(set)) = item.get(member) else { continue };
        if set.values().all(|is_set| *is_set == Value::Bool(true)) {
            words.extend(set.keys().map(|word| names::ours(names, word).unwrap_or(word).to_owned()));
            item.remove(member);
        }
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The place of an item of ours, by its key.
fn place(letter: char, key: &str) -> Option<u32> {
    key.strip_prefix(letter)?.parse().ok()
}
