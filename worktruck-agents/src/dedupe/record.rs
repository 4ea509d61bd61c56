//! Contacts as they are compared: every field folded, split and named.

use std::collections::HashMap;
use std::sync::LazyLock;

use worktruck_core::entity::contact::{Address, Channel, ChannelKind, Contact, ContactKind};
use worktruck_core::{EntityId, Timestamp};

use super::Candidate;
use super::birth::Birth;
use super::fold::{fold, fold_tight};
use super::terms::{Sym, Terms};

/// A contact in comparable form.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) id: EntityId,
    pub(crate) created_at: Timestamp,
    pub(crate) contact: &'a Contact,
    pub(crate) given: Option<Sym>,
    pub(crate) middle: Option<Sym>,
    pub(crate) family: Option<Sym>,
    pub(crate) suffix: Option<Sym>,
    pub(crate) birth: Option<(Sym, Birth)>,
    pub(crate) emails: Vec<Email>,
    pub(crate) phones: Vec<Sym>,
    pub(crate) identifiers: Vec<Identifier>,
    pub(crate) addresses: Vec<Place>,
    pub(crate) organization: Option<Sym>,
    pub(crate) title: Option<Sym>,
}

/// An e-mail address as a match key: without plus-tag and, at Gmail, without dots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Email {
    pub(crate) whole: Sym,
    pub(crate) local: Sym,
}

/// A number that somebody gave to a person, under the label that says what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Identifier {
    pub(crate) label: Option<Sym>,
    pub(crate) value: Sym,
}

/// A postal address in comparable parts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// Number and words of the street.
    pub(crate) street: Option<Sym>,
    pub(crate) number: Option<Sym>,
    pub(crate) words: Option<Sym>,
    pub(crate) city: Option<Sym>,
    pub(crate) region: Option<Sym>,
    pub(crate) postal: Option<Sym>,
}

impl<'a> Record<'a> {
    /// `candidate` in comparable form, its values named in `terms`.
    pub(crate) fn new(candidate: &Candidate<'a>, terms: &mut Terms) -> Self {
        let contact = candidate.contact;
        let name = Name::of(contact);
        let of_kind = |kind| contact.channels.iter().filter(move |c: &&Channel| c.kind == kind);
        Self {
            id: candidate.id,
            created_at: candidate.created_at,
            contact,
            given: terms.intern(&name.given),
            middle: terms.intern(&name.middle),
            family: terms.intern(&name.family),
            suffix: terms.intern(&name.suffix),
            birth: Birth::of(contact).and_then(|birth| Some((terms.intern(&birth.digits())?, birth))),
            emails: emails(contact, terms),
            phones: of_kind(ChannelKind::Phone).filter_map(|c| terms.intern(&fold_tight(&c.canonical_value))).collect(),
            identifiers: of_kind(ChannelKind::Custom).filter_map(|c| identifier(c, terms)).collect(),
            addresses: contact.addresses.iter().map(|a| place(a, terms)).filter(|p| *p != Place::default()).collect(),
            organization: terms.intern(&fold(text_in(contact, "organization"))),
            title: terms.intern(&fold(text_in(contact, "title"))),
        }
    }

    /// How many things are known of it; the most complete record of a cluster survives.
    pub(crate) fn completeness(&self) -> usize {
        let c = self.contact;
        let texts = [&c.given_name, &c.middle_name, &c.family_name, &c.prefix, &c.suffix, &c.nickname, &c.bio];
        let address = |a: &Address| {
            [&a.street, &a.extended, &a.po_box, &a.city, &a.region, &a.postal_code, &a.country]
                .iter()
                .filter(|p| p.is_some())
                .count()
        };
        let date = |d: &worktruck_core::entity::contact::ContactDate| {
            usize::from(d.year.is_some()) + usize::from(d.month.is_some()) + usize::from(d.day.is_some())
        };
        texts.iter().filter(|t| t.as_ref().is_some_and(|t| !t.trim().is_empty())).count()
            + c.channels.len()
            + c.addresses.iter().map(address).sum::<usize>()
            + c.dates.iter().map(date).sum::<usize>()
            + c.tags.len()
            + c.metadata.len()
    }
}

struct Name {
    given: String,
    middle: String,
    family: String,
    suffix: String,
}

impl Name {
    fn of(contact: &Contact) -> Self {
        let mut suffix = generation(&fold(contact.suffix.as_deref().unwrap_or("")));
        let mut part = |text: &Option<String>| strip(&fold(text.as_deref().unwrap_or("")), &mut suffix);
        let (mut given, mut middle) = (part(&contact.given_name), part(&contact.middle_name));
        let mut family = part(&contact.family_name);
        if given.is_empty() && family.is_empty() {
            (given, middle, family) = from_display(contact, &mut suffix);
        }
        Self { given, middle, family, suffix }
    }
}

/// A name taken apart as "Family, Given Middle" or "Given Middle Family"; all empty where the display
/// name is no name but, say, an e-mail address that stands in for one.
fn from_display(contact: &Contact, suffix: &mut String) -> (String, String, String) {
    let shown = contact.display_name.trim();
    let is_stand_in = shown.contains(|c: char| c == '@' || c.is_ascii_digit())
        || contact.vcard_uid.as_deref() == Some(shown)
        || contact.channels.iter().any(|c| c.value == shown || c.value.starts_with(&format!("{shown}@")));
    if is_stand_in {
        return <_>::default();
    }
    if contact.kind != ContactKind::Person {
        return (String::new(), String::new(), fold(shown));
    }
    let (family, rest) =
        shown.split_once(',').map_or((String::new(), shown), |(f, rest)| (strip(&fold(f), suffix), rest));
    let rest = strip(&fold(rest), suffix);
    let mut words: Vec<&str> = rest.split(' ').filter(|w| !w.is_empty()).collect();
    let family = if family.is_empty() && words.len() > 1 { words.pop().unwrap_or("").to_owned() } else { family };
    let given = words.first().copied().unwrap_or("").to_owned();
    (given, words.iter().skip(1).copied().collect::<Vec<_>>().join(" "), family)
}

/// A folded name without titles; an addition such as "Jr." goes to `suffix`.
fn strip(folded: &str, suffix: &mut String) -> String {
    if !folded.contains(' ') {
        return folded.to_owned();
    }
    let mut kept: Vec<&str> = folded.split(' ').collect();
    while kept.len() > 1 && matches!(kept[0], "mr" | "mrs" | "ms" | "miss" | "dr" | "prof" | "sir" | "herr" | "frau") {
        kept.remove(0);
    }
    if let [.., _, last] = kept[..] {
        let found = generation(last);
        if !found.is_empty() {
            *suffix = found;
            kept.pop();
        }
    }
    kept.join(" ")
}

fn generation(folded: &str) -> String {
    match folded {
        "jr" | "junior" | "jun" => "jr",
        "sr" | "senior" | "sen" => "sr",
        "ii" | "2nd" => "ii",
        "iii" | "3rd" => "iii",
        "iv" | "4th" => "iv",
        _ => "",
    }
    .to_owned()
}

/// The e-mail addresses of `contact`, else what an import kept verbatim in `metadata` under `email`
/// because a typing error made it none.
fn emails(contact: &Contact, terms: &mut Terms) -> Vec<Email> {
    let channels = contact.channels.iter().filter(|c| c.kind == ChannelKind::Email);
    let found: Vec<Email> = channels.filter_map(|c| email(&c.canonical_value, terms)).collect();
    if found.is_empty() { email(text_in(contact, "email"), terms).into_iter().collect() } else { found }
}

fn email(canonical: &str, terms: &mut Terms) -> Option<Email> {
    let lower = canonical.trim().to_lowercase();
    let (local, domain) = lower.rsplit_once('@').unwrap_or((&lower, ""));
    let local = local.split('+').next().filter(|l| !l.is_empty()).unwrap_or(local);
    let (local, domain) = match domain {
        "gmail.com" | "googlemail.com" => (local.replace('.', ""), "gmail.com"),
        _ => (local.to_owned(), domain),
    };
    let whole = terms.intern(&format!("{local}@{domain}"))?;
    Some(Email { whole, local: terms.intern(&local)? })
}

fn identifier(channel: &Channel, terms: &mut Terms) -> Option<Identifier> {
    let value = terms.intern(&fold_tight(&channel.canonical_value))?;
    Some(Identifier { label: terms.intern(&fold(channel.label.as_deref().unwrap_or(""))), value })
}

fn place(address: &Address, terms: &mut Terms) -> Place {
    let street = match (&address.street, &address.po_box) {
        (Some(street), _) => fold(street),
        (None, Some(po_box)) => format!("po box {}", fold(po_box)),
        (None, None) => String::new(),
    };
    let mut words: Vec<String> = street.split(' ').filter(|w| !w.is_empty()).map(street_word).collect();
    let number = words.iter().position(|w| w.starts_with(|c: char| c.is_ascii_digit())).map(|n| words.remove(n));
    let words = words.join(" ");
    let whole = format!("{} {words}", number.as_deref().unwrap_or(""));
    let mut folded = |text: &Option<String>| terms.intern(&fold(text.as_deref().unwrap_or("")));
    let (city, region) = (folded(&address.city), folded(&address.region));
    Place {
        street: terms.intern(whole.trim()),
        number: number.and_then(|n| terms.intern(&n)),
        words: terms.intern(&words),
        city,
        region,
        postal: terms.intern(&fold_tight(address.postal_code.as_deref().unwrap_or(""))),
    }
}

fn street_word(word: &str) -> String {
    if let Some(short) = STREET_WORDS.get(word) {
        return (*short).to_owned();
    }
    match word.strip_suffix("strasse") {
        Some(stem) => format!("{stem}str"),
        None => word.to_owned(),
    }
}

static STREET_WORDS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    [
        ("st", "street saint str"),
        ("ave", "avenue av"),
        ("rd", "road"),
        ("dr", "drive"),
        ("ln", "lane"),
        ("ct", "court"),
        ("cir", "circle circ"),
        ("blvd", "boulevard"),
        ("pl", "place"),
        ("sq", "square"),
        ("ter", "terrace terr"),
        ("cres", "crescent cr"),
        ("pkwy", "parkway"),
        ("hwy", "highway"),
        ("cl", "close"),
        ("gdns", "gardens gdn"),
        ("gr", "grove gve"),
        ("n", "north"),
        ("s", "south"),
        ("e", "east"),
        ("w", "west"),
        ("apt", "apartment flat unit"),
        ("mt", "mount"),
    ]
    .into_iter()
    .flat_map(|(short, long)| long.split(' ').map(move |l| (l, short)))
    .collect()
});

fn text_in<'a>(contact: &'a Contact, key: &str) -> &'a str {
    contact.metadata.get(key).and_then(serde_json::Value::as_str).unwrap_or("")
}
