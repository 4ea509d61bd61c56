//! CSV with a header.

use std::borrow::Cow;
use std::collections::HashSet;

use worktruck_core::Result;
use worktruck_core::entity::contact::{Address, ChannelKind, Contact, ContactKind};

use super::date::{self, SlashOrder};
use super::intake::{Intake, add_note, has_personal_name, keep, name, quoted};
use super::rows::Rows;
use super::unusable;

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Column {
    Uid,
    GivenName,
    MiddleName,
    FamilyName,
    DisplayName,
    Email,
    Phone,
    Street,
    City,
    Region,
    PostalCode,
    Country,
    Birthday,
    Identifier,
    Organization,
    Title,
    Note,
}

const COLUMNS: [(&str, Column); 17] = [
    ("uid", Column::Uid),
    ("given_name", Column::GivenName),
    ("middle_name", Column::MiddleName),
    ("family_name", Column::FamilyName),
    ("display_name", Column::DisplayName),
    ("email", Column::Email),
    ("phone", Column::Phone),
    ("street", Column::Street),
    ("city", Column::City),
    ("region", Column::Region),
    ("postal_code", Column::PostalCode),
    ("country", Column::Country),
    ("birthday", Column::Birthday),
    ("identifier", Column::Identifier),
    ("organization", Column::Organization),
    ("title", Column::Title),
    ("note", Column::Note),
];

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) fn parse(text: &str, intake: &mut Intake<'_>) -> Result<()> {
    let mut cells = Vec::new();
    let mut rows = Rows::new(text, delimiter(text));
    let Some((mut line, mut is_read)) = rows.next(&mut cells) else { return Ok(()) };
    if declared_delimiter(text).is_some() {
        let Some(next) = rows.next(&mut cells) else { return Ok(()) };
        (line, is_read) = next;
    }
    if let Err(reason) = is_read {
        return Err(unusable(intake.source(), line, format_args!("the header cannot be read: {reason}")));
    }
    let layout = Layout::new(&cells, line, intake)?;
    let slashes = layout.slash_order(&rows);
    let mut has_rows = false;
    while let Some((line, is_read)) = rows.next(&mut cells) {
        has_rows = true;
        let (found, expected) = (cells.len(), layout.columns.len());
        match is_read {
            Err(reason) => intake.skip(line, reason),
            Ok(()) if found != expected => {
                intake.skip(line, format_args!("the row has {found} cells and the header has {expected}"));
            }
            Ok(()) => match layout.contact(&cells, line, slashes, intake) {
                Some(contact) => intake.accept(line, contact),
                None => intake.skip(line, "the row has no name and nothing else to call the contact by"),
            },
        }
    }
    if has_rows {
        Ok(())
    } else {
        Err(unusable(intake.source(), line, "the file has a header and no rows; add one row for each contact"))
    }
}

/// The delimiter with which most of the header is understood.
fn delimiter(text: &str) -> u8 {
    if let Some(declared) = declared_delimiter(text) {
        return declared;
    }
    let mut cells = Vec::new();
    let mut best = (0, 0, DELIMITERS[0]);
    for delimiter in DELIMITERS {
        let _ = Rows::new(text, delimiter).next(&mut cells);
        let known = cells.iter().filter(|cell| column(cell).is_some()).count();
        if (known, cells.len()) > (best.0, best.1) {
            best = (known, cells.len(), delimiter);
        }
    }
    best.2
}

/// The delimiter that spreadsheets write into a first line such as `sep=;`.
fn declared_delimiter(text: &str) -> Option<u8> {
    let first = text.trim_start().lines().next()?.trim_matches(['"', '\r']);
    match first.as_bytes() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => {
            DELIMITERS.contains(delimiter).then_some(*delimiter)
        }
        _ => None,
    }
}

fn column(name: &str) -> Option<Column> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    COLUMNS.iter().find(|(known, _)| *known == name).map(|(_, column)| *column)
}

/// What the cells of a row are.
struct Layout {
    columns: Vec<(Option<Column>, String)>,
}

impl Layout {
    fn new(header: &[Cow<'_, str>], line: u64, intake: &mut Intake<'_>) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut names = HashSet::new();
        let mut columns = Vec::with_capacity(header.len());
        for (cell, position) in header.iter().zip(1..) {
            let written = cell.trim();
            let known = column(written);
            let is_repeatable =
                matches!(known, Some(Column::Email | Column::Phone | Column::Identifier | Column::Note));
            let is_taken = known.is_some_and(|column| !seen.insert(column)) && !is_repeatable;
            if is_taken {
                let message = format!(
                    "the column {} stands in the header twice; the second is kept in metadata",
                    quoted(written)
                );
                intake.warn(line, Some(written), message);
            }
            let plain = match COLUMNS.iter().find(|(_, column)| known == Some(*column)) {
                Some((name, _)) => (*name).to_owned(),
                None if written.is_empty() => format!("column {position}"),
                None => written.to_owned(),
            };
            let is_shared = is_repeatable && names.contains(&plain);
            let mut name = plain.clone();
            for copy in 2.. {
                if is_shared || names.insert(name.clone()) {
                    break;
                }
                name = format!("{plain} ({copy})");
            }
            columns.push((known.filter(|_| !is_taken), name));
        }
        if seen.is_empty() {
            let found: Vec<&str> = header.iter().take(6).map(|cell| cell.trim()).collect();
            let known: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            let reason = format!(
                "no column of the header is known (it begins with {}); the first line must name at least one of {}",
                quoted(&found.join(",")),
                known.join(", ")
            );
            return Err(unusable(intake.source(), line, reason));
        }
        Ok(Self { columns })
    }

    /// Looks through all birthdays first, as each alone may be ambiguous.
    fn slash_order(&self, rows: &Rows<'_>) -> SlashOrder {
        let Some(index) = self.columns.iter().position(|(column, _)| *column == Some(Column::Birthday)) else {
            return SlashOrder::default();
        };
        let (mut rows, mut cells) = (rows.clone(), Vec::new());
        SlashOrder::of(std::iter::from_fn(|| {
            let (_, is_read) = rows.next(&mut cells)?;
            Some(cells.get_mut(index).filter(|_| is_read.is_ok()).map(std::mem::take).unwrap_or_default())
        }))
    }

    fn contact(
        &self,
        cells: &[Cow<'_, str>],
        line: u64,
        slashes: SlashOrder,
        intake: &mut Intake<'_>,
    ) -> Option<Contact> {
        let mut contact = Contact::default();
        let mut address = None;
        for (cell, (column, name)) in cells.iter().zip(&self.columns) {
            let value = cell.trim();
            if value.is_empty() {
                continue;
            }
            let Some(column) = column else {
                keep(&mut contact.metadata, name, cell);
                continue;
            };
            let mut place = |value: String, field: fn(&mut Address) -> &mut Option<String>| {
                *field(address.get_or_insert_with(|| Address::new(intake.item_id()))) = Some(value);
            };
            let text = value.to_owned();
            match column {
                Column::Uid => contact.vcard_uid = Some(text),
                Column::GivenName => contact.given_name = Some(text),
                Column::MiddleName => contact.middle_name = Some(text),
                Column::FamilyName => contact.family_name = Some(text),
                Column::DisplayName => contact.display_name = text,
                Column::Email => add_channels(&mut contact, ChannelKind::Email, value, intake),
                Column::Phone => add_channels(&mut contact, ChannelKind::Phone, value, intake),
                Column::Identifier => {
                    let mut channel = intake.channel(ChannelKind::Custom, value);
                    channel.label = Some("identifier".to_owned());
                    contact.channels.push(channel);
                }
                Column::Street => place(text, |address| &mut address.street),
                Column::City => place(text, |address| &mut address.city),
                Column::Region => place(text, |address| &mut address.region),
                Column::PostalCode => place(text, |address| &mut address.postal_code),
                Column::Country => {
                    if value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()) {
                        place(text.to_ascii_uppercase(), |address| &mut address.country_code);
                    }
                    place(text, |address| &mut address.country);
                }
                Column::Birthday => match intake.date("birthday", date::read(value, Some(slashes))) {
                    Ok(date) => contact.dates.push(date),
                    Err(reason) => {
                        let message = format!("birthday {} {reason}; kept in metadata", quoted(value));
                        intake.warn(line, Some(name), message);
                        keep(&mut contact.metadata, name, cell);
                    }
                },
                Column::Organization | Column::Title => keep(&mut contact.metadata, name, value),
                Column::Note => add_note(&mut contact, value),
            }
        }
        contact.addresses.extend(address);
        let is_named = !contact.display_name.is_empty() || has_personal_name(&contact);
        if !is_named && contact.metadata.contains_key("organization") {
            contact.kind = ContactKind::Organization;
        }
        name(&mut contact).then_some(contact)
    }
}

/// Adds the channels of a cell, which may hold several.
fn add_channels(contact: &mut Contact, kind: ChannelKind, cell: &str, intake: &Intake<'_>) {
    // In `tel:+1-415-555-0100;ext=12` the semicolon separates nothing.
    let separator = if cell.contains(":::") || cell.starts_with("tel:") { ":::" } else { ";" };
    for value in cell.split(separator).map(str::trim).filter(|value| !value.is_empty()) {
        let mut channel = intake.channel(kind, value);
        let before = contact.channels.iter().filter(|channel| channel.kind == kind).count();
        channel.preference_order = u32::try_from(before).unwrap_or(u32::MAX);
        contact.channels.push(channel);
    }
}
