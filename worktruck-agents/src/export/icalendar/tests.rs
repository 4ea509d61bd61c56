use proptest::prelude::*;
use serde_json::json;
use worktruck_core::entity::attendee::{AttendeeRole, ParticipantType, ResponseStatus};
use worktruck_core::entity::event::{Availability, EventStatus, EventType, Reminder, ReminderMethod, Visibility};
use worktruck_core::entity::{Entity as _, Locale};

use super::*;
use crate::import::icalendar::{ImportedEvent, Options, parse};

const ID: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

fn id() -> EntityId {
    ID.parse().unwrap()
}

fn export(events: &[(Event, Vec<Attendee>)]) -> String {
    let exported: Vec<Exported<'_>> = events
        .iter()
        .map(|(event, attendees)| Exported { id: id(), event, attendees, updated_at: Timestamp::EPOCH })
        .collect();
    let mut out = Vec::new();
    write(&Calendar::new("Work"), &exported, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn read(text: &str) -> Vec<ImportedEvent> {
    parse("a.ics", text.as_bytes(), &Options::default()).unwrap().events
}

/// What an event is but for its ids.
fn plain(event: &Event, attendees: &[Attendee]) -> serde_json::Value {
    let mut event = event.clone();
    event.calendar_id = id();
    (event.series_id, event.recurrence_id) = (None, None);
    event.exdates.sort();
    event.rdates.sort();
    let attendees: Vec<Attendee> =
        attendees.iter().map(|attendee| Attendee { event_id: id(), ..attendee.clone() }).collect();
    json!([event, attendees])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z ,;:\\\\\"^äß€😀\n]{1,80}", "\\PC{1,100}", Just("\u{7}bell\tand \r\n lines\r".to_owned()),]
        .prop_filter("a name is not blank", |text| !text.trim().is_empty())
}

const METHODS: &[ReminderMethod] = &[ReminderMethod::Display, ReminderMethod::Email, ReminderMethod::Audio];
const RULES: &[&str] = &["FREQ=DAILY", "FREQ=WEEKLY;COUNT=5", "FREQ=MONTHLY;INTERVAL=2;COUNT=9", "FREQ=YEARLY"];

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> {
    prop::sample::select(values.to_vec())
}

fn zone() -> impl Strategy<Value = String> {
    const ZONES: [&str; 6] =
        ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"];
    prop::sample::select(&ZONES[..]).prop_map(str::to_owned)
}

prop_compose! {
    fn attendee(at: usize)(
        name in prop::option::of(text()),
        role in one_of(&[
            AttendeeRole::Chair,
            AttendeeRole::ReqParticipant,
            AttendeeRole::OptParticipant,
            AttendeeRole::NonParticipant,
        ]),
        kind in one_of(&[ParticipantType::Individual, ParticipantType::Room, ParticipantType::Unknown]),
        answer in one_of(&[ResponseStatus::Pending, ResponseStatus::Accepted, ResponseStatus::Tentative]),
        comment in prop::option::of(text()),
    ) -> Attendee {
        let email = format!("a{at}@example.org");
        let (display_name, participant_type, response_status) = (name, kind, answer);
        let new = Attendee::new(id(), email);
        Attendee { display_name, role, participant_type, response_status, comment, ..new }
    }
}

prop_compose! {
    fn fields()(
        title in text(),
        description in prop::option::of(text()),
        location in prop::option::of(text()),
        place in prop::option::of((-90.0f64..90.0, -180.0f64..180.0)),
        url in prop::option::of(Just("https://example.org/a;b,c?d=e".to_owned())),
        event_type in one_of(&[EventType::Event, EventType::OutOfOffice]),
        status in one_of(&[EventStatus::Confirmed, EventStatus::Tentative, EventStatus::Cancelled]),
        is_free in any::<bool>(),
        visibility in one_of(&[Visibility::Default, Visibility::Public, Visibility::Private]),
        sequence in 0u32..9,
        reminders in prop::collection::vec((0u32..5_000_000, prop::option::of(one_of(METHODS))), 0..3),
        color in prop::option::of(Just("#3366cc".to_owned())),
        kept in any::<bool>(),
    ) -> Event {
        let mut event = Event::at(id(), title, Timestamp::EPOCH);
        (event.description, event.location, event.conference_url, event.color) = (description, location, url, color);
        (event.location_lat, event.location_lng) = place.unzip();
        (event.event_type, event.status, event.visibility, event.sequence) = (event_type, status, visibility, sequence);
        event.availability = if is_free { Availability::Free } else { Availability::Busy };
        event.reminders = reminders.into_iter().map(|(minutes, method)| Reminder { minutes, method }).collect();
        event.ical_uid = "u, 1".to_owned();
        if kept {
            let kept = json!(["X-A;B=\"c:d\":e\\;f", "BEGIN:VTODO\nX:1\nEND:VTODO"]);
            event.metadata.insert("icalendar".to_owned(), kept);
            event.metadata.insert("own".to_owned(), json!({ "a": [1, null] }));
        }
        event
    }
}

prop_compose! {
    fn timed()(
        mut event in fields(),
        at in 0i64..4_000_000_000_000_000,
        is_fine in prop::bool::weighted(0.1),
        minutes in prop::option::of(0i64..5_000),
        zone in zone(),
        rule in prop::option::of(one_of(RULES)),
        dates in prop::collection::vec((any::<bool>(), 1i64..1000), 0..4),
    ) -> Event {
        let at = if is_fine { at } else { at - at % 60_000_000 };
        event.start_at = Some(Timestamp::from_micros(at));
        event.end_at = minutes.map(|minutes| Timestamp::from_micros(at + minutes * 60_000_000));
        event.timezone = Some(zone);
        event.rrule = rule.map(str::to_owned);
        for (is_added, hours) in dates {
            let moment = Moment::Instant(Timestamp::from_micros(at + hours * 3_600_000_000));
            let list = if is_added { &mut event.rdates } else { &mut event.exdates };
            if !list.contains(&moment) {
                list.push(moment);
            }
        }
        event
    }
}

prop_compose! {
    fn all_day()(
        mut event in fields(),
        day in 0i64..30_000,
        days in prop::option::of(1i64..9),
        zone in prop::option::of(zone()),
        rule in prop::option::of(Just("FREQ=DAILY;COUNT=5".to_owned())),
        left_out in prop::option::of(0i64..5),
    ) -> Event {
        let first = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::TimeDelta::days(day);
        (event.is_all_day, event.start_at, event.start_date) = (true, None, Some(first));
        event.end_date = days.map(|days| first + chrono::TimeDelta::days(days));
        event.exdates = left_out.map(|days| Moment::Date(first + chrono::TimeDelta::days(days))).into_iter().collect();
        (event.timezone, event.rrule) = (zone, rule);
        event
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn an_event_that_is_exported_and_imported_is_the_same(
        event in prop_oneof![timed(), all_day()],
        attendees in (attendee(1), attendee(2)),
        is_asked in any::<bool>(),
    ) {
        let mut event = event;
        prop_assume!(event.normalise(&Locale::default()).is_ok());
        let mut attendees = if is_asked { vec![attendees.0, attendees.1] } else { Vec::new() };
        prop_assume!(attendees.iter_mut().all(|attendee| attendee.normalise(&Locale::default()).is_ok()));
        let file = export(&[(event.clone(), attendees.clone())]);
        prop_assert!(file.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{}", file);
        let found = read(&file);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(plain(&found[0].event, &found[0].attendees), plain(&event, &attendees), "{}", file);
        // An occurrence that differs is named by the clocks of its series.
        let recurrence = event.start().unwrap();
        let mut differs = Event { rrule: None, exdates: Vec::new(), rdates: Vec::new(), ..event.clone() };
        (differs.series_id, differs.recurrence_id) = (Some(id()), Some(recurrence));
        let series = Event { rrule: Some("FREQ=DAILY".to_owned()), ..event.clone() };
        let file = export(&[(series, Vec::new()), (differs.clone(), attendees.clone())]);
        let found = read(&file);
        prop_assert_eq!(found.len(), 2, "{}", file);
        let whole_seconds = |moment: Moment| match moment {
            Moment::Instant(at) => Moment::Instant(Timestamp::from_micros(at.as_micros() - at.as_micros() % 1_000_000)),
            date @ Moment::Date(_) => date,
        };
        prop_assert_eq!(found[1].recurrence_id, Some(whole_seconds(recurrence)), "{}", file);
        prop_assert_eq!(plain(&found[1].event, &found[1].attendees), plain(&differs, &attendees), "{}", file);
    }

    #[test]
    fn the_zones_of_a_file_are_read_by_those_who_do_not_know_their_names(zone in zone(), at in 0i64..3_000_000_000) {
        let mut event = Event::at(id(), "a", Timestamp::from_micros(at * 1_000_000));
        (event.timezone, event.ical_uid) = (Some(zone.clone()), "1".to_owned());
        let file = export(&[(event.clone(), Vec::new())]);
        let renamed = file.replace(&format!("TZID:{zone}"), "TZID:Ours").replace(&format!("TZID={zone}"), "TZID=Ours");
        let renamed = renamed.replace(&format!("X-LIC-LOCATION:{zone}"), "X-OTHER:1");
        prop_assert_eq!(read(&renamed)[0].event.start_at, event.start_at, "{}", renamed);
    }
}

#[test]
fn what_programs_understand_is_written_in_their_words() {
    let start = "2026-04-14T09:00:00+02:00".parse().unwrap();
    let event = Event {
        timezone: Some("Europe/Berlin".to_owned()),
        rrule: Some("FREQ=WEEKLY".to_owned()),
        exdates: vec!["2026-04-21T09:00:00+02:00".parse().unwrap()],
        end_at: Some("2026-04-14T10:00:00+02:00".parse().unwrap()),
        reminders: vec![Reminder { minutes: 15, method: Some(ReminderMethod::Display) }],
        ical_uid: "1".to_owned(),
        ..Event::at(id(), "Plan, again", start)
    };
    let mut ada = Attendee::new(id(), "ada@example.org");
    ada.display_name = Some("Ada \"L\"".to_owned());
    let file = export(&[(event, vec![ada])]);
    let unfolded = file.replace("\r\n ", "");
    for line in [
        "BEGIN:VTIMEZONE",
        "DTSTART;TZID=Europe/Berlin:20260414T090000",
        "DTEND;TZID=Europe/Berlin:20260414T100000",
        "RRULE:FREQ=WEEKLY",
        "EXDATE;TZID=Europe/Berlin:20260421T090000",
        "SUMMARY:Plan\\, again",
        "TRIGGER:-PT15M",
        "ATTENDEE;CN=\"Ada ^'L^'\";ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION:mailto:ada@example.org",
    ] {
        assert!(unfolded.contains(&format!("\r\n{line}\r\n")), "{line}\n{unfolded}");
    }
    assert!(!file.contains("X-WORKTRUCK"), "{file}");
}

#[test]
fn kept_lines_are_written_unless_their_field_has_changed() {
    let file = "BEGIN:VEVENT\nUID:1\nDTSTART:20260414T090000Z\nSUMMARY;LANGUAGE=en:Lunch\nCATEGORIES:A,B\n\
        ATTENDEE;RSVP=TRUE:mailto:ada@example.org\nBEGIN:VALARM\nACTION:DISPLAY\n\
        TRIGGER:-PT5M\nX-A:1\nEND:VALARM\nEND:VEVENT\n";
    let mut found = read(file);
    let ImportedEvent { mut event, mut attendees, .. } = found.remove(0);
    let text = export(&[(event.clone(), attendees.clone())]);
    for line in ["SUMMARY;LANGUAGE=en:Lunch", "CATEGORIES:A,B", "ATTENDEE;RSVP=TRUE:mailto:ada@example.org", "X-A:1"] {
        assert_eq!(text.matches(line).count(), 1, "{line}\n{text}");
    }
    assert_eq!((text.matches("SUMMARY").count(), text.matches("VALARM").count()), (1, 2), "{text}");

    event.title = "Dinner".to_owned();
    event.reminders.clear();
    attendees[0].response_status = ResponseStatus::Accepted;
    let text = export(&[(event.clone(), attendees.clone())]).replace("\r\n ", "");
    assert!(text.contains("\r\nSUMMARY:Dinner\r\n") && text.contains("PARTSTAT=ACCEPTED"), "{text}");
    assert!(!text.contains("\r\nSUMMARY;") && !text.contains("\r\nX-A:1"), "{text}");
    let again = read(&text);
    assert_eq!(plain(&again[0].event, &again[0].attendees), plain(&event, &attendees));
}

#[test]
fn a_change_that_another_program_made_wins() {
    let mut event = Event::at(id(), "a\u{7}b", "2026-04-14T09:00:00.5Z".parse().unwrap());
    event.timezone = Some("UTC".to_owned());
    let file = export(&[(event.clone(), Vec::new())]);
    assert_eq!(read(&file)[0].event.title, "a\u{7}b");
    let changed = read(&file.replace("SUMMARY:ab", "SUMMARY:other"));
    assert_eq!(changed[0].event.title, "other");
    assert_eq!(changed[0].event.start_at, event.start_at);
}
