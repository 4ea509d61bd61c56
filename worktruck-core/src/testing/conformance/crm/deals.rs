use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::entity::contact::Contact;
use crate::entity::deal::{Deal, DealContact};
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Probability, Stage as DealStage, StageType};
use crate::entity::stage_change::StageChange;
use crate::pim::Stored;
use crate::pim::crm::{DealDetail, DealFilter, DealSort, StageChangeFilter};
use crate::{EntityId, ErrorKind};

use super::super::Stage;
use super::{Desk, Shop, refusal, settled};

fn names(deals: &[Stored<Deal>]) -> Vec<&str> {
    deals.iter().map(|deal| deal.data.name.as_str()).collect()
}

/// Amounts come back digit by digit, and deals sort by them, negative ones too.
pub async fn amounts_of_deals_are_exact_and_sort(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let given = [
        ("a", json!("1500.00"), json!("1500.00")),
        ("b", json!("-20.5"), json!("-20.5")),
        ("c", json!(999_999_999_999_999_999_i64), json!("999999999999999999")),
        ("d", json!("0.1"), json!("0.1")),
        ("e", json!(19.99), json!("19.99")),
        ("f", json!("-3000"), json!("-3000")),
        ("g", Value::Null, Value::Null),
        ("h", json!("999999999999999999.999999"), json!("999999999999999999.999999")),
    ];
    for (name, amount, expected) in given {
        let deal = shop.desk.create::<Deal>(json!({ "name": name, "amount": amount })).await;
        assert_eq!(shop.deals().get(deal.id).await.unwrap().resource()["amount"], expected);
    }
    let deals = shop.deals();
    let sorted = deals.list(DealFilter::default()).sort(DealSort::Amount).all().await.unwrap();
    assert_eq!(names(&sorted), ["g", "f", "b", "d", "e", "a", "c", "h"]);
    let page = deals.list(DealFilter::default()).sort(DealSort::Amount).descending().limit(3).await.unwrap();
    assert_eq!(names(&page.data), ["h", "c", "a"]);
    for wrong in [json!(0.1 + 0.2), json!("1e3"), json!("1,5"), json!("0.0000001"), json!(true)] {
        let refused = refusal(deals.create_from(json!({ "name": "x", "amount": wrong })).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, "/amount".to_owned()), "{wrong}");
    }
    assert_eq!(deals.list(DealFilter::default()).all().await.unwrap().len(), 8);
}

/// A new deal is in the default pipeline and in the first of its stages, and in the pipeline's currency, unless it says
/// otherwise.
pub async fn deal_begins_in_the_first_stage_of_the_default_pipeline(stage: Stage) {
    let desk = Desk::new(&stage);
    let deals = desk.of::<Deal>();
    let refused = refusal(deals.create_from(json!({ "name": "x" })).await);
    assert_eq!(refused, (ErrorKind::InvalidRequest, "/pipeline_id".to_owned()), "there is no pipeline");
    let sales = desk.create::<Pipeline>(json!({ "name": "Sales", "currency": "EUR" })).await.id;
    let refused = refusal(deals.create_from(json!({ "name": "x" })).await);
    assert_eq!(refused, (ErrorKind::InvalidRequest, "/stage_id".to_owned()), "it has no stage");
    assert!(deals.list(DealFilter::default()).await.unwrap().data.is_empty());
    let second = desk.create::<DealStage>(json!({ "pipeline_id": sales, "name": "B", "position": 5 })).await.id;
    let first = desk.create::<DealStage>(json!({ "pipeline_id": sales, "name": "A", "position": 3 })).await.id;
    let other = desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let elsewhere = desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "C" })).await.id;
    for (fields, (pipeline, stage, currency)) in [
        (json!({}), (sales, first, json!("EUR"))),
        (json!({ "currency": "USD" }), (sales, first, json!("USD"))),
        (json!({ "stage_id": second }), (sales, second, json!("EUR"))),
        (json!({ "pipeline_id": other }), (other, elsewhere, Value::Null)),
        (json!({ "stage_id": elsewhere }), (other, elsewhere, Value::Null)),
        (json!({ "pipeline_id": other, "stage_id": elsewhere, "currency": "JPY" }), (other, elsewhere, json!("JPY"))),
    ] {
        let mut body = fields.clone();
        body["name"] = json!("x");
        let deal = desk.create::<Deal>(body).await;
        assert_eq!((deal.data.pipeline_id, deal.data.stage_id), (Some(pipeline), Some(stage)), "{fields}");
        assert_eq!(json!(deal.data.currency), currency, "{fields}");
    }
    let whole = Deal { name: "Typed".to_owned(), ..Deal::default() };
    assert_eq!(deals.create(whole).await.unwrap().data.stage_id, Some(first));
}

/// A deal with a wrong field or reference is refused at its place, and nothing is written.
pub async fn bad_deal_is_refused_at_its_place(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let foreign = shop.desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "x" })).await.id;
    let nobody: EntityId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap();
    let deals = shop.deals();
    let deal = shop.deal(json!({})).await;
    let wrong = [
        (json!({ "name": "" }), "/name"),
        (json!({ "currency": "eur" }), "/currency"),
        (json!({ "currency": "ABC" }), "/currency"),
        (json!({ "value_period": "weekly" }), "/value_period"),
        (json!({ "probability": 1.5 }), "/probability"),
        (json!({ "confidence": 101 }), "/confidence"),
        (json!({ "expected_close_date": "2026-02-30" }), "/expected_close_date"),
        (json!({ "pipeline_id": nobody }), "/pipeline_id"),
        (json!({ "stage_id": nobody }), "/stage_id"),
        (json!({ "stage_id": foreign, "pipeline_id": shop.pipeline }), "/stage_id"),
        (json!({ "contact_id": nobody }), "/contact_id"),
        (json!({ "organization_id": nobody }), "/organization_id"),
        (json!({ "contacts": [{ "contact_id": nobody }] }), "/contacts/0/contact_id"),
        (json!({ "contacts": [{}] }), "/contacts/0/contact_id"),
        (json!({ "price": 1 }), "/price"),
        (json!({ "lost_reason": "\0" }), "/lost_reason"),
    ];
    for (fields, pointer) in &wrong {
        let mut body = json!({ "name": "x" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let expected = (ErrorKind::InvalidRequest, (*pointer).to_owned());
        assert_eq!(refusal(deals.create_from(body).await), expected, "{fields}");
        assert_eq!(refusal(deals.update(deal.id, fields.clone()).await), expected, "{fields}");
    }
    for (patch, pointer) in [
        (json!({ "pipeline_id": other }), "/stage_id"),
        (json!({ "stage_id": foreign }), "/stage_id"),
        (json!({ "stage_id": null }), "/stage_id"),
    ] {
        let refused = refusal(deals.update(deal.id, patch.clone()).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, pointer.to_owned()), "{patch}");
    }
    assert_eq!(deals.list(DealFilter::default()).await.unwrap().data, [deal]);
    let changes = shop.desk.of::<StageChange>().list(StageChangeFilter::default()).await.unwrap();
    assert_eq!(changes.data.len(), 1, "only that of the one deal");
}

/// Deals are filtered by every field of the filter and sorted by date, at any moment.
pub async fn deals_are_filtered_at_any_moment(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let open = shop.desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "x" })).await.id;
    let ada = shop.desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let firm = shop.desk.create::<Contact>(json!({ "display_name": "Firm", "kind": "organization" })).await.id;
    for body in [
        json!({ "name": "a", "contact_id": ada, "expected_close_date": "2026-05-01" }),
        json!({ "name": "b", "stage_id": shop.talk, "contacts": [{ "contact_id": ada }] }),
        json!({ "name": "c", "stage_id": shop.won, "organization_id": firm, "expected_close_date": "2025-12-31" }),
        json!({ "name": "d", "stage_id": open, "expected_close_date": "2026-04-30" }),
    ] {
        shop.desk.create::<Deal>(body).await;
    }
    let deals = shop.deals();
    let all = DealFilter::default;
    let open_type = Some(StageType::Open);
    let filters = [
        (all(), vec!["a", "b", "c", "d"]),
        (DealFilter { pipeline_id: Some(shop.pipeline), ..all() }, vec!["a", "b", "c"]),
        (DealFilter { stage_id: Some(shop.talk), ..all() }, vec!["b"]),
        (DealFilter { stage_type: open_type, ..all() }, vec!["a", "b", "d"]),
        (DealFilter { stage_type: open_type, pipeline_id: Some(shop.pipeline), ..all() }, vec!["a", "b"]),
        (DealFilter { stage_type: Some(StageType::Won), ..all() }, vec!["c"]),
        (DealFilter { stage_type: Some(StageType::Won), pipeline_id: Some(other), ..all() }, vec![]),
        (DealFilter { stage_type: Some(StageType::Lost), ..all() }, vec![]),
        (DealFilter { contact_id: Some(ada), ..all() }, vec!["a", "b"]),
        (DealFilter { contact_id: Some(firm), ..all() }, vec![]),
        (DealFilter { organization_id: Some(firm), ..all() }, vec!["c"]),
    ];
    for (filter, expected) in &filters {
        assert_eq!(names(&deals.list(filter.clone()).await.unwrap().data), *expected, "{filter:?}");
    }
    let dated = deals.list(all()).sort(DealSort::ExpectedCloseDate).descending().all().await.unwrap();
    assert_eq!(names(&dated), ["a", "d", "c", "b"]);
    let then = settled(&shop.desk);
    for deal in dated {
        deals.delete(deal.id).await.unwrap();
    }
    shop.desk.of::<DealStage>().update(shop.lead, json!({ "stage_type": "lost" })).await.unwrap();
    assert!(deals.list(all()).await.unwrap().data.is_empty());
    for (filter, expected) in &filters {
        let found = deals.clone().as_of(then).list(filter.clone()).all().await.unwrap();
        assert_eq!(names(&found), *expected, "{filter:?}");
    }
}

/// A walk over the deals of a type of stage goes on when there are other stages of it, but for one that keeps its
/// moment, and its cursor is good for no other type.
pub async fn walk_over_open_deals_goes_on_when_stages_change(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let deals = shop.deals();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.deal(json!({})).await.id);
        shop.desk.wait(1);
    }
    let of = |stage_type| DealFilter { stage_type: Some(stage_type), ..DealFilter::default() };
    let first = deals.list(of(StageType::Open)).limit(2).await.unwrap();
    let cursor = first.next_cursor.unwrap();
    let foreign = deals.list(of(StageType::Won)).limit(2).after(cursor.clone()).await;
    assert_eq!(refusal(foreign).0, ErrorKind::InvalidCursor);
    let sorted = deals.list(of(StageType::Open)).sort(DealSort::Amount).limit(2).await.unwrap();
    shop.desk.create::<DealStage>(json!({ "pipeline_id": shop.pipeline, "name": "Offer" })).await;
    shop.desk.of::<DealStage>().delete(shop.talk).await.unwrap();
    let rest = deals.list(of(StageType::Open)).limit(2).after(cursor).await.unwrap();
    let seen: Vec<_> = first.data.iter().chain(&rest.data).map(|deal| deal.id).collect();
    assert_eq!((seen, rest.has_more), (ids, false));
    // Which stages were open at its moment is not known any more.
    let sorted = deals.list(of(StageType::Open)).sort(DealSort::Amount).limit(2).after(sorted.next_cursor.unwrap());
    assert_eq!(refusal(sorted.await).0, ErrorKind::InvalidCursor);
}

/// Deals are found by the words of their name, description, next step and source.
pub async fn deals_are_found_by_words(stage: Stage) {
    let shop = Shop::new(&stage).await;
    for body in [
        json!({ "name": "Roof of the barn", "description": "Slate", "lost_reason": "hidden" }),
        json!({ "name": "Barn door", "next_step": "Send the slate sample", "source": "Fair" }),
    ] {
        shop.desk.create::<Deal>(body).await;
    }
    let deals = shop.deals();
    for (words, expected) in
        [("roof", 1), ("BARN", 2), ("slate", 2), ("fair", 1), ("slate sam", 1), ("hidden", 0), ("roof fair", 0)]
    {
        let found = deals.list(DealFilter::default()).search(words).await.unwrap();
        assert_eq!(found.data.len(), expected, "{words}");
    }
}

/// Contacts are linked with a deal and unlinked, each once and at most one as the primary one.
pub async fn contacts_of_a_deal_are_linked_and_unlinked(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let ada = shop.desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let bob = shop.desk.create::<Contact>(json!({ "display_name": "Bob" })).await.id;
    let deals = shop.deals();
    let deal = shop.deal(json!({})).await;
    let role = Some("buyer".to_owned());
    let linked = DealContact { role, is_primary: true, ..DealContact::new(ada) };
    deals.add_contact(deal.id, linked).await.unwrap();
    let then = settled(&shop.desk);
    let second = DealContact { is_primary: true, introduced_by: Some(ada), ..DealContact::new(bob) };
    let deal = deals.add_contact(deal.id, second).await.unwrap();
    let contacts = json!([
        { "contact_id": ada, "role": "buyer", "is_primary": false },
        { "contact_id": bob, "is_primary": true, "introduced_by": ada },
    ]);
    assert_eq!(json!(deal.data.contacts), contacts);
    let of = |id| DealFilter { contact_id: Some(id), ..DealFilter::default() };
    assert_eq!(deals.list(of(bob)).await.unwrap().data.len(), 1);
    let stale = deals.clone().if_version(1);
    assert_eq!(refusal(stale.add_contact(deal.id, DealContact::new(bob)).await).0, ErrorKind::VersionMismatch);
    assert_eq!(refusal(stale.remove_contact(deal.id, ada).await).0, ErrorKind::VersionMismatch);
    let again = deals.add_contact(deal.id, DealContact::new(bob)).await;
    assert_eq!(refusal(again), (ErrorKind::Conflict, "/contact_id".to_owned()));
    let nobody = shop.pipeline;
    for (link, pointer) in [
        (DealContact::new(nobody), "/contact_id"),
        (DealContact { introduced_by: Some(nobody), ..DealContact::new(shop.lead) }, "/contact_id"),
    ] {
        let refused = refusal(deals.add_contact(deal.id, link).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
    deals.remove_contact(deal.id, ada).await.unwrap();
    assert!(deals.list(of(ada)).await.unwrap().data.is_empty());
    assert_eq!(refusal(deals.remove_contact(deal.id, ada).await).0, ErrorKind::NotFound);
    let link = DealContact { introduced_by: Some(nobody), ..DealContact::new(ada) };
    let refused = refusal(deals.add_contact(deal.id, link).await);
    assert_eq!(refused, (ErrorKind::InvalidRequest, "/introduced_by".to_owned()));
    let link = DealContact { role: Some("\0".to_owned()), ..DealContact::new(ada) };
    assert_eq!(refusal(deals.add_contact(deal.id, link).await), (ErrorKind::InvalidRequest, "/role".to_owned()));
    assert_eq!(refusal(deals.add_contact(ada, DealContact::new(ada)).await).0, ErrorKind::NotFound);
    let past = deals.as_of(then);
    assert_eq!(past.list(of(ada)).await.unwrap().data.len(), 1);
    assert!(past.get(deal.id).await.unwrap().data.contacts[0].is_primary);
}

/// Of contacts that are linked at the same time, none is lost and one is the primary one.
pub async fn contacts_linked_at_once_are_all_kept(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let deal = shop.deal(json!({})).await.id;
    let mut contacts = Vec::new();
    for n in 0..12 {
        contacts.push(shop.desk.create::<Contact>(json!({ "display_name": format!("{n}") })).await.id);
    }
    let linked = stage.in_parallel(12, |n, _| {
        let (deals, contact) = (shop.deals(), contacts[usize::try_from(n).unwrap()]);
        async move {
            deals.add_contact(deal, DealContact { is_primary: true, ..DealContact::new(contact) }).await.unwrap();
        }
        .boxed()
    });
    linked.await;
    let links = shop.deals().get(deal).await.unwrap().data.contacts;
    assert_eq!((links.len(), links.iter().filter(|link| link.is_primary).count()), (12, 1));
}

/// The detail of a deal names its pipeline and stage and says how likely it is, as of any moment.
pub async fn detail_of_a_deal_is_that_of_its_moment(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let ada = shop.desk.create::<Contact>(json!({ "display_name": "Ada" })).await.id;
    let deal = shop.deal(json!({ "contacts": [{ "contact_id": ada }] })).await.id;
    let deals = shop.deals();
    let detail = deals.detail(deal).await.unwrap();
    let mut shown = deals.get(deal).await.unwrap().resource();
    shown.as_object_mut().unwrap().extend([
        ("pipeline_name".to_owned(), json!("Sales")),
        ("stage_name".to_owned(), json!("Lead")),
        ("effective_probability".to_owned(), json!(0.1)),
    ]);
    assert_eq!(shown["contacts"], json!([{ "contact_id": ada, "is_primary": false }]));
    assert_eq!(json!(detail), shown);
    let then = settled(&shop.desk);
    deals.update(deal, json!({ "probability": 0.9, "contacts": [] })).await.unwrap();
    deals.move_to(deal, shop.talk, None).await.unwrap();
    shop.desk.of::<Pipeline>().update(shop.pipeline, json!({ "name": "Trade" })).await.unwrap();
    shop.desk.of::<DealStage>().update(shop.lead, json!({ "probability": 0.2 })).await.unwrap();
    let now = deals.detail(deal).await.unwrap();
    assert_eq!((now.pipeline_name.as_deref(), now.stage_name.as_deref()), (Some("Trade"), Some("Talk")));
    assert_eq!(now.effective_probability, Some(Probability::new(0.9).unwrap()), "a move does not touch its own");
    assert!(now.contacts.is_empty());
    deals.update(deal, json!({ "probability": null })).await.unwrap();
    let now = deals.detail(deal).await.unwrap();
    assert_eq!(now.effective_probability, Some(Probability::new(0.5).unwrap()));
    let past = deals.clone().as_of(then).detail(deal).await.unwrap();
    assert!(past.deal.temporal.is_some());
    assert_eq!(DealDetail { deal: detail.deal.clone(), ..past }, detail);
    assert_eq!(refusal(deals.detail(ada).await).0, ErrorKind::NotFound);
}
