use super::*;
use crate::ErrorKind;
use crate::entity::attendee::Attendee;
use crate::entity::contact::Contact;
use crate::entity::event_link::EventLink;
use crate::pim::calendar::{AttendeeFilter, EventLinkFilter};

/// An attendee is asked to an event once, by an address in lower case, and answers.
pub async fn attendee_is_asked_once_and_answers(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let event_id = daily(&desk, calendar).await.id;
    let other = daily(&desk, calendar).await.id;
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let attendees = desk.of::<Attendee>();
    let asked = json!({ "event_id": event_id, "email": "Ada@Example.org", "contact_id": ada, "role": "chair" });
    let asked = desk.create::<Attendee>(asked).await;
    assert_eq!(asked.data.email, "ada@example.org");
    assert_eq!(json!(asked.data.response_status), json!("pending"));
    let twice = attendees.create_from(json!({ "event_id": event_id, "email": "ADA@example.org" })).await;
    assert_eq!(refusal(twice), (ErrorKind::Conflict, "/email".to_owned()));
    let bob = desk.create::<Attendee>(json!({ "event_id": event_id, "email": "bob@example.org" })).await;
    desk.create::<Attendee>(json!({ "event_id": other, "email": "ada@example.org" })).await;
    let then = settled(&desk);
    let patch = json!({ "response_status": "accepted", "comment": "gladly" });
    let answered = attendees.update(asked.id, patch).await.unwrap();
    assert_eq!((json!(answered.data.response_status), answered.version()), (json!("accepted"), 2));
    for (patch, expected) in [
        (json!({ "email": "Ada@example.org" }), (ErrorKind::Conflict, "/email")),
        (json!({ "event_id": other }), (ErrorKind::InvalidRequest, "/event_id")),
        (json!({ "contact_id": event_id }), (ErrorKind::InvalidRequest, "/contact_id")),
        (json!({ "response_status": "perhaps" }), (ErrorKind::InvalidRequest, "/response_status")),
    ] {
        let (kind, pointer) = refusal(attendees.update(bob.id, patch).await);
        assert_eq!((kind, pointer.as_str()), expected);
    }
    let nowhere = attendees.create_from(json!({ "event_id": ada, "email": "cyd@example.org" })).await;
    assert_eq!(refusal(nowhere), (ErrorKind::InvalidRequest, "/event_id".to_owned()));
    let of_event = AttendeeFilter { event_id: Some(event_id), ..AttendeeFilter::default() };
    assert_eq!(attendees.list(of_event.clone()).all().await.unwrap().len(), 2);
    let accepted = json!({ "response_status": "accepted", "email": "ada@example.org", "contact_id": ada });
    let accepted: AttendeeFilter = serde_json::from_value(accepted).unwrap();
    assert_eq!(attendees.list(accepted.clone()).all().await.unwrap()[0].id, asked.id);
    assert!(attendees.clone().as_of(then).list(accepted).all().await.unwrap().is_empty());
    attendees.delete(bob.id).await.unwrap();
    assert_eq!(attendees.list(of_event).all().await.unwrap().len(), 1);
}

/// Of many who ask the same attendee at once, one does.
pub async fn attendee_asked_at_once_is_asked_once(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let event_id = daily(&desk, calendar).await.id;
    let ask = {
        let desk = desk.clone();
        move |_, _| {
            let attendees = desk.of::<Attendee>();
            let body = json!({ "event_id": event_id, "email": "ada@example.org" });
            async move { attendees.create_from(body).await.map(|_| ()).map_err(|error| error.kind()) }.boxed()
        }
    };
    let answers = stage.in_parallel(6, ask).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(ErrorKind::Conflict))), "{answers:?}");
}

/// An event is linked once to what exists.
pub async fn event_link_needs_what_it_names(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let event_id = daily(&desk, calendar).await.id;
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let links = desk.of::<EventLink>();
    let link = |kind: &str, id: EntityId| json!({ "event_id": event_id, "entity_type": kind, "entity_id": id });
    desk.create::<EventLink>(link("contact", ada)).await;
    for (body, expected) in [
        (link("contact", ada), (ErrorKind::Conflict, "/entity_id")),
        (link("contact", event_id), (ErrorKind::InvalidRequest, "/entity_id")),
        (link("task", ada), (ErrorKind::InvalidRequest, "/entity_id")),
        (link("note", ada), (ErrorKind::InvalidRequest, "/entity_id")),
        (link("deal", ada), (ErrorKind::InvalidRequest, "/entity_id")),
        (link("event", event_id), (ErrorKind::InvalidRequest, "/entity_type")),
    ] {
        let (kind, pointer) = refusal(links.create_from(body.clone()).await);
        assert_eq!((kind, pointer.as_str()), expected, "{body}");
    }
    let nowhere = json!({ "event_id": ada, "entity_type": "contact", "entity_id": ada });
    assert_eq!(refusal(links.create_from(nowhere).await), (ErrorKind::InvalidRequest, "/event_id".to_owned()));
    let about_ada = json!({ "entity_type": "contact", "entity_id": ada });
    let about_ada: EventLinkFilter = serde_json::from_value(about_ada).unwrap();
    assert_eq!(links.list(about_ada).all().await.unwrap().len(), 1);
}

/// A single read of an event has its attendees and links, now and in the past.
pub async fn event_detail_has_attendees_and_links(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let event_id = daily(&desk, calendar).await.id;
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let events = desk.of::<Event>();
    let before = settled(&desk);
    for email in ["ada@example.org", "bob@example.org"] {
        desk.create::<Attendee>(json!({ "event_id": event_id, "email": email })).await;
    }
    let link =
        desk.create::<EventLink>(json!({ "event_id": event_id, "entity_type": "contact", "entity_id": ada })).await;
    let between = settled(&desk);
    desk.of::<EventLink>().delete(link.id).await.unwrap();
    let now = json!(events.detail(event_id).await.unwrap());
    assert_eq!((&now["id"], &now["title"], &now["version"]), (&json!(event_id), &json!("Daily"), &json!(1)));
    assert_eq!(now["attendees"].as_array().unwrap().len(), 2);
    assert_eq!((&now["attendees"][0]["email"], &now["links"]), (&json!("ada@example.org"), &json!([])));
    let then = events.clone().as_of(between).detail(event_id).await.unwrap();
    assert_eq!((then.attendees.len(), then.links.len()), (2, 1));
    assert_eq!(json!(then)["links"][0]["entity_id"], json!(ada));
    let then = events.clone().as_of(before).detail(event_id).await.unwrap();
    assert_eq!((then.attendees.len(), then.links.len()), (0, 0));
    assert_eq!(refusal(events.detail(ada).await).0, ErrorKind::NotFound);
}

/// An event goes with its attendees and links, also with those that are added while it is deleted.
pub async fn event_is_deleted_with_its_parts(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let (event_id, kept) = (daily(&desk, calendar).await.id, daily(&desk, calendar).await.id);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    for id in [event_id, kept] {
        desk.create::<Attendee>(json!({ "event_id": id, "email": "ada@example.org" })).await;
        desk.create::<EventLink>(json!({ "event_id": id, "entity_type": "contact", "entity_id": ada })).await;
    }
    let run = {
        let desk = desk.clone();
        move |n: u32, _| {
            let desk = desk.clone();
            async move {
                if n == 2 {
                    desk.of::<Event>().delete(event_id).await.unwrap();
                } else {
                    // It may come too late.
                    let body = json!({ "event_id": event_id, "email": format!("{n}@example.org") });
                    let _ = desk.of::<Attendee>().create_from(body).await;
                }
            }
            .boxed()
        }
    };
    stage.in_parallel(6, run).await;
    let attendees = desk.of::<Attendee>().list(AttendeeFilter::default()).all().await.unwrap();
    assert_eq!(attendees.iter().map(|attendee| attendee.data.event_id).collect::<Vec<_>>(), [kept]);
    let links = desk.of::<EventLink>().list(EventLinkFilter::default()).all().await.unwrap();
    assert_eq!(links.iter().map(|link| link.data.event_id).collect::<Vec<_>>(), [kept]);
}
