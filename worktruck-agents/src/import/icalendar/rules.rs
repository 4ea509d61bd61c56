//! Time zones that a file defines itself (VTIMEZONE).

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use worktruck_core::recurrence::{Mode, Moment, RuleSet, Start, Window, Zone, expand};
use worktruck_core::{Period, Timestamp};

use super::lines::{Block, Line, frame};
use super::property::Property;
use super::time::Written;

/// More changes of clocks than this are not looked at.
const MOST_ONSETS: usize = 2_000;
/// The last year whose changes are looked at.
const LAST_YEAR: i32 = 2100;

/// When clocks of a zone change, and to what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rules {
    /// Seconds that clocks are ahead of UTC before the first change.
    first: i64,
    /// When in seconds of UTC, and how far they are ahead from then on; in order.
    onsets: Vec<(i64, i64)>,
}

impl Rules {
    /// Reads the parts of a definition; nothing if one of them cannot be read.
    pub(super) fn read(block: &Block) -> Option<Self> {
        let mut found: Vec<(i64, i64, i64)> = Vec::new();
        let mut part: Option<Vec<Property>> = None;
        for line in &block.lines {
            match (frame(&line.text), &mut part) {
                (Some((true, _)), _) => part = Some(Vec::new()),
                (Some((false, _)), _) => {
                    if let Some(part) = part.take() {
                        observance(&part, &mut found)?;
                    }
                }
                (None, Some(part)) => part.extend(Property::read(line)),
                (None, None) => {}
            }
        }
        found.sort_unstable();
        let (_, first, _) = *found.first()?;
        Some(Self { first, onsets: found.into_iter().map(|(at, _, to)| (at, to)).collect() })
    }

    /// Seconds that clocks are ahead of UTC at `utc`.
    fn offset_at(&self, utc: i64) -> i64 {
        let after = self.onsets.partition_point(|(at, _)| *at <= utc);
        after.checked_sub(1).and_then(|last| self.onsets.get(last)).map_or(self.first, |(_, offset)| *offset)
    }

    /// The moment at which clocks show `wall`: the first of two, and as if they had not changed yet where they skip.
    pub(super) fn timestamp(&self, wall: NaiveDateTime) -> Timestamp {
        let wall = wall.and_utc().timestamp();
        let mut offsets: Vec<i64> = self.onsets.iter().map(|(_, offset)| *offset).chain([self.first]).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let shown = offsets.iter().rev().map(|offset| wall - offset).find(|at| at + self.offset_at(*at) == wall);
        let at = shown.unwrap_or_else(|| wall - self.offset_at(wall - 86_400));
        Timestamp::from_micros(at.saturating_mul(1_000_000))
    }

    /// Whether clocks of `zone` show the same from `year` on, for some `years`.
    pub(super) fn are_those_of(&self, zone: Zone, year: i32, years: i32) -> bool {
        let months = (year..year.saturating_add(years)).flat_map(|year| (1..=12).map(move |month| (year, month)));
        let days = months.filter_map(|(year, month)| {
            Some(chrono::NaiveDate::from_ymd_opt(year, month, 15)?.and_hms_opt(12, 0, 0)?.and_utc().timestamp())
        });
        let near = self.onsets.iter().filter(|(at, _)| {
            let onset = DateTime::<Utc>::from_timestamp(*at, 0).map(|at| at.year());
            onset.is_some_and(|onset| (year..year.saturating_add(years)).contains(&onset))
        });
        let mut moments = days.chain(near.flat_map(|(at, _)| [*at - 1, *at]));
        moments.all(|at| offset_of(zone, at) == Some(self.offset_at(at)))
    }
}

/// Seconds that clocks of a zone are ahead of UTC.
fn offset_of(zone: Zone, utc: i64) -> Option<i64> {
    let wall = zone.wall(Timestamp::from_micros(utc.checked_mul(1_000_000)?))?;
    Some(wall.and_utc().timestamp() - utc)
}

/// Adds the changes of one STANDARD or DAYLIGHT: when, from which offset, to which.
fn observance(part: &[Property], found: &mut Vec<(i64, i64, i64)>) -> Option<()> {
    let value = |name: &str| part.iter().find(|property| property.name == name).map(Property::raw_value);
    let (from, to) = (offset(value("TZOFFSETFROM")?)?, offset(value("TZOFFSETTO")?)?);
    let wall = match Written::read(value("DTSTART")?)? {
        Written::Local(wall) | Written::Utc(wall) => wall,
        Written::Date(date) => date.and_time(chrono::NaiveTime::MIN),
    };
    let mut add = |wall: NaiveDateTime| {
        if found.len() < MOST_ONSETS {
            found.push((wall.and_utc().timestamp() - from, from, to));
        }
    };
    add(wall);
    for property in part.iter().filter(|property| property.name == "RDATE") {
        for date in property.raw_value().split(',').filter_map(Written::read) {
            match date {
                Written::Local(wall) => add(wall),
                Written::Utc(at) => add(at + chrono::TimeDelta::seconds(from)),
                Written::Date(date) => add(date.and_time(chrono::NaiveTime::MIN)),
            }
        }
    }
    for rule in part.iter().filter(|property| property.name == "RRULE") {
        // The clocks of no zone are those of UTC here: what counts is what they show.
        let start = Start::wall(wall, Zone::UTC).ok()?;
        let text = until_by_clock(rule.raw_value(), from);
        let (set, _) = RuleSet::new(start, &[text], &[], &[], Mode::Lenient { zone: Zone::UTC }).ok()?;
        let end = chrono::NaiveDate::from_ymd_opt(LAST_YEAR, 1, 1)?.and_time(chrono::NaiveTime::MIN);
        let Ok(period) = Period::new(Zone::UTC.timestamp(wall), Zone::UTC.timestamp(end)) else { continue };
        for moment in expand(&set, Window::new(period, Zone::UTC), MOST_ONSETS).ok()?.moments {
            if let Moment::Instant(at) = moment
                && let Some(onset) = Zone::UTC.wall(at)
                && onset != wall
            {
                add(onset);
            }
        }
    }
    Some(())
}

/// The rule with its UNTIL, which is in UTC, as what clocks show then.
fn until_by_clock(rule: &str, offset: i64) -> String {
    let part = |part: &str| {
        let until = part.get(..6).filter(|name| name.eq_ignore_ascii_case("UNTIL=")).and_then(|_| part.get(6..));
        match until.and_then(Written::read) {
            Some(Written::Utc(at)) => {
                let wall = at.checked_add_signed(chrono::TimeDelta::seconds(offset)).unwrap_or(at);
                format!("UNTIL={}Z", wall.format("%Y%m%dT%H%M%S"))
            }
            _ => part.to_owned(),
        }
    };
    rule.split(';').map(part).collect::<Vec<_>>().join(";")
}

/// Reads `+0100`, `-053000` or `+01:00`.
fn offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (is_west, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 4 | 6) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).unwrap_or("0").parse::<i64>().ok();
    let seconds = number(0, 2)? * 3600 + number(2, 4)? * 60 + number(4, 6)?;
    Some(if is_west { -seconds } else { seconds }).filter(|seconds| seconds.abs() <= 16 * 3600)
}

/// The year in which a line begins, if it names a zone: `DTSTART;TZID=…:20260414T090000`.
pub(super) fn year_of(line: &Line) -> Option<(String, i32)> {
    if !line.text.get(..7)?.eq_ignore_ascii_case("DTSTART") {
        return None;
    }
    let property = Property::read(line)?;
    let zone = property.parameter("TZID")?.to_owned();
    match Written::read(property.raw_value())? {
        Written::Local(wall) | Written::Utc(wall) => Some((zone, wall.year())),
        Written::Date(date) => Some((zone, date.year())),
    }
}
