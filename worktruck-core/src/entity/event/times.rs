use chrono::{Days, NaiveDate};

use crate::recurrence::{Mode, Moment, RuleSet, Start, Zone};
use crate::{Error, Result, Timestamp};

use super::Event;

/// How long an event takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// So many days.
    Days(u64),
    /// So many microseconds, whatever clocks do meanwhile.
    Micros(i64),
}

impl Length {
    /// The end of what begins at `start`: the day after the last one, or a moment.
    #[must_use]
    pub fn end_of(self, start: Moment) -> Moment {
        match (self, start) {
            (Self::Days(days), Moment::Date(date)) => {
                Moment::Date(date.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX))
            }
            (Self::Micros(micros), Moment::Instant(at)) => {
                Moment::Instant(Timestamp::from_micros(at.as_micros().saturating_add(micros)))
            }
            // An event has a length of the kind of its start.
            (_, start) => start,
        }
    }
}

impl Event {
    /// When it begins.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/start_date` or `/start_at` if it does not say.
    pub fn start(&self) -> Result<Moment> {
        if self.is_all_day {
            let date = self.start_date.map(Moment::Date);
            date.ok_or_else(|| Error::invalid("an all-day event needs a start_date").at("/start_date"))
        } else {
            let at = self.start_at.map(Moment::Instant);
            at.ok_or_else(|| Error::invalid("an event that is not all-day needs a start_at").at("/start_at"))
        }
    }

    /// How long it takes; one day or no time if it does not say, and never less.
    #[must_use]
    pub fn length(&self) -> Length {
        if self.is_all_day {
            let days = self.start_date.zip(self.end_date).map_or(1, |(start, end)| (end - start).num_days());
            return Length::Days(u64::try_from(days).unwrap_or(1));
        }
        let micros = |at: Timestamp| at.as_micros();
        let length = self.start_at.zip(self.end_at).map_or(0, |(start, end)| micros(end).saturating_sub(micros(start)));
        Length::Micros(length.max(0))
    }

    /// The zone whose clocks it keeps to; UTC if it names none.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/timezone` if it is not one.
    pub fn zone(&self) -> Result<Zone> {
        let zone = self.timezone.as_deref().map(Zone::parse).transpose().map_err(|e| e.at("/timezone"))?;
        Ok(zone.unwrap_or(Zone::UTC))
    }

    /// Which occurrences it has.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with the JSON pointer of the field that is wrong.
    pub fn series(&self) -> Result<RuleSet> {
        self.series_without(&self.exdates)
    }

    /// Which occurrences it would have if none were left out.
    ///
    /// # Errors
    ///
    /// As for [`series`](Self::series).
    pub fn whole_series(&self) -> Result<RuleSet> {
        self.series_without(&[])
    }

    fn series_without(&self, exdates: &[Moment]) -> Result<RuleSet> {
        let start = match self.start()? {
            Moment::Date(date) => Start::date(date).map_err(|e| e.at("/start_date"))?,
            Moment::Instant(at) => Start::instant(at, self.zone()?).map_err(|e| e.at("/start_at"))?,
        };
        Ok(RuleSet::new(start, self.rrule.as_slice(), exdates, &self.rdates, Mode::Strict)?.0)
    }

    /// The same event at another start, as long as before. It is all-day if the start is a date.
    #[must_use]
    pub fn moved_to(mut self, start: Moment) -> Self {
        let length = self.length();
        let ends = if self.is_all_day { self.end_date.is_some() } else { self.end_at.is_some() };
        (self.start_at, self.end_at, self.start_date, self.end_date) = (None, None, None, None);
        let end = ends.then(|| length.end_of(start));
        match start {
            Moment::Date(date) => {
                self.is_all_day = true;
                self.start_date = Some(date);
            }
            Moment::Instant(at) => {
                self.is_all_day = false;
                self.start_at = Some(at);
            }
        }
        match end {
            Some(Moment::Date(date)) => self.end_date = Some(date),
            Some(Moment::Instant(at)) => self.end_at = Some(at),
            None => {}
        }
        self
    }
}
