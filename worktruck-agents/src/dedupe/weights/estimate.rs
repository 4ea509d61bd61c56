//! Expectation maximisation over the compared pairs.

use super::priors::{STRENGTH, of_kin, of_matches};
use super::{Model, Table};
use crate::dedupe::compare::Comparison;
use crate::dedupe::frequency::Frequencies;
use crate::dedupe::levels::{FIELDS, Field, Levels};

/// Pairs that agree in one way, counted.
///
/// There are far fewer ways to agree than pairs, so that a round of estimation is cheap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    levels: Levels,
    commonness: f64,
    pairs: f64,
}

impl Tally {
    /// Counts `comparisons`.
    #[expect(clippy::cast_possible_truncation, reason = "commonness lies within a few dozen")]
    pub(crate) fn of(comparisons: impl Iterator<Item = Comparison>) -> Vec<Self> {
        let mut ways: Vec<(Levels, i16)> =
            comparisons.map(|c| (c.levels, (c.commonness * 2.0).round() as i16)).collect();
        ways.sort_unstable();
        let count = |n: usize| u32::try_from(n).map_or_else(|_| f64::from(u32::MAX), f64::from);
        ways.chunk_by(|a, b| a == b)
            .map(|same| Self { levels: same[0].0, commonness: f64::from(same[0].1) / 2.0, pairs: count(same.len()) })
            .collect()
    }
}

/// The model that explains the pairs of a list of `records` records best.
///
/// `blocked` are the pairs worth comparing, `random` pairs drawn from all. Pairs that were not worth
/// comparing count as strangers. How strangers agree is read off the random pairs, and for full
/// agreement, which is rare, off the value frequencies, less what the matches found contribute.
pub(crate) fn estimate(blocked: &[Tally], random: &[Tally], frequencies: &Frequencies, records: usize) -> Model {
    let n = u32::try_from(records).map_or_else(|_| f64::from(u32::MAX), f64::from);
    let all_pairs = (n * (n - 1.0) / 2.0).max(1.0);
    let strangers = strangers(random, frequencies, &[[0.0; 8]; FIELDS], |_| 1.0);
    let attainable = Field::ALL.map(|f| highest(blocked, f).max(highest(random, f)));
    let priors = priors(&attainable);
    let matches = priors;
    let rate = (0.1 * n / all_pairs).min(0.1);
    let kin = kin(&matches, &strangers, &[[0.0; 8]; FIELDS]);
    let mut model = Model { matches, kin, strangers, match_rate: rate, kin_rate: rate };
    for _ in 0..ROUNDS {
        let before = (model.match_rate, model.kin_rate);
        model = improved(&model, blocked, random, frequencies, &priors, all_pairs);
        let moved = (model.match_rate / before.0).ln().abs() + (model.kin_rate / before.1).ln().abs();
        if moved < 1e-3 {
            break;
        }
    }
    model
}

const ROUNDS: usize = 40;

fn improved(
    model: &Model,
    blocked: &[Tally],
    random: &[Tally],
    frequencies: &Frequencies,
    priors: &Table,
    all_pairs: f64,
) -> Model {
    let mut matches = [[0.0; 8]; FIELDS];
    let mut kin_seen = [[0.0; 8]; FIELDS];
    let (mut match_count, mut kin_count) = (0.0, 0.0);
    for tally in blocked {
        let p = model.posterior(&tally.levels, tally.commonness);
        match_count += p.matches * tally.pairs;
        kin_count += p.kin * tally.pairs;
        for (f, level) in tally.levels.iter().enumerate() {
            matches[f][usize::from(*level)] += p.matches * tally.pairs;
            kin_seen[f][usize::from(*level)] += p.kin * tally.pairs;
        }
    }
    let mut found = matches;
    for (found, kin) in found.iter_mut().flatten().zip(kin_seen.iter().flatten()) {
        *found += kin;
    }
    let is_stranger = |tally: &Tally| {
        let p = model.posterior(&tally.levels, tally.commonness);
        (1.0 - p.matches - p.kin).max(0.0)
    };
    let strangers = strangers(random, frequencies, &found, is_stranger);
    for field in Field::ALL {
        let seen = &mut matches[field as usize];
        for (level, prior) in seen.iter_mut().zip(priors[field as usize]) {
            *level += STRENGTH * prior;
        }
        normalise(seen);
    }
    let kin = kin(&matches, &strangers, &kin_seen);
    let rate = |count: f64| ((count + 0.5) / all_pairs).min(0.4);
    Model { matches, kin, strangers, match_rate: rate(match_count), kin_rate: rate(kin_count) }
}

/// The highest level that any pair reaches.
fn highest(tallies: &[Tally], field: Field) -> u8 {
    tallies.iter().map(|t| t.levels[field as usize]).max().unwrap_or(0)
}

/// What is believed of matches. The share of levels that no pair reaches, such as agreement on postal
/// codes where nobody has one, belongs to the highest level that is reached.
fn priors(attainable: &[u8; FIELDS]) -> Table {
    let mut table = [[0.0; 8]; FIELDS];
    for (field, attainable) in Field::ALL.into_iter().zip(attainable) {
        let highest = if *attainable == 0 { field.top() } else { *attainable };
        for (level, prior) in (1..).zip(of_matches(field)) {
            table[field as usize][usize::from(highest).min(level)] += prior;
        }
        // Never quite impossible: a later pair may reach it.
        for level in &mut table[field as usize][usize::from(highest) + 1..=usize::from(field.top())] {
            *level = 1e-3;
        }
    }
    table
}

fn kin(matches: &Table, strangers: &Table, seen: &Table) -> Table {
    let mut table = [[0.0; 8]; FIELDS];
    for field in Field::ALL {
        let shared = of_kin(field);
        let f = field as usize;
        for level in 1..=usize::from(field.top()) {
            let believed = shared.share * matches[f][level] + (1.0 - shared.share) * strangers[f][level];
            table[f][level] = if shared.learned { STRENGTH * believed + seen[f][level] } else { believed };
        }
        normalise(&mut table[f]);
    }
    table
}

/// How strangers agree; `found` are the numbers of matches and kin at each level.
fn strangers(random: &[Tally], frequencies: &Frequencies, found: &Table, share: impl Fn(&Tally) -> f64) -> Table {
    let mut table = [[0.0; 8]; FIELDS];
    for tally in random {
        let pairs = tally.pairs * share(tally);
        for (f, level) in tally.levels.iter().enumerate() {
            table[f][usize::from(*level)] += pairs;
        }
    }
    for field in Field::ALL {
        let seen = &mut table[field as usize];
        let top = usize::from(field.top());
        for level in &mut seen[1..=top] {
            *level += 1.0;
        }
        normalise(seen);
        // Places agree on several levels that frequencies do not tell apart; they are never that rare.
        if field == Field::Place {
            continue;
        }
        let known = frequencies.known(field);
        let pairs = (known * (known - 1.0) / 2.0).max(1.0);
        let by_chance = (frequencies.agreeing(field) - found[field as usize][top]).max(0.0) + 1.0;
        let exact = (by_chance / (pairs + 2.0)).max(0.1 / known.max(1.0)).min(0.95);
        let rest: f64 = seen[1..top].iter().sum();
        for level in &mut seen[1..top] {
            *level *= (1.0 - exact) / rest;
        }
        seen[top] = exact;
    }
    table
}

/// Makes the levels above missing sum to one, none of them impossible.
fn normalise(levels: &mut [f64; 8]) {
    levels[0] = 1.0;
    let sum: f64 = levels[1..].iter().sum();
    for level in &mut levels[1..] {
        *level = if *level > 0.0 { (*level / sum).max(1e-7) } else { 0.0 };
    }
}
