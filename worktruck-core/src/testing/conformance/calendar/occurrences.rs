use super::*;
use crate::ErrorKind;

/// Occurrences keep what clocks of their zone show, across every kind of change of the clocks.
pub async fn occurrences_keep_to_the_clocks_of_their_zone(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    for (zone, start, length, from, expected) in [
        // 02:30 is skipped on the 8th of March, and the length is that of a watch.
        ("America/New_York", "2026-03-07T02:30:00-05:00", "PT1H", "2026-03-07", [7, 7, 6]),
        ("America/New_York", "2026-10-31T01:30:00-04:00", "PT1H", "2026-10-31", [5, 5, 6]),
        ("Europe/London", "2026-03-28T09:00:00Z", "PT1H", "2026-03-28", [9, 8, 8]),
        ("Europe/London", "2026-10-24T09:00:00+01:00", "PT1H", "2026-10-24", [8, 9, 9]),
    ] {
        let begins = time(start);
        let ends = begins.after(std::time::Duration::from_secs(3600));
        let fields = json!({
            "timezone": zone, "rrule": "FREQ=DAILY;COUNT=3", "start_at": begins, "end_at": ends, "title": length,
        });
        let series = event(&desk, calendar, fields).await;
        let events = desk.of::<Event>();
        let three = (Some(moment(from)), None);
        let found = events.event_occurrences(series.id, three, &PageRequest::default()).await.unwrap().data;
        let hours: Vec<i64> =
            found.iter().map(|one| one.start_at.unwrap().as_micros().div_euclid(3_600_000_000) % 24).collect();
        assert_eq!(hours, expected, "{start} in {zone}");
        for one in found {
            assert_eq!(one.end_at.unwrap().since(one.start_at.unwrap()).as_secs(), 3600);
            assert_eq!((one.recurrence_id, one.event_id), (Moment::Instant(one.start_at.unwrap()), series.id));
            assert_eq!((one.series_id, one.is_override), (Some(series.id), false));
            assert_eq!(one.timezone.as_deref(), Some(zone));
        }
        events.delete(series.id).await.unwrap();
    }
    // Half an hour, and a day that was left out.
    for (zone, start, expected) in [
        ("Australia/Lord_Howe", "2026-04-04T09:00:00+11:00", ["2026-04-03T22:00 Event", "2026-04-04T22:30 Event"]),
        ("Pacific/Apia", "2011-12-29T09:00:00-10:00", ["2011-12-29T19:00 Event", "2011-12-30T19:00 Event"]),
    ] {
        let days = event(&desk, calendar, json!({ "timezone": zone, "rrule": "FREQ=DAILY", "start_at": start })).await;
        let events = desk.of::<Event>();
        let two = events.event_occurrences(days.id, (None, None), &PageRequest::new(2, None).unwrap()).await.unwrap();
        assert_eq!(two.data.iter().map(shown).collect::<Vec<_>>(), expected, "{zone}");
        events.delete(days.id).await.unwrap();
    }
}

/// An occurrence is written with what it says and nothing else.
pub async fn occurrence_has_its_shape(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let at = json!({ "title": "At", "start_at": "2026-05-04T07:00:00Z", "timezone": "Europe/Berlin" });
    let at = event(&desk, calendar, at).await.id;
    let on_days = json!({ "title": "On", "start_date": "2026-05-05", "rrule": "FREQ=DAILY;COUNT=1" });
    let on_days = event(&desk, calendar, on_days).await.id;
    let page = desk.of::<Event>().occurrences(&may(), None, &PageRequest::default()).await.unwrap();
    assert_eq!(
        json!(page.data),
        json!([
            {
                "event_id": at, "recurrence_id": "2026-05-04T07:00:00.000000Z",
                "start_at": "2026-05-04T07:00:00.000000Z", "end_at": "2026-05-04T07:00:00.000000Z",
                "timezone": "Europe/Berlin", "title": "At", "status": "confirmed", "is_override": false,
            },
            {
                "event_id": on_days, "series_id": on_days, "recurrence_id": "2026-05-05",
                "start_date": "2026-05-05", "end_date": "2026-05-06",
                "title": "On", "status": "confirmed", "is_override": false,
            },
        ])
    );
    assert_eq!((page.has_more, page.next_cursor), (false, None));
}

/// Occurrences that were under way when the window begins are in it, and those that were over are not.
pub async fn occurrences_overlap_their_window(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let night = json!({
        "title": "night", "start_at": "2026-05-01T20:00:00Z", "end_at": "2026-05-02T04:00:00Z", "rrule": "FREQ=DAILY",
    });
    event(&desk, calendar, night).await;
    let camp = json!({ "title": "camp", "start_date": "2026-05-01", "end_date": "2026-05-04", "rrule": "FREQ=WEEKLY" });
    event(&desk, calendar, camp).await;
    let bell = json!({ "title": "bell", "start_at": "2026-05-01T22:00:00Z", "rrule": "FREQ=DAILY" });
    event(&desk, calendar, bell).await;
    let events = desk.of::<Event>();
    let found = agenda(&events, &window("2026-05-10T00:00:00+02:00", "2026-05-11T00:00:00+02:00")).await;
    assert_eq!(
        found,
        ["2026-05-08 camp", "2026-05-09T20:00 night", "2026-05-09T22:00 bell", "2026-05-10T20:00 night"],
        "days begin where the tenant is at home"
    );
    let found = agenda(&events, &window("2026-05-11", "2026-05-11T06:00:00+02:00")).await;
    assert_eq!(found, ["2026-05-10T20:00 night", "2026-05-10T22:00 bell"], "the camp is over");
}

/// Occurrences are asked for with a window that is not too long.
pub async fn occurrences_need_a_window(stage: Stage) {
    let (desk, _) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    for (filter, pointer) in [
        (EventFilter::default(), "/from"),
        (EventFilter { to: None, ..may() }, "/to"),
        (EventFilter { from: None, ..may() }, "/from"),
        (window("2026-05-01", "2026-04-01"), "/to"),
        (window("2026-05-01", "2036-06-01"), "/to"),
    ] {
        let refused = events.occurrences(&filter, None, &PageRequest::default()).await;
        assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, pointer.to_owned()), "{filter:?}");
    }
    let ten_years = events.occurrences(&window("2026-05-01", "2036-05-01"), None, &PageRequest::default()).await;
    assert!(ten_years.unwrap().data.is_empty());
}

/// A walk over occurrences shows each once, whatever is written meanwhile, and its cursors serve no other.
pub async fn occurrences_are_walked_once_while_others_write(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let mut ids = Vec::new();
    for (title, rule) in [("a", "FREQ=DAILY;COUNT=9"), ("b", "FREQ=WEEKLY"), ("c", "FREQ=DAILY;INTERVAL=2")] {
        let fields = json!({ "title": title, "start_at": "2026-05-04T07:00:00Z", "rrule": rule });
        ids.push(event(&desk, calendar, fields).await.id);
    }
    event(&desk, calendar, json!({ "title": "d", "start_date": "2026-05-06" })).await;
    desk.wait(1);
    let whole = agenda(&events, &may()).await;
    assert_eq!(whole.len(), 9 + 4 + 14 + 1);
    for limit in [1, 2, 5, 27, 28, 200] {
        let (mut walked, mut cursor) = (Vec::new(), None);
        loop {
            let page = events.occurrences(&may(), None, &PageRequest::new(limit, cursor).unwrap()).await.unwrap();
            assert_eq!(page.has_more, page.next_cursor.is_some());
            walked.extend(page.data.iter().map(shown));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(walked, whole, "pages of {limit}");
    }
    let first = events.occurrences(&may(), None, &PageRequest::new(3, None).unwrap()).await.unwrap();
    let cursor = first.next_cursor.clone();
    desk.wait(1);
    // What was shown moves behind, what was not moves before, and something is new.
    events.update(ids[0], json!({ "start_at": "2026-05-20T07:00:00Z" })).await.unwrap();
    events.update(ids[1], json!({ "start_at": "2026-05-01T07:00:00Z" })).await.unwrap();
    event(&desk, calendar, json!({ "title": "new", "start_date": "2026-05-30" })).await;
    desk.wait(1);
    let rest = PageRequest::new(200, cursor.clone()).unwrap();
    let rest = events.occurrences(&may(), None, &rest).await.unwrap();
    let walked: Vec<String> = first.data.iter().chain(&rest.data).map(shown).collect();
    assert_eq!(walked, whole);
    let elsewhere = PageRequest::new(3, cursor.clone()).unwrap();
    let june = window("2026-06-01", "2026-07-01");
    assert_eq!(refusal(events.occurrences(&june, None, &elsewhere).await).0, ErrorKind::InvalidCursor);
    let other = EventFilter { calendar_id: Some(calendar), ..may() };
    assert_eq!(refusal(events.occurrences(&other, None, &elsewhere).await).0, ErrorKind::InvalidCursor);
    assert_eq!(refusal(events.occurrences(&may(), Some("a"), &elsewhere).await).0, ErrorKind::InvalidCursor);
    let of_one = events.event_occurrences(ids[0], (None, None), &elsewhere).await;
    assert_eq!(refusal(of_one).0, ErrorKind::InvalidCursor);
}

/// Occurrences of the past are those that were known then.
pub async fn occurrences_of_the_past_stay(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await;
    let first = settled(&desk);
    let part = crate::pim::calendar::EventPart::this(on(5));
    events.update_part(series.id, part, json!({ "title": "Special" })).await.unwrap();
    let second = settled(&desk);
    events.delete(series.id).await.unwrap();
    assert!(agenda(&events, &may()).await.is_empty());
    let past = |at| events.clone().as_of(at);
    assert_eq!(agenda(&past(first), &may()).await[1], "2026-05-05T07:00 Daily");
    assert_eq!(agenda(&past(second), &may()).await[1], "2026-05-05T07:00 Special");
    let page = past(second).event_occurrences(series.id, (None, None), &PageRequest::default()).await.unwrap();
    assert_eq!((page.data.len(), page.data[1].is_override), (5, true));
    let words = past(second).occurrences(&may(), Some("special"), &PageRequest::default()).await;
    assert_eq!(refusal(words), (ErrorKind::InvalidRequest, "/as_of".to_owned()));
}

/// The occurrences of one event are those of its series with what differs in their place, and go on for ever.
pub async fn occurrences_of_one_event_are_in_order(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await;
    daily(&desk, calendar).await;
    let part = crate::pim::calendar::EventPart::this(on(5));
    let late = json!({ "title": "Late", "start_at": "2026-05-07T12:00:00Z", "end_at": "2026-05-07T13:00:00Z" });
    let late = events.update_part(series.id, part, late).await.unwrap();
    let all = events.event_occurrences(series.id, (None, None), &PageRequest::default()).await.unwrap();
    let expected = [
        "2026-05-04T07:00 Daily",
        "2026-05-06T07:00 Daily",
        "2026-05-07T07:00 Daily",
        "2026-05-07T12:00 Late",
        "2026-05-08T07:00 Daily",
    ];
    assert_eq!(all.data.iter().map(shown).collect::<Vec<_>>(), expected);
    let differing = &all.data[3];
    assert_eq!((differing.event_id, differing.series_id, differing.is_override), (late.id, Some(series.id), true));
    assert_eq!(differing.recurrence_id, on(5));
    let some = (Some(on(6)), Some(on(8)));
    let two = events.event_occurrences(series.id, some, &PageRequest::new(2, None).unwrap()).await.unwrap();
    assert_eq!(two.data.iter().map(shown).collect::<Vec<_>>(), expected[1..3]);
    let rest = PageRequest::new(2, two.next_cursor).unwrap();
    let rest = events.event_occurrences(series.id, some, &rest).await.unwrap();
    assert_eq!((rest.data.iter().map(shown).collect::<Vec<_>>(), rest.has_more), (vec![expected[3].to_owned()], false));
    let once = events.event_occurrences(late.id, (None, None), &PageRequest::default()).await.unwrap().data;
    assert_eq!((once.len(), once[0].recurrence_id), (1, on(5)));
    let endless = json!({ "start_date": "2026-01-31", "rrule": "FREQ=MONTHLY" });
    let endless = event(&desk, calendar, endless).await;
    let far = (Some(moment("2500-01-01")), None);
    let far = events.event_occurrences(endless.id, far, &PageRequest::new(1, None).unwrap()).await.unwrap();
    assert_eq!((shown(&far.data[0]).as_str(), far.has_more), ("2500-01-31 Event", true));
    let unknown = events.event_occurrences(calendar, (None, None), &PageRequest::default()).await;
    assert_eq!(refusal(unknown).0, ErrorKind::NotFound);
}
