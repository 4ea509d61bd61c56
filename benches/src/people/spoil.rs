//! How records come to differ from what is true.

use super::person::{Home, Person, address, phone};
use super::random::Random;
use super::words::{COMPANIES, FAMILIES, TITLES};
use super::{Profile, Row};

/// A record of `person` and how many of its fields are corrupted.
///
/// Another spelling of the same value (a phone in national form, a plus-tag, "St" for "Street") is no
/// corruption; an initial for a middle name neither.
pub(crate) fn record(person: &Person, profile: &Profile, copy: usize, random: &mut Random) -> (Row, usize) {
    let rate = if copy > 0 || profile.first_corrupted { profile.corruption } else { 0.0 };
    let mut spoilt = 0;
    let mut row = plain(person);
    if rate > 0.0 {
        spoilt += spoil(&mut row, person, profile, rate, random);
    }
    respell(&mut row, copy, random);
    forget(&mut row, profile, random);
    row.display_name = format!("{} {}", row.given_name, row.family_name).trim().to_owned();
    if row.display_name.is_empty() {
        row.display_name.clone_from(&row.email);
    }
    for (column, value) in columns(&mut row) {
        if !profile.has(column) {
            value.clear();
        }
    }
    (row, spoilt)
}

fn plain(person: &Person) -> Row {
    let (year, month, day) = person.born;
    Row {
        given_name: person.given.clone(),
        middle_name: person.middle.clone(),
        family_name: person.family.clone(),
        email: person.email.clone(),
        phone: person.phone.clone(),
        street: person.home.street.clone(),
        city: person.home.town.0.to_owned(),
        region: person.home.town.1.to_owned(),
        postal_code: person.home.postal.clone(),
        country: person.home.country.to_owned(),
        birthday: format!("{year:04}-{month:02}-{day:02}"),
        identifier: person.identifier.clone(),
        organization: person.organization.to_owned(),
        title: person.title.to_owned(),
        ..Row::default()
    }
}

/// Corrupts fields that the set has; how many.
fn spoil(row: &mut Row, person: &Person, profile: &Profile, rate: f64, random: &mut Random) -> usize {
    let mut spoilt = 0;
    if random.chance(profile.moved) {
        let home = Home::new(profile.one_town, random);
        row.phone = phone(&home, random);
        row.street = home.street;
        row.city = home.town.0.to_owned();
        row.region = home.town.1.to_owned();
        row.postal_code = home.postal;
        row.country = home.country.to_owned();
        spoilt += 1;
    }
    let mut hit = |column: &str, random: &mut Random| {
        let is_hit = profile.has(column) && random.chance(rate);
        spoilt += usize::from(is_hit);
        is_hit
    };
    if hit("given_name", random) {
        row.given_name = match random.below(10) {
            0..=3 => nickname(&row.given_name).map_or_else(|| mistyped(&row.given_name, random), str::to_owned),
            4 => row.given_name.chars().take(1).collect(),
            5 => mistyped(&mistyped(&row.given_name, random), random),
            _ => mistyped(&row.given_name, random),
        };
    }
    if hit("family_name", random) {
        row.family_name = match random.below(10) {
            0 if person.woman => random.pick(FAMILIES).to_owned(),
            1 => mistyped(&mistyped(&row.family_name, random), random),
            2 => format!("{}-{}", row.family_name, random.pick(FAMILIES)),
            3 => {
                std::mem::swap(&mut row.given_name, &mut row.family_name);
                std::mem::take(&mut row.family_name)
            }
            _ => mistyped(&row.family_name, random),
        };
    }
    if hit("birthday", random) {
        row.birthday = misdated(&row.birthday, person.born, random);
    }
    if hit("email", random) {
        row.email = match random.below(10) {
            0..=5 => mistyped(&row.email, random),
            _ => address(&person.given, &person.family, person.born.1, random),
        };
    }
    if hit("phone", random) {
        row.phone = if random.chance(0.4) { one_digit_off(&row.phone, random) } else { phone(&person.home, random) };
    }
    if hit("street", random) {
        row.street = match random.below(10) {
            0 | 1 => one_digit_off(&row.street, random),
            2 => mistyped(&mistyped(&row.street, random), random),
            3 => row.street.split_once(' ').map_or(String::new(), |(_, words)| words.to_owned()),
            _ => mistyped(&row.street, random),
        };
    }
    for column in ["city", "region", "postal_code", "identifier"] {
        if hit(column, random) {
            let value = match column {
                "city" => &mut row.city,
                "region" => &mut row.region,
                "postal_code" => &mut row.postal_code,
                _ => &mut row.identifier,
            };
            *value = if random.chance(0.5) { one_digit_off(value, random) } else { mistyped(value, random) };
        }
    }
    if hit("organization", random) {
        row.organization = random.pick(COMPANIES).to_owned();
    }
    if hit("title", random) {
        row.title = random.pick(TITLES).to_owned();
    }
    spoilt
}

fn respell(row: &mut Row, copy: usize, random: &mut Random) {
    if random.chance(0.5) {
        row.middle_name = row.middle_name.chars().take(1).collect();
    }
    if copy == 0 {
        return;
    }
    if random.chance(0.4) && row.phone.starts_with('+') {
        row.phone = national(&row.phone);
    }
    if random.chance(0.3) {
        for (long, short) in [("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd."), ("straße", "str."), ("Drive", "Dr")]
        {
            row.street = row.street.replace(long, short);
        }
    }
    if random.chance(0.1) {
        row.email = row.email.replacen('@', "+news@", 1);
    }
    if random.chance(0.1) {
        row.email = row.email.to_uppercase();
    }
    if random.chance(0.1) {
        row.given_name = row.given_name.to_uppercase();
        row.family_name = row.family_name.to_uppercase();
    }
}

/// Leaves fields out, but never so many that a record says nothing.
fn forget(row: &mut Row, profile: &Profile, random: &mut Random) {
    let keeps_given = random.chance(0.5);
    for (column, value) in columns(row) {
        let rate = match column {
            "given_name" if keeps_given => 0.0,
            "family_name" if !keeps_given => 0.0,
            "given_name" | "family_name" => profile.nameless * 2.0,
            "identifier" | "organization" | "title" | "email" | "phone" => profile.missing * 1.5,
            "country" | "region" | "note" => 0.0,
            _ => profile.missing,
        };
        if random.chance(rate) {
            value.clear();
        }
    }
}

fn columns(row: &mut Row) -> [(&'static str, &mut String); 16] {
    [
        ("given_name", &mut row.given_name),
        ("middle_name", &mut row.middle_name),
        ("family_name", &mut row.family_name),
        ("display_name", &mut row.display_name),
        ("email", &mut row.email),
        ("phone", &mut row.phone),
        ("street", &mut row.street),
        ("city", &mut row.city),
        ("region", &mut row.region),
        ("postal_code", &mut row.postal_code),
        ("country", &mut row.country),
        ("birthday", &mut row.birthday),
        ("identifier", &mut row.identifier),
        ("organization", &mut row.organization),
        ("title", &mut row.title),
        ("note", &mut row.note),
    ]
}

/// One letter lost, doubled, changed or swapped with the next.
fn mistyped(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 2 {
        return text.to_owned();
    }
    let at = random.below(letters.len());
    match random.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        2 => letters[at] = char::from(b'a' + u8::try_from(random.below(26)).unwrap_or(0)),
        _ => {
            let at = at.min(letters.len() - 2);
            letters.swap(at, at + 1);
        }
    }
    letters.into_iter().collect()
}

/// One digit after the first sign changed, where there is one.
fn one_digit_off(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let digits: Vec<usize> = (0..letters.len()).filter(|n| letters[*n].is_ascii_digit()).collect();
    let Some(at) = digits.get(random.below(digits.len().max(1))) else { return mistyped(text, random) };
    // Never the area code: the number stays valid.
    let at = if text.starts_with('+') { letters.len() - 1 - random.below(4) } else { *at };
    letters[at] = match letters[at] {
        '9' => '1',
        digit => char::from_digit(digit.to_digit(10).unwrap_or(0) + 1, 10).unwrap_or('1'),
    };
    letters.into_iter().collect()
}

fn misdated(birthday: &str, born: (usize, usize, usize), random: &mut Random) -> String {
    let (year, month, day) = born;
    match random.below(10) {
        0 | 1 if day <= 12 => format!("{year:04}-{day:02}-{month:02}"),
        2 => format!("{:04}-{month:02}-{day:02}", year + random.within(1, 3)),
        3 => format!("{year:04}-{:02}-{:02}", random.within(1, 12), random.within(1, 28)),
        4 => format!("{year:04}-{:02}-{day:02}", random.within(1, 12)),
        _ => {
            // A digit of the day or of the last place of the year, so that the date stays one.
            let mut digits: Vec<char> = birthday.chars().collect();
            let at = if random.chance(0.5) { 3 } else { 9 };
            let old = digits[at];
            while digits[at] == old {
                digits[at] = char::from(b'1' + u8::try_from(random.below(8)).unwrap_or(0));
            }
            digits.into_iter().collect()
        }
    }
}

fn national(phone: &str) -> String {
    let mut parts = phone.splitn(3, ' ');
    let (country, area, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if country == "+1" { format!("({area}) {}", rest.replace(' ', "-")) } else { format!("0{area} {rest}") }
}

fn nickname(given: &str) -> Option<&'static str> {
    let short = [
        ("Elizabeth", "Liz"),
        ("Margaret", "Peggy"),
        ("Susan", "Sue"),
        ("Jennifer", "Jen"),
        ("Patricia", "Pat"),
        ("Catherine", "Kate"),
        ("Rebecca", "Becky"),
        ("Christine", "Tina"),
        ("Deborah", "Debbie"),
        ("Barbara", "Barb"),
        ("Victoria", "Vicky"),
        ("Samantha", "Sam"),
        ("Alexandra", "Sandra"),
        ("Charlotte", "Lottie"),
        ("James", "Jim"),
        ("John", "Jack"),
        ("Robert", "Bob"),
        ("Michael", "Mike"),
        ("William", "Bill"),
        ("David", "Dave"),
        ("Richard", "Dick"),
        ("Thomas", "Tom"),
        ("Charles", "Chuck"),
        ("Daniel", "Dan"),
        ("Matthew", "Matt"),
        ("Anthony", "Tony"),
        ("Edward", "Ted"),
        ("Joseph", "Joe"),
        ("Benjamin", "Ben"),
        ("Samuel", "Sam"),
        ("Alexander", "Sascha"),
        ("Andrew", "Drew"),
        ("Christopher", "Kit"),
        ("Nicholas", "Nick"),
        ("Timothy", "Tim"),
        ("Stephen", "Steve"),
        ("Gregory", "Greg"),
        ("Patrick", "Paddy"),
        ("Frederick", "Fred"),
        ("Lawrence", "Larry"),
        ("Henry", "Harry"),
        ("Theodore", "Ted"),
        ("Dorothy", "Dot"),
        ("Theresa", "Tess"),
        ("Eleanor", "Nell"),
    ];
    short.iter().find(|(long, _)| *long == given).map(|(_, short)| *short)
}
