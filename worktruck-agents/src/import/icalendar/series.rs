//! When an event takes place: its end, its rule, and the dates that are added or left out.

use chrono::{NaiveDate, NaiveTime};
use worktruck_core::Timestamp;
use worktruck_core::entity::event::Event;
use worktruck_core::recurrence::{Mode, Moment, RuleSet, Start};

use super::property::Property;
use super::time::{Span, Written};
use super::zones::{Clock, Zones};
use super::{Problems, reason};
use crate::import::intake::quoted;

/// What an event says of its times.
#[derive(Debug)]
pub(super) struct Dates {
    start: Written,
    /// The clocks of the start.
    clock: Clock,
    end: Option<(u64, String, End)>,
    rule: Option<(u64, String)>,
    exdates: Vec<Moment>,
    rdates: Vec<Moment>,
}

#[derive(Debug)]
enum End {
    At(Written, Clock),
    After(Span),
}

impl Dates {
    pub(super) const fn new(start: Written, clock: Clock) -> Self {
        Self { start, clock, end: None, rule: None, exdates: Vec::new(), rdates: Vec::new() }
    }

    /// Takes in a property; gives back the lines that must be kept.
    pub(super) fn read(&mut self, property: &Property, zones: &mut Zones<'_>, problems: &mut Problems) -> Vec<String> {
        let name = property.name.as_str();
        let value = property.raw_value();
        let problem = match name {
            "DTEND" | "DURATION" if self.end.is_some() => Some("the event has an end already"),
            "DTEND" => match Written::read(value) {
                Some(end) => {
                    let clock = self.clock_of(property, zones, problems);
                    self.end = Some((property.number, property.raw.clone(), End::At(end, clock)));
                    None
                }
                None => Some("it is neither a date nor a time"),
            },
            "DURATION" => match Span::read(value) {
                Some(span) => {
                    self.end = Some((property.number, property.raw.clone(), End::After(span)));
                    None
                }
                None => Some("it is not a duration"),
            },
            "RRULE" if self.rule.is_some() => Some("the event has a rule already, and follows the first"),
            "RRULE" if value.trim().is_empty() => None,
            "RRULE" => {
                self.rule = Some((property.number, value.trim().to_owned()));
                None
            }
            "EXRULE" => Some("occurrences cannot be left out by a rule"),
            _ => return self.list(property, zones, problems),
        };
        let Some(problem) = problem else { return Vec::new() };
        problems.warn(property.number, Some(name), format!("{name} {}: {problem}; kept in metadata", quoted(value)));
        vec![property.raw.clone()]
    }

    /// The clocks by which a date or time is to be read.
    pub(super) fn clock_of(&self, property: &Property, zones: &mut Zones<'_>, problems: &mut Problems) -> Clock {
        match property.parameter("TZID") {
            Some(name) => zones.clock(name, property.number, problems),
            None => self.clock.clone(),
        }
    }

    /// Reads EXDATE and RDATE.
    fn list(&mut self, property: &Property, zones: &mut Zones<'_>, problems: &mut Problems) -> Vec<String> {
        let clock = self.clock_of(property, zones, problems);
        let name = property.name.as_str();
        let (mut bad, mut is_period, mut is_other) = (Vec::new(), false, false);
        for value in property.raw_value().split(',').filter(|value| !value.trim().is_empty()) {
            let start = value.split('/').next().unwrap_or_default();
            is_period |= start.len() < value.len();
            let Some(written) = Written::read(start) else {
                bad.push(value);
                continue;
            };
            let is_day = matches!(written, Written::Date(_));
            is_other |= is_day != matches!(self.start, Written::Date(_));
            let moment = occurrence(self.start, &self.clock, written, &clock);
            if name == "EXDATE" { self.exdates.push(moment) } else { self.rdates.push(moment) }
        }
        if is_other {
            let message = format!("{name} does not have the type of DTSTART; it is read as if it had");
            problems.warn(property.number, Some(name), message);
        }
        if is_period {
            let message = format!("{name} has periods; their starts are taken, and the length of the event");
            problems.warn(property.number, Some(name), message);
        }
        if bad.is_empty() {
            return Vec::new();
        }
        let values = bad.join(",");
        let message = format!("{name} {} is neither a date nor a time; kept in metadata", quoted(&values));
        problems.warn(property.number, Some(name), message);
        vec![format!("{name}:{values}")]
    }

    /// Puts the times into the event; gives back the lines that must be kept.
    pub(super) fn put_into(&self, event: &mut Event, is_override: bool, problems: &mut Problems) -> Vec<String> {
        let mut kept = Vec::new();
        match self.start {
            Written::Date(date) => {
                event.is_all_day = true;
                event.start_date = Some(date);
                event.start_at = None;
            }
            Written::Local(_) | Written::Utc(_) => {
                event.start_at = Some(timestamp(self.start, &self.clock));
                event.timezone = Some(self.clock.zone().name().to_owned());
            }
        }
        if let Some((line, raw, end)) = &self.end {
            let is_set = match self.start {
                Written::Date(date) => self.end_date(date, end).map(|end| {
                    // Some say that a day ends when it begins.
                    event.end_date = Some(end).filter(|end| *end != date);
                    end >= date
                }),
                _ => self.end_at(end).map(|end| {
                    event.end_at = Some(end);
                    event.start_at.is_none_or(|start| end >= start)
                }),
            };
            if is_set != Some(true) {
                (event.end_at, event.end_date) = (None, None);
                problems.warn(*line, Some("DTEND"), "the event ends before it begins; its end is kept in metadata");
                kept.push(raw.clone());
            }
        }
        if is_override {
            if let Some((line, rule)) = &self.rule {
                let message = "an occurrence of a series cannot repeat; its RRULE is kept in metadata";
                problems.warn(*line, Some("RRULE"), message);
                kept.push(format!("RRULE:{rule}"));
            }
            return kept;
        }
        kept.extend(self.repeat(event, problems));
        kept
    }

    /// Puts in rule and dates, in the form that they are stored in.
    fn repeat(&self, event: &mut Event, problems: &mut Problems) -> Option<String> {
        let (clock, mut exdates, mut rdates) = (&self.clock, self.exdates.clone(), self.rdates.clone());
        for dates in [&mut exdates, &mut rdates] {
            dates.sort_unstable();
            dates.dedup();
        }
        (event.exdates, event.rdates) = (exdates, rdates);
        let (line, text) = self.rule.clone()?;
        let start = match (event.start_date, event.start_at) {
            (Some(date), _) => Start::date(date),
            (None, at) => Start::instant(at.unwrap_or(Timestamp::EPOCH), clock.zone()),
        };
        let mode = Mode::Lenient { zone: clock.zone() };
        let none: [Moment; 0] = [];
        match start.and_then(|start| RuleSet::new(start, &[&text], &none, &none, mode)) {
            Ok((set, warnings)) => {
                event.rrule = set.rules().first().map(ToString::to_string);
                for warning in warnings {
                    problems.warn(line, Some("RRULE"), format!("RRULE {}: {}", quoted(&text), warning.message));
                }
                None
            }
            Err(error) => {
                let message = format!("RRULE {}: {}; kept in metadata", quoted(&text), reason(&error));
                problems.warn(line, Some("RRULE"), message);
                Some(format!("RRULE:{text}"))
            }
        }
    }

    fn end_date(&self, start: NaiveDate, end: &End) -> Option<NaiveDate> {
        match end {
            End::At(Written::Date(date), _) => Some(*date),
            // A day that a time lies in belongs to the event.
            End::At(Written::Local(wall) | Written::Utc(wall), _) if wall.time() == NaiveTime::MIN => Some(wall.date()),
            End::At(Written::Local(wall) | Written::Utc(wall), _) => wall.date().succ_opt(),
            End::After(span) => span.after_day(start),
        }
    }

    fn end_at(&self, end: &End) -> Option<Timestamp> {
        match (end, self.start) {
            (End::At(written, clock), _) => Some(timestamp(*written, clock)),
            (End::After(span), Written::Local(wall) | Written::Utc(wall)) => {
                let (wall, rest) = span.after_time(wall)?;
                // Days are counted by clocks, and a time that clocks show twice is where the start is.
                let day = if span.days == 0 { timestamp(self.start, &self.clock) } else { self.clock.timestamp(wall) };
                Some(Timestamp::from_micros(day.as_micros().checked_add(rest.num_microseconds()?)?))
            }
            (End::After(_), Written::Date(_)) => None,
        }
    }
}

/// Which occurrence of a series that begins at `start` a date or time names, whatever type it has.
pub(super) fn occurrence(start: Written, start_clock: &Clock, written: Written, clock: &Clock) -> Moment {
    match (start, written) {
        (Written::Date(_), Written::Date(date)) => Moment::Date(date),
        (Written::Date(_), Written::Local(wall)) => Moment::Date(wall.date()),
        (Written::Date(_), Written::Utc(wall)) => {
            let at = Clock::Known(worktruck_core::recurrence::Zone::UTC).timestamp(wall);
            Moment::Date(clock.zone().wall(at).unwrap_or(wall).date())
        }
        (Written::Local(wall) | Written::Utc(wall), Written::Date(date)) => {
            let written = date.and_time(wall.time());
            let written =
                if matches!(start, Written::Utc(_)) { Written::Utc(written) } else { Written::Local(written) };
            Moment::Instant(timestamp(written, start_clock))
        }
        (_, written) => Moment::Instant(timestamp(written, clock)),
    }
}

/// The moment of a date or time; a date is the midnight that it begins with.
fn timestamp(written: Written, clock: &Clock) -> Timestamp {
    match written {
        Written::Date(date) => clock.timestamp(date.and_time(NaiveTime::MIN)),
        Written::Local(wall) => clock.timestamp(wall),
        Written::Utc(wall) => worktruck_core::recurrence::Zone::UTC.timestamp(wall),
    }
}
