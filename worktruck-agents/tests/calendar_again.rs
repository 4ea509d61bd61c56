//! A calendar that is imported again: nothing is doubled, and what the file says is taken over.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::export::icalendar::{Exported, write};
use worktruck_agents::import::Report;
use worktruck_agents::import::icalendar::{Options, Target, load, parse};
use worktruck_core::entity::Locale;
use worktruck_core::entity::attendee::ResponseStatus;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::event::Event;
use worktruck_core::pim::calendar::{AttendeeFilter, EventFilter};
use worktruck_core::pim::{Pim, Stored};
use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
use worktruck_core::{Clock as _, EntityId, ErrorKind, TenantId};

const FILE: &str = "BEGIN:VCALENDAR\nX-WR-TIMEZONE:Europe/Berlin\n\
    BEGIN:VEVENT\nUID:s\nRECURRENCE-ID;TZID=Europe/Berlin:20260415T090000\nDTSTART;TZID=Europe/Berlin:20260415T100000\n\
    SUMMARY:Later\nATTENDEE:mailto:ada@example.org\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:s\nDTSTART;TZID=Europe/Berlin:20260414T090000\nDTEND;TZID=Europe/Berlin:20260414T091500\n\
    RRULE:FREQ=DAILY;COUNT=9\nEXDATE;TZID=Europe/Berlin:20260416T090000\nSUMMARY:Standup\nSEQUENCE:1\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@example.org\nATTENDEE;CN=Bob:mailto:bob@example.org\n\
    BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nX-OTHER:1\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:s\nRECURRENCE-ID;TZID=Europe/Berlin:20260417T090000\nDTSTART;TZID=Europe/Berlin:20260417T110000\n\
    SUMMARY:Latest\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:alone\nRECURRENCE-ID:20260415T090000Z\nDTSTART:20260415T100000Z\nSUMMARY:Alone\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:day\nDTSTART;VALUE=DATE:20260501\nSUMMARY:Holiday\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:bad\nDTSTART:tomorrow\nEND:VEVENT\nBEGIN:VTODO\nUID:t\nEND:VTODO\nEND:VCALENDAR\n";

struct World {
    target: Target,
    pim: Pim,
    calendar: EntityId,
}

impl World {
    async fn new() -> Self {
        let (store, ids, clock) =
            (Arc::new(MemoryStore::default()), Arc::new(RandomIds::new()), Arc::new(SystemClock::new()));
        let tenant = TenantId::new(&*ids, clock.now());
        store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();
        let pim = Pim::new(store.clone(), clock.clone(), ids.clone());
        let calendar = pim.calendars(tenant).create(Calendar::new("Work")).await.unwrap().id;
        let target = Target { store, tenant, ids, clock, captured_by: "test".to_owned(), locale: Locale::default() };
        Self { target, pim, calendar }
    }

    async fn import(&self, file: &str) -> Report {
        let parsed = parse("work.ics", file.as_bytes(), &Options::default()).unwrap();
        load(&self.target, self.calendar, parsed, |_| {}).await.unwrap()
    }

    async fn events(&self) -> Vec<Stored<Event>> {
        self.pim.events(self.target.tenant).list(EventFilter::default()).await.unwrap().data
    }

    async fn event(&self, title: &str) -> Stored<Event> {
        self.events().await.into_iter().find(|event| event.data.title == title).unwrap()
    }

    async fn attendees(&self, event: EntityId) -> Vec<(String, ResponseStatus)> {
        let filter = AttendeeFilter { event_id: Some(event), ..AttendeeFilter::default() };
        let page = self.pim.attendees(self.target.tenant).list(filter).await.unwrap();
        let mut found: Vec<_> =
            page.data.into_iter().map(|stored| (stored.data.email, stored.data.response_status)).collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}

fn counts(report: &Report) -> (usize, usize, usize) {
    (report.created, report.updated, report.skipped)
}

#[tokio::test]
async fn a_file_that_is_imported_twice_changes_nothing() {
    let world = World::new().await;
    let first = world.import(FILE).await;
    assert_eq!(counts(&first), (5, 0, 2), "{:?}", first.errors);
    let messages: Vec<String> = first.errors.iter().map(ToString::to_string).collect();
    assert!(
        messages
            .iter()
            .any(|m| m == "work.ics:45: DTSTART \"tomorrow\" is neither a date nor a time; the event is skipped"),
        "{messages:?}"
    );
    assert!(world.events().await.iter().all(|event| event.data.ical_uid != "bad"));

    let series = world.event("Standup").await;
    assert_eq!(world.event("Later").await.data.series_id, Some(series.id));
    assert_eq!(world.event("Latest").await.data.series_id, Some(series.id));
    assert_eq!(world.event("Alone").await.data.series_id, None);
    let answers = [
        ("ada@example.org".to_owned(), ResponseStatus::Accepted),
        ("bob@example.org".to_owned(), ResponseStatus::Pending),
    ];
    assert_eq!(world.attendees(series.id).await, answers);

    let versions =
        |events: Vec<Stored<Event>>| events.iter().map(|event| (event.id, event.version())).collect::<Vec<_>>();
    let before = versions(world.events().await);
    assert_eq!(counts(&world.import(FILE).await), (0, 0, 7));
    assert_eq!(versions(world.events().await), before);
}

#[tokio::test]
async fn what_the_file_says_is_taken_over_and_what_it_cannot_say_stays() {
    let world = World::new().await;
    world.import(FILE).await;
    let events = world.pim.events(world.target.tenant);
    let series = world.event("Standup").await;
    events.update(series.id, json!({ "color": "#123456", "metadata": { "own": 1 } })).await.unwrap();

    let changed = FILE
        .replace("SUMMARY:Standup", "SUMMARY:Sitdown")
        .replace("ATTENDEE;CN=Bob:mailto:bob@example.org", "ATTENDEE:mailto:eve@example.org")
        .replace("X-OTHER:1", "X-OTHER:2");
    let report = world.import(&changed).await;
    assert_eq!(counts(&report), (0, 1, 6), "{:?}", report.errors);
    let series = world.event("Sitdown").await;
    assert_eq!(series.data.color.as_deref(), Some("#123456"));
    assert_eq!(series.data.metadata["own"], 1);
    assert_eq!(series.data.metadata["icalendar"][0], "X-OTHER:2");
    let emails: Vec<String> = world.attendees(series.id).await.into_iter().map(|(email, _)| email).collect();
    assert_eq!(emails, ["ada@example.org", "eve@example.org"]);
    let there = world.event("Later").await.id;
    assert_eq!(world.attendees(there).await, [("ada@example.org".to_owned(), ResponseStatus::Pending)]);
    assert_eq!(counts(&world.import(&changed).await), (0, 0, 7));
}

#[tokio::test]
async fn what_was_exported_is_imported_elsewhere_and_here_again() {
    let world = World::new().await;
    world.import(FILE).await;
    let events = world.events().await;
    let mut details = Vec::new();
    for event in &events {
        details.push(world.pim.events(world.target.tenant).detail(event.id).await.unwrap());
    }
    let attendees: Vec<Vec<_>> =
        details.iter().map(|detail| detail.attendees.iter().map(|stored| stored.data.clone()).collect()).collect();
    let exported: Vec<Exported<'_>> = events
        .iter()
        .zip(&attendees)
        .map(|(event, attendees)| Exported {
            id: event.id,
            event: &event.data,
            attendees,
            updated_at: event.updated_at(),
        })
        .collect();
    let mut file = Vec::new();
    write(&Calendar::new("Work"), &exported, &mut file).unwrap();
    let file = String::from_utf8(file).unwrap();
    assert!(file.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260415T090000"), "{file}");

    let report = world.import(&file).await;
    assert_eq!(counts(&report), (0, 0, 5), "{:?}", report.errors);
    let elsewhere = World::new().await;
    assert_eq!(counts(&elsewhere.import(&file).await), (5, 0, 0));
    let series = elsewhere.event("Standup").await;
    assert_eq!(elsewhere.event("Later").await.data.series_id, Some(series.id));
}

#[tokio::test]
async fn the_organizer_is_the_contact_with_the_address() {
    let world = World::new().await;
    let contacts = world.pim.contacts(world.target.tenant);
    let contact = async |email: &str| {
        let body = json!({ "display_name": email, "channels": [{ "type": "email", "value": email }] });
        contacts.create_from(body).await.unwrap().id
    };
    let file = |line: &str| {
        format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Talk\nDTSTART:20260414T100000Z\n{line}END:VEVENT\nEND:VCALENDAR\n"
        )
    };
    let (by_ada, by_bob) =
        (file("ORGANIZER;CN=Ada:MAILTO:Ada@Example.org\n"), file("ORGANIZER:mailto:bob@example.org\n"));
    let organizer = async || world.event("Talk").await.data.organizer_id;
    assert_eq!(counts(&world.import(&by_ada).await), (1, 0, 0));
    assert_eq!(organizer().await, None);
    let ada = contact("ada@example.org").await;
    assert_eq!(counts(&world.import(&by_ada).await), (0, 1, 0));
    assert_eq!((organizer().await, counts(&world.import(&by_ada).await)), (Some(ada), (0, 0, 1)));
    let kept = world.event("Talk").await.data.metadata["icalendar"].clone();
    assert_eq!(kept, json!(["ORGANIZER;CN=Ada:MAILTO:Ada@Example.org"]));
    // Nobody is known by the other address: whoever it is, it is not Ada.
    world.import(&by_bob).await;
    assert_eq!(organizer().await, None);
    let bob = contact("bob@example.org").await;
    world.import(&by_bob).await;
    assert_eq!(organizer().await, Some(bob));
    // A file that names nobody changes nothing of it.
    world.import(&file("")).await;
    assert_eq!(organizer().await, Some(bob));
    // Where the contact is not, the event is all the same.
    let event = world.event("Talk").await;
    let exported = Exported { id: event.id, event: &event.data, attendees: &[], updated_at: event.updated_at() };
    let mut file = Vec::new();
    write(&Calendar::new("Work"), &[exported], &mut file).unwrap();
    let elsewhere = World::new().await;
    assert_eq!(counts(&elsewhere.import(&String::from_utf8(file).unwrap()).await), (1, 0, 0));
    assert_eq!(elsewhere.event("Talk").await.data.organizer_id, None);
}

#[tokio::test]
async fn what_changes_all_later_occurrences_cuts_the_series_once() {
    let part = "BEGIN:VEVENT\nUID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260418T090000\n\
        DTSTART;TZID=Europe/Berlin:20260418T110000\nDTEND;TZID=Europe/Berlin:20260418T111500\nSUMMARY:Late\n\
        ATTENDEE:mailto:eve@example.org\nEND:VEVENT\n";
    let whole = FILE.replace("BEGIN:VEVENT\nUID:alone", &format!("{part}BEGIN:VEVENT\nUID:alone"));
    let alone = format!("BEGIN:VCALENDAR\nX-WR-TIMEZONE:Europe/Berlin\n{part}END:VCALENDAR\n");
    let agenda = async |world: &World| {
        let bound = |text: &str| Some(text.parse().unwrap());
        let april = EventFilter { from: bound("2026-04-01"), to: bound("2026-05-01"), ..EventFilter::default() };
        let page = world.pim.events(world.target.tenant).occurrences(&april, None, &Default::default()).await.unwrap();
        let shown = page.data.iter().map(|one| format!("{} {}", one.start_at.unwrap(), one.title));
        shown.map(|shown| shown.replace(":00.000000Z", "")).collect::<Vec<_>>()
    };
    let expected = [
        "2026-04-14T07:00 Standup",
        "2026-04-15T08:00 Later",
        "2026-04-15T10:00 Alone",
        "2026-04-17T09:00 Latest",
        "2026-04-18T09:00 Late",
        "2026-04-19T09:00 Late",
        "2026-04-20T09:00 Late",
        "2026-04-21T09:00 Late",
        "2026-04-22T09:00 Late",
    ];
    // In one file, as a change of what was imported before, and without the series that it changes.
    let (together, after, apart) = (World::new().await, World::new().await, World::new().await);
    together.import(&whole).await;
    after.import(FILE).await;
    after.import(&whole).await;
    apart.import(FILE).await;
    assert_eq!(counts(&apart.import(&alone).await), (1, 0, 0));
    for world in [&together, &after, &apart] {
        assert_eq!(agenda(world).await, expected);
        let late = world.event("Late").await;
        assert_eq!(late.data.ical_uid, "s/2026-04-18T07:00:00.000000Z");
        let asked: Vec<String> = world.attendees(late.id).await.into_iter().map(|(email, _)| email).collect();
        assert_eq!(asked, ["eve@example.org"]);
        let again = world.import(&alone).await;
        assert_eq!(counts(&again), (0, 0, 1), "{:?}", again.errors);
        let again = world.import(&whole).await;
        assert_eq!(
            (again.created, agenda(world).await),
            (0, expected.map(str::to_owned).to_vec()),
            "{:?}",
            again.errors
        );
    }
    assert_eq!(counts(&together.import(&whole).await), (0, 0, 8));
}

#[tokio::test]
async fn many_events_are_committed_in_batches_and_a_calendar_must_exist() {
    let world = World::new().await;
    let body: String = (0..450)
        .map(|at| {
            format!("BEGIN:VEVENT\nUID:{at}\nDTSTART:20260414T090000Z\nATTENDEE:mailto:a@example.org\nEND:VEVENT\n")
        })
        .collect();
    let file = format!("BEGIN:VCALENDAR\n{body}END:VCALENDAR\n");
    let parsed = parse("many.ics", file.as_bytes(), &Options::default()).unwrap();
    let mut seen = Vec::new();
    let report = load(&world.target, world.calendar, parsed.clone(), |done| seen.push(done)).await.unwrap();
    assert_eq!((report.created, seen), (450, vec![200, 400, 450]));
    let nowhere = EntityId::new(&RandomIds::new(), world.target.clock.now());
    let error = load(&world.target, nowhere, parsed, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
