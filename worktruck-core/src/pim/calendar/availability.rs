//! When somebody has time.

use serde::{Deserialize, Serialize};

use crate::entity::calendar::Calendar;
use crate::entity::event::{Availability as EventAvailability, Event};
use crate::pim::{Operation, Records, Stored};
use crate::recurrence::{Moment, Zone};
use crate::{EntityId, Error, Result};

use super::hours::WorkingHours;
use super::occurrences::{Happening, home};
use super::slots::{Slot, merged, without};
use super::window::Window;

/// The longest window that is asked about, in days.
const MAX_DAYS: i64 = 366;
/// The most occurrences that are counted together.
const MOST_OCCURRENCES: usize = 100_000;
/// The longest slot that is looked for, in minutes: a week.
const MAX_SLOT_MINUTES: u32 = 7 * 24 * 60;
const MICROS_IN_MINUTE: i64 = 60_000_000;
const MICROS_IN_DAY: i64 = 24 * 60 * MICROS_IN_MINUTE;

/// A question when somebody has time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AvailabilityRequest {
    /// From when on; a date is the midnight that it begins with, in `timezone`.
    pub from: Moment,
    /// Until when.
    pub to: Moment,
    /// Whose events count; those of all visible calendars if there are none.
    #[serde(default)]
    pub calendar_ids: Vec<EntityId>,
    /// The time zone (IANA) of days and working hours; the tenant's if absent.
    #[serde(default)]
    pub timezone: Option<String>,
    /// How long a free stretch must be to be named, in minutes.
    #[serde(default)]
    pub slot_minutes: Option<u32>,
    /// When somebody works, such as `mon-fri@09:00-17:00`: see [`WorkingHours`]; always if absent.
    #[serde(default)]
    pub working_hours: Option<String>,
}

impl AvailabilityRequest {
    /// A question about all visible calendars, day and night.
    #[must_use]
    pub const fn new(from: Moment, to: Moment) -> Self {
        Self { from, to, calendar_ids: Vec::new(), timezone: None, slot_minutes: None, working_hours: None }
    }
}

/// When somebody has time, and when not: in order, nothing twice, and nothing that touches in two pieces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// When events are, within the window.
    pub busy: Vec<Slot>,
    /// Working hours without events: every stretch that is long enough, as a whole.
    pub free: Vec<Slot>,
}

/// When somebody has time.
///
/// Every event counts that is neither cancelled nor says that it leaves time; one that is tentative counts. An all-day
/// event takes its days as they are in the time zone of the question, wherever it was made. The answer is of one moment.
///
/// # Errors
///
/// `InvalidRequest` at `/timezone`, `/slot_minutes`, `/working_hours` or `/calendar_ids/0`, or at `/to` if the window
/// is too long or has too much in it; and those of the store.
pub async fn availability(operation: &Operation, request: &AvailabilityRequest) -> Result<Availability> {
    let zone = match &request.timezone {
        Some(name) => Zone::parse(name).map_err(|e| e.at("/timezone"))?,
        None => home(operation)?,
    };
    let window = Window::new(Some(request.from), Some(request.to), zone)?;
    let whole = window.slot();
    if whole.micros() > MAX_DAYS * MICROS_IN_DAY {
        return Err(Error::invalid(format!("the window must not be longer than {MAX_DAYS} days")).at("/to"));
    }
    let hours = request.working_hours.as_deref().map(str::parse::<WorkingHours>).transpose()?;
    let shortest = match request.slot_minutes {
        None => 0,
        Some(minutes) if (1..=MAX_SLOT_MINUTES).contains(&minutes) => i64::from(minutes) * MICROS_IN_MINUTE,
        Some(minutes) => {
            let message = format!("a slot has 1 to {MAX_SLOT_MINUTES} minutes, not {minutes}");
            return Err(Error::invalid(message).at("/slot_minutes"));
        }
    };
    let operation = &operation.fixed().await?;
    let calendars = calendars(operation, &request.calendar_ids).await?;
    let query = window.apply(operation.query::<Event>()).with_any("calendar_id", calendars);
    let happening = Happening::of(operation, query).await?;
    let times = happening.times(&window, MOST_OCCURRENCES, None)?;
    if times.len() > MOST_OCCURRENCES {
        let message = format!("the window has more than {MOST_OCCURRENCES} occurrences; choose a shorter one");
        return Err(Error::invalid(message).at("/to"));
    }
    let takes_time = |event: &Event| event.availability == EventAvailability::Busy;
    let taken = times.iter().filter(|time| takes_time(&time.event.data));
    let busy = merged(taken.filter_map(|time| time.slot.within(whole)).collect());
    let worked = hours.map_or_else(|| vec![whole], |hours| hours.moments(zone, whole));
    let mut free = without(&worked, &busy);
    free.retain(|slot| slot.micros() >= shortest);
    Ok(Availability { busy, free })
}

/// The calendars that are asked about.
async fn calendars(operation: &Operation, asked: &[EntityId]) -> Result<Vec<EntityId>> {
    if asked.is_empty() {
        let visible = operation.query::<Calendar>().with("visible", Some(true));
        let visible: Vec<Stored<Calendar>> = operation.all(visible).await?;
        return Ok(visible.into_iter().map(|calendar| calendar.id).collect());
    }
    for (index, id) in asked.iter().enumerate() {
        if operation.find::<Calendar>(*id).await?.is_none() {
            return Err(Error::invalid(format!("calendar {id} does not exist")).at(format!("/calendar_ids/{index}")));
        }
    }
    Ok(asked.to_vec())
}

impl Records<Event> {
    /// When somebody has time.
    ///
    /// # Errors
    ///
    /// As for [`availability`].
    pub async fn availability(&self, request: &AvailabilityRequest) -> Result<Availability> {
        availability(&self.operation(), request).await
    }
}
