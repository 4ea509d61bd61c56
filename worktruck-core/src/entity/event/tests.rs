use serde_json::{Value, json};

use super::*;
use crate::entity::{index, parse};

const CALENDAR: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";
const SERIES: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e";

fn event(fields: &Value) -> Value {
    let mut body = json!({ "calendar_id": CALENDAR, "title": "Lunch" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn timed(fields: &Value) -> Value {
    let mut body = event(&json!({ "start_at": "2026-04-14T12:00:00Z", "end_at": "2026-04-14T13:00:00Z" }));
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn normalised(body: &Value) -> Result<Event> {
    let mut event = parse::<Event>(body)?;
    event.normalise(&Locale::default())?;
    Ok(event)
}

fn keys(body: &Value) -> (String, String, String) {
    let found = index(Kind::Event, body).unwrap();
    let key = |name| found.sort.iter().find(|(key, _)| *key == name).unwrap().1.clone();
    (key(EventKeys::START), key(EventKeys::BEGINS), key(EventKeys::ENDS))
}

fn terms(body: &Value, name: &str) -> Vec<String> {
    let found = index(Kind::Event, body).unwrap().terms;
    found.into_iter().filter(|term| term.name == name).map(|term| term.value).collect()
}

#[test]
fn a_field_that_is_wrong_is_refused_at_its_place() {
    let all_day = |fields: Value| {
        let mut body = event(&json!({ "is_all_day": true, "start_date": "2026-04-14" }));
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let dates: Vec<String> = vec!["2026-04-14T12:00:00Z".to_owned(); MAX_DATES + 1];
    let reminders: Vec<Value> = vec![json!({ "minutes": 1 }); MAX_REMINDERS + 1];
    for (body, pointer) in [
        (timed(&json!({ "title": "" })), "/title"),
        (timed(&json!({ "title": "x".repeat(513) })), "/title"),
        (timed(&json!({ "description": "a\0" })), "/description"),
        (timed(&json!({ "location": " " })), "/location"),
        (timed(&json!({ "location_lat": 90.1, "location_lng": 0 })), "/location_lat"),
        (timed(&json!({ "location_lat": 1, "location_lng": -180.5 })), "/location_lng"),
        (timed(&json!({ "location_lat": 1 })), "/location_lng"),
        (timed(&json!({ "location_lng": 1 })), "/location_lat"),
        (timed(&json!({ "conference_url": "meet" })), "/conference_url"),
        (timed(&json!({ "color": "" })), "/color"),
        (timed(&json!({ "event_type": "party" })), "/event_type"),
        (timed(&json!({ "status": "done" })), "/status"),
        (timed(&json!({ "availability": "maybe" })), "/availability"),
        (timed(&json!({ "visibility": "secret" })), "/visibility"),
        (timed(&json!({ "ical_uid": "a\0" })), "/ical_uid"),
        (timed(&json!({ "sequence": -1 })), "/sequence"),
        (timed(&json!({ "reminders": [{ "minutes": 5 }, { "minutes": -5 }] })), "/reminders/1/minutes"),
        (timed(&json!({ "reminders": [{ "minutes": 5, "method": "pigeon" }] })), "/reminders/0/method"),
        (timed(&json!({ "reminders": reminders })), "/reminders"),
        (timed(&json!({ "timezone": "Mars/Olympus" })), "/timezone"),
        (timed(&json!({ "end_at": "2026-04-14T11:59:59Z" })), "/end_at"),
        (timed(&json!({ "start_date": "2026-04-14" })), "/start_date"),
        (timed(&json!({ "end_date": "2026-04-14" })), "/end_date"),
        (timed(&json!({ "is_all_day": true })), "/start_at"),
        (timed(&json!({ "start_at": "yesterday" })), "/start_at"),
        (event(&json!({})), "/start_at"),
        (event(&json!({ "is_all_day": true })), "/start_date"),
        (all_day(json!({ "end_at": "2026-04-14T12:00:00Z" })), "/end_at"),
        (all_day(json!({ "end_date": "2026-04-14" })), "/end_date"),
        (all_day(json!({ "end_date": "2026-04-13" })), "/end_date"),
        (all_day(json!({ "exdates": ["2026-04-14", "2026-04-15T00:00:00Z"], "rrule": "FREQ=DAILY" })), "/exdates/1"),
        (all_day(json!({ "rdates": ["2026-04-15T00:00:00Z"] })), "/rdates/0"),
        (timed(&json!({ "rrule": "FREQ=DAILY", "exdates": ["2026-04-14"] })), "/exdates/0"),
        (timed(&json!({ "rdates": ["2026-04-15T12:00:00Z", "2026-04-16"] })), "/rdates/1"),
        (timed(&json!({ "rrule": "FREQ=DAILY", "exdates": dates })), "/exdates"),
        (timed(&json!({ "rrule": "FREQ=SOMETIMES" })), "/rrule"),
        (timed(&json!({ "rrule": "" })), "/rrule"),
        (timed(&json!({ "rrule": "FREQ=DAILY;COUNT=2;UNTIL=20260501T000000Z" })), "/rrule"),
        (timed(&json!({ "rrule": "FREQ=DAILY;UNTIL=20260101T000000Z" })), "/rrule"),
        (timed(&json!({ "series_id": SERIES })), "/recurrence_id"),
        (timed(&json!({ "recurrence_id": "2026-04-14T12:00:00Z" })), "/series_id"),
        (timed(&json!({ "series_id": SERIES, "recurrence_id": "2026-04-14", "rrule": "FREQ=DAILY" })), "/rrule"),
        (timed(&json!({ "metadata": { "a": "\0" } })), "/metadata/a"),
    ] {
        let error = normalised(&body).unwrap_err();
        assert_eq!(error.pointer(), Some(pointer), "{error}: {body}");
    }
}

#[test]
fn an_event_says_when_it_begins_and_how_long_it_takes() {
    let lunch = normalised(&timed(&json!({ "timezone": "europe/berlin" }))).unwrap();
    assert_eq!((lunch.timezone.as_deref(), lunch.length()), (Some("Europe/Berlin"), Length::Micros(3_600_000_000)));
    let bell = normalised(&event(&json!({ "start_at": "2026-04-14T12:00:00Z" }))).unwrap();
    assert_eq!(bell.length(), Length::Micros(0));
    let day = normalised(&event(&json!({ "is_all_day": true, "start_date": "2026-04-14" }))).unwrap();
    assert_eq!(day.length(), Length::Days(1));
    assert_eq!(day.length().end_of(day.start().unwrap()).to_string(), "2026-04-15");
    let trip = json!({ "is_all_day": true, "start_date": "2026-04-14", "end_date": "2026-04-20" });
    let trip = normalised(&event(&trip)).unwrap();
    assert_eq!(trip.length(), Length::Days(6));
    let moved = trip.moved_to("2026-12-30".parse().unwrap());
    assert_eq!(json!([moved.start_date, moved.end_date]), json!(["2026-12-30", "2027-01-05"]));
    let moved = bell.moved_to("2026-05-01T00:00:00Z".parse().unwrap());
    assert_eq!(json!([moved.start_at, moved.end_at]), json!(["2026-05-01T00:00:00.000000Z", null]));
}

#[test]
fn what_is_not_said_is_not_written() {
    let body = json!(normalised(&timed(&json!({}))).unwrap());
    let expected = json!({
        "calendar_id": CALENDAR, "title": "Lunch", "event_type": "event", "status": "confirmed",
        "availability": "busy", "visibility": "default", "is_all_day": false,
        "start_at": "2026-04-14T12:00:00.000000Z", "end_at": "2026-04-14T13:00:00.000000Z",
        "exdates": [], "rdates": [], "ical_uid": "", "sequence": 0, "reminders": [], "metadata": {},
    });
    assert_eq!(body, expected);
}

#[test]
fn words_are_written_as_stores_know_them() {
    let same = |names: Vec<&str>, values: Value| assert_eq!(json!(names), values);
    same(EventType::ALL.iter().map(|word| word.as_str()).collect(), json!(EventType::ALL));
    same(EventStatus::ALL.iter().map(|word| word.as_str()).collect(), json!(EventStatus::ALL));
    same(Availability::ALL.iter().map(|word| word.as_str()).collect(), json!(Availability::ALL));
    same(Visibility::ALL.iter().map(|word| word.as_str()).collect(), json!(Visibility::ALL));
    same(ReminderMethod::ALL.iter().map(|word| word.as_str()).collect(), json!(ReminderMethod::ALL));
}

#[test]
fn an_event_is_found_by_the_months_it_lies_in() {
    let months = |fields| terms(&event(&fields), "month");
    let over_new_year = json!({ "start_at": "2026-12-31T23:00:00Z", "end_at": "2027-01-01T01:00:00Z" });
    assert_eq!(months(over_new_year.clone()), ["2026-12", "2027-01"]);
    assert_eq!(terms(&event(&over_new_year), "year"), ["2026", "2027"]);
    // The end is not part of it.
    let to_midnight = json!({ "start_at": "2026-04-30T23:00:00Z", "end_at": "2026-05-01T00:00:00Z" });
    assert_eq!(months(to_midnight), ["2026-04"]);
    assert_eq!(months(json!({ "start_at": "2026-05-01T00:00:00Z" })), ["2026-05"]);
    // The first of a month begins in the one before where clocks are ahead.
    assert_eq!(months(json!({ "is_all_day": true, "start_date": "2026-05-01" })), ["2026-04", "2026-05"]);
    assert_eq!(months(json!({ "is_all_day": true, "start_date": "2026-05-31" })), ["2026-05", "2026-06"]);
    let two_years = json!({ "start_at": "2026-01-01T00:00:00Z", "end_at": "2028-01-01T00:00:00Z" });
    assert_eq!(months(two_years.clone()).len(), MONTHS_INDEXED);
    assert_eq!(terms(&event(&two_years), "span"), Vec::<String>::new());
    let longer = event(&json!({ "start_at": "2026-01-01T00:00:00Z", "end_at": "2028-01-01T00:00:01Z" }));
    assert_eq!((terms(&longer, "month").len(), terms(&longer, "span")), (0, vec!["long".to_owned()]));
    let series = timed(&json!({ "rrule": "FREQ=DAILY" }));
    assert_eq!((terms(&series, "month").len(), terms(&series, "span")), (0, vec!["recurring".to_owned()]));
}

#[test]
fn keys_say_when_an_event_begins_and_when_it_is_over() {
    let of = |fields| keys(&event(&fields));
    let key = |start: &str, begins: &str, ends: &str| (start.to_owned(), begins.to_owned(), ends.to_owned());
    let (noon, one) = ("2026-04-14T12:00:00.000000Z", "T2026-04-14T13:00:00.000000Z");
    let noon_key = format!("T{noon}");
    assert_eq!(keys(&timed(&json!({}))), key(noon, &noon_key, one));
    let after_noon = "T2026-04-14T12:00:00.000001Z";
    assert_eq!(of(json!({ "start_at": "2026-04-14T12:00:00Z" })), key(noon, &noon_key, after_noon));
    let day = json!({ "is_all_day": true, "start_date": "2026-04-14" });
    assert_eq!(of(day), key("2026-04-14T00:00:00.000000Z", "D2026-04-14", "D2026-04-15"));
    let last = json!({ "is_all_day": true, "start_date": "9999-12-31" });
    assert_eq!(of(last).2, "D~");
    assert_eq!(keys(&timed(&json!({ "rrule": "FREQ=DAILY" }))).2, "T~");
    let ten = timed(&json!({ "rrule": "FREQ=DAILY;COUNT=10", "exdates": ["2026-04-23T12:00:00Z"] }));
    assert_eq!(keys(&ten).2, "T2026-04-22T13:00:00.000000Z");
    let earlier = timed(&json!({ "rdates": ["2026-04-01T12:00:00Z"] }));
    assert_eq!(keys(&earlier).1, "T2026-04-01T12:00:00.000000Z");
    let days = json!({ "is_all_day": true, "start_date": "2026-04-14", "rrule": "FREQ=WEEKLY" });
    assert_eq!(of(days).2, "D~");
    assert!(day_key(NaiveDate::MAX) < time_key(Timestamp::EPOCH));
    assert!(time_key(Timestamp::FOREVER) > time_key("9999-12-31T23:59:59Z".parse().unwrap()));
}

#[test]
fn an_event_is_found_by_its_words_and_references() {
    let body = timed(&json!({
        "description": "with Ada", "location": "Café", "ical_uid": "u1", "series_id": SERIES,
        "recurrence_id": "2026-04-14T12:00:00Z", "organizer_id": CALENDAR,
    }));
    assert_eq!(index(Kind::Event, &body).unwrap().text, "Lunch\nCafé\nwith Ada");
    for (name, value) in [
        ("calendar_id", CALENDAR.to_owned()),
        ("series_id", SERIES.to_owned()),
        ("organizer_id", CALENDAR.to_owned()),
        ("ical_uid", "u1".to_owned()),
        ("status", "confirmed".to_owned()),
        ("occurrence", format!("{SERIES}/2026-04-14T12:00:00.000000Z")),
    ] {
        assert_eq!(terms(&body, name), [value], "{name}");
    }
}
