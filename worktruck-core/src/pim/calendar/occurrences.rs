//! Occurrences: what takes place in a window, series written out and what differs in its place.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::entity::event::{Event, EventStatus, Length};
use crate::pim::{Filter as _, MOST_TOGETHER, Operation, Records, Stored};
use crate::recurrence::{Moment, Window as Stretch, Zone, expand};
use crate::store::ListQuery;
use crate::temporal::At;
use crate::{Cursor, EntityId, Error, ErrorKind, Page, PageRequest, Period, Result, Timestamp};

use super::events::EventFilter;
use super::parts::having;
use super::slots::Slot;
use super::window::{Window, midnight};

/// The longest window whose series are written out: ten years.
pub const MAX_WINDOW: Duration = Duration::from_secs(3653 * 24 * 3600);

/// One time that an event takes place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Occurrence {
    /// The event: the series, or what differs from it.
    pub event_id: EntityId,
    /// The series, if it is one of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<EntityId>,
    /// When it would start if nobody had moved it.
    pub recurrence_id: Moment,
    /// When it begins, unless it is all-day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Its first day, if it is all-day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<NaiveDate>,
    /// When it is over, unless it is all-day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// The day after its last, if it is all-day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<NaiveDate>,
    /// The time zone of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What people call it.
    pub title: String,
    /// Whether it takes place.
    pub status: EventStatus,
    /// Whether it differs from its series.
    pub is_override: bool,
}

/// A page of what takes place in the window of the filter, in order of time, then of the events' ids.
///
/// Cancelled events and occurrences are left out. A walk over several pages is about the moment of its first page,
/// except when words are searched for.
///
/// # Errors
///
/// `InvalidRequest` at `/from` or `/to` if the filter has no window, one longer than [`MAX_WINDOW`], or one with more
/// events than [`MOST_TOGETHER`]; `InvalidCursor`; and those of the store.
pub async fn occurrences(
    operation: &Operation,
    filter: &EventFilter,
    text: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Occurrence>> {
    for (pointer, bound) in [("/from", filter.from), ("/to", filter.to)] {
        if bound.is_none() {
            let message = "occurrences are those of a window; say from and to";
            return Err(Error::invalid(message).at(pointer));
        }
    }
    let window = filter.window(operation)?;
    let slot = window.slot();
    if slot.end.since(slot.start) > MAX_WINDOW {
        let days = MAX_WINDOW.as_secs() / 86_400;
        return Err(Error::invalid(format!("the window must not be longer than {days} days")).at("/to"));
    }
    let scope = ("occurrences", operation.view.tenant(), filter, text, window.zone, operation.at);
    let place = page.cursor().map(|cursor| cursor.open::<Place>(&scope)).transpose()?;
    let operation = Place::pinned(place.as_ref(), operation, text.is_some()).await?;
    let mut query = filter.apply(operation.query::<Event>(), &operation).await?;
    query.text = text.map(str::to_owned);
    let happening = Happening::of(&operation, query).await?;
    happening.page(&operation, &window, page.limit(), place.as_ref(), |place| Cursor::seal(&scope, place))
}

/// A page of the times that an event takes place, in order: those of a series with what differs in their place.
///
/// Without `from` they begin with the first one, without `to` they go on for ever.
///
/// # Errors
///
/// `NotFound`, `InvalidRequest` at `/to`, `InvalidCursor`, and those of the store.
pub async fn event_occurrences(
    operation: &Operation,
    id: EntityId,
    (from, to): (Option<Moment>, Option<Moment>),
    page: &PageRequest,
) -> Result<Page<Occurrence>> {
    let window = Window::new(from, to, home(operation)?)?;
    let scope = ("occurrences of", operation.view.tenant(), id, from, to, window.zone, operation.at);
    let place = page.cursor().map(|cursor| cursor.open::<Place>(&scope)).transpose()?;
    let operation = Place::pinned(place.as_ref(), operation, false).await?;
    let event = operation.expect::<Event>(id).await?;
    let mut events = having::<Event>(&operation, "series_id", &[id]).await?;
    events.push(event);
    let happening = Happening::new(events);
    happening.page(&operation, &window, page.limit(), place.as_ref(), |place| Cursor::seal(&scope, place))
}

/// The zone that days of the tenant begin in.
pub(super) fn home(operation: &Operation) -> Result<Zone> {
    Zone::parse(operation.locale.timezone.name())
}

/// Where a page begins, and the moment that the walk is about.
#[derive(Deserialize, Serialize)]
struct Place {
    /// When the last occurrence shown begins, in microseconds.
    at: i64,
    id: EntityId,
    pin: Option<At>,
}

impl Place {
    /// The operation about the moment of the walk: that of its first page.
    async fn pinned(place: Option<&Self>, operation: &Operation, is_search: bool) -> Result<Operation> {
        match place {
            None if is_search => Ok(operation.clone()),
            None => operation.fixed().await,
            Some(place) => {
                let mut operation = operation.clone();
                if let Some((at, moment)) = place.pin.and_then(|at| Some((at, at.as_of?))) {
                    // The clock of this reader may not have come there yet.
                    operation.view = operation.view.not_before(moment);
                    operation.at = at;
                }
                Ok(operation)
            }
        }
    }
}

/// Events that may take place in a window, and which occurrences of series others stand for.
pub(super) struct Happening {
    events: Vec<Stored<Event>>,
    differing: HashMap<EntityId, BTreeSet<Moment>>,
    is_search: bool,
}

/// One time that an event takes place.
pub(super) struct Time<'a> {
    pub(super) event: &'a Stored<Event>,
    pub(super) start: Moment,
    pub(super) slot: Slot,
}

impl Happening {
    /// The events that a query asks for.
    pub(super) async fn of(operation: &Operation, query: ListQuery) -> Result<Self> {
        let is_search = query.text.is_some();
        let events = operation.all::<Event>(query).await.map_err(|error| match error.kind() {
            ErrorKind::Conflict => {
                Error::invalid(format!("the window has more than {MOST_TOGETHER} events; choose a shorter one"))
                    .at("/to")
            }
            _ => error,
        })?;
        let series: Vec<EntityId> =
            events.iter().filter(|event| event.data.is_series()).map(|event| event.id).collect();
        let mut happening = Self::new(events);
        happening.add_differing(&having(operation, "series_id", &series).await?);
        happening.is_search = is_search;
        Ok(happening)
    }

    /// These events, and no others in the place of their occurrences.
    fn new(events: Vec<Stored<Event>>) -> Self {
        let mut happening = Self { events: Vec::new(), differing: HashMap::new(), is_search: false };
        happening.add_differing(&events);
        happening.events = events;
        happening
    }

    fn add_differing(&mut self, events: &[Stored<Event>]) {
        for event in events {
            if let Some((series, recurrence)) = event.data.series_id.zip(event.data.recurrence_id) {
                self.differing.entry(series).or_default().insert(recurrence);
            }
        }
    }

    /// The first `most` times of each event within the window, from `after` on, all in order.
    pub(super) fn times(
        &self,
        window: &Window,
        most: usize,
        after: Option<(Timestamp, EntityId)>,
    ) -> Result<Vec<Time<'_>>> {
        let mut times = Vec::new();
        for event in &self.events {
            if event.data.status == EventStatus::Cancelled {
                continue;
            }
            for start in self.starts(event, window, most, after.map(|(at, _)| at))? {
                let slot = window.time_of(start, event.data.length());
                let is_after = after.is_none_or(|after| after < (slot.start, event.id));
                if is_after && window.shows(start, slot) {
                    times.push(Time { event, start, slot });
                }
            }
        }
        times.sort_by_key(|time| (time.slot.start, time.event.id));
        Ok(times)
    }

    /// When an event begins: all times that may be among its first `most` within the window from `after` on.
    fn starts(
        &self,
        event: &Stored<Event>,
        window: &Window,
        most: usize,
        after: Option<Timestamp>,
    ) -> Result<Vec<Moment>> {
        if !event.data.is_series() {
            return Ok(vec![event.data.start()?]);
        }
        let slot = window.slot();
        let mut from = match event.data.length() {
            Length::Micros(micros) => Timestamp::from_micros(slot.start.as_micros().saturating_sub(micros)),
            Length::Days(days) => days_before(window.zone, slot.start, days),
        };
        from = after.map_or(from, |after| from.max(after));
        let Ok(period) = Period::new(from, slot.end) else { return Ok(Vec::new()) };
        let none = BTreeSet::new();
        let differing = self.differing.get(&event.id).unwrap_or(&none);
        // Those that are over when the window begins, or were shown already, are few: see `times`.
        let limit = most.saturating_add(differing.len()).saturating_add(4);
        let found = expand(&event.data.series()?, Stretch::new(period, window.zone), limit).map_err(|error| {
            Error::new(error.kind(), format!("the occurrences of event {} cannot be found", event.id))
                .with_source(error)
        })?;
        Ok(found.moments.into_iter().filter(|start| !differing.contains(start)).collect())
    }

    fn page(
        &self,
        operation: &Operation,
        window: &Window,
        limit: usize,
        place: Option<&Place>,
        seal: impl Fn(&Place) -> Result<Cursor>,
    ) -> Result<Page<Occurrence>> {
        let after = place.map(|place| (Timestamp::from_micros(place.at), place.id));
        let mut times = self.times(window, limit.saturating_add(1), after)?;
        let has_more = times.len() > limit;
        times.truncate(limit);
        let next = match times.last() {
            Some(last) if has_more => {
                let pin = place.map_or_else(|| self.pin(operation), |place| place.pin);
                Some(seal(&Place { at: last.slot.start.as_micros(), id: last.event.id, pin })?)
            }
            _ => None,
        };
        Ok(Page::new(times.iter().map(Time::occurrence).collect(), next))
    }

    /// The two times that a walk that begins now is about; none if it cannot be about one moment.
    fn pin(&self, operation: &Operation) -> Option<At> {
        let is_one = !self.is_search && operation.at.as_of.is_none();
        is_one.then(|| operation.view.seen(operation.at))
    }
}

/// A moment from which on every whole day begins that is not over at `at`, if it is one of so many days.
fn days_before(zone: Zone, at: Timestamp, days: u64) -> Timestamp {
    let first = zone.wall(at).and_then(|wall| wall.date().checked_sub_days(Days::new(days)));
    first.map_or(at, |first| midnight(zone, first))
}

impl Time<'_> {
    fn occurrence(&self) -> Occurrence {
        let Stored { id, data, .. } = self.event;
        let (mut start_at, mut start_date, mut end_at, mut end_date) = (None, None, None, None);
        match self.start {
            Moment::Date(date) => start_date = Some(date),
            Moment::Instant(at) => start_at = Some(at),
        }
        match data.length().end_of(self.start) {
            Moment::Date(date) => end_date = Some(date),
            Moment::Instant(at) => end_at = Some(at),
        }
        Occurrence {
            event_id: *id,
            series_id: data.series_id.or_else(|| data.is_series().then_some(*id)),
            recurrence_id: data.recurrence_id.unwrap_or(self.start),
            start_at,
            start_date,
            end_at,
            end_date,
            timezone: data.timezone.clone(),
            title: data.title.clone(),
            status: data.status,
            is_override: data.series_id.is_some(),
        }
    }
}

impl Records<Event> {
    /// A page of what takes place in the window of the filter, in order of time.
    ///
    /// # Errors
    ///
    /// As for [`occurrences`].
    pub async fn occurrences(
        &self,
        filter: &EventFilter,
        text: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Occurrence>> {
        occurrences(&self.operation(), filter, text, page).await
    }

    /// A page of the times that an event takes place, from `from` on and before `to`.
    ///
    /// # Errors
    ///
    /// As for [`event_occurrences`].
    pub async fn event_occurrences(
        &self,
        id: EntityId,
        window: (Option<Moment>, Option<Moment>),
        page: &PageRequest,
    ) -> Result<Page<Occurrence>> {
        event_occurrences(&self.operation(), id, window, page).await
    }
}
