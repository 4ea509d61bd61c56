use std::sync::Arc;

use futures::FutureExt as _;
use serde_json::{Value, json};

use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage as DealStage;
use crate::entity::stage_change::StageChange;
use crate::pim::crm::{DealFilter, StageChangeFilter, StageFilter, move_deal};
use crate::pim::{Operation, create};
use crate::store::{Changes, Provenance, View};
use crate::testing::CountingIds;
use crate::{Clock as _, EntityId, ErrorKind, PageRequest};

use super::super::Stage;
use super::{Shop, refusal, settled};

/// Moving a deal closes and opens it, keeps the reason, and touches nothing else.
pub async fn moved_deal_is_closed_and_opened(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (deals, deal) = (shop.deals(), shop.deal(json!({ "probability": 0.3, "amount": "5" })).await.id);
    shop.desk.wait(10);
    let open = deals.move_to(deal, shop.talk, Some("they called")).await.unwrap();
    let stale = deals.clone().if_version(1).move_to(deal, shop.won, None).await;
    assert_eq!(refusal(stale).0, ErrorKind::VersionMismatch);
    assert_eq!((open.data.closed_at, &open.data.won_reason, &open.data.lost_reason), (None, &None, &None));
    let before = shop.desk.wait(10).after(std::time::Duration::from_secs(10));
    let won = deals.move_to(deal, shop.won, Some("price")).await.unwrap();
    assert_eq!((won.data.closed_at, won.data.won_reason.as_deref()), (Some(before), Some("price")));
    assert_eq!(json!([won.data.probability, won.data.amount]), json!([0.3, "5"]));
    shop.desk.wait(10);
    let again = deals.move_to(deal, shop.won, Some("other")).await.unwrap();
    assert_eq!(again, won, "it is there already");
    let after = shop.desk.wait(10).after(std::time::Duration::from_secs(10));
    let lost = deals.move_to(deal, shop.lost, None).await.unwrap();
    assert_eq!((lost.data.closed_at, lost.data.won_reason.as_deref()), (Some(after), Some("price")), "kept");
    let opened = deals.move_to(deal, shop.lead, None).await.unwrap();
    assert_eq!((opened.data.closed_at, opened.data.won_reason.as_deref()), (None, Some("price")));

    // Whatever operation it is that moves it.
    let patched = deals.update(deal, json!({ "stage_id": shop.lost, "lost_reason": "late" })).await.unwrap();
    assert!(patched.data.closed_at.is_some_and(|at| at >= after));
    let cleared = deals.update(deal, json!({ "closed_at": null })).await;
    assert_eq!(refusal(cleared), (ErrorKind::InvalidRequest, "/closed_at".to_owned()));
    let told = deals.update(deal, json!({ "closed_at": "2026-01-02T00:00:00Z" })).await.unwrap();
    assert_eq!(json!(told.data.closed_at), json!("2026-01-02T00:00:00.000000Z"));
    let mut whole = told.data;
    (whole.stage_id, whole.closed_at) = (Some(shop.talk), None);
    assert_eq!(deals.replace(deal, whole).await.unwrap().data.closed_at, None);
    let told = json!({ "stage_id": shop.won, "closed_at": "2026-01-02T00:00:00Z" });
    let told = deals.update(deal, told).await.unwrap();
    assert_eq!(json!(told.data.closed_at), json!("2026-01-02T00:00:00.000000Z"));
    let imported = shop.deal(json!({ "stage_id": shop.won, "closed_at": "2025-01-02T00:00:00Z" })).await;
    assert_eq!(json!(imported.data.closed_at), json!("2025-01-02T00:00:00.000000Z"));
    assert!(shop.deal(json!({ "stage_id": shop.lost })).await.data.closed_at.is_some());

    let nowhere = deals.move_to(deal, shop.pipeline, None).await;
    assert_eq!(refusal(nowhere), (ErrorKind::InvalidRequest, "/stage_id".to_owned()));
    let reason = deals.move_to(deal, shop.lead, Some("\0")).await;
    assert_eq!(refusal(reason), (ErrorKind::InvalidRequest, "/reason".to_owned()));
    assert_eq!(refusal(deals.move_to(shop.lead, shop.lead, None).await).0, ErrorKind::NotFound);
}

/// The stages before and after of all changes of a deal.
async fn path(shop: &Shop, deal: EntityId) -> Vec<(Option<EntityId>, EntityId)> {
    let filter = StageChangeFilter { deal_id: Some(deal), ..StageChangeFilter::default() };
    let all = shop.desk.of::<StageChange>().list(filter).all().await.unwrap();
    assert!(all.is_sorted_by(|one, other| one.data.changed_at < other.data.changed_at));
    all.iter().map(|change| (change.data.from_stage_id, change.data.to_stage_id)).collect()
}

/// Every write that changes the stage of a deal leaves a stage change, and no other write does.
pub async fn every_change_of_stage_is_kept(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let far = shop.desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "x" })).await.id;
    let deals = shop.deals().by("ada");
    let made = shop.desk.wait(0);
    let deal = deals.create_from(json!({ "name": "Roof", "amount": "10.50" })).await.unwrap().id;
    let then = settled(&shop.desk);
    deals.clone().by("bob").move_to(deal, shop.talk, Some("they called")).await.unwrap();
    deals.update(deal, json!({ "amount": "12", "next_step": "x" })).await.unwrap();
    deals.move_to(deal, shop.talk, None).await.unwrap();
    deals.update(deal, json!({ "stage_id": shop.won })).await.unwrap();
    let mut whole = deals.get(deal).await.unwrap().data;
    whole.stage_id = Some(shop.lead);
    deals.replace(deal, whole).await.unwrap();
    let moved = deals.move_to(deal, far, None).await.unwrap();
    assert_eq!(moved.data.pipeline_id, Some(other), "the stage is of another pipeline");
    assert_eq!(json!(moved.data.currency), json!("EUR"), "it stays in what it is in");
    let (lead, talk, won) = (shop.lead, shop.talk, shop.won);
    let expected = [(None, lead), (Some(lead), talk), (Some(talk), won), (Some(won), lead), (Some(lead), far)];
    assert_eq!(path(&shop, deal).await, expected);
    let page = deals.stage_changes(deal, PageRequest::new(2, None).unwrap()).await.unwrap();
    let told: Vec<Value> = page.data.iter().map(|change| json!(change.data)).collect();
    assert_eq!(
        told,
        [
            json!({
                "deal_id": deal, "pipeline_id": shop.pipeline, "to_stage_id": lead, "amount": "10.50",
                "currency": "EUR", "changed_at": made, "changed_by": "ada", "metadata": {},
            }),
            json!({
                "deal_id": deal, "pipeline_id": shop.pipeline, "from_stage_id": lead, "to_stage_id": talk,
                "amount": "10.50", "currency": "EUR", "changed_at": page.data[1].data.changed_at,
                "changed_by": "bob", "reason": "they called", "metadata": {},
            }),
        ]
    );
    let rest = deals.stage_changes(deal, PageRequest::new(200, page.next_cursor).unwrap()).await.unwrap();
    assert_eq!((rest.data.len(), rest.data[2].data.pipeline_id), (3, other));
    let past = deals.clone().as_of(then).stage_changes(deal, PageRequest::default()).await.unwrap();
    assert_eq!(past.data.len(), 1);
    assert_eq!(refusal(deals.stage_changes(far, PageRequest::default()).await).0, ErrorKind::NotFound);

    // Nobody writes one by hand.
    let changes = shop.desk.of::<StageChange>();
    let (id, change) = (past.data[0].id, past.data[0].data.clone());
    assert_eq!(refusal(changes.create(change).await).0, ErrorKind::Conflict);
    assert_eq!(refusal(changes.update(id, json!({ "changed_by": "eve" })).await).0, ErrorKind::Conflict);
    assert_eq!(refusal(changes.delete(id).await).0, ErrorKind::Conflict);
}

/// What is told late of an earlier time stands there, for the deal and for what it went through.
pub async fn move_that_is_told_late_stands_at_its_time(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (first, second) = (settled(&shop.desk), settled(&shop.desk));
    let deals = shop.deals();
    let deal = deals.clone().valid_from(first).create_from(json!({ "name": "Late" })).await.unwrap().id;
    deals.clone().valid_from(second).move_to(deal, shop.won, None).await.unwrap();
    let at = |moment| deals.clone().valid_at(moment);
    let told = deals.stage_changes(deal, PageRequest::default()).await.unwrap().data;
    assert_eq!(told.iter().map(|change| change.data.changed_at).collect::<Vec<_>>(), [first, second]);
    assert_eq!(deals.get(deal).await.unwrap().data.closed_at, Some(second));
    let between = at(first.next());
    assert_eq!(between.get(deal).await.unwrap().data.stage_id, Some(shop.lead));
    let then = between.stage_changes(deal, PageRequest::default()).await.unwrap().data;
    assert_eq!(then.iter().map(|change| &change.stored).collect::<Vec<_>>(), [&told[0].stored]);
    let known = deals.clone().as_of(second);
    assert_eq!(refusal(known.get(deal).await).0, ErrorKind::NotFound, "it was not known then");
}

/// A deal that an agent makes and moves before either is committed is committed as it saw it.
pub async fn pending_moves_fit_when_they_are_committed(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let now = shop.desk.clock.now();
    let ids = Arc::new(CountingIds::new(70));
    let operation = |pending: Vec<Changes>| {
        let view = View::new(Arc::clone(&stage.store) as _, shop.desk.tenant, now).with_pending(pending.into());
        Operation::new(view, Arc::clone(&ids) as _, "agent")
    };
    let (made, deal) = create::<Deal>(&operation(Vec::new()), json!({ "name": "Roof" })).await.unwrap();
    let moved = move_deal(&operation(vec![made.clone()]), deal, None, shop.talk, None).await.unwrap();
    let seen = operation(vec![made.clone(), moved.clone()]);
    let closed = move_deal(&seen, deal, None, shop.lost, Some("price")).await.unwrap();
    for changes in [made, moved, closed] {
        stage.store.apply(shop.desk.tenant, changes, Provenance::new("agent", "agent_run"), now).await.unwrap();
    }
    let lost = shop.deals().get(deal).await.unwrap();
    assert_eq!((lost.version(), lost.data.lost_reason.as_deref()), (3, Some("price")));
    assert!(lost.data.closed_at.is_some());
    let expected = [(None, shop.lead), (Some(shop.lead), shop.talk), (Some(shop.talk), shop.lost)];
    assert_eq!(path(&shop, deal).await, expected);
}

/// A deal that many move at once has a chain of changes without a gap, also where clocks stand still.
pub async fn deal_moved_by_many_at_once_leaves_no_gap(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let deal = shop.deal(json!({})).await.id;
    let moved = stage.in_parallel(32, |n, _| {
        let deals = shop.deals();
        let to = [shop.talk, shop.won, shop.lost, shop.lead][usize::try_from(n % 4).unwrap()];
        async move {
            if n % 3 == 0 {
                deals.update(deal, json!({ "stage_id": to })).await.unwrap();
            } else {
                deals.move_to(deal, to, Some("race")).await.unwrap();
            }
        }
        .boxed()
    });
    moved.await;
    let path = path(&shop, deal).await;
    assert_eq!(path[0], (None, shop.lead));
    for pair in path.windows(2) {
        assert_eq!(pair[1].0, Some(pair[0].1), "each begins where the one before ended");
        assert_ne!(pair[1].0, Some(pair[1].1), "each is a change");
    }
    let now = shop.deals().get(deal).await.unwrap();
    assert_eq!(now.data.stage_id, path.last().map(|(_, to)| *to));
    assert_eq!(now.data.closed_at.is_some(), [Some(shop.won), Some(shop.lost)].contains(&now.data.stage_id));
}

/// What a deal went through goes with it, and is there as of before.
pub async fn deleted_deal_takes_its_stage_changes_along(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (deals, deal) = (shop.deals(), shop.deal(json!({})).await.id);
    let kept = shop.deal(json!({})).await.id;
    deals.move_to(deal, shop.won, None).await.unwrap();
    let then = settled(&shop.desk);
    deals.delete(deal).await.unwrap();
    assert_eq!(refusal(deals.stage_changes(deal, PageRequest::default()).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(deals.delete(deal).await).0, ErrorKind::NotFound);
    let left = shop.desk.of::<StageChange>().list(StageChangeFilter::default()).await.unwrap().data;
    assert_eq!(left.iter().map(|change| change.data.deal_id).collect::<Vec<_>>(), [kept]);
    let past = deals.as_of(then).stage_changes(deal, PageRequest::default()).await.unwrap();
    assert_eq!(past.data.len(), 2);
}

/// Deals that are made while their pipeline goes are in it or are not, never in what is gone.
pub async fn deal_does_not_get_into_a_pipeline_that_goes(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let answers = stage.in_parallel(8, |n, _| {
        let (deals, pipelines, pipeline) = (shop.deals(), shop.desk.of::<Pipeline>(), shop.pipeline);
        async move {
            match n % 4 {
                3 => pipelines.delete(pipeline).await.map_err(|error| error.kind()),
                _ => {
                    let made = deals.create_from(json!({ "name": "Roof", "pipeline_id": pipeline })).await;
                    made.map(|_| ()).map_err(|error| error.kind())
                }
            }
        }
        .boxed()
    });
    let answers = answers.await;
    let deals = shop.desk.of::<Deal>().list(DealFilter::default()).all().await.unwrap();
    let is_gone = shop.desk.of::<Pipeline>().get(shop.pipeline).await.is_err();
    assert_eq!(is_gone, deals.is_empty(), "{answers:?}");
    let stages = shop.desk.of::<DealStage>().list(StageFilter::default()).all().await.unwrap();
    assert_eq!(stages.len(), if is_gone { 0 } else { 4 });
}
