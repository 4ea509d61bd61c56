use worktruck_core::entity::attendee::{AttendeeRole, ParticipantType, ResponseStatus};
use worktruck_core::entity::event::{Availability, EventStatus, EventType, Reminder, ReminderMethod, Visibility};

use super::*;

fn calendar(body: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{body}\nEND:VCALENDAR\n")
}

fn event(body: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:1\n{body}\nEND:VEVENT"))
}

fn read(text: &str) -> Parsed {
    let parsed = parse("a.ics", text.as_bytes(), &Options::default()).unwrap();
    let windows = parse("a.ics", text.replace('\n', "\r\n").as_bytes(), &Options::default()).unwrap();
    assert_eq!(parsed, windows);
    parsed
}

fn only(text: &str) -> (Event, Vec<String>) {
    let parsed = read(text);
    let problems = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(parsed.events.len(), 1, "{problems:?}");
    (parsed.events[0].event.clone(), problems)
}

fn moments(texts: &[&str]) -> Vec<Moment> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn kept(event: &Event) -> Vec<&str> {
    event.metadata[KEPT].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

#[test]
fn an_event_of_apple_is_read() {
    let text = calendar(
        "X-WR-CALNAME:Private\nX-WR-TIMEZONE:Europe/Berlin\nX-APPLE-CALENDAR-COLOR:#1BADF8\nBEGIN:VEVENT\n\
         CREATED:20260101T000000Z\nUID:A-1\nDTEND;TZID=Europe/Berlin:20260414T103000\nTRANSP:OPAQUE\n\
         X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC\nSUMMARY:Dent\n ist\\, 2nd floor\n\
         DTSTART;TZID=Europe/Berlin:20260414T093000\nSEQUENCE:2\n\
         X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=\"Main St: 5\":geo:52.5,13.4\n\
         BEGIN:VALARM\nX-WR-ALARMUID:X\nUID:X\nTRIGGER:-PT15M\nDESCRIPTION:Event reminder\nACTION:DISPLAY\nEND:VALARM\n\
         BEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nACTION:NONE\nEND:VALARM\nEND:VEVENT",
    );
    let parsed = read(&text);
    assert_eq!(parsed.calendar.name.as_deref(), Some("Private"));
    assert_eq!(parsed.calendar.color.as_deref(), Some("#1BADF8"));
    let (event, _) = only(&text);
    assert_eq!(event.title, "Dentist, 2nd floor");
    assert_eq!(event.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(event.start_at, Some("2026-04-14T07:30:00Z".parse().unwrap()));
    assert_eq!(event.end_at, Some("2026-04-14T08:30:00Z".parse().unwrap()));
    assert_eq!(event.sequence, 2);
    assert_eq!(event.reminders, [Reminder { minutes: 15, method: Some(ReminderMethod::Display) }]);
    // The absolute alarm and what else the other says are kept.
    assert_eq!(kept(&event).iter().filter(|line| line.starts_with("BEGIN:VALARM\n")).count(), 2);
    assert!(kept(&event).contains(&"X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=\"Main St: 5\":geo:52.5,13.4"));
}

#[test]
fn an_event_of_google_is_read() {
    let (event, problems) = only(&event(
        "DTSTART;TZID=America/New_York:20260309T090000\nDTEND;TZID=America/New_York:20260309T093000\n\
         RRULE:FREQ=WEEKLY;BYDAY=MO;\nEXDATE;TZID=America/New_York:20260316T090000,20260323T090000\n\
         DTSTAMP:20260101T000000Z\nX-GOOGLE-CONFERENCE:https://meet.google.com/abc\nSTATUS:TENTATIVE\n\
         CLASS:PRIVATE\nTRANSP:TRANSPARENT\nGEO:40.7;-74\nSUMMARY:Weekly\nCATEGORIES:A,B",
    ));
    assert_eq!(problems, [] as [String; 0]);
    assert_eq!(event.rrule.as_deref(), Some("FREQ=WEEKLY;BYDAY=MO"));
    assert_eq!(event.exdates, moments(&["2026-03-16T13:00:00Z", "2026-03-23T13:00:00Z"]));
    assert_eq!(event.conference_url.as_deref(), Some("https://meet.google.com/abc"));
    assert_eq!((event.location_lat, event.location_lng), (Some(40.7), Some(-74.0)));
    assert_eq!(event.status, EventStatus::Tentative);
    assert_eq!((event.visibility, event.availability), (Visibility::Private, Availability::Free));
    assert_eq!(kept(&event), ["X-GOOGLE-CONFERENCE:https://meet.google.com/abc", "CATEGORIES:A,B"]);
}

#[test]
fn an_all_day_series_of_exchange_is_read() {
    let (event, problems) = only(&event(
        "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260106\nRRULE:FREQ=DAILY;COUNT=5\n\
         EXDATE;TZID=Romance Standard Time:20260107T000000\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\nSUMMARY:Away",
    ));
    assert_eq!(event.exdates, moments(&["2026-01-07"]));
    assert_eq!(event.event_type, EventType::OutOfOffice);
    assert_eq!(problems, ["a.ics:8: EXDATE does not have the type of DTSTART; it is read as if it had"]);
}

#[test]
fn midnights_that_outlook_means_as_days_are_days() {
    let (event, _) = only(&event(
        "DTSTART;TZID=Pacific Standard Time:20260105T000000\nDTEND;TZID=Pacific Standard Time:20260107T000000\n\
         X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nSUMMARY:Trip",
    ));
    assert!(event.is_all_day);
    assert_eq!(
        (event.start_date.unwrap().to_string(), event.end_date.unwrap().to_string()),
        ("2026-01-05".into(), "2026-01-07".into())
    );
}

const CUSTOM: &str = "BEGIN:VTIMEZONE\nTZID:Our Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\n\
    TZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
    DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n\
    END:DAYLIGHT\nEND:VTIMEZONE\n";

#[test]
fn a_zone_of_the_files_own_is_that_with_the_same_clocks() {
    let of =
        |zone: &str| calendar(&format!("{zone}BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Our Zone:20260714T090000\nEND:VEVENT"));
    let (event, problems) = only(&of(CUSTOM));
    assert_eq!(event.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(event.start_at, Some("2026-07-14T07:00:00Z".parse().unwrap()));
    assert!(problems[0].contains("its clocks are those of Europe/Berlin"), "{problems:?}");

    let named = CUSTOM.replace("TZID:Our Zone\n", "TZID:Our Zone\nX-LIC-LOCATION:Europe/Rome\n");
    let (event, problems) = only(&of(&named));
    assert_eq!(event.timezone.as_deref(), Some("Europe/Rome"));
    assert_eq!(problems, [] as [String; 0]);

    // So are those of a definition that does not know what was decided later.
    let old = "BEGIN:VTIMEZONE\nTZID:Our Zone\nBEGIN:STANDARD\nDTSTART:19501029T020000\nTZOFFSETFROM:-0400\n\
        TZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
        DTSTART:19500402T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\n\
        END:DAYLIGHT\nEND:VTIMEZONE\n";
    let (event, _) = only(&of(old).replace("20260714T", "20050714T"));
    assert_eq!(event.timezone.as_deref(), Some("America/New_York"));

    // No place has summer time of two and a half hours.
    let strange = CUSTOM.replace("+0200", "+0330");
    let (event, problems) = only(&of(&strange));
    assert_eq!(event.timezone.as_deref(), Some("UTC"));
    assert_eq!(event.start_at, Some("2026-07-14T05:30:00Z".parse().unwrap()));
    assert!(event.metadata[ZONE_KEPT].as_str().unwrap().contains("TZOFFSETTO:+0330"));
    assert!(problems[0].contains("is like no known one"), "{problems:?}");

    let (_, problems) = only(&of(""));
    assert!(problems[0].contains("is not known and not in the file; read as UTC"), "{problems:?}");
}

#[test]
fn days_on_which_clocks_change_are_read_by_the_clock() {
    for (body, start, end) in [
        // A time that clocks skip, and one that they show twice.
        ("DTSTART;TZID=Europe/Berlin:20260329T023000", "2026-03-29T01:30:00Z", None),
        ("DTSTART;TZID=Europe/Berlin:20261025T023000", "2026-10-25T00:30:00Z", None),
        // A day by the clock has 23 hours, 24 hours have always as many.
        (
            "DTSTART;TZID=Europe/Berlin:20260328T120000\nDURATION:P1D",
            "2026-03-28T11:00:00Z",
            Some("2026-03-29T10:00:00Z"),
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T120000\nDURATION:PT24H",
            "2026-03-28T11:00:00Z",
            Some("2026-03-29T11:00:00Z"),
        ),
    ] {
        let (event, _) = only(&event(body));
        assert_eq!(event.start_at, Some(start.parse().unwrap()), "{body}");
        assert_eq!(event.end_at, end.map(|end| end.parse().unwrap()), "{body}");
    }
}

#[test]
fn times_without_a_zone_are_those_of_the_calendar_else_of_the_options() {
    let text = event("DTSTART:20260414T090000");
    let options = Options { zone: Zone::parse("Asia/Tokyo").unwrap() };
    let parsed = parse("a.ics", text.as_bytes(), &options).unwrap();
    assert_eq!(parsed.events[0].event.timezone.as_deref(), Some("Asia/Tokyo"));
    assert!(parsed.problems[0].message.contains("floats"));
    let text = text.replace("VERSION:2.0", "X-WR-TIMEZONE:Europe/Paris");
    let parsed = parse("a.ics", text.as_bytes(), &options).unwrap();
    assert_eq!(parsed.events[0].event.timezone.as_deref(), Some("Europe/Paris"));
}

#[test]
fn occurrences_are_named_as_their_series_would_name_them() {
    let series = |start: &str, id: &str| {
        calendar(&format!(
            "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID{id}\nDTSTART:20260116T100000Z\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:1\nDTSTART{start}\nRRULE:FREQ=DAILY\nEND:VEVENT"
        ))
    };
    for (start, id, expected) in [
        (";VALUE=DATE:20260105", ";VALUE=DATE:20260107", "2026-01-07"),
        (";VALUE=DATE:20260105", ";TZID=America/New_York:20260107T000000", "2026-01-07"),
        (";TZID=Europe/Paris:20260105T090000", ";VALUE=DATE:20260107", "2026-01-07T08:00:00Z"),
        (";TZID=Europe/Paris:20260105T090000", ":20260107T080000Z", "2026-01-07T08:00:00Z"),
        (
            ";TZID=Europe/Paris:20260105T090000",
            ";RANGE=THISANDPRIOR;TZID=Europe/Paris:20260107T090000",
            "2026-01-07T08:00:00Z",
        ),
    ] {
        let parsed = read(&series(start, id));
        assert_eq!(parsed.events[0].recurrence_id, Some(expected.parse().unwrap()), "{start} {id}");
        assert_eq!(parsed.problems.len(), usize::from(id.contains("RANGE")), "{:?}", parsed.problems);
    }
}

#[test]
fn what_stands_for_all_later_occurrences_cuts_its_series() {
    let text = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Paris:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10\n\
         EXDATE;TZID=Europe/Paris:20260112T090000,20260209T090000\nSUMMARY:Monday\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Paris:20260126T090000\n\
         DTSTART;TZID=Europe/Paris:20260127T100000\nDTEND;TZID=Europe/Paris:20260127T103000\nSUMMARY:Tuesday\n\
         END:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Paris:20260202T090000\n\
         DTSTART;TZID=Europe/Paris:20260204T090000\nSUMMARY:Once\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Paris:20260223T090000\n\
         DTSTART;TZID=Europe/Paris:20260223T090000\nSUMMARY:Monday again\nEND:VEVENT",
    );
    let parsed = read(&text);
    assert_eq!(parsed.problems, []);
    let [monday, tuesday, once, again] = parsed.events.as_slice() else { panic!("{parsed:?}") };
    let starts = |event: &Event| {
        let set = event.series().unwrap();
        let mut found = vec![set.start().moment()];
        while let Some(next) = set.next_after(*found.last().unwrap()).unwrap() {
            found.push(next);
        }
        found.iter().map(|moment| moment.to_string().replace(":00.000000Z", "")).collect::<Vec<_>>()
    };
    assert_eq!((monday.event.title.as_str(), monday.event.ical_uid.as_str()), ("Monday", "1"));
    assert_eq!(starts(&monday.event), ["2026-01-05T08:00", "2026-01-19T08:00"]);
    assert_eq!(tuesday.event.ical_uid, "1/2026-01-26T08:00:00.000000Z");
    assert_eq!((tuesday.recurrence_id, tuesday.and_following), (None, false));
    // The 10th of February was left out as the 9th.
    assert_eq!(starts(&tuesday.event), ["2026-01-27T09:00", "2026-02-03T09:00", "2026-02-17T09:00"]);
    assert_eq!(
        (&once.event.ical_uid, once.recurrence_id),
        (&tuesday.event.ical_uid, moments(&["2026-02-03T09:00:00Z"]).pop())
    );
    assert_eq!(again.event.ical_uid, "1/2026-02-23T08:00:00.000000Z");
    assert_eq!(starts(&again.event), ["2026-02-23T08:00", "2026-03-02T08:00", "2026-03-09T08:00"]);

    // From the first occurrence on, it is all of the series.
    let text = text
        .replace("RANGE=THISANDFUTURE;TZID=Europe/Paris:20260126", "RANGE=THISANDFUTURE;TZID=Europe/Paris:20260105");
    let parsed = read(&text);
    let titles: Vec<&str> = parsed.events.iter().map(|event| event.event.title.as_str()).collect();
    assert_eq!((titles, parsed.events[0].event.ical_uid.as_str()), (vec!["Tuesday", "Once", "Monday again"], "1"));
    // What is no occurrence changes nothing else.
    let text = text
        .replace("RANGE=THISANDFUTURE;TZID=Europe/Paris:20260105", "RANGE=THISANDFUTURE;TZID=Europe/Paris:20260106");
    let parsed = read(&text);
    assert_eq!(parsed.problems.len(), 1);
    assert!(parsed.problems[0].message.ends_with("; only this occurrence is changed"), "{:?}", parsed.problems);
}

#[test]
fn attendees_are_read_and_what_else_their_lines_say_is_kept() {
    let parsed = read(&event(
        "DTSTART:20260414T090000Z\nORGANIZER;CN=Bob:mailto:bob@example.org\n\
         ATTENDEE;CN=\"Ada; L\";ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:MAILTO:Ada@Example.org\n\
         ATTENDEE;CUTYPE=ROOM;RSVP=TRUE:mailto:room@example.org\nATTENDEE:urn:uuid:1",
    ));
    let [ada, room] = parsed.events[0].attendees.as_slice() else { panic!("{parsed:?}") };
    assert_eq!((ada.email.as_str(), ada.display_name.as_deref()), ("ada@example.org", Some("Ada; L")));
    assert_eq!((ada.role, ada.response_status), (AttendeeRole::OptParticipant, ResponseStatus::Accepted));
    assert!(ada.metadata.is_empty());
    assert_eq!(room.participant_type, ParticipantType::Room);
    assert_eq!(room.metadata[KEPT], "ATTENDEE;CUTYPE=ROOM;RSVP=TRUE:mailto:room@example.org");
    assert_eq!(parsed.events[0].organizer.as_deref(), Some("bob@example.org"));
    let event = &parsed.events[0].event;
    assert_eq!(kept(event), ["ORGANIZER;CN=Bob:mailto:bob@example.org", "ATTENDEE:urn:uuid:1"]);
}

#[test]
fn what_is_broken_is_named_by_its_line_and_nothing_of_it_is_taken() {
    let text = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART:20260230T090000Z\nEND:VEVENT\nBEGIN:VTODO\nEND:VTODO\nBEGIN:VEVENT\nUID:2\n\
         DTSTART:20260414T090000Z\nno property\nRRULE:FREQ=NEVER\nRRULE:FREQ=DAILY\nDTEND:20260413T090000Z\n\
         END:VEVENT\nBEGIN:VJOURNAL\nEND:VJOURNAL\nBEGIN:VEVENT\nUID:3\nDTSTART:20260414T090000Z",
    );
    let (event, problems) = only(&text);
    let starts: Vec<&str> = problems.iter().filter_map(|problem| problem.get(..9)).collect();
    assert_eq!(
        starts,
        ["a.ics:5: ", "a.ics:7: ", "a.ics:12:", "a.ics:13:", "a.ics:14:", "a.ics:15:", "a.ics:17:", "a.ics:19:"]
    );
    assert_eq!(read(&text).skipped(), 4);
    assert_eq!((event.ical_uid.as_str(), event.end_at, event.rrule.as_deref()), ("2", None, None));
    assert_eq!(kept(&event), ["no property", "RRULE:FREQ=DAILY", "DTEND:20260413T090000Z", "RRULE:FREQ=NEVER"]);
}

#[test]
fn a_file_that_is_no_calendar_is_refused() {
    for (bytes, expected) in [
        (&b""[..], "a.ics:1: the file is empty"),
        (b"BEGIN:VCALENDAR\n\0", "a.ics:2: the file has NUL bytes"),
        (b"\n\nhello", "a.ics:3: the file has no BEGIN:VCALENDAR"),
        (b"BEGIN:VEVENT\nUID:1\nEND:VEVENT\n", "a.ics:1: nothing in the file can be used, 1 of 1 were skipped"),
    ] {
        let error = parse("a.ics", bytes, &Options::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(read("BEGIN:VCALENDAR\nEND:VCALENDAR\n").events.is_empty());
}

#[test]
fn other_encodings_are_read() {
    let text = event("SUMMARY:Café\nDTSTART:20260414T090000Z");
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let parsed = parse("a.ics", &latin, &Options::default()).unwrap();
    assert_eq!(parsed.events[0].event.title, "Café");
    assert_eq!(parsed.problems[0].line, 5);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(parse("a.ics", &utf16, &Options::default()).unwrap().events[0].event.title, "Café");
}

#[test]
fn an_event_without_a_uid_has_the_same_each_time() {
    let of =
        |body: &str| only(&calendar(&format!("BEGIN:VEVENT\n{body}\nDTSTART:20260414T090000Z\nEND:VEVENT"))).0.ical_uid;
    assert_eq!(of("SUMMARY:a\nDTSTAMP:20260101T000000Z"), of("SUMMARY:a\nDTSTAMP:20260202T000000Z"));
    assert_ne!(of("SUMMARY:a"), of("SUMMARY:b"));
    assert!(of("SUMMARY:a").starts_with("worktruck-"));
}

#[test]
fn the_later_of_two_states_counts_and_a_changed_occurrence_is_not_left_out() {
    let text = calendar(
        "BEGIN:VEVENT\nUID:1\nSEQUENCE:1\nSUMMARY:old\nDTSTART:20260414T090000Z\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\n\
         SEQUENCE:2\nSUMMARY:new\nDTSTART:20260414T090000Z\nRRULE:FREQ=DAILY\nEXDATE:20260415T090000Z\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260415T090000Z\nDTSTART:20260415T100000Z\nEND:VEVENT",
    );
    let parsed = read(&text);
    assert_eq!(parsed.events.len(), 2);
    assert_eq!((parsed.events[0].event.title.as_str(), parsed.skipped()), ("new", 1));
    assert!(parsed.events[0].event.exdates.is_empty());
}

#[test]
fn a_huge_line_is_read() {
    let text = event(&format!("DESCRIPTION:{}\nDTSTART:20260414T090000Z", "x".repeat(10 << 20)));
    let (event, problems) = only(&text);
    assert_eq!(event.description, None);
    assert_eq!(kept(&event)[0].len(), (10 << 20) + 12);
    assert_eq!(problems.len(), 1);
    // So are ten thousand parts in each other.
    let deep = event_of("BEGIN:X\n".repeat(10_000).trim_end());
    assert_eq!(read(&deep).events.len(), 1);
}

fn event_of(body: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:1\nDTSTART:20260414T090000Z\n{body}\nEND:VEVENT"))
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(lines in proptest::collection::vec(
        "(BEGIN|END|DTSTART|RRULE|EXDATE|TRIGGER|GEO|TZID|TZOFFSETTO|X|ATTENDEE|DURATION|DTEND)\
         [;:=\"A-Z0-9,+é\\\\-]{0,24}|(BEGIN|END):(VEVENT|VALARM|VTIMEZONE|STANDARD)|DTSTART:20260414T090000Z|.{0,40}",
        0..40,
    )) {
        let text = format!("BEGIN:VCALENDAR\n{}\n", lines.join("\n"));
        let _ = parse("a.ics", text.as_bytes(), &Options::default());
    }
}
