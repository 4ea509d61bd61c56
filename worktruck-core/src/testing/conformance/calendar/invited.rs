use super::*;
use crate::ErrorKind;
use crate::entity::contact::Contact;
use crate::entity::event_link::LinkedType;
use crate::pim::calendar::EventPart;

/// Whom an event asks, and what of them: address, role and answer.
async fn asked(events: &Records<Event>, id: EntityId) -> Vec<String> {
    let page = events.attendees(id, PageRequest::default()).await.unwrap();
    let mut asked: Vec<String> = page
        .data
        .iter()
        .map(|one| format!("{} {} {}", one.data.email, one.data.role.as_str(), one.data.response_status.as_str()))
        .collect();
    asked.sort_unstable();
    asked
}

/// Whoever is asked to a series is asked to the occurrences that differ too, unless these ask them by themselves; what
/// changes of them changes there where it did not differ, and whoever is no longer asked is asked nowhere.
pub async fn attendee_of_a_series_is_asked_to_what_differs(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let series = daily(&desk, calendar).await.id;
    let once = event(&desk, calendar, json!({ "start_at": "2026-05-04T07:00:00Z" })).await.id;
    let invite = async |id, email: &str| events.invite(id, json!({ "email": email })).await.unwrap();
    let ada = invite(series, "ada@example.org").await.id;
    let mut differing = Vec::new();
    for day in [5, 6, 7] {
        let part = EventPart::this(on(day));
        differing.push(events.update_part(series, part, json!({ "title": format!("{day}") })).await.unwrap().id);
    }
    let [fifth, sixth, seventh] = differing[..] else { panic!("three differ") };
    let theirs = events.attendees(sixth, PageRequest::default()).await.unwrap().data[0].id;
    events.update_attendee(sixth, theirs, json!({ "response_status": "declined" })).await.unwrap();
    events.invite(seventh, json!({ "email": "bob@example.org", "role": "chair" })).await.unwrap();

    let bob = invite(series, "bob@example.org").await;
    let (ada_there, bob_there) = ("ada@example.org req_participant pending", "bob@example.org req_participant pending");
    assert_eq!(asked(&events, fifth).await, [ada_there, bob_there]);
    assert_eq!(asked(&events, sixth).await, ["ada@example.org req_participant declined", bob_there]);
    assert_eq!(asked(&events, seventh).await, [ada_there, "bob@example.org chair pending"]);
    assert!(asked(&events, once).await.is_empty());
    let there = events.attendees(fifth, PageRequest::default()).await.unwrap().data;
    assert_eq!(there[1].stored.slice.tx_id, bob.stored.slice.tx_id, "it was one commit");
    let then = settled(&desk);

    let patch = json!({ "role": "opt_participant", "response_status": "accepted" });
    events.update_attendee(series, ada, patch).await.unwrap();
    assert_eq!(asked(&events, fifth).await, ["ada@example.org opt_participant accepted", bob_there]);
    assert_eq!(asked(&events, sixth).await, ["ada@example.org opt_participant declined", bob_there]);
    events.update_attendee(series, bob.id, json!({ "email": "rob@example.org", "role": "chair" })).await.unwrap();
    assert_eq!(asked(&events, fifth).await[1], "rob@example.org chair pending");
    assert_eq!(asked(&events, seventh).await[1], "rob@example.org chair pending");
    // An occurrence that has both already keeps the one.
    invite(fifth, "eve@example.org").await;
    events.update_attendee(series, bob.id, json!({ "email": "eve@example.org" })).await.unwrap();
    let eve = "eve@example.org req_participant pending";
    assert_eq!(asked(&events, fifth).await, ["ada@example.org opt_participant accepted", eve]);
    assert_eq!(asked(&events, sixth).await[1], "eve@example.org chair pending");

    // Whom one occurrence no longer asks, the series still does.
    let theirs = events.attendees(seventh, PageRequest::default()).await.unwrap().data[0].id;
    events.uninvite(seventh, theirs).await.unwrap();
    assert_eq!(asked(&events, series).await.len(), 2);
    events.uninvite(series, ada).await.unwrap();
    assert_eq!(asked(&events, fifth).await, [eve]);
    assert_eq!(asked(&events, sixth).await, ["eve@example.org chair pending"]);
    let past = events.as_of(then);
    assert_eq!(asked(&past, fifth).await, [ada_there, bob_there]);
}

/// An occurrence that comes to differ while people are asked to its series asks all of them.
pub async fn attendees_asked_while_an_occurrence_comes_to_differ_are_asked_there(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let series = daily(&desk, calendar).await.id;
    let run = {
        let desk = desk.clone();
        move |n: u32, _| {
            let events = desk.of::<Event>();
            async move {
                if n == 2 {
                    let patch = json!({ "title": "x" });
                    return Some(events.update_part(series, EventPart::this(on(5)), patch).await.unwrap().id);
                }
                events.invite(series, json!({ "email": format!("{n}@example.org") })).await.unwrap();
                None
            }
            .boxed()
        }
    };
    let differing = stage.in_parallel(5, run).await.into_iter().flatten().next().unwrap();
    let events = desk.of::<Event>();
    assert_eq!(asked(&events, series).await.len(), 4);
    assert_eq!(asked(&events, differing).await, asked(&events, series).await);
}

/// Attendees and links are read, made, changed and ended under their event, and under no other.
pub async fn parts_of_an_event_are_its_own(stage: Stage) {
    let (desk, calendar) = at_home(&stage, Tz::UTC).await;
    let events = desk.of::<Event>();
    let (one, other) = (daily(&desk, calendar).await.id, daily(&desk, calendar).await.id);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let absent = (ErrorKind::NotFound, String::new());
    let invalid = |pointer: &str| (ErrorKind::InvalidRequest, pointer.to_owned());
    let mut emails = Vec::new();
    for n in 0..3 {
        let email = format!("{n}@example.org");
        events.invite(one, json!({ "email": email, "event_id": one })).await.unwrap();
        emails.push(email);
    }
    let page = events.attendees(one, PageRequest::new(2, None).unwrap()).await.unwrap();
    let rest = events.attendees(one, PageRequest::new(2, page.next_cursor.clone()).unwrap()).await.unwrap();
    let found: Vec<&str> = page.data.iter().chain(&rest.data).map(|asked| asked.data.email.as_str()).collect();
    assert_eq!((found, rest.has_more), (emails.iter().map(String::as_str).collect(), false));
    let asked = page.data[0].id;
    assert_eq!(refusal(events.attendees(ada, PageRequest::default()).await), absent);
    assert_eq!(refusal(events.invite(ada, json!({ "email": "x@example.org" })).await), absent);
    assert_eq!(refusal(events.invite(one, json!({ "email": "x" })).await), invalid("/email"));
    assert_eq!(refusal(events.invite(one, json!({ "event_id": other })).await), invalid("/event_id"));
    let twice = refusal(events.invite(one, json!({ "email": emails[0] })).await);
    assert_eq!(twice, (ErrorKind::Conflict, "/email".to_owned()));
    assert_eq!(refusal(events.update_attendee(other, asked, json!({ "comment": "x" })).await), absent);
    assert_eq!(refusal(events.uninvite(other, asked).await), absent);
    let late = events.clone().if_version(2);
    assert_eq!(
        refusal(late.update_attendee(one, asked, json!({ "comment": "x" })).await).0,
        ErrorKind::VersionMismatch
    );
    assert_eq!(refusal(late.uninvite(one, asked).await).0, ErrorKind::VersionMismatch);
    events.uninvite(one, asked).await.unwrap();
    assert_eq!(refusal(events.uninvite(one, asked).await), absent);

    let link = events.link(one, LinkedType::Contact, ada).await.unwrap();
    assert_eq!((link.data.event_id, link.data.entity_id), (one, ada));
    let twice = refusal(events.link(one, LinkedType::Contact, ada).await);
    assert_eq!(twice, (ErrorKind::Conflict, "/entity_id".to_owned()));
    assert_eq!(refusal(events.link(one, LinkedType::Task, ada).await), invalid("/entity_id"));
    assert_eq!(refusal(events.link(ada, LinkedType::Contact, ada).await), absent);
    assert_eq!(refusal(events.links(ada, PageRequest::default()).await), absent);
    let then = settled(&desk);
    assert_eq!(refusal(events.unlink(other, link.id).await), absent);
    events.unlink(one, link.id).await.unwrap();
    assert_eq!(refusal(events.unlink(one, link.id).await), absent);
    assert!(events.links(one, PageRequest::default()).await.unwrap().data.is_empty());
    let past = events.as_of(then).links(one, PageRequest::default()).await.unwrap();
    assert_eq!(past.data.iter().map(|link| link.data.entity_id).collect::<Vec<_>>(), [ada]);
}
