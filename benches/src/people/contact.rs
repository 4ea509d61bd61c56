//! Rows as contacts.

use serde_json::{Map, Value};
use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate};
use worktruck_core::{EntityId, ItemId, Timestamp};

use super::Row;

/// The id of the row numbered `n`.
pub(crate) fn id(n: u64) -> EntityId {
    uuid(n).parse().unwrap_or_else(|_| unreachable!("twelve digits complete a UUID"))
}

/// When the row numbered `n` was first recorded.
pub(crate) fn created_at(n: u64) -> Timestamp {
    Timestamp::EPOCH.after(std::time::Duration::from_secs(n))
}

fn item() -> ItemId {
    uuid(0).parse().unwrap_or_else(|_| unreachable!("twelve digits complete a UUID"))
}

fn uuid(n: u64) -> String {
    format!("00000000-0000-7000-8000-{n:012}")
}

impl Row {
    /// The row as a contact, as an import would make it.
    ///
    /// A birthday is `YYYY-MM-DD`, `MM/DD/YYYY` or a year; one that is no date of the calendar is kept
    /// verbatim in the metadata.
    #[must_use]
    pub fn contact(&self) -> Contact {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        let mut channels = Vec::new();
        let mut channel = |kind, value: &str, canonical: String, label: Option<&str>| {
            if !value.is_empty() {
                channels.push(Channel {
                    id: item(),
                    kind,
                    value: value.to_owned(),
                    canonical_value: canonical,
                    label: label.map(str::to_owned),
                    is_primary: true,
                    is_verified: false,
                    preference_order: 0,
                });
            }
        };
        channel(ChannelKind::Email, &self.email, self.email.to_lowercase(), None);
        channel(ChannelKind::Phone, &self.phone, e164(&self.phone, &self.country), None);
        channel(ChannelKind::Custom, &self.identifier, self.identifier.clone(), Some("identifier"));
        let address = Address {
            id: item(),
            label: None,
            street: some(&self.street),
            extended: None,
            po_box: None,
            city: some(&self.city),
            region: some(&self.region),
            postal_code: some(&self.postal_code),
            country: some(&self.country),
            country_code: None,
            latitude: None,
            longitude: None,
            is_primary: true,
        };
        let has_address =
            [&self.street, &self.city, &self.region, &self.postal_code].iter().any(|part| !part.trim().is_empty());
        let mut metadata = Map::new();
        for (key, value) in [("organization", &self.organization), ("title", &self.title)] {
            if !value.is_empty() {
                metadata.insert(key.to_owned(), Value::from(value.as_str()));
            }
        }
        let date = date(&self.birthday);
        if date.is_none() && !self.birthday.is_empty() {
            metadata.insert("birthday".to_owned(), Value::from(self.birthday.as_str()));
        }
        let full = format!("{} {}", self.given_name, self.family_name);
        let shown =
            [self.display_name.as_str(), full.trim(), &self.email, &self.uid].into_iter().find(|s| !s.is_empty());
        Contact {
            display_name: shown.unwrap_or("?").to_owned(),
            given_name: some(&self.given_name),
            middle_name: some(&self.middle_name),
            family_name: some(&self.family_name),
            vcard_uid: some(&self.uid),
            bio: some(&self.note),
            channels,
            addresses: has_address.then_some(address).into_iter().collect(),
            dates: date.into_iter().collect(),
            metadata,
            ..Contact::default()
        }
    }
}

fn e164(phone: &str, country: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let national = digits.trim_start_matches('0');
    match country {
        _ if phone.starts_with('+') => format!("+{digits}"),
        "United Kingdom" => format!("+44{national}"),
        "Germany" => format!("+49{national}"),
        _ => format!("+1{national}"),
    }
}

fn date(text: &str) -> Option<ContactDate> {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let (year, month, day) = match parts[..] {
        [y, m, d] if y.len() == 4 => (y, m, d),
        [m, d, y] if y.len() == 4 => (y, m, d),
        [y] if y.len() == 4 => {
            let year = y.parse().ok()?;
            return Some(on(Some(year), None, None));
        }
        _ => return None,
    };
    let (year, month, day): (u16, u8, u8) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    (1..=length).contains(&day).then(|| on(Some(year), Some(month), Some(day)))
}

fn on(year: Option<u16>, month: Option<u8>, day: Option<u8>) -> ContactDate {
    ContactDate { id: item(), date_type: "birthday".to_owned(), label: None, year, month, day }
}
