//! What was measured round by round, and what is said of it.

use std::collections::BTreeMap;

/// What was measured under each name, round by round.
#[derive(Debug, Default)]
pub struct Samples {
    rounds: BTreeMap<String, Vec<f64>>,
}

impl Samples {
    /// Adds the value of one round.
    pub fn push(&mut self, name: &str, value: f64) {
        self.rounds.entry(name.to_owned()).or_default().push(value);
    }

    /// The values of `name`, round by round.
    #[must_use]
    pub fn of(&self, name: &str) -> &[f64] {
        self.rounds.get(name).map_or(&[], Vec::as_slice)
    }

    /// How many times `name` is `beside`, in each round: what the machine does meanwhile is in both.
    #[must_use]
    pub fn ratio(&self, name: &str, beside: &str) -> Vec<f64> {
        self.of(name).iter().zip(self.of(beside)).map(|(value, beside)| value / beside).collect()
    }
}

/// The items in an order that differs from round to round, so that none is always first.
#[must_use]
pub fn rotated<T: Clone>(items: &[T], round: usize) -> Vec<T> {
    let mut items = items.to_vec();
    if !items.is_empty() {
        let by = round % items.len();
        items.rotate_left(by);
    }
    items
}

/// The value that is greater than `part` of all; 0 of nothing.
#[must_use]
pub fn quantile(values: &[f64], part: Part) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (of, by) = match part {
        Part::Half => (1, 2),
        Part::All95 => (95, 100),
        Part::All99 => (99, 100),
        Part::All => (1, 1),
    };
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * of / by).copied().unwrap_or_default()
}

/// A part of all values.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The median.
    Half,
    /// 95 of 100.
    All95,
    /// 99 of 100.
    All99,
    /// The greatest.
    All,
}

/// The median.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, Part::Half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        assert_eq!(median(&values), 51.0);
        assert_eq!(quantile(&values, Part::All99), 100.0);
        assert_eq!(quantile(&values, Part::All), 101.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut samples = Samples::default();
        for (ours, theirs) in [(10.0, 5.0), (30.0, 10.0)] {
            samples.push("ours", ours);
            samples.push("theirs", theirs);
        }
        assert_eq!(samples.ratio("ours", "theirs"), [2.0, 3.0]);
    }

    #[test]
    fn every_item_comes_first_in_some_round() {
        let first: Vec<_> = (0..3).map(|round| rotated(&["a", "b", "c"], round)[0]).collect();
        assert_eq!(first, ["a", "b", "c"]);
    }
}
