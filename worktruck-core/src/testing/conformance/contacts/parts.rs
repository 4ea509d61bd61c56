use serde_json::{Value, json};

use crate::ErrorKind::{Conflict, InvalidRequest, NotFound, VersionMismatch};
use crate::entity::Locale;
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::{Address, Channel, ChannelKind, Contact, ContactDate};
use crate::entity::group::Group;
use crate::pim::Stored;
use crate::pim::contacts::{ContactFilter, ContactSort};

use super::super::Stage;
use super::super::desk::{Desk, refusal};
use super::town::settled;

fn names(contacts: Vec<Stored<Contact>>) -> Vec<String> {
    contacts.into_iter().map(|contact| contact.data.display_name).collect()
}

/// Channels, addresses and dates need no ids, and keep those that they have where they stay what they are.
pub async fn parts_need_no_ids(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk
        .create::<Contact>(json!({
            "display_name": "Ada",
            "channels": [
                { "type": "email", "value": "Ada@X.org", "canonical_value": "eve@x.org" },
                { "id": null, "type": "custom", "label": "matrix", "value": "@ada" },
                { "type": "custom", "label": "irc", "value": "@ada" },
            ],
            "addresses": [{ "city": "London" }, { "city": "Paris" }],
            "dates": [{ "date_type": "birthday", "month": 12, "day": 10 }, { "date_type": "wedding", "year": 1835 }],
        }))
        .await;
    assert_eq!(ada.data.channels[0].canonical_value, "ada@x.org");
    let then = settled(&desk);
    let Contact { channels, addresses, dates, .. } = &ada.data;
    let changed = contacts
        .update(
            ada.id,
            json!({
                "channels": [
                    { "type": "custom", "label": "irc", "value": " @ada", "canonical_value": 7 },
                    { "type": "phone", "value": "+442079460958" },
                    { "type": "email", "value": "mailto:ADA@x.org", "is_verified": true },
                    { "id": channels[1].id, "type": "url", "value": "https://x.org" },
                ],
                "addresses": [{ "city": "Paris" }, { "city": "Rome" }, { "city": "London", "label": "work" }],
                "dates": [{ "date_type": "wedding", "year": 1835, "month": 7 }, { "date_type": "death", "year": 1852 }],
            }),
        )
        .await
        .unwrap();
    let ids: Vec<_> = changed.data.channels.iter().map(|channel| channel.id).collect();
    assert_eq!((ids[0], ids[2], ids[3]), (channels[2].id, channels[0].id, channels[1].id));
    assert!(channels.iter().all(|channel| channel.id != ids[1]));
    let ids: Vec<_> = changed.data.addresses.iter().map(|address| address.id).collect();
    assert_eq!(ids[0], addresses[1].id, "the same content");
    assert!(!ids[1..].contains(&addresses[1].id), "no id is given twice");
    assert_eq!(changed.data.dates[0].id, dates[1].id);
    assert!(dates.iter().all(|date| date.id != changed.data.dates[1].id));
    let moved = contacts.update(ada.id, json!({ "addresses": [{ "city": "Lyon" }] })).await.unwrap();
    assert_eq!(moved.data.addresses[0].id, ids[0], "at the same place");
    assert_eq!(contacts.clone().as_of(then).get(ada.id).await.unwrap().data, ada.data);
    let again =
        json!({ "channels": [{ "type": "email", "value": "a@x.org" }, { "type": "email", "value": "A@X.ORG" }] });
    let refused = contacts.update(ada.id, again).await;
    assert_eq!(refusal(refused), (Conflict, "/channels/1/value".to_owned()));
    let refused =
        contacts.create_from(json!({ "display_name": "x", "dates": [{ "date_type": "x", "month": 13 }] })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/dates/0/month".to_owned()));
    assert_eq!(contacts.get(ada.id).await.unwrap(), moved, "what is refused changes nothing");
}

/// A channel, an address and a date are added, changed and removed one at a time.
pub async fn part_is_added_changed_and_removed(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let mail: Channel = contacts.add(ada.id, json!({ "type": "email", "value": "Ada@x.org" })).await.unwrap();
    let home: Address = contacts.add(ada.id, json!({ "city": "London", "country_code": "gb" })).await.unwrap();
    let born: ContactDate = contacts.add(ada.id, json!({ "date_type": "birthday", "year": 1815 })).await.unwrap();
    assert_eq!((mail.canonical_value.as_str(), home.country_code.as_deref()), ("ada@x.org", Some("GB")));
    let then = settled(&desk);
    let changed: Channel =
        contacts.change(ada.id, mail.id, json!({ "value": "ada@y.org", "label": "home" })).await.unwrap();
    assert_eq!((changed.id, changed.canonical_value.as_str()), (mail.id, "ada@y.org"));
    let cleared: Channel = contacts.change(ada.id, mail.id, json!({ "label": null })).await.unwrap();
    assert_eq!(cleared.label, None);
    contacts.change::<ContactDate>(ada.id, born.id, json!({ "month": 12 })).await.unwrap();
    contacts.remove::<Address>(ada.id, home.id).await.unwrap();
    let now = contacts.get(ada.id).await.unwrap();
    assert_eq!((now.data.addresses.len(), now.data.dates[0].month), (0, Some(12)));
    let past = contacts.clone().as_of(then).get(ada.id).await.unwrap().data;
    assert_eq!(
        (past.channels, past.addresses, past.dates),
        (vec![mail.clone()], vec![home.clone()], vec![born.clone()])
    );

    let add = async |body: Value| refusal(contacts.add::<Channel>(ada.id, body).await);
    for (body, kind, pointer) in [
        (json!({ "type": "email", "value": "ADA@Y.org" }), Conflict, "/value"),
        (json!({ "type": "email", "value": "nobody" }), InvalidRequest, "/value"),
        (json!({ "type": "fax", "value": "x" }), InvalidRequest, "/type"),
        (json!({ "value": "x" }), InvalidRequest, "/type"),
        (json!({ "type": "email", "value": "b@x.org", "id": mail.id }), InvalidRequest, "/id"),
        (json!([]), InvalidRequest, ""),
    ] {
        assert_eq!(add(body.clone()).await, (kind, pointer.to_owned()), "{body}");
    }
    let refused = contacts.change::<Channel>(ada.id, mail.id, json!({ "id": home.id })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/id".to_owned()));
    let refused = contacts.change::<ContactDate>(ada.id, born.id, json!({ "month": 13 })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/month".to_owned()));
    assert_eq!(refusal(contacts.remove::<Address>(ada.id, home.id).await).0, NotFound);
    assert_eq!(refusal(contacts.change::<Address>(ada.id, mail.id, json!({})).await).0, NotFound);
    assert_eq!(refusal(contacts.clone().if_version(1).remove::<Channel>(ada.id, mail.id).await).0, VersionMismatch);
    assert_eq!(contacts.get(ada.id).await.unwrap(), now);
    contacts.delete(ada.id).await.unwrap();
    assert_eq!(add(json!({ "type": "email", "value": "a@x.org" })).await.0, NotFound);
}

/// Parts that many add at once are all there.
pub async fn parts_added_at_once_are_all_kept(stage: Stage) {
    let desk = Desk::new(&stage);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let contacts = desk.of::<Contact>();
    let writers = contacts.clone();
    stage
        .in_parallel(8, move |n, _| {
            let contacts = writers.clone();
            Box::pin(async move {
                let body = json!({ "type": "email", "value": format!("a{n}@x.org") });
                contacts.add::<Channel>(ada.id, body).await.unwrap();
                contacts.tag(ada.id, &format!("t{n}")).await.unwrap();
            })
        })
        .await;
    let ada = contacts.get(ada.id).await.unwrap().data;
    assert_eq!((ada.channels.len(), ada.tags.len()), (8, 8));
}

/// A tag is put and taken as often as one likes.
pub async fn tag_is_put_and_taken_idempotently(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada", "tags": ["b"] })).await;
    assert_eq!(contacts.tag(ada.id, " a ").await.unwrap().data.tags, ["a", "b"]);
    assert_eq!(contacts.tag(ada.id, "a").await.unwrap().version(), 2, "nothing is written");
    assert_eq!(contacts.untag(ada.id, "b").await.unwrap().data.tags, ["a"]);
    assert_eq!(contacts.untag(ada.id, "b").await.unwrap().version(), 3);
    for name in [" ", "a\0", &"x".repeat(513)] {
        assert_eq!(refusal(contacts.tag(ada.id, name).await), (InvalidRequest, "/name".to_owned()));
    }
    assert_eq!(refusal(contacts.clone().if_version(1).tag(ada.id, "c").await).0, VersionMismatch);
    contacts.delete(ada.id).await.unwrap();
    assert_eq!(refusal(contacts.tag(ada.id, "a").await).0, NotFound);
    assert_eq!(refusal(contacts.untag(ada.id, "a").await).0, NotFound);
}

/// A contact is found by a channel however that is spelled, the oldest of those that share it, at any moment.
pub async fn contact_is_found_by_channel(stage: Stage) {
    let mut desk = Desk::new(&stage);
    desk.locale = Locale { region: Some("US".parse().unwrap()), ..Locale::default() };
    let contacts = desk.of::<Contact>();
    let phone = |value: &str| json!([{ "type": "phone", "value": value }, { "type": "twitter", "value": "@Ada" }]);
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada", "channels": phone("(415) 555-0100") })).await;
    desk.wait(1);
    let bob = desk.create::<Contact>(json!({ "display_name": "Bob", "channels": phone("+1 415 555 0100") })).await;
    let then = settled(&desk);
    let find = async |kind, value| contacts.find_by_channel(kind, value).await;
    assert_eq!(find(ChannelKind::Phone, "415.555.0100").await.unwrap().id, ada.id);
    assert_eq!(find(ChannelKind::Twitter, "https://x.com/ada").await.unwrap().id, ada.id);
    assert_eq!(refusal(find(ChannelKind::Email, "ada@x.org").await).0, NotFound);
    assert_eq!(refusal(find(ChannelKind::Url, "@ada").await).0, NotFound);
    contacts.delete(ada.id).await.unwrap();
    assert_eq!(find(ChannelKind::Phone, "415 555 0100").await.unwrap().id, bob.id);
    contacts.update(bob.id, json!({ "channels": [] })).await.unwrap();
    assert_eq!(refusal(find(ChannelKind::Phone, "415 555 0100").await).0, NotFound);
    let past = contacts.clone().as_of(then);
    assert_eq!(past.find_by_channel(ChannelKind::Phone, "415 555 0100").await.unwrap().id, ada.id);
}

/// Lists of contacts are filtered by group, organization, kind and tag together, at any moment.
pub async fn contacts_are_filtered_by_group_and_organization(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let acme = desk.create::<Contact>(json!({ "display_name": "Acme", "kind": "organization" })).await.id;
    let group = desk.create::<Group>(json!({ "name": "Newsletter" })).await.id;
    let mut ids = Vec::new();
    for (name, tag) in [("Cyd", "a"), ("Ada", "a"), ("Bob", "b"), ("Dan", "a")] {
        desk.wait(1);
        ids.push(desk.create::<Contact>(json!({ "display_name": name, "tags": [tag] })).await.id);
    }
    for id in &ids[..3] {
        desk.of::<Group>().add_member(group, *id).await.unwrap();
    }
    for id in &ids[1..] {
        desk.create::<Affiliation>(json!({ "contact_id": id, "organization_id": acme })).await;
    }
    let then = settled(&desk);
    let by_group = ContactFilter { group_id: Some(group), ..ContactFilter::default() };
    let by_both = ContactFilter { organization_id: Some(acme), ..by_group.clone() };
    let by_tag = ContactFilter { tag: Some("a".to_owned()), organization_id: Some(acme), ..ContactFilter::default() };
    let list = contacts.list(by_group.clone()).sort(ContactSort::DisplayName).await.unwrap();
    assert_eq!(names(list.data), ["Ada", "Bob", "Cyd"]);
    assert_eq!(names(contacts.list(by_both.clone()).all().await.unwrap()), ["Ada", "Bob"]);
    assert_eq!(names(contacts.list(by_tag).all().await.unwrap()), ["Ada", "Dan"]);
    assert_eq!(names(contacts.list(by_group.clone()).search("cy").all().await.unwrap()), ["Cyd"]);
    let first = contacts.list(by_group.clone()).limit(2).await.unwrap();
    let rest = contacts.list(by_group).limit(2).after(first.next_cursor.unwrap()).await.unwrap();
    assert_eq!(
        (names(first.data), names(rest.data)),
        (vec!["Cyd".to_owned(), "Ada".to_owned()], vec!["Bob".to_owned()])
    );
    desk.of::<Group>().remove_member(group, ids[1]).await.unwrap();
    assert_eq!(names(contacts.list(by_both.clone()).all().await.unwrap()), ["Bob"]);
    assert_eq!(names(contacts.clone().as_of(then).list(by_both).all().await.unwrap()), ["Ada", "Bob"]);
    let nobody = ContactFilter { group_id: Some(acme), ..ContactFilter::default() };
    assert!(contacts.list(nobody).await.unwrap().data.is_empty());
}

/// Which contacts were merged into one is not for a write to say.
pub async fn merged_ids_are_not_written(stage: Stage) {
    let desk = Desk::new(&stage);
    let contacts = desk.of::<Contact>();
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await;
    let refused = contacts.create_from(json!({ "display_name": "x", "merged_ids": [ada.id] })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/merged_ids".to_owned()));
    let refused = contacts.update(ada.id, json!({ "merged_ids": [ada.id] })).await;
    assert_eq!(refusal(refused), (InvalidRequest, "/merged_ids".to_owned()));
    contacts.update(ada.id, json!({ "merged_ids": [] })).await.unwrap();
}
