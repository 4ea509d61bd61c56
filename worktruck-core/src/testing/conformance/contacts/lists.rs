use serde_json::{Value, json};

use crate::EntityId;
use crate::ErrorKind::{Conflict, InvalidCursor};
use crate::entity::Locale;
use crate::entity::affiliation::Affiliation;
use crate::entity::attendee::Attendee;
use crate::entity::calendar::Calendar;
use crate::entity::contact::{Contact, ContactKind};
use crate::entity::deal::{Deal, DealContact};
use crate::entity::event::Event;
use crate::entity::event_link::EventLink;
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::entity::interaction::Interaction;
use crate::entity::pipeline::Pipeline;
use crate::entity::project::Project;
use crate::entity::project_member::ProjectMember;
use crate::entity::relationship::Relationship;
use crate::entity::stage::Stage as DealStage;
use crate::entity::task::Task;
use crate::pim::contacts::{ContactFilter, ContactSort, InteractionFilter, Merge};
use crate::pim::{Record, Records};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::{person, settled};

/// Contacts are found by the words of their names, channels and bio, and listed by what they are and as they changed.
pub async fn contacts_are_found_by_words(stage: Stage) {
    let mut desk = Desk::new(&stage);
    desk.locale = Locale { region: Some("US".parse().unwrap()), ..Locale::default() };
    let contacts = desk.of::<Contact>();
    let mut ids = Vec::new();
    for body in [
        json!({ "display_name": "Ada", "given_name": "Augusta", "middle_name": "A.", "family_name": "Lovelace",
                "prefix": "Lady", "suffix": "II", "nickname": "Countess" }),
        json!({ "display_name": "Bob", "bio": "Keeps bees in Zürich", "tags": ["beekeeper"], "channels": [
            { "type": "email", "value": "Robert@Hive.example" }, { "type": "phone", "value": "(415) 555-0100" },
        ] }),
        json!({ "display_name": "Hive", "kind": "organization", "addresses": [{ "city": "Zug" }] }),
    ] {
        ids.push(desk.create::<Contact>(body).await.id);
        desk.wait(1);
    }
    let find = async |words: &str| {
        let found = contacts.list(ContactFilter::default()).search(words).await.unwrap().data;
        found.into_iter().map(|contact| contact.data.display_name).collect::<Vec<_>>()
    };
    for words in ["ada", "augusta love", "lady ii", "COUNT"] {
        assert_eq!(find(words).await, ["Ada"], "{words}");
    }
    for words in ["bees zurich", "robert", "14155550100", "robert@hive.example"] {
        assert_eq!(find(words).await, ["Bob"], "{words}");
    }
    assert_eq!(find("hive").await, ["Bob", "Hive"]);
    for words in ["beekeeper", "zug", "bees ada"] {
        assert!(find(words).await.is_empty(), "{words}");
    }
    let of = |kind| ContactFilter { kind: Some(kind), ..ContactFilter::default() };
    let listed = async |list: crate::pim::Listing<'_, Contact>| {
        list.all().await.unwrap().into_iter().map(|contact| contact.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(contacts.list(of(ContactKind::Organization))).await, ids[2..]);
    assert_eq!(listed(contacts.list(of(ContactKind::Person)).descending()).await, [ids[1], ids[0]]);
    assert!(listed(contacts.list(of(ContactKind::Group))).await.is_empty());
    let then = settled(&desk);
    contacts.update(ids[0], json!({ "kind": "group" })).await.unwrap();
    assert_eq!(listed(contacts.list(of(ContactKind::Group))).await, ids[..1]);
    let by_change = contacts.list(ContactFilter::default()).sort(ContactSort::UpdatedAt);
    assert_eq!(listed(by_change).await, [ids[1], ids[2], ids[0]]);
    assert_eq!(listed(contacts.clone().as_of(then).list(of(ContactKind::Person))).await, ids[..2]);
}

/// Everything that refers to one contact, each by a list of its own.
struct Referring {
    desk: Desk,
    event: EntityId,
    deal: EntityId,
    project: EntityId,
}

impl Referring {
    async fn to(desk: &Desk, who: EntityId) -> Self {
        let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
        let (bob, group) = (person(desk, "Bob").await, desk.create::<Group>(json!({ "name": "g" })).await.id);
        let sales = desk.create::<Pipeline>(json!({ "name": "Sales" })).await.id;
        desk.create::<DealStage>(json!({ "pipeline_id": sales, "name": "Lead" })).await;
        let calendar = desk.create::<Calendar>(json!({ "name": "Work" })).await.id;
        let at = json!({ "calendar_id": calendar, "title": "Lunch", "start_at": "2026-05-01T10:00:00Z",
                         "end_at": "2026-05-01T11:00:00Z" });
        let event = desk.create::<Event>(at).await.id;
        let project = desk.create::<Project>(json!({ "identifier": "API", "name": "x" })).await.id;
        desk.create::<Affiliation>(json!({ "contact_id": who, "organization_id": acme })).await;
        desk.create::<Relationship>(json!({ "contact_id": bob, "related_contact_id": who, "type": "friend" })).await;
        desk.of::<Group>().add_member(group, who).await.unwrap();
        desk.of::<Interaction>().log(who, call()).await.unwrap();
        let deal = desk.create::<Deal>(json!({ "name": "Roof", "contact_id": who })).await.id;
        desk.create::<Deal>(json!({ "name": "Wall", "organization_id": who })).await;
        desk.create::<Task>(json!({ "title": "Call", "assignee_id": who })).await;
        desk.create::<Attendee>(json!({ "event_id": event, "email": "a@x.org", "contact_id": who })).await;
        desk.create::<EventLink>(json!({ "event_id": event, "entity_type": "contact", "entity_id": who })).await;
        Self { desk: desk.clone(), event, deal, project }
    }

    /// How many each list shows that asks for a contact.
    async fn counts(&self, who: EntityId, at: Option<crate::Timestamp>) -> [usize; 9] {
        async fn count<E: Record>(desk: &Desk, filter: Value, at: Option<crate::Timestamp>) -> usize {
            let records: Records<E> = at.map_or_else(|| desk.of(), |at| desk.of().as_of(at));
            let filter: E::Filter = serde_json::from_value(filter).unwrap();
            records.list(filter).all().await.unwrap().len()
        }
        let (desk, contact) = (&self.desk, json!({ "contact_id": who }));
        [
            count::<Affiliation>(desk, contact.clone(), at).await,
            count::<Relationship>(desk, contact.clone(), at).await,
            count::<GroupMember>(desk, contact.clone(), at).await,
            count::<Interaction>(desk, contact.clone(), at).await,
            count::<Deal>(desk, contact.clone(), at).await,
            count::<Deal>(desk, json!({ "organization_id": who }), at).await,
            count::<Task>(desk, json!({ "assignee_id": who }), at).await,
            count::<Attendee>(desk, contact, at).await,
            count::<EventLink>(desk, json!({ "entity_id": who, "entity_type": "contact" }), at).await,
        ]
    }
}

fn call() -> Value {
    json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x" })
}

/// Lists by a contact that was merged are those by the survivor, also of what was written for later.
pub async fn lists_by_a_merged_contact_are_those_by_the_survivor(stage: Stage) {
    let desk = Desk::new(&stage);
    let (ada, double) = (person(&desk, "Ada").await, person(&desk, "A. King").await);
    let all = Referring::to(&desk, double).await;
    assert_eq!(all.counts(double, None).await, [1; 9]);
    assert_eq!(all.counts(ada, None).await, [0; 9]);
    let then = settled(&desk);
    desk.of::<Contact>().merge(ada, &Merge::of([double])).await.unwrap();
    for id in [ada, double] {
        assert_eq!(all.counts(id, None).await, [1; 9]);
    }
    assert_eq!(all.counts(double, Some(then)).await, [1; 9], "it was not merged then");
    assert_eq!(all.counts(ada, Some(then)).await, [0; 9]);
    desk.wait(1);
    desk.of::<Contact>().unmerge(ada, double).await.unwrap();
    assert_eq!((all.counts(double, None).await, all.counts(ada, None).await), ([1; 9], [0; 9]));
}

/// Nothing comes to refer to a contact that was merged: whoever tries is told the survivor.
pub async fn reference_to_a_merged_contact_is_refused(stage: Stage) {
    async fn refused<E: Record>(desk: &Desk, body: Value, survivor: EntityId, pointer: &str) {
        let error = desk.of::<E>().create_from(body.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (Conflict, Some(pointer)), "{body}");
        assert_eq!(error.details(), Some(&json!({ "survivor_id": survivor })), "{body}");
    }
    let desk = Desk::new(&stage);
    let (ada, double) = (person(&desk, "Ada").await, person(&desk, "A. King").await);
    let Referring { event, deal, project, .. } = Referring::to(&desk, ada).await;
    let deals = desk.of::<Deal>();
    deals.add_contact(deal, DealContact::new(double)).await.unwrap();
    desk.of::<Contact>().merge(ada, &Merge::of([double])).await.unwrap();
    let desk = &desk;
    refused::<Deal>(desk, json!({ "name": "x", "contact_id": double }), ada, "/contact_id").await;
    refused::<Deal>(desk, json!({ "name": "x", "organization_id": double }), ada, "/organization_id").await;
    let links = json!({ "name": "x", "contacts": [{ "contact_id": double }] });
    refused::<Deal>(desk, links, ada, "/contacts/0/contact_id").await;
    refused::<Task>(desk, json!({ "title": "x", "assignee_id": double }), ada, "/assignee_id").await;
    refused::<Task>(desk, json!({ "title": "x", "creator_id": double }), ada, "/creator_id").await;
    let member = json!({ "project_id": project, "contact_id": double, "role": "lead" });
    refused::<ProjectMember>(desk, member, ada, "/contact_id").await;
    let attendee = json!({ "event_id": event, "email": "b@x.org", "contact_id": double });
    refused::<Attendee>(desk, attendee, ada, "/contact_id").await;
    let link = json!({ "event_id": event, "entity_type": "contact", "entity_id": double });
    refused::<EventLink>(desk, link, ada, "/entity_id").await;
    let added = deals.add_contact(deal, DealContact::new(double)).await;
    assert_eq!(refusal(added), (Conflict, "/contact_id".to_owned()));
    let removed = deals.remove_contact(deal, double).await.unwrap_err();
    assert_eq!(removed.details(), Some(&json!({ "survivor_id": ada })));
    deals.remove_contact(deal, ada).await.unwrap();
}

/// A walk over what a contact has goes on when that is merged meanwhile, and its cursor is good for no other contact.
pub async fn walk_goes_on_when_its_contact_is_merged(stage: Stage) {
    let desk = Desk::new(&stage);
    let (ada, double) = (person(&desk, "Ada").await, person(&desk, "A. King").await);
    let interactions = desk.of::<Interaction>();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(interactions.log(double, call()).await.unwrap().id);
        desk.wait(1);
    }
    let of = |contact| InteractionFilter { contact_id: Some(contact), ..InteractionFilter::default() };
    let first = interactions.list(of(double)).limit(2).await.unwrap();
    let cursor = first.next_cursor.unwrap();
    let foreign = interactions.list(of(ada)).limit(2).after(cursor.clone()).await;
    assert_eq!(refusal(foreign).0, InvalidCursor);
    desk.of::<Contact>().merge(ada, &Merge::of([double])).await.unwrap();
    let second = interactions.list(of(double)).limit(2).after(cursor.clone()).await.unwrap();
    desk.wait(1);
    desk.of::<Contact>().unmerge(ada, double).await.unwrap();
    let third = interactions.list(of(double)).limit(2).after(second.next_cursor.unwrap()).await.unwrap();
    let seen: Vec<_> = [first.data, second.data, third.data].into_iter().flatten().map(|one| one.id).collect();
    assert_eq!(seen, ids);
    // Neither is that of one group good for another.
    let group = async |name: &str| desk.create::<Group>(json!({ "name": name })).await.id;
    let groups = [group("a").await, group("b").await];
    for group in groups {
        for contact in [ada, double] {
            desk.of::<Group>().add_member(group, contact).await.unwrap();
        }
    }
    let of = |group| ContactFilter { group_id: Some(group), ..ContactFilter::default() };
    let contacts = desk.of::<Contact>();
    let cursor = contacts.list(of(groups[0])).limit(1).await.unwrap().next_cursor.unwrap();
    assert_eq!(refusal(contacts.list(of(groups[1])).limit(1).after(cursor.clone()).await).0, InvalidCursor);
    assert_eq!(contacts.list(of(groups[0])).limit(1).after(cursor).await.unwrap().data[0].id, double);
}
