//! Windows of time, and which events may lie in one.

use chrono::{Days, NaiveDate, NaiveTime};

use crate::entity::Term;
use crate::entity::event::{EventKeys, Length, MONTHS_INDEXED, day_key, month_name, months, time_key, year_name};
use crate::recurrence::{Moment, Zone};
use crate::store::ListQuery;
use crate::{Error, Result, Timestamp};

use super::slots::Slot;

/// The most months of a window whose years are looked up.
const MONTHS_LOOKED_UP: usize = 100 * 12;

/// A window of time. Days begin at midnight in its zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    pub(super) zone: Zone,
}

impl Window {
    /// From `from` up to, and not including, `to`; a date stands for the midnight that it begins with.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/to` if `to` is not later than `from`.
    pub(super) fn new(from: Option<Moment>, to: Option<Moment>, zone: Zone) -> Result<Self> {
        let bound = |moment: Moment| match moment {
            Moment::Date(date) => midnight(zone, date),
            Moment::Instant(at) => at,
        };
        let (from, to) = (from.map(bound), to.map(bound));
        if let Some((from, to)) = from.zip(to)
            && to <= from
        {
            return Err(Error::invalid(format!("to must be later than from, but {to} is not after {from}")).at("/to"));
        }
        Ok(Self { from, to, zone })
    }

    /// The window itself; where it has no bound, that of all time.
    pub(super) fn slot(&self) -> Slot {
        let bound =
            |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).map_or(Timestamp::EPOCH, |date| midnight(Zone::UTC, date));
        Slot { start: self.from.unwrap_or_else(|| bound(0)), end: self.to.unwrap_or_else(|| bound(10_000)) }
    }

    /// Asks for the events that may take place in the window: exactly those, but a series lies in it from its first
    /// occurrence to the end of its last.
    pub(super) fn apply(&self, query: ListQuery) -> ListQuery {
        let mut query = query;
        if let Some(to) = self.to {
            let days = ("D".to_owned(), day_key(self.day_from(to)));
            query = query.within(EventKeys::BEGINS, [days, ("T".to_owned(), time_key(to))]);
        }
        if let Some(from) = self.from {
            // Later than `from`: what ends when the window begins is over.
            let days = (day_key(self.day_from(from.next())), "E".to_owned());
            query = query.within(EventKeys::ENDS, [days, (time_key(from.next()), "U".to_owned())]);
        }
        if let Some((from, to)) = self.from.zip(self.to) {
            let covered = months(from, to, MONTHS_INDEXED);
            let mut terms: Vec<Term> =
                covered.iter().map(|(year, month)| Term::new("month", month_name(*year, *month))).collect();
            if terms.is_empty() {
                let mut years: Vec<i32> = months(from, to, MONTHS_LOOKED_UP).iter().map(|(year, _)| *year).collect();
                years.dedup();
                terms.extend(years.into_iter().map(|year| Term::new("year", year_name(year))));
            }
            if !terms.is_empty() {
                terms.push(Term::new("span", "long"));
                terms.push(Term::new("span", "recurring"));
                query.any.push(terms);
            }
        }
        query
    }

    /// The time that an occurrence takes.
    pub(super) fn time_of(&self, start: Moment, length: Length) -> Slot {
        let bound = |moment: Moment| match moment {
            Moment::Date(date) => midnight(self.zone, date),
            Moment::Instant(at) => at,
        };
        Slot { start: bound(start), end: bound(length.end_of(start)) }
    }

    /// Whether the occurrence at `start`, which takes this time, is in the window. What takes no time is at its moment,
    /// but a day that clocks skip is nowhere.
    pub(super) fn shows(&self, start: Moment, time: Slot) -> bool {
        let ends_after =
            |from: Timestamp| from < time.end || (start == Moment::Instant(from) && time.start == time.end);
        self.to.is_none_or(|to| time.start < to) && self.from.is_none_or(ends_after)
    }

    /// The first day that begins at or after `at`.
    fn day_from(&self, at: Timestamp) -> NaiveDate {
        let Some(wall) = self.zone.wall(at) else { return NaiveDate::MAX };
        // Clocks may skip a midnight, or a day.
        let near = wall.date().checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
        let mut days = near.iter_days().take(5);
        days.find(|day| midnight(self.zone, *day) >= at).unwrap_or(NaiveDate::MAX)
    }
}

/// When a day begins.
pub(super) fn midnight(zone: Zone, date: NaiveDate) -> Timestamp {
    zone.timestamp(date.and_time(NaiveTime::MIN))
}
