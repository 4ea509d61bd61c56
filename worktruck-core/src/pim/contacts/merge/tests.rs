use std::collections::BTreeSet;

use super::references::{REFERENCES, rewritten};
use super::*;
use crate::entity::Kind;
use serde_json::{Value, json};

fn id(n: u8) -> EntityId {
    format!("0194a8b3-7e5a-77c1-9d0f-0000000000{n:02x}").parse().unwrap()
}

#[test]
fn references_are_rewritten_wherever_they_are() {
    let (gone, survivor) = ([id(2), id(3)], id(1));
    let table = [
        (json!({ "contact_id": id(2), "title": "x" }), json!({ "contact_id": id(1), "title": "x" })),
        (
            json!({ "organization_id": id(3), "assignee_id": id(4) }),
            json!({ "organization_id": id(1), "assignee_id": id(4) }),
        ),
        (json!({ "creator_id": id(2), "organizer_id": id(3) }), json!({ "creator_id": id(1), "organizer_id": id(1) })),
        (json!({ "contact_ids": [id(2), id(4), id(1), id(3)] }), json!({ "contact_ids": [id(1), id(4)] })),
        (
            json!({ "contacts": [
                { "contact_id": id(1), "is_primary": false, "role": "buyer" },
                { "contact_id": id(2), "is_primary": true },
                { "contact_id": id(5), "introduced_by": id(3) },
            ] }),
            json!({ "contacts": [
                { "contact_id": id(1), "is_primary": true, "role": "buyer" },
                { "contact_id": id(5), "introduced_by": id(1) },
            ] }),
        ),
        (
            json!({ "contacts": [{ "contact_id": id(1), "introduced_by": id(2) }] }),
            json!({ "contacts": [{ "contact_id": id(1) }] }),
        ),
        (
            json!({ "title": id(2), "metadata": { "contact_id": id(2) } }),
            json!({ "title": id(2), "metadata": { "contact_id": id(2) } }),
        ),
        (json!({ "assignee_id": null }), json!({ "assignee_id": null })),
    ];
    for (body, expected) in table {
        assert_eq!(rewritten(&body, &gone, survivor), expected, "{body}");
    }
}

#[test]
fn every_kind_is_named_once() {
    let kinds: BTreeSet<Kind> = REFERENCES.iter().map(|reference| reference.kind).collect();
    assert_eq!(kinds.len(), REFERENCES.len());
}

fn contact(fields: &Value) -> Contact {
    let mut contact: Contact = crate::entity::parse(fields).unwrap();
    contact.normalise(None).unwrap();
    contact
}

fn item(n: u8) -> String {
    format!("0194a8b3-7e5a-77c1-9d0f-0000000001{n:02x}")
}

#[test]
fn the_whole_has_what_each_has() {
    let ada = contact(&json!({
        "display_name": "Ada", "tags": ["a"], "metadata": { "x": 1, "y": 1 },
        "channels": [{ "id": item(1), "type": "email", "value": "a@x.org", "is_primary": true }],
    }));
    let ada2 = contact(&json!({
        "display_name": "A. King", "nickname": "Countess", "tags": ["b"], "vcard_uid": "u2",
        "metadata": { "y": 2, "z": 3 },
        "channels": [
            { "id": item(2), "type": "email", "value": "A@X.org" },
            { "id": item(1), "type": "email", "value": "b@x.org", "is_primary": true },
            { "id": item(4), "type": "url", "value": "https://x.org", "is_primary": true },
        ],
        "addresses": [{ "id": item(5), "city": "London", "is_primary": true }],
        "dates": [{ "id": item(6), "date_type": "birthday", "month": 12 }],
    }));
    let whole = combine((id(1), &ada), &[(id(2), &ada2)], &BTreeMap::new()).unwrap();
    let channels: Vec<_> = whole.channels.iter().map(|c| (c.canonical_value.as_str(), c.is_primary)).collect();
    assert_eq!(channels, [("a@x.org", true), ("b@x.org", false), ("https://x.org", true)]);
    assert_ne!(whole.channels[1].id, whole.channels[0].id, "an id that was used twice is one no more");
    assert_eq!((whole.display_name.as_str(), whole.nickname.as_deref()), ("Ada", Some("Countess")));
    assert_eq!((whole.tags.clone(), whole.merged_ids.clone()), (vec!["a".to_owned(), "b".to_owned()], vec![id(2)]));
    assert_eq!((whole.addresses.len(), whole.dates.len()), (1, 1));
    let lost = json!({ (id(2).to_string()): { "display_name": "A. King", "metadata": { "y": 2 } } });
    assert_eq!(json!(whole.metadata), json!({ "x": 1, "y": 1, "z": 3, "_merged": lost }));
    let prefer = BTreeMap::from([("display_name".to_owned(), id(2))]);
    let whole = combine((id(1), &ada), &[(id(2), &ada2)], &prefer).unwrap();
    assert_eq!(whole.display_name, "A. King");
    assert_eq!(whole.metadata["_merged"][id(1).to_string()], json!({ "display_name": "Ada" }));
}

#[test]
fn a_card_of_what_was_merged_finds_the_survivor() {
    let one = contact(&json!({ "display_name": "Ada", "vcard_uid": "u1" }));
    let two = contact(&json!({ "display_name": "Ada", "vcard_uid": "u2" }));
    let whole = combine((id(1), &one), &[(id(2), &two)], &BTreeMap::new()).unwrap();
    let terms = whole.index().terms;
    let uids: Vec<_> = terms.iter().filter(|t| t.name == "vcard_uid").map(|t| t.value.as_str()).collect();
    assert_eq!(uids, ["u1", "u2"]);
    assert!(terms.iter().any(|term| term.name == "merged_id" && term.value == id(2).to_string()));
}
