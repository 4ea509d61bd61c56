//! Scenarios of calendars, events and availability.

#![expect(clippy::unwrap_used, reason = "a scenario is a test that other crates run")]

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::entity::Locale;
use crate::entity::calendar::Calendar;
use crate::entity::event::Event;
use crate::pim::calendar::{EventFilter, Occurrence};
use crate::pim::{Records, Stored};
use crate::recurrence::Moment;
use crate::{EntityId, PageRequest, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

mod availability;
mod calendars;
mod differing;
mod events;
mod invited;
mod occurrences;
mod parts;
mod series;

pub use availability::*;
pub use calendars::*;
pub use differing::*;
pub use events::*;
pub use invited::*;
pub use occurrences::*;
pub use parts::*;
pub use series::*;

/// A desk of a tenant at home in `zone`, with a calendar.
async fn at_home(stage: &Stage, zone: Tz) -> (Desk, EntityId) {
    let desk = Desk { locale: Locale { timezone: zone, ..Locale::default() }, ..Desk::new(stage) };
    let calendar = desk.create::<Calendar>(json!({ "name": "Work" })).await;
    (desk, calendar.id)
}

/// A moment after all that was written, and before all that will be.
fn settled(desk: &Desk) -> Timestamp {
    desk.wait(1);
    desk.wait(1)
}

/// Makes an event, with a title if it names none.
async fn event(desk: &Desk, calendar: EntityId, fields: Value) -> Stored<Event> {
    desk.create::<Event>(body(calendar, fields)).await
}

fn body(calendar: EntityId, fields: Value) -> Value {
    let mut body = json!({ "calendar_id": calendar, "title": "Event" });
    if let Value::Object(fields) = fields {
        body.as_object_mut().unwrap().extend(fields);
    }
    body
}

/// A daily meeting of five days at 09:00 in Berlin, from Monday the 4th of May 2026, of half an hour.
async fn daily(desk: &Desk, calendar: EntityId) -> Stored<Event> {
    let fields = json!({
        "title": "Daily", "timezone": "Europe/Berlin", "rrule": "FREQ=DAILY;COUNT=5",
        "start_at": "2026-05-04T07:00:00Z", "end_at": "2026-05-04T07:30:00Z",
    });
    event(desk, calendar, fields).await
}

/// The start of [`daily`] on a day of May.
fn on(day: u32) -> Moment {
    moment(&format!("2026-05-{day:02}T07:00:00Z"))
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(from: &str, to: &str) -> EventFilter {
    EventFilter { from: Some(moment(from)), to: Some(moment(to)), ..EventFilter::default() }
}

/// What takes place in a window: the day or the time each begins at, and its title.
async fn agenda(events: &Records<Event>, filter: &EventFilter) -> Vec<String> {
    let page = events.occurrences(filter, None, &PageRequest::largest(None)).await.unwrap();
    page.data.iter().map(shown).collect()
}

fn shown(occurrence: &Occurrence) -> String {
    let start = match (occurrence.start_at, occurrence.start_date) {
        (Some(at), None) => at.to_string().replace(":00.000000Z", ""),
        (None, Some(date)) => date.to_string(),
        both => panic!("an occurrence has a start: {both:?}"),
    };
    format!("{start} {}", occurrence.title)
}

/// The titles of a list.
fn titles(events: Vec<Stored<Event>>) -> Vec<String> {
    events.into_iter().map(|event| event.data.title).collect()
}

/// May 2026.
fn may() -> EventFilter {
    window("2026-05-01", "2026-06-01")
}
