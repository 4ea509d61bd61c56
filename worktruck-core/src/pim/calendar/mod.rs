//! Calendars, events and availability.
//!
//! A series is an [`Event`](crate::entity::event::Event) with a rule. One of its occurrences that differs is an event
//! of its own, which names the series and the start that the series would give it. What happens in a window is then
//! found from three sets: events that take place once, occurrences that differ, and what the rules say without the
//! latter. [`EventPart`] says how much of a series a change is about.

mod attendees;
mod availability;
mod calendars;
mod copies;
mod cut;
mod events;
mod follow;
mod hours;
mod invited;
mod links;
mod occurrences;
mod parts;
mod reading;
mod series;
mod slots;
#[cfg(test)]
mod tests;
mod window;

pub use attendees::{AttendeeFilter, attendees, invite, uninvite, update_attendee};
pub use availability::{Availability, AvailabilityRequest, availability};
pub use calendars::CalendarFilter;
pub use events::{EventFilter, EventSort};
pub use follow::Move;
pub use hours::WorkingHours;
pub use links::{EventLinkFilter, link, links, unlink};
pub use occurrences::{MAX_WINDOW, Occurrence, event_occurrences, occurrences};
pub use reading::{EventDetail, detail};
pub use series::{EventPart, UpdateScope, delete_part, update_part};
pub use slots::Slot;
