use super::*;
use crate::ErrorKind;
use crate::entity::attendee::Attendee;
use crate::pim::calendar::{AttendeeFilter, EventPart, UpdateScope};

/// "This and following" cuts a series in two: rule, dates and what differs go to the part that they lie in.
pub async fn change_of_this_and_following_cuts_a_series(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await;
    let fields = json!({
        "rrule": "FREQ=DAILY;COUNT=10",
        "exdates": ["2026-05-05T07:00:00Z", "2026-05-12T07:00:00Z"],
        "rdates": ["2026-05-02T07:00:00Z", "2026-05-20T07:00:00Z"],
    });
    events.update(series.id, fields).await.unwrap();
    desk.create::<Attendee>(json!({ "event_id": series.id, "email": "ada@example.org" })).await;
    for day in [6, 10] {
        let patch = json!({ "location": format!("Room {day}") });
        events.update_part(series.id, EventPart::this(on(day)), patch).await.unwrap();
    }
    let whole = agenda(&events, &may()).await;
    assert_eq!(whole.len(), 10);
    let then = settled(&desk);
    let patch = json!({ "title": "Later", "start_at": "2026-05-09T08:00:00Z", "end_at": "2026-05-09T09:00:00Z" });
    let rest = events.update_part(series.id, EventPart::this_and_following(on(9)), patch).await.unwrap();
    assert_ne!(rest.id, series.id);
    assert_ne!(rest.data.ical_uid, series.data.ical_uid);
    assert_eq!((rest.data.series_id, rest.data.rrule.as_deref()), (None, Some("FREQ=DAILY;COUNT=5")));
    assert_eq!(json!(rest.data.exdates), json!(["2026-05-12T08:00:00.000000Z"]));
    assert_eq!(json!(rest.data.rdates), json!(["2026-05-20T08:00:00.000000Z"]));
    let old = events.get(series.id).await.unwrap().data;
    assert_eq!(json!(old.exdates), json!(["2026-05-05T07:00:00.000000Z"]));
    assert_eq!(json!(old.rdates), json!(["2026-05-02T07:00:00.000000Z"]));
    assert!(old.rrule.unwrap().contains("UNTIL="));
    let mut expected = whole.clone();
    for one in expected.iter_mut().filter(|one| one.as_str() >= "2026-05-09") {
        *one = one.replace("T07:00 Daily", "T08:00 Later");
    }
    assert_eq!(agenda(&events, &may()).await, expected);
    let of_rest = EventFilter { series_id: Some(rest.id), ..EventFilter::default() };
    let differing = events.list(of_rest).all().await.unwrap();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].data.recurrence_id, Some(moment("2026-05-10T08:00:00Z")), "it goes with its occurrence");
    assert_eq!(differing[0].data.location.as_deref(), Some("Room 10"));
    assert_eq!(differing[0].data.ical_uid, rest.data.ical_uid);
    let asked = AttendeeFilter { event_id: Some(rest.id), ..AttendeeFilter::default() };
    assert_eq!(desk.of::<Attendee>().list(asked).all().await.unwrap().len(), 1);
    assert_eq!(agenda(&events.clone().as_of(then), &may()).await, whole, "all of it was one commit");
}

/// "This and following" of the first occurrence is the whole series.
pub async fn cut_before_the_first_occurrence_changes_the_series(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let part = EventPart::this_and_following(on(4));
    let changed = events.update_part(series, part, json!({ "title": "All" })).await.unwrap();
    assert_eq!((changed.id, changed.version()), (series, 2));
    // What begins with occurrences that were left out has nothing before the cut.
    events.delete_part(series, EventPart::this(on(4))).await.unwrap();
    let rest =
        events.update_part(series, EventPart::this_and_following(on(5)), json!({ "title": "Rest" })).await.unwrap();
    let left = events.list(EventFilter::default()).all().await.unwrap();
    assert_eq!(left.iter().map(|event| event.id).collect::<Vec<_>>(), [rest.id]);
    assert_eq!(agenda(&events, &may()).await.len(), 4);
    events.delete_part(rest.id, EventPart::this_and_following(on(5))).await.unwrap();
    assert!(events.list(EventFilter::default()).all().await.unwrap().is_empty());
}

/// An occurrence that differs leads to its series: what follows it, or all of it.
pub async fn differing_occurrence_leads_to_its_series(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let differing = events.update_part(series, EventPart::this(on(6)), json!({ "title": "x" })).await.unwrap().id;
    let all = events.update_part(differing, EventPart::all(), json!({ "color": "red" })).await.unwrap();
    assert_eq!((all.id, all.data.title.as_str()), (series, "Daily"));
    let following = EventPart { update_scope: Some(UpdateScope::ThisAndFollowing), recurrence_id: None };
    let rest = events.update_part(differing, following, json!({ "title": "Rest" })).await.unwrap();
    assert_ne!(rest.id, series);
    assert_eq!(
        agenda(&events, &may()).await,
        [
            "2026-05-04T07:00 Daily",
            "2026-05-05T07:00 Daily",
            "2026-05-06T07:00 x",
            "2026-05-07T07:00 Rest",
            "2026-05-08T07:00 Rest",
        ]
    );
    assert_eq!(events.get(differing).await.unwrap().data.series_id, Some(rest.id));
    events.delete_part(differing, EventPart::all()).await.unwrap();
    assert_eq!(agenda(&events, &may()).await.len(), 2);
}

/// A series that moves takes along, by what clocks show, the dates that are left out and what differs.
pub async fn series_that_moves_takes_its_exceptions_along(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    // Clocks change between the second and the third occurrence.
    let weekly = json!({
        "title": "Weekly", "timezone": "Europe/Berlin", "rrule": "FREQ=WEEKLY;COUNT=5",
        "start_at": "2026-03-16T08:00:00Z", "end_at": "2026-03-16T09:00:00Z", "exdates": ["2026-03-30T07:00:00Z"],
    });
    let series = event(&desk, calendar, weekly).await.id;
    let (fourth, fifth) = (moment("2026-04-06T07:00:00Z"), moment("2026-04-13T07:00:00Z"));
    events.update_part(series, EventPart::this(fourth), json!({ "title": "Fourth" })).await.unwrap();
    let late = json!({ "start_at": "2026-04-14T15:00:00Z", "end_at": "2026-04-14T16:00:00Z" });
    events.update_part(series, EventPart::this(fifth), late).await.unwrap();
    // A day and an hour later.
    let patch = json!({ "start_at": "2026-03-17T09:00:00Z", "end_at": "2026-03-17T10:00:00Z", "location": "Here" });
    let moved = events.update(series, patch).await.unwrap();
    assert_eq!(json!(moved.data.exdates), json!(["2026-03-31T08:00:00.000000Z"]));
    let spring = window("2026-03-01", "2026-05-01");
    assert_eq!(
        agenda(&events, &spring).await,
        ["2026-03-17T09:00 Weekly", "2026-03-24T09:00 Weekly", "2026-04-07T08:00 Fourth", "2026-04-14T15:00 Weekly",]
    );
    let of_series = EventFilter { series_id: Some(series), ..EventFilter::default() };
    let differing = events.list(of_series).all().await.unwrap();
    let recurrences: Vec<_> = differing.iter().map(|event| event.data.recurrence_id.unwrap()).collect();
    assert_eq!(recurrences, [moment("2026-04-07T08:00:00Z"), moment("2026-04-14T08:00:00Z")]);
    assert!(differing.iter().all(|event| event.data.location.as_deref() == Some("Here")), "they do not differ in it");
    assert_eq!(differing[0].data.title, "Fourth");
    let days = json!({ "is_all_day": true, "start_date": "2026-03-18" });
    let days = events.update(series, days).await.unwrap();
    assert_eq!(json!(days.data.exdates), json!(["2026-04-01"]));
    let found = agenda(&events, &spring).await;
    assert_eq!(found, ["2026-03-18 Weekly", "2026-03-25 Weekly", "2026-04-08 Fourth", "2026-04-14T15:00 Weekly"]);
}

/// What differs is deleted when its occurrence is gone from the series.
pub async fn differing_occurrence_goes_with_its_occurrence(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let other = desk.create::<Calendar>(json!({ "name": "Other" })).await.id;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let mut ids = Vec::new();
    for day in [5, 6, 7] {
        let changed = events.update_part(series, EventPart::this(on(day)), json!({ "title": format!("{day}") })).await;
        ids.push(changed.unwrap().id);
    }
    desk.create::<Attendee>(json!({ "event_id": ids[2], "email": "ada@example.org" })).await;
    let then = settled(&desk);
    events.update(series, json!({ "rrule": "FREQ=DAILY;COUNT=3", "exdates": ["2026-05-05T07:00:00Z"] })).await.unwrap();
    assert_eq!(agenda(&events, &may()).await, ["2026-05-04T07:00 Daily", "2026-05-06T07:00 6"]);
    assert_eq!(refusal(events.get(ids[0]).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(events.get(ids[2]).await).0, ErrorKind::NotFound);
    assert!(desk.of::<Attendee>().list(AttendeeFilter::default()).all().await.unwrap().is_empty());
    assert_eq!(agenda(&events.clone().as_of(then), &may()).await.len(), 5);
    events.update(series, json!({ "calendar_id": other })).await.unwrap();
    assert_eq!(events.get(ids[1]).await.unwrap().data.calendar_id, other, "it goes where its series goes");
    events.update(series, json!({ "rrule": null, "exdates": [] })).await.unwrap();
    assert_eq!(agenda(&events, &may()).await, ["2026-05-04T07:00 Daily"]);
}

/// One occurrence is deleted by leaving it out, whether it differs or not; the last one takes its series along.
pub async fn deletion_of_one_occurrence_leaves_it_out(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let differing = events.update_part(series, EventPart::this(on(5)), json!({ "title": "x" })).await.unwrap().id;
    let direct = events.update_part(series, EventPart::this(on(6)), json!({ "title": "y" })).await.unwrap().id;
    desk.create::<Attendee>(json!({ "event_id": differing, "email": "ada@example.org" })).await;
    events.delete_part(series, EventPart::this(on(4))).await.unwrap();
    events.delete_part(series, EventPart::this(on(5))).await.unwrap();
    events.delete(direct).await.unwrap();
    assert_eq!(agenda(&events, &may()).await, ["2026-05-07T07:00 Daily", "2026-05-08T07:00 Daily"]);
    let left = events.get(series).await.unwrap().data;
    assert_eq!(left.exdates, [on(4), on(5), on(6)]);
    assert_eq!(left.sequence, 3);
    assert!(desk.of::<Attendee>().list(AttendeeFilter::default()).all().await.unwrap().is_empty());
    assert_eq!(refusal(events.delete_part(series, EventPart::this(on(5))).await).0, ErrorKind::NotFound);
    desk.create::<Attendee>(json!({ "event_id": series, "email": "ada@example.org" })).await;
    events.delete_part(series, EventPart::this(on(7))).await.unwrap();
    events.delete_part(series, EventPart::this(on(8))).await.unwrap();
    assert!(events.list(EventFilter::default()).all().await.unwrap().is_empty());
    assert!(desk.of::<Attendee>().list(AttendeeFilter::default()).all().await.unwrap().is_empty());
}

/// A series is deleted from an occurrence on, or as a whole, with what differs.
pub async fn deletion_of_following_and_of_all(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    for day in [5, 7] {
        events.update_part(series, EventPart::this(on(day)), json!({ "title": format!("{day}") })).await.unwrap();
    }
    events.delete_part(series, EventPart::this_and_following(on(7))).await.unwrap();
    let left = ["2026-05-04T07:00 Daily", "2026-05-05T07:00 5", "2026-05-06T07:00 Daily"];
    assert_eq!(agenda(&events, &may()).await, left);
    assert_eq!(events.list(EventFilter::default()).all().await.unwrap().len(), 2);
    let then = settled(&desk);
    events.delete_part(series, EventPart::all()).await.unwrap();
    assert!(events.list(EventFilter::default()).all().await.unwrap().is_empty());
    assert_eq!(agenda(&events.clone().as_of(then), &may()).await, left);
    assert_eq!(refusal(events.delete_part(series, EventPart::all()).await).0, ErrorKind::NotFound);
}

/// However many change parts of a series at once, it has each of its occurrences once.
pub async fn parts_of_a_series_are_changed_at_once(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let series = daily(&desk, calendar).await.id;
    let change = {
        let desk = desk.clone();
        move |n: u32, _| {
            let events = desk.of::<Event>();
            async move {
                let result = match n {
                    0 => events.update_part(series, EventPart::this(on(8)), json!({ "title": "x" })).await.map(drop),
                    1 => events.update_part(series, EventPart::this(on(5)), json!({ "title": "x" })).await.map(drop),
                    2 => events.update(series, json!({ "title": "x" })).await.map(drop),
                    3 => {
                        let part = EventPart::this_and_following(on(7));
                        events.update_part(series, part, json!({ "title": "x" })).await.map(drop)
                    }
                    _ => events.delete_part(series, EventPart::this(on(6))).await,
                };
                // After the cut, the occurrence is one of another series.
                assert!(result.is_ok() || n == 0, "{n}: {result:?}");
            }
            .boxed()
        }
    };
    stage.in_parallel(5, change).await;
    let found: Vec<String> =
        agenda(&desk.of(), &may()).await.iter().map(|one| one.chars().take(10).collect()).collect();
    assert_eq!(found, ["2026-05-04", "2026-05-05", "2026-05-07", "2026-05-08"]);
}
