use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::entity::Kind;
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::Contact;
use crate::entity::group::Group;
use crate::entity::interaction::Interaction;
use crate::entity::relationship::Relationship;
use crate::store::{Changes, EntityKey, ListQuery, Provenance};
use crate::{Clock as _, EntityId, PageRequest, Timestamp};

use super::super::desk::Desk;

/// An id that nothing has unless a scenario gives it.
pub(super) fn id(n: u8) -> EntityId {
    format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}").parse().unwrap()
}

/// A new contact of which the name is known.
pub(super) async fn person(desk: &Desk, name: &str) -> EntityId {
    desk.create::<Contact>(json!({ "display_name": name })).await.id
}

/// A moment after all that was written and before what will be.
pub(super) fn settled(desk: &Desk) -> Timestamp {
    // Commits of one moment are stamped one after the other.
    desk.wait(1);
    desk.wait(1)
}

/// Two contacts who are one and the same, and everything that refers to them.
pub(super) struct Town {
    pub(super) ada: EntityId,
    pub(super) double: EntityId,
    pub(super) bob: EntityId,
    pub(super) acme: EntityId,
    pub(super) group: EntityId,
}

impl Town {
    pub(super) async fn build(desk: &Desk) -> Self {
        let ada = desk.create::<Contact>(json!({
            "display_name": "Ada", "family_name": "King", "tags": ["math"], "metadata": { "shoe": 37, "eyes": "brown" },
            "channels": [{ "type": "email", "value": "ada@x.org", "is_primary": true }],
        }));
        let ada = ada.await.id;
        let double = desk.create::<Contact>(json!({
            "display_name": "A. King", "nickname": "Countess", "vcard_uid": "u2", "tags": ["engines", "math"],
            "metadata": { "shoe": 38, "hat": 54, "none": null },
            "channels": [
                { "type": "email", "value": "ADA@x.org" },
                { "type": "email", "value": "countess@x.org", "is_primary": true },
                { "type": "phone", "value": "+442079460958", "is_primary": true },
            ],
            "addresses": [{ "city": "London", "is_primary": true }],
            "dates": [{ "date_type": "birthday", "year": 1815 }],
        }));
        let double = double.await.id;
        let bob = person(desk, "Bob").await;
        let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
        let group = desk.create::<Group>(json!({ "name": "Newsletter" })).await.id;
        let other = desk.create::<Group>(json!({ "name": "Friends" })).await.id;
        for (contact, title) in [(ada, "CTO"), (double, "CTO"), (double, "Founder")] {
            desk.create::<Affiliation>(json!({ "contact_id": contact, "organization_id": acme, "title": title })).await;
        }
        for (one, kind, two) in [
            (ada, "friend", bob),
            (bob, "friend", double),
            (double, "mentor", bob),
            (ada, "works_with", double),
            (bob, "reports_to", double),
        ] {
            let body = json!({ "contact_id": one, "related_contact_id": two, "type": kind });
            desk.create::<Relationship>(body).await;
        }
        for (group, contact) in [(group, ada), (group, double), (other, double)] {
            desk.of::<Group>().add_member(group, contact).await.unwrap();
        }
        for contacts in [json!([double]), json!([ada, double, bob]), json!([bob])] {
            let body = json!({ "type": "call", "occurred_at": "2026-04-01T10:00:00Z", "summary": "x",
                               "contact_ids": contacts });
            desk.create::<Interaction>(body).await;
        }
        elsewhere(desk, ada, double, bob).await;
        Self { ada, double, bob, acme, group }
    }
}

/// What other parts of the data have that refers to contacts, as it is stored.
async fn elsewhere(desk: &Desk, ada: EntityId, double: EntityId, bob: EntityId) {
    let bodies = [
        (
            Kind::Deal,
            json!({
                "name": "Roof", "pipeline_id": id(1), "stage_id": id(2),
                "contact_id": double, "organization_id": double,
                "contacts": [
                    { "contact_id": double, "is_primary": true, "role": "buyer" },
                    { "contact_id": bob, "is_primary": false, "introduced_by": double },
                    { "contact_id": ada, "is_primary": false, "role": "payer", "introduced_by": double },
                ],
                "metadata": {},
            }),
        ),
        (
            Kind::Deal,
            json!({ "name": "Wall", "pipeline_id": id(1), "stage_id": id(2), "contact_id": bob, "contacts": [],
                             "metadata": {} }),
        ),
        (Kind::Task, json!({ "title": "Call", "assignee_id": double, "creator_id": ada })),
        (Kind::ProjectMember, json!({ "project_id": id(3), "contact_id": ada, "role": "lead", "metadata": {} })),
        (Kind::ProjectMember, json!({ "project_id": id(3), "contact_id": double, "role": "guest", "metadata": {} })),
        (
            Kind::Event,
            json!({ "calendar_id": id(4), "title": "Lunch", "start_at": "2026-05-01T10:00:00Z",
                              "end_at": "2026-05-01T11:00:00Z", "organizer_id": double }),
        ),
        (Kind::Attendee, json!({ "event_id": id(5), "email": "ada@x.org", "contact_id": double })),
        (Kind::EventLink, json!({ "event_id": id(5), "entity_type": "contact", "entity_id": double, "metadata": {} })),
        (Kind::EventLink, json!({ "event_id": id(5), "entity_type": "contact", "entity_id": ada, "metadata": {} })),
        (
            Kind::NoteLink,
            json!({ "note_id": id(6), "target_type": "contact", "target_id": double, "is_manual": true,
                                 "metadata": {} }),
        ),
        (Kind::Project, json!({ "identifier": "API", "name": "API" })),
        (Kind::Note, json!({ "title": "Ada" })),
    ];
    let mut changes = Changes::none();
    for (at, (kind, body)) in (100..).zip(bodies) {
        // What is referred to beside contacts has an id of its own.
        let at = match kind {
            Kind::Project => 3,
            Kind::Note => 6,
            _ => at,
        };
        changes = changes.create(EntityKey::new(kind, id(at)), body);
    }
    let event = json!({ "calendar_id": id(4), "title": "Dinner", "start_at": "2026-05-02T10:00:00Z",
                        "end_at": "2026-05-02T11:00:00Z" });
    changes = changes.create(EntityKey::new(Kind::Event, id(5)), event);
    desk.pim.store().apply(desk.tenant, changes, Provenance::new("t", "t"), desk.clock.now()).await.unwrap();
}

/// The body of everything that exists.
pub(super) async fn everything(desk: &Desk) -> BTreeMap<EntityKey, Value> {
    let mut found = BTreeMap::new();
    for kind in Kind::ALL {
        let query = ListQuery { page: PageRequest::largest(None), ..ListQuery::new(*kind) };
        let page = desk.pim.store().list(desk.tenant, query, desk.clock.now()).await.unwrap();
        assert!(!page.has_more);
        found.extend(page.data.into_iter().map(|version| (version.key, version.slice.body.unwrap())));
    }
    found
}

/// Those that mention an id anywhere but in what a contact keeps of its merges.
pub(super) async fn mentioning(desk: &Desk, id: EntityId) -> Vec<EntityKey> {
    let mentions = |(key, body): (EntityKey, Value)| {
        let is_in = key.kind != Kind::Contact && body.to_string().contains(&id.to_string());
        is_in.then_some(key)
    };
    everything(desk).await.into_iter().filter_map(mentions).collect()
}
