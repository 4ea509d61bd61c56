use serde_json::{Value, json};

use crate::ErrorKind::{Conflict, NotFound, VersionMismatch};
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::{Channel, Contact};
use crate::entity::group::Group;
use crate::entity::interaction::Interaction;
use crate::entity::merge_proposal::MergeProposal;
use crate::entity::relationship::Relationship;
use crate::entity::task::Task;
use crate::pim::contacts::{ContactFilter, Merge, RelationshipFilter};
use crate::pim::tasks::TaskFilter;
use crate::{Clock as _, PageRequest};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::{Town, everything, id, person, settled};

/// Unmerging undoes the merge on everything that it touched.
pub async fn unmerge_undoes_the_merge(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let Town { ada, double, bob, .. } = Town::build(&desk).await;
    desk.of::<MergeProposal>().create(MergeProposal::new(vec![ada, double], ada, 0.9, vec![])).await.unwrap();
    desk.of::<MergeProposal>().create(MergeProposal::new(vec![bob, double], bob, 0.1, vec![])).await.unwrap();
    let before = everything(&desk).await;
    desk.wait(1);
    contacts.merge(ada, &Merge::of([double])).await.unwrap();
    let merged = everything(&desk).await;
    assert_ne!(before, merged);
    let between = settled(&desk);
    let again = contacts.unmerge(ada, double).await.unwrap();
    assert_eq!(again.id, double);
    let after = everything(&desk).await;
    for (key, body) in &before {
        assert_eq!(after.get(key), Some(body), "{key}");
    }
    assert_eq!(after, before);
    assert_eq!(contacts.clone().as_of(between).get(double).await.unwrap().id, ada, "it was merged then");
    contacts.update(double, json!({ "bio": "x" })).await.unwrap();
    // Once more, with all that history in between.
    let before = everything(&desk).await;
    desk.wait(1);
    contacts.merge(double, &Merge::of([bob, ada])).await.unwrap();
    desk.wait(1);
    contacts.unmerge(double, ada).await.unwrap();
    contacts.unmerge(double, bob).await.unwrap();
    let after = everything(&desk).await;
    for (key, body) in &before {
        assert_eq!(after.get(key), Some(body), "{key}");
    }
}

/// What somebody has changed since the merge stays as it is.
pub async fn unmerge_keeps_what_was_changed_since(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let Town { ada, double, bob, group, .. } = Town::build(&desk).await;
    let whole = contacts.merge(ada, &Merge::of([double])).await.unwrap().data;
    desk.wait(1);
    contacts.change::<Channel>(ada, whole.channels[1].id, json!({ "label": "work" })).await.unwrap();
    contacts.update(ada, json!({ "nickname": "Addie", "bio": "new", "metadata": { "hat": 55 } })).await.unwrap();
    contacts.add::<Channel>(ada, json!({ "type": "url", "value": "https://x.org" })).await.unwrap();
    contacts.untag(ada, "engines").await.unwrap();
    let mentor = RelationshipFilter { kind: Some("mentor".to_owned()), ..RelationshipFilter::default() };
    let mentor = desk.of::<Relationship>().list(mentor).await.unwrap().data.remove(0);
    desk.of::<Relationship>().delete(mentor.id).await.unwrap();
    desk.of::<Group>().delete(group).await.unwrap();
    let met = desk.of::<Interaction>().list(Default::default()).await.unwrap().data.remove(0);
    desk.of::<Interaction>().update(met.id, json!({ "summary": "changed" })).await.unwrap();
    let moved = desk.of::<Affiliation>().list(Default::default()).all().await.unwrap();
    let moved = moved.into_iter().find(|one| one.data.title.as_deref() == Some("Founder")).unwrap();
    desk.of::<Affiliation>().update(moved.id, json!({ "contact_id": bob })).await.unwrap();
    let source = contacts.unmerge(ada, double).await.unwrap().data;
    let values = |contact: &Contact| contact.channels.iter().map(|one| one.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&source), ["ADA@x.org", "countess@x.org", "+442079460958"]);
    let ada_now = contacts.get(ada).await.unwrap().data;
    assert_eq!(values(&ada_now), ["ada@x.org", "countess@x.org", "https://x.org"]);
    assert_eq!((ada_now.nickname.as_deref(), ada_now.bio.as_deref()), (Some("Addie"), Some("new")));
    assert_eq!(json!(ada_now.metadata), json!({ "shoe": 37, "eyes": "brown", "hat": 55 }));
    assert!(ada_now.addresses.is_empty() && ada_now.merged_ids.is_empty());
    assert_eq!((ada_now.tags, source.tags), (vec!["math".to_owned()], vec!["engines".to_owned(), "math".to_owned()]));
    assert_eq!(refusal(desk.of::<Relationship>().get(mentor.id).await).0, NotFound);
    assert!(
        contacts
            .list(ContactFilter { group_id: Some(group), ..ContactFilter::default() })
            .await
            .unwrap()
            .data
            .is_empty()
    );
    let met = desk.of::<Interaction>().get(met.id).await.unwrap().data;
    assert_eq!((met.contact_ids, met.summary.as_str()), (vec![double], "changed"));
    assert_eq!(desk.of::<Affiliation>().get(moved.id).await.unwrap().data.contact_id, bob);
    assert_eq!(contacts.relationships(double, PageRequest::default()).await.unwrap().data.len(), 3);
}

/// Contacts that were merged one after the other part in any order, and keep what another of them has too.
pub async fn contacts_part_in_any_order(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let mail = |value: &str| json!([{ "type": "email", "value": value }]);
    let make = async |body: Value| desk.create::<Contact>(body).await.id;
    let ada = make(json!({ "display_name": "Ada" })).await;
    let two =
        make(json!({ "display_name": "Ada", "channels": mail("a@x.org"), "tags": ["t"], "nickname": "Two" })).await;
    let three =
        make(json!({ "display_name": "Ada", "channels": mail("a@x.org"), "tags": ["t"], "nickname": "Three" })).await;
    let body =
        json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x", "contact_ids": [two, three] });
    let call = desk.create::<Interaction>(body).await.id;
    let before = everything(&desk).await;
    for source in [two, three] {
        desk.wait(1);
        contacts.merge(ada, &Merge::of([source])).await.unwrap();
    }
    desk.wait(1);
    contacts.unmerge(ada, two).await.unwrap();
    let left = contacts.get(ada).await.unwrap().data;
    assert_eq!((left.channels.len(), left.tags.as_slice()), (1, &["t".to_owned()][..]), "the third has them too");
    assert_eq!((left.nickname.as_deref(), left.merged_ids.as_slice()), (Some("Three"), &[three][..]));
    assert_eq!(desk.of::<Interaction>().get(call).await.unwrap().data.contact_ids, [two, ada]);
    desk.wait(1);
    contacts.unmerge(ada, three).await.unwrap();
    assert_eq!(everything(&desk).await, before);
}

/// Only what was merged into a contact itself is unmerged from it.
pub async fn unmerge_of_what_was_not_merged_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let [ada, two, three] = [person(&desk, "Ada").await, person(&desk, "Two").await, person(&desk, "Three").await];
    let refused = (Conflict, "/source_id".to_owned());
    assert_eq!(refusal(contacts.unmerge(ada, two).await), refused);
    assert_eq!(refusal(contacts.unmerge(ada, ada).await), refused);
    assert_eq!(refusal(contacts.unmerge(ada, id(77)).await), refused);
    assert_eq!(refusal(contacts.unmerge(id(77), ada).await).0, NotFound);
    let before = everything(&desk).await;
    contacts.merge(two, &Merge::of([three])).await.unwrap();
    desk.wait(1);
    contacts.merge(ada, &Merge::of([two])).await.unwrap();
    let error = contacts.unmerge(ada, three).await.unwrap_err();
    assert!(error.to_string().contains(&two.to_string()), "{error}");
    assert_eq!(refusal(Err::<(), _>(error)), refused);
    assert_eq!(refusal(contacts.unmerge(two, three).await).0, Conflict, "it is merged itself");
    assert_eq!(refusal(contacts.clone().if_version(1).unmerge(ada, two).await).0, VersionMismatch);
    let now = desk.clock.now();
    assert_eq!(refusal(contacts.clone().valid_from(now).unmerge(ada, two).await).1, "/valid_from");
    desk.wait(1);
    assert_eq!(contacts.unmerge(ada, two).await.unwrap().data.merged_ids, [three]);
    assert_eq!(contacts.get(three).await.unwrap().id, two);
    contacts.unmerge(two, three).await.unwrap();
    assert_eq!(everything(&desk).await, before);
    assert_eq!(refusal(contacts.unmerge(ada, two).await), refused);
}

/// What was to be at a later time is so again.
pub async fn unmerge_restores_what_is_scheduled(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let (ada, two) = (person(&desk, "Ada").await, person(&desk, "Two").await);
    let later = desk.clock.now().after(std::time::Duration::from_secs(100));
    contacts.clone().valid_from(later).update(two, json!({ "nickname": "Later" })).await.unwrap();
    contacts.clone().valid_from(later).update(ada, json!({ "bio": "Later" })).await.unwrap();
    let body = json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x", "contact_ids": [two] });
    let call = desk.create::<Interaction>(body).await.id;
    desk.of::<Interaction>().valid_from(later).update(call, json!({ "body": "Later" })).await.unwrap();
    desk.wait(1);
    contacts.merge(ada, &Merge::of([two])).await.unwrap();
    let then = contacts.clone().valid_at(later).get(ada).await.unwrap().data;
    assert_eq!((then.bio.as_deref(), then.merged_ids.as_slice()), (Some("Later"), &[two][..]));
    let calls = desk.of::<Interaction>().valid_at(later);
    let then = calls.get(call).await.unwrap().data;
    assert_eq!((then.body.as_deref(), then.contact_ids), (Some("Later"), vec![ada]));
    desk.wait(1);
    contacts.unmerge(ada, two).await.unwrap();
    assert_eq!(contacts.get(two).await.unwrap().data.nickname, None);
    assert_eq!(contacts.clone().valid_at(later).get(two).await.unwrap().data.nickname.as_deref(), Some("Later"));
    let then = contacts.clone().valid_at(later).get(ada).await.unwrap().data;
    assert_eq!((then.bio.as_deref(), then.merged_ids.as_slice()), (Some("Later"), &[][..]));
    let then = calls.get(call).await.unwrap().data;
    assert_eq!((then.body.as_deref(), then.contact_ids), (Some("Later"), vec![two]));
}

/// What is to refer to a contact from a later time on refers to the survivor then, until that is undone; lists of that
/// time find by either what keeps the old name.
pub async fn merge_moves_what_is_scheduled(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let (ada, two) = (person(&desk, "Ada").await, person(&desk, "Two").await);
    let soon = desk.clock.now().after(std::time::Duration::from_secs(50));
    let later = desk.clock.now().after(std::time::Duration::from_secs(100));
    let (tasks, then) = (desk.of::<Task>(), desk.of::<Task>().valid_at(later));
    let old = desk.create::<Task>(json!({ "title": "old" })).await.id;
    tasks.clone().valid_from(later).update(old, json!({ "assignee_id": two })).await.unwrap();
    let body = json!({ "title": "new", "assignee_id": two });
    let new = tasks.clone().valid_from(later).create_from(body).await.unwrap().id;
    let between = desk.create::<Task>(json!({ "title": "between" })).await.id;
    let while_away = tasks.clone().valid_from(soon).valid_to(later);
    while_away.update(between, json!({ "assignee_id": two })).await.unwrap();
    let assignees =
        async || [then.get(old).await, then.get(new).await].map(|task| task.unwrap().data.assignee_id.unwrap());
    let of = |id| TaskFilter { assignee_id: Some(id), ..TaskFilter::default() };
    assert_eq!(assignees().await, [two, two]);
    desk.wait(1);
    contacts.merge(ada, &Merge::of([two])).await.unwrap();
    assert_eq!(assignees().await, [ada, ada]);
    assert_eq!(tasks.get(old).await.unwrap().data.assignee_id, None, "it is not so yet");
    assert_eq!(refusal(tasks.get(new).await).0, NotFound);
    for id in [ada, two] {
        assert_eq!(then.list(of(id)).all().await.unwrap().len(), 2);
        let found = desk.of::<Task>().valid_at(soon).list(of(id)).all().await.unwrap();
        assert_eq!(found.into_iter().map(|task| task.id).collect::<Vec<_>>(), [between]);
    }
    desk.wait(1);
    contacts.unmerge(ada, two).await.unwrap();
    assert_eq!(assignees().await, [two, two]);
    desk.wait(100);
    assert_eq!(tasks.list(of(two)).all().await.unwrap().len(), 2);
    assert!(tasks.list(of(ada)).await.unwrap().data.is_empty());
}
