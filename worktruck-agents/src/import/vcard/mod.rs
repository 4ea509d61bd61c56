//! vCard 2.1, 3.0 and 4.0 (RFC 6350).

mod fields;
mod items;
mod lines;
pub(crate) mod names;
mod property;

use std::collections::{HashMap, HashSet};

use calcard::vcard::{VCardParameterName, VCardProperty};
use serde_json::{Map, Value};
use worktruck_core::Result;
use worktruck_core::entity::contact::Contact;

use self::lines::{Card, Line};
use self::property::{Property, Used};
use super::intake::{Intake, quoted};
use super::json_object;
use super::rank::{Rank, rank};
use super::unusable;

/// Where the lines are kept, within the metadata, that a contact has no field for.
pub(crate) const KEPT: &str = "vcard";

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
    /// What is said of the place of each channel.
    ranks: Vec<Rank>,
    /// What other properties say about those of their group.
    groups: Groups,
    /// The preference of the language that is read first.
    best_language: Option<u32>,
    /// Metadata that an export wrote, and what it could not write otherwise.
    metadata: Map<String, Value>,
    more: Vec<(u64, Map<String, Value>)>,
}

/// What is known of the groups of a card, by their names.
#[derive(Default)]
struct Groups {
    /// The labels, and whether Apple translates them.
    labels: HashMap<String, (String, bool)>,
    countries: HashMap<String, String>,
    /// The groups of which something has become part of the contact.
    used_labels: HashSet<String>,
    used_countries: HashSet<String>,
}

/// A line, and what is known of it.
struct Read<'a> {
    line: Line<'a>,
    /// Nothing if it is no property.
    property: Option<Property>,
    is_kept: bool,
}

impl Read<'_> {
    /// The line in one piece, as it is kept.
    fn raw(self) -> String {
        self.property.map_or_else(|| self.line.unfolded(), |property| property.raw)
    }

    fn group(&self) -> Option<&str> {
        self.property.as_ref()?.group()
    }
}

impl<'i, 'a> Reader<'i, 'a> {
    fn new(intake: &'i mut Intake<'a>) -> Self {
        Self {
            intake,
            contact: Contact::default(),
            ranks: Vec::new(),
            groups: Groups::default(),
            best_language: None,
            metadata: Map::new(),
            more: Vec::new(),
        }
    }

    fn read(mut self, card: &Card<'_>) -> Option<Contact> {
        let read = card.lines.iter().map(|line| Read { line: *line, property: Property::read(*line), is_kept: false });
        let mut read: Vec<Read<'_>> = read.collect();
        self.groups = Groups::new(&read);
        self.best_language = read
            .iter()
            .filter_map(|line| line.property.as_ref())
            .filter(|property| *property.name() == VCardProperty::Lang)
            .map(|property| property.preference().unwrap_or(u32::MAX))
            .min();
        for line in &mut read {
            line.is_kept = match &line.property {
                Some(property) if is_about_its_group(property) => false,
                Some(property) => !self.understand(line.line.number, property),
                None => {
                    let message =
                        format!("the line {} is not a property; kept in metadata", quoted(&line.line.unfolded()));
                    self.intake.warn(line.line.number, None, message);
                    true
                }
            };
        }
        self.groups.keep_whole(&mut read);
        rank(&mut self.contact.channels, &self.ranks);
        let kept: Vec<Value> =
            read.into_iter().filter(|line| line.is_kept).map(|line| Value::String(line.raw())).collect();
        if !kept.is_empty() {
            self.contact.metadata.insert(KEPT.to_owned(), Value::Array(kept));
        }
        self.contact.metadata.append(&mut self.metadata);
        for (line, more) in &self.more {
            self.intake.complete(*line, names::MORE, &mut self.contact, more);
        }
        self.intake.is_named(&mut self.contact).then_some(self.contact)
    }

    /// Puts the property into the contact; false if it must be kept as it is.
    fn understand(&mut self, line: u64, property: &Property) -> bool {
        match property.name() {
            VCardProperty::Version => true,
            VCardProperty::Bday => self.date(line, property, "birthday"),
            VCardProperty::Anniversary => self.date(line, property, "anniversary"),
            VCardProperty::Other(name) => self.understand_other(line, property, &name.to_ascii_uppercase()),
            VCardProperty::Photo => self.photo(property),
            VCardProperty::Socialprofile => self.social_profile(property),
            _ => match property.components() {
                Some(components) => self.understand_text(property, &components),
                None => false,
            },
        }
    }

    fn understand_other(&mut self, line: u64, property: &Property, name: &str) -> bool {
        match name {
            "X-ABDATE" => match property.group().and_then(|group| self.groups.date_type(group)) {
                Some(date_type) => self.date(line, property, &date_type),
                None => false,
            },
            "X-ANNIVERSARY" => self.date(line, property, "anniversary"),
            "X-SOCIALPROFILE" => self.social_profile(property),
            "X-TWITTER" => self.social_profile(property),
            "X-ABSHOWAS" => self.kind_of_apple(property, "COMPANY", "organization"),
            "X-ADDRESSBOOKSERVER-KIND" => self.kind_of_apple(property, "GROUP", "group"),
            names::CHANNEL => self.custom_channel(property),
            names::LANGUAGE => {
                self.contact.language = Some(property.plain()).filter(|language| !language.is_empty());
                true
            }
            names::METADATA | names::MORE => match json_object(&property.plain()) {
                Some(mut object) => {
                    if name == names::METADATA {
                        self.metadata.append(&mut object);
                    } else {
                        self.more.push((line, object));
                    }
                    true
                }
                None => {
                    self.intake.warn(line, Some(name), format_args!("{name} is not a JSON object; kept in metadata"));
                    false
                }
            },
            _ => false,
        }
    }
}

impl Groups {
    fn new(lines: &[Read<'_>]) -> Self {
        let mut groups = Self::default();
        for property in lines.iter().filter_map(|line| line.property.as_ref()) {
            let (Some(group), VCardProperty::Other(name)) = (property.group(), property.name()) else { continue };
            let value = property.text_of_extension();
            let value = value.trim();
            if name.eq_ignore_ascii_case("X-ABLABEL") {
                // Apple marks the labels that it translates.
                let builtin = value.strip_prefix("_$!<").and_then(|value| value.strip_suffix(">!$_"));
                let label = (builtin.unwrap_or(value).to_owned(), builtin.is_some());
                groups.labels.insert(group.to_owned(), label);
                if value.is_empty() {
                    groups.used_labels.insert(group.to_owned());
                }
            } else if name.eq_ignore_ascii_case("X-ABADR")
                && value.len() == 2
                && value.bytes().all(|b| b.is_ascii_alphabetic())
            {
                groups.countries.insert(group.to_owned(), value.to_ascii_uppercase());
            }
        }
        groups
    }

    /// The label of a group, which becomes part of the contact.
    fn label(&mut self, group: &str) -> Option<String> {
        let (label, _) = self.labels.get(group).filter(|(label, _)| !label.is_empty())?;
        self.used_labels.insert(group.to_owned());
        Some(label.clone())
    }

    /// The label of a group as the type of a date.
    fn date_type(&mut self, group: &str) -> Option<String> {
        let label = self.label(group)?;
        let is_translated = self.labels.get(group).is_some_and(|(_, is_translated)| *is_translated);
        Some(if is_translated { label.to_lowercase() } else { label })
    }

    /// The country code of a group, which becomes part of the contact.
    fn country(&mut self, group: &str) -> Option<String> {
        let country = self.countries.get(group)?;
        self.used_countries.insert(group.to_owned());
        Some(country.clone())
    }

    /// Keeps all lines of a group if one of them is kept or unused, as they say something about each other.
    fn keep_whole(&self, lines: &mut [Read<'_>]) {
        let is_unused = |line: &Read<'_>, group: &str| match &line.property {
            Some(property) if is_named(property, "X-ABLABEL") => !self.used_labels.contains(group),
            Some(property) if is_named(property, "X-ABADR") => !self.used_countries.contains(group),
            _ => false,
        };
        let mut whole: HashSet<String> = HashSet::new();
        for line in lines.iter() {
            match line.group() {
                Some(group) if line.is_kept || is_unused(line, group) => {
                    whole.insert(group.to_owned());
                }
                _ => {}
            }
        }
        for line in lines {
            let is_alone = line.property.as_ref().is_some_and(is_about_its_group) && line.group().is_none();
            line.is_kept |= is_alone || line.group().is_some_and(|group| whole.contains(group));
        }
    }
}

fn is_about_its_group(property: &Property) -> bool {
    is_named(property, "X-ABLABEL") || is_named(property, "X-ABADR")
}

fn is_named(property: &Property, wanted: &str) -> bool {
    matches!(property.name(), VCardProperty::Other(name) if name.eq_ignore_ascii_case(wanted))
}

/// The parameters of a channel or an address that our own exports write.
fn own_parameters() -> Vec<Used> {
    let mut used = vec![Used::Preference];
    used.extend([names::ORDER, names::VERIFIED, names::LABEL, names::GEO].map(Used::Other));
    used
}

fn geo(property: &Property) -> Option<(f64, f64)> {
    let written = property.known_parameter(&VCardParameterName::Geo).or_else(|| property.parameter(names::GEO))?;
    coordinates(written)
}

/// The degrees in an address such as `geo:51.5,-0.14`; nothing if it has an altitude or anything else.
pub(in crate::import) fn coordinates(uri: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = uri.strip_prefix("geo:")?.split_once(',')?;
    Some((latitude.parse().ok()?, longitude.parse().ok()?))
}
