//! Walks over the occurrences of one rule, and over those of a whole set, in order.

use std::collections::VecDeque;
use std::collections::btree_set;
use std::iter::Peekable;

use super::budget::Budget;
use super::calendar::{DAY, LAST_DAY};
use super::moment::Start;
use super::plan::Plan;
use super::rule::Rule;
use super::rule_set::RuleSet;
use super::span::Span;
use crate::Result;

/// Wall-clock time and moment differ by less than this, also where a zone changed its date.
const SLACK: i64 = 2 * DAY;

/// The end of the year 9999.
const END: i64 = (LAST_DAY + 1) * DAY;
const LAST_MICRO: i64 = END * 1_000_000 - 1;

/// An occurrence: its moment in microseconds and the second on the wall it was made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) at: i64,
    pub(super) wall: i64,
}

/// The occurrences of one rule with `from <= at < to`, the start being the first of all.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    plan: &'a Plan,
    start: &'a Start,
    from: i64,
    /// The last moment there may be.
    last: i64,
    last_day: i64,
    left: Option<u64>,
    next_period: Option<i64>,
    /// Times before this are not looked at.
    first_wall: i64,
    span: Option<Span<'a>>,
    /// Items that were made from times clocks skip. Later walls may lie before them.
    skipped: VecDeque<Item>,
    ready: VecDeque<Item>,
    previous: i64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        rule: &Rule,
        plan: &'a Plan,
        start: &'a Start,
        (from, to): (i64, i64),
        budget: &mut Budget,
    ) -> Result<Self> {
        let until = rule.until.map_or(i64::MAX, |until| until.last_micro(start));
        let last = until.min(to.saturating_sub(1)).min(LAST_MICRO);
        let last_day = last.div_euclid(1_000_000).saturating_add(SLACK).div_euclid(DAY).min(LAST_DAY);
        let mut walk = Self {
            plan,
            start,
            from,
            last,
            last_day,
            left: rule.count,
            next_period: Some(0),
            first_wall: i64::MIN,
            span: None,
            skipped: VecDeque::new(),
            ready: VecDeque::from([Item { at: start.at, wall: start.wall }]),
            previous: i64::MIN,
        };
        walk.jump(budget)?;
        Ok(walk)
    }

    /// Passes over the periods before `from` without looking at them, where their number is known or no matter.
    fn jump(&mut self, budget: &mut Budget) -> Result<()> {
        let wall = self.first_wall_from(self.from.div_euclid(1_000_000).clamp(-END, END));
        if wall <= self.start.wall {
            return Ok(());
        }
        let period = self.plan.period_of(wall);
        if let Some(count) = self.left {
            // Where clocks change, two times may be one moment, and periods are not alike.
            let Some(each) = self.plan.times_per_period().filter(|_| self.start.zone.is_utc() && period > 0) else {
                return Ok(());
            };
            let past = each.saturating_mul(period.unsigned_abs() - 1);
            self.left = Some(count.saturating_sub(self.in_first_period(budget)?.saturating_add(past)));
        } else {
            self.first_wall = wall;
        }
        self.ready.clear();
        self.next_period = Some(period);
        Ok(())
    }

    /// A time on the wall that none is before which makes a moment from `second` on.
    fn first_wall_from(&self, second: i64) -> i64 {
        let zone = self.start.zone;
        if zone.is_utc() {
            return second;
        }
        // If clocks were set forward in the day before, times that they skipped come after it.
        let offset = zone.offset_at(second).min(zone.offset_at(second - DAY - 1));
        second + offset - 3600
    }

    /// The start and what follows it in its period.
    fn in_first_period(&self, budget: &mut Budget) -> Result<u64> {
        let mut span = self.plan.span(0, budget)?;
        span.skip_to(self.start.wall + 1);
        Ok(u64::try_from(span.left()).unwrap_or(u64::MAX).saturating_add(1))
    }

    /// The next occurrence.
    pub(super) fn next(&mut self, budget: &mut Budget) -> Result<Option<Item>> {
        loop {
            while let Some(item) = self.ready.pop_front() {
                if item.at <= self.previous {
                    continue;
                }
                if item.at > self.last || self.left == Some(0) {
                    self.stop();
                    return Ok(None);
                }
                self.previous = item.at;
                self.left = self.left.map(|left| left - 1);
                if item.at >= self.from {
                    return Ok(Some(item));
                }
            }
            if self.left == Some(0) {
                return Ok(None);
            }
            match self.next_wall(budget)? {
                Some(wall) => self.place(wall),
                None if self.skipped.is_empty() => return Ok(None),
                None => self.ready.append(&mut self.skipped),
            }
        }
    }

    fn place(&mut self, wall: i64) {
        let resolved = self.start.zone.resolve(wall);
        let item = Item { at: resolved.at.saturating_mul(1_000_000).saturating_add(self.start.fraction), wall };
        if resolved.skipped {
            self.skipped.push_back(item);
            return;
        }
        while let Some(earlier) = self.skipped.pop_front_if(|skipped| skipped.at < item.at) {
            self.ready.push_back(earlier);
        }
        self.ready.push_back(item);
    }

    fn next_wall(&mut self, budget: &mut Budget) -> Result<Option<i64>> {
        let mut end = None;
        loop {
            for wall in self.span.iter_mut().flatten() {
                budget.spend()?;
                if wall > self.start.wall {
                    return Ok(Some(wall));
                }
            }
            self.span = None;
            let Some(period) = self.next_period else { return Ok(None) };
            self.next_period = self.plan.seek(period, self.last_day, budget)?;
            if let Some(period) = self.next_period {
                // Periods may be too short for a position of BYSETPOS, for ever after if so for a cycle.
                let first = self.plan.period_start(period).unwrap_or(LAST_DAY);
                if first > *end.get_or_insert_with(|| first.saturating_add(self.plan.cycle())) {
                    self.next_period = None;
                    continue;
                }
                let span = self.span.insert(self.plan.span(period, budget)?);
                span.skip_to(self.first_wall);
                self.next_period = Some(period + 1);
            }
        }
    }

    fn stop(&mut self) {
        self.ready.clear();
        self.skipped.clear();
        self.span = None;
        self.next_period = None;
    }
}

/// The occurrences of a set with `from <= at < to`: those of its rules and its RDATEs, without its EXDATEs.
#[derive(Debug)]
pub(super) struct SetWalk<'a> {
    set: &'a RuleSet,
    walks: Vec<(Walk<'a>, Option<Item>)>,
    extra: Peekable<btree_set::Range<'a, i64>>,
    previous: i64,
}

impl<'a> SetWalk<'a> {
    pub(super) fn new(set: &'a RuleSet, (from, to): (i64, i64), budget: &mut Budget) -> Result<Self> {
        let to = to.max(from);
        let mut walks = Vec::with_capacity(set.rules.len());
        for (rule, plan) in set.rules.iter().zip(&set.plans) {
            let mut walk = Walk::new(rule, plan, &set.start, (from, to), budget)?;
            let first = walk.next(budget)?;
            walks.push((walk, first));
        }
        Ok(Self { set, walks, extra: set.extra.range(from..to).peekable(), previous: i64::MIN })
    }

    pub(super) fn next(&mut self, budget: &mut Budget) -> Result<Option<i64>> {
        loop {
            budget.spend()?;
            let of_rules = self.walks.iter().filter_map(|(_, item)| item.map(|item| item.at)).min();
            let Some(at) = self.extra.peek().map(|at| **at).into_iter().chain(of_rules).min() else { return Ok(None) };
            self.extra.next_if(|extra| **extra == at);
            for (walk, item) in &mut self.walks {
                if item.is_some_and(|item| item.at == at) {
                    *item = walk.next(budget)?;
                }
            }
            if at > self.previous && !self.set.exdates.contains(&at) {
                self.previous = at;
                return Ok(Some(at));
            }
        }
    }
}
