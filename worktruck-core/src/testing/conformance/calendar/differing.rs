use super::*;
use crate::ErrorKind;
use crate::entity::attendee::Attendee;
use crate::pim::calendar::{AttendeeFilter, EventPart, UpdateScope};

/// A change of one occurrence makes an event of it, and the others stay.
pub async fn change_of_one_occurrence_makes_it_differ(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await;
    desk.create::<Attendee>(json!({ "event_id": series.id, "email": "ada@example.org" })).await;
    let patch = json!({ "title": "Long", "end_at": "2026-05-06T09:00:00Z" });
    let differing = events.update_part(series.id, EventPart::this(on(6)), patch).await.unwrap();
    assert_eq!((differing.data.series_id, differing.data.recurrence_id), (Some(series.id), Some(on(6))));
    assert_eq!(differing.data.start_at, Some(time("2026-05-06T07:00:00Z")));
    assert_eq!((&differing.data.ical_uid, differing.data.rrule.as_ref()), (&series.data.ical_uid, None));
    let asked = AttendeeFilter { event_id: Some(differing.id), ..AttendeeFilter::default() };
    assert_eq!(desk.of::<Attendee>().list(asked).all().await.unwrap().len(), 1, "it asks whom the series asks");
    assert_eq!(events.get(series.id).await.unwrap().version(), 1, "the series stays as it is");
    // Named by its series or by itself, it is changed and not made anew.
    let again = events.update_part(series.id, EventPart::this(on(6)), json!({ "location": "Here" })).await.unwrap();
    assert_eq!((again.id, again.version(), again.data.title.as_str()), (differing.id, 2, "Long"));
    let unsaid = EventPart { recurrence_id: Some(on(6)), ..EventPart::default() };
    let itself = events.update_part(differing.id, unsaid, json!({ "color": "#fff" })).await.unwrap();
    assert_eq!((itself.id, itself.data.color.as_deref()), (differing.id, Some("#fff")));
    let unsaid = EventPart { recurrence_id: Some(on(7)), ..EventPart::default() };
    let other = events.update_part(series.id, unsaid, json!({ "title": "Short" })).await.unwrap();
    assert_ne!(other.id, differing.id);
    let found = agenda(&events, &may()).await;
    assert_eq!(
        found,
        [
            "2026-05-04T07:00 Daily",
            "2026-05-05T07:00 Daily",
            "2026-05-06T07:00 Long",
            "2026-05-07T07:00 Short",
            "2026-05-08T07:00 Daily",
        ]
    );
    let of_series = EventFilter { series_id: Some(series.id), ..EventFilter::default() };
    assert_eq!(titles(events.list(of_series).all().await.unwrap()), ["Long", "Short"]);
}

/// Occurrences that moved are in the window that they moved to, cancelled ones in none, and words find either.
pub async fn differing_occurrences_stand_for_those_of_their_series(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let june = json!({ "title": "Moved out", "start_at": "2026-06-10T07:00:00Z", "end_at": "2026-06-10T08:00:00Z" });
    events.update_part(series, EventPart::this(on(4)), june).await.unwrap();
    events.update_part(series, EventPart::this(on(5)), json!({ "status": "cancelled" })).await.unwrap();
    let day = json!({ "title": "All day", "is_all_day": true, "start_date": "2026-05-20" });
    let day = events.update_part(series, EventPart::this(on(6)), day).await.unwrap();
    assert_eq!((day.data.start_at, day.data.recurrence_id), (None, Some(on(6))));
    let rest = ["2026-05-07T07:00 Daily", "2026-05-08T07:00 Daily", "2026-05-20 All day"];
    assert_eq!(agenda(&events, &may()).await, rest);
    assert_eq!(agenda(&events, &window("2026-06-01", "2026-07-01")).await, ["2026-06-10T07:00 Moved out"]);
    assert_eq!(agenda(&events, &window("2026-05-20", "2026-05-21")).await, ["2026-05-20 All day"]);
    assert!(agenda(&events, &window("2026-05-06", "2026-05-07")).await.is_empty());
    let words = |q: &'static str| {
        let events = events.clone();
        async move {
            let page = events.occurrences(&window("2026-05-01", "2026-07-01"), Some(q), &PageRequest::default()).await;
            page.unwrap().data.iter().map(shown).collect::<Vec<_>>()
        }
    };
    assert_eq!(words("daily").await, ["2026-05-07T07:00 Daily", "2026-05-08T07:00 Daily"]);
    assert_eq!(words("moved").await, ["2026-06-10T07:00 Moved out"]);
    events.update(series, json!({ "status": "cancelled" })).await.unwrap();
    assert!(agenda(&events, &window("2026-05-01", "2026-07-01")).await.is_empty(), "all of it is cancelled");
}

/// What is no occurrence cannot be changed, and nothing is written.
pub async fn occurrence_that_is_none_is_refused(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    events.delete_part(series, EventPart::this(on(8))).await.unwrap();
    let once = event(&desk, calendar, json!({ "start_at": "2026-05-04T07:00:00Z" })).await.id;
    let differing = events.update_part(series, EventPart::this(on(5)), json!({ "title": "x" })).await.unwrap().id;
    let bare = |scope| EventPart { update_scope: Some(scope), recurrence_id: None };
    let invalid = |pointer: &str| (ErrorKind::InvalidRequest, pointer.to_owned());
    let absent = || (ErrorKind::NotFound, String::new());
    let (this, following) = (EventPart::this, EventPart::this_and_following);
    for (id, part, expected) in [
        (series, bare(UpdateScope::This), invalid("/recurrence_id")),
        (series, bare(UpdateScope::ThisAndFollowing), invalid("/recurrence_id")),
        (series, this(moment("2026-05-05")), invalid("/recurrence_id")),
        (series, following(moment("2026-05-05")), invalid("/recurrence_id")),
        (series, this(moment("2026-05-05T07:00:01Z")), absent()),
        (series, this(on(9)), absent()),
        (series, following(on(3)), absent()),
        (series, this(on(8)), absent()),
        (once, this(on(5)), absent()),
        (differing, this(on(6)), absent()),
        (calendar, this(on(5)), absent()),
    ] {
        let changed = events.update_part(id, part, json!({ "title": "y" })).await;
        assert_eq!(refusal(changed), expected, "{part:?}");
        assert_eq!(refusal(events.delete_part(id, part).await), expected, "{part:?}");
    }
    for (patch, pointer) in [
        (json!({ "rrule": "FREQ=DAILY" }), "/rrule"),
        (json!({ "exdates": ["2026-05-04T07:00:00Z"] }), "/exdates"),
        (json!({ "series_id": null }), "/series_id"),
        (json!({ "recurrence_id": "2026-05-07T07:00:00Z" }), "/recurrence_id"),
        (json!({ "calendar_id": series }), "/calendar_id"),
        (json!({ "title": "" }), "/title"),
    ] {
        for day in [5, 6] {
            let refused = events.update_part(series, this(on(day)), patch.clone()).await;
            assert_eq!(refusal(refused), invalid(pointer), "{patch}");
        }
    }
    assert_eq!(refusal(events.update_part(series, this(on(5)), json!([])).await).0, ErrorKind::InvalidRequest);
    assert_eq!(events.list(EventFilter::default()).all().await.unwrap().len(), 3);
    let titles = titles(events.list(EventFilter::default()).all().await.unwrap());
    assert!(!titles.contains(&"y".to_owned()), "{titles:?}");
    // An event that takes place once may be named by its start.
    let named = events.update_part(once, this(on(4)), json!({ "title": "z" })).await.unwrap();
    assert_eq!((named.id, named.data.title.as_str()), (once, "z"));
}

/// An occurrence that differs can be made as an event of its own, once, where its series has one.
pub async fn differing_occurrence_is_made_directly(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let other = desk.create::<Calendar>(json!({ "name": "Other" })).await.id;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await;
    let once = event(&desk, calendar, json!({ "start_at": "2026-05-04T07:00:00Z" })).await.id;
    let fields = |series: EntityId, recurrence: &str| {
        let start = "2026-05-06T08:00:00Z";
        json!({ "start_at": start, "series_id": series, "recurrence_id": recurrence })
    };
    for (home, fields, expected) in [
        (calendar, fields(series.id, "2026-05-16T07:00:00Z"), (ErrorKind::InvalidRequest, "/recurrence_id")),
        (calendar, fields(series.id, "2026-05-06"), (ErrorKind::InvalidRequest, "/recurrence_id")),
        (calendar, fields(once, "2026-05-04T07:00:00Z"), (ErrorKind::InvalidRequest, "/series_id")),
        (other, fields(series.id, "2026-05-06T07:00:00Z"), (ErrorKind::InvalidRequest, "/calendar_id")),
    ] {
        let (kind, pointer) = refusal(events.create_from(body(home, fields)).await);
        assert_eq!((kind, pointer.as_str()), expected);
    }
    let made = event(&desk, calendar, fields(series.id, "2026-05-06T09:00:00+02:00")).await;
    assert_eq!(made.data.ical_uid, series.data.ical_uid);
    let twice = events.create_from(body(calendar, fields(series.id, "2026-05-06T07:00:00Z"))).await;
    assert_eq!(refusal(twice), (ErrorKind::Conflict, "/recurrence_id".to_owned()));
    let found = agenda(&events, &may()).await;
    assert!(found.contains(&"2026-05-06T08:00 Event".to_owned()), "{found:?}");
    assert!(!found.contains(&"2026-05-06T07:00 Daily".to_owned()), "{found:?}");
}

/// Of many changes of one occurrence at once, all end up in one event.
pub async fn changes_of_one_occurrence_at_once_make_one_event(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let series = daily(&desk, calendar).await.id;
    let change = {
        let desk = desk.clone();
        move |n: u32, _| {
            let events = desk.of::<Event>();
            async move {
                let patch = json!({ "metadata": { n.to_string(): true } });
                events.update_part(series, EventPart::this(on(5)), patch).await.unwrap().id
            }
            .boxed()
        }
    };
    let ids: BTreeSet<EntityId> = stage.in_parallel(6, change).await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    let id = ids.into_iter().next().unwrap();
    assert_eq!(desk.of::<Event>().get(id).await.unwrap().data.metadata.len(), 6);
    assert_eq!(agenda(&desk.of(), &may()).await.len(), 5);
}

/// A change of a part is refused if the event that it names is at another version.
pub async fn part_of_another_version_is_not_changed(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    events.update(series, json!({ "color": "red" })).await.unwrap();
    for part in [EventPart::this(on(5)), EventPart::this_and_following(on(6)), EventPart::all()] {
        let late = events.clone().if_version(1);
        let refused = late.update_part(series, part, json!({ "title": "x" })).await;
        assert_eq!(refusal(refused).0, ErrorKind::VersionMismatch);
        assert_eq!(refusal(late.delete_part(series, part).await).0, ErrorKind::VersionMismatch);
    }
    let timely = events.if_version(2);
    timely.update_part(series, EventPart::this(on(5)), json!({ "title": "x" })).await.unwrap();
}
