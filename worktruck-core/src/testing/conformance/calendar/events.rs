use super::*;
use crate::ErrorKind;
use crate::entity::contact::Contact;
use crate::pim::calendar::EventSort;

/// What an event leaves out comes from its calendar, from the tenant, or from itself.
pub async fn event_fills_in_its_zone_and_its_uid(stage: Stage) {
    let (desk, plain) = at_home(&stage, Tz::Asia__Tokyo).await;
    let paris = desk.create::<Calendar>(json!({ "name": "Paris", "timezone": "Europe/Paris" })).await.id;
    let at = json!({ "start_at": "2026-05-04T07:00:00Z" });
    let tokyo = event(&desk, plain, at.clone()).await;
    assert_eq!(tokyo.data.timezone.as_deref(), Some("Asia/Tokyo"));
    assert_eq!((tokyo.data.ical_uid.as_str(), tokyo.data.sequence), (tokyo.id.to_string().as_str(), 0));
    let own = json!({ "start_at": "2026-05-04T07:00:00Z", "timezone": "america/new_york", "ical_uid": "u1" });
    let own = event(&desk, paris, own).await;
    assert_eq!((own.data.timezone.as_deref(), own.data.ical_uid.as_str()), (Some("America/New_York"), "u1"));
    let events = desk.of::<Event>();
    let reset = events.update(own.id, json!({ "timezone": null, "ical_uid": null })).await.unwrap();
    assert_eq!((reset.data.timezone.as_deref(), reset.data.ical_uid.as_str()), (Some("Europe/Paris"), "u1"));
    let day = event(&desk, paris, json!({ "start_date": "2026-05-04" })).await;
    assert_eq!((day.data.timezone, day.data.is_all_day), (None, true), "a day has no zone");
    let by_uid = EventFilter { ical_uid: Some("u1".to_owned()), ..EventFilter::default() };
    assert_eq!(events.list(by_uid).await.unwrap().data.len(), 1);
}

/// An event counts the changes that attendees must know of, and no others.
pub async fn event_counts_changes_that_matter(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let id = event(&desk, calendar, json!({ "start_at": "2026-05-04T07:00:00Z" })).await.id;
    for (patch, sequence) in [
        (json!({ "title": "x", "reminders": [{ "minutes": 10 }], "metadata": { "a": 1 } }), 0),
        (json!({ "end_at": "2026-05-04T08:00:00Z" }), 1),
        (json!({ "rrule": "FREQ=DAILY;COUNT=3" }), 2),
        (json!({ "exdates": ["2026-05-05T07:00:00Z"] }), 3),
        (json!({ "status": "cancelled" }), 4),
        (json!({ "location": "Here", "timezone": "Europe/Berlin" }), 5),
        (json!({ "sequence": 9, "location": "There" }), 9),
    ] {
        let changed = events.update(id, patch.clone()).await.unwrap();
        assert_eq!(changed.data.sequence, sequence, "{patch}");
    }
}

/// An event is refused if what it refers to does not exist, and nothing is written.
pub async fn event_refers_to_what_exists(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let events = desk.of::<Event>();
    let at = |mut fields: Value| {
        fields["start_at"] = json!("2026-05-04T07:00:00Z");
        fields
    };
    for (fields, pointer) in [
        (at(json!({ "calendar_id": ada })), "/calendar_id"),
        (at(json!({ "organizer_id": calendar })), "/organizer_id"),
        (at(json!({ "rrule": "FREQ=OFTEN" })), "/rrule"),
        (at(json!({ "start_date": "2026-05-04", "is_all_day": true })), "/start_at"),
        (at(json!({ "series_id": ada, "recurrence_id": "2026-05-04T07:00:00Z" })), "/series_id"),
    ] {
        let refused = events.create_from(body(calendar, fields)).await;
        assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    assert!(events.list(EventFilter::default()).await.unwrap().data.is_empty());
    let made = event(&desk, calendar, at(json!({ "organizer_id": ada }))).await;
    assert_eq!(made.data.organizer_id, Some(ada));
}

/// A patch can make days of times and times of days, without naming those that go.
pub async fn event_changes_between_days_and_times(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let events = desk.of::<Event>();
    let fields = json!({ "start_at": "2026-05-04T07:00:00Z", "end_at": "2026-05-04T08:00:00Z" });
    let id = event(&desk, calendar, fields).await.id;
    let day = events.update(id, json!({ "is_all_day": true, "start_date": "2026-05-04" })).await.unwrap();
    assert_eq!((day.data.start_at, day.data.end_at, day.data.is_all_day), (None, None, true));
    let back = events.update(id, json!({ "is_all_day": false, "start_at": "2026-05-04T09:00:00Z" })).await.unwrap();
    assert_eq!((back.data.start_date, back.data.start_at), (None, Some(time("2026-05-04T09:00:00Z"))));
    let mixed = json!({ "is_all_day": true, "start_date": "2026-05-04", "start_at": "2026-05-04T10:00:00Z" });
    assert_eq!(refusal(events.update(id, mixed).await), (ErrorKind::InvalidRequest, "/start_at".to_owned()));
}

/// A list with a window shows exactly the events that overlap it, of whatever length, at any moment.
pub async fn event_list_shows_what_overlaps_a_window(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let other = desk.create::<Calendar>(json!({ "name": "Other" })).await.id;
    for (title, mut fields) in [
        ("before", json!({ "start_at": "2026-04-30T20:00:00Z", "end_at": "2026-04-30T22:00:00Z" })),
        ("into", json!({ "start_at": "2026-04-30T20:00:00Z", "end_at": "2026-04-30T22:00:00.000001Z" })),
        ("bell", json!({ "start_at": "2026-04-30T22:00:00Z" })),
        ("day before", json!({ "start_date": "2026-04-30" })),
        ("first day", json!({ "start_date": "2026-05-01" })),
        ("over", json!({ "start_date": "2026-04-20", "end_date": "2026-06-20" })),
        ("years", json!({ "start_at": "2020-01-01T00:00:00Z", "end_at": "2030-01-01T00:00:00Z" })),
        ("last day", json!({ "start_date": "2026-05-02", "end_date": "2026-05-03" })),
        ("day after", json!({ "start_date": "2026-05-03" })),
        ("after", json!({ "start_at": "2026-05-02T22:00:00Z" })),
        ("forever", json!({ "start_at": "2026-01-01T00:00:00Z", "rrule": "FREQ=YEARLY" })),
        ("ended", json!({ "start_at": "2026-04-01T00:00:00Z", "rrule": "FREQ=DAILY;COUNT=30" })),
        ("to come", json!({ "start_at": "2026-06-01T00:00:00Z", "rrule": "FREQ=DAILY" })),
        ("added", json!({ "start_at": "2026-06-01T00:00:00Z", "rdates": ["2026-05-01T00:00:00Z"] })),
    ] {
        fields["title"] = json!(title);
        event(&desk, calendar, fields).await;
    }
    let elsewhere = event(&desk, other, json!({ "title": "elsewhere", "start_date": "2026-05-01" })).await;
    let events = desk.of::<Event>();
    let two_days = EventFilter { calendar_id: Some(calendar), ..window("2026-05-01", "2026-05-03") };
    let expected = ["years", "forever", "over", "into", "bell", "first day", "last day", "added"];
    let found = events.list(two_days.clone()).sort(EventSort::Start).all().await.unwrap();
    assert_eq!(titles(found), expected);
    let mut wide: Vec<String> = expected.iter().map(|title| (*title).to_owned()).collect();
    wide.extend(["before", "day before", "day after", "after", "ended", "to come"].map(str::to_owned));
    wide.sort_unstable();
    for (from, to) in [("2020-01-01", "2030-01-01"), ("1900-01-01", "2500-01-01")] {
        let found = events.list(EventFilter { calendar_id: Some(calendar), ..window(from, to) }).all().await.unwrap();
        let mut found = titles(found);
        found.sort_unstable();
        assert_eq!(found, wide, "{from} to {to}");
    }
    let from = EventFilter { to: None, ..two_days.clone() };
    assert_eq!(events.list(from).all().await.unwrap().len(), wide.len() - 3);
    let to = EventFilter { from: None, ..two_days.clone() };
    assert_eq!(events.list(to).all().await.unwrap().len(), wide.len() - 3);
    let then = settled(&desk);
    events.delete(elsewhere.id).await.unwrap();
    let everywhere = window("2026-05-01", "2026-05-03");
    assert_eq!(events.list(everywhere.clone()).all().await.unwrap().len(), expected.len());
    let past = events.clone().as_of(then).list(everywhere).sort(EventSort::Start).descending().all().await.unwrap();
    assert_eq!(titles(past).first().map(String::as_str), Some("added"));
    assert_eq!(events.clone().as_of(then).get(elsewhere.id).await.unwrap().data.title, "elsewhere");
    let empty = events.list(window("2026-05-03", "2026-05-01")).await;
    assert_eq!(refusal(empty), (ErrorKind::InvalidRequest, "/to".to_owned()));
}

/// An all-day event is on its day wherever the tenant is at home.
pub async fn all_day_event_is_the_same_day_in_every_zone(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    event(&desk, calendar, json!({ "title": "once", "start_date": "2026-05-04" })).await;
    let weekly = json!({ "title": "weekly", "start_date": "2026-05-04", "rrule": "FREQ=WEEKLY;COUNT=2" });
    event(&desk, calendar, weekly).await;
    for zone in [Tz::Pacific__Kiritimati, Tz::Asia__Kathmandu, Tz::UTC, Tz::America__New_York, Tz::Etc__GMTPlus12] {
        let events = desk.of::<Event>().at_home(Locale { timezone: zone, ..Locale::default() });
        let day = |from: &str, to: &str| window(from, to);
        assert_eq!(agenda(&events, &day("2026-05-04", "2026-05-05")).await, ["2026-05-04 once", "2026-05-04 weekly"]);
        assert_eq!(agenda(&events, &day("2026-05-11", "2026-05-12")).await, ["2026-05-11 weekly"]);
        assert!(agenda(&events, &day("2026-05-03", "2026-05-04")).await.is_empty());
        assert!(agenda(&events, &day("2026-05-05", "2026-05-11")).await.is_empty());
        assert_eq!(events.list(day("2026-05-04", "2026-05-05")).await.unwrap().data.len(), 2);
        assert_eq!(events.list(day("2026-05-05", "2026-05-06")).await.unwrap().data.len(), 1);
    }
}

/// Occurrences are those of the events that have the words in their title, description or location.
pub async fn occurrences_are_searched_by_words(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let at = "2026-05-04T07:00:00Z";
    event(&desk, calendar, json!({ "title": "Budget", "start_at": at })).await;
    event(&desk, calendar, json!({ "title": "Talk", "description": "about the budget", "start_at": at })).await;
    let days = json!({ "title": "Lunch", "location": "Café Budgét", "start_at": at, "rrule": "FREQ=DAILY;COUNT=2" });
    event(&desk, calendar, days).await;
    let events = desk.of::<Event>();
    let page = events.occurrences(&may(), Some("cafe"), &PageRequest::default()).await.unwrap();
    assert_eq!(page.data.iter().map(shown).collect::<Vec<_>>(), ["2026-05-04T07:00 Lunch", "2026-05-05T07:00 Lunch"]);
}

/// A series says when it takes place next, as known at its last write.
pub async fn series_says_when_it_is_next(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    // It is the 14th of April.
    let series = event(&desk, calendar, json!({ "start_at": "2026-04-01T07:00:00Z", "rrule": "FREQ=DAILY" })).await;
    assert_eq!(series.data.next_occurrence, Some(moment("2026-04-15T07:00:00Z")));
    let patch = json!({ "exdates": ["2026-04-15T07:00:00Z"], "next_occurrence": "2030-01-01T00:00:00Z" });
    let shorter = events.update(series.id, patch).await.unwrap();
    assert_eq!(shorter.data.next_occurrence, Some(moment("2026-04-16T07:00:00Z")));
    let over = events.update(series.id, json!({ "rrule": "FREQ=DAILY;COUNT=3" })).await.unwrap();
    assert_eq!(over.data.next_occurrence, None);
    let once = event(&desk, calendar, json!({ "start_at": "2026-05-01T07:00:00Z" })).await;
    assert_eq!(once.data.next_occurrence, None);
    let days = event(&desk, calendar, json!({ "start_date": "2026-04-14", "rrule": "FREQ=WEEKLY" })).await;
    assert_eq!(days.data.next_occurrence, Some(moment("2026-04-21")));
}
