use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::recurrence::Zone;
use crate::{Error, Result, Timestamp};

/// The longest cron expression, in bytes.
const MAX_EXPRESSION: usize = 256;
/// How far back a search for the last due time looks first.
const FIRST_REACH: Duration = Duration::from_secs(60);

/// The due times of a cron expression in a time zone.
///
/// An expression has five fields: minute, hour, day of the month, month, day of the week; a field of seconds may come
/// before them. Beside lists, ranges and steps, `L`, `W` and `#` are understood. If both days are given, one of them is
/// enough. Clocks that change are described in the [module](super).
///
/// # Examples
///
/// ```
/// use worktruck_core::Timestamp;
/// use worktruck_core::schedule::Timetable;
///
/// let mornings = Timetable::parse("30 7 * * MON-FRI", "Europe/Berlin")?;
/// let friday: Timestamp = "2026-04-17T12:00:00Z".parse()?;
/// assert_eq!(mornings.after(friday), Some("2026-04-20T05:30:00Z".parse()?));
///
/// assert_eq!(Timetable::parse("30 7 * *", "UTC").unwrap_err().pointer(), Some("/cron_expression"));
/// assert_eq!(Timetable::parse("30 7 * * *", "Mars").unwrap_err().pointer(), Some("/timezone"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Timetable {
    /// What is due on clocks that never change.
    cron: Cron,
    zone: Zone,
    /// Whether it follows elapsed time where clocks change.
    repeats: bool,
}

impl Timetable {
    /// Reads a cron expression and the name of a zone.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/cron_expression` or `/timezone`; also if the expression names no day that ever comes.
    pub fn parse(cron_expression: &str, timezone: &str) -> Result<Self> {
        let zone = Zone::parse(timezone).map_err(|e| e.at("/timezone"))?;
        let refuse = |why: &str| {
            let message = format!("{cron_expression:?} is not a cron expression: {why}");
            Error::invalid(message).at("/cron_expression")
        };
        if cron_expression.len() > MAX_EXPRESSION || !cron_expression.is_ascii() {
            let message = format!("a cron expression has at most {MAX_EXPRESSION} ASCII characters");
            return Err(Error::invalid(message).at("/cron_expression"));
        }
        let fields: Vec<&str> = cron_expression.split_ascii_whitespace().collect();
        if !matches!(fields.len(), 5 | 6) {
            let message = format!("it has {} fields instead of 5, or 6 with seconds", fields.len());
            return Err(refuse(&message));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(cron_expression).map_err(|e| refuse(&e.to_string()).with_source(e))?;
        // All but the three fields of days.
        let repeats = fields.iter().rev().skip(3).any(|field| field.contains('*'));
        let timetable = Self { cron, zone, repeats };
        match timetable.wall_after(0, true) {
            Some(_) => Ok(timetable),
            None => Err(refuse("it names no day that ever comes")),
        }
    }

    /// The first due time after `moment`; nothing if there is none within what calendars reach.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let second = moment.as_micros().div_euclid(1_000_000);
        let due = if self.repeats { self.elapsed_after(second) } else { self.shown_after(second) };
        due.map(|due| Timestamp::from_micros(due.saturating_mul(1_000_000)))
    }

    /// The last due time after `moment`, up to and with `until`.
    #[must_use]
    pub fn last_until(&self, moment: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut reach = FIRST_REACH;
        loop {
            let from = until.before(reach).max(moment);
            let mut due = self.after(from).filter(|due| *due <= until);
            if due.is_some() || from == moment {
                let mut last = None;
                while let Some(found) = due {
                    last = due;
                    due = self.after(found).filter(|due| *due <= until);
                }
                return last;
            }
            reach = reach.saturating_mul(2);
        }
    }

    /// The first second after `second` at which clocks show a due time, each of them once.
    fn shown_after(&self, second: i64) -> Option<i64> {
        let mut wall = second + self.zone.offset_at(second);
        loop {
            wall = self.wall_after(wall, false)?;
            let shown = self.zone.reaches(wall);
            // In the second of two equal hours, what clocks show has been shown before.
            if shown > second {
                return Some(shown);
            }
        }
    }

    /// The first second after `second` at which clocks show a due time, however often.
    fn elapsed_after(&self, second: i64) -> Option<i64> {
        let (mut from, mut inclusive) = (second, false);
        loop {
            let offset = self.zone.offset_at(from);
            let due = self.wall_after(from + offset, inclusive)? - offset;
            let Some(change) = self.zone.change_within(from, due) else { return Some(due) };
            (from, inclusive) = (change, true);
        }
    }

    /// The first second of a wall clock that never changes which matches, in seconds.
    fn wall_after(&self, wall: i64, inclusive: bool) -> Option<i64> {
        let from = DateTime::<Utc>::from_timestamp(wall, 0)?;
        self.cron.find_next_occurrence(&from, inclusive).ok().map(|found| found.timestamp())
    }
}
