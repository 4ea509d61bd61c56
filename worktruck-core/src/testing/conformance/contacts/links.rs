use std::time::Duration;

use serde_json::{Value, json};

use crate::ErrorKind::{Conflict, InvalidRequest, NotFound};
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::Contact;
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::entity::interaction::Interaction;
use crate::entity::relationship::Relationship;
use crate::pim::contacts::{
    AffiliationFilter, GroupMemberFilter, InteractionFilter, InteractionSort, RelationshipFilter,
};
use crate::pim::{Everything, Stored};
use crate::{Clock as _, EntityId, PageRequest, Timestamp};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::{id, person, settled};

/// An affiliation is listed for the contact and for the organization, and changed and ended.
pub async fn affiliation_is_listed_for_both_sides(stage: Stage) {
    let desk = Desk::new(&stage);
    let affiliations = desk.of::<Affiliation>();
    let ada = person(&desk, "Ada").await;
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let body = json!({ "contact_id": ada, "organization_id": acme, "title": "CTO", "start_date": "2020-01-01" });
    let cto = desk.create::<Affiliation>(body).await;
    assert!(cto.data.is_current);
    let then = settled(&desk);
    let of_ada = AffiliationFilter { contact_id: Some(ada), ..AffiliationFilter::default() };
    let of_acme = AffiliationFilter { organization_id: Some(acme), ..AffiliationFilter::default() };
    for filter in [&of_ada, &of_acme] {
        assert_eq!(affiliations.list(filter.clone()).await.unwrap().data, std::slice::from_ref(&cto));
    }
    let left = json!({ "end_date": "2021-01-01", "is_current": false });
    let left = affiliations.update(cto.id, left).await.unwrap();
    assert_eq!((left.data.is_current, left.data.title.as_deref()), (false, Some("CTO")));
    let current = AffiliationFilter { is_current: Some(true), ..of_ada.clone() };
    assert!(affiliations.list(current.clone()).await.unwrap().data.is_empty());
    assert_eq!(affiliations.clone().as_of(then).list(current).await.unwrap().data.len(), 1);

    for (fields, pointer) in [
        (json!({ "contact_id": id(77) }), "/contact_id"),
        (json!({ "organization_id": id(77) }), "/organization_id"),
        (json!({ "organization_id": person(&desk, "Bob").await }), "/organization_id"),
        (json!({ "organization_id": ada }), "/organization_id"),
        (json!({ "start_date": "2020-01-02", "end_date": "2020-01-01" }), "/end_date"),
        (json!({ "title": "" }), "/title"),
    ] {
        let mut body = json!({ "contact_id": ada, "organization_id": acme });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(refusal(affiliations.create_from(body).await), (InvalidRequest, pointer.to_owned()), "{fields}");
    }
    let refused = affiliations.update(cto.id, json!({ "end_date": "2019-12-31" })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/end_date".to_owned()));
    assert_eq!(affiliations.list(of_acme.clone()).await.unwrap().data, [left]);
    affiliations.delete(cto.id).await.unwrap();
    assert!(affiliations.list(of_acme).await.unwrap().data.is_empty());
}

/// An organization stays one while somebody is affiliated with it.
pub async fn organization_with_affiliations_stays_one(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = person(&desk, "Ada").await;
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let one = desk.create::<Affiliation>(json!({ "contact_id": ada, "organization_id": acme })).await;
    let refused = contacts.update(acme, json!({ "kind": "group" })).await;
    assert_eq!(refusal(refused), (Conflict, "/kind".to_owned()));
    desk.of::<Affiliation>().delete(one.id).await.unwrap();
    contacts.update(acme, json!({ "kind": "group" })).await.unwrap();
    // Whichever comes first: never both.
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let racers = desk.clone();
    let is_done = stage.in_parallel(8, move |n, _| {
        let desk = racers.clone();
        Box::pin(async move {
            if n % 2 == 0 {
                let body = json!({ "contact_id": ada, "organization_id": acme });
                desk.of::<Affiliation>().create_from(body).await.is_ok()
            } else {
                desk.of::<Contact>().update(acme, json!({ "kind": "group" })).await.is_ok()
            }
        })
    });
    let is_done = is_done.await;
    let is = |of: usize| is_done.iter().skip(of).step_by(2).any(|done| *done);
    assert_ne!(is(0), is(1), "{is_done:?}");
}

/// A relationship is stored once and read from both ends, from the other with the inverse type.
pub async fn relationship_is_read_from_both_ends(stage: Stage) {
    let desk = Desk::new(&stage);
    let (contacts, relationships) = (desk.of::<Contact>(), desk.of::<Relationship>());
    let (ada, bob) = (person(&desk, "Ada").await, person(&desk, "Bob").await);
    let body = |kind: &str| json!({ "contact_id": ada, "related_contact_id": bob, "type": kind, "note": "n" });
    for kind in ["reports_to", "parent", "friend", "mentor"] {
        desk.create::<Relationship>(body(kind)).await;
    }
    let then = settled(&desk);
    let seen = async |end: EntityId| -> Vec<(Value, Value, Value)> {
        let page = contacts.relationships(end, PageRequest::default()).await.unwrap();
        let resource = |one: &Stored<Relationship>| one.resource();
        let part = |one: Value| (one["related_contact_id"].clone(), one["type"].clone(), one["direction"].clone());
        page.data.iter().map(resource).map(part).collect()
    };
    let told = |other: EntityId, kinds: [&str; 4], direction: &str| -> Vec<_> {
        kinds.into_iter().map(|kind| (json!(other), json!(kind), json!(direction))).collect()
    };
    assert_eq!(seen(ada).await, told(bob, ["reports_to", "parent", "friend", "mentor"], "outgoing"));
    assert_eq!(seen(bob).await, told(ada, ["manages", "child", "friend", "mentor"], "incoming"));
    let typed = contacts.relationships(bob, PageRequest::default()).await.unwrap().data.remove(0).data;
    assert_eq!((typed.contact_id, typed.related_contact_id, typed.kind.as_str()), (bob, ada, "manages"));

    let inverse = |kind: &str| json!({ "contact_id": bob, "related_contact_id": ada, "type": kind });
    for same in [body("friend"), inverse("friend"), inverse("manages"), inverse("child"), body("mentor")] {
        let refused = relationships.create_from(same).await;
        assert_eq!(refusal(refused), (Conflict, "/related_contact_id".to_owned()));
    }
    relationships.create_from(inverse("mentor")).await.unwrap();
    relationships.create_from(inverse("parent")).await.unwrap();
    for (fields, pointer) in [
        (json!({ "related_contact_id": ada }), "/related_contact_id"),
        (json!({ "related_contact_id": id(77) }), "/related_contact_id"),
        (json!({ "contact_id": id(77) }), "/contact_id"),
        (json!({ "type": "" }), "/type"),
    ] {
        let mut body = body("partner");
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(refusal(relationships.create_from(body).await), (InvalidRequest, pointer.to_owned()));
    }
    assert_eq!(refusal(contacts.relationships(id(77), PageRequest::default()).await).0, NotFound);
    let first = relationships.list(RelationshipFilter { contact_id: Some(bob), ..RelationshipFilter::default() });
    let first = first.await.unwrap().data.remove(0);
    relationships.delete(first.id).await.unwrap();
    relationships.create_from(inverse("manages")).await.unwrap();
    let past = contacts.as_of(then).relationships(ada, PageRequest::default()).await.unwrap();
    assert_eq!(past.data.len(), 4);
}

/// Of many who state one relationship at once, from either end, one does.
pub async fn relationship_stated_at_once_is_stored_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let (ada, bob) = (person(&desk, "Ada").await, person(&desk, "Bob").await);
    let relationships = desk.of::<Relationship>();
    let made = stage.in_parallel(8, move |n, _| {
        let relationships = relationships.clone();
        let (one, other, kind) = if n % 2 == 0 { (ada, bob, "manages") } else { (bob, ada, "reports_to") };
        let body = json!({ "contact_id": one, "related_contact_id": other, "type": kind });
        Box::pin(async move { relationships.create_from(body).await.is_ok() })
    });
    assert_eq!(made.await.into_iter().filter(|is_made| *is_made).count(), 1);
}

/// An interaction is listed with each of its contacts, and outlives them.
pub async fn interaction_is_listed_with_each_contact(stage: Stage) {
    let desk = Desk::new(&stage);
    let interactions = desk.of::<Interaction>();
    let (ada, bob) = (person(&desk, "Ada").await, person(&desk, "Bob").await);
    let call = |at: &str, kind: &str| json!({ "type": kind, "occurred_at": at, "summary": at });
    let mut meeting = call("2026-03-01T10:00:00Z", "meeting");
    meeting["contact_ids"] = json!([bob]);
    let meeting = interactions.log(ada, meeting).await.unwrap();
    assert_eq!(meeting.data.contact_ids, [ada, bob]);
    desk.wait(1);
    let early = interactions.log(ada, call("2026-01-01T10:00:00Z", "call")).await.unwrap();
    desk.wait(1);
    let late = interactions.log(bob, call("2026-05-01T10:00:00Z", "email")).await.unwrap();
    let of = |contact| InteractionFilter { contact_id: Some(contact), ..InteractionFilter::default() };
    let ids = |page: Vec<Stored<Interaction>>| page.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(interactions.list(of(ada)).await.unwrap().data), [meeting.id, early.id]);
    let newest = interactions.list(of(bob)).sort(InteractionSort::OccurredAt).descending().await.unwrap();
    assert_eq!(ids(newest.data), [late.id, meeting.id]);
    // Nobody asks for this order by name.
    assert!(serde_json::from_value::<InteractionSort>(json!("occurred_at")).is_err());
    let spring = InteractionFilter {
        from: Some("2026-03-01T10:00:00Z".parse().unwrap()),
        to: Some("2026-05-01T10:00:00Z".parse().unwrap()),
        ..InteractionFilter::default()
    };
    assert_eq!(ids(interactions.list(spring).await.unwrap().data), [meeting.id]);
    let open = InteractionFilter { from: Some("2026-03-02T00:00:00Z".parse().unwrap()), ..of(bob) };
    assert_eq!(ids(interactions.list(open).await.unwrap().data), [late.id]);
    let changed = interactions.update(early.id, json!({ "duration_minutes": 5, "contact_ids": [bob] })).await.unwrap();
    assert_eq!((changed.data.duration_minutes, changed.data.contact_ids), (Some(5), vec![bob]));

    for (fields, pointer) in [
        (json!({ "contact_ids": [id(77)] }), "/contact_ids/1"),
        (json!({ "contact_ids": [bob, bob] }), "/contact_ids/2"),
        (json!({ "type": "visit" }), "/type"),
        (json!({ "summary": "" }), "/summary"),
    ] {
        let mut body = call("2026-01-01T10:00:00Z", "note");
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(refusal(interactions.log(ada, body).await), (InvalidRequest, pointer.to_owned()), "{fields}");
    }
    assert_eq!(refusal(interactions.log(id(77), call("2026-01-01T10:00:00Z", "note")).await).0, NotFound);
    let refused = interactions.update(early.id, json!({ "contact_ids": [] })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/contact_ids".to_owned()));
    let then = settled(&desk);
    desk.of::<Contact>().delete(bob).await.unwrap();
    assert_eq!(interactions.get(meeting.id).await.unwrap(), meeting, "it has taken place");
    interactions.update(meeting.id, json!({ "body": "x" })).await.unwrap();
    interactions.delete(late.id).await.unwrap();
    assert_eq!(
        ids(interactions.clone().as_of(then).list(of(bob)).await.unwrap().data),
        [meeting.id, early.id, late.id]
    );
}

/// A contact is put into a group and taken out as often as one likes, and is in it once.
pub async fn member_is_put_and_taken_idempotently(stage: Stage) {
    let desk = Desk::new(&stage);
    let groups = desk.of::<Group>();
    let ada = person(&desk, "Ada").await;
    let group = desk.create::<Group>(json!({ "name": "Newsletter", "description": "monthly" })).await.id;
    let putters = groups.clone();
    let put = stage.in_parallel(8, move |_, _| {
        let groups = putters.clone();
        Box::pin(async move { groups.add_member(group, ada).await })
    });
    for outcome in put.await {
        outcome.unwrap();
    }
    assert_eq!(desk.of::<GroupMember>().list(GroupMemberFilter::default()).await.unwrap().data.len(), 1);
    let refused = desk.of::<GroupMember>().create(GroupMember::new(group, ada)).await;
    assert_eq!(refusal(refused), (Conflict, "/contact_id".to_owned()));
    let then = settled(&desk);
    let members = async |at: Option<Timestamp>| {
        let groups = at.map_or_else(|| groups.clone(), |at| groups.clone().as_of(at));
        groups
            .members(group, PageRequest::default())
            .await
            .unwrap()
            .data
            .into_iter()
            .map(|one| one.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(members(None).await, [ada]);
    groups.remove_member(group, ada).await.unwrap();
    groups.remove_member(group, ada).await.unwrap();
    groups.remove_member(group, id(77)).await.unwrap();
    assert!(members(None).await.is_empty());
    assert_eq!(members(Some(then)).await, [ada]);
    groups.add_member(group, ada).await.unwrap();
    assert_eq!(refusal(groups.add_member(group, id(77)).await).0, NotFound);
    assert_eq!(refusal(groups.add_member(id(77), ada).await).0, NotFound);
    assert_eq!(refusal(groups.remove_member(id(77), ada).await).0, NotFound);
    assert_eq!(refusal(groups.members(id(77), PageRequest::default()).await).0, NotFound);
    let refused = groups.update(group, json!({ "name": " " })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/name".to_owned()));
    groups.delete(group).await.unwrap();
    assert!(
        desk.of::<GroupMember>().list(GroupMemberFilter::default()).await.unwrap().data.is_empty(),
        "it ends with the group"
    );
    assert!(groups.list(Everything {}).await.unwrap().data.is_empty());
}

/// What a contact is to others ends with it, in one commit; the past keeps it.
pub async fn links_end_with_their_contact(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let (ada, bob) = (person(&desk, "Ada").await, person(&desk, "Bob").await);
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let group = desk.create::<Group>(json!({ "name": "g" })).await.id;
    desk.create::<Affiliation>(json!({ "contact_id": ada, "organization_id": acme })).await;
    desk.create::<Relationship>(json!({ "contact_id": ada, "related_contact_id": bob, "type": "friend" })).await;
    desk.create::<Relationship>(json!({ "contact_id": bob, "related_contact_id": ada, "type": "mentor" })).await;
    desk.of::<Group>().add_member(group, ada).await.unwrap();
    let then = settled(&desk);
    assert_eq!(count(&desk, None).await, [1, 2, 1]);
    let commits = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data.len();
    contacts.delete(ada).await.unwrap();
    assert_eq!(count(&desk, None).await, [0, 0, 0]);
    assert_eq!(count(&desk, Some(then)).await, [1, 2, 1]);
    let after = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data;
    assert_eq!((after.len(), after[commits].entities.len()), (commits + 1, 5));
    let cyd = person(&desk, "Cyd").await;
    desk.create::<Affiliation>(json!({ "contact_id": cyd, "organization_id": acme })).await;
    contacts.delete(acme).await.unwrap();
    assert_eq!(count(&desk, None).await, [0, 0, 0], "it ends with the organization too");
    // As of a day to come.
    desk.of::<Group>().add_member(group, cyd).await.unwrap();
    let later = desk.clock.now().after(Duration::from_secs(100));
    contacts.clone().valid_from(later).delete(cyd).await.unwrap();
    assert_eq!(count(&desk, None).await, [0, 0, 1]);
    desk.wait(100);
    assert_eq!(count(&desk, None).await, [0, 0, 0]);
}

/// Nothing refers to a contact that was deleted meanwhile.
pub async fn nothing_is_linked_to_what_is_deleted_at_once(stage: Stage) {
    let desk = Desk::new(&stage);
    for _ in 0..3 {
        let (ada, bob) = (person(&desk, "Ada").await, person(&desk, "Bob").await);
        let racers = desk.clone();
        let group = desk.create::<Group>(json!({ "name": "g" })).await.id;
        let done = stage.in_parallel(6, move |n, _| {
            let desk = racers.clone();
            Box::pin(async move {
                match n {
                    0 => desk.of::<Contact>().delete(ada).await,
                    1 => desk.of::<Group>().add_member(group, ada).await,
                    _ => {
                        let body = json!({ "contact_id": bob, "related_contact_id": ada, "type": format!("t{n}") });
                        desk.of::<Relationship>().create_from(body).await.map(|_| ())
                    }
                }
            })
        });
        done.await.remove(0).unwrap();
        assert_eq!(count(&desk, None).await, [0, 0, 0]);
    }
}

/// How many affiliations, relationships and memberships there are.
async fn count(desk: &Desk, at: Option<Timestamp>) -> [usize; 3] {
    let affiliations = at.map_or_else(|| desk.of::<Affiliation>(), |at| desk.of().as_of(at));
    let relationships = at.map_or_else(|| desk.of::<Relationship>(), |at| desk.of().as_of(at));
    let members = at.map_or_else(|| desk.of::<GroupMember>(), |at| desk.of().as_of(at));
    [
        affiliations.list(AffiliationFilter::default()).await.unwrap().data.len(),
        relationships.list(RelationshipFilter::default()).await.unwrap().data.len(),
        members.list(GroupMemberFilter::default()).await.unwrap().data.len(),
    ]
}
