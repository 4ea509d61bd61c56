//! How well clusters agree with a known truth, counted in pairs.

use std::collections::{BTreeSet, HashMap};

/// Pairs found, missed and wrongly found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairScore {
    /// Pairs in one cluster that are one person.
    pub found: u64,
    /// Pairs in one cluster that are two people.
    pub wrong: u64,
    /// Pairs that are one person and in no cluster together.
    pub missed: u64,
}

impl PairScore {
    /// The score of `clusters` against every true pair of `truth`, the order within a pair ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_benches::score::PairScore;
    ///
    /// let score = PairScore::of([["a", "b", "c"]], [("b", "a"), ("d", "e")]);
    /// assert_eq!(score, PairScore { found: 1, wrong: 2, missed: 1 });
    /// assert!((score.f1() - 0.4).abs() < 1e-9);
    /// ```
    pub fn of<'t, C>(clusters: impl IntoIterator<Item = C>, truth: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self
    where
        C: IntoIterator<Item = &'t str>,
    {
        let mut numbers = HashMap::new();
        let mut number = |uid: &'t str| {
            let next = numbers.len();
            *numbers.entry(uid).or_insert(next)
        };
        let ordered = |a: usize, b: usize| (a.min(b), a.max(b));
        let truth: BTreeSet<_> = truth.into_iter().map(|(a, b)| ordered(number(a), number(b))).collect();
        let mut claimed = BTreeSet::new();
        for cluster in clusters {
            let members: Vec<_> = cluster.into_iter().map(&mut number).collect();
            for (n, a) in members.iter().enumerate() {
                claimed.extend(members[n + 1..].iter().map(|b| ordered(*a, *b)));
            }
        }
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let found = truth.intersection(&claimed).count();
        Self { found: count(found), wrong: count(claimed.len() - found), missed: count(truth.len() - found) }
    }

    /// The share of claimed pairs that are true; 1 if none is claimed.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.found, self.wrong)
    }

    /// The share of true pairs that are claimed; 1 if there is none.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.found, self.missed)
    }

    /// The harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self) -> f64 {
        share(2 * self.found, self.wrong + self.missed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
fn share(good: u64, bad: u64) -> f64 {
    if good + bad == 0 { 1.0 } else { good as f64 / (good + bad) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_claimed_and_nothing_true_is_perfect() {
        let none: [[&str; 0]; 0] = [];
        assert_eq!(PairScore::of(none, []).f1().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn a_pair_claimed_twice_counts_once() {
        let score = PairScore::of([["a", "b"], ["b", "a"]], [("a", "b")]);
        assert_eq!(score, PairScore { found: 1, wrong: 0, missed: 0 });
    }
}
