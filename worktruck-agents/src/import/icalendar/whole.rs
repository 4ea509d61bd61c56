//! A whole file: its calendar, its events, and what they are to each other.

use std::collections::HashMap;

use worktruck_core::Result;
use worktruck_core::entity::event::EventStatus;
use worktruck_core::recurrence::{Moment, Zone};

use super::event::{self, Draft};
use super::following;
use super::lines::{self, File};
use super::property::Property;
use super::series::occurrence;
use super::time::Written;
use super::zones::{Clock, Zones};
use super::{CalendarInfo, ImportedEvent, Options, Parsed, Problems};
use crate::import::intake::quoted;
use crate::import::unusable;

pub(super) fn read(source: &str, text: &str, options: &Options, mut problems: Problems) -> Result<Parsed> {
    let file = lines::split(text);
    if file.blocks.is_empty() && !file.is_calendar {
        let reason = "the file has no BEGIN:VCALENDAR; give an iCalendar file (text/calendar)";
        return Err(unusable(source, file.stray.first().copied().unwrap_or(1), reason));
    }
    for line in &file.stray {
        problems.warn(*line, None, "the text here belongs to no calendar; ignored");
    }
    let calendar = calendar(&file, &mut problems);
    let floating = calendar.timezone.unwrap_or(options.zone);
    let mut zones = Zones::new(&file, floating);
    let mut drafts = Vec::new();
    let mut events = 0;
    for block in &file.blocks {
        let (line, name) = (block.line, block.name.as_str());
        match name {
            "VEVENT" if !block.is_whole => {
                events += 1;
                problems.skip(line, None, "the event that begins here has no END:VEVENT; it is skipped");
            }
            "VEVENT" => {
                events += 1;
                drafts.extend(event::read(block, &mut zones, &mut problems));
            }
            "VTIMEZONE" => {}
            "VTODO" => problems.skip(line, None, "tasks are not read from calendars; skipped"),
            "VJOURNAL" => problems.skip(line, None, "journal entries are not read from calendars; skipped"),
            other => problems.warn(line, None, format!("a part {} is not an event; ignored", quoted(other))),
        }
    }
    if calendar.method.as_deref() == Some("CANCEL") {
        drafts.iter_mut().for_each(|draft| draft.event.status = EventStatus::Cancelled);
    }
    let events_read = following::cut(related(drafts, &mut problems), &mut problems);
    let Problems { list: mut problems, .. } = problems;
    problems.sort_by_key(|problem| problem.line);
    if events > 0 && events_read.is_empty() {
        let first = problems.iter().find(|problem| problem.skipped);
        let (line, message) = first.map_or((1, ""), |problem| (problem.line, problem.message.as_str()));
        let reason = format!("nothing in the file can be used, {events} of {events} were skipped; this one: {message}");
        return Err(unusable(source, line, reason));
    }
    Ok(Parsed { calendar, events: events_read, problems })
}

/// What the file says of the calendar.
fn calendar(file: &File, problems: &mut Problems) -> CalendarInfo {
    let properties: Vec<Property> = file.calendar.iter().filter_map(Property::read).collect();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| properties.iter().find(|p| p.name == *name)).map(|property| {
            let text = property.text().trim().to_owned();
            (property.number, text)
        })
    };
    let text = |names: &[&str]| find(names).map(|(_, text)| text).filter(|text| !text.is_empty());
    let mut info = CalendarInfo {
        name: text(&["X-WR-CALNAME", "NAME"]),
        description: text(&["X-WR-CALDESC", "DESCRIPTION"]),
        color: text(&["X-APPLE-CALENDAR-COLOR", "COLOR"]),
        timezone: None,
        method: text(&["METHOD"]).map(|method| method.to_ascii_uppercase()),
    };
    if let Some((line, name)) = find(&["X-WR-TIMEZONE", "TIMEZONE-ID"]) {
        match Zone::parse(&name) {
            Ok(zone) => info.timezone = Some(zone),
            Err(_) => {
                let message = format!("the time zone {} of the calendar is not known; ignored", quoted(&name));
                problems.warn(line, Some("X-WR-TIMEZONE"), message);
            }
        }
    }
    info
}

/// Finds out which occurrences of which series the drafts are, and which of them are said twice.
fn related(drafts: Vec<Draft>, problems: &mut Problems) -> Vec<ImportedEvent> {
    let mut masters: HashMap<String, (Written, Clock)> = HashMap::new();
    for draft in drafts.iter().filter(|draft| draft.recurrence.is_none()) {
        let event = &draft.event;
        let zone = event.zone().unwrap_or(Zone::UTC);
        let start = match (event.start_date, event.start_at.and_then(|at| zone.wall(at))) {
            (Some(date), _) => Written::Date(date),
            (None, Some(wall)) => Written::Local(wall),
            (None, None) => continue,
        };
        masters.entry(event.ical_uid.clone()).or_insert((start, Clock::Known(zone)));
    }
    let mut kept: Vec<ImportedEvent> = Vec::with_capacity(drafts.len());
    let mut places: HashMap<(String, Option<Moment>), usize> = HashMap::new();
    for draft in drafts {
        let Draft { line, event, attendees, organizer, recurrence, and_following } = draft;
        let recurrence_id = recurrence.map(|(written, clock)| {
            let as_written = (written, clock.clone());
            let (start, start_clock) = masters.get(&event.ical_uid).unwrap_or(&as_written);
            occurrence(*start, start_clock, written, &clock)
        });
        let new = ImportedEvent { line, event, attendees, organizer, recurrence_id, and_following };
        let key = (new.event.ical_uid.clone(), recurrence_id);
        let Some(place) = places.get(&key).copied() else {
            places.insert(key, kept.len());
            kept.push(new);
            continue;
        };
        let Some(old) = kept.get_mut(place) else { continue };
        // The later state counts.
        let dropped = if new.event.sequence > old.event.sequence { std::mem::replace(old, new) } else { new };
        let (used, uid) = (old.line, quoted(&dropped.event.ical_uid));
        let message = format!("the event with the UID {uid} stands in line {used} too, which counts; skipped");
        problems.skip(dropped.line, Some("UID"), message);
    }
    let changed: Vec<(String, Moment)> = places.into_keys().filter_map(|(uid, at)| Some((uid, at?))).collect();
    let mut by_uid: HashMap<String, Vec<Moment>> = HashMap::new();
    for (uid, at) in changed {
        by_uid.entry(uid).or_default().push(at);
    }
    for master in kept.iter_mut().filter(|event| event.recurrence_id.is_none()) {
        let Some(changed) = by_uid.get(&master.event.ical_uid) else { continue };
        let before = master.event.exdates.len();
        master.event.exdates.retain(|date| !changed.contains(date));
        if master.event.exdates.len() < before {
            let message = "occurrences are both left out and changed; the changes count";
            problems.warn(master.line, Some("EXDATE"), message);
        }
    }
    kept
}
