//! Scenarios of answers about other moments than now, and of answers that are put together from several reads.

#![expect(clippy::unwrap_used, reason = "a scenario panics where a store breaks its promise")]

use serde_json::{Value, json};

use crate::entity::contact::Contact;
use crate::entity::event::Event;
use crate::pim::contacts::ContactFilter;
use crate::pim::{HistoryEntry, Records};
use crate::{EntityId, ErrorKind, Page, PageRequest, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

mod one_moment;

pub use one_moment::answers_of_several_reads_are_of_one_moment;

/// An answer about another moment says where it stands, whether of one entity, of a list or put together, and says the
/// same for ever. A plain read and the answer of a write say nothing of the kind.
pub async fn answers_about_another_moment_say_where_they_stand(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>().by("bob").because("survey");
    let ada = contacts.create_from(json!({ "display_name": "Ada" })).await.unwrap();
    let created = ada.updated_at();
    desk.wait(10);
    let then = desk.wait(10);
    let now = desk.wait(0);
    let mut expected = json!(ada);
    assert_eq!(expected.as_object().unwrap().get("_temporal"), None);
    let read = async |records: Records<Contact>| json!(records.get(ada.id).await.unwrap());
    let mut temporal = json!({
        "as_of": then, "valid_at": then, "sys_from": created, "sys_to": null, "valid_from": created, "valid_to": null,
        "captured_by": "bob", "capture_reason": "survey",
    });
    expected["_temporal"] = temporal.clone();
    let past = contacts.clone().as_of(then);
    for n in 0..2 {
        assert_eq!(read(past.clone()).await, expected, "after {n} writes");
        assert_eq!(json!(past.list(ContactFilter::default()).await.unwrap().data), json!([expected]));
        let later = contacts.clone().valid_from(created).because("correction");
        let written = later.update(ada.id, json!({ "bio": n.to_string() })).await.unwrap();
        assert_eq!((written.temporal, contacts.get(ada.id).await.unwrap().temporal), (None, None));
    }
    // Both times, and only the one of the world.
    temporal["valid_at"] = json!(created);
    expected["_temporal"] = temporal;
    assert_eq!(read(past.valid_at(created)).await, expected);
    let known = read(contacts.clone().valid_at(then)).await;
    let temporal = &known["_temporal"];
    assert_eq!((&known["bio"], &temporal["valid_at"]), (&json!("1"), &json!(then)));
    let at = |name: &str| temporal[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(now <= at("as_of") && then < at("sys_from"));
    assert_eq!((&temporal["valid_from"], &temporal["capture_reason"]), (&json!(created), &json!("correction")));
    // What is put together says it of each of its parts.
    let calendar = desk.create::<crate::entity::calendar::Calendar>(json!({ "name": "Work" })).await.id;
    let at = json!({ "calendar_id": calendar, "title": "Talk", "start_at": "2026-05-04T07:00:00Z" });
    let talk = desk.create::<Event>(at).await;
    let events = desk.of::<Event>();
    events.invite(talk.id, json!({ "email": "ada@example.org" })).await.unwrap();
    desk.wait(1);
    let then = desk.wait(1);
    let plain = json!(events.detail(talk.id).await.unwrap());
    let past = json!(events.as_of(then).detail(talk.id).await.unwrap());
    for (plain, past) in [(&plain, &past), (&plain["attendees"][0], &past["attendees"][0])] {
        assert_eq!((plain.get("_temporal"), &past["_temporal"]["as_of"]), (None, &json!(then)));
    }
}

/// A history is cut to the time in which its writes were learned, and walked in pages while others write.
pub async fn history_is_cut_to_a_stretch_of_time(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "0" })).await;
    let mut moments = vec![ada.updated_at()];
    for n in 1..5 {
        desk.wait(10);
        let written = contacts.clone().by("bob").update(ada.id, json!({ "display_name": n.to_string() })).await;
        moments.push(written.unwrap().updated_at());
    }
    let names = |page: &Page<HistoryEntry<Contact>>| -> Vec<String> {
        page.data.iter().map(|entry| entry.data.as_ref().unwrap().display_name.clone()).collect()
    };
    let cut = async |from: Option<usize>, to: Option<usize>| {
        let window = (from.map(|n| moments[n]), to.map(|n| moments[n]));
        names(&contacts.history(ada.id, window, PageRequest::default()).await.unwrap())
    };
    assert_eq!(cut(None, None).await, ["4", "3", "2", "1", "0"]);
    assert_eq!(cut(Some(1), Some(4)).await, ["3", "2", "1"]);
    assert_eq!(cut(None, Some(1)).await, ["0"]);
    assert_eq!(cut(Some(4), None).await, ["4"]);
    assert_eq!(cut(Some(2), Some(2)).await, [] as [&str; 0]);
    let window = (Some(moments[1]), Some(moments[4]));
    let (mut seen, mut cursor) = (Vec::new(), None);
    for n in 0..3 {
        let page = contacts.history(ada.id, window, PageRequest::new(1, cursor).unwrap()).await.unwrap();
        seen.extend(names(&page));
        assert_eq!(page.has_more, n < 2);
        cursor = page.next_cursor;
        contacts.update(ada.id, json!({ "bio": n.to_string() })).await.unwrap();
    }
    assert_eq!(seen, ["3", "2", "1"]);
    let page = contacts.history(ada.id, window, PageRequest::new(1, None).unwrap()).await.unwrap();
    let other = PageRequest::new(1, page.next_cursor).unwrap();
    assert_eq!(refusal(contacts.history(ada.id, (None, None), other).await).0, ErrorKind::InvalidCursor);
    let backwards = (Some(moments[2]), Some(moments[1]));
    let refused = contacts.history(ada.id, backwards, PageRequest::default()).await;
    assert_eq!(refusal(refused), (ErrorKind::InvalidRequest, "/to".to_owned()));
    let nobody = EntityId::from_uuid(uuid::Uuid::nil());
    let refused = contacts.history(nobody, (None, None), PageRequest::default()).await;
    assert_eq!(refusal(refused).0, ErrorKind::NotFound);
}

/// An entry of a history is the entity as it was, with where it stood; a deletion is one too.
pub async fn history_shows_what_was_and_that_it_ended(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>().by("bob");
    let ada = contacts.create_from(json!({ "display_name": "Ada" })).await.unwrap();
    desk.wait(10);
    contacts.delete(ada.id).await.unwrap();
    let history = contacts.history(ada.id, (None, None), PageRequest::default()).await.unwrap();
    let shown: Value = json!(history.data);
    let (created, ended) = (ada.updated_at(), history.data[0].temporal.sys_from);
    let temporal = |from: Timestamp, to: Option<Timestamp>| {
        json!({
            "as_of": from, "valid_at": from, "sys_from": from, "sys_to": to, "valid_from": from, "valid_to": null,
            "captured_by": "bob", "capture_reason": "user_edit",
        })
    };
    let mut first = json!(ada);
    first["_temporal"] = temporal(created, Some(ended));
    let last = json!({
        "id": ada.id, "tenant_id": desk.tenant, "created_at": created, "updated_at": ended, "version": 2,
        "is_deleted": true, "_temporal": temporal(ended, None),
    });
    assert_eq!(shown, json!([last, first]));
}

/// What a question about the past gets wrong is named, and so is what lies before the horizon.
pub async fn wrong_question_about_the_past_is_named(stage: Stage) {
    let desk = Desk::new(&stage);
    let store = std::sync::Arc::clone(&stage.store);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let old = desk.wait(100);
    let now = desk.wait(100);
    let future = now.after(std::time::Duration::from_secs(10_000));
    let invalid = |pointer: &str| (ErrorKind::InvalidRequest, pointer.to_owned());
    assert_eq!(refusal(contacts.clone().as_of(future).get(ada).await), invalid("/as_of"));
    assert_eq!(refusal(contacts.clone().as_of(future).list(ContactFilter::default()).await), invalid("/as_of"));
    assert_eq!(refusal(contacts.diff(ada, old, future).await), invalid("/to"));
    assert_eq!(refusal(contacts.diff(ada, future, future).await), invalid("/from"));
    assert_eq!(refusal(contacts.diff(ada, now, old).await), invalid("/to"));
    let backwards = (Some(now), Some(old));
    assert_eq!(refusal(contacts.timeline(ada, backwards, &[], PageRequest::default()).await), invalid("/to"));
    store.expire(desk.tenant, now, 1_000, desk.wait(0)).await.unwrap();
    let expired = |pointer: &str| (ErrorKind::HistoryExpired, pointer.to_owned());
    assert_eq!(refusal(contacts.clone().as_of(old).get(ada).await), expired("/as_of"));
    assert_eq!(refusal(contacts.clone().as_of(old).list(ContactFilter::default()).await), expired("/as_of"));
    assert_eq!(refusal(contacts.diff(ada, old, now).await), expired("/from"));
    assert_eq!(contacts.get(ada).await.unwrap().data.display_name, "Ada");
}

/// A timeline that is walked shows each change once, also when what was shown expires meanwhile.
pub async fn pages_of_a_timeline_stay_while_history_expires(stage: Stage) {
    let desk = Desk::new(&stage);
    let store = std::sync::Arc::clone(&stage.store);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    for n in 0..6 {
        desk.wait(10);
        contacts.update(ada, json!({ "bio": n.to_string(), "nickname": n.to_string() })).await.unwrap();
    }
    let fields = ["/bio".to_owned(), "/nickname".to_owned()];
    let page = contacts.timeline(ada, (None, None), &fields, PageRequest::new(7, None).unwrap()).await.unwrap();
    assert_eq!((page.data.len(), &page.data[6].change.to), (7, &Some(json!("3"))));
    let before = page.data[5].at;
    store.expire(desk.tenant, before, 1_000, desk.wait(10)).await.unwrap();
    let rest = PageRequest::new(50, page.next_cursor).unwrap();
    let rest = contacts.timeline(ada, (None, None), &fields, rest).await.unwrap();
    let told: Vec<_> = rest.data.iter().map(|entry| (entry.change.field.as_str(), json!(entry.change.to))).collect();
    let two = |n: &str| [("/bio", json!(n)), ("/nickname", json!(n))];
    let expected: Vec<_> = two("3").into_iter().skip(1).chain(two("4")).chain(two("5")).collect();
    assert_eq!((told, rest.has_more), (expected, false));
}
