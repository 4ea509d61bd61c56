//! The lines that an import kept.

use serde_json::Value;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::event::{Event, Reminder};

use crate::import::icalendar::{KEPT, MORE, Property, UNSAID, reminder_of, set_field, understand_attendee};

/// Properties that are written from the fields alone.
const OWN: [&str; 12] = [
    "BEGIN",
    "END",
    "UID",
    "DTSTAMP",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RECURRENCE-ID",
    "SEQUENCE",
    "STATUS",
    "TRANSP",
    MORE,
];

/// The kept lines that can be written as they are, and what they say already.
#[derive(Debug, Default)]
pub(super) struct Kept<'e> {
    pub(super) lines: Vec<&'e str>,
    /// Parts such as alarms.
    pub(super) parts: Vec<&'e str>,
    /// Reminders that are not among them.
    pub(super) reminders: Vec<Reminder>,
    said: Vec<String>,
}

impl<'e> Kept<'e> {
    pub(super) fn of(event: &'e Event) -> Self {
        let mut kept = Self { reminders: event.reminders.clone(), ..Self::default() };
        let lines = event.metadata.get(KEPT).and_then(Value::as_array);
        for line in lines.into_iter().flatten().filter_map(Value::as_str) {
            if line.contains('\n') {
                kept.part(line);
            } else if let Some(property) = Property::kept(line) {
                kept.line(event, line, &property);
            }
        }
        kept
    }

    /// Whether a kept line says what the property `name` would.
    pub(super) fn says(&self, name: &str) -> bool {
        self.said.iter().any(|said| said == name)
    }

    fn line(&mut self, event: &Event, line: &'e str, property: &Property) {
        if OWN.contains(&property.name.as_str()) || line.contains(|c: char| c.is_control() && c != '\t') {
            return;
        }
        if line.ends_with('=') && line.to_ascii_uppercase().contains("QUOTED-PRINTABLE") {
            return;
        }
        match property.name.as_str() {
            "URL" | "CONFERENCE" | "X-GOOGLE-CONFERENCE" => {
                if event.conference_url.as_deref() == Some(property.raw_value().trim()) {
                    self.said.push("CONFERENCE".to_owned());
                }
            }
            name => {
                let mut blank = Event::at(UNSAID, "", worktruck_core::Timestamp::EPOCH);
                if set_field(&mut blank, property) {
                    if !is_alike(&blank, event, name) {
                        return;
                    }
                    self.said.push(name.to_owned());
                }
            }
        }
        self.lines.push(line);
    }

    fn part(&mut self, part: &'e str) {
        let lines: Vec<&str> = part.split('\n').collect();
        let name = lines.first().and_then(|line| line.strip_prefix("BEGIN:")).unwrap_or_default();
        let ends = lines.last().and_then(|line| line.strip_prefix("END:")) == Some(name);
        let is_frame = |line: &&str| {
            let upper = line.trim().to_ascii_uppercase();
            let of = upper.strip_prefix("BEGIN:").or_else(|| upper.strip_prefix("END:"));
            of.is_some_and(|of| [name, "VEVENT", "VCALENDAR"].contains(&of.trim()))
        };
        let inner = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
        let is_clean = !part.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n'));
        let is_line = |line: &&str| !line.trim().is_empty() && !line.starts_with([' ', '\t']);
        if name.is_empty() || !ends || !is_clean || inner.iter().any(is_frame) || !inner.iter().all(is_line) {
            return;
        }
        if name == "VALARM"
            && let Some(reminder) = reminder_of(part)
        {
            let Some(at) = self.reminders.iter().position(|other| *other == reminder) else { return };
            self.reminders.remove(at);
        }
        self.parts.push(part);
    }
}

/// Whether both have the same in the field of a property.
fn is_alike(one: &Event, other: &Event, name: &str) -> bool {
    match name {
        "SUMMARY" => one.title == other.title,
        "DESCRIPTION" => one.description == other.description,
        "LOCATION" => one.location == other.location,
        "COLOR" => one.color == other.color,
        "GEO" => (one.location_lat, one.location_lng) == (other.location_lat, other.location_lng),
        "CLASS" => one.visibility == other.visibility,
        "X-MICROSOFT-CDO-BUSYSTATUS" => {
            // BUSY says nothing that TRANSP does not.
            one.availability == other.availability || one.availability == Default::default()
        }
        _ => true,
    }
}

/// The line of an attendee that was kept, if it still says what the attendee is.
pub(super) fn attendee(attendee: &Attendee) -> Option<&str> {
    let line = attendee.metadata.get(KEPT)?.as_str()?;
    let property = Property::kept(line).filter(|property| property.name == "ATTENDEE")?;
    let (said, _) = understand_attendee(&property)?;
    let is_alike = said.email.eq_ignore_ascii_case(&attendee.email)
        && said.display_name == attendee.display_name
        && (said.role, said.participant_type, said.response_status)
            == (attendee.role, attendee.participant_type, attendee.response_status);
    Some(line).filter(|line| is_alike && !line.contains(char::is_control))
}
