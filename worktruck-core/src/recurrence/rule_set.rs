//! A series: where it starts, the rules that repeat it, and its exceptions.

use std::collections::BTreeSet;

use super::budget::Budget;
use super::calendar::{DAY, LAST_DAY};
use super::moment::{Start, day_number};
use super::parse::{Faults, Warning, parse};
use super::plan::Plan;
use super::rule::Rule;
use super::walk::{SetWalk, Walk};
use super::{Mode, Moment};
use crate::{Error, Result};

/// Later than every occurrence, in microseconds.
const END: i64 = (LAST_DAY + 3) * DAY * 1_000_000;

/// A series: a start, rules that repeat it, dates added (RDATE) and dates left out (EXDATE).
///
/// The start is the first instance and counts for COUNT, whether the rules name it or not. A rule
/// whose UNTIL lies before the start has no instance, not even the start.
///
/// # Examples
///
/// ```
/// use worktruck_core::recurrence::{Mode, Moment, RuleSet, Start, Zone};
///
/// let start = Start::instant("2026-03-27T09:00:00+01:00".parse()?, Zone::parse("Europe/Paris")?)?;
/// let skipped: Moment = "2026-03-28T08:00:00Z".parse()?;
/// let (set, warnings) = RuleSet::new(start, &["FREQ=DAILY;COUNT=4"], &[skipped], &[], Mode::Strict)?;
/// assert!(warnings.is_empty());
/// // Clocks are set forward on the 29th.
/// assert_eq!(set.next_after(set.start().moment())?, Some("2026-03-29T09:00:00+02:00".parse()?));
/// assert_eq!(set.last()?, Some("2026-03-30T09:00:00+02:00".parse()?));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleSet {
    pub(super) start: Start,
    pub(super) rules: Vec<Rule>,
    /// One for each rule.
    pub(super) plans: Vec<Plan>,
    pub(super) exdates: BTreeSet<i64>,
    pub(super) rdates: BTreeSet<i64>,
    /// What is added to the rules: the RDATEs and, if there is no rule, the start.
    pub(super) extra: BTreeSet<i64>,
}

impl RuleSet {
    /// Reads rules and exceptions, and says what was read although it is wrong.
    ///
    /// A rule may have the prefix `RRULE:`, a final semicolon and lower case. A date as UNTIL of a
    /// series with times means all of that day in the zone of the series, in both modes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a rule cannot be read or
    /// is not supported; in [`Mode::Strict`] also if RFC 5545 forbids it, or an exception is a date
    /// where a moment belongs or the other way round. The pointer is `/rrule` (`/rrules/1` if there
    /// are several), `/exdates/0` or `/rdates/0`.
    pub fn new(
        start: Start,
        rules: &[impl AsRef<str>],
        exdates: &[Moment],
        rdates: &[Moment],
        mode: Mode,
    ) -> Result<(Self, Vec<Warning>)> {
        let mut warnings = Vec::new();
        let mut parsed = Vec::with_capacity(rules.len());
        for (i, text) in rules.iter().enumerate() {
            let pointer = if rules.len() == 1 { "/rrule".to_owned() } else { format!("/rrules/{i}") };
            let rule = parse(text.as_ref(), &start, &mut Faults { mode, pointer, warnings: &mut warnings })?;
            if !parsed.contains(&rule) {
                parsed.push(rule);
            }
        }
        let mut listed = [BTreeSet::new(), BTreeSet::new()];
        for ((name, moments), set) in [("exdates", exdates), ("rdates", rdates)].into_iter().zip(&mut listed) {
            for (i, moment) in moments.iter().enumerate() {
                let pointer = format!("/{name}/{i}");
                let mut faults = Faults { mode, pointer, warnings: &mut warnings };
                set.insert(exception(*moment, &start, &mut faults)?);
            }
        }
        let [exdates, rdates] = listed;
        Ok((Self::assemble(start, parsed, exdates, rdates), warnings))
    }

    pub(super) fn assemble(start: Start, rules: Vec<Rule>, exdates: BTreeSet<i64>, rdates: BTreeSet<i64>) -> Self {
        let plans = rules.iter().map(|rule| Plan::new(rule, &start)).collect();
        let mut extra = rdates.clone();
        if rules.is_empty() {
            extra.insert(start.at);
        }
        Self { start, rules, plans, exdates, rdates, extra }
    }

    /// Where the series starts.
    #[must_use]
    pub const fn start(&self) -> &Start {
        &self.start
    }

    /// Its rules; `to_string` of one is its canonical text.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The occurrences left out, in order.
    #[must_use]
    pub fn exdates(&self) -> Vec<Moment> {
        self.exdates.iter().map(|at| self.start.moment_at(*at)).collect()
    }

    /// The occurrences added, in order.
    #[must_use]
    pub fn rdates(&self) -> Vec<Moment> {
        self.rdates.iter().map(|at| self.start.moment_at(*at)).collect()
    }

    /// The first occurrence later than `moment`, which need not be one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if `moment` is a date and the
    /// series has times or the other way round, or if finding the answer takes too much work.
    pub fn next_after(&self, moment: Moment) -> Result<Option<Moment>> {
        let from = self.start.micros(moment)?.saturating_add(1);
        Ok(self.first_in((from, END))?.map(|at| self.start.moment_at(at)))
    }

    /// Whether `moment` is an occurrence.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::next_after`].
    pub fn contains(&self, moment: Moment) -> Result<bool> {
        let at = self.start.micros(moment)?;
        Ok(self.first_in((at, at.saturating_add(1)))?.is_some())
    }

    /// Whether it goes on for ever: one of its rules has neither COUNT nor UNTIL.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.rules.iter().any(|rule| !rule.is_bounded())
    }

    /// The last occurrence; nothing if the series is endless or has no occurrence at all.
    ///
    /// [`RuleSet::is_endless`] tells the two apart.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if finding it takes too much work.
    pub fn last(&self) -> Result<Option<Moment>> {
        if self.is_endless() {
            return Ok(None);
        }
        let mut last = self.extra.iter().rev().find(|at| !self.exdates.contains(at)).copied();
        let mut budget = Budget::new();
        for (rule, plan) in self.rules.iter().zip(&self.plans) {
            last = last.max(self.last_of(rule, plan, &mut budget)?);
        }
        Ok(last.map(|at| self.start.moment_at(at)))
    }

    /// The first occurrence after `start` of the same rules restarted there.
    ///
    /// It is what follows a task that repeats from its completion. EXDATEs stay in force, RDATEs do
    /// not. A COUNT starts anew, so that a caller who wants it to run out has to lower it.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::next_after`].
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::recurrence::{Mode, RuleSet, Start};
    ///
    /// let day = |text: &str| text.parse().map_err(|_| worktruck_core::Error::invalid("not a date"));
    /// let (set, _) = RuleSet::new(Start::date(day("2026-01-31")?)?, &["FREQ=MONTHLY"], &[], &[], Mode::Strict)?;
    /// assert_eq!(set.next_from(Start::date(day("2026-02-10")?)?)?, Some("2026-03-10".parse()?));
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    pub fn next_from(&self, start: Start) -> Result<Option<Moment>> {
        let exdates = if start.all_day == self.start.all_day { self.exdates.clone() } else { BTreeSet::new() };
        Self::assemble(start, self.rules.clone(), exdates, BTreeSet::new()).next_after(start.moment())
    }

    pub(super) fn first_in(&self, range: (i64, i64)) -> Result<Option<i64>> {
        let mut budget = Budget::new();
        SetWalk::new(self, range, &mut budget)?.next(&mut budget)
    }

    fn last_of(&self, rule: &Rule, plan: &Plan, budget: &mut Budget) -> Result<Option<i64>> {
        let first_from = |from: i64, budget: &mut Budget| {
            let mut walk = Walk::new(rule, plan, &self.start, (from, END), budget)?;
            while let Some(item) = walk.next(budget)? {
                if !self.exdates.contains(&item.at) {
                    return Ok(Some(item.at));
                }
            }
            Ok::<_, Error>(None)
        };
        let Some(mut last) = first_from(self.start.at, budget)? else { return Ok(None) };
        match first_from(last + 1, budget)? {
            Some(at) => last = at,
            None => return Ok(Some(last)),
        }
        let is_known = self.start.zone.is_utc() && plan.times_per_period().is_some();
        if rule.count.is_some() && !is_known {
            let mut walk = Walk::new(rule, plan, &self.start, (last, END), budget)?;
            while let Some(item) = walk.next(budget)? {
                if !self.exdates.contains(&item.at) {
                    last = item.at;
                }
            }
            return Ok(Some(last));
        }
        // Between an occurrence and a moment that none follows, halve what is unknown.
        let mut end = rule.until.map_or(END, |until| until.last_micro(&self.start)).min(END);
        while last < end {
            let middle = last + (end - last) / 2 + 1;
            match first_from(middle, budget)? {
                Some(at) => last = at,
                None => end = middle - 1,
            }
        }
        Ok(Some(last))
    }
}

/// What an EXDATE or RDATE says of the series.
fn exception(moment: Moment, start: &Start, faults: &mut Faults<'_>) -> Result<i64> {
    let at = match (start.all_day, moment, faults.mode) {
        (true, Moment::Instant(at), Mode::Lenient { zone }) => {
            faults.fault("the series has whole days and this is a time", "its date is taken")?;
            let wall = zone.wall(at).ok_or_else(|| faults.error("this has no date"))?;
            day_number(wall.date()) * DAY * 1_000_000
        }
        (false, Moment::Date(date), Mode::Lenient { .. }) => {
            faults.fault("the series has times and this is a date", "the time of the start is added")?;
            let wall = day_number(date) * DAY + start.wall.rem_euclid(DAY);
            start.zone.resolve(wall).at.saturating_mul(1_000_000).saturating_add(start.fraction)
        }
        _ => start.micros(moment).map_err(|e| e.at(faults.pointer.clone()))?,
    };
    Ok(at)
}
