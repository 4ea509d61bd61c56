//! An occurrence that stands for all after it too (`RANGE=THISANDFUTURE`): the series is cut in two.

use chrono::{NaiveDate, NaiveDateTime};
use worktruck_core::entity::event::Event;
use worktruck_core::entity::{Entity as _, Locale};
use worktruck_core::pim::calendar::Move;
use worktruck_core::recurrence::{Moment, RuleSet, Split, Zone};
use worktruck_core::{Digest, Result};

use super::{ImportedEvent, Problems, reason};

/// The longest UID, in characters.
const LONGEST_UID: usize = 512;
/// How a moment is written in a rule.
const UNTIL: &str = "%Y%m%dT%H%M%SZ";
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The UID of a series from an occurrence on: the same whenever the file is read.
pub(super) fn uid_from(uid: &str, recurrence: Moment) -> String {
    let from = format!("{uid}/{recurrence}");
    if from.chars().nth(LONGEST_UID).is_none() {
        from
    } else {
        format!("worktruck-{}", Digest::of_bytes(from.as_bytes()))
    }
}

/// Cuts the series of a file where it says so. An occurrence whose series the file does not have is left as it is.
pub(super) fn cut(mut events: Vec<ImportedEvent>, problems: &mut Problems) -> Vec<ImportedEvent> {
    let mut asked: Vec<(Moment, String, u64)> = events
        .iter()
        .filter(|event| event.and_following)
        .filter_map(|event| Some((event.recurrence_id?, event.event.ical_uid.clone(), event.line)))
        .collect();
    // The last one first: each takes what is left of the series, whose occurrences are still named as it has them.
    asked.sort_unstable_by(|one, other| other.cmp(one));
    for (recurrence, uid, line) in asked {
        let is_whole = |event: &ImportedEvent| event.recurrence_id.is_none() && event.event.ical_uid == uid;
        let is_part = |event: &ImportedEvent| event.line == line;
        let whole = events.iter().position(|event| is_whole(event) && event.event.is_series());
        let (Some(whole), Some(part)) = (whole, events.iter().position(is_part)) else { continue };
        match cut_at(&events[whole].event, &events[part].event, recurrence) {
            Ok(cut) => put(&mut events, (whole, part), recurrence, cut),
            Err(error) => {
                events[part].and_following = false;
                let message = format!("{}; only this occurrence is changed", reason(&error));
                problems.warn(line, Some("RECURRENCE-ID"), message);
            }
        }
    }
    events
}

/// The two parts of a series.
struct Cut {
    /// What comes before; nothing if the cut is at its first occurrence.
    before: Option<Event>,
    after: Event,
    /// How occurrences of the second part move.
    by: Option<Move>,
}

fn cut_at(whole: &Event, part: &Event, recurrence: Moment) -> Result<Cut> {
    let Split { before, after } = whole.series()?.split_at(recurrence)?;
    let by = Move::between(&whole.clone().moved_to(recurrence), part)?;
    let of = |moment: Moment| by.map_or(moment, |by| by.of(moment));
    let (old_start, start) = (after.start().moment(), of(after.start().moment()));
    let mut rest = part.clone().moved_to(start);
    let rule = rule_of(&after).map(|rule| turned(&rule, days_between(whole, old_start, part, start)));
    rest.rrule = rule.map(|rule| by.map_or_else(|| rule.clone(), |by| ending(&rule, whole, by)));
    rest.exdates = after.exdates().into_iter().map(of).collect();
    rest.rdates = after.rdates().into_iter().map(of).collect();
    rest.normalise(&Locale::default())?;
    let before =
        before.map(|set| Event { rrule: rule_of(&set), exdates: set.exdates(), rdates: set.rdates(), ..whole.clone() });
    Ok(Cut { before, after: rest, by })
}

fn rule_of(set: &RuleSet) -> Option<String> {
    set.rules().first().map(ToString::to_string)
}

/// Puts the parts of a series into the file, and what differs of the second one with it.
fn put(events: &mut Vec<ImportedEvent>, (whole, part): (usize, usize), recurrence: Moment, cut: Cut) {
    let Cut { before, mut after, by } = cut;
    let uid = after.ical_uid.clone();
    if before.is_some() {
        after.ical_uid = uid_from(&uid, recurrence);
    }
    for event in events.iter_mut().filter(|event| event.event.ical_uid == uid) {
        if let Some(moment) = event.recurrence_id.filter(|moment| *moment > recurrence) {
            event.event.ical_uid.clone_from(&after.ical_uid);
            event.recurrence_id = Some(by.map_or(moment, |by| by.of(moment)));
        }
    }
    let rest = &mut events[part];
    (rest.event, rest.recurrence_id, rest.and_following) = (after, None, false);
    match before {
        Some(before) => events[whole].event = before,
        None => drop(events.remove(whole)),
    }
}

/// How many days later clocks show `start` than they showed `old_start`.
fn days_between(old: &Event, old_start: Moment, new: &Event, start: Moment) -> i64 {
    let date = |event: &Event, moment: Moment| match moment {
        Moment::Date(date) => Some(date),
        Moment::Instant(at) => Some(event.zone().ok()?.wall(at)?.date()),
    };
    date(new, start).zip(date(old, old_start)).map_or(0, |(new, old)| (new - old).num_days())
}

/// A weekly rule that names the days so many days later. Rules that name days in other ways keep them.
fn turned(rule: &str, days: i64) -> String {
    let days = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
    let is_weekly = rule.split(';').any(|part| part == "FREQ=WEEKLY");
    let others = ["BYMONTH=", "BYSETPOS="];
    if days == 0 || !is_weekly || rule.split(';').any(|part| others.iter().any(|other| part.starts_with(other))) {
        return rule.to_owned();
    }
    let later = |day: &str| {
        let known = WEEKDAYS.iter().position(|known| *known == day);
        known.and_then(|at| WEEKDAYS.get((at + days) % 7)).map_or_else(|| day.to_owned(), |day| (*day).to_owned())
    };
    let mut parts: Vec<String> = Vec::new();
    for part in rule.split(';') {
        match part.split_once('=') {
            Some(("BYDAY", named)) => {
                let named: Vec<String> = named.split(',').map(later).collect();
                parts.push(format!("BYDAY={}", named.join(",")));
            }
            Some(("WKST", day)) => parts.push(format!("WKST={}", later(day))),
            _ => parts.push(part.to_owned()),
        }
    }
    // Weeks that are counted begin on another day too.
    if parts.iter().any(|part| part.starts_with("INTERVAL=")) && !parts.iter().any(|part| part.starts_with("WKST=")) {
        parts.push(format!("WKST={}", later("MO")));
    }
    parts.join(";")
}

/// A rule whose last moment moves with its occurrences.
fn ending(rule: &str, whole: &Event, by: Move) -> String {
    let moved = |until: &str| {
        let last = match NaiveDate::parse_from_str(until, "%Y%m%d") {
            Ok(date) if whole.is_all_day => Moment::Date(date),
            Ok(date) => Moment::Instant(whole.zone().ok()?.timestamp(date.and_hms_opt(23, 59, 59)?)),
            Err(_) => Moment::Instant(Zone::UTC.timestamp(NaiveDateTime::parse_from_str(until, UNTIL).ok()?)),
        };
        Some(match by.of(last) {
            Moment::Date(date) => date.format("%Y%m%d").to_string(),
            Moment::Instant(at) => Zone::UTC.wall(at)?.format(UNTIL).to_string(),
        })
    };
    let part = |part: &str| {
        let until = part.strip_prefix("UNTIL=").and_then(moved);
        until.map_or_else(|| part.to_owned(), |until| format!("UNTIL={until}"))
    };
    rule.split(';').map(part).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekly_rule_turns_with_its_start() {
        for (rule, days, expected) in [
            ("FREQ=WEEKLY;BYDAY=MO,SU", 1, "FREQ=WEEKLY;BYDAY=TU,MO"),
            ("FREQ=WEEKLY;BYDAY=MO", -1, "FREQ=WEEKLY;BYDAY=SU"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", 2, "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,SU;WKST=WE"),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", 8, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=MO"),
            ("FREQ=WEEKLY;COUNT=3", 1, "FREQ=WEEKLY;COUNT=3"),
            ("FREQ=WEEKLY;BYDAY=MO", 14, "FREQ=WEEKLY;BYDAY=MO"),
            ("FREQ=MONTHLY;BYDAY=2MO", 1, "FREQ=MONTHLY;BYDAY=2MO"),
        ] {
            assert_eq!(turned(rule, days), expected, "{rule} by {days}");
        }
    }
}
