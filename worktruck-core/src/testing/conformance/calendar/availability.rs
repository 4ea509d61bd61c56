use super::*;
use crate::ErrorKind;
use crate::pim::calendar::{AvailabilityRequest, EventPart, Slot};

fn ask(from: &str, to: &str) -> AvailabilityRequest {
    AvailabilityRequest::new(moment(from), moment(to))
}

fn spans(slots: &[Slot]) -> Vec<String> {
    let text = |at: Timestamp| at.to_string().replace(":00.000000Z", "").replace("2026-", "");
    slots.iter().map(|slot| format!("{}/{}", text(slot.start), text(slot.end))).collect()
}

async fn busy(events: &Records<Event>, request: &AvailabilityRequest) -> Vec<String> {
    spans(&events.availability(request).await.unwrap().busy)
}

/// Free time is that of the working hours without events, in stretches that are long enough.
pub async fn availability_is_working_hours_without_events(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::Europe__Berlin).await;
    let events = desk.of::<Event>();
    daily(&desk, calendar).await;
    for (start, end) in [("09:00", "10:00"), ("09:30", "10:15"), ("10:15", "11:00"), ("11:10", "11:50")] {
        let day = |time: &str| format!("2026-05-04T{time}:00Z");
        event(&desk, calendar, json!({ "start_at": day(start), "end_at": day(end) })).await;
    }
    event(&desk, calendar, json!({ "start_at": "2026-05-04T12:00:00Z" })).await;
    let hours = AvailabilityRequest {
        working_hours: Some("mon-fri@09:00-14:00,sat@10:00-12:00".to_owned()),
        ..ask("2026-05-04", "2026-05-05")
    };
    let found = events.availability(&hours).await.unwrap();
    assert_eq!(spans(&found.busy), ["05-04T07:00/05-04T07:30", "05-04T09:00/05-04T11:00", "05-04T11:10/05-04T11:50"]);
    assert_eq!(spans(&found.free), ["05-04T07:30/05-04T09:00", "05-04T11:00/05-04T11:10", "05-04T11:50/05-04T12:00"]);
    let longer = AvailabilityRequest { slot_minutes: Some(10), ..hours.clone() };
    assert_eq!(events.availability(&longer).await.unwrap().free.len(), 3);
    let longer = AvailabilityRequest { slot_minutes: Some(11), ..hours.clone() };
    assert_eq!(spans(&events.availability(&longer).await.unwrap().free), ["05-04T07:30/05-04T09:00"]);
    let weekend = AvailabilityRequest { working_hours: hours.working_hours.clone(), ..ask("2026-05-09", "2026-05-11") };
    assert_eq!(spans(&events.availability(&weekend).await.unwrap().free), ["05-09T08:00/05-09T10:00"]);
    // Without hours all of the window counts, and events are cut to it.
    let always = events.availability(&ask("2026-05-04T07:10:00Z", "2026-05-04T09:30:00Z")).await.unwrap();
    assert_eq!(spans(&always.busy), ["05-04T07:10/05-04T07:30", "05-04T09:00/05-04T09:30"]);
    assert_eq!(spans(&always.free), ["05-04T07:30/05-04T09:00"]);
    let shape = json!({ "start": "2026-05-04T07:30:00.000000Z", "end": "2026-05-04T09:00:00.000000Z" });
    assert_eq!(json!(always)["free"], json!([shape]));
}

/// Every event counts that takes place and takes time: tentative ones too, cancelled and free ones not.
pub async fn availability_counts_what_takes_time(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let hidden = desk.create::<Calendar>(json!({ "name": "Hidden", "is_visible": false })).await.id;
    let shown = desk.create::<Calendar>(json!({ "name": "Shown" })).await.id;
    let events = desk.of::<Event>();
    for (home, hour, fields) in [
        (calendar, 1, json!({})),
        (calendar, 3, json!({ "status": "tentative" })),
        (calendar, 5, json!({ "status": "cancelled" })),
        (calendar, 7, json!({ "availability": "free" })),
        (calendar, 9, json!({ "event_type": "focus_time", "visibility": "private" })),
        (hidden, 11, json!({})),
        (shown, 13, json!({})),
    ] {
        let mut fields = fields;
        fields["start_at"] = json!(format!("2026-05-04T{hour:02}:00:00Z"));
        fields["end_at"] = json!(format!("2026-05-04T{:02}:00:00Z", hour + 1));
        event(&desk, home, fields).await;
    }
    let then = settled(&desk);
    let day = ask("2026-05-04", "2026-05-05");
    let slot = |hour: u32| format!("05-04T{hour:02}:00/05-04T{:02}:00", hour + 1);
    assert_eq!(busy(&events, &day).await, [1, 3, 9, 13].map(slot));
    let of = |ids: &[EntityId]| AvailabilityRequest { calendar_ids: ids.to_vec(), ..day.clone() };
    assert_eq!(busy(&events, &of(&[hidden])).await, [slot(11)]);
    assert_eq!(busy(&events, &of(&[hidden, shown])).await, [slot(11), slot(13)]);
    desk.of::<Calendar>().delete(calendar).await.unwrap();
    assert_eq!(busy(&events, &day).await, [slot(13)]);
    assert_eq!(busy(&events.clone().as_of(then), &day).await, [1, 3, 9, 13].map(slot));
    desk.of::<Calendar>().delete(shown).await.unwrap();
    let nothing = events.availability(&day).await.unwrap();
    assert_eq!((nothing.busy.len(), nothing.free.len()), (0, 1), "no calendar is visible");
}

/// A series takes the time of its occurrences, as they differ.
pub async fn availability_counts_occurrences_as_they_differ(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let part = |day| EventPart::this(on(day));
    events.delete_part(series, part(4)).await.unwrap();
    events.update_part(series, part(5), json!({ "status": "cancelled" })).await.unwrap();
    events.update_part(series, part(6), json!({ "availability": "free" })).await.unwrap();
    let moved = json!({ "start_at": "2026-05-20T07:00:00Z", "end_at": "2026-05-20T08:00:00Z" });
    events.update_part(series, part(7), moved).await.unwrap();
    assert_eq!(
        busy(&events, &ask("2026-05-01", "2026-06-01")).await,
        ["05-08T07:00/05-08T07:30", "05-20T07:00/05-20T08:00"]
    );
}

/// Days and hours are those of the zone of the question, however long its days are.
pub async fn availability_has_the_days_of_its_zone(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    event(&desk, calendar, json!({ "start_date": "2026-03-29", "timezone": "Asia/Tokyo" })).await;
    let series = json!({ "start_date": "2026-10-25", "rrule": "FREQ=DAILY;COUNT=2" });
    event(&desk, calendar, series).await;
    for (zone, from, to, expected) in [
        ("Europe/London", "2026-03-28", "2026-03-31", "03-29T00:00/03-29T23:00"),
        ("Europe/London", "2026-10-24", "2026-10-26", "10-24T23:00/10-26T00:00"),
        ("America/New_York", "2026-03-28", "2026-03-31", "03-29T04:00/03-30T04:00"),
        ("Pacific/Kiritimati", "2026-03-28", "2026-03-31", "03-28T10:00/03-29T10:00"),
    ] {
        let request = AvailabilityRequest { timezone: Some(zone.to_owned()), ..ask(from, to) };
        assert_eq!(busy(&events, &request).await, [expected], "{zone}");
    }
    let request = AvailabilityRequest {
        timezone: Some("Europe/London".to_owned()),
        working_hours: Some("mon-sun@09:00-17:00".to_owned()),
        ..ask("2026-03-28", "2026-03-31")
    };
    let free = events.availability(&request).await.unwrap().free;
    assert_eq!(spans(&free), ["03-28T09:00/03-28T17:00", "03-30T08:00/03-30T16:00"]);
}

/// A question that is wrong is refused at its place.
pub async fn availability_question_is_checked(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let unknown = daily(&desk, calendar).await.id;
    let day = ask("2026-05-04", "2026-05-05");
    for (request, pointer) in [
        (ask("2026-05-04", "2026-05-04"), "/to"),
        (ask("2026-05-04", "2027-05-06"), "/to"),
        (AvailabilityRequest { timezone: Some("Here".to_owned()), ..day.clone() }, "/timezone"),
        (AvailabilityRequest { slot_minutes: Some(0), ..day.clone() }, "/slot_minutes"),
        (AvailabilityRequest { slot_minutes: Some(10_081), ..day.clone() }, "/slot_minutes"),
        (AvailabilityRequest { working_hours: Some("9-5".to_owned()), ..day.clone() }, "/working_hours"),
        (AvailabilityRequest { calendar_ids: vec![calendar, unknown], ..day.clone() }, "/calendar_ids/1"),
    ] {
        let refused = events.availability(&request).await;
        assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, pointer.to_owned()), "{request:?}");
    }
    let read = json!({ "from": "2026-05-04", "to": "2026-05-05T00:00:00Z", "slot_minutes": 30 });
    let read: AvailabilityRequest = serde_json::from_value(read).unwrap();
    assert_eq!((read.from, read.slot_minutes), (moment("2026-05-04"), Some(30)));
    assert!(serde_json::from_value::<AvailabilityRequest>(json!({ "from": "2026-05-04" })).is_err());
    // A year of seconds is more than anybody has patience for.
    let seconds = json!({ "start_at": "2026-05-04T00:00:00Z", "rrule": "FREQ=SECONDLY" });
    event(&desk, calendar, seconds).await;
    let refused = events.availability(&ask("2026-05-04", "2027-05-04")).await;
    assert_eq!(refusal(refused).0, ErrorKind::InvalidRequest);
}
