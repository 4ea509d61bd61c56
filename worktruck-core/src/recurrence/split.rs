//! A series cut in two: what was, and "this and following".

use std::collections::BTreeSet;

use super::budget::Budget;
use super::calendar::DAY;
use super::moment::Start;
use super::plan::Plan;
use super::rule::{Rule, Until};
use super::walk::Walk;
use super::{Moment, RuleSet};
use crate::{Error, Result};

/// The two parts of a series that was cut at one of its occurrences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Split {
    /// What comes before the occurrence; nothing if it is the first.
    pub before: Option<RuleSet>,
    /// The occurrence and what follows it.
    pub after: RuleSet,
}

/// A rule that was cut: its text up to the place, and its start and text from there on.
struct Cut {
    before: Rule,
    after: Option<(Start, Rule)>,
}

impl RuleSet {
    /// Cuts the series before `occurrence`, so that both parts together are the whole.
    ///
    /// The rule of the first part gets an UNTIL. That of the second keeps its text, with a COUNT
    /// lowered by what came before. EXDATEs and RDATEs go to the part they lie in.
    ///
    /// The second part starts at the occurrence. If that is an RDATE, which no rule can start from,
    /// the part starts at the next occurrence of the rule and keeps the RDATE.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if `occurrence` is not an
    /// occurrence, if there is more than one rule, or if finding it takes too much work.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::recurrence::{Mode, RuleSet, Start};
    ///
    /// let day = "2026-01-01".parse().map_err(|_| worktruck_core::Error::invalid("not a date"))?;
    /// let (set, _) = RuleSet::new(Start::date(day)?, &["FREQ=DAILY;COUNT=10"], &[], &[], Mode::Strict)?;
    /// let split = set.split_at("2026-01-04".parse()?)?;
    /// assert_eq!(split.before.map(|set| set.rules()[0].to_string()).as_deref(), Some("FREQ=DAILY;UNTIL=20260103"));
    /// assert_eq!(split.after.rules()[0].to_string(), "FREQ=DAILY;COUNT=7");
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    pub fn split_at(&self, occurrence: Moment) -> Result<Split> {
        let at = self.start.micros(occurrence)?;
        if !self.contains(occurrence)? {
            return Err(Error::invalid(format!("{occurrence} is not an occurrence of the series")));
        }
        if self.rules.len() > 1 {
            return Err(Error::invalid("a series with several rules cannot be split; make it several series"));
        }
        let (Some(rule), Some(plan)) = (self.rules.first(), self.plans.first()) else {
            return self.split_dates(at);
        };
        let first = self.first_in((i64::MIN, i64::MAX))?;
        if first == Some(at) && at <= self.start.at {
            return Ok(Split { before: None, after: self.clone() });
        }
        let cut = self.cut(rule, plan, at)?;
        let (exdates_before, exdates) = self.exdates.iter().partition(|exdate| **exdate < at);
        let (rdates_before, mut rdates): (_, BTreeSet<i64>) = self.rdates.iter().partition(|rdate| **rdate < at);
        let (start, rule) = match cut.after {
            Some((start, rule)) => (start, Some(rule)),
            None => {
                rdates.remove(&at);
                (self.start_at(at)?, None)
            }
        };
        let before = Self::assemble(self.start, vec![cut.before], exdates_before, rdates_before);
        let after = Self::assemble(start, rule.into_iter().collect(), exdates, rdates);
        Ok(Split { before: Some(before), after })
    }

    /// Splits a series without a rule, whose start is a date like the others.
    fn split_dates(&self, at: i64) -> Result<Split> {
        let (exdates_before, exdates) = self.exdates.iter().partition(|exdate| **exdate < at);
        let (mut before, mut after): (BTreeSet<i64>, BTreeSet<i64>) = self.extra.iter().partition(|date| **date < at);
        after.remove(&at);
        let after = Self::assemble(self.start_at(at)?, Vec::new(), exdates, after);
        let before = match before.pop_first() {
            Some(first) => Some(Self::assemble(self.start_at(first)?, Vec::new(), exdates_before, before)),
            None => None,
        };
        Ok(Split { before, after })
    }

    fn cut(&self, rule: &Rule, plan: &Plan, at: i64) -> Result<Cut> {
        let budget = &mut Budget::new();
        let mut past = 0;
        let next = match rule.count {
            Some(_) => {
                let mut walk = Walk::new(rule, plan, &self.start, (i64::MIN, i64::MAX), budget)?;
                loop {
                    match walk.next(budget)? {
                        Some(item) if item.at < at => past += 1,
                        other => break other,
                    }
                }
            }
            None => Walk::new(rule, plan, &self.start, (at, i64::MAX), budget)?.next(budget)?,
        };
        let Some(next) = next else { return Ok(Cut { before: rule.clone(), after: None }) };
        let mut before = rule.clone();
        before.count = None;
        before.until = Some(self.until_before(at));
        let mut after = rule.clone();
        after.count = rule.count.map(|count| count.saturating_sub(past));
        let mut start = self.start_at(next.at)?;
        if start.wall != next.wall {
            // Clocks skipped the time of this one, and it must not move the following ones, also
            // not when the start is stored as a moment.
            after.keep_times(next.wall);
            start.wall = next.wall;
        }
        Ok(Cut { before, after: Some((start, after)) })
    }

    fn start_at(&self, at: i64) -> Result<Start> {
        match self.start.moment_at(at) {
            Moment::Date(date) => Start::date(date),
            Moment::Instant(at) => Start::instant(at, self.start.zone),
        }
    }

    fn until_before(&self, at: i64) -> Until {
        // The last second that an occurrence before it can have, since all share a fraction.
        let second = at.saturating_sub(self.start.fraction + 1).div_euclid(1_000_000);
        if self.start.all_day { Until::Date(second.div_euclid(DAY)) } else { Until::Second(second) }
    }
}
