use futures::FutureExt as _;
use serde_json::json;

use crate::ErrorKind;
use crate::entity::deal::Deal;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::{Probability, Stage as DealStage};
use crate::pim::Everything;
use crate::pim::crm::{StageFilter, StageSort};

use super::super::Stage;
use super::{Desk, Shop, places, refusal, settled};

/// The names of the pipelines that are the default one.
async fn defaults(desk: &Desk) -> Vec<String> {
    let all = desk.of::<Pipeline>().list(Everything {}).all().await.unwrap();
    all.into_iter().filter(|pipeline| pipeline.data.is_default).map(|pipeline| pipeline.data.name).collect()
}

/// Of all pipelines exactly one is the default one, whatever is made, changed or deleted.
pub async fn one_pipeline_is_the_default(stage: Stage) {
    let desk = Desk::new(&stage);
    let pipelines = desk.of::<Pipeline>();
    let sales = desk.create::<Pipeline>(json!({ "name": "Sales" })).await;
    assert!(sales.data.is_default, "the first one is");
    let hiring = desk.create::<Pipeline>(json!({ "name": "Hiring" })).await;
    assert_eq!(defaults(&desk).await, ["Sales"]);
    let then = settled(&desk);
    pipelines.update(hiring.id, json!({ "is_default": true })).await.unwrap();
    assert_eq!(defaults(&desk).await, ["Hiring"]);
    assert!(pipelines.clone().as_of(then).get(sales.id).await.unwrap().data.is_default, "it was");
    desk.create::<Pipeline>(json!({ "name": "Partners", "is_default": true })).await;
    assert_eq!(defaults(&desk).await, ["Partners"]);
    let partners = pipelines.list(Everything {}).all().await.unwrap().pop().unwrap();
    let refused = refusal(pipelines.update(partners.id, json!({ "is_default": false })).await);
    assert_eq!(refused, (ErrorKind::Conflict, "/is_default".to_owned()));
    pipelines.update(partners.id, json!({ "name": "Friends" })).await.unwrap();
    assert_eq!(defaults(&desk).await, ["Friends"]);
    pipelines.delete(partners.id).await.unwrap();
    assert_eq!(defaults(&desk).await, ["Sales"], "the oldest takes its place");
    pipelines.delete(hiring.id).await.unwrap();
    pipelines.delete(sales.id).await.unwrap();
    desk.create::<Pipeline>(json!({ "name": "New" })).await;
    assert_eq!(defaults(&desk).await, ["New"]);
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": "x", "currency": "EURO" }), "/currency"),
        (json!({ "name": "x", "description": "\0" }), "/description"),
    ] {
        assert_eq!(refusal(pipelines.create_from(body).await), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
}

/// Pipelines that are made, preferred and deleted at the same time leave one default.
pub async fn pipelines_made_at_once_have_one_default(stage: Stage) {
    let desk = Desk::new(&stage);
    let made = stage.in_parallel(8, |n, _| {
        let pipelines = desk.of::<Pipeline>();
        let body = json!({ "name": format!("{n}"), "is_default": n % 2 == 0 });
        async move { pipelines.create_from(body).await.unwrap().id }.boxed()
    });
    let made = made.await;
    assert_eq!(defaults(&desk).await.len(), 1);
    let changed = stage.in_parallel(8, |n, _| {
        let (pipelines, id) = (desk.of::<Pipeline>(), made[usize::try_from(n).unwrap()]);
        async move {
            if n % 3 == 0 {
                pipelines.delete(id).await.unwrap();
            } else {
                pipelines.update(id, json!({ "is_default": true })).await.unwrap();
            }
        }
        .boxed()
    });
    changed.await;
    assert_eq!(defaults(&desk).await.len(), 1);
}

/// A pipeline that deals use is not deleted; another is, and its stages with it.
pub async fn pipeline_in_use_stays_and_takes_its_stages_along(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (pipelines, stages) = (shop.desk.of::<Pipeline>(), shop.desk.of::<DealStage>());
    let deal = shop.deal(json!({})).await;
    assert_eq!(refusal(pipelines.delete(shop.pipeline).await).0, ErrorKind::Conflict);
    assert_eq!(pipelines.stages(shop.pipeline).await.unwrap().len(), 4, "nothing of it went");
    let then = settled(&shop.desk);
    shop.deals().delete(deal.id).await.unwrap();
    pipelines.delete(shop.pipeline).await.unwrap();
    assert_eq!(refusal(stages.get(shop.lead).await).0, ErrorKind::NotFound);
    assert_eq!(refusal(pipelines.stages(shop.pipeline).await).0, ErrorKind::NotFound);
    assert!(stages.list(StageFilter::default()).await.unwrap().data.is_empty());
    assert_eq!(pipelines.as_of(then).stages(shop.pipeline).await.unwrap().len(), 4);
    let orphan = stages.create_from(json!({ "pipeline_id": shop.pipeline, "name": "x" })).await;
    assert_eq!(refusal(orphan), (ErrorKind::InvalidRequest, "/pipeline_id".to_owned()));
}

/// Stages have positions of their own: a new one comes last, or where it says, before those that were there.
pub async fn stages_keep_their_order(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (pipelines, stages) = (shop.desk.of::<Pipeline>(), shop.desk.of::<DealStage>());
    let all = pipelines.stages(shop.pipeline).await.unwrap();
    assert_eq!(places(&all), [("Lead", 0), ("Talk", 1), ("Won", 2), ("Lost", 3)]);
    let then = settled(&shop.desk);
    let mut offer = DealStage { position: Some(1), ..DealStage::new(shop.pipeline, "Offer") };
    let offered = stages.create(offer.clone()).await.unwrap();
    assert_eq!(offered.data.probability, Some(Probability::ZERO));
    let all = pipelines.stages(shop.pipeline).await.unwrap();
    assert_eq!(places(&all), [("Lead", 0), ("Offer", 1), ("Talk", 2), ("Won", 3), ("Lost", 4)]);
    stages.update(offered.id, json!({ "position": 10, "name": "Terms" })).await.unwrap();
    stages.update(shop.lost, json!({ "position": 0 })).await.unwrap();
    let all = pipelines.stages(shop.pipeline).await.unwrap();
    assert_eq!(places(&all), [("Lost", 0), ("Lead", 1), ("Talk", 2), ("Won", 3), ("Terms", 10)]);
    stages.delete(offered.id).await.unwrap();
    let listed = stages.list(StageFilter { pipeline_id: Some(shop.pipeline), ..StageFilter::default() });
    assert_eq!(places(&listed.await.unwrap().data), [("Lost", 0), ("Lead", 1), ("Talk", 2), ("Won", 3)]);
    let listed = stages.list(StageFilter::default()).sort(StageSort::CreatedAt).descending().limit(2);
    assert_eq!(places(&listed.await.unwrap().data), [("Lost", 0), ("Won", 3)]);
    let past = pipelines.as_of(then).stages(shop.pipeline).await.unwrap();
    assert_eq!(places(&past), [("Lead", 0), ("Talk", 1), ("Won", 2), ("Lost", 3)]);
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await;
    let moved = stages.update(shop.lead, json!({ "pipeline_id": other.id })).await;
    assert_eq!(refusal(moved), (ErrorKind::InvalidRequest, "/pipeline_id".to_owned()));
    offer.position = Some(u32::MAX);
    stages.create(offer.clone()).await.unwrap();
    assert_eq!(refusal(stages.create(offer).await), (ErrorKind::InvalidRequest, "/position".to_owned()));
}

/// Stages that are added at the same time, also at one position, get positions of their own.
pub async fn stages_added_at_once_have_positions_of_their_own(stage: Stage) {
    let desk = Desk::new(&stage);
    let pipeline = desk.create::<Pipeline>(json!({ "name": "Sales" })).await.id;
    let added = stage.in_parallel(12, |n, _| {
        let stages = desk.of::<DealStage>();
        let position = (n % 2 == 0).then_some(0);
        let new = DealStage { position, ..DealStage::new(pipeline, format!("{n}")) };
        async move { stages.create(new).await.unwrap() }.boxed()
    });
    added.await;
    let all = desk.of::<Pipeline>().stages(pipeline).await.unwrap();
    let mut positions: Vec<_> = all.iter().map(|stage| stage.data.position.unwrap()).collect();
    assert!(positions.is_sorted());
    positions.dedup();
    assert_eq!(positions.len(), 12);
}

/// Stages are reordered by naming each exactly once.
pub async fn stages_are_reordered_exactly(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let pipelines = shop.desk.of::<Pipeline>();
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let foreign = shop.desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "x" })).await.id;
    let Shop { lead, talk, won, lost, pipeline, .. } = shop;
    for wrong in [
        &[][..],
        &[lead, talk, won],
        &[lead, talk, won, won],
        &[lead, talk, won, lost, lost],
        &[lead, talk, won, foreign],
        &[lead, talk, won, lost, foreign],
    ] {
        let refused = refusal(pipelines.reorder_stages(pipeline, wrong).await);
        assert_eq!(refused, (ErrorKind::InvalidRequest, "/stage_ids".to_owned()), "{wrong:?}");
    }
    let order = [talk, lead, lost, won];
    let all = pipelines.reorder_stages(pipeline, &order).await.unwrap();
    assert_eq!(places(&all), [("Talk", 0), ("Lead", 1), ("Lost", 2), ("Won", 3)]);
    pipelines.reorder_stages(pipeline, &order).await.unwrap();
    let versions: Vec<_> = pipelines.stages(pipeline).await.unwrap().iter().map(|stage| stage.version()).collect();
    assert_eq!(versions, [2, 2, 2, 2], "the same order writes nothing");
    assert_eq!(refusal(pipelines.reorder_stages(lead, &order).await).0, ErrorKind::NotFound);
    // Whoever comes last wins, and nobody leaves half an order.
    let orders = stage.in_parallel(6, |n, _| {
        let pipelines = shop.desk.of::<Pipeline>();
        let mut order = vec![lead, talk, won, lost];
        order.rotate_left(usize::try_from(n % 4).unwrap());
        async move { pipelines.reorder_stages(pipeline, &order).await.map(|_| order).unwrap() }.boxed()
    });
    let orders = orders.await;
    let all: Vec<_> = pipelines.stages(pipeline).await.unwrap().iter().map(|stage| stage.id).collect();
    assert!(orders.contains(&all));
}

/// A stage with deals in it is not deleted and does not become of another type.
pub async fn stage_with_deals_keeps_its_type_and_stays(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let stages = shop.desk.of::<DealStage>();
    let deal = shop.deal(json!({ "stage_id": shop.talk })).await;
    assert_eq!(refusal(stages.delete(shop.talk).await).0, ErrorKind::Conflict);
    let changed = stages.update(shop.talk, json!({ "stage_type": "won" })).await;
    assert_eq!(refusal(changed), (ErrorKind::Conflict, "/stage_type".to_owned()));
    stages.update(shop.talk, json!({ "name": "Talks", "probability": 0.6 })).await.unwrap();
    shop.desk.of::<Deal>().move_to(deal.id, shop.lead, None).await.unwrap();
    stages.update(shop.talk, json!({ "stage_type": "won" })).await.unwrap();
    stages.delete(shop.talk).await.unwrap();
    for (body, pointer) in [
        (json!({ "name": "x", "probability": 1.01 }), "/probability"),
        (json!({ "name": "x", "stage_type": "maybe" }), "/stage_type"),
        (json!({ "name": "x", "position": -1 }), "/position"),
        (json!({ "name": " " }), "/name"),
    ] {
        let mut body = body;
        body["pipeline_id"] = json!(shop.pipeline);
        assert_eq!(refusal(stages.create_from(body).await), (ErrorKind::InvalidRequest, pointer.to_owned()));
    }
}
