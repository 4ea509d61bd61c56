//! The evidence in words.

use worktruck_core::entity::contact::{ChannelKind, Contact, ContactDate};

use super::compare::Conflict;
use super::levels::{
    DIFFERENT, Field, MISSING, birth, email, family, given, identifier, middle, phone, place, street, text,
};
use super::score::Scored;

/// What speaks for and against the pairs that hold a cluster together.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// By how much it speaks for (above zero) or against one person.
    weight: f64,
    /// The fields that it is about, so that one field is not told over and over.
    field: Field,
}

impl Evidence {
    /// Adds what is known of a pair.
    pub(crate) fn add(&mut self, scored: &Scored<'_>, a: u32, b: u32) {
        let verdict = scored.verdict(a, b);
        let contact = |n: u32| scored.list.records[n as usize].contact;
        for field in Field::ALL {
            let level = verdict.comparison.level(field);
            if level == MISSING {
                continue;
            }
            let weight = scored.model.weight(field, level);
            let text =
                if level == DIFFERENT { different(field) } else { agreement(field, level, contact(a), contact(b)) };
            self.push(Line { text, weight, field });
        }
        if let Some(conflict) = verdict.comparison.conflict {
            let text = match conflict {
                Conflict::Twins => "same birth date under different given names, as of twins",
                Conflict::Generation => "birth dates a generation apart",
                Conflict::Suffix => "different additions to the name",
            };
            self.push(Line { text: text.to_owned(), weight: -8.0, field: Field::Given });
        }
    }

    fn push(&mut self, line: Line) {
        match self.lines.iter_mut().find(|l| l.text == line.text) {
            Some(known) => {
                known.weight =
                    if line.weight < 0.0 { known.weight.min(line.weight) } else { known.weight.max(line.weight) }
            }
            None => self.lines.push(line),
        }
    }

    /// The reasons, what speaks for it first, each part by falling weight.
    ///
    /// Agreement that says next to nothing, such as the town where everybody lives, is left out.
    pub(crate) fn reasons(mut self) -> Vec<String> {
        self.lines.retain(|l| l.weight.abs() >= 0.3);
        self.lines.sort_by(|x, y| {
            let against = |l: &Line| l.weight < 0.0;
            against(x).cmp(&against(y)).then(y.weight.abs().total_cmp(&x.weight.abs())).then(x.text.cmp(&y.text))
        });
        let mut told = Vec::new();
        self.lines.retain(|line| {
            let key = (line.field, line.weight < 0.0);
            let times = told.iter().filter(|t| **t == key).count();
            told.push(key);
            times < 2
        });
        self.lines.into_iter().map(|l| l.text).collect()
    }
}

fn agreement(field: Field, level: u8, a: &Contact, b: &Contact) -> String {
    match (field, level) {
        (Field::Given, given::EXACT) => format!("same given name {}", shown(&a.given_name, &a.display_name)),
        (Field::Given, given::VARIANT) => {
            format!("given names {} are forms of one name", both(&a.given_name, &b.given_name))
        }
        (Field::Given, given::SWAPPED) => "given and family name swapped".to_owned(),
        (Field::Given, given::NEAR) => format!("given names {} one letter apart", both(&a.given_name, &b.given_name)),
        (Field::Given, given::INITIAL) => {
            format!("given names {} share the initial", both(&a.given_name, &b.given_name))
        }
        (Field::Given, _) => format!("given names {} alike", both(&a.given_name, &b.given_name)),
        (Field::Middle, middle::EXACT) => format!("same middle name {}", shown(&a.middle_name, "")),
        (Field::Middle, middle::INITIAL) => "same middle initial".to_owned(),
        (Field::Middle, _) => "middle names alike".to_owned(),
        (Field::Family, family::EXACT) => format!("same family name {}", shown(&a.family_name, &a.display_name)),
        (Field::Family, family::PART) => format!("family names {} share a part", both(&a.family_name, &b.family_name)),
        (Field::Family, family::NEAR) => {
            format!("family names {} one letter apart", both(&a.family_name, &b.family_name))
        }
        (Field::Family, family::INITIAL) => {
            format!("family names {} share the initial", both(&a.family_name, &b.family_name))
        }
        (Field::Family, _) => format!("family names {} alike", both(&a.family_name, &b.family_name)),
        (Field::Birth, birth::EXACT) => {
            birthday(a).map_or_else(|| "same birth date".to_owned(), |d| format!("same birth date {d}"))
        }
        (Field::Birth, birth::TYPO) => "birth dates one digit apart or with day and month swapped".to_owned(),
        (Field::Birth, birth::PARTIAL) => "birth dates agree as far as known".to_owned(),
        (Field::Birth, birth::MONTH_DAY) => "same day and month of birth in another year".to_owned(),
        (Field::Birth, birth::YEAR_AND_PART) => "same year and day or month of birth".to_owned(),
        (Field::Birth, _) => "same year of birth".to_owned(),
        (Field::Email, email::EXACT) => channel(a, b, ChannelKind::Email, "same e-mail"),
        (Field::Email, email::LOCAL) => "same e-mail name at another provider".to_owned(),
        (Field::Email, _) => "e-mail addresses a few letters apart".to_owned(),
        (Field::Phone, phone::EXACT) => channel(a, b, ChannelKind::Phone, "same phone"),
        (Field::Phone, _) => "phone numbers one digit apart".to_owned(),
        (Field::Identifier, identifier::EXACT) => channel(a, b, ChannelKind::Custom, "same identifier"),
        (Field::Identifier, identifier::NEAR) => "identifiers one sign apart".to_owned(),
        (Field::Identifier, _) => "identifiers two signs apart".to_owned(),
        (Field::Street, street::EXACT) => "same street and number".to_owned(),
        (Field::Street, street::CLOSE) => "street addresses a typing error apart".to_owned(),
        (Field::Street, street::WORDS) => "same street, other number".to_owned(),
        (Field::Street, _) => "street addresses alike".to_owned(),
        (Field::Place, place::BOTH) => "same town and postal code".to_owned(),
        (Field::Place, place::POSTAL) => "same postal code".to_owned(),
        (Field::Place, place::CITY) => "same town".to_owned(),
        (Field::Place, place::CITY_AND_NEAR_POSTAL) => "same town, postal codes one sign apart".to_owned(),
        (Field::Place, _) => "places alike".to_owned(),
        (Field::Organization, text::EXACT) => "same organization".to_owned(),
        (Field::Organization, _) => "organizations alike".to_owned(),
        (Field::Title, text::EXACT) => "same title".to_owned(),
        (Field::Title, _) => "titles alike".to_owned(),
    }
}

fn different(field: Field) -> String {
    match field {
        Field::Given => "different given names",
        Field::Middle => "different middle names",
        Field::Family => "different family names",
        Field::Birth => "different birth dates",
        Field::Email => "different e-mail addresses",
        Field::Phone => "different phone numbers",
        Field::Identifier => "different identifiers",
        Field::Street => "different streets",
        Field::Place => "different towns",
        Field::Organization => "different organizations",
        Field::Title => "different titles",
    }
    .to_owned()
}

fn shown<'c>(name: &'c Option<String>, otherwise: &'c str) -> &'c str {
    name.as_deref().map_or(otherwise, str::trim)
}

fn both(a: &Option<String>, b: &Option<String>) -> String {
    let (a, b) = (shown(a, "?"), shown(b, "?"));
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("{first} and {second}")
}

/// The value of the channel that two contacts share; a phone as it is written with its country code.
fn channel(a: &Contact, b: &Contact, kind: ChannelKind, what: &str) -> String {
    let of_kind = |c: &'_ Contact| c.channels.iter().filter(|c| c.kind == kind).cloned().collect::<Vec<_>>();
    let others = of_kind(b);
    let shared = of_kind(a).into_iter().find(|x| others.iter().any(|y| y.canonical_value == x.canonical_value));
    let Some(shared) = shared else { return what.to_owned() };
    let twins = others.iter().filter(|y| y.canonical_value == shared.canonical_value).map(|y| &y.value);
    let international = twins.chain([&shared.value]).find(|v| v.trim_start().starts_with('+'));
    let value = if kind == ChannelKind::Phone {
        international.unwrap_or(&shared.canonical_value)
    } else {
        &shared.canonical_value
    };
    format!("{what} {}", value.trim())
}

fn birthday(contact: &Contact) -> Option<String> {
    let ContactDate { year: Some(year), month: Some(month), day: Some(day), .. } =
        contact.dates.iter().find(|d| d.date_type.eq_ignore_ascii_case("birthday"))?
    else {
        return None;
    };
    Some(format!("{year:04}-{month:02}-{day:02}"))
}
