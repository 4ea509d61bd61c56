//! Text to rule, and what RFC 5545 forbids.

use std::fmt;

use super::calendar::{DAY, day_of};
use super::moment::Start;
use super::rule::{Frequency, Rule, Until, WEEKDAYS, WeekdayNumber};
use super::{Mode, Zone};
use crate::{Error, Result};

/// Something that was not as it should be and was read all the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// One sentence for people: lower case, no final period.
    pub message: String,
    /// The place of the value as a JSON pointer.
    pub pointer: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.pointer)
    }
}

/// Where faults of one value go: an error if strict, else a warning.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    pub(super) mode: Mode,
    pub(super) pointer: String,
    pub(super) warnings: &'a mut Vec<Warning>,
}

impl Faults<'_> {
    /// Refuses in strict mode; else warns and says what is done instead.
    pub(super) fn fault(&mut self, wrong: &str, instead: &str) -> Result<()> {
        match self.mode {
            Mode::Strict => Err(self.error(wrong)),
            Mode::Lenient { .. } => {
                self.warn(format!("{wrong}; {instead}"));
                Ok(())
            }
        }
    }

    pub(super) fn error(&self, wrong: impl Into<String>) -> Error {
        Error::invalid(wrong).at(self.pointer.clone())
    }

    fn warn(&mut self, message: String) {
        self.warnings.push(Warning { message, pointer: self.pointer.clone() });
    }

    /// The zone in which a time is read where a date belongs.
    fn zone(&self) -> Zone {
        match self.mode {
            Mode::Strict => Zone::UTC,
            Mode::Lenient { zone } => zone,
        }
    }
}

/// Reads the text of a rule of a series that begins at `start`.
pub(super) fn parse(text: &str, start: &Start, faults: &mut Faults<'_>) -> Result<Rule> {
    let upper = text.trim().to_ascii_uppercase();
    let body = upper.strip_prefix("RRULE:").unwrap_or(&upper);
    let mut parts: Vec<(&str, &str)> = Vec::new();
    for part in body.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
            faults.fault(&format!("{part:?} is not NAME=VALUE"), "it is ignored")?;
            continue;
        };
        if parts.iter().any(|(seen, _)| *seen == name) {
            faults.fault(&format!("{name} is there twice"), "the first is taken")?;
        } else {
            parts.push((name, value));
        }
    }
    let Some((_, frequency)) = parts.iter().find(|(name, _)| *name == "FREQ") else {
        return Err(faults.error("a recurrence rule needs FREQ, for example FREQ=WEEKLY"));
    };
    let Some(frequency) = Frequency::ALL.into_iter().find(|known| known.name() == *frequency) else {
        return Err(faults.error(format!(
            "FREQ={frequency} is none of SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, \
             MONTHLY and YEARLY"
        )));
    };
    let mut rule = Rule::new(frequency);
    for (name, value) in parts {
        read_part(&mut rule, name, value, start, faults)?;
    }
    check(&mut rule, start, faults)?;
    Ok(rule)
}

fn read_part(rule: &mut Rule, name: &str, value: &str, start: &Start, faults: &mut Faults<'_>) -> Result<()> {
    match name {
        "FREQ" => {}
        "INTERVAL" => rule.interval = positive(name, value, 1, faults)?.unwrap_or(1),
        "COUNT" => rule.count = positive(name, value, 0, faults)?.and_then(|count| u64::try_from(count).ok()),
        "UNTIL" => rule.until = Some(until(value, start, faults)?),
        "BYSECOND" => {
            rule.seconds = numbers(name, value, 0, 60, faults)?;
            // Clocks that know no leap second show the last second of the minute instead.
            for second in &mut rule.seconds {
                *second = (*second).min(59);
            }
            rule.seconds.dedup();
        }
        "BYMINUTE" => rule.minutes = numbers(name, value, 0, 59, faults)?,
        "BYHOUR" => rule.hours = numbers(name, value, 0, 23, faults)?,
        "BYDAY" => rule.weekdays = weekdays(value, faults)?,
        "BYMONTHDAY" => rule.month_days = signed(name, value, 31, faults)?,
        "BYYEARDAY" => rule.year_days = signed(name, value, 366, faults)?,
        "BYWEEKNO" => rule.weeks = signed(name, value, 53, faults)?,
        "BYMONTH" => rule.months = numbers(name, value, 1, 12, faults)?,
        "BYSETPOS" => rule.positions = signed(name, value, 366, faults)?,
        "WKST" => match WEEKDAYS.iter().zip(0..).find(|(known, _)| **known == value) {
            Some((_, number)) => rule.week_start = number,
            None => faults.fault(&format!("WKST={value} is not a weekday such as MO"), "MO is taken")?,
        },
        "RSCALE" if value == "GREGORIAN" => {
            faults.fault("RSCALE is not supported; leave it out", "GREGORIAN is what rules are read in")?;
        }
        "RSCALE" => return Err(faults.error(format!("RSCALE={value} is not supported; rules are Gregorian"))),
        "SKIP" if value == "OMIT" => {}
        "SKIP" => {
            return Err(faults.error(format!("SKIP={value} is not supported; days that do not exist are left out")));
        }
        _ => faults.fault(&format!("{name} is not a part of a recurrence rule"), "it is ignored")?,
    }
    Ok(())
}

/// Combinations that mean nothing or are forbidden.
fn check(rule: &mut Rule, start: &Start, faults: &mut Faults<'_>) -> Result<()> {
    let frequency = rule.frequency;
    let name = frequency.name();
    if rule.count.is_some() && rule.until.is_some() {
        faults.fault("a rule has COUNT or UNTIL, not both", "whichever ends first counts")?;
    }
    let numbered = rule.weekdays.iter().any(|day| day.ordinal != 0);
    let in_weeks = frequency == Frequency::Yearly && !rule.weeks.is_empty();
    if numbered && (!matches!(frequency, Frequency::Monthly | Frequency::Yearly) || in_weeks) {
        let with = if in_weeks { "BYWEEKNO" } else { name };
        faults.fault(&format!("a BYDAY with a number, such as 2MO, cannot go with {with}"), "the number is ignored")?;
        for day in &mut rule.weekdays {
            day.ordinal = 0;
        }
        rule.weekdays.sort_unstable();
        rule.weekdays.dedup();
    }
    if !rule.weeks.is_empty() && frequency != Frequency::Yearly {
        faults.fault(&format!("BYWEEKNO goes with YEARLY only, not with {name}"), "other weeks are left out")?;
    }
    let no_year_days = matches!(frequency, Frequency::Daily | Frequency::Weekly | Frequency::Monthly);
    if !rule.year_days.is_empty() && no_year_days {
        faults.fault(&format!("BYYEARDAY cannot go with {name}"), "other days are left out")?;
    }
    if !rule.month_days.is_empty() && frequency == Frequency::Weekly {
        faults.fault("BYMONTHDAY cannot go with WEEKLY", "other days are left out")?;
    }
    if start.all_day {
        if frequency < Frequency::Daily {
            faults.fault(&format!("{name} is finer than the days of an all-day series"), "it is read as DAILY")?;
            let per_day = DAY / seconds_of(frequency);
            rule.interval = (rule.interval / per_day).max(1);
            rule.frequency = Frequency::Daily;
        }
        for (part, values) in
            [("BYHOUR", &mut rule.hours), ("BYMINUTE", &mut rule.minutes), ("BYSECOND", &mut rule.seconds)]
        {
            if !values.is_empty() {
                faults.fault(&format!("{part} cannot go with an all-day series"), "it is ignored")?;
                values.clear();
            }
        }
    }
    let others =
        [&rule.seconds, &rule.minutes, &rule.hours, &rule.month_days, &rule.year_days, &rule.weeks, &rule.months];
    if !rule.positions.is_empty() && rule.weekdays.is_empty() && others.iter().all(|values| values.is_empty()) {
        faults.fault("BYSETPOS needs another BY part to choose from", "it is ignored")?;
        rule.positions.clear();
    }
    Ok(())
}

/// Seconds from one period to the next, for frequencies within a day.
pub(super) const fn seconds_of(frequency: Frequency) -> i64 {
    match frequency {
        Frequency::Secondly => 1,
        Frequency::Minutely => 60,
        Frequency::Hourly => 3600,
        _ => DAY,
    }
}

fn positive(name: &str, value: &str, ignored: i64, faults: &mut Faults<'_>) -> Result<Option<i64>> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<i64>() {
        Ok(number) if digits && (1..=i64::from(u32::MAX)).contains(&number) => Ok(Some(number)),
        Err(_) | Ok(_) if digits && value.bytes().any(|byte| byte != b'0') => {
            faults.fault(&format!("{name}={value} is too large"), "the largest possible is taken")?;
            Ok(Some(u32::MAX.into()))
        }
        _ => {
            let instead = if ignored == 1 { "1 is taken" } else { "it is ignored" };
            faults.fault(&format!("{name}={value} is not a number from 1 on"), instead)?;
            Ok(None)
        }
    }
}

/// The values of a list, sorted and each once.
fn numbers(name: &str, list: &str, least: i64, most: i64, faults: &mut Faults<'_>) -> Result<Vec<i64>> {
    let mut values = Vec::new();
    for text in list.split(',').map(str::trim) {
        match text.parse::<i64>() {
            Ok(value) if (least..=most).contains(&value) => values.push(value),
            _ => faults.fault(&format!("{name} cannot be {text:?}, only {least} to {most}"), "it is ignored")?,
        }
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

/// Values that count from either end, and therefore are never 0.
fn signed(name: &str, list: &str, most: i64, faults: &mut Faults<'_>) -> Result<Vec<i64>> {
    let mut values = numbers(name, list, -most, most, faults)?;
    if values.contains(&0) {
        faults.fault(&format!("{name} cannot be 0; it counts from 1 or from -1"), "it is ignored")?;
        values.retain(|value| *value != 0);
    }
    Ok(values)
}

fn weekdays(list: &str, faults: &mut Faults<'_>) -> Result<Vec<WeekdayNumber>> {
    let mut days = Vec::new();
    for text in list.split(',').map(str::trim) {
        match weekday(text) {
            Some(day) => days.push(day),
            None => {
                faults.fault(&format!("BYDAY cannot be {text:?}, only such as MO, 2MO or -1FR"), "it is ignored")?
            }
        }
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

fn weekday(text: &str) -> Option<WeekdayNumber> {
    let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let (_, weekday) = WEEKDAYS.iter().zip(0..).find(|(known, _)| **known == name)?;
    if number.is_empty() {
        return Some(WeekdayNumber { ordinal: 0, weekday });
    }
    let ordinal = number.parse().ok().filter(|ordinal| *ordinal != 0 && (-53..=53).contains(ordinal))?;
    Some(WeekdayNumber { ordinal, weekday })
}

fn until(value: &str, start: &Start, faults: &mut Faults<'_>) -> Result<Until> {
    let mut text = value.to_owned();
    if text.contains(['-', ':']) {
        faults.fault(&format!("UNTIL={value} must be written without dashes and colons"), "it is read as if it was")?;
        text.retain(|c| !matches!(c, '-' | ':'));
    }
    let Some((day, time)) = date_time(&text) else {
        return Err(faults.error(format!("UNTIL={value} is neither a date (20261231) nor a time (20261231T220000Z)")));
    };
    let Some(time) = time else {
        if !start.all_day && faults.mode != Mode::Strict {
            faults.fault(&format!("UNTIL={value} is a date and the series has times"), "all of that day is taken")?;
        }
        return Ok(Until::Date(day));
    };
    let second = day * DAY + time;
    let utc = text.ends_with('Z');
    if start.all_day {
        faults.fault(&format!("UNTIL={value} is a time and the series has whole days"), "its date is taken")?;
        let offset = if utc { faults.zone().offset_at(second) } else { 0 };
        return Ok(Until::Date((second + offset).div_euclid(DAY)));
    }
    if utc {
        return Ok(Until::Second(second));
    }
    faults.fault(
        &format!("UNTIL={value} must be in UTC, which a Z at its end says"),
        "the zone of the series is taken",
    )?;
    Ok(Until::Second(start.zone.resolve(second).at))
}

/// The day of `20261231`, and the second of the day with `T220000` or `T220000Z` after it.
fn date_time(text: &str) -> Option<(i64, Option<i64>)> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let digits = |text: &str, from: usize, to: usize| {
        text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok()
    };
    if date.len() != 8 {
        return None;
    }
    let day = day_of(digits(date, 0, 4)?, digits(date, 4, 6)?, digits(date, 6, 8)?)?;
    let Some(time) = time.map(|time| time.strip_suffix('Z').unwrap_or(time)) else { return Some((day, None)) };
    let (hour, minute, second) = (digits(time, 0, 2)?, digits(time, 2, 4)?, digits(time, 4, 6)?);
    let is_time = time.len() == 6 && hour < 24 && minute < 60 && second <= 60;
    is_time.then(|| (day, Some(hour * 3600 + minute * 60 + second.min(59))))
}
