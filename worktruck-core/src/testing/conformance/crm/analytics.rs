use std::time::Duration;

use serde_json::{Value, json};

use crate::ErrorKind;
use crate::entity::pipeline::Pipeline;
use crate::entity::stage::Stage as DealStage;

use super::super::Stage;
use super::{Shop, refusal, settled};

const DAY: u64 = 86_400;

impl Shop {
    /// What is told of the pipeline as a whole, in JSON.
    async fn told(&self) -> Value {
        json!(self.desk.of::<Pipeline>().analytics(self.pipeline, None, None).await.unwrap())
    }
}

/// The fields of an entry for a currency.
fn fields(entry: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| entry[*name].clone()).collect()
}

/// There is an entry for each currency, whose amounts are exact.
pub async fn analytics_never_add_currencies(stage: Stage) {
    let shop = Shop::new(&stage).await;
    assert_eq!(shop.told().await, json!({ "pipeline_id": shop.pipeline, "currencies": [] }));
    for deal in [
        json!({ "amount": "0.10" }),
        json!({ "amount": 0.2, "stage_id": shop.talk }),
        json!({ "amount": "100", "currency": "USD", "probability": 0.25 }),
        json!({ "stage_id": shop.talk }),
        json!({ "amount": "7.005", "stage_id": shop.won }),
        json!({ "amount": "-1", "stage_id": shop.won }),
        json!({ "amount": "3", "stage_id": shop.lost }),
    ] {
        shop.deal(deal).await;
    }
    let told = shop.told().await;
    let entries = told["currencies"].as_array().unwrap();
    let names = ["currency", "open_count", "open_value", "weighted_value", "won_count", "won_value", "lost_count"];
    assert_eq!(entries.len(), 2);
    assert_eq!(
        fields(&entries[0], &names),
        [json!("EUR"), json!(3), json!("0.30"), json!("0.11"), json!(2), json!("6.005"), json!(1),]
    );
    assert_eq!(
        fields(&entries[1], &names),
        [json!("USD"), json!(1), json!("100"), json!("25"), json!(0), json!("0"), json!(0),]
    );
    assert_eq!(json!([entries[0]["win_rate"], entries[1]["win_rate"]]), json!([0.6667, null]));
    let stages = entries[0]["stages"].as_array().unwrap();
    let of_stage = |stage: &Value| fields(stage, &["stage_id", "count", "value", "weighted_value"]);
    assert_eq!(
        stages.iter().map(of_stage).collect::<Vec<_>>(),
        [
            [json!(shop.lead), json!(1), json!("0.10"), json!("0.01")],
            [json!(shop.talk), json!(2), json!("0.2"), json!("0.1")],
            [json!(shop.won), json!(2), json!("6.005"), json!("6.005")],
            [json!(shop.lost), json!(1), json!("3"), json!("0")],
        ]
    );

    // A deal that names none is in that of the pipeline, if that has one.
    let free = shop.desk.create::<Pipeline>(json!({ "name": "Free" })).await.id;
    let open = shop.desk.create::<DealStage>(json!({ "pipeline_id": free, "name": "x" })).await.id;
    shop.deal(json!({ "amount": "5", "stage_id": open })).await;
    shop.deal(json!({ "amount": "6", "stage_id": open, "currency": "JPY" })).await;
    let pipelines = shop.desk.of::<Pipeline>();
    let told = json!(pipelines.analytics(free, None, None).await.unwrap());
    let told = told["currencies"].as_array().unwrap();
    let values: Vec<_> = told.iter().map(|entry| fields(entry, &["currency", "open_value"])).collect();
    assert_eq!(values, [[json!("JPY"), json!("6")], [Value::Null, json!("5")]]);
    pipelines.update(free, json!({ "currency": "JPY" })).await.unwrap();
    let told = pipelines.analytics(free, None, None).await.unwrap();
    assert_eq!(told.currencies.len(), 1);
    assert_eq!(told.currencies[0].open_value.to_string(), "11");
}

/// The period narrows the won and lost to those that were closed in it, and nothing that is open.
pub async fn analytics_of_a_period_count_what_was_closed_in_it(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let start = shop.desk.wait(0);
    let day = |n: u64| Some(start.after(Duration::from_secs(n * DAY)));
    let deals = shop.deals();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.deal(json!({ "amount": "10" })).await.id);
    }
    shop.desk.wait(2 * DAY);
    deals.move_to(ids[0], shop.won, None).await.unwrap();
    shop.desk.wait(2 * DAY);
    deals.move_to(ids[1], shop.won, None).await.unwrap();
    deals.move_to(ids[2], shop.lost, None).await.unwrap();
    shop.desk.wait(DAY);
    let pipelines = shop.desk.of::<Pipeline>();
    for (from, to, expected) in [
        (None, None, json!([1, 2, "20", 1, 0.6667, 3.0])),
        (day(0), day(3), json!([1, 1, "10", 0, 1.0, 2.0])),
        (day(3), None, json!([1, 1, "10", 1, 0.5, 4.0])),
        (None, day(2), json!([1, 0, "0", 0, null, null])),
        (day(2), day(2), json!([1, 0, "0", 0, null, null])),
        (day(5), None, json!([1, 0, "0", 0, null, null])),
    ] {
        let told = json!(pipelines.analytics(shop.pipeline, from, to).await.unwrap());
        let names = ["open_count", "won_count", "won_value", "lost_count", "win_rate", "average_days_to_close"];
        assert_eq!(json!(fields(&told["currencies"][0], &names)), expected, "{from:?} {to:?}");
        assert_eq!(told["currencies"][0]["stages"][2]["count"], json!(2), "what is in a stage is in it");
    }
    let backwards = pipelines.analytics(shop.pipeline, day(3), day(2)).await;
    assert_eq!(refusal(backwards), (ErrorKind::InvalidRequest, "/to".to_owned()));
    assert_eq!(refusal(pipelines.analytics(shop.lead, None, None).await).0, ErrorKind::NotFound);
}

/// How long deals are in a stage and how many get further is told by their stage changes.
pub async fn analytics_tell_how_deals_go_through_stages(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let start = shop.desk.wait(0);
    let deals = shop.deals();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.deal(json!({})).await.id);
    }
    shop.desk.wait(DAY);
    deals.move_to(ids[0], shop.talk, None).await.unwrap();
    deals.move_to(ids[1], shop.lost, None).await.unwrap();
    shop.desk.wait(DAY);
    // There and back is one deal that got further.
    deals.move_to(ids[0], shop.lead, None).await.unwrap();
    deals.move_to(ids[2], shop.won, None).await.unwrap();
    shop.desk.wait(2 * DAY);
    let told = shop.told().await;
    let figures = |told: &Value, at: usize| {
        fields(&told["currencies"][0]["stages"][at], &["average_days_in_stage", "conversion_rate"])
    };
    // 1 + 2 so far, 1, 2, and 4 so far: five stays of four deals, of which two got further.
    assert_eq!(figures(&told, 0), [json!(2.0), json!(0.5)]);
    assert_eq!(figures(&told, 1), [json!(1.0), json!(0.0)]);
    assert_eq!(figures(&told, 2), [Value::Null, Value::Null]);
    assert_eq!(figures(&told, 3), [Value::Null, Value::Null]);
    let later = start.after(Duration::from_secs(DAY / 2));
    let told = json!(shop.desk.of::<Pipeline>().analytics(shop.pipeline, Some(later), None).await.unwrap());
    assert_eq!(figures(&told, 0), [json!(2.0), json!(0.0)], "only the one that came back");

    // A deal that is in another pipeline now is none of this one.
    let other = shop.desk.create::<Pipeline>(json!({ "name": "Other" })).await.id;
    let far = shop.desk.create::<DealStage>(json!({ "pipeline_id": other, "name": "x" })).await.id;
    deals.move_to(ids[3], far, None).await.unwrap();
    assert_eq!(figures(&shop.told().await, 0), [json!(1.5), json!(0.6667)]);
    shop.desk.wait(DAY);
    deals.move_to(ids[3], shop.talk, None).await.unwrap();
    let told = shop.told().await;
    assert_eq!(figures(&told, 0), [json!(2.2), json!(0.75)], "back, and it was away for a day");
    assert_eq!(figures(&told, 1), [json!(0.5), json!(0.0)]);
}

/// Analytics as of a moment tell what they told then.
pub async fn analytics_of_a_moment_are_as_they_were(stage: Stage) {
    let shop = Shop::new(&stage).await;
    let (deals, pipelines) = (shop.deals(), shop.desk.of::<Pipeline>());
    let deal = shop.deal(json!({ "amount": "10" })).await.id;
    let gone = shop.deal(json!({ "amount": "1.5", "currency": "USD" })).await.id;
    shop.desk.wait(3 * DAY);
    deals.move_to(deal, shop.talk, None).await.unwrap();
    shop.desk.wait(DAY);
    let told = shop.told().await;
    let then = settled(&shop.desk);
    deals.move_to(deal, shop.won, None).await.unwrap();
    deals.update(deal, json!({ "amount": "99" })).await.unwrap();
    deals.delete(gone).await.unwrap();
    shop.desk.of::<DealStage>().update(shop.lead, json!({ "name": "New", "probability": 0.7 })).await.unwrap();
    let past = json!(pipelines.clone().as_of(then).analytics(shop.pipeline, None, None).await.unwrap());
    assert_eq!(past, told);
    assert_eq!(past["currencies"][0]["weighted_value"], json!("5"));
    assert_eq!(shop.told().await["currencies"].as_array().unwrap().len(), 1);
    pipelines.delete(shop.pipeline).await.unwrap_err();
    deals.delete(deal).await.unwrap();
    pipelines.delete(shop.pipeline).await.unwrap();
    let past = json!(pipelines.clone().as_of(then).analytics(shop.pipeline, None, None).await.unwrap());
    assert_eq!(past, told);
    assert_eq!(refusal(pipelines.analytics(shop.pipeline, None, None).await).0, ErrorKind::NotFound);
}
