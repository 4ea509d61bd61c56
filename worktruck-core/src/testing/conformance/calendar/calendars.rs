use super::*;
use crate::ErrorKind;
use crate::entity::attendee::Attendee;
use crate::pim::calendar::{AttendeeFilter, CalendarFilter};

async fn primary(calendars: &Records<Calendar>) -> Vec<EntityId> {
    let filter = CalendarFilter { is_primary: Some(true), ..CalendarFilter::default() };
    calendars.list(filter).all().await.unwrap().into_iter().map(|calendar| calendar.id).collect()
}

/// The first calendar is the primary one, until another takes its place.
pub async fn first_calendar_is_primary_until_another_is(stage: Stage) {
    let desk = Desk::new(&stage);
    let calendars = desk.of::<Calendar>();
    let work = desk.create::<Calendar>(json!({ "name": "Work", "is_primary": false })).await;
    assert_eq!((work.data.is_primary, work.data.is_visible), (true, true));
    let home = desk.create::<Calendar>(json!({ "name": "Home", "is_visible": false })).await;
    assert!(!home.data.is_primary);
    let then = settled(&desk);
    let refused = calendars.update(work.id, json!({ "is_primary": false })).await;
    assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, "/is_primary".to_owned()));
    calendars.update(home.id, json!({ "is_primary": true })).await.unwrap();
    assert_eq!(primary(&calendars).await, [home.id]);
    assert!(!calendars.get(work.id).await.unwrap().data.is_primary);
    assert_eq!(primary(&calendars.clone().as_of(then)).await, [work.id]);
    // To be said anew changes nothing, and what is not said stays.
    calendars.update(home.id, json!({ "is_primary": true, "name": "House" })).await.unwrap();
    calendars.replace(home.id, Calendar { is_primary: true, ..Calendar::new("Home") }).await.unwrap();
    let third = desk.create::<Calendar>(json!({ "name": "Third", "is_primary": true })).await;
    assert_eq!(primary(&calendars).await, [third.id]);
    let visible = CalendarFilter { is_visible: Some(true), ..CalendarFilter::default() };
    assert_eq!(calendars.list(visible).all().await.unwrap().len(), 3, "what is replaced is visible again");
}

/// When the primary calendar is deleted, the oldest of the others takes its place.
pub async fn deleted_primary_calendar_leaves_its_place(stage: Stage) {
    let desk = Desk::new(&stage);
    let calendars = desk.of::<Calendar>();
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(desk.create::<Calendar>(json!({ "name": name })).await.id);
        desk.wait(1);
    }
    calendars.delete(ids[0]).await.unwrap();
    assert_eq!(primary(&calendars).await, [ids[1]]);
    calendars.delete(ids[2]).await.unwrap();
    calendars.delete(ids[1]).await.unwrap();
    assert!(primary(&calendars).await.is_empty());
    let next = desk.create::<Calendar>(json!({ "name": "D" })).await;
    assert!(next.data.is_primary);
}

/// However many first calendars are made at once, one is the primary one.
pub async fn calendars_made_at_once_have_one_primary(stage: Stage) {
    let desk = Desk::new(&stage);
    let make = {
        let desk = desk.clone();
        move |n: u32, _| {
            let desk = desk.clone();
            async move {
                let is_primary = n.is_multiple_of(2);
                desk.create::<Calendar>(json!({ "name": format!("{n}"), "is_primary": is_primary })).await.id
            }
            .boxed()
        }
    };
    let made = stage.in_parallel(6, make).await;
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(primary(&desk.of()).await.len(), 1);
    // Whoever of them is deleted at once, one that is left is the primary one.
    let calendars = desk.of::<Calendar>();
    let ids = Arc::new(made);
    let delete = {
        let (calendars, ids) = (calendars.clone(), Arc::clone(&ids));
        move |n: u32, _| {
            let (calendars, id) = (calendars.clone(), ids[usize::try_from(n).unwrap()]);
            async move { calendars.delete(id).await.unwrap() }.boxed()
        }
    };
    stage.in_parallel(5, delete).await;
    assert_eq!(primary(&calendars).await, [ids[5]]);
}

/// A calendar goes with its events and all that belongs to them; what was there stays in the past.
pub async fn calendar_is_deleted_with_its_events(stage: Stage) {
    let (desk, work) = at_home(&stage, Tz::UTC).await;
    let home = desk.create::<Calendar>(json!({ "name": "Home" })).await.id;
    let (calendars, events) = (desk.of::<Calendar>(), desk.of::<Event>());
    let series = daily(&desk, work).await;
    let part = crate::pim::calendar::EventPart::this(on(5));
    events.update_part(series.id, part, json!({ "title": "Other" })).await.unwrap();
    let kept = daily(&desk, home).await;
    for id in [series.id, kept.id] {
        desk.create::<Attendee>(json!({ "event_id": id, "email": "ada@example.org" })).await;
    }
    let then = settled(&desk);
    calendars.delete(work).await.unwrap();
    let left = events.list(EventFilter::default()).all().await.unwrap();
    assert_eq!(left.iter().map(|event| event.id).collect::<Vec<_>>(), [kept.id]);
    let attendees = desk.of::<Attendee>();
    let asked = attendees.list(AttendeeFilter::default()).all().await.unwrap();
    assert_eq!(asked.iter().map(|attendee| attendee.data.event_id).collect::<Vec<_>>(), [kept.id]);
    assert_eq!(refusal(events.get(series.id).await).0, ErrorKind::NotFound);
    let past = events.clone().as_of(then);
    assert_eq!(past.list(EventFilter::default()).all().await.unwrap().len(), 3);
    assert_eq!(attendees.as_of(then).list(AttendeeFilter::default()).all().await.unwrap().len(), 3);
    assert_eq!(refusal(calendars.delete(work).await).0, ErrorKind::NotFound);
}

/// A calendar that is deleted while events are added leaves none behind.
pub async fn event_does_not_outlive_its_calendar(stage: Stage) {
    let (desk, work) = at_home(&stage, Tz::UTC).await;
    let run = {
        let desk = desk.clone();
        move |n: u32, _| {
            let desk = desk.clone();
            async move {
                if n == 3 {
                    desk.of::<Calendar>().delete(work).await.unwrap();
                } else {
                    // It may come too late.
                    let at = json!({ "start_at": "2026-05-04T07:00:00Z" });
                    if let Err(error) = desk.of::<Event>().create_from(body(work, at)).await {
                        assert_eq!(error.pointer(), Some("/calendar_id"), "{error}");
                    }
                }
            }
            .boxed()
        }
    };
    stage.in_parallel(8, run).await;
    assert!(desk.of::<Event>().list(EventFilter::default()).all().await.unwrap().is_empty());
}
