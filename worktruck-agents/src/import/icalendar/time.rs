//! Dates, times and durations as iCalendar writes them.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// A date or a time as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    /// A whole day.
    Date(NaiveDate),
    /// What a clock shows, of which zone stands elsewhere.
    Local(NaiveDateTime),
    /// A moment in UTC.
    Utc(NaiveDateTime),
}

impl Written {
    /// Reads `20260414`, `20260414T090000` or `20260414T090000Z`, also with the dashes and colons of ISO 8601.
    pub(super) fn read(text: &str) -> Option<Self> {
        let plain: String = text.trim().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let plain = plain.to_ascii_uppercase();
        let (date, time) = plain.split_once('T').map_or((plain.as_str(), None), |(date, time)| (date, Some(time)));
        let date = read_date(date)?;
        let Some(time) = time else { return Some(Self::Date(date)) };
        let (time, is_utc) = time.strip_suffix('Z').map_or((time, false), |time| (time, true));
        let at = date.and_time(read_time(time)?);
        Some(if is_utc { Self::Utc(at) } else { Self::Local(at) })
    }
}

fn read_date(text: &str) -> Option<NaiveDate> {
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    if text.len() != 8 {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(4, 6)?, number(6, 8)?)
        .filter(|date| *date > NaiveDate::from_ymd_opt(0, 12, 31).unwrap_or(NaiveDate::MIN))
}

fn read_time(text: &str) -> Option<NaiveTime> {
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    let seconds = match text.len() {
        4 => 0,
        // A leap second is the second before it.
        6 => number(4, 6).map(|seconds| if seconds == 60 { 59 } else { seconds })?,
        _ => return None,
    };
    NaiveTime::from_hms_opt(number(0, 2)?, number(2, 4)?, seconds)
}

fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A duration: days, which clocks count, and seconds, which pass.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) is_negative: bool,
    pub(super) days: u32,
    pub(super) seconds: u32,
}

impl Span {
    /// Reads `P1W`, `-PT15M` or `P1DT2H`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let (is_negative, rest) = match text.strip_prefix(['-', '+']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text.as_str()),
        };
        let mut span = Self { is_negative, ..Self::default() };
        let mut number = String::new();
        let mut has_any = false;
        for char in rest.strip_prefix('P')?.chars() {
            if char.is_ascii_digit() {
                number.push(char);
                continue;
            }
            if char == 'T' && number.is_empty() {
                continue;
            }
            let value: u32 = std::mem::take(&mut number).parse().ok()?;
            let (field, unit) = match char {
                'W' => (&mut span.days, 7),
                'D' => (&mut span.days, 1),
                'H' => (&mut span.seconds, 3600),
                'M' => (&mut span.seconds, 60),
                'S' => (&mut span.seconds, 1),
                _ => return None,
            };
            *field = field.checked_add(value.checked_mul(unit)?)?;
            has_any = true;
        }
        (has_any && number.is_empty()).then_some(span)
    }

    /// All of it in seconds.
    pub(super) fn in_seconds(self) -> i64 {
        i64::from(self.days) * 86_400 + i64::from(self.seconds)
    }

    /// The day that is so many days later; nothing if hours are left over.
    pub(super) fn after_day(self, date: NaiveDate) -> Option<NaiveDate> {
        let is_whole = self.seconds.is_multiple_of(86_400) && !self.is_negative;
        let days = u64::from(self.days) + u64::from(self.seconds / 86_400);
        date.checked_add_days(Days::new(days)).filter(|_| is_whole)
    }

    /// What the clock shows so many days later, and the seconds that then pass.
    pub(super) fn after_time(self, wall: NaiveDateTime) -> Option<(NaiveDateTime, TimeDelta)> {
        let wall = wall.checked_add_days(Days::new(self.days.into()))?;
        Some((wall, TimeDelta::seconds(self.seconds.into()))).filter(|_| !self.is_negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_refused() {
        let date = NaiveDate::from_ymd_opt(2026, 4, 14).unwrap();
        let at = |hour, minute, second| date.and_hms_opt(hour, minute, second).unwrap();
        for (text, expected) in [
            ("20260414", Some(Written::Date(date))),
            ("2026-04-14", Some(Written::Date(date))),
            ("20260414T090000", Some(Written::Local(at(9, 0, 0)))),
            ("20260414t0900", Some(Written::Local(at(9, 0, 0)))),
            ("2026-04-14T09:00:00Z", Some(Written::Utc(at(9, 0, 0)))),
            ("20260414T235960Z", Some(Written::Utc(at(23, 59, 59)))),
            ("20260230", None),
            ("20260414T250000", None),
            ("00000101", None),
            ("2026041é", None),
            ("", None),
        ] {
            assert_eq!(Written::read(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_read_or_refused() {
        for (text, expected) in [
            ("P1W", Some((false, 7, 0))),
            ("-PT15M", Some((true, 0, 900))),
            ("+P1DT1H1S", Some((false, 1, 3601))),
            ("PT0S", Some((false, 0, 0))),
            ("P", None),
            ("PT", None),
            ("P9999999999W", None),
            ("P4294967295W", None),
            ("P5", None),
            ("15", None),
        ] {
            let span = expected.map(|(is_negative, days, seconds)| Span { is_negative, days, seconds });
            assert_eq!(Span::read(text), span, "{text}");
        }
    }
}
