//! Agreement weights in the manner of Fellegi and Sunter, estimated from the data.
//!
//! A pair of records is of one person (*match*), of two people of one household (*kin*: the same
//! family name, address, perhaps phone, but names and birth dates of their own) or of two people who
//! have nothing to do with each other (*stranger*). Without the second class, everything that a
//! household shares would count as evidence, again and again, that its members are one person.

use super::levels::{DIFFERENT, FIELDS, Field, Levels, MISSING};

mod estimate;
mod priors;

pub(crate) use estimate::{Tally, estimate};

/// A probability for every level of every field.
type Table = [[f64; 8]; FIELDS];

/// How probable each level is in each class, and how frequent the classes are.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Among records of one person.
    matches: Table,
    /// Among records of two people of one household.
    kin: Table,
    /// Among records of strangers.
    strangers: Table,
    /// The share of pairs that match, among all pairs.
    match_rate: f64,
    /// The share of pairs that are kin, among all pairs.
    kin_rate: f64,
}

/// How probable it is that a pair is of one person, and of one household.
#[derive(Clone, Copy, Debug)]
struct Posterior {
    matches: f64,
    kin: f64,
}

impl Model {
    /// The logarithm of the odds that a pair with these levels is of one person.
    pub(crate) fn log_odds(&self, levels: &Levels, commonness: f64) -> f64 {
        let (matches, kin) = self.log_ratios(levels, commonness);
        let others = log_sum(kin, (1.0 - self.match_rate - self.kin_rate).ln());
        matches - others
    }

    /// By how much (natural logarithm) the level of `field` speaks for one person rather than strangers.
    pub(crate) fn weight(&self, field: Field, level: u8) -> f64 {
        if level == MISSING {
            return 0.0;
        }
        let (f, l) = (field as usize, usize::from(level));
        let weight = (self.matches[f][l] / self.strangers[f][l]).ln();
        match level {
            DIFFERENT => weight.clamp(-6.0, 0.0),
            level if level == field.top() => weight.clamp(0.0, 16.0),
            _ => weight.clamp(-6.0, 12.0),
        }
    }

    fn kin_weight(&self, field: Field, level: u8) -> f64 {
        if level == MISSING {
            return 0.0;
        }
        let (f, l) = (field as usize, usize::from(level));
        (self.kin[f][l] / self.strangers[f][l]).ln().clamp(-6.0, 16.0)
    }

    /// Logarithms of rate times likelihood of match and kin, over the likelihood of strangers.
    fn log_ratios(&self, levels: &Levels, commonness: f64) -> (f64, f64) {
        let mut matches = self.match_rate.ln() - commonness;
        let mut kin = self.kin_rate.ln() - commonness;
        for (field, level) in Field::ALL.into_iter().zip(levels) {
            matches += self.weight(field, *level);
            kin += self.kin_weight(field, *level);
        }
        (matches, kin)
    }

    fn posterior(&self, levels: &Levels, commonness: f64) -> Posterior {
        let (matches, kin) = self.log_ratios(levels, commonness);
        let strangers = (1.0 - self.match_rate - self.kin_rate).ln();
        let all = log_sum(log_sum(matches, kin), strangers);
        Posterior { matches: (matches - all).exp(), kin: (kin - all).exp() }
    }
}

/// The probability whose odds have this logarithm.
pub(crate) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn log_sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests;
