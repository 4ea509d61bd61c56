//! Which pairs are worth comparing: records that share a block, and blocks never grow beyond a cap.

use super::record::Record;
use super::terms::Terms;

mod keys;

use keys::{Key, Order, split_keys};

/// The pairs (lower index first, sorted, each once) worth comparing.
pub(crate) fn candidate_pairs(records: &[Record<'_>], terms: &Terms) -> Vec<(u32, u32)> {
    let order = Order::of(records, terms);
    let mut keyed: Vec<(Key, u32)> = Vec::new();
    for (n, record) in (0..).zip(records) {
        keys::of(record, terms, |key| keyed.push((key, n)));
    }
    keyed.sort_unstable();
    keyed.dedup();
    // The finest net whose catch is not too large: records with few fields share few blocks.
    let most = (records.len() * PAIRS_PER_RECORD).max(FEW_PAIRS);
    let (coarsest, finer) = TIERS.split_last().unwrap_or((&TIERS[0], &[]));
    finer
        .iter()
        .find_map(|limits| pairs_within(limits, &keyed, records, terms, &order, most))
        .or_else(|| pairs_within(coarsest, &keyed, records, terms, &order, usize::MAX))
        .unwrap_or_default()
}

/// How many pairs a record takes part in, on average, before larger blocks are split.
const PAIRS_PER_RECORD: usize = 32;
/// So many pairs are compared in no time, however few records there are.
const FEW_PAIRS: usize = 250_000;

/// The pairs of all blocks; none if they are more than `most`.
fn pairs_within(
    limits: &Limits,
    keyed: &[(Key, u32)],
    records: &[Record<'_>],
    terms: &Terms,
    order: &Order,
    most: usize,
) -> Option<Vec<(u32, u32)>> {
    let mut pairs = Pairs::default();
    for block in keyed.chunk_by(|a, b| a.0 == b.0) {
        let members: Vec<u32> = block.iter().map(|(_, n)| *n).collect();
        if members.len() <= limits.block {
            pairs.all_of(&members);
        } else {
            split(members, records, terms, order, limits, &mut pairs);
        }
        if pairs.settled > most {
            return None;
        }
    }
    for sorted in order.lists() {
        pairs.neighbours(sorted, limits.window);
    }
    let pairs = pairs.finish();
    (pairs.len() <= most).then_some(pairs)
}

/// How large things may grow; the work for a record is bounded whatever the number of records.
#[derive(Debug)]
struct Limits {
    /// The largest block of which every pair is compared.
    block: usize,
    /// The largest part of a split block of which every pair is compared.
    part: usize,
    /// How many neighbours in sorted order a record is compared with.
    window: usize,
}

/// From generous to strict.
const TIERS: [Limits; 5] = [
    Limits { block: 80, part: 80, window: 10 },
    Limits { block: 40, part: 32, window: 5 },
    Limits { block: 24, part: 16, window: 3 },
    Limits { block: 18, part: 9, window: 2 },
    Limits { block: 12, part: 6, window: 1 },
];

/// Pairs of an oversized block: those that share a second key too, and neighbours in name order.
fn split(members: Vec<u32>, records: &[Record<'_>], terms: &Terms, order: &Order, limits: &Limits, pairs: &mut Pairs) {
    let mut keyed: Vec<(u64, u32)> = Vec::new();
    for n in &members {
        split_keys(&records[*n as usize], terms, |key| keyed.push((key, *n)));
    }
    keyed.sort_unstable();
    for block in keyed.chunk_by(|a, b| a.0 == b.0) {
        let mut block: Vec<u32> = block.iter().map(|(_, n)| *n).collect();
        if block.len() <= limits.part {
            pairs.all_of(&block);
        } else {
            block.sort_unstable_by_key(|n| order.rank(*n));
            pairs.neighbours(&block, limits.window);
        }
    }
    let mut members = members;
    members.sort_unstable_by_key(|n| order.rank(*n));
    pairs.neighbours(&members, 1);
}

/// Pairs as they are found, packed so that sorting them is cheap.
#[derive(Debug, Default)]
struct Pairs {
    packed: Vec<u64>,
    /// How many leading pairs are known to be sorted and distinct.
    settled: usize,
}

impl Pairs {
    fn all_of(&mut self, members: &[u32]) {
        for (n, a) in members.iter().enumerate() {
            for b in &members[n + 1..] {
                self.add(*a, *b);
            }
        }
    }

    fn neighbours(&mut self, sorted: &[u32], window: usize) {
        for (n, a) in sorted.iter().enumerate() {
            for b in sorted[n + 1..].iter().take(window) {
                self.add(*a, *b);
            }
        }
    }

    fn add(&mut self, a: u32, b: u32) {
        self.packed.push(u64::from(a.min(b)) << 32 | u64::from(a.max(b)));
        // The same pair comes from many blocks: dropping doubles now and then bounds the memory.
        if self.packed.len() > 2 * self.settled + (1 << 18) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.packed.sort_unstable();
        self.packed.dedup();
        self.settled = self.packed.len();
    }

    fn finish(mut self) -> Vec<(u32, u32)> {
        self.settle();
        let low = |n: u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        self.packed.into_iter().map(|p| (low(p >> 32), low(p))).collect()
    }
}

#[cfg(test)]
mod tests;
