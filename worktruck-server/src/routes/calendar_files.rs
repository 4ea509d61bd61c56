//! Files of events.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Body;
use worktruck_agents::export::icalendar::{Exported, MEDIA_TYPE, write};
use worktruck_agents::import::icalendar::{Options, Target, load, parse};
use worktruck_core::PageRequest;
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::event::Event;
use worktruck_core::pim::calendar::{AttendeeFilter, EventFilter};
use worktruck_core::pim::{Record, Records, Stored};
use worktruck_core::recurrence::Zone;

use crate::Failure;
use crate::answer::{Download, Plain};
use crate::body::{File, FileTypes};
use crate::call::Call;

use super::contact_files::{Imported, SOURCE, aside};

/// Files of events.
#[derive(Debug)]
pub(crate) struct CalendarFiles;

impl FileTypes for CalendarFiles {
    const TYPES: &'static [&'static str] = &["text/calendar"];
}

pub(crate) async fn import(call: Call<(), File<CalendarFiles>>) -> Result<Plain<Imported>, Failure> {
    let calendar = call.id()?;
    // Nobody waits for a file to be read that has nowhere to go.
    call.records::<Calendar>().get(calendar).await?;
    let locale = call.context.locale;
    let options = Options { zone: Zone::parse(locale.timezone.name())? };
    let bytes = call.body.bytes;
    let parsed = aside(move || parse(SOURCE, &bytes, &options)).await?;
    let service = call.context.service;
    let target = Target {
        store: Arc::clone(service.pim().store()),
        tenant: call.context.principal.tenant,
        ids: Arc::clone(service.ids()),
        clock: Arc::clone(service.clock()),
        captured_by: call.context.principal.actor,
        locale,
    };
    Ok(Plain(load(&target, calendar, parsed, |_| {}).await?.into()))
}

pub(crate) async fn export(call: Call) -> Result<Download<CalendarFiles>, Failure> {
    let id = call.id()?;
    let calendar = call.records::<Calendar>().get(id).await?;
    let (events, attendees) = (call.records::<Event>(), call.records::<Attendee>());
    let filter = EventFilter { calendar_id: Some(id), ..EventFilter::default() };
    let events: Vec<Stored<Event>> = walk(&events, filter).await?;
    let mut invited: Vec<Vec<Attendee>> = Vec::with_capacity(events.len());
    for event in &events {
        let filter = AttendeeFilter { event_id: Some(event.id), ..AttendeeFilter::default() };
        invited.push(walk(&attendees, filter).await?.into_iter().map(|attendee| attendee.data).collect());
    }
    let written = events.iter().zip(&invited).map(|(event, attendees)| Exported {
        id: event.id,
        event: &event.data,
        attendees,
        updated_at: event.updated_at(),
    });
    let mut bytes = Vec::new();
    write(&calendar.data, &written.collect::<Vec<_>>(), &mut bytes)?;
    Ok(Download { media_type: MEDIA_TYPE, body: Body::from(bytes), kind: PhantomData })
}

/// All entities of a list, however many.
async fn walk<E: Record>(records: &Records<E>, filter: E::Filter) -> worktruck_core::Result<Vec<Stored<E>>> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let list = records.list(filter.clone()).limit(PageRequest::MAX_LIMIT);
        let page = match cursor {
            Some(cursor) => list.after(cursor).await?,
            None => list.await?,
        };
        found.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
