//! Where contacts go on their way out of a file: repaired, checked, counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate, MAX_TEXT_CHARS};
use worktruck_core::{Error, IdSource, ItemId, Result, Timestamp};

use super::date::Parts;
use super::more;
use super::{Imported, Options, Parsed, Problem, unusable};

/// A contact with more fields than this that cannot be understood is not one.
const MOST_REPAIRS: usize = 64;
/// A longer value is cut in messages.
const LONGEST_QUOTE: usize = 60;

#[derive(Debug)]
pub(super) struct Intake<'a> {
    source: Arc<str>,
    options: Options,
    ids: &'a dyn IdSource,
    now: Timestamp,
    contacts: Vec<Imported>,
    problems: Vec<Problem>,
    rows: usize,
    lines_by_uid: HashMap<String, u64>,
    /// Whether contacts are taken in as they are read: an export looks at what becomes of its words.
    is_trial: bool,
}

impl<'a> Intake<'a> {
    pub(super) fn new(source: &str, options: Options, ids: &'a dyn IdSource, now: Timestamp) -> Self {
        Self {
            source: source.into(),
            options,
            ids,
            now,
            contacts: Vec::new(),
            problems: Vec::new(),
            rows: 0,
            lines_by_uid: HashMap::new(),
            is_trial: false,
        }
    }

    pub(super) fn trial(ids: &'a dyn IdSource) -> Self {
        Self { is_trial: true, ..Self::new("", Options::default(), ids, Timestamp::EPOCH) }
    }

    /// Completes a contact by what its plain form cannot say.
    pub(super) fn complete(&mut self, line: u64, field: &str, contact: &mut Contact, more: &Map<String, Value>) {
        let (ids, now) = (self.ids, self.now);
        if let Err(reason) = more::apply(contact, more, || ItemId::new(ids, now)) {
            self.warn(line, Some(field), format_args!("{field} {reason}; kept in metadata"));
            keep(&mut contact.metadata, field, &Value::Object(more.clone()).to_string());
        }
    }

    /// Whether the contact can be called something; where it has no name, one is made of what is known.
    pub(super) fn is_named(&self, contact: &mut Contact) -> bool {
        self.is_trial || name(contact)
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn item_id(&self) -> ItemId {
        ItemId::new(self.ids, self.now)
    }

    pub(super) fn channel(&self, kind: ChannelKind, value: &str) -> Channel {
        Channel::new(self.item_id(), kind, value)
    }

    /// The date, or the reason why it is none.
    pub(super) fn date(&self, date_type: &str, parts: Option<Parts>) -> Result<ContactDate, &'static str> {
        let Parts { year, month, day } = parts.ok_or("is not a date that is understood")?;
        let date = ContactDate { id: self.item_id(), date_type: date_type.to_owned(), label: None, year, month, day };
        if date.is_possible() { Ok(date) } else { Err("is not a day of the calendar") }
    }

    /// Something was not understood and is kept or ignored.
    pub(super) fn warn(&mut self, line: u64, field: Option<&str>, message: impl fmt::Display) {
        self.problem(line, field, message.to_string(), false);
    }

    /// A row or card is left out.
    pub(super) fn skip(&mut self, line: u64, message: impl fmt::Display) {
        self.rows += 1;
        self.problem(line, None, format!("{message}; skipped"), true);
    }

    fn problem(&mut self, line: u64, field: Option<&str>, message: String, skipped: bool) {
        let field = field.map(str::to_owned);
        self.problems.push(Problem { source: Arc::clone(&self.source), line, field, message, skipped });
    }

    /// Takes in the contact of a row or card, without the fields that make it invalid.
    pub(super) fn accept(&mut self, line: u64, mut contact: Contact) {
        if self.is_trial {
            self.contacts.push(Imported { line, contact });
            return;
        }
        if let Some(uid) = &contact.vcard_uid
            && let Some(first) = self.lines_by_uid.get(uid)
        {
            let message = format!("the uid {} was used in line {first} already", quoted(uid));
            return self.skip(line, message);
        }
        for _ in 0..MOST_REPAIRS {
            let Err(error) = contact.normalise(self.options.region) else {
                if let Some(uid) = &contact.vcard_uid {
                    self.lines_by_uid.insert(uid.clone(), line);
                }
                self.rows += 1;
                self.contacts.push(Imported { line, contact });
                return;
            };
            let reason = reason(&error);
            let Some((field, value)) = error.pointer().and_then(|pointer| take(&mut contact, pointer)) else {
                return self.skip(line, reason);
            };
            self.warn(line, Some(&field), format_args!("{field}: {reason}; kept in metadata"));
            keep(&mut contact.metadata, &field, &value);
        }
        self.skip(line, format_args!("more than {MOST_REPAIRS} fields cannot be understood"));
    }

    pub(super) fn finish(self) -> Result<Parsed> {
        let Self { source, contacts, mut problems, rows, .. } = self;
        problems.sort_by_key(|problem| problem.line);
        if !contacts.is_empty() {
            return Ok(Parsed { contacts, problems, rows });
        }
        Err(match problems.iter().find(|problem| problem.skipped) {
            Some(first) => unusable(
                &source,
                first.line,
                format_args!(
                    "nothing in the file can be used, {rows} of {rows} were skipped; this one: {}",
                    first.message
                ),
            ),
            None => unusable(
                &source,
                1,
                "the file has no contacts; give a CSV file with a header and rows, a vCard file or a JSContact file",
            ),
        })
    }
}

/// The value as messages show it.
pub(super) fn quoted(value: &str) -> String {
    match value.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// Keeps `value` in `metadata`; a second one under the same key makes a list of them.
pub(super) fn keep(metadata: &mut Map<String, Value>, key: &str, value: &str) {
    let value = Value::String(value.to_owned());
    match metadata.get_mut(key) {
        None => {
            metadata.insert(key.to_owned(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// Appends a note to the bio.
pub(super) fn add_note(contact: &mut Contact, note: &str) {
    match &mut contact.bio {
        Some(bio) => {
            bio.push_str("\n\n");
            bio.push_str(note);
        }
        None => contact.bio = Some(note.to_owned()),
    }
}

pub(super) fn has_personal_name(contact: &Contact) -> bool {
    contact.given_name.is_some() || contact.middle_name.is_some() || contact.family_name.is_some()
}

/// Makes a name to show, if there is none, of what is known; false if nothing is.
fn name(contact: &mut Contact) -> bool {
    if contact.display_name.trim().is_empty() {
        contact.display_name = best_name(contact).unwrap_or_default();
    }
    !contact.display_name.is_empty()
}

fn best_name(contact: &Contact) -> Option<String> {
    let names = [&contact.given_name, &contact.middle_name, &contact.family_name];
    let names: Vec<&str> = names.into_iter().filter_map(|name| name.as_deref()).collect();
    if !names.is_empty() {
        return Some(names.join(" "));
    }
    let channel =
        |kind| contact.channels.iter().find(|channel| channel.kind == kind).map(|channel| channel.value.as_str());
    let address = contact.addresses.first();
    let place = address.and_then(|a| {
        [&a.street, &a.po_box, &a.city, &a.region, &a.postal_code, &a.country].into_iter().flatten().next()
    });
    let known = [
        contact.nickname.as_deref(),
        contact.metadata.get("organization").and_then(Value::as_str),
        channel(ChannelKind::Email),
        channel(ChannelKind::Phone),
        channel(ChannelKind::Custom),
        channel(ChannelKind::Url),
        contact.vcard_uid.as_deref(),
        place.map(String::as_str),
        contact.metadata.get("title").and_then(Value::as_str),
        contact.bio.as_deref().and_then(|bio| bio.lines().next()),
    ];
    known.into_iter().flatten().find(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// The error's sentence without the pointer, which means nothing to the reader of a file.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let at = error.pointer().map(|pointer| format!(" (at {pointer})")).unwrap_or_default();
    text.strip_suffix(&at).unwrap_or(&text).to_owned()
}

/// Takes what `pointer` names out of the contact: the name and the value to keep.
fn take(contact: &mut Contact, pointer: &str) -> Option<(String, String)> {
    let mut path = pointer.split('/').skip(1);
    let (list, index, field) = (path.next()?, path.next(), path.next());
    if let Some(index) = index {
        return take_item(contact, list, index.parse().ok()?, field);
    }
    let text = match list {
        "display_name" => {
            let end = contact.display_name.char_indices().nth(MAX_TEXT_CHARS)?.0;
            let shortened = contact.display_name[..end].to_owned();
            Some(std::mem::replace(&mut contact.display_name, shortened))
        }
        "given_name" => contact.given_name.take(),
        "middle_name" => contact.middle_name.take(),
        "family_name" => contact.family_name.take(),
        "prefix" => contact.prefix.take(),
        "suffix" => contact.suffix.take(),
        "nickname" => contact.nickname.take(),
        "bio" => return contact.bio.take().map(|bio| ("note".to_owned(), bio)),
        "avatar_url" => contact.avatar_url.take(),
        "language" => contact.language.take(),
        "timezone" => contact.timezone.take(),
        "vcard_uid" => return contact.vcard_uid.take().map(|uid| ("uid".to_owned(), uid)),
        _ => None,
    };
    text.map(|text| (list.to_owned(), text))
}

fn take_item(contact: &mut Contact, list: &str, index: usize, field: Option<&str>) -> Option<(String, String)> {
    match (list, field) {
        ("channels", Some("label")) => {
            let channel = contact.channels.get_mut(index)?;
            Some((format!("{}_label", channel.kind), channel.label.take()?))
        }
        ("channels", Some("is_primary")) => {
            let channel = contact.channels.get_mut(index)?;
            channel.is_primary = false;
            Some((format!("{}_is_primary", channel.kind), channel.value.clone()))
        }
        ("channels", Some("value")) if index < contact.channels.len() => {
            let channel = contact.channels.remove(index);
            let name = channel.label.filter(|_| channel.kind == ChannelKind::Custom);
            Some((name.unwrap_or_else(|| channel.kind.to_string()), channel.value))
        }
        ("addresses", Some(field)) => {
            let address = contact.addresses.get_mut(index)?;
            let mut degrees = |of: fn(&mut Address) -> &mut Option<f64>| {
                of(address).take().map(|degrees| (field.to_owned(), degrees.to_string()))
            };
            let text = match field {
                "latitude" => return degrees(|address| &mut address.latitude),
                "longitude" => return degrees(|address| &mut address.longitude),
                "label" => &mut address.label,
                "street" => &mut address.street,
                "extended" => &mut address.extended,
                "po_box" => &mut address.po_box,
                "city" => &mut address.city,
                "region" => &mut address.region,
                "postal_code" => &mut address.postal_code,
                "country" => &mut address.country,
                "country_code" => &mut address.country_code,
                _ => return None,
            };
            Some((field.to_owned(), text.take()?))
        }
        ("tags", None) if index < contact.tags.len() => Some(("tag".to_owned(), contact.tags.remove(index))),
        _ => None,
    }
}
