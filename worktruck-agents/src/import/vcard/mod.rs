//! vCard 2.1, 3.0 and 4.0 (RFC 6350).

mod lines;
mod property;

use std::collections::HashMap;

use calcard::vcard::VCardProperty;
use serde_json::Value;
use worktruck_core::Result;
use worktruck_core::entity::contact::{Address, ChannelKind, Contact, ContactKind};

use self::lines::{Card, Line};
use self::property::Property;
use super::date::{self, Parts};
use super::intake::{Intake, add_note, keep, name, quoted};
use super::unusable;

/// Where the lines are kept that a contact has no field for.
const KEPT: &str = "vcard";
/// The least preference that PREF can state, plus one: what has no PREF comes last.
const NO_PREFERENCE: u32 = 101;

pub(super) fn parse(text: &str, intake: &mut Intake<'_>) -> Result<()> {
    let mut stray = Vec::new();
    let cards = lines::cards(text, |line| stray.push(line));
    if cards.is_empty() {
        let reason = "the file has no BEGIN:VCARD; give a vCard file, or a CSV file with a header";
        return Err(unusable(intake.source(), stray.first().copied().unwrap_or(1), reason));
    }
    for line in stray {
        intake.warn(line, None, "the text here belongs to no card; ignored");
    }
    for card in cards {
        if !card.is_whole {
            intake.skip(card.line, "the card that begins here has no END:VCARD");
            continue;
        }
        let contact = Reader::new(intake).read(&card);
        match contact {
            Some(contact) => intake.accept(card.line, contact),
            None => intake.skip(card.line, "the card has no name and nothing else to call the contact by"),
        }
    }
    Ok(())
}

/// Reads one card.
struct Reader<'i, 'a> {
    intake: &'i mut Intake<'a>,
    contact: Contact,
    /// The preference of each channel.
    preferences: Vec<u32>,
    /// Lines that are kept as they are.
    kept: Vec<Value>,
}

impl<'i, 'a> Reader<'i, 'a> {
    fn new(intake: &'i mut Intake<'a>) -> Self {
        Self { intake, contact: Contact::default(), preferences: Vec::new(), kept: Vec::new() }
    }

    fn read(mut self, card: &Card<'_>) -> Option<Contact> {
        let mut properties = Vec::with_capacity(card.lines.len());
        for line in &card.lines {
            match Property::read(*line) {
                Some(property) => properties.push((line.number, property)),
                None => self.keep_broken(*line),
            }
        }
        let labels = labels(&properties);
        for (line, property) in properties {
            let label = property.group().and_then(|group| labels.get(group)).map(String::as_str);
            let is_understood = self.understand(line, &property, label);
            if !is_understood || property.has_more() {
                self.kept.push(Value::String(property.raw));
            }
        }
        self.order_channels();
        let mut contact = self.contact;
        if !self.kept.is_empty() {
            contact.metadata.insert(KEPT.to_owned(), Value::Array(self.kept));
        }
        name(&mut contact).then_some(contact)
    }

    fn keep_broken(&mut self, line: Line<'_>) {
        let raw = line.unfolded();
        let message = format!("the line {} is not a property; kept in metadata", quoted(&raw));
        self.intake.warn(line.number, None, message);
        self.kept.push(Value::String(raw));
    }

    /// Puts the property into the contact; false if it must be kept as it is.
    fn understand(&mut self, line: u64, property: &Property, label: Option<&str>) -> bool {
        match property.name() {
            VCardProperty::Version => true,
            VCardProperty::Bday => self.date(line, property, "birthday"),
            VCardProperty::Anniversary => self.date(line, property, "anniversary"),
            VCardProperty::Other(name) => {
                // Apple's own dates say what they are in a label.
                let date_type = label.filter(|_| name.eq_ignore_ascii_case("X-ABDATE")).map(str::to_lowercase);
                if let Some(date_type) = date_type {
                    self.date(line, property, &date_type);
                }
                if name.eq_ignore_ascii_case("X-ABSHOWAS")
                    && property.raw_value().trim().eq_ignore_ascii_case("COMPANY")
                {
                    self.contact.kind = ContactKind::Organization;
                }
                false
            }
            _ => match property.components() {
                Some(components) => self.understand_text(property, &components, label),
                None => false,
            },
        }
    }

    fn understand_text(&mut self, property: &Property, components: &[String], label: Option<&str>) -> bool {
        let Some(text) = property.text() else { return true };
        let contact = &mut self.contact;
        let set = |field: &mut Option<String>, text: &String| {
            let is_free = field.is_none();
            if is_free && !text.is_empty() {
                *field = Some(text.clone());
            }
            is_free || text.is_empty()
        };
        match property.name() {
            VCardProperty::Fn => {
                let is_first = contact.display_name.is_empty();
                if is_first {
                    contact.display_name = text;
                }
                is_first
            }
            VCardProperty::N => {
                let fields = [
                    &mut contact.family_name,
                    &mut contact.given_name,
                    &mut contact.middle_name,
                    &mut contact.prefix,
                    &mut contact.suffix,
                ];
                let is_set =
                    fields.into_iter().zip(components).fold(true, |all, (field, text)| set(field, text) && all);
                is_set && components.iter().skip(5).all(String::is_empty)
            }
            VCardProperty::Nickname => set(&mut contact.nickname, &components.join(", ")),
            VCardProperty::Uid => set(&mut contact.vcard_uid, &text),
            VCardProperty::Note => {
                add_note(contact, &text);
                true
            }
            VCardProperty::Categories => {
                contact.tags.extend(components.iter().filter(|tag| !tag.is_empty()).cloned());
                true
            }
            VCardProperty::Kind => match text.to_ascii_lowercase().as_str() {
                "individual" => true,
                "org" | "organization" => {
                    contact.kind = ContactKind::Organization;
                    true
                }
                "group" => {
                    contact.kind = ContactKind::Group;
                    true
                }
                _ => false,
            },
            VCardProperty::Org => {
                let is_first = !contact.metadata.contains_key("organization");
                if is_first && let Some(name) = components.iter().find(|name| !name.is_empty()) {
                    keep(&mut contact.metadata, "organization", name);
                }
                is_first && components.iter().skip(1).all(String::is_empty)
            }
            VCardProperty::Title => {
                let is_first = !contact.metadata.contains_key("title");
                if is_first {
                    keep(&mut contact.metadata, "title", &text);
                }
                is_first
            }
            VCardProperty::Email => self.channel(ChannelKind::Email, property, &text, label),
            VCardProperty::Tel => self.channel(ChannelKind::Phone, property, &text, label),
            VCardProperty::Url => self.channel(ChannelKind::Url, property, &text, label),
            VCardProperty::Adr => self.address(property, components, label),
            _ => false,
        }
    }

    fn channel(&mut self, kind: ChannelKind, property: &Property, text: &str, label: Option<&str>) -> bool {
        let text = text.strip_prefix("tel:").or_else(|| text.strip_prefix("mailto:")).unwrap_or(text);
        let mut channel = self.intake.channel(kind, text);
        channel.label = label.map(str::to_owned).or_else(|| type_label(property));
        self.contact.channels.push(channel);
        self.preferences.push(property.preference().unwrap_or(NO_PREFERENCE));
        true
    }

    fn address(&mut self, property: &Property, components: &[String], label: Option<&str>) -> bool {
        let mut address = Address::new(self.intake.item_id());
        let fields = [
            &mut address.po_box,
            &mut address.extended,
            &mut address.street,
            &mut address.city,
            &mut address.region,
            &mut address.postal_code,
            &mut address.country,
        ];
        for (field, text) in fields.into_iter().zip(components) {
            *field = Some(text.clone()).filter(|text| !text.is_empty());
        }
        let is_whole = components.iter().skip(7).all(String::is_empty);
        if components.iter().all(String::is_empty) {
            return true;
        }
        address.label = label.map(str::to_owned).or_else(|| type_label(property));
        address.is_primary = property.preference().is_some() && !self.contact.addresses.iter().any(|a| a.is_primary);
        self.contact.addresses.push(address);
        is_whole
    }

    fn date(&mut self, line: u64, property: &Property, date_type: &str) -> bool {
        let value = property.raw_value().trim();
        if value.is_empty() {
            return true;
        }
        let mut parts = date::read(value, None);
        // Apple writes a year that means that it is not known.
        if let (Some(parts), Some(omitted)) = (&mut parts, property.parameter("X-APPLE-OMIT-YEAR"))
            && parts.year.is_some_and(|year| omitted.parse() == Ok(year))
        {
            *parts = Parts { year: None, ..*parts };
        }
        match self.intake.date(date_type, parts) {
            Ok(date) => {
                self.contact.dates.push(date);
                true
            }
            Err(reason) => {
                let title = property.title();
                self.intake.warn(
                    line,
                    Some(&title),
                    format_args!("{title} {} {reason}; kept in metadata", quoted(value)),
                );
                false
            }
        }
    }

    /// Gives channels of one kind the order of their preference, and the most preferred one the first place.
    fn order_channels(&mut self) {
        for kind in [ChannelKind::Email, ChannelKind::Phone, ChannelKind::Url] {
            let channels = &mut self.contact.channels;
            let mut order: Vec<(u32, usize)> = self
                .preferences
                .iter()
                .copied()
                .zip(0..)
                .filter(|(_, index)| channels.get(*index).is_some_and(|channel| channel.kind == kind))
                .collect();
            order.sort_unstable();
            for ((preference, index), place) in order.into_iter().zip(0_u32..) {
                if let Some(channel) = channels.get_mut(index) {
                    channel.preference_order = place;
                    channel.is_primary = place == 0 && preference < NO_PREFERENCE;
                }
            }
        }
    }
}

/// What Apple's group labels say, by group.
fn labels(properties: &[(u64, Property)]) -> HashMap<String, String> {
    let is_label = |property: &&Property| matches!(property.name(), VCardProperty::Other(name) if name.eq_ignore_ascii_case("X-ABLABEL"));
    properties
        .iter()
        .map(|(_, property)| property)
        .filter(is_label)
        .filter_map(|property| {
            let text = property.text()?;
            let label = text.strip_prefix("_$!<").and_then(|text| text.strip_suffix(">!$_")).unwrap_or(&text);
            Some((property.group()?.to_owned(), label.to_owned()))
        })
        .collect()
}

/// The types that say something about the channel.
fn type_label(property: &Property) -> Option<String> {
    let mut types = property.types();
    types.retain(|name| name != "internet");
    if types.len() > 1 {
        types.retain(|name| name != "voice");
    }
    (!types.is_empty()).then(|| types.join(", "))
}
