//! Channels, addresses and dates.

use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate, canonical_value};

use super::line::{Line, escaped};
use super::{Card, Version};
use crate::export::claims::Claims;
use crate::import::rank::{Rank, rank};
use crate::import::vcard::names;

/// The labels that are types; others are written as Apple does.
const TYPES: [&str; 18] = [
    "home",
    "work",
    "cell",
    "main",
    "fax",
    "voice",
    "pager",
    "text",
    "video",
    "textphone",
    "iphone",
    "other",
    "school",
    "car",
    "dom",
    "intl",
    "postal",
    "parcel",
];
/// The year that Apple writes for one that is not known; it has a 29th of February.
const APPLE_NO_YEAR: &str = "1604";

impl Card {
    pub(super) fn channels(&mut self, contact: &Contact, claims: &Claims) {
        let left = claims.channels(contact);
        let mut read: Vec<Channel> = left.iter().map(|(_, channel)| (*channel).clone()).collect();
        let ranks: Vec<Rank> =
            read.iter().map(|channel| Rank { preference: channel.is_primary.then_some(1), order: None }).collect();
        rank(&mut read, &ranks);
        for ((_, channel), read) in left.iter().zip(&read) {
            let order = (channel.preference_order != read.preference_order).then_some(channel.preference_order);
            self.channel(channel, order);
        }
    }

    fn channel(&mut self, channel: &Channel, order: Option<u32>) {
        let is_3 = self.version == Version::V3;
        let mut types = Vec::new();
        let mut value = escaped(&channel.value);
        let line = match channel.kind {
            ChannelKind::Email => {
                if is_3 {
                    types.push("internet".to_owned());
                }
                Line::new("EMAIL")
            }
            ChannelKind::Phone => Line::new("TEL"),
            ChannelKind::Url => {
                // Addresses are not escaped; around them white space may stand.
                value = channel.value.trim().to_owned();
                Line::new("URL")
            }
            ChannelKind::Custom => Line::new(names::CHANNEL),
            ChannelKind::Twitter | ChannelKind::Linkedin => {
                let is_name = !channel.value.contains(['/', ':']) && !canonical(channel).is_empty();
                if is_name {
                    value = names::profile(channel.kind, &channel.value);
                }
                let user = if is_name { channel.value.as_str() } else { "" };
                if is_3 {
                    types.push(channel.kind.as_str().to_owned());
                    Line::new("X-SOCIALPROFILE").parameter(names::USER, user)
                } else {
                    let service = if channel.kind == ChannelKind::Twitter { "Twitter" } else { "LinkedIn" };
                    Line::new("SOCIALPROFILE").parameter("SERVICE-TYPE", service).parameter("USERNAME", user)
                }
            }
        };
        let order = order.map_or_else(String::new, |order| order.to_string());
        let line = line
            .parameter(names::VERIFIED, if channel.is_verified { "TRUE" } else { "" })
            .parameter(names::ORDER, &order);
        self.labelled(line, types, channel.label.as_deref(), channel.is_primary, &value, "");
    }

    pub(super) fn address(&mut self, address: &Address) {
        let fields = [
            &address.po_box,
            &address.extended,
            &address.street,
            &address.city,
            &address.region,
            &address.postal_code,
            &address.country,
        ];
        let fields: Vec<String> = fields.iter().map(|field| escaped(field.as_deref().unwrap_or_default())).collect();
        let place = match (address.latitude, address.longitude) {
            (Some(latitude), Some(longitude)) => format!("geo:{latitude},{longitude}"),
            _ => String::new(),
        };
        let code = address.country_code.as_deref().unwrap_or_default();
        let (line, apple_code) = match self.version {
            Version::V3 => (Line::new("ADR").parameter(names::GEO, &place), code),
            Version::V4 => (Line::new("ADR").parameter("GEO", &place).parameter("CC", code), ""),
        };
        self.labelled(line, Vec::new(), address.label.as_deref(), address.is_primary, &fields.join(";"), apple_code);
    }

    /// Writes a line with its label and its preference, in a group if Apple has other lines for that.
    fn labelled(
        &mut self,
        line: Line,
        mut types: Vec<String>,
        label: Option<&str>,
        is_preferred: bool,
        value: &str,
        country: &str,
    ) {
        let own = label.and_then(types_of);
        let group_label = label.filter(|_| own.is_none());
        types.extend(own.into_iter().flatten());
        let is_3 = self.version == Version::V3;
        if is_preferred && is_3 {
            types.push("pref".to_owned());
        }
        if is_3 {
            types.iter_mut().for_each(|name| name.make_ascii_uppercase());
        }
        let line = line.types(&types).parameter("PREF", if is_preferred && !is_3 { "1" } else { "" }).value(value);
        if group_label.is_none() && country.is_empty() {
            return self.put(line);
        }
        let group = self.next_group();
        self.put(line.in_group(&group));
        if let Some(label) = group_label {
            self.put(Line::new("X-ABLabel").in_group(&group).value(&escaped(label)));
        }
        if !country.is_empty() {
            self.put(Line::new("X-ABADR").in_group(&group).value(&country.to_ascii_lowercase()));
        }
    }

    fn next_group(&mut self) -> String {
        self.group = self.group.saturating_add(1);
        format!("item{}", self.group)
    }

    pub(super) fn dates(&mut self, dates: &[(usize, &ContactDate)]) {
        let (mut has_birthday, mut has_anniversary) = (false, self.version == Version::V3);
        for (_, date) in dates {
            let name = match date.date_type.as_str() {
                "birthday" if !std::mem::replace(&mut has_birthday, true) => "BDAY",
                "anniversary" if !std::mem::replace(&mut has_anniversary, true) => "ANNIVERSARY",
                _ => "X-ABDATE",
            };
            let (value, is_without_year) = self.day(date);
            let line = Line::new(name)
                .parameter("X-APPLE-OMIT-YEAR", if is_without_year { APPLE_NO_YEAR } else { "" })
                .parameter(names::LABEL, date.label.as_deref().unwrap_or_default())
                .value(&value);
            if name != "X-ABDATE" {
                self.put(line);
                continue;
            }
            let group = self.next_group();
            self.put(line.in_group(&group));
            let label = match date.date_type.as_str() {
                "anniversary" => "_$!<Anniversary>!$_".to_owned(),
                other => escaped(other),
            };
            self.put(Line::new("X-ABLabel").in_group(&group).value(&label));
        }
    }

    /// The day, and whether its year means that it is not known.
    fn day(&self, date: &ContactDate) -> (String, bool) {
        let is_3 = self.version == Version::V3;
        let text = match (date.year, date.month, date.day) {
            (Some(year), Some(month), Some(day)) if is_3 => format!("{year:04}-{month:02}-{day:02}"),
            (Some(year), Some(month), Some(day)) => format!("{year:04}{month:02}{day:02}"),
            (None, Some(month), Some(day)) if is_3 => return (format!("{APPLE_NO_YEAR}-{month:02}-{day:02}"), true),
            (None, Some(month), Some(day)) => format!("--{month:02}{day:02}"),
            (Some(year), Some(month), None) => format!("{year:04}-{month:02}"),
            (Some(year), None, _) => format!("{year:04}"),
            (None, Some(month), None) => format!("--{month:02}"),
            (None, None, Some(day)) => format!("---{day:02}"),
            (None, None, None) => String::new(),
        };
        (text, false)
    }
}

fn canonical(channel: &Channel) -> String {
    canonical_value(channel.kind, &channel.value, None)
}

/// The types that a label is made of, if it is made of nothing else.
fn types_of(label: &str) -> Option<Vec<String>> {
    let types: Vec<String> = label.split(", ").map(str::to_owned).collect();
    types.iter().all(|name| TYPES.contains(&name.as_str())).then_some(types)
}
