//! The keys under which a record is found, and the orders in which neighbours are alike.

use crate::dedupe::fold::{prefix, suffix};
use crate::dedupe::record::Record;
use crate::dedupe::terms::{Sym, Terms};

/// A block: what the key is made of, and its two parts.
pub(super) type Key = (Kind, u32, u32);

/// What a key is made of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Email,
    EmailLocal,
    EmailHead,
    EmailTail,
    Phone,
    PhoneTail,
    Identifier,
    IdentifierHead,
    IdentifierTail,
    Birth,
    BirthGiven,
    BirthFamily,
    MonthDayName,
    YearName,
    YearInitials,
    PostalName,
    CityName,
    StreetName,
    Street,
    Names,
    NameForms,
    YearForms,
    CityForms,
    Postal,
    NameStarts,
    OrganizationName,
    LocalName,
}

/// Every key of `record`.
///
/// Name keys take each word of the name alike, so that swapped and double names meet; each name goes
/// with each other thing known, so that any two agreeing fields are enough.
pub(super) fn of(record: &Record<'_>, terms: &Terms, mut add: impl FnMut(Key)) {
    contact_points(record, terms, &mut add);
    let names = name_words(record, terms);
    if let Some((value, birth)) = record.birth {
        add((Kind::Birth, value, 0));
        if let Some(given) = record.given {
            add((Kind::BirthGiven, value, prefix(terms.text(given), 1)));
        }
        if let Some(family) = record.family {
            add((Kind::BirthFamily, value, prefix(terms.text(family), 1)));
        }
        for name in &names {
            let sound = terms.term(*name).sound;
            if let Some(day) = birth.month_day() {
                add((Kind::MonthDayName, u32::from(day), sound));
            }
            if let Some(year) = birth.year {
                add((Kind::YearName, u32::from(year), sound));
            }
        }
        if let (Some(year), Some(given)) = (birth.year, record.given) {
            for group in terms.term(given).groups {
                add((Kind::YearForms, u32::from(*group), u32::from(year)));
            }
        }
        if let (Some(year), Some(given), Some(family)) = (birth.year, record.given, record.family) {
            let (g, f) = (prefix(terms.text(given), 1), prefix(terms.text(family), 1));
            add((Kind::YearInitials, u32::from(year), g.min(f) * 37 + g.max(f)));
        }
    }
    for place in &record.addresses {
        for name in &names {
            let sound = terms.term(*name).sound;
            for (kind, value) in
                [(Kind::PostalName, place.postal), (Kind::CityName, place.city), (Kind::StreetName, place.words)]
            {
                if let Some(value) = value {
                    add((kind, value, sound));
                }
            }
        }
        if let Some(street) = place.street {
            add((Kind::Street, street, 0));
        }
        if let Some(postal) = place.postal {
            add((Kind::Postal, postal, 0));
        }
        if let (Some(city), Some(given)) = (place.city, record.given) {
            for group in terms.term(given).groups {
                add((Kind::CityForms, u32::from(*group), city));
            }
        }
    }
    names_alone(record, &names, terms, &mut add);
}

fn contact_points(record: &Record<'_>, terms: &Terms, add: &mut impl FnMut(Key)) {
    for email in &record.emails {
        let (whole, local) = (terms.text(email.whole), terms.text(email.local));
        add((Kind::Email, email.whole, 0));
        add((Kind::EmailLocal, email.local, 0));
        add((Kind::EmailHead, prefix(local, 4), 0));
        add((Kind::EmailTail, suffix(local, 4), suffix(whole, 5)));
        let letters = local.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 2);
        for word in letters {
            add((Kind::LocalName, prefix(word, 5), 0));
        }
    }
    if record.emails.is_empty() {
        for name in [record.given, record.family].into_iter().flatten() {
            add((Kind::LocalName, prefix(terms.text(name), 5), 0));
        }
    }
    for phone in &record.phones {
        add((Kind::Phone, *phone, 0));
        let digits = terms.text(*phone);
        add((Kind::PhoneTail, suffix(digits, 5), suffix(&digits[..digits.len().saturating_sub(5)], 2)));
    }
    for identifier in &record.identifiers {
        let text = terms.text(identifier.value);
        add((Kind::Identifier, identifier.value, 0));
        if text.len() >= 6 {
            add((Kind::IdentifierHead, prefix(text, 5), 0));
            add((Kind::IdentifierTail, suffix(text, 4), 0));
        }
    }
}

fn names_alone(record: &Record<'_>, names: &[Sym], terms: &Terms, add: &mut impl FnMut(Key)) {
    let sound = |name: Sym| terms.term(name).sound;
    let middle = record.middle.filter(|m| terms.text(*m).len() > 2);
    let mut all = names.to_vec();
    all.extend(middle);
    for (n, a) in all.iter().enumerate() {
        for b in &all[n + 1..] {
            add((Kind::Names, sound(*a).min(sound(*b)), sound(*a).max(sound(*b))));
        }
        if let Some(organization) = record.organization {
            add((Kind::OrganizationName, organization, sound(*a)));
        }
    }
    if let (Some(given), Some(family)) = (record.given, record.family) {
        for group in terms.term(given).groups {
            add((Kind::NameForms, u32::from(*group), sound(family)));
        }
        add((Kind::NameStarts, prefix(terms.text(given), 2), prefix(terms.text(family), 3)));
    }
}

/// The second keys of `record`, for the members of an oversized block.
pub(super) fn split_keys(record: &Record<'_>, terms: &Terms, mut add: impl FnMut(u64)) {
    let mut push = |kind: u64, a: u32, b: u32| add(kind << 58 | u64::from(a) << 29 | u64::from(b));
    let start = |name: Option<Sym>| name.map_or(0, |n| prefix(terms.text(n), 2));
    if record.given.is_some() || record.family.is_some() {
        let (g, f) = (start(record.given), start(record.family));
        push(1, g.min(f), g.max(f));
    }
    if let Some((value, birth)) = record.birth {
        push(2, value, 0);
        if let Some(year) = birth.year {
            push(3, u32::from(year), start(record.given));
        }
    }
    for place in &record.addresses {
        if let Some(street) = place.street {
            push(4, street, start(record.given));
        }
        if let Some(local) = place.postal.or(place.city) {
            push(5, local, start(record.given));
        }
    }
    for local in record.emails.iter().map(|e| e.local) {
        push(6, local, 0);
    }
}

/// Each word of given and family name that is more than an initial.
fn name_words(record: &Record<'_>, terms: &Terms) -> Vec<Sym> {
    let mut names: Vec<Sym> =
        [record.given, record.family].into_iter().flatten().flat_map(|n| terms.words(n)).collect();
    names.retain(|n| terms.text(*n).len() > 1);
    names.sort_unstable();
    names.dedup();
    names.truncate(4);
    names
}

/// The records in orders in which alike ones are near each other.
#[derive(Debug)]
pub(super) struct Order {
    by_family: Vec<u32>,
    by_given: Vec<u32>,
    by_street: Vec<u32>,
    by_email: Vec<u32>,
    ranks: Vec<u32>,
}

impl Order {
    pub(super) fn of(records: &[Record<'_>], terms: &Terms) -> Self {
        let text = |sym: Option<Sym>| sym.map_or("", |s| terms.text(s));
        let born = |r: &Record<'_>| r.birth.map(|(_, b)| b);
        let sorted = |known: &dyn Fn(&Record<'_>) -> bool,
                      compare: &dyn Fn(&Record<'_>, &Record<'_>) -> std::cmp::Ordering| {
            let mut list: Vec<u32> = (0..).zip(records).filter(|(_, r)| known(r)).map(|(n, _)| n).collect();
            list.sort_by(|a, b| compare(&records[*a as usize], &records[*b as usize]));
            list
        };
        let by_family = sorted(&|_| true, &|a, b| {
            (text(a.family), text(a.given), born(a)).cmp(&(text(b.family), text(b.given), born(b)))
        });
        let by_given = sorted(&|r| r.given.is_some(), &|a, b| {
            (text(a.given), text(a.family), born(a)).cmp(&(text(b.given), text(b.family), born(b)))
        });
        let street = |r: &Record<'_>| r.addresses.first().and_then(|p| Some((p.words?, p.number)));
        let by_street = sorted(&|r| street(r).is_some(), &|a, b| {
            let key = |r: &Record<'_>| street(r).map(|(w, n)| (terms.text(w), text(n)));
            key(a).cmp(&key(b)).then_with(|| text(a.given).cmp(text(b.given)))
        });
        let email = |r: &Record<'_>| r.emails.first().map(|e| e.whole);
        let by_email = sorted(&|r| email(r).is_some(), &|a, b| text(email(a)).cmp(text(email(b))));
        let mut ranks = vec![0; records.len()];
        for (rank, n) in (0..).zip(&by_family) {
            ranks[*n as usize] = rank;
        }
        Self { by_family, by_given, by_street, by_email, ranks }
    }

    /// The place of a record in the order of names.
    pub(super) fn rank(&self, record: u32) -> u32 {
        self.ranks[record as usize]
    }

    pub(super) fn lists(&self) -> [&[u32]; 4] {
        [&self.by_family, &self.by_given, &self.by_street, &self.by_email]
    }
}
