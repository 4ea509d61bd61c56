//! One event (VEVENT).

use serde_json::Value;
use worktruck_core::Timestamp;
use worktruck_core::entity::attendee::{Attendee, AttendeeRole, ParticipantType, ResponseStatus};
use worktruck_core::entity::event::{Availability, Event, EventStatus, Reminder, ReminderMethod, Visibility};
use worktruck_core::recurrence::{Moment, Zone};

use super::Exported;
use super::kept::{self, Kept};
use super::line::{escaped, parameter, put, put_text};
use crate::export::text::json;
use crate::import::icalendar::{MORE, RECURRENCE_KEPT, differences, read_back};

/// Adds an event, which stands for an occurrence of a series in the zone `series`.
pub(super) fn put_event(out: &mut String, exported: &Exported<'_>, series: Option<Zone>) {
    let Exported { id, event, attendees, updated_at } = *exported;
    let mut text = String::new();
    put(&mut text, "BEGIN:VEVENT");
    let uid = if event.ical_uid.is_empty() { id.to_string() } else { event.ical_uid.clone() };
    put_text(&mut text, "UID", &uid);
    put(&mut text, &format!("DTSTAMP:{}", utc(updated_at)));
    let zone = event.zone().unwrap_or(Zone::UTC);
    let kept_recurrence = || event.metadata.get(RECURRENCE_KEPT)?.as_str()?.parse().ok();
    if let Some(recurrence) = event.recurrence_id.or_else(kept_recurrence) {
        put_moment(&mut text, "RECURRENCE-ID", recurrence, series.unwrap_or(zone));
    }
    put_times(&mut text, event, zone);
    put_fields(&mut text, event, attendees);
    let end = "END:VEVENT\r\n";
    if let Some(read) = read_back(&format!("{text}{end}")) {
        let more = differences(&read, event, attendees);
        if !more.is_empty() {
            put(&mut text, &format!("{MORE}:{}", escaped(&json(&Value::Object(more)))));
        }
    }
    out.push_str(&text);
    out.push_str(end);
}

fn put_times(text: &mut String, event: &Event, zone: Zone) {
    let start = event.start_date.map(Moment::Date).or_else(|| event.start_at.map(Moment::Instant));
    let end = event.end_date.map(Moment::Date).or_else(|| event.end_at.map(Moment::Instant));
    for (name, moment) in [("DTSTART", start), ("DTEND", end)] {
        if let Some(moment) = moment {
            put_moment(text, name, moment, zone);
        }
    }
    if let Some(rule) = &event.rrule {
        put(text, &format!("RRULE:{rule}"));
    }
    for (name, dates) in [("EXDATE", &event.exdates), ("RDATE", &event.rdates)] {
        for date in dates {
            put_moment(text, name, *date, zone);
        }
    }
}

fn put_fields(text: &mut String, event: &Event, attendees: &[Attendee]) {
    let kept = Kept::of(event);
    let texts = [
        ("SUMMARY", Some(&event.title)),
        ("DESCRIPTION", event.description.as_ref()),
        ("LOCATION", event.location.as_ref()),
        ("COLOR", event.color.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value.filter(|_| !kept.says(name)) {
            put_text(text, name, value);
        }
    }
    if let (Some(latitude), Some(longitude), false) = (event.location_lat, event.location_lng, kept.says("GEO")) {
        put(text, &format!("GEO:{latitude};{longitude}"));
    }
    if let Some(address) = event.conference_url.as_deref().filter(|_| !kept.says("CONFERENCE")) {
        put(text, &format!("CONFERENCE;VALUE=URI:{address}"));
    }
    let status = match event.status {
        EventStatus::Confirmed => "CONFIRMED",
        EventStatus::Tentative => "TENTATIVE",
        EventStatus::Cancelled => "CANCELLED",
    };
    put(text, &format!("STATUS:{status}"));
    let is_busy = event.availability == Availability::Busy;
    put(text, if is_busy { "TRANSP:OPAQUE" } else { "TRANSP:TRANSPARENT" });
    match event.visibility {
        _ if kept.says("CLASS") => {}
        Visibility::Default => {}
        Visibility::Public => put(text, "CLASS:PUBLIC"),
        Visibility::Private => put(text, "CLASS:PRIVATE"),
    }
    put(text, &format!("SEQUENCE:{}", event.sequence));
    for attendee in attendees {
        match kept::attendee(attendee) {
            Some(line) => put(text, line),
            None => put_attendee(text, attendee),
        }
    }
    kept.lines.iter().for_each(|line| put(text, line));
    for reminder in &kept.reminders {
        put_reminder(text, *reminder, &event.title);
    }
    for part in &kept.parts {
        part.split('\n').for_each(|line| put(text, line));
    }
}

fn put_attendee(text: &mut String, attendee: &Attendee) {
    let mut line = "ATTENDEE".to_owned();
    if let Some(name) = &attendee.display_name {
        line.push_str(";CN=");
        line.push_str(&parameter(name));
    }
    line.push_str(match attendee.role {
        AttendeeRole::Chair => ";ROLE=CHAIR",
        AttendeeRole::ReqParticipant => ";ROLE=REQ-PARTICIPANT",
        AttendeeRole::OptParticipant => ";ROLE=OPT-PARTICIPANT",
        AttendeeRole::NonParticipant => ";ROLE=NON-PARTICIPANT",
    });
    line.push_str(match attendee.participant_type {
        ParticipantType::Individual => ";CUTYPE=INDIVIDUAL",
        ParticipantType::Group => ";CUTYPE=GROUP",
        ParticipantType::Resource => ";CUTYPE=RESOURCE",
        ParticipantType::Room => ";CUTYPE=ROOM",
        ParticipantType::Unknown => ";CUTYPE=UNKNOWN",
    });
    line.push_str(match attendee.response_status {
        ResponseStatus::Pending => ";PARTSTAT=NEEDS-ACTION",
        ResponseStatus::Accepted => ";PARTSTAT=ACCEPTED",
        ResponseStatus::Declined => ";PARTSTAT=DECLINED",
        ResponseStatus::Tentative => ";PARTSTAT=TENTATIVE",
    });
    put(text, &format!("{line}:mailto:{}", attendee.email));
}

fn put_reminder(text: &mut String, reminder: Reminder, title: &str) {
    let action = match reminder.method {
        None | Some(ReminderMethod::Display) => "DISPLAY",
        Some(ReminderMethod::Email) => "EMAIL",
        Some(ReminderMethod::Audio) => "AUDIO",
    };
    put(text, "BEGIN:VALARM");
    put(text, &format!("ACTION:{action}"));
    put(text, &format!("TRIGGER:-PT{}M", reminder.minutes));
    if action == "EMAIL" {
        put_text(text, "SUMMARY", title);
    }
    if action != "AUDIO" {
        put_text(text, "DESCRIPTION", title);
    }
    put(text, "END:VALARM");
}

/// Adds a date, or a time on the clocks of a zone; in UTC where these do not say which moment it is.
fn put_moment(text: &mut String, name: &str, moment: Moment, zone: Zone) {
    let line = match moment {
        Moment::Date(date) => format!("{name};VALUE=DATE:{}", date.format("%Y%m%d")),
        Moment::Instant(at) => {
            let wall = zone.wall(at).filter(|wall| !is_utc(zone) && zone.timestamp(*wall) == at);
            match wall {
                Some(wall) => format!("{name};TZID={zone}:{}", wall.format("%Y%m%dT%H%M%S")),
                None => format!("{name}:{}", utc(at)),
            }
        }
    };
    put(text, &line);
}

fn utc(at: Timestamp) -> String {
    let wall = Zone::UTC.wall(at);
    wall.map_or_else(|| "19700101T000000Z".to_owned(), |wall| wall.format("%Y%m%dT%H%M%SZ").to_string())
}

/// Whether the clocks of a zone are those of UTC.
pub(super) fn is_utc(zone: Zone) -> bool {
    matches!(zone.name(), "UTC" | "Etc/UTC")
}
