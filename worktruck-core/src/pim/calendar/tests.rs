use chrono::NaiveDate;

use crate::entity::event::{Event, Length};
use crate::recurrence::{Moment, Zone};
use crate::{EntityId, ErrorKind, Timestamp};

use super::follow::Move;
use super::slots::Slot;
use super::window::{Window, midnight};

fn calendar() -> EntityId {
    "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn event(start: &str, zone: &str) -> Event {
    match moment(start) {
        Moment::Date(date) => Event::on(calendar(), "Day", date),
        Moment::Instant(start) => Event { timezone: Some(zone.to_owned()), ..Event::at(calendar(), "Time", start) },
    }
}

#[test]
fn occurrences_move_by_what_clocks_show() {
    for (old, new, occurrence, expected) in [
        // An hour later, across a change of the clocks.
        (
            ("2026-03-02T09:00:00Z", "Europe/London"),
            ("2026-03-02T10:00:00Z", "Europe/London"),
            "2026-04-06T08:00:00Z",
            "2026-04-06T09:00:00.000000Z",
        ),
        // The same moment in another zone: elsewhere clocks change earlier.
        (
            ("2026-03-02T14:00:00Z", "Europe/London"),
            ("2026-03-02T14:00:00Z", "America/New_York"),
            "2026-03-16T14:00:00Z",
            "2026-03-16T13:00:00.000000Z",
        ),
        (("2026-03-02", "UTC"), ("2026-03-05", "UTC"), "2026-04-06", "2026-04-09"),
        (("2026-03-02", "UTC"), ("2026-03-02T09:00:00Z", "Europe/London"), "2026-04-06", "2026-04-06T08:00:00.000000Z"),
        (("2026-03-02T09:00:00Z", "Europe/London"), ("2026-03-02", "UTC"), "2026-04-06T08:00:00Z", "2026-04-06"),
    ] {
        let by = Move::between(&event(old.0, old.1), &event(new.0, new.1)).unwrap().unwrap();
        assert_eq!(by.of(moment(occurrence)).to_string(), expected, "{old:?} to {new:?}");
    }
}

#[test]
fn an_event_that_stays_moves_nothing() {
    let at = event("2026-03-02T09:00:00Z", "Europe/London");
    let longer = Event { end_at: Some(Timestamp::FOREVER), ..at.clone() };
    assert!(Move::between(&at, &longer).unwrap().is_none());
    let day = event("2026-03-02", "UTC");
    let elsewhere = Event { timezone: Some("Asia/Tokyo".to_owned()), ..day.clone() };
    assert!(Move::between(&day, &elsewhere).unwrap().is_none(), "a day is the same wherever it is");
}

#[test]
fn a_window_must_end_after_it_begins() {
    let window = |from: &str, to: &str| Window::new(Some(moment(from)), Some(moment(to)), Zone::UTC);
    for (from, to) in [("2026-03-02", "2026-03-02"), ("2026-03-02T00:00:01Z", "2026-03-02")] {
        let error = window(from, to).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::InvalidRequest, Some("/to")));
    }
    window("2026-03-02", "2026-03-02T00:00:01Z").unwrap();
}

#[test]
fn a_day_takes_the_time_that_it_has_where_clocks_change() {
    for (zone, date, hours) in [
        ("America/New_York", "2026-03-08", 23.0),
        ("America/New_York", "2026-11-01", 25.0),
        ("Europe/London", "2026-03-29", 23.0),
        ("Europe/London", "2026-10-25", 25.0),
        ("Europe/London", "2026-07-01", 24.0),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Pacific/Apia", "2011-12-29", 24.0),
        ("Pacific/Apia", "2011-12-30", 0.0),
        ("Pacific/Apia", "2011-12-31", 24.0),
        // Clocks skip midnight.
        ("Africa/Cairo", "2026-04-24", 23.0),
    ] {
        let window = Window::new(None, None, Zone::parse(zone).unwrap()).unwrap();
        let slot = window.time_of(moment(date), Length::Days(1));
        let found = slot.end.since(slot.start).as_secs_f64() / 3600.0;
        assert!((found - hours).abs() < 1e-9, "{date} in {zone} has {found} hours");
    }
}

#[test]
fn what_ends_when_a_window_begins_is_not_in_it_and_what_takes_no_time_is_at_its_moment() {
    let window = Window::new(Some(moment("2026-04-14")), Some(moment("2026-04-15")), Zone::UTC).unwrap();
    let slot = |from: &str, to: &str| Slot { start: at(from), end: at(to) };
    for (from, to, is_in) in [
        ("2026-04-13T23:00:00Z", "2026-04-14T00:00:00Z", false),
        ("2026-04-13T23:00:00Z", "2026-04-14T00:00:00.000001Z", true),
        ("2026-04-14T00:00:00Z", "2026-04-14T00:00:00Z", true),
        ("2026-04-15T00:00:00Z", "2026-04-15T00:00:00Z", false),
        ("2026-04-14T23:59:59.999999Z", "2026-04-16T00:00:00Z", true),
        ("2026-04-15T00:00:00Z", "2026-04-16T00:00:00Z", false),
    ] {
        assert_eq!(window.shows(moment(from), slot(from, to)), is_in, "{from} to {to}");
    }
}

#[test]
fn the_index_finds_what_a_window_shows() {
    use crate::entity::{Entity as _, Kind};
    use crate::store::{Filter, ListQuery};

    let zones = ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12"];
    let days: Vec<NaiveDate> = NaiveDate::from_ymd_opt(2011, 12, 27).unwrap().iter_days().take(8).collect();
    for zone in zones.map(|zone| Zone::parse(zone).unwrap()) {
        for (first, last) in days.iter().flat_map(|first| days.iter().map(move |last| (*first, *last))) {
            if midnight(zone, last) <= midnight(zone, first) {
                continue;
            }
            let window = Window::new(Some(Moment::Date(first)), Some(Moment::Date(last)), zone).unwrap();
            let filter = Filter::of(&window.apply(ListQuery::new(Kind::Event)));
            for day in &days {
                let bell = Event::at(calendar(), "Bell", midnight(zone, *day));
                let dusk = Event { end_at: Some(midnight(zone, day.succ_opt().unwrap())), ..bell.clone() };
                for event in [Event::on(calendar(), "Day", *day), bell, dusk] {
                    let start = event.start().unwrap();
                    let shown = window.shows(start, window.time_of(start, event.length()));
                    let found = filter.admits_index(calendar(), &event.index().unwrap());
                    assert_eq!(found, shown, "{event:?} from {first} to {last} in {zone}");
                }
            }
        }
    }
}
