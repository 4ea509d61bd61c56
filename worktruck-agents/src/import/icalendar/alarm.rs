//! Reminders (VALARM).

use worktruck_core::entity::event::{Reminder, ReminderMethod};

use super::lines::{Line, frame};
use super::property::Property;
use super::time::Span;

/// What an alarm says beside the reminder that it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// Something that must be kept.
    Kept,
}

/// The reminder that an alarm is, if it rings some minutes before the start.
pub(super) fn reminder(lines: &[Line], title: &str) -> Option<(Reminder, Rest)> {
    let mut action = None;
    let mut minutes = None;
    let mut rest = Rest::Nothing;
    for property in lines.iter().map(|line| Property::read(line).ok_or(())) {
        let Ok(property) = property else {
            rest = Rest::Kept;
            continue;
        };
        match property.name.as_str() {
            "ACTION" => action = Some(property.raw_value().trim().to_ascii_uppercase()),
            "TRIGGER" => minutes = Some(before_start(&property)?),
            "DESCRIPTION" | "SUMMARY" => {
                let text = property.text();
                let says_nothing = text.is_empty() || text == title || text == "This is an event reminder";
                if !says_nothing {
                    rest = Rest::Kept;
                }
            }
            _ => rest = Rest::Kept,
        }
    }
    let method = match action?.as_str() {
        "DISPLAY" => ReminderMethod::Display,
        "EMAIL" => ReminderMethod::Email,
        "AUDIO" => ReminderMethod::Audio,
        _ => return None,
    };
    Some((Reminder { minutes: minutes?, method: Some(method) }, rest))
}

/// The reminder that a kept alarm is.
pub(crate) fn reminder_of(component: &str) -> Option<Reminder> {
    let lines: Vec<Line> =
        component.lines().map(|text| Line { number: 0, text: text.to_owned() }).filter(is_inside).collect();
    reminder(&lines, "").map(|(reminder, _)| reminder)
}

fn is_inside(line: &Line) -> bool {
    frame(&line.text).is_none()
}

fn before_start(trigger: &Property) -> Option<u32> {
    let is_of_end = trigger.parameter("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
    let span = Span::read(trigger.raw_value())?;
    let seconds = span.in_seconds();
    let is_before = (span.is_negative || seconds == 0) && seconds % 60 == 0 && !is_of_end;
    u32::try_from(seconds / 60).ok().filter(|_| is_before)
}
