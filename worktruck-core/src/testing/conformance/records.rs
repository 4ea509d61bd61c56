//! Scenarios of what all kinds of records have in common.

#![expect(clippy::unwrap_used, reason = "a scenario panics where a store breaks its promise")]

mod bounds;
mod purges;

pub use bounds::*;
pub use purges::*;

use serde_json::{Value, json};

use crate::entity::contact::Contact;
use crate::entity::note::Note;
use crate::entity::note_link::LinkTargetType;
use crate::pim::contacts::{ContactFilter, ContactSort, Merge};
use crate::pim::{HistoryEntry, Stored};
use crate::{ErrorKind, PageRequest, Timestamp};

use super::Stage;
use super::desk::{Desk, refusal};

/// What was created is read, changed, replaced and deleted.
pub async fn record_is_written_and_read(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada", "tags": [" vip "] })).await;
    assert_eq!((ada.version(), ada.data.tags.as_slice()), (1, &["vip".to_owned()][..]));
    assert_eq!(contacts.get(ada.id).await.unwrap(), ada);
    let created = desk.wait(1);
    let changed = contacts.update(ada.id, json!({ "nickname": "Countess", "metadata": { "a": 1 } })).await.unwrap();
    assert_eq!((changed.version(), changed.created_at()), (2, created));
    assert_eq!(changed.data.nickname.as_deref(), Some("Countess"));
    assert_eq!(changed.data.tags, ["vip"], "what a patch does not name stays");
    let cleared = contacts.update(ada.id, json!({ "nickname": null, "metadata": { "b": 2 } })).await.unwrap();
    assert_eq!((cleared.data.nickname.as_deref(), json!(cleared.data.metadata)), (None, json!({ "a": 1, "b": 2 })));
    let whole = Contact { display_name: "Ada King".to_owned(), ..Contact::default() };
    let replaced = contacts.replace(ada.id, whole.clone()).await.unwrap();
    assert_eq!((replaced.version(), &replaced.data), (4, &whole));
    contacts.delete(ada.id).await.unwrap();
    assert_eq!(refusal(contacts.get(ada.id).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(contacts.delete(ada.id).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(contacts.update(ada.id, json!({})).await).0, ErrorKind::NotFound);
    assert_eq!(contacts.clone().as_of(created).get(ada.id).await.unwrap().data.display_name, "Ada");
}

/// A write that expects another version is refused, and says which one it found.
pub async fn unexpected_version_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let contacts = desk.of::<Contact>();
    let error = contacts.clone().if_version(2).update(ada.id, json!({ "bio": "x" })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VersionMismatch);
    assert_eq!(error.details(), Some(&json!({ "expected": 2, "found": 1 })));
    contacts.clone().if_version(1).update(ada.id, json!({ "bio": "x" })).await.unwrap();
    assert_eq!(refusal(contacts.clone().if_version(1).delete(ada.id).await).0, ErrorKind::VersionMismatch);
    contacts.if_version(2).delete(ada.id).await.unwrap();
}

/// A body that is not one is refused at its place, and nothing is written.
pub async fn bad_field_is_named(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    for (body, pointer) in [
        (json!({ "display_name": "" }), "/display_name"),
        (json!({ "display_name": "x".repeat(10 << 20) }), "/display_name"),
        (json!({ "display_name": 7 }), "/display_name"),
        (json!({ "display_name": "Ada", "kind": "robot" }), "/kind"),
        (json!({ "display_name": "Ada", "bio": "a\0b" }), "/bio"),
        (json!({ "display_name": "Ada", "metadata": { "a": ["\0"] } }), "/metadata/a/0"),
    ] {
        assert_eq!(refusal(contacts.create_from(body).await), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    assert_eq!(
        refusal(contacts.create_from(json!({ "display_name": "Ada", "x": 1 })).await).0,
        ErrorKind::InvalidRequest
    );
    assert!(contacts.list(ContactFilter::default()).await.unwrap().data.is_empty());
}

/// A write over a part of the valid axis changes only that part, slice by slice.
pub async fn write_changes_its_part_of_the_valid_axis(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada", "bio": "one" })).await;
    let first = desk.wait(1_000);
    let second = desk.wait(1_000);
    contacts.update(ada.id, json!({ "bio": "two" })).await.unwrap();
    // It was so all the time, as is known now.
    let corrected = contacts.clone().valid_from(first).because("correction");
    corrected.update(ada.id, json!({ "nickname": "A" })).await.unwrap();
    let at = |moment| contacts.clone().valid_at(moment);
    let then = at(second).get(ada.id).await.unwrap();
    assert_eq!((then.data.bio.as_deref(), then.data.nickname.as_deref()), (Some("one"), Some("A")));
    let now = contacts.get(ada.id).await.unwrap();
    assert_eq!((now.data.bio.as_deref(), now.data.nickname.as_deref()), (Some("two"), Some("A")));
    assert_eq!(now.stored.provenance.capture_reason, "correction");
    let as_known = contacts.clone().as_of(second).get(ada.id).await.unwrap();
    assert_eq!(as_known.data.nickname, None, "it was not known then");
    // One write is one version.
    let history = contacts.history(ada.id, (None, None), PageRequest::default()).await.unwrap().data;
    assert_eq!(history.iter().map(HistoryEntry::version).collect::<Vec<_>>(), [3, 3, 2, 1]);
    let scheduled = contacts.clone().valid_from(desk.wait(0).after(std::time::Duration::from_secs(500)));
    scheduled.update(ada.id, json!({ "display_name": "Countess" })).await.unwrap();
    assert_eq!(contacts.get(ada.id).await.unwrap().data.display_name, "Ada");
    desk.wait(500);
    assert_eq!(contacts.get(ada.id).await.unwrap().data.display_name, "Countess");
}

/// Differences and the timeline tell what changed, and by whom.
pub async fn difference_and_timeline_tell_what_changed(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let before = desk.wait(10);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let first = desk.wait(10);
    contacts.clone().by("bob").update(ada.id, json!({ "bio": "x" })).await.unwrap();
    desk.wait(10);
    contacts.clone().by("eve").because("cleanup").update(ada.id, json!({ "bio": "y" })).await.unwrap();
    let last = desk.wait(10);
    let diff = contacts.diff(ada.id, first, last).await.unwrap();
    assert_eq!((diff.intermediate_versions, diff.created_in_window, diff.deleted_in_window), (2, false, false));
    assert_eq!(json!(diff.changes), json!([{ "field": "/bio", "to": "y" }]));
    let diff = contacts.diff(ada.id, before, first).await.unwrap();
    assert_eq!((diff.intermediate_versions, diff.created_in_window), (1, true));
    contacts.delete(ada.id).await.unwrap();
    let gone = desk.wait(10);
    assert!(contacts.diff(ada.id, last, gone).await.unwrap().deleted_in_window);
    assert_eq!(refusal(contacts.diff(ada.id, last, first).await), (ErrorKind::InvalidRequest, "/to".to_owned()));
    assert_eq!(refusal(contacts.diff(ada.id, before, before).await).0, ErrorKind::NotFound);

    let bio = ["/bio".to_owned()];
    let page = contacts.timeline(ada.id, (None, None), &bio, PageRequest::new(2, None).unwrap()).await.unwrap();
    let told: Vec<_> = page.data.iter().map(|entry| (entry.captured_by.as_str(), json!(entry.change.to))).collect();
    assert_eq!(told, [("bob", json!("x")), ("eve", json!("y"))]);
    assert_eq!(page.data[1].capture_reason, "cleanup");
    let rest = PageRequest::new(2, page.next_cursor).unwrap();
    let rest = contacts.timeline(ada.id, (None, None), &bio, rest).await.unwrap();
    assert_eq!((rest.data.len(), rest.has_more, &rest.data[0].change.to), (1, false, &None));
    let part =
        contacts.timeline(ada.id, (Some(first.next()), Some(last.next())), &[], PageRequest::default()).await.unwrap();
    assert_eq!(part.data.iter().map(|entry| entry.change.field.as_str()).collect::<Vec<_>>(), ["/bio", "/bio"]);
}

/// Lists are filtered and sorted, at any moment.
pub async fn list_is_filtered_and_sorted_at_any_moment(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    for (name, tag) in [("Bob", "a"), ("Ada", "a"), ("Cyd", "b")] {
        desk.create::<Contact>(json!({ "display_name": name, "tags": [tag] })).await;
        desk.wait(1);
    }
    let then = desk.wait(1);
    let tagged = ContactFilter { tag: Some("a".to_owned()), ..ContactFilter::default() };
    let names = |page: Vec<Stored<Contact>>| -> Vec<String> {
        page.into_iter().map(|contact| contact.data.display_name).collect()
    };
    let list = contacts.list(tagged.clone()).sort(ContactSort::DisplayName);
    assert_eq!(names(list.await.unwrap().data), ["Ada", "Bob"]);
    let page = contacts.list(ContactFilter::default()).descending().limit(2).await.unwrap();
    assert_eq!(names(page.data), ["Cyd", "Ada"]);
    let rest = contacts.list(ContactFilter::default()).descending().limit(2).after(page.next_cursor.unwrap());
    assert_eq!(names(rest.await.unwrap().data), ["Bob"]);
    let found = contacts.list(ContactFilter::default()).search("cy").await.unwrap();
    assert_eq!(names(found.data), ["Cyd"]);
    let bob = contacts.list(tagged.clone()).await.unwrap().data.remove(0);
    contacts.update(bob.id, json!({ "tags": ["b"] })).await.unwrap();
    assert_eq!(names(contacts.list(tagged.clone()).all().await.unwrap()), ["Ada"]);
    assert_eq!(names(contacts.clone().as_of(then).list(tagged).all().await.unwrap()), ["Bob", "Ada"]);
    let past = contacts.as_of(then);
    assert_eq!(refusal(past.list(ContactFilter::default()).search("x").await).1, "/as_of");
}

/// A link in the text of a note leads to what a contact was merged into, also when the note is written again.
pub async fn link_to_a_merged_contact_leads_to_the_survivor(stage: Stage) {
    let desk = Desk::new(&stage);
    let (contacts, notes) = (desk.of::<Contact>(), desk.of::<Note>());
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let twin = desk.create::<Contact>(json!({ "display_name": "A. King" })).await;
    let text = format!("Met [[contact:{}]] and [[contact:{}]].", twin.id, ada.id);
    let note = desk.create::<Note>(json!({ "title": "Tuesday", "body": text })).await;
    contacts.merge(ada.id, &Merge::of([twin.id])).await.unwrap();
    let backlinks =
        async |id| notes.backlinks_of(LinkTargetType::Contact, id, PageRequest::default()).await.unwrap().data;
    assert!(!backlinks(ada.id).await.is_empty());
    let text = format!("{text} Again.");
    notes.update(note.id, json!({ "body": text })).await.unwrap();
    assert_eq!(backlinks(ada.id).await.len(), 1);
    assert_eq!(notes.get(note.id).await.unwrap().data.body, text, "the text stays as it was written");
}

/// Whoever reads at a fixed moment sees the same pages, while others write.
pub async fn pages_at_a_moment_stay_while_others_write(stage: Stage) {
    let desk = Desk::new(&stage);
    for n in 0..12 {
        desk.create::<Contact>(json!({ "display_name": format!("contact {n}"), "tags": ["old"] })).await;
    }
    // Commits at one moment of the clock are stamped one after the other.
    desk.wait(1);
    let then = desk.wait(10);
    let before = walk(&desk, then).await;
    assert_eq!(before.len(), 12);
    let shared = desk.clone();
    let walks = stage
        .in_parallel(8, move |n, _| {
            let desk = shared.clone();
            Box::pin(async move {
                let contacts = desk.of::<Contact>();
                if n % 2 == 0 {
                    for contact in contacts.list(ContactFilter::default()).all().await.unwrap() {
                        contacts.update(contact.id, json!({ "tags": [format!("new {n}")] })).await.unwrap();
                    }
                    desk.create::<Contact>(json!({ "display_name": format!("later {n}"), "tags": ["old"] })).await;
                    return Vec::new();
                }
                let mut walks = Vec::new();
                for _ in 0..6 {
                    walks.push(walk(&desk, then).await);
                }
                walks
            })
        })
        .await;
    assert!(walks.iter().flatten().all(|seen| *seen == before), "a page at a fixed moment changed");
    assert_eq!(walk(&desk, then).await, before);
}

/// All contacts that had the tag `old` at a moment, in order of their names, page by page.
async fn walk(desk: &Desk, then: Timestamp) -> Vec<Value> {
    let contacts = desk.of::<Contact>().as_of(then);
    let filter = ContactFilter { tag: Some("old".to_owned()), ..ContactFilter::default() };
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let list = contacts.list(filter.clone()).sort(ContactSort::DisplayName).limit(5);
        let page = match cursor {
            Some(cursor) => list.after(cursor).await.unwrap(),
            None => list.await.unwrap(),
        };
        seen.extend(page.data.iter().map(Stored::resource));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return seen;
        }
    }
}
