use std::collections::{BTreeMap, BTreeSet};

use crate::entity::amount::{Amount, Currency};
use crate::entity::deal::Deal;
use crate::entity::stage::{Probability, Stage, StageType};
use crate::{EntityId, Result, Timestamp};

use super::super::Stored;
use super::{CurrencyAnalytics, StageAnalytics};

/// A deal, and the stages that it came into.
pub(super) struct Path {
    pub(super) deal: Deal,
    pub(super) currency: Option<Currency>,
    /// When it began.
    pub(super) begins: Timestamp,
    /// When it came into which stage, in that order.
    pub(super) entries: Vec<(Timestamp, EntityId)>,
}

/// Analytics under way.
pub(super) struct Tally<'a> {
    /// In their order.
    stages: &'a [Stored<Stage>],
    now: Timestamp,
    /// By currency; none comes last.
    parts: BTreeMap<(bool, Option<Currency>), Part>,
}

/// The deals in one currency.
#[derive(Default)]
struct Part {
    open: Worth,
    won: Worth,
    lost: Worth,
    days_to_close: Mean,
    stages: BTreeMap<EntityId, StagePart>,
}

#[derive(Default)]
struct StagePart {
    held: Worth,
    days: Mean,
    converted: Mean,
}

impl<'a> Tally<'a> {
    pub(super) const fn new(stages: &'a [Stored<Stage>], now: Timestamp) -> Self {
        Self { stages, now, parts: BTreeMap::new() }
    }

    /// Counts a deal; `is_in` says which moments are in the period.
    pub(super) fn add(&mut self, path: &Path, is_in: &impl Fn(Timestamp) -> bool) {
        let find = |id: EntityId| self.stages.iter().find(|stage| stage.id == id);
        let part = self.parts.entry((path.currency.is_none(), path.currency)).or_default();
        let stage = path.deal.stage_id.and_then(find);
        if let Some(stage) = stage {
            let likely = path.deal.probability.unwrap_or_else(|| stage.data.likelihood());
            part.stages.entry(stage.id).or_default().held.add(path.deal.amount, likely);
            let is_closed_then = is_in(path.deal.closed_at.unwrap_or(self.now));
            match stage.data.stage_type {
                StageType::Open => part.open.add(path.deal.amount, likely),
                StageType::Won if is_closed_then => {
                    part.won.add(path.deal.amount, likely);
                    part.days_to_close.add(days(path.begins, path.deal.closed_at.unwrap_or(self.now)));
                }
                StageType::Lost if is_closed_then => part.lost.add(path.deal.amount, likely),
                StageType::Won | StageType::Lost => {}
            }
        }
        let mut entered = BTreeSet::new();
        for (at, (since, id)) in path.entries.iter().enumerate() {
            let Some(stage) = find(*id).filter(|_| is_in(*since)) else { continue };
            let is_open = stage.data.stage_type == StageType::Open;
            let rest = path.entries.get(at + 1..).unwrap_or_default();
            let own = part.stages.entry(*id).or_default();
            match rest.first() {
                Some((until, _)) => own.days.add(days(*since, *until)),
                None if is_open => own.days.add(days(*since, self.now)),
                None => {}
            }
            if is_open && entered.insert(*id) {
                let is_on = rest.iter().filter_map(|(_, id)| find(*id)).any(|next| is_behind(&stage.data, &next.data));
                own.converted.add(i128::from(is_on));
            }
        }
    }

    pub(super) fn finish(self) -> Result<Vec<CurrencyAnalytics>> {
        let finish = |((_, currency), mut part): ((bool, Option<Currency>), Part)| {
            let stages = self.stages.iter().map(|stage| {
                let own = part.stages.remove(&stage.id).unwrap_or_default();
                Ok(StageAnalytics {
                    stage_id: stage.id,
                    count: own.held.count,
                    value: own.held.value()?,
                    weighted_value: own.held.weighted()?,
                    average_days_in_stage: own.days.over(MICROS_OF_DAY),
                    conversion_rate: own.converted.over(1),
                })
            });
            let stages = stages.collect::<Result<_>>()?;
            let closed = Mean { sum: i128::from(part.won.count), count: i128::from(part.won.count + part.lost.count) };
            Ok(CurrencyAnalytics {
                currency,
                open_count: part.open.count,
                open_value: part.open.value()?,
                weighted_value: part.open.weighted()?,
                won_count: part.won.count,
                won_value: part.won.value()?,
                lost_count: part.lost.count,
                win_rate: closed.over(1),
                average_days_to_close: part.days_to_close.over(MICROS_OF_DAY),
                stages,
            })
        };
        self.parts.into_iter().map(finish).collect()
    }
}

/// Whether a deal that comes from one stage into the other has come further.
fn is_behind(stage: &Stage, next: &Stage) -> bool {
    match next.stage_type {
        StageType::Open => stage.position < next.position,
        StageType::Won => true,
        StageType::Lost => false,
    }
}

const MICROS_OF_DAY: i128 = 86_400_000_000;

/// The time between two moments, in microseconds; none if the second is earlier.
fn days(from: Timestamp, to: Timestamp) -> i128 {
    (i128::from(to.as_micros()) - i128::from(from.as_micros())).max(0)
}

/// What several deals are worth together, in millionths.
#[derive(Default)]
struct Worth {
    count: u64,
    sum: i128,
    /// In billionths of millionths.
    weighted: i128,
    digits: u32,
}

impl Worth {
    fn add(&mut self, amount: Option<Amount>, likely: Probability) {
        self.count += 1;
        let amount = amount.unwrap_or_default();
        // Too great a sum is refused in the end.
        self.sum = self.sum.saturating_add(amount.millionths());
        self.weighted = self.weighted.saturating_add(amount.millionths().saturating_mul(likely.billionths()));
        self.digits = self.digits.max(amount.digits());
    }

    fn value(&self) -> Result<Amount> {
        Amount::from_millionths(self.sum, self.digits)
    }

    fn weighted(&self) -> Result<Amount> {
        Amount::from_millionths(rounded(self.weighted, 1_000_000_000), self.digits)
    }
}

/// A mean under way.
#[derive(Default)]
struct Mean {
    sum: i128,
    count: i128,
}

impl Mean {
    fn add(&mut self, value: i128) {
        self.sum = self.sum.saturating_add(value);
        self.count += 1;
    }

    /// The mean in units of `unit`, with four digits behind the point; `None` of nothing.
    fn over(&self, unit: i128) -> Option<f64> {
        let parts = (self.count != 0).then(|| rounded(self.sum.saturating_mul(10_000), self.count * unit))?;
        format!("{}.{:04}", parts / 10_000, parts % 10_000).parse().ok()
    }
}

/// The quotient, to the nearest whole number, and to the even one between two.
const fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let is_up = 2 * rest > divisor || (2 * rest == divisor && whole % 2 != 0);
    if is_up { whole + 1 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_rounded_to_the_nearest_and_between_two_to_the_even_one() {
        for (dividend, expected) in [(0, 0), (14, 1), (16, 2), (5, 0), (15, 2), (25, 2), (-5, 0), (-15, -2), (-16, -2)]
        {
            assert_eq!(rounded(dividend, 10), expected, "{dividend}");
        }
    }

    #[test]
    fn a_mean_has_four_digits() {
        let mean = |values: &[i128]| {
            let mut mean = Mean::default();
            values.iter().for_each(|value| mean.add(*value));
            mean.over(1)
        };
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1, 0, 0]), Some(0.3333));
        assert_eq!(mean(&[1, 1, 0]), Some(0.6667));
        assert_eq!(mean(&[1, 1]), Some(1.0));
    }

    #[test]
    fn worth_is_exact_and_its_weight_rounded_once() {
        let mut worth = Worth::default();
        for amount in ["0.10", "0.20", "999999999999999999.999999"] {
            worth.add(Some(amount.parse().unwrap()), Probability::new(0.5).unwrap());
        }
        worth.add(None, Probability::ONE);
        assert_eq!(worth.count, 4);
        assert_eq!(worth.value().unwrap().to_string(), "1000000000000000000.299999");
        assert_eq!(worth.weighted().unwrap().to_string(), "500000000000000000.150000");
        for _ in 0..3 {
            worth.add(Some("999999999999999999".parse().unwrap()), Probability::ONE);
        }
        assert!(worth.value().is_ok());
        worth.sum = i128::MAX;
        assert!(worth.value().is_err());
    }
}
