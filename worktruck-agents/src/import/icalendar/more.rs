//! What iCalendar has no words for: differences from what is read, which an export writes beside its words.
//!
//! A difference names the value that it replaces. Where another program has changed that value since, the change
//! wins.

use serde_json::{Map, Value, json};
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::event::Event;

use super::{ImportedEvent, attendee};

/// What a file does not say of an event, or says in the place where it belongs.
const ELSEWHERE: [&str; 7] =
    ["calendar_id", "series_id", "recurrence_id", "next_occurrence", "metadata", "ical_uid", "sequence"];

/// How `meant` differs from `read`.
pub(crate) fn differences(read: &ImportedEvent, meant: &Event, attendees: &[Attendee]) -> Map<String, Value> {
    let (before, after) = (plain(&read.event), plain(meant));
    let mut more = changes(&before, &after);
    let of_metadata = changes(&read.event.metadata, &meant.metadata);
    if !of_metadata.is_empty() {
        more.insert("metadata".to_owned(), Value::Object(of_metadata));
    }
    let mut of_attendees = Map::new();
    for meant in attendees {
        let read = read.attendees.iter().find(|read| read.email == meant.email).map(attendee::plain);
        let changes = changes(&read.unwrap_or_default(), &attendee::plain(meant));
        if !changes.is_empty() {
            of_attendees.insert(meant.email.clone(), Value::Object(changes));
        }
    }
    if !of_attendees.is_empty() {
        more.insert("attendees".to_owned(), Value::Object(of_attendees));
    }
    more
}

/// Applies differences; nothing, and nothing is changed, if they are not understood.
pub(super) fn apply(event: &mut Event, attendees: &mut [Attendee], more: &Map<String, Value>) -> Option<()> {
    let Value::Object(mut body) = json!(event) else { return None };
    let mut changed = attendees.to_vec();
    for (field, change) in more {
        match field.as_str() {
            "metadata" => {
                let metadata = body.get_mut("metadata")?.as_object_mut()?;
                change_all(metadata, change.as_object()?)?;
            }
            "attendees" => {
                for (email, change) in change.as_object()? {
                    let Some(attendee) = changed.iter_mut().find(|attendee| attendee.email == *email) else {
                        continue;
                    };
                    let Value::Object(mut body) = json!(attendee) else { return None };
                    change_all(&mut body, change.as_object()?)?;
                    *attendee = serde_json::from_value(Value::Object(body)).ok()?;
                }
            }
            field if ELSEWHERE.contains(&field) => {}
            field => change_one(&mut body, field, change)?,
        }
    }
    *event = serde_json::from_value(Value::Object(body)).ok()?;
    attendees.clone_from_slice(&changed);
    Some(())
}

fn plain(event: &Event) -> Map<String, Value> {
    let mut event = event.clone();
    // Their order means nothing.
    event.exdates.sort_unstable();
    event.rdates.sort_unstable();
    let Value::Object(mut body) = json!(event) else { return Map::new() };
    ELSEWHERE.iter().for_each(|field| drop(body.remove(*field)));
    body
}

fn changes(was: &Map<String, Value>, is: &Map<String, Value>) -> Map<String, Value> {
    let mut changes = Map::new();
    for field in was.keys().chain(is.keys()) {
        let (before, after) = (was.get(field), is.get(field));
        if before != after {
            changes.insert(field.clone(), json!([before, after]));
        }
    }
    changes
}

fn change_all(body: &mut Map<String, Value>, changes: &Map<String, Value>) -> Option<()> {
    changes.iter().try_for_each(|(field, change)| change_one(body, field, change))
}

fn change_one(body: &mut Map<String, Value>, field: &str, change: &Value) -> Option<()> {
    let [before, after] = change.as_array()?.as_slice() else { return None };
    if body.get(field).unwrap_or(&Value::Null) == before {
        match after {
            Value::Null => drop(body.remove(field)),
            after => drop(body.insert(field.to_owned(), after.clone())),
        }
    }
    Some(())
}
