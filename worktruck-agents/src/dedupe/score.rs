//! A list of records with what was learned from it: any pair of it can be judged.

use std::num::NonZero;
use std::thread;

use super::Candidate;
use super::compare::{Comparison, compare};
use super::frequency::Frequencies;
use super::levels::Field;
use super::record::Record;
use super::terms::Terms;
use super::weights::{Model, Tally, estimate};

/// Records in the order of their ids, each id once.
#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) records: Vec<Record<'a>>,
    pub(crate) terms: Terms,
}

impl<'a> List<'a> {
    pub(crate) fn of(candidates: &[Candidate<'a>]) -> Self {
        let mut sorted: Vec<&Candidate<'a>> = candidates.iter().collect();
        sorted.sort_by_key(|c| c.id);
        sorted.dedup_by_key(|c| c.id);
        let mut terms = Terms::default();
        let records = sorted.into_iter().map(|c| Record::new(c, &mut terms)).collect();
        Self { records, terms }
    }
}

/// A list, its model, and the pairs that were compared.
#[derive(Debug)]
pub(crate) struct Scored<'a> {
    pub(crate) list: List<'a>,
    pub(crate) model: Model,
    frequencies: Frequencies,
    /// The compared pairs with their log odds.
    pub(crate) pairs: Vec<(u32, u32, f64)>,
}

/// What is to be thought of a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The logarithm of the odds that it is one person.
    pub(crate) log_odds: f64,
    /// Whether anything that both know speaks against it.
    pub(crate) contradicts: bool,
    pub(crate) comparison: Comparison,
}

impl<'a> Scored<'a> {
    /// Compares `pairs` and learns from them.
    pub(crate) fn new(list: List<'a>, pairs: &[(u32, u32)]) -> Self {
        let frequencies = Frequencies::of(&list.records, &list.terms);
        let comparisons = compare_all(&list, &frequencies, pairs);
        let random = compare_all(&list, &frequencies, &random_pairs(&list.records));
        let tally = |comparisons: &[Comparison]| Tally::of(comparisons.iter().copied());
        let model = estimate(&tally(&comparisons), &tally(&random), &frequencies, list.records.len());
        let pairs = pairs.iter().zip(comparisons).map(|(&(a, b), c)| (a, b, judged(&model, &c))).collect();
        Self { list, model, frequencies, pairs }
    }

    /// Judges any pair of the list, compared before or not.
    pub(crate) fn verdict(&self, a: u32, b: u32) -> Verdict {
        let records = &self.list.records;
        let comparison = compare(&records[a as usize], &records[b as usize], &self.list.terms, &self.frequencies);
        let against = |field: Field| self.model.weight(field, comparison.level(field)) < AGAINST;
        let contradicts = comparison.conflict.is_some() || Field::ALL.into_iter().any(against);
        Verdict { log_odds: judged(&self.model, &comparison), contradicts, comparison }
    }
}

/// The weight from which on downwards a field contradicts.
const AGAINST: f64 = -0.7;
/// Odds against a pair whose names or dates forbid it.
const FORBIDDEN: f64 = -8.0;
/// What must speak for a pair besides its names (natural logarithm), lest namesakes become one person.
const BESIDES_NAMES: f64 = 1.1;
/// As far as names alone carry: something to review, never to propose.
const NAMES_ALONE: f64 = -0.6;

fn judged(model: &Model, comparison: &Comparison) -> f64 {
    let log_odds = model.log_odds(&comparison.levels, f64::from(comparison.commonness));
    if comparison.conflict.is_some() {
        return log_odds.min(FORBIDDEN);
    }
    let weight = |field: Field| if field.is_name() { 0.0 } else { model.weight(field, comparison.level(field)) };
    let besides: f64 = Field::ALL.into_iter().map(weight).sum();
    if besides < BESIDES_NAMES { log_odds.min(NAMES_ALONE) } else { log_odds }
}

/// Compares `pairs` on all cores; the result is in their order.
fn compare_all(list: &List<'_>, frequencies: &Frequencies, pairs: &[(u32, u32)]) -> Vec<Comparison> {
    let one =
        |&(a, b): &(u32, u32)| compare(&list.records[a as usize], &list.records[b as usize], &list.terms, frequencies);
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    if pairs.len() < 20_000 || cores == 1 {
        return pairs.iter().map(one).collect();
    }
    thread::scope(|scope| {
        let parts: Vec<_> = pairs
            .chunks(pairs.len().div_ceil(cores))
            .map(|part| (part, scope.spawn(move || part.iter().map(one).collect::<Vec<_>>())))
            .collect();
        // A part whose thread was lost is compared again here.
        let finished = parts
            .into_iter()
            .flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| part.iter().map(one).collect()));
        finished.collect()
    })
}

/// Pairs drawn from all pairs, the same ones for the same ids.
fn random_pairs(records: &[Record<'_>]) -> Vec<(u32, u32)> {
    let Some(count) = u32::try_from(records.len()).ok().filter(|n| *n > 1) else { return vec![] };
    let mut state = records.iter().fold(0_u64, |state, r| {
        let (high, low) = r.id.as_uuid().as_u64_pair();
        scrambled(state ^ high) ^ low
    });
    let mut draw = |below: u32| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        // The high half of the product of a random number and the bound is below the bound.
        u32::try_from((u128::from(scrambled(state)) * u128::from(below)) >> 64).unwrap_or(0)
    };
    let wanted = (u64::from(count) * u64::from(count - 1) / 2).min(RANDOM_PAIRS);
    (0..wanted)
        .map(|_| {
            let a = draw(count);
            let b = draw(count - 1);
            let b = if b >= a { b + 1 } else { b };
            (a.min(b), a.max(b))
        })
        .collect()
}

const RANDOM_PAIRS: u64 = 100_000;

/// The mixing step of splitmix64.
const fn scrambled(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}
