use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ErrorKind::{Conflict, InvalidRequest, NotFound, VersionMismatch};
use crate::entity::Kind;
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::{Channel, ChannelKind, Contact};
use crate::entity::group::Group;
use crate::entity::interaction::Interaction;
use crate::entity::relationship::Relationship;
use crate::pim::Stored;
use crate::pim::contacts::{AffiliationFilter, InteractionFilter, Merge};
use crate::store::EntityKey;
use crate::{Clock as _, EntityId, Error, PageRequest};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::{Town, everything, id, mentioning, settled};

/// A survivor has everything that any of them had, each thing once.
pub async fn survivor_has_what_each_had(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let Town { ada, double, .. } = Town::build(&desk).await;
    let whole = contacts.merge(ada, &Merge::of([double])).await.unwrap();
    assert_eq!((whole.id, whole.version()), (ada, 2));
    let channels: Vec<_> =
        whole.data.channels.iter().map(|one| (one.canonical_value.as_str(), one.is_primary)).collect();
    assert_eq!(channels, [("ada@x.org", true), ("countess@x.org", false), ("+442079460958", true)]);
    assert_eq!((whole.data.display_name.as_str(), whole.data.nickname.as_deref()), ("Ada", Some("Countess")));
    assert_eq!((whole.data.family_name.as_deref(), whole.data.vcard_uid.as_deref()), (Some("King"), Some("u2")));
    assert_eq!((whole.data.addresses.len(), whole.data.dates.len()), (1, 1));
    assert_eq!(whole.data.tags, ["engines", "math"]);
    let lost = json!({ (double.to_string()): { "display_name": "A. King", "metadata": { "shoe": 38 } } });
    let metadata = json!({ "shoe": 37, "eyes": "brown", "hat": 54, "none": null, "_merged": lost });
    assert_eq!(json!(whole.data.metadata), metadata);
    assert_eq!(whole.data.merged_ids, [double]);
}

/// Everything that referred to a source refers to the survivor, all in the one commit that merges.
pub async fn merge_moves_every_reference(stage: Stage) {
    let desk = Desk::new(&stage);
    let Town { ada, double, bob, acme, group } = Town::build(&desk).await;
    assert_eq!(mentioning(&desk, double).await.len(), 17);
    let commits = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data.len();
    desk.of::<Contact>().merge(ada, &Merge::of([double])).await.unwrap();
    let after = desk.pim.changes(desk.tenant, None, 200).await.unwrap().data;
    assert_eq!((after.len(), after[commits].entities.len()), (commits + 1, 19));
    assert!(mentioning(&desk, double).await.is_empty());

    let contacts = desk.of::<Contact>();
    let affiliations = desk.of::<Affiliation>().list(AffiliationFilter::default()).all().await.unwrap();
    let mut titles: Vec<_> = affiliations.into_iter().filter_map(|one| one.data.title).collect();
    titles.sort();
    assert_eq!(titles, ["CTO", "Founder"], "what is the same is once");
    let seen = contacts.relationships(ada, PageRequest::default()).await.unwrap().data;
    let seen: Vec<_> = seen.iter().map(|one| (one.data.kind.as_str(), one.data.related_contact_id)).collect();
    assert_eq!(seen, [("friend", bob), ("mentor", bob), ("manages", bob)], "none with itself, none twice");
    let members = desk.of::<Group>().members(group, PageRequest::default()).await.unwrap().data;
    assert_eq!(members.into_iter().map(|one| one.id).collect::<Vec<_>>(), [ada]);
    let of_ada = InteractionFilter { contact_id: Some(ada), ..InteractionFilter::default() };
    let met = desk.of::<Interaction>().list(of_ada).all().await.unwrap();
    let met: Vec<_> = met.into_iter().map(|one| one.data.contact_ids).collect();
    assert_eq!(met, [vec![ada], vec![ada, bob]]);
    let everything = everything(&desk).await;
    let deal = everything.iter().find(|(key, body)| key.kind == Kind::Deal && body["name"] == "Roof").unwrap().1;
    assert_eq!((&deal["contact_id"], &deal["organization_id"]), (&json!(ada), &json!(ada)));
    let links = json!([
        { "contact_id": ada, "is_primary": true, "role": "buyer" },
        { "contact_id": bob, "is_primary": false, "introduced_by": ada },
    ]);
    assert_eq!(deal["contacts"], links);
    let of = |kind: Kind| everything.iter().filter(move |(key, _)| key.kind == kind).map(|(_, body)| body);
    assert_eq!(of(Kind::Task).next().unwrap()["assignee_id"], json!(ada));
    assert_eq!(of(Kind::ProjectMember).map(|one| &one["role"]).collect::<Vec<_>>(), ["lead"]);
    assert!(of(Kind::Event).any(|event| event["organizer_id"] == json!(ada)));
    assert_eq!(of(Kind::Attendee).next().unwrap()["contact_id"], json!(ada));
    assert_eq!((of(Kind::EventLink).count(), of(Kind::NoteLink).count()), (1, 1));
    assert!(everything.contains_key(&EntityKey::new(Kind::Contact, acme)));
}

/// What was merged is read as the survivor and not written; before the merge it is what it was.
pub async fn merged_contact_is_read_as_the_survivor(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let Town { ada, double, bob, acme, group } = Town::build(&desk).await;
    let before = contacts.get(double).await.unwrap();
    let then = settled(&desk);
    let whole = contacts.merge(ada, &Merge::of([double])).await.unwrap();
    assert_eq!(contacts.get(double).await.unwrap(), whole);
    assert_eq!(contacts.clone().as_of(then).get(double).await.unwrap().data, before.data);
    let past = contacts.clone().as_of(then);
    assert_eq!(past.find_by_channel(ChannelKind::Phone, "+442079460958").await.unwrap().id, double);
    let of_double = AffiliationFilter { contact_id: Some(double), ..AffiliationFilter::default() };
    assert_eq!(desk.of::<Affiliation>().list(of_double.clone()).await.unwrap().data.len(), 2);
    let past = desk.of::<Affiliation>().as_of(then).list(of_double).await.unwrap().data;
    assert!(past.iter().all(|one| one.data.contact_id == double));
    assert_eq!(contacts.relationships(double, PageRequest::default()).await.unwrap().data.len(), 3);

    let survivor = |error: Error| {
        assert_eq!(error.kind(), Conflict, "{error}");
        assert!(error.to_string().contains(&ada.to_string()), "{error}");
        assert_eq!(error.details(), Some(&json!({ "survivor_id": ada })));
    };
    survivor(contacts.update(double, json!({ "bio": "x" })).await.unwrap_err());
    survivor(contacts.clone().valid_from(then).update(double, json!({ "bio": "x" })).await.unwrap_err());
    survivor(contacts.clone().if_version(2).replace(double, before.data).await.unwrap_err());
    survivor(contacts.delete(double).await.unwrap_err());
    survivor(contacts.tag(double, "x").await.unwrap_err());
    survivor(contacts.add::<Channel>(double, json!({ "type": "email", "value": "x@x.org" })).await.unwrap_err());
    survivor(contacts.merge(double, &Merge::of([bob])).await.unwrap_err());
    survivor(contacts.merge(bob, &Merge::of([double])).await.unwrap_err());
    survivor(desk.of::<Group>().add_member(group, double).await.unwrap_err());
    survivor(desk.of::<Group>().remove_member(group, double).await.unwrap_err());
    let call = json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x" });
    survivor(desk.of::<Interaction>().log(double, call).await.unwrap_err());
    let affiliation = Affiliation::new(double, acme);
    survivor(desk.of::<Affiliation>().create(affiliation).await.unwrap_err());
    let relationship = Relationship::new(bob, "partner", double);
    survivor(desk.of::<Relationship>().create(relationship).await.unwrap_err());
    assert_eq!(contacts.get(ada).await.unwrap(), whole);

    // The survivor becomes a part of another in turn.
    let third = contacts.merge(bob, &Merge::of([ada])).await.unwrap();
    assert_eq!(third.data.merged_ids, [ada, double]);
    assert_eq!(contacts.get(double).await.unwrap().id, bob);
    assert_eq!(contacts.get(ada).await.unwrap().id, bob);
    let lost = third.data.metadata["_merged"].as_object().unwrap();
    assert_eq!(lost.len(), 2, "what was lost before is kept: {lost:?}");
    contacts.delete(bob).await.unwrap();
    assert_eq!(refusal(contacts.get(double).await).0, NotFound);
    assert_eq!(refusal(contacts.update(double, json!({})).await).0, NotFound);
}

/// A field is that of the contact that is preferred; what is not, is kept beside.
pub async fn merge_prefers_fields_as_asked(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let make = async |body: Value| desk.create::<Contact>(body).await.id;
    let ada = make(json!({ "display_name": "Ada", "bio": "one" })).await;
    let two = make(json!({ "display_name": "Ada K.", "bio": "two", "prefix": "Lady" })).await;
    let three = make(json!({ "display_name": "A. King", "bio": "three", "prefix": "Mrs", "suffix": "II" })).await;
    let prefer = BTreeMap::from([("display_name", three), ("bio", two), ("suffix", two)]);
    let prefer = prefer.into_iter().map(|(field, id)| (field.to_owned(), id)).collect();
    let whole = contacts.merge(ada, &Merge { source_ids: vec![two, three], prefer }).await.unwrap().data;
    assert_eq!((whole.display_name.as_str(), whole.bio.as_deref()), ("A. King", Some("two")));
    let (prefix, suffix) = (whole.prefix.as_deref(), whole.suffix.as_deref());
    assert_eq!((prefix, suffix), (Some("Lady"), Some("II")), "the first that has one");
    assert_eq!(whole.merged_ids, [two, three]);
    assert_eq!(whole.metadata["_merged"][ada.to_string()], json!({ "display_name": "Ada", "bio": "one" }));
    assert_eq!(whole.metadata["_merged"][three.to_string()], json!({ "bio": "three", "prefix": "Mrs" }));
}

/// A merge that cannot be is refused at its place, and nothing is written.
pub async fn merge_that_cannot_be_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let Town { ada, double, bob, acme, .. } = Town::build(&desk).await;
    let before = everything(&desk).await;
    let prefer = |field: &str, id: EntityId| Merge {
        source_ids: vec![double],
        prefer: BTreeMap::from([(field.to_owned(), id)]),
    };
    for (wanted, kind, pointer) in [
        (Merge::of([]), InvalidRequest, "/source_ids"),
        (Merge::of([double, ada]), InvalidRequest, "/source_ids/1"),
        (Merge::of([double, double]), InvalidRequest, "/source_ids/1"),
        (Merge::of([double, id(77)]), InvalidRequest, "/source_ids/1"),
        (prefer("channels", ada), InvalidRequest, "/prefer/channels"),
        (prefer("a/b", ada), InvalidRequest, "/prefer/a~1b"),
        (prefer("bio", bob), InvalidRequest, "/prefer/bio"),
        (Merge::of([acme]), Conflict, "/source_ids"),
    ] {
        let refused = contacts.merge(ada, &wanted).await;
        assert_eq!(refusal(refused), (kind, pointer.to_owned()), "{wanted:?}");
    }
    let now = desk.clock.now();
    let wanted = Merge::of([double]);
    assert_eq!(refusal(contacts.merge(id(77), &wanted).await).0, NotFound);
    assert_eq!(refusal(contacts.clone().if_version(7).merge(ada, &wanted).await).0, VersionMismatch);
    assert_eq!(refusal(contacts.clone().valid_from(now).merge(ada, &wanted).await).1, "/valid_from");
    assert_eq!(refusal(contacts.clone().valid_to(now).merge(ada, &wanted).await).1, "/valid_to");
    assert_eq!(everything(&desk).await, before);
    contacts.merge(ada, &wanted).await.unwrap();
    assert_eq!(refusal(contacts.merge(ada, &wanted).await), (Conflict, "/source_ids/0".to_owned()));
}

/// However many merge the same contacts at once, each contact ends once, and nothing refers to one that has ended.
pub async fn contacts_merged_at_once_end_once(stage: Stage) {
    let desk = Desk::new(&stage);
    let Town { ada, double, bob, .. } = Town::build(&desk).await;
    let racers = desk.clone();
    let ids = [ada, double, bob];
    let done = stage.in_parallel(9, move |n, _| {
        let desk = racers.clone();
        let at = usize::try_from(n).unwrap();
        let (one, two) = (ids[at % 3], ids[(at + 1 + at / 3 % 2) % 3]);
        Box::pin(async move {
            if n < 6 {
                desk.of::<Contact>().merge(one, &Merge::of([two])).await.is_ok()
            } else {
                let body = json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x" });
                // It may have ended meanwhile.
                let logged = desk.of::<Interaction>().log(one, body).await;
                logged.is_err_and(|error| error.kind() != Conflict)
            }
        })
    });
    assert_eq!(done.await.into_iter().filter(|is_done| *is_done).count(), 2);
    let contacts = desk.of::<Contact>();
    let left: Vec<Stored<Contact>> = contacts.list(Default::default()).all().await.unwrap();
    let left: Vec<_> = left.into_iter().filter(|contact| ids.contains(&contact.id)).collect();
    assert_eq!((left.len(), left[0].data.merged_ids.len()), (1, 2));
    for merged in &left[0].data.merged_ids {
        assert!(mentioning(&desk, *merged).await.is_empty());
        assert_eq!(contacts.get(*merged).await.unwrap().id, left[0].id);
    }
}
