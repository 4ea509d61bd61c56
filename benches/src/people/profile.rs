//! What a set of people looks like: which fields it has, how often they are missing or wrong.

use super::random::Random;

/// A kind of people set.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Which columns it has; the others stay empty.
    pub columns: &'static [&'static str],
    /// How likely a field of any row is unknown, but for names.
    pub missing: f64,
    /// How likely a given or a family name of any row is unknown.
    pub nameless: f64,
    /// How likely each field of a further record is corrupted.
    pub corruption: f64,
    /// Whether a person's first record is as corrupted as the others.
    pub first_corrupted: bool,
    /// How likely a person has further records.
    pub duplicated: f64,
    /// The most records a person has.
    pub most_copies: usize,
    /// How likely a household has several members.
    pub families: f64,
    /// How likely a family has twins.
    pub twins: f64,
    /// How likely a child has a parent's name.
    pub namesakes: f64,
    /// How likely a family member uses the family's phone.
    pub shared_phone: f64,
    /// How likely a family member uses the family's e-mail address.
    pub shared_email: f64,
    /// How likely a further record shows a new address, phone and postal code at once.
    pub moved: f64,
    /// How likely a birthday is known by its year only, written as 1 January.
    pub year_only: f64,
    /// The first year of birth.
    pub born_from: usize,
    /// Whether everybody lives in one town.
    pub one_town: bool,
}

const ALL: &[&str] = &super::HEADER;

impl Profile {
    /// The sample of the examples: an address book with every field.
    #[must_use]
    pub const fn sample() -> Self {
        Self {
            columns: ALL,
            missing: 0.12,
            nameless: 0.01,
            corruption: 0.11,
            first_corrupted: false,
            duplicated: 0.38,
            most_copies: 3,
            families: 0.45,
            twins: 0.08,
            namesakes: 0.20,
            shared_phone: 0.45,
            shared_email: 0.08,
            moved: 0.10,
            year_only: 0.0,
            born_from: 1940,
            one_town: false,
        }
    }

    /// Name, birth date, town and e-mail only, much of it missing or mistyped.
    #[must_use]
    pub const fn sparse() -> Self {
        Self {
            columns: &["given_name", "family_name", "email", "city", "birthday"],
            missing: 0.20,
            nameless: 0.16,
            corruption: 0.22,
            first_corrupted: false,
            duplicated: 0.85,
            most_copies: 8,
            families: 0.1,
            twins: 0.0,
            namesakes: 0.0,
            shared_phone: 0.0,
            shared_email: 0.15,
            moved: 0.0,
            year_only: 0.0,
            born_from: 1930,
            one_town: false,
        }
    }

    /// Postal addresses, birth date and an identity number; several heavily corrupted records a person.
    #[must_use]
    pub const fn postal() -> Self {
        Self {
            columns: &[
                "given_name",
                "family_name",
                "street",
                "city",
                "region",
                "postal_code",
                "birthday",
                "identifier",
            ],
            missing: 0.06,
            nameless: 0.03,
            corruption: 0.30,
            first_corrupted: false,
            duplicated: 0.6,
            most_copies: 6,
            families: 0.0,
            twins: 0.0,
            namesakes: 0.0,
            shared_phone: 0.0,
            shared_email: 0.0,
            moved: 0.0,
            year_only: 0.0,
            born_from: 1900,
            one_town: false,
        }
    }

    /// Persons of the past: birth place, postal code, occupation, years for dates, ten records each.
    #[must_use]
    pub const fn historical() -> Self {
        Self {
            columns: &["given_name", "family_name", "city", "postal_code", "birthday", "title"],
            missing: 0.25,
            nameless: 0.03,
            corruption: 0.20,
            first_corrupted: true,
            duplicated: 0.95,
            most_copies: 18,
            families: 0.05,
            twins: 0.0,
            namesakes: 0.05,
            shared_phone: 0.0,
            shared_email: 0.0,
            moved: 0.05,
            year_only: 0.35,
            born_from: 1600,
            one_town: false,
        }
    }

    /// A census of one town: whole families, taken twice.
    #[must_use]
    pub const fn census() -> Self {
        Self {
            columns: &[
                "given_name",
                "middle_name",
                "family_name",
                "street",
                "city",
                "region",
                "postal_code",
                "birthday",
            ],
            missing: 0.01,
            nameless: 0.01,
            corruption: 0.06,
            first_corrupted: true,
            duplicated: 0.95,
            most_copies: 2,
            families: 0.7,
            twins: 0.05,
            namesakes: 0.05,
            shared_phone: 0.0,
            shared_email: 0.0,
            moved: 0.02,
            year_only: 0.0,
            born_from: 1925,
            one_town: true,
        }
    }

    /// How many records a person has.
    pub(crate) fn copies(&self, random: &mut Random) -> usize {
        if !random.chance(self.duplicated) {
            return 1;
        }
        // The smaller of two draws: two records are the most usual number.
        let draw = |random: &mut Random| random.within(2, self.most_copies);
        if self.most_copies > 8 { draw(random) } else { draw(random).min(draw(random)) }
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }
}
