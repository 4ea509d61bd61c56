//! What the cells of a row become.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};
use worktruck_core::Result;
use worktruck_core::entity::contact::{Address, ChannelKind, Contact, ContactKind};

use super::MORE_COLUMN;
use super::columns::{COLUMNS, Column, LISTED, column};
use crate::import::date::{self, SlashOrder};
use crate::import::intake::{Intake, add_note, has_personal_name, keep, quoted};
use crate::import::rows::Rows;
use crate::import::{json_object, unusable};

/// What the cells of a row are.
pub(super) struct Layout {
    columns: Vec<(Option<(Column, u32)>, String)>,
}

impl Layout {
    pub(super) fn new(header: &[Cow<'_, str>], line: u64, intake: &mut Intake<'_>) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut names = HashSet::new();
        let mut columns = Vec::with_capacity(header.len());
        for (cell, position) in header.iter().zip(1..) {
            let written = cell.trim();
            let known = column(written);
            let is_repeatable = known.is_some_and(|(column, _)| column.is_repeatable());
            let is_taken = known.is_some_and(|column| !seen.insert(column)) && !is_repeatable;
            if is_taken {
                let message = format!(
                    "the column {} stands in the header twice; the second is kept in metadata",
                    quoted(written)
                );
                intake.warn(line, Some(written), message);
            }
            let plain = match known {
                Some((column, 1)) => column.name().unwrap_or(written).to_owned(),
                Some(_) => written.to_lowercase(),
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
            let known: Vec<&str> = COLUMNS.iter().take(LISTED).map(|(name, _)| *name).collect();
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
    pub(super) fn slash_order(&self, rows: &Rows<'_>) -> SlashOrder {
        let is_date = |column: Column| matches!(column, Column::Birthday | Column::Anniversary);
        let is_of_dates =
            |(column, _): &(Option<(Column, u32)>, String)| column.is_some_and(|(column, _)| is_date(column));
        let Some(index) = self.columns.iter().position(is_of_dates) else { return SlashOrder::default() };
        let (mut rows, mut cells) = (rows.clone(), Vec::new());
        SlashOrder::of(std::iter::from_fn(|| {
            let (_, is_read) = rows.next(&mut cells)?;
            Some(cells.get_mut(index).filter(|_| is_read.is_ok()).map(std::mem::take).unwrap_or_default())
        }))
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn contact(
        &self,
        cells: &[Cow<'_, str>],
        line: u64,
        slashes: SlashOrder,
        intake: &mut Intake<'_>,
    ) -> Option<Contact> {
        let mut row = Row {
            intake,
            line,
            slashes,
            contact: Contact::default(),
            addresses: Vec::new(),
            labels: Vec::new(),
            channels: Vec::new(),
            metadata: Map::new(),
            more: None,
        };
        for (cell, (column, name)) in cells.iter().zip(&self.columns) {
            if cell.trim().is_empty() {
                continue;
            }
            let is_taken_in = column.is_some_and(|column| row.take_in(column, name, cell.trim()));
            if !is_taken_in {
                keep(&mut row.contact.metadata, name, cell);
            }
        }
        row.finish()
    }
}

/// A row on its way to a contact.
struct Row<'i, 'a> {
    intake: &'i mut Intake<'a>,
    line: u64,
    slashes: SlashOrder,
    contact: Contact,
    /// By the number in the name of their columns.
    addresses: Vec<(u32, Address)>,
    /// The labels of channels, by kind and number.
    labels: Vec<((ChannelKind, u32), String)>,
    /// Of which kind and number each channel is.
    channels: Vec<(ChannelKind, u32)>,
    metadata: Map<String, Value>,
    more: Option<Map<String, Value>>,
}

impl Row<'_, '_> {
    /// Puts a cell into the contact; false if it must be kept as it is.
    fn take_in(&mut self, (column, number): (Column, u32), name: &str, value: &str) -> bool {
        if column.is_of_address() {
            return self.address(column, number, name, value);
        }
        let text = || Some(value.to_owned());
        let contact = &mut self.contact;
        match column {
            Column::Uid => contact.vcard_uid = text(),
            Column::GivenName => contact.given_name = text(),
            Column::MiddleName => contact.middle_name = text(),
            Column::FamilyName => contact.family_name = text(),
            Column::Prefix => contact.prefix = text(),
            Column::Suffix => contact.suffix = text(),
            Column::Nickname => contact.nickname = text(),
            Column::Language => contact.language = text(),
            Column::Timezone => contact.timezone = text(),
            Column::AvatarUrl => contact.avatar_url = text(),
            Column::DisplayName => contact.display_name = value.to_owned(),
            Column::Kind => match value.to_lowercase().as_str() {
                "person" => contact.kind = ContactKind::Person,
                "organization" => contact.kind = ContactKind::Organization,
                "group" => contact.kind = ContactKind::Group,
                _ => return self.refuse(name, value, "is not person, organization or group"),
            },
            Column::Channel(kind) => self.add_channels(kind, number, value),
            Column::ChannelLabel(kind) => self.labels.push(((kind, number), value.to_owned())),
            Column::Birthday => return self.date("birthday", name, value),
            Column::Anniversary => return self.date("anniversary", name, value),
            Column::Tags => {
                let tags = value.split(';').map(str::trim).filter(|tag| !tag.is_empty());
                contact.tags.extend(tags.map(str::to_owned));
            }
            Column::Organization | Column::Title => keep(&mut contact.metadata, name, value),
            Column::Note => add_note(contact, value),
            Column::Metadata | Column::More => match json_object(value) {
                Some(object) if column == Column::More => self.more = Some(object),
                Some(mut object) => self.metadata.append(&mut object),
                None => return self.refuse(name, value, "is not a JSON object"),
            },
            _ => return false,
        }
        true
    }

    fn refuse(&mut self, name: &str, value: &str, reason: &str) -> bool {
        self.intake.warn(self.line, Some(name), format_args!("{name} {} {reason}; kept in metadata", quoted(value)));
        false
    }

    fn date(&mut self, date_type: &str, name: &str, value: &str) -> bool {
        match self.intake.date(date_type, date::read(value, Some(self.slashes))) {
            Ok(date) => {
                self.contact.dates.push(date);
                true
            }
            Err(reason) => self.refuse(name, value, reason),
        }
    }

    fn address(&mut self, column: Column, number: u32, name: &str, value: &str) -> bool {
        let degrees = value.parse::<f64>().ok().filter(|degrees| degrees.is_finite());
        if matches!(column, Column::Latitude | Column::Longitude) && degrees.is_none() {
            return self.refuse(name, value, "is no number of degrees");
        }
        let at = match self.addresses.iter().position(|(known, _)| *known == number) {
            Some(at) => at,
            None => {
                self.addresses.push((number, Address::new(self.intake.item_id())));
                self.addresses.len() - 1
            }
        };
        let address = &mut self.addresses[at].1;
        let is_code = value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic());
        if column == Column::Country && is_code && address.country_code.is_none() {
            address.country_code = Some(value.to_ascii_uppercase());
        }
        let field = match column {
            Column::Street => &mut address.street,
            Column::Extended => &mut address.extended,
            Column::PoBox => &mut address.po_box,
            Column::City => &mut address.city,
            Column::Region => &mut address.region,
            Column::PostalCode => &mut address.postal_code,
            Column::Country => &mut address.country,
            Column::CountryCode => &mut address.country_code,
            Column::AddressLabel => &mut address.label,
            Column::Latitude => return address.latitude.replace(degrees.unwrap_or_default()).is_none(),
            Column::Longitude => return address.longitude.replace(degrees.unwrap_or_default()).is_none(),
            _ => return false,
        };
        *field = Some(value.to_owned());
        true
    }

    /// Adds the channels of a cell, which may hold several.
    fn add_channels(&mut self, kind: ChannelKind, number: u32, cell: &str) {
        let separator = match kind {
            // In `tel:+1-415-555-0100;ext=12` the semicolon separates nothing.
            ChannelKind::Phone if cell.starts_with("tel:") => ":::",
            ChannelKind::Email | ChannelKind::Phone if !cell.contains(":::") => ";",
            ChannelKind::Email | ChannelKind::Phone => ":::",
            _ => "\0",
        };
        for value in cell.split(separator).map(str::trim).filter(|value| !value.is_empty()) {
            let mut channel = self.intake.channel(kind, value);
            if kind == ChannelKind::Custom {
                channel.label = Some("identifier".to_owned());
            }
            let before = self.contact.channels.iter().filter(|channel| channel.kind == kind).count();
            if kind != ChannelKind::Custom {
                channel.preference_order = u32::try_from(before).unwrap_or(u32::MAX);
            }
            self.contact.channels.push(channel);
            self.channels.push((kind, number));
        }
    }

    fn finish(self) -> Option<Contact> {
        let Self { intake, line, mut contact, mut addresses, labels, channels, mut metadata, more, .. } = self;
        for (channel, of) in contact.channels.iter_mut().zip(channels) {
            if let Some((_, label)) = labels.iter().find(|(known, _)| *known == of) {
                channel.label = Some(label.clone());
            }
        }
        for ((kind, number), label) in labels {
            // A label without a channel is kept too.
            if !contact.channels.iter().any(|channel| channel.kind == kind && channel.label.as_ref() == Some(&label)) {
                keep(&mut contact.metadata, &format!("{kind}_{number}_label"), &label);
            }
        }
        addresses.sort_by_key(|(number, _)| *number);
        contact.addresses.extend(addresses.into_iter().map(|(_, address)| address));
        let is_named = !contact.display_name.is_empty() || has_personal_name(&contact);
        if !is_named && contact.metadata.contains_key("organization") {
            contact.kind = ContactKind::Organization;
        }
        contact.metadata.append(&mut metadata);
        if let Some(more) = more {
            intake.complete(line, MORE_COLUMN, &mut contact, &more);
        }
        intake.is_named(&mut contact).then_some(contact)
    }
}
