//! How often each value occurs in each field.

use super::levels::{FIELDS, Field};
use super::record::Record;
use super::terms::{Sym, Terms};

/// The value frequencies of a list of records.
#[derive(Debug)]
pub(crate) struct Frequencies {
    fields: [FieldFrequencies; FIELDS],
    /// Towns; the field of places counts postal codes.
    cities: FieldFrequencies,
}

#[derive(Debug)]
struct FieldFrequencies {
    /// How many records know the field.
    known: f64,
    /// By how much agreeing on each value by chance is likelier than on an average one.
    commonness: Vec<f32>,
    /// How many pairs of records agree on the field.
    agreeing: f64,
}

impl Frequencies {
    /// Counts the values of `records`.
    pub(crate) fn of(records: &[Record<'_>], terms: &Terms) -> Self {
        let mut values = Vec::new();
        let mut count = |collect: &dyn Fn(&Record<'_>, &mut Vec<Sym>)| {
            let mut counts = vec![0_u32; terms.len()];
            let mut known = 0.0;
            for record in records {
                values.clear();
                collect(record, &mut values);
                values.sort_unstable();
                values.dedup();
                known += if values.is_empty() { 0.0 } else { 1.0 };
                for value in &values {
                    counts[*value as usize] += 1;
                }
            }
            let squares = |n: &u32| f64::from(*n) * f64::from(*n);
            let total: f64 = counts.iter().map(|n| f64::from(*n)).sum();
            let collision = if total > 0.0 { counts.iter().map(squares).sum::<f64>() / (total * total) } else { 1.0 };
            let agreeing = counts.iter().map(|n| f64::from(*n) * (f64::from(*n) - 1.0) / 2.0).sum();
            let commonness = counts.iter().map(|n| commonness(f64::from(*n) / known, collision)).collect();
            FieldFrequencies { known, commonness, agreeing }
        };
        let fields = Field::ALL.map(|field| count(&|record, values| collect(record, field, values)));
        let cities = count(&|record, values| values.extend(record.addresses.iter().filter_map(|p| p.city)));
        Self { fields, cities }
    }

    /// How many records know `field`.
    pub(crate) fn known(&self, field: Field) -> f64 {
        self.fields[field as usize].known
    }

    /// How many pairs of records agree exactly on `field`.
    pub(crate) fn agreeing(&self, field: Field) -> f64 {
        self.fields[field as usize].agreeing
    }

    /// By how much agreeing on `value` by chance is likelier than agreeing on an average value
    /// (natural logarithm), within bounds that a single value may move a verdict.
    pub(crate) fn commonness(&self, field: Field, value: Sym) -> f32 {
        self.fields[field as usize].commonness(value)
    }

    /// The same for agreeing on a town.
    pub(crate) fn city_commonness(&self, value: Sym) -> f32 {
        self.cities.commonness(value)
    }
}

impl FieldFrequencies {
    fn commonness(&self, value: Sym) -> f32 {
        self.commonness.get(value as usize).copied().unwrap_or(0.0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a logarithm of a ratio within bounds")]
fn commonness(share: f64, collision: f64) -> f32 {
    if share > 0.0 { (share / collision).ln().clamp(-4.0, 4.0) as f32 } else { 0.0 }
}

fn collect(record: &Record<'_>, field: Field, values: &mut Vec<Sym>) {
    match field {
        Field::Given => values.extend(record.given),
        Field::Middle => values.extend(record.middle),
        Field::Family => values.extend(record.family),
        Field::Birth => values.extend(record.birth.map(|(value, _)| value)),
        Field::Email => values.extend(record.emails.iter().map(|e| e.whole)),
        Field::Phone => values.extend(&record.phones),
        Field::Identifier => values.extend(record.identifiers.iter().map(|i| i.value)),
        Field::Street => values.extend(record.addresses.iter().filter_map(|p| p.street)),
        Field::Place => values.extend(record.addresses.iter().filter_map(|p| p.postal)),
        Field::Organization => values.extend(record.organization),
        Field::Title => values.extend(record.title),
    }
}
