//! Labelled people: made-up records in which it is known who is who.
//!
//! The same profile, count and seed give the same rows on every machine.

use worktruck_core::entity::contact::Contact;
use worktruck_core::{EntityId, Timestamp};

mod contact;
mod person;
mod profile;
mod random;
mod row;
mod spoil;
mod words;

pub use profile::Profile;
pub use random::Random;
pub use row::{HEADER, Row};

use person::Town;

/// Rows with the truth about them.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// The rows, shuffled.
    pub rows: Vec<Row>,
    /// The person that each row is about.
    pub persons: Vec<usize>,
    /// The person that is each person's twin.
    pub twins: Vec<(usize, usize)>,
    /// The persons that are parent and child of one name.
    pub namesakes: Vec<(usize, usize)>,
    /// How many rows are a further record of a person.
    pub duplicates: usize,
    /// How many of these have two or more corrupted fields.
    pub corrupted: usize,
}

/// Makes about `count` rows.
#[must_use]
pub fn generate(profile: &Profile, count: usize, seed: u64) -> People {
    let mut random = Random::new(seed);
    let mut people = People::default();
    let mut drafts = Vec::new();
    let mut town = Town::new(profile, count);
    let mut person_number = 0;
    while drafts.len() < count {
        for person in town.household(&mut random, &mut people, person_number) {
            let copies = profile.copies(&mut random);
            for copy in 0..copies {
                let (row, spoilt) = spoil::record(&person, profile, copy, &mut random);
                if copy > 0 {
                    people.duplicates += 1;
                    people.corrupted += usize::from(spoilt >= 2);
                }
                drafts.push((row, person_number));
            }
            person_number += 1;
        }
    }
    random.shuffle(&mut drafts);
    for (n, (mut row, person)) in drafts.into_iter().enumerate() {
        row.uid = format!("p{n:05}");
        people.rows.push(row);
        people.persons.push(person);
    }
    people
}

/// The people of the examples.
#[must_use]
pub fn sample() -> People {
    generate(&Profile::sample(), 1000, 20_260)
}

impl People {
    /// Every pair of rows that are one person, by uid, in the order of the rows.
    #[must_use]
    pub fn truth(&self) -> Vec<(&str, &str)> {
        let mut rows_of: Vec<Vec<usize>> = vec![vec![]; self.persons.iter().max().map_or(0, |m| m + 1)];
        for (row, person) in self.persons.iter().enumerate() {
            rows_of[*person].push(row);
        }
        let mut pairs = Vec::new();
        for rows in rows_of {
            for (n, a) in rows.iter().enumerate() {
                pairs.extend(rows[n + 1..].iter().map(|b| (*a, *b)));
            }
        }
        pairs.sort_unstable();
        pairs.into_iter().map(|(a, b)| (self.rows[a].uid.as_str(), self.rows[b].uid.as_str())).collect()
    }

    /// The rows as contacts with ids that follow their order.
    #[must_use]
    pub fn contacts(&self) -> Vec<(EntityId, Timestamp, Contact)> {
        (0..).zip(&self.rows).map(|(n, row)| (contact::id(n), contact::created_at(n), row.contact())).collect()
    }

    /// The rows as CSV with a header.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = HEADER.join(",") + "\n";
        for row in &self.rows {
            text += &row.csv();
        }
        text
    }

    /// The true pairs as CSV with a header.
    #[must_use]
    pub fn truth_csv(&self) -> String {
        self.truth().iter().fold("uid_a,uid_b\n".to_owned(), |text, (a, b)| text + a + "," + b + "\n")
    }
}

#[cfg(test)]
mod tests;
