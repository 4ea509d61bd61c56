use serde_json::{Value, json};

use crate::entity::Kind;
use crate::entity::affiliation::Affiliation;
use crate::entity::contact::{Channel, ChannelKind, Contact};
use crate::entity::group::Group;
use crate::entity::group_member::GroupMember;
use crate::entity::task::Task;
use crate::pim::contacts::{ContactFilter, GroupMemberFilter};
use crate::pim::tasks::TaskFilter;
use crate::pim::{MOST_TOGETHER, Record};
use crate::store::{Changes, EntityKey, Provenance};
use crate::{Clock as _, EntityId, ErrorKind};

use super::super::Stage;
use super::super::desk::{Desk, refusal};

/// A field that a body has and its kind does not, or the other way round, is named as one that is wrong.
pub async fn unknown_and_missing_fields_are_named(stage: Stage) {
    async fn refused<E: Record>(desk: &Desk, body: Value, pointer: &str) {
        let refused = refusal(desk.of::<E>().create_from(body.clone()).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, pointer.to_owned()), "{body}");
    }
    let desk = &Desk::new(&stage);
    refused::<Contact>(desk, json!({ "display_name": "x", "shoe": 1 }), "/shoe").await;
    refused::<Contact>(desk, json!({ "display_name": "x", "dates": [{ "year": 1 }] }), "/dates/0/date_type").await;
    refused::<Contact>(desk, json!({ "display_name": "x", "a~/b": 1 }), "/a~0~1b").await;
    refused::<Affiliation>(desk, json!({}), "/contact_id").await;
    refused::<Task>(desk, json!({ "priority": 1 }), "/title").await;
    refused::<Task>(desk, json!({ "title": "x", "due": "2026-04-14" }), "/due").await;
    let ada = desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let contacts = desk.of::<Contact>();
    let patched = contacts.update(ada, json!({ "display_name": "x", "nick_name": null, "shoe": 1 })).await;
    assert_eq!(
        refusal(patched),
        (ErrorKind::InvalidRequest, "/nick_name".to_owned()),
        "nothing is taken away silently"
    );
    let patched = contacts.update(ada, json!({ "nickname": null, "tags": null, "shoe": 1 })).await;
    assert_eq!(refusal(patched), (ErrorKind::InvalidRequest, "/shoe".to_owned()));
    let mail: Channel = contacts.add(ada, json!({ "type": "email", "value": "a@x.org" })).await.unwrap();
    let patched = contacts.change::<Channel>(ada, mail.id, json!({ "lable": null })).await;
    assert_eq!(refusal(patched), (ErrorKind::InvalidRequest, "/lable".to_owned()));
    contacts.change::<Channel>(ada, mail.id, json!({ "label": null })).await.unwrap();
}

/// A text with a NUL is refused as a filter too, since nothing could have it.
pub async fn filter_with_a_nul_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let place = |name: &str| (ErrorKind::InvalidRequest, name.to_owned());
    let tag = ContactFilter { tag: Some("a\0".to_owned()), ..ContactFilter::default() };
    assert_eq!(refusal(desk.of::<Contact>().list(tag).await), place("/tag"));
    let label = TaskFilter { label: Some("\0".to_owned()), ..TaskFilter::default() };
    assert_eq!(refusal(desk.of::<Task>().list(label).await), place("/label"));
    assert_eq!(refusal(desk.of::<Task>().by_identifier("API-1\0").await), place("/identifier"));
    let found = desk.of::<Contact>().find_by_channel(ChannelKind::Custom, "a\0").await;
    assert_eq!(refusal(found), place("/value"));
    let nobody = desk.of::<Contact>().list(ContactFilter::default()).search("\0").await;
    assert!(nobody.unwrap().data.is_empty());
}

/// What would concern more entities than are read or written together is refused as a whole, and one fewer is not.
pub async fn what_concerns_too_many_is_refused(stage: Stage) {
    let desk = Desk::new(&stage);
    let (groups, members) = (desk.of::<Group>(), desk.of::<GroupMember>());
    let group = desk.create::<Group>(json!({ "name": "Everybody" })).await.id;
    let id = |n: usize| -> EntityId { format!("0194a8b3-7e5a-77c1-9d0f-{n:012x}").parse().unwrap() };
    let mut changes = Changes::none();
    for n in 0..=MOST_TOGETHER {
        let body = json!({ "group_id": group, "contact_id": id(n), "metadata": {} });
        changes = changes.create(EntityKey::new(Kind::GroupMember, id(n)), body);
    }
    let now = desk.clock.now();
    desk.pim.store().apply(desk.tenant, changes, Provenance::new("t", "t"), now).await.unwrap();
    let all = || members.list(GroupMemberFilter { group_id: Some(group), ..GroupMemberFilter::default() });
    assert_eq!(refusal(all().all().await).0, ErrorKind::Conflict);
    let by_group = ContactFilter { group_id: Some(group), ..ContactFilter::default() };
    let refused = desk.of::<Contact>().list(by_group).await;
    assert_eq!(refusal(refused), (ErrorKind::Conflict, "/group_id".to_owned()));
    assert_eq!(refusal(groups.delete(group).await).0, ErrorKind::Conflict);
    assert!(groups.get(group).await.is_ok() && !all().limit(1).await.unwrap().data.is_empty(), "nothing ended");
    members.delete(id(0)).await.unwrap();
    assert_eq!(all().all().await.unwrap().len(), MOST_TOGETHER);
    groups.delete(group).await.unwrap();
    assert!(all().limit(1).await.unwrap().data.is_empty());
}
