//! What is kept from an import and says again what the contact says.
//!
//! A kept line or member may hold a value that has become part of the contact, with something more. If the contact
//! still has that value, the kept one is written in place of a new one. If the contact has it no longer, writing the
//! kept one would bring it back.

use serde_json::Value;
use worktruck_core::entity::contact::{Address, Channel, Contact, ContactDate, ContactKind};

/// Which parts of a contact are written by what is kept.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) display_name: bool,
    pub(super) name: bool,
    pub(super) nickname: bool,
    pub(super) bio: bool,
    pub(super) avatar_url: bool,
    pub(super) language: bool,
    pub(super) timezone: bool,
    pub(super) uid: bool,
    pub(super) organization: bool,
    pub(super) title: bool,
    channels: Vec<usize>,
    addresses: Vec<usize>,
    dates: Vec<usize>,
}

impl Claims {
    /// Whether what is kept, of which `part` is read, can be written; if so, what it says is not written again.
    pub(super) fn claim(&mut self, contact: &Contact, part: &Contact) -> bool {
        let (Some(channels), Some(addresses), Some(dates)) = (
            found(&contact.channels, &part.channels, &self.channels, same_channel),
            found(&contact.addresses, &part.addresses, &self.addresses, same_address),
            found(&contact.dates, &part.dates, &self.dates, same_date),
        ) else {
            return false;
        };
        let is_of_kind = part.kind == ContactKind::Person || part.kind == contact.kind;
        let has_tags = part.tags.iter().all(|tag| contact.tags.contains(tag));
        let has_bio = part.bio.is_none() || (part.bio == contact.bio && !self.bio);
        let in_metadata = |of: &Contact, key: &str| of.metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let (organization, title) = (in_metadata(part, "organization"), in_metadata(part, "title"));
        let fields = [
            (&part.nickname, &contact.nickname),
            (&part.avatar_url, &contact.avatar_url),
            (&part.language, &contact.language),
            (&part.timezone, &contact.timezone),
            (&part.vcard_uid, &contact.vcard_uid),
            (&organization, &in_metadata(contact, "organization")),
            (&title, &in_metadata(contact, "title")),
        ];
        let names = names(part).into_iter().zip(names(contact));
        // A second value after the first is kept again, but where there is no first it would become one.
        let has_fields = fields.into_iter().chain(names).all(|(part, whole)| part.is_none() || whole.is_some());
        if !(is_of_kind && has_tags && has_bio && has_fields) {
            return false;
        }
        self.channels.extend(channels);
        self.addresses.extend(addresses);
        self.dates.extend(dates);
        self.bio |= part.bio.is_some();
        self.display_name |= !part.display_name.is_empty() && part.display_name == contact.display_name;
        self.name |= self::names(part).iter().any(|name| name.is_some()) && self::names(part) == self::names(contact);
        let claimed = [
            &mut self.nickname,
            &mut self.avatar_url,
            &mut self.language,
            &mut self.timezone,
            &mut self.uid,
            &mut self.organization,
            &mut self.title,
        ];
        for (claimed, (part, whole)) in claimed.into_iter().zip(fields) {
            *claimed |= part.is_some() && part == whole;
        }
        true
    }

    /// The channels that are still to be written, with their places.
    pub(super) fn channels<'c>(&self, contact: &'c Contact) -> Vec<(usize, &'c Channel)> {
        left(&contact.channels, &self.channels)
    }

    /// The addresses that are still to be written, with their places.
    pub(super) fn addresses<'c>(&self, contact: &'c Contact) -> Vec<(usize, &'c Address)> {
        left(&contact.addresses, &self.addresses)
    }

    /// The dates that are still to be written, with their places.
    pub(super) fn dates<'c>(&self, contact: &'c Contact) -> Vec<(usize, &'c ContactDate)> {
        left(&contact.dates, &self.dates)
    }
}

fn names(contact: &Contact) -> [&Option<String>; 5] {
    [&contact.prefix, &contact.given_name, &contact.middle_name, &contact.family_name, &contact.suffix]
}

/// Where each of `parts` stands in `whole`, each at a place of its own; nothing if one is not there.
fn found<T>(whole: &[T], parts: &[T], taken: &[usize], same: fn(&T, &T) -> bool) -> Option<Vec<usize>> {
    let mut places: Vec<usize> = Vec::new();
    for part in parts {
        let is_free = |at: &usize| !taken.contains(at) && !places.contains(at);
        let at = (0..whole.len()).find(|at| same(&whole[*at], part) && is_free(at))?;
        places.push(at);
    }
    Some(places)
}

fn left<'c, T>(whole: &'c [T], taken: &[usize]) -> Vec<(usize, &'c T)> {
    whole.iter().enumerate().filter(|(at, _)| !taken.contains(at)).collect()
}

fn same_channel(one: &Channel, other: &Channel) -> bool {
    (one.kind, &one.value, &one.label) == (other.kind, &other.value, &other.label)
}

fn same_address(one: &Address, other: &Address) -> bool {
    let plain = |address: &Address| Address { id: one.id, is_primary: false, ..address.clone() };
    plain(one) == plain(other)
}

fn same_date(one: &ContactDate, other: &ContactDate) -> bool {
    let plain = |date: &ContactDate| ContactDate { id: one.id, ..date.clone() };
    plain(one) == plain(other)
}
