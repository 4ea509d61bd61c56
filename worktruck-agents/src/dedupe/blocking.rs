//! Which pairs are worth comparing: records that share a block, and blocks never grow beyond a cap.

use super::record::Record;
use super::terms::Terms;

mod keys;

use keys::{Key, Order, split_keys};

/// The pairs (lower index first, sorted, each once) worth comparing.
pub(crate) fn candidate_pairs(records: &[Record<'_>], terms: &Terms) -> Vec<(u32, u32)> {
    let limits = Limits::for_count(records.len());
    let order = Order::of(records, terms);
    let mut keyed: Vec<(Key, u32)> = Vec::new();
    for (n, record) in (0..).zip(records) {
        keys::of(record, terms, |key| keyed.push((key, n)));
    }
    keyed.sort_unstable();
    keyed.dedup();
    let mut pairs = Pairs::default();
    for block in keyed.chunk_by(|a, b| a.0 == b.0) {
        let members: Vec<u32> = block.iter().map(|(_, n)| *n).collect();
        if members.len() <= limits.block {
            pairs.all_of(&members);
        } else {
            split(members, records, terms, &order, &limits, &mut pairs);
        }
    }
    drop(keyed);
    for sorted in order.lists() {
        pairs.neighbours(sorted, limits.window);
    }
    pairs.finish()
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

impl Limits {
    const fn for_count(records: usize) -> Self {
        match records {
            0..=3_000 => Self { block: 80, part: 80, window: 10 },
            3_001..=20_000 => Self { block: 40, part: 32, window: 5 },
            _ => Self { block: 20, part: 10, window: 2 },
        }
    }
}

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
        if self.packed.len() > 2 * self.settled + (1 << 20) {
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
