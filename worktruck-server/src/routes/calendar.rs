//! Calendars, events and availability.

use std::marker::PhantomData;

use axum::response::Response;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::event::{Event, EventStatus};
use worktruck_core::entity::event_link::EventLink;
use worktruck_core::pim::calendar::{Availability, AvailabilityRequest, EventFilter, EventPart, EventSort};
use worktruck_core::pim::calendar::{Occurrence, UpdateScope};
use worktruck_core::recurrence::Moment;
use worktruck_core::{EntityId, Error, PageRequest};

use crate::answer::{Answer, Bare, Many, Nothing, One, Pages, Plain};
use crate::body::Patch;
use crate::call::Call;
use crate::entities::{Called, erase, list_of};
use crate::route::Routes;
use crate::{Domain, Failure};

use super::calendar_files::{export, import};

/// The routes of calendars and events.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Calendar)
        .entity::<Calendar>("/calendars", Called("a calendar", "calendars"))
        .post("/calendars/{id}/import", "Imports a file of events into a calendar.", import)
        .at_once()
        .get("/calendars/{id}/export", "Exports the events of a calendar as a file.", export)
        .list("/events", "Lists events, or what takes place in a window.", list)
        .sorted::<EventSort>()
        .searched()
        .creates::<Event>("/events", EVENT)
        .reads::<Event>("/events/{id}", EVENT)
        .patch("/events/{id}", "Changes an event, or a part of a series, by a merge patch.", update)
        .delete("/events/{id}", "Deletes an event, or a part of a series, or erases it.", delete)
        .travels::<Event>("/events/{id}", "history")
        .list("/events/{id}/occurrences", "Lists the times that an event takes place.", occurrences)
        .get("/events/search", "Finds the events that match words best.", search)
        .parts::<Attendee>("/events/{id}/attendees", Called("an attendee", "the attendees of an event"))
        .part_lists::<EventLink>("/events/{id}/links", Called("a link", "the links of an event"))
        .get("/availability", "Tells when somebody has time.", availability)
}

const EVENT: Called = Called("an event", "events");

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Events {
    /// The calendar.
    calendar_id: Option<EntityId>,
    /// Only what is not over then.
    from: Option<Moment>,
    /// Only what begins before then.
    to: Option<Moment>,
    /// The series from which it differs.
    series_id: Option<EntityId>,
    /// What names it in iCalendar.
    ical_uid: Option<String>,
    /// Whether it takes place.
    status: Option<EventStatus>,
    /// Whether series are written out: what takes place in the window, in order of time.
    expand: bool,
}

/// Events as they are stored, or what takes place.
#[derive(Debug)]
enum Listed {
    Stored(Many<Event>),
    Expanded(Pages<Occurrence>),
}

impl Answer for Listed {
    fn respond(self) -> Result<Response, Failure> {
        match self {
            Self::Stored(page) => page.respond(),
            Self::Expanded(page) => page.respond(),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        let (stored, expanded) = (Many::<Event>::schema(generator), Pages::<Occurrence>::schema(generator));
        Some(json!({ "anyOf": [stored, expanded] }))
    }
}

async fn list(call: Call<Events>) -> Result<Listed, Failure> {
    let Events { calendar_id, from, to, series_id, ref ical_uid, status, expand } = call.query;
    let filter = EventFilter { calendar_id, from, to, series_id, ical_uid: ical_uid.clone(), status };
    if !expand {
        return Ok(Listed::Stored(list_of(&call, filter).await?));
    }
    if call.is_sorted() {
        return Err(Error::invalid("what takes place is in order of time; leave sort out").at("/sort").into());
    }
    call.refuse_words_of_the_past()?;
    let page = call.records::<Event>().occurrences(&filter, call.words(), &call.page()?).await?;
    Ok(Listed::Expanded(Pages(page)))
}

/// Which part of a series is meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Part {
    /// How much of it.
    update_scope: Option<UpdateScope>,
    /// The occurrence, by when the series would have it start.
    recurrence_id: Option<Moment>,
}

async fn update(call: Call<Part, Patch<Event>>) -> Result<One<Event>, Failure> {
    let Part { update_scope, recurrence_id } = call.query;
    let (records, id) = (call.records::<Event>(), call.id()?);
    Ok(records.update_part(id, EventPart { update_scope, recurrence_id }, call.body.0).await?.into())
}

/// Which part of a series is deleted, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Deletion {
    /// How much of it.
    update_scope: Option<UpdateScope>,
    /// The occurrence, by when the series would have it start.
    recurrence_id: Option<Moment>,
    /// Whether every version is erased, of the whole event; needs the scope `admin:write`.
    purge: bool,
}

async fn delete(call: Call<Deletion>) -> Result<Nothing, Failure> {
    let Deletion { update_scope, recurrence_id, purge } = call.query;
    if !purge {
        call.records::<Event>().delete_part(call.id()?, EventPart { update_scope, recurrence_id }).await?;
        return Ok(Nothing);
    }
    if recurrence_id.is_some() || update_scope.is_some_and(|scope| scope != UpdateScope::All) {
        return Err(Error::invalid("an event is erased as a whole; leave out which part").at("/purge").into());
    }
    erase::<Event, _, _>(&call).await
}

/// A stretch of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Stretch {
    /// Only what is not over then.
    from: Option<Moment>,
    /// Only what begins before then.
    to: Option<Moment>,
}

async fn occurrences(call: Call<Stretch>) -> Result<Pages<Occurrence>, Failure> {
    let Stretch { from, to } = call.query;
    Ok(Pages(call.records::<Event>().event_occurrences(call.id()?, (from, to), &call.page()?).await?))
}

/// What is searched for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Words {
    /// The words.
    q: String,
}

async fn search(call: Call<Words>) -> Result<Bare<Event>, Failure> {
    let found = call.records::<Event>().search(&EventFilter::default(), &call.query.q, PageRequest::default()).await?;
    Ok(Bare(found.data.iter().map(|hit| hit.record.resource()).collect(), PhantomData))
}

/// When somebody should have time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// From when on.
    from: Moment,
    /// Until when.
    to: Moment,
    /// Whose events count, with commas between the ids; those of all visible calendars if left out.
    calendar_ids: Option<String>,
    /// The time zone (IANA) of days and working hours; the tenant's if left out.
    timezone: Option<String>,
    /// How long a free stretch must be, in minutes.
    slot_minutes: Option<u32>,
    /// When somebody works, such as `mon-fri@09:00-17:00,sat@10:00-12:00`; always if left out.
    working_hours: Option<String>,
}

async fn availability(call: Call<Asked>) -> Result<Plain<Availability>, Failure> {
    let Asked { from, to, calendar_ids, timezone, slot_minutes, working_hours } = &call.query;
    let ids = calendar_ids.iter().flat_map(|ids| ids.split(',')).map(|id| id.trim().parse());
    let calendar_ids = ids.collect::<Result<Vec<EntityId>, Error>>().map_err(|error| error.at("/calendar_ids"))?;
    let request = AvailabilityRequest {
        calendar_ids,
        timezone: timezone.clone(),
        slot_minutes: *slot_minutes,
        working_hours: working_hours.clone(),
        ..AvailabilityRequest::new(*from, *to)
    };
    Ok(Plain(call.records::<Event>().availability(&request).await?))
}
