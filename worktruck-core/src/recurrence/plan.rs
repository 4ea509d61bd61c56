//! A rule prepared for a start: what the start implies is filled in, and lists are sets of bits.

use super::budget::Budget;
use super::calendar::{DAY, Date, LAST_DAY, Year, week_of, weekday};
use super::moment::Start;
use super::parse::seconds_of;
use super::rule::{Frequency, Rule};
use super::sets::{Limits, Signed, Weekdays, bit, bits, next_in};
use super::span::{Span, picked};
use crate::Result;

/// Days of 400 years, which are whole weeks too.
const CYCLE: i64 = 146_097;

/// What decides whether a period, a day, and a time belong to a rule.
///
/// Every day is tested by itself: it belongs to the rule if each part that speaks of days has a
/// value that matches. Times are a list that is the same in every period.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) frequency: Frequency,
    interval: i64,
    week_start: i64,
    /// The unit (year, month, …, second) that holds the start.
    base: i64,
    months: u64,
    month_days: Option<Signed>,
    year_days: Option<Vec<i64>>,
    weeks: Option<Signed>,
    weekdays: Option<Weekdays>,
    limits: Limits,
    /// Seconds since the period or, if it has days, since the day begins.
    times: Vec<i64>,
    positions: Vec<i64>,
    /// Whether no time it allows is ever reached.
    never: bool,
}

impl Plan {
    pub(super) fn new(rule: &Rule, start: &Start) -> Self {
        let first = Date::of(start.wall.div_euclid(DAY));
        let frequency = if start.all_day { rule.frequency.max(Frequency::Daily) } else { rule.frequency };
        let has_days = !rule.weekdays.is_empty() || !rule.month_days.is_empty();
        let by_date = has_days || !rule.year_days.is_empty() || !rule.weeks.is_empty();
        let mut months = bits(&rule.months);
        let mut month_days = (!rule.month_days.is_empty()).then(|| Signed::of(&rule.month_days));
        let mut weekdays = (!rule.weekdays.is_empty()).then(|| Weekdays::of(rule));
        let start_month_day = Some(Signed { front: bit(first.day_of_month), back: 0 });
        let start_weekday = Some(Weekdays { each: bit(first.weekday()), numbered: Vec::new(), in_year: false });
        match frequency {
            Frequency::Weekly if !by_date => weekdays = start_weekday,
            Frequency::Monthly if !by_date => month_days = start_month_day,
            Frequency::Yearly if rule.year_days.is_empty() => {
                let no_weekdays = rule.weekdays.is_empty();
                if rule.weeks.is_empty() && months == 0 && (month_days.is_some() || no_weekdays) {
                    months = bit(first.month);
                }
                if !has_days && rule.weeks.is_empty() {
                    month_days = start_month_day;
                } else if !has_days {
                    weekdays = start_weekday;
                }
            }
            _ => {}
        }
        let mut plan = Self {
            frequency,
            interval: rule.interval.max(1),
            week_start: rule.week_start,
            base: 0,
            months: if months == 0 { u64::MAX } else { months },
            month_days,
            year_days: (!rule.year_days.is_empty()).then(|| rule.year_days.clone()),
            weeks: (!rule.weeks.is_empty()).then(|| Signed::of(&rule.weeks)),
            weekdays,
            limits: Limits::of(rule, frequency),
            times: if start.all_day { vec![0] } else { times(rule, frequency, start.wall.rem_euclid(DAY)) },
            positions: rule.positions.clone(),
            never: false,
        };
        plan.base = plan.unit_of(start.wall);
        // Periods within a day all have the same number of times, too few for some positions.
        let no_position = frequency <= Frequency::Daily
            && !plan.positions.is_empty()
            && picked(&plan.positions, plan.times.len()).is_empty();
        plan.never = no_position || plan.is_out_of_reach();
        plan
    }

    /// The number of the period, counted from the one that holds the start, that `wall` lies in or before.
    pub(super) fn period_of(&self, wall: i64) -> i64 {
        (self.unit_of(wall) - self.base).div_euclid(self.interval).max(0)
    }

    /// How many times every period has, if that is the same for all of them.
    pub(super) fn times_per_period(&self) -> Option<u64> {
        let weekdays = match (self.frequency, &self.weekdays) {
            (Frequency::Weekly, Some(days)) => u64::from(days.each.count_ones()),
            (Frequency::Daily | Frequency::Hourly | Frequency::Minutely | Frequency::Secondly, None) => 1,
            _ => return None,
        };
        let every_day = self.months == u64::MAX
            && self.month_days.is_none()
            && self.year_days.is_none()
            && self.weeks.is_none()
            && self.limits == Limits::NONE
            && self.positions.is_empty();
        every_day.then_some(())?;
        Some(weekdays * u64::try_from(self.times.len()).ok()?)
    }

    /// The first period from `period` on that may have occurrences on days up to `last_day`.
    pub(super) fn seek(&self, mut period: i64, last_day: i64, budget: &mut Budget) -> Result<Option<i64>> {
        if self.never {
            return Ok(None);
        }
        let mut last_day = last_day;
        if let Some(first) = self.period_start(period) {
            last_day = last_day.min(first.saturating_add(self.cycle()));
        }
        loop {
            budget.spend()?;
            let Some(first) = self.period_start(period).filter(|first| *first <= last_day) else { return Ok(None) };
            let unit = self.interval.saturating_mul(period).saturating_add(self.base);
            let Some(day) = self.next_day(first, last_day, budget)? else { return Ok(None) };
            let mut wanted = self.unit_of(day * DAY);
            if wanted <= unit {
                wanted = self.next_unit(unit);
            }
            if wanted <= unit {
                return Ok(Some(period));
            }
            // Rounded up: the period that holds the wanted unit, or the next one.
            period = -(self.base - wanted).div_euclid(self.interval);
        }
    }

    /// The times of a period.
    pub(super) fn span(&self, period: i64, budget: &mut Budget) -> Result<Span<'_>> {
        let unit = self.interval.saturating_mul(period).saturating_add(self.base);
        let mut days = Vec::new();
        let mut offset = 0;
        if let Some(seconds) = self.unit_seconds() {
            let wall = unit.saturating_mul(seconds);
            days.push(wall.div_euclid(DAY));
            offset = wall.rem_euclid(DAY);
        } else if let (Some(first), Some(next)) = (self.first_day(unit), self.first_day(unit.saturating_add(1))) {
            let mut from = first;
            while let Some(day) = self.next_day(from, next - 1, budget)? {
                days.push(day);
                from = day + 1;
            }
        }
        let all = days.len() * self.times.len();
        let picked = (!self.positions.is_empty()).then(|| picked(&self.positions, all));
        Ok(Span { days, offset, times: &self.times, picked, next: 0 })
    }

    /// The first day from `from` to `last` that the rule allows.
    fn next_day(&self, from: i64, last: i64, budget: &mut Budget) -> Result<Option<i64>> {
        let start = Date::of(from);
        let (mut year, mut month, mut from) = (start.year, start.month, from);
        // The calendar repeats itself: what is not in 400 years never is.
        let last = last.min(from + CYCLE);
        loop {
            budget.spend()?;
            if from > last {
                return Ok(None);
            }
            if self.months & bit(month) != 0 {
                let mut date = Date::in_month(year, month, from);
                let mut days = self.month_days.map_or(u64::MAX, |days| days.in_length(date.month_len));
                days &= u64::MAX.checked_shl(u32::try_from(date.day_of_month).unwrap_or(0)).unwrap_or(0);
                days &= bit(date.month_len + 1) - 1;
                let before = from - date.day_of_month;
                while days != 0 {
                    date.day_of_month = days.trailing_zeros().into();
                    date.day = before + date.day_of_month;
                    if date.day > last {
                        return Ok(None);
                    }
                    budget.spend()?;
                    if self.allows(date) {
                        return Ok(Some(date.day));
                    }
                    days &= days - 1;
                }
            }
            month += 1;
            if month > 12 {
                (year, month) = (Year::new(year.number + 1), 1);
            }
            from = year.month_start(month);
        }
    }

    /// Whether a day matches the parts other than BYMONTH and BYMONTHDAY.
    fn allows(&self, date: Date) -> bool {
        let in_weekdays = self.weekdays.as_ref().is_none_or(|days| days.allow(date));
        let in_year_days = self.year_days.as_ref().is_none_or(|days| {
            let front = date.day_of_year();
            days.binary_search(&front).is_ok() || days.binary_search(&(front - date.year.len - 1)).is_ok()
        });
        let in_weeks = || {
            self.weeks.is_none_or(|weeks| {
                let (week, of) = week_of(date.day, self.week_start);
                weeks.in_length(of) & bit(week) != 0
            })
        };
        in_weekdays && in_year_days && in_weeks()
    }

    /// The first unit from `unit` on within its day, or the first of the next day, that BYHOUR, BYMINUTE and
    /// BYSECOND allow as limits.
    fn next_unit(&self, unit: i64) -> i64 {
        let Some(seconds) = self.unit_seconds() else { return unit };
        let (hour_units, minute_units) = (3600 / seconds, (60 / seconds).max(1));
        let hour = unit.div_euclid(hour_units);
        let allowed = next_in(self.limits.hours, hour.rem_euclid(24), 24);
        if allowed != hour.rem_euclid(24) {
            return (hour - hour.rem_euclid(24) + allowed) * hour_units;
        }
        if self.frequency == Frequency::Hourly {
            return unit;
        }
        let minute = unit.div_euclid(minute_units);
        let allowed = next_in(self.limits.minutes, minute.rem_euclid(60), 60);
        if allowed != minute.rem_euclid(60) {
            return (minute - minute.rem_euclid(60) + allowed) * minute_units;
        }
        if self.frequency == Frequency::Minutely {
            return unit;
        }
        unit - unit.rem_euclid(60) + next_in(self.limits.seconds, unit.rem_euclid(60), 60)
    }

    /// Whether steps of the interval pass by every weekday and time of day that is allowed.
    fn is_out_of_reach(&self) -> bool {
        if self.frequency > Frequency::Daily {
            return false;
        }
        let per_day = DAY / seconds_of(self.frequency);
        let weekdays = self.weekdays.as_ref().map_or(u64::MAX, |days| days.each);
        let step = common_divisor(self.interval, 7 * per_day);
        // Counted from a Monday.
        let mut unit = (self.base + weekday(0) * per_day).rem_euclid(step);
        while unit < 7 * per_day {
            let day = unit.div_euclid(per_day);
            let wanted = if weekdays & bit(day) == 0 { (day + 1) * per_day } else { self.next_unit(unit) };
            if wanted == unit {
                return false;
            }
            unit += (wanted - unit).div_euclid(step).max(1) * step;
        }
        true
    }

    /// Days after which periods meet the same days of the calendar again.
    pub(super) fn cycle(&self) -> i64 {
        let units = match self.frequency {
            Frequency::Yearly => 400,
            Frequency::Monthly => 4800,
            Frequency::Weekly => CYCLE / 7,
            within_day => CYCLE * (DAY / seconds_of(within_day)),
        };
        CYCLE.saturating_mul(self.interval / common_divisor(self.interval, units))
    }

    /// The day a period begins on.
    pub(super) fn period_start(&self, period: i64) -> Option<i64> {
        self.first_day(self.interval.checked_mul(period)?.checked_add(self.base)?)
    }

    fn unit_seconds(&self) -> Option<i64> {
        (self.frequency < Frequency::Daily).then(|| seconds_of(self.frequency))
    }

    fn unit_of(&self, wall: i64) -> i64 {
        let day = wall.div_euclid(DAY);
        match self.frequency {
            Frequency::Yearly => Year::of(day).number,
            Frequency::Monthly => {
                let date = Date::of(day);
                date.year.number * 12 + date.month - 1
            }
            Frequency::Weekly => (day + weekday(0) - self.week_start).div_euclid(7),
            Frequency::Daily => day,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                wall.div_euclid(seconds_of(self.frequency))
            }
        }
    }

    /// The day a unit begins on, as long as it is not past the last year.
    fn first_day(&self, unit: i64) -> Option<i64> {
        // A unit is a second at least, so that this holds for all that may be computed with.
        if unit > (LAST_DAY + 1) * DAY {
            return None;
        }
        let day = match self.frequency {
            Frequency::Yearly if unit <= 10_000 => Year::new(unit).first,
            Frequency::Monthly if unit <= 120_000 => {
                Year::new(unit.div_euclid(12)).month_start(unit.rem_euclid(12) + 1)
            }
            Frequency::Yearly | Frequency::Monthly => return None,
            Frequency::Weekly => unit * 7 - weekday(0) + self.week_start,
            Frequency::Daily => unit,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                unit.div_euclid(DAY / seconds_of(self.frequency))
            }
        };
        (day <= LAST_DAY + 1).then_some(day)
    }
}

/// Seconds of the day, or of the period if it is shorter, at which there are occurrences.
fn times(rule: &Rule, frequency: Frequency, start: i64) -> Vec<i64> {
    let values = |given: &[i64], finer_than: Frequency, start: i64| {
        if frequency <= finer_than {
            vec![0]
        } else if given.is_empty() {
            vec![start]
        } else {
            given.to_vec()
        }
    };
    let hours = values(&rule.hours, Frequency::Hourly, start / 3600);
    let minutes = values(&rule.minutes, Frequency::Minutely, start / 60 % 60);
    let seconds = values(&rule.seconds, Frequency::Secondly, start % 60);
    let mut times = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            times.extend(seconds.iter().map(|second| hour * 3600 + minute * 60 + second));
        }
    }
    times
}

const fn common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
