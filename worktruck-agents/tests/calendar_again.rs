//! A calendar that is imported again: nothing is doubled, and what the file says is taken over.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::export::icalendar::{Exported, write};
use worktruck_agents::import::icalendar::{Options, Report, Target, load, parse};
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
