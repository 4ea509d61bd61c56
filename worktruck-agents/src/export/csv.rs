//! CSV with a header.

use serde_json::Value;
use worktruck_core::entity::contact::{Address, ChannelKind, Contact, ContactDate};
use worktruck_core::{Error, Result};

use super::text::{json, printable};
use super::{Format, Rest, rest};
use crate::import::csv::{METADATA_COLUMN, MORE_COLUMN};

/// How many channels of each kind have columns; further ones are among the differences.
const CHANNELS: [(ChannelKind, &str, u32); 6] = [
    (ChannelKind::Email, "email", 3),
    (ChannelKind::Phone, "phone", 3),
    (ChannelKind::Url, "url", 2),
    (ChannelKind::Twitter, "twitter", 1),
    (ChannelKind::Linkedin, "linkedin", 1),
    (ChannelKind::Custom, "identifier", 1),
];
/// How many addresses have columns.
const ADDRESSES: u32 = 2;
/// The columns of the names and what else there is once, before the channels.
const BEFORE: [&str; 11] = [
    "uid",
    "kind",
    "display_name",
    "prefix",
    "given_name",
    "middle_name",
    "family_name",
    "suffix",
    "nickname",
    "organization",
    "title",
];
/// The columns of an address.
const ADDRESS: [&str; 10] = [
    "street",
    "extended",
    "po_box",
    "city",
    "region",
    "postal_code",
    "country",
    "country_code",
    "latitude",
    "longitude",
];
/// The columns behind the addresses.
const AFTER: [&str; 7] = ["birthday", "anniversary", "language", "timezone", "avatar_url", "tags", "note"];

/// The first line.
pub(super) fn header() -> Result<String> {
    let mut names: Vec<String> = BEFORE.map(str::to_owned).into();
    for (kind, name, count) in CHANNELS {
        for number in 1..=count {
            names.push(numbered(name, number));
            if has_label(kind) {
                names.push(format!("{}_label", numbered(name, number)));
            }
        }
    }
    for number in 1..=ADDRESSES {
        names.push(format!("{}_label", numbered("address", number)));
        names.extend(ADDRESS.iter().map(|name| numbered(name, number)));
    }
    names.extend(AFTER.map(str::to_owned));
    names.extend([METADATA_COLUMN, MORE_COLUMN].map(str::to_owned));
    line(&names)
}

/// The contact as a row.
pub(super) fn row(contact: &Contact) -> Result<String> {
    let mut cells = cells(contact);
    let trial = format!("{}{}", header()?, line(&cells)?);
    let Rest { metadata, more } = rest(Format::Csv, &trial, contact);
    let ours = [metadata, more].map(|object| match object.is_empty() {
        true => String::new(),
        false => json(&Value::Object(object)),
    });
    let width = cells.len();
    for (cell, text) in cells.iter_mut().skip(width - ours.len()).zip(ours) {
        *cell = text;
    }
    line(&cells)
}

/// What the columns can say; the last two are empty.
fn cells(contact: &Contact) -> Vec<String> {
    let metadata = |key: &str| contact.metadata.get(key).and_then(Value::as_str);
    let before = [
        contact.vcard_uid.as_deref(),
        Some(contact.kind.as_str()),
        Some(&contact.display_name),
        contact.prefix.as_deref(),
        contact.given_name.as_deref(),
        contact.middle_name.as_deref(),
        contact.family_name.as_deref(),
        contact.suffix.as_deref(),
        contact.nickname.as_deref(),
        metadata("organization"),
        metadata("title"),
    ];
    let mut cells: Vec<String> = before.into_iter().map(cell).collect();
    for (kind, name, count) in CHANNELS {
        // A custom channel with another label is something else.
        let is_of_column = |label: Option<&str>| kind != ChannelKind::Custom || label == Some(name);
        let mut channels =
            contact.channels.iter().filter(|channel| channel.kind == kind && is_of_column(channel.label.as_deref()));
        for _ in 0..count {
            let channel = channels.next();
            cells.push(cell(channel.map(|channel| channel.value.as_str())));
            if has_label(kind) {
                cells.push(cell(channel.and_then(|channel| channel.label.as_deref())));
            }
        }
    }
    let mut addresses = contact.addresses.iter();
    for _ in 0..ADDRESSES {
        cells.extend(address(addresses.next()));
    }
    let date = |wanted: &str| contact.dates.iter().find(|date| date.date_type == wanted).map(day);
    cells.extend([date("birthday"), date("anniversary")].map(Option::unwrap_or_default));
    cells.extend([&contact.language, &contact.timezone, &contact.avatar_url].map(|text| cell(text.as_deref())));
    cells.push(cell(Some(&contact.tags.join("; "))));
    cells.push(cell(contact.bio.as_deref()));
    cells.extend([String::new(), String::new()]);
    cells
}

fn address(address: Option<&Address>) -> Vec<String> {
    let text = |field: fn(&Address) -> &Option<String>| cell(address.and_then(|address| field(address).as_deref()));
    let degrees = |degrees: Option<f64>| degrees.map(|degrees| degrees.to_string()).unwrap_or_default();
    vec![
        text(|address| &address.label),
        text(|address| &address.street),
        text(|address| &address.extended),
        text(|address| &address.po_box),
        text(|address| &address.city),
        text(|address| &address.region),
        text(|address| &address.postal_code),
        text(|address| &address.country),
        text(|address| &address.country_code),
        degrees(address.and_then(|address| address.latitude)),
        degrees(address.and_then(|address| address.longitude)),
    ]
}

fn day(date: &ContactDate) -> String {
    match (date.year, date.month, date.day) {
        (Some(year), Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
        (Some(year), Some(month), None) => format!("{year:04}-{month:02}"),
        (Some(year), None, _) => format!("{year:04}"),
        (None, Some(month), Some(day)) => format!("--{month:02}-{day:02}"),
        (None, Some(month), None) => format!("--{month:02}"),
        (None, None, Some(day)) => format!("---{day:02}"),
        (None, None, None) => String::new(),
    }
}

const fn has_label(kind: ChannelKind) -> bool {
    matches!(kind, ChannelKind::Email | ChannelKind::Phone | ChannelKind::Url)
}

fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}_{number}") }
}

fn cell(text: Option<&str>) -> String {
    text.map(printable).unwrap_or_default().into_owned()
}

fn line(cells: &[String]) -> Result<String> {
    let unwritten = |message: String| Error::internal(format!("a row of the export cannot be written: {message}"));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(cells).map_err(|e| unwritten(e.to_string()))?;
    let bytes = writer.into_inner().map_err(|e| unwritten(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| unwritten(e.to_string()))
}
