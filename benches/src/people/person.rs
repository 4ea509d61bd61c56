//! People as they are, before anybody writes them down.

use super::random::Random;
use super::words::{
    AMERICAN, BRITISH, COMPANIES, DOMAINS, FAMILIES, FAMILY_ENDS, FAMILY_STARTS, GERMAN, GERMAN_STREETS, MEN,
    STREET_KINDS, STREETS, TITLES, TownWords, WOMEN,
};
use super::{People, Profile};

/// A person and all that is true of it.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) woman: bool,
    pub(crate) given: String,
    pub(crate) middle: String,
    pub(crate) family: String,
    pub(crate) born: (usize, usize, usize),
    pub(crate) home: Home,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) identifier: String,
    pub(crate) organization: &'static str,
    pub(crate) title: &'static str,
}

/// A postal address and its country.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) street: String,
    pub(crate) town: TownWords,
    pub(crate) postal: String,
    pub(crate) country: &'static str,
}

/// Where people come from.
#[derive(Debug)]
pub(crate) struct Town<'p> {
    profile: &'p Profile,
    families: Vec<String>,
    identifiers: usize,
}

impl<'p> Town<'p> {
    pub(crate) fn new(profile: &'p Profile, count: usize) -> Self {
        let mut families: Vec<String> = FAMILIES.iter().map(|f| (*f).to_owned()).collect();
        for start in FAMILY_STARTS {
            families.extend(FAMILY_ENDS.iter().map(|end| format!("{start}{end}")));
        }
        // A small town knows fewer names; the order mixes the usual names in front with the others.
        families.truncate((FAMILIES.len() + count / 4).max(150));
        Self { profile, families, identifiers: 0 }
    }

    /// The people of one household; twins and namesakes among them are noted by their numbers.
    pub(crate) fn household(&mut self, random: &mut Random, people: &mut People, next: usize) -> Vec<Person> {
        let home = Home::new(self.profile.one_town, random);
        let family = self.families[random.skewed(self.families.len())].clone();
        let phone = phone(&home, random);
        let email = format!("{}.family{}@{}", ascii(&family), random.within(1, 99), random.pick(DOMAINS));
        let first = self.person(&home, &family, random);
        // Whose children would be born after the records were taken has no family yet.
        let is_settled = first.born.0 < 1975;
        if !is_settled || !random.chance(self.profile.families) {
            return vec![first];
        }
        let mut members = vec![first];
        if random.chance(0.8) {
            let mut partner = self.person(&home, &family, random);
            partner.woman = !members[0].woman;
            partner.given = given(partner.woman, random);
            partner.middle = given(partner.woman, random);
            partner.born.0 = members[0].born.0 + random.below(6);
            partner.email = address(&partner.given, &partner.family, partner.born.0, random);
            members.push(partner);
        }
        for _ in 0..random.below(4) {
            let mut child = self.person(&home, &family, random);
            child.born.0 = members[0].born.0 + random.within(22, 38);
            let twin = random.chance(self.profile.twins).then(|| child.clone());
            if random.chance(self.profile.namesakes) && child.woman == members[0].woman {
                child.given.clone_from(&members[0].given);
                people.namesakes.push((next, next + members.len()));
            }
            child.email = address(&child.given, &child.family, child.born.0, random);
            members.push(child);
            if let Some(mut twin) = twin {
                twin.given = other_given(twin.woman, &members[members.len() - 1].given, random);
                twin.middle = given(twin.woman, random);
                twin.email = address(&twin.given, &twin.family, twin.born.0, random);
                twin.identifier = self.identifier();
                people.twins.push((next + members.len() - 1, next + members.len()));
                members.push(twin);
            }
        }
        for member in &mut members {
            if random.chance(self.profile.shared_phone) {
                member.phone.clone_from(&phone);
            }
            if random.chance(self.profile.shared_email) {
                member.email.clone_from(&email);
            }
        }
        members
    }

    fn person(&mut self, home: &Home, family: &str, random: &mut Random) -> Person {
        let woman = random.chance(0.5);
        let given = given(woman, random);
        let span = if self.profile.born_from < 1850 { 280 } else { 65 };
        let born = (self.profile.born_from + random.below(span), random.within(1, 12), random.within(1, 28));
        let born = if random.chance(self.profile.year_only) { (born.0, 1, 1) } else { born };
        Person {
            woman,
            middle: if random.chance(0.8) { other_given(woman, &given, random) } else { String::new() },
            family: family.to_owned(),
            born,
            home: home.clone(),
            phone: phone(home, random),
            email: address(&given, family, born.0, random),
            identifier: self.identifier(),
            organization: random.pick(COMPANIES),
            title: random.pick(TITLES),
            given,
        }
    }

    fn identifier(&mut self) -> String {
        self.identifiers += 1;
        // A step that shares no factor with the modulus visits every number once.
        format!("{:07}", (self.identifiers * 3_141_593) % 9_999_991)
    }
}

impl Home {
    pub(crate) fn new(one_town: bool, random: &mut Random) -> Self {
        let number = random.within(1, 240);
        if one_town {
            let street = format!("{number} {}", street(random));
            return Self { street, town: AMERICAN[3], postal: "98101".to_owned(), country: "United States" };
        }
        let digit = |random: &mut Random| random.below(10);
        match random.below(10) {
            0..=5 => {
                let town = AMERICAN[random.below(AMERICAN.len())];
                let postal = format!("{}{}{}", town.2, digit(random), digit(random));
                Self { street: format!("{} {}", number * 5, street(random)), town, postal, country: "United States" }
            }
            6..=8 => {
                let town = BRITISH[random.below(BRITISH.len())];
                let letters = random.pick(&["AB", "DF", "EH", "JL", "NP", "QR", "ST", "UW", "XY"]);
                let postal = format!("{}{} {}{letters}", town.2, random.within(1, 20), digit(random));
                Self { street: format!("{number} {}", street(random)), town, postal, country: "United Kingdom" }
            }
            _ => {
                let town = GERMAN[random.below(GERMAN.len())];
                let postal = format!("{}{}{}{}", town.2, digit(random), digit(random), digit(random));
                Self { street: format!("{} {number}", random.pick(GERMAN_STREETS)), town, postal, country: "Germany" }
            }
        }
    }
}

fn street(random: &mut Random) -> String {
    format!("{} {}", random.pick(STREETS), random.pick(STREET_KINDS))
}

fn given(woman: bool, random: &mut Random) -> String {
    let names = if woman { WOMEN } else { MEN };
    names[random.skewed(names.len())].to_owned()
}

fn other_given(woman: bool, than: &str, random: &mut Random) -> String {
    loop {
        let name = given(woman, random);
        if name != than {
            return name;
        }
    }
}

/// A phone number in international form.
pub(crate) fn phone(home: &Home, random: &mut Random) -> String {
    let mut digits = |count: usize| {
        (0..count).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap_or(0))).collect::<String>()
    };
    let start = home.town.3;
    match home.country {
        "United States" => format!("+1 {start} 2{} {}", digits(2).replace("11", "12"), digits(4)),
        "United Kingdom" => {
            let area = start.split(' ').next().unwrap_or("").len();
            format!("+44 {start}{}", digits(9 - area))
        }
        _ => format!("+49 {start}{}", digits(7)),
    }
}

/// An e-mail address of that name.
pub(crate) fn address(given: &str, family: &str, year: usize, random: &mut Random) -> String {
    let (given, family) = (ascii(given), ascii(family));
    let initial = given.get(..1).unwrap_or("x");
    let local = match random.below(5) {
        0 => format!("{given}.{family}"),
        1 => format!("{initial}{family}{:02}", year % 100),
        2 => format!("{given}{}", random.within(1, 999)),
        3 => format!("{family}.{given}"),
        _ => format!("{given}.{family}{:02}", year % 100),
    };
    format!("{local}@{}", random.pick(DOMAINS))
}

fn ascii(name: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        'a'..='z' => Some(c.to_ascii_lowercase()),
        'é' | 'è' | 'ë' | 'É' => Some('e'),
        'ü' => Some('u'),
        'ö' => Some('o'),
        'ä' | 'ã' | 'á' => Some('a'),
        'ś' => Some('s'),
        _ => None,
    };
    name.chars().filter_map(plain).collect()
}
