//! Validation of an event, and its canonical form.

use std::fmt::Display;

use crate::entity::text::{check_name, check_object, check_optional, check_optional_text, check_url};
use crate::recurrence::Zone;
use crate::{Error, Result};

use super::{Event, MAX_DATES, MAX_REMINDERS};

pub(super) fn normalise(event: &mut Event) -> Result<()> {
    check_name("/title", &event.title)?;
    check_optional_text("/description", event.description.as_deref())?;
    check_optional("/location", event.location.as_deref())?;
    check_place(event)?;
    check_url("/conference_url", event.conference_url.as_deref())?;
    check_optional("/color", event.color.as_deref())?;
    if !event.ical_uid.is_empty() {
        check_name("/ical_uid", &event.ical_uid)?;
    }
    if event.reminders.len() > MAX_REMINDERS {
        return Err(Error::invalid(format!("an event has at most {MAX_REMINDERS} reminders")).at("/reminders"));
    }
    if let Some(zone) = &mut event.timezone {
        *zone = Zone::parse(zone).map_err(|e| e.at("/timezone"))?.name().to_owned();
    }
    check_times(event)?;
    check_series(event)?;
    check_object("/metadata", &event.metadata)
}

fn check_place(event: &Event) -> Result<()> {
    let both = [("/location_lat", event.location_lat, 90.0), ("/location_lng", event.location_lng, 180.0)];
    for (pointer, degrees, most) in both {
        if degrees.is_some_and(|degrees| !(-most..=most).contains(&degrees)) {
            return Err(Error::invalid(format!("it must be between -{most} and {most} degrees")).at(pointer));
        }
    }
    match (event.location_lat, event.location_lng) {
        (Some(_), None) => Err(Error::invalid("a place with a location_lat needs a location_lng").at("/location_lng")),
        (None, Some(_)) => Err(Error::invalid("a place with a location_lng needs a location_lat").at("/location_lat")),
        _ => Ok(()),
    }
}

fn check_times(event: &Event) -> Result<()> {
    let (strange, belongs) = if event.is_all_day {
        ([("/start_at", event.start_at.is_some()), ("/end_at", event.end_at.is_some())], "start_date and end_date")
    } else {
        let strange = [("/start_date", event.start_date.is_some()), ("/end_date", event.end_date.is_some())];
        (strange, "start_at and end_at, unless is_all_day is true")
    };
    if let Some((pointer, _)) = strange.into_iter().find(|(_, is_there)| *is_there) {
        let what = if event.is_all_day { "an all-day event" } else { "an event" };
        return Err(Error::invalid(format!("{what} has {belongs}")).at(pointer));
    }
    event.start()?;
    if let Some((start, end)) = event.start_at.zip(event.end_at)
        && end < start
    {
        return Err(ends_before("/end_at", start, end));
    }
    if let Some((start, end)) = event.start_date.zip(event.end_date)
        && end <= start
    {
        let message = format!("end_date is the day after the last and must be later than {start}, but it is {end}");
        return Err(Error::invalid(message).at("/end_date"));
    }
    if let Some(end) = event.end_date {
        crate::recurrence::Start::date(end).map_err(|e| e.at("/end_date"))?;
    }
    Ok(())
}

fn ends_before(pointer: &str, start: impl Display, end: impl Display) -> Error {
    Error::invalid(format!("an event must not end before it begins, but {end} is before {start}")).at(pointer)
}

fn check_series(event: &Event) -> Result<()> {
    for (pointer, dates) in [("/exdates", &event.exdates), ("/rdates", &event.rdates)] {
        if dates.len() > MAX_DATES {
            return Err(Error::invalid(format!("a series has at most {MAX_DATES} of them")).at(pointer));
        }
    }
    match (event.series_id, event.recurrence_id) {
        (Some(_), None) => {
            let message = "an occurrence of a series needs the recurrence_id that says which";
            return Err(Error::invalid(message).at("/recurrence_id"));
        }
        (None, Some(_)) => {
            return Err(Error::invalid("a recurrence_id needs the series_id of its series").at("/series_id"));
        }
        (Some(_), Some(_)) => {
            let parts = [
                ("/rrule", event.rrule.is_some()),
                ("/exdates", !event.exdates.is_empty()),
                ("/rdates", !event.rdates.is_empty()),
            ];
            if let Some((pointer, _)) = parts.into_iter().find(|(_, is_there)| *is_there) {
                return Err(Error::invalid("an occurrence of a series cannot repeat; change the series").at(pointer));
            }
        }
        (None, None) => {}
    }
    // Also reads the values of exdates, and refuses years that no calendar has.
    event.series()?;
    if event.is_series() {
        let whole = event.whole_series()?;
        if event.rrule.is_some() && !whole.contains(event.start()?)? {
            return Err(Error::invalid("the rule ends before the event begins").at("/rrule"));
        }
        // What cannot be counted to its end cannot be indexed.
        whole.last().map_err(|e| e.at("/rrule"))?;
    }
    Ok(())
}
