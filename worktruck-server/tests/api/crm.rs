//! Pipelines, stages and deals.

use serde_json::{Value, json};

use crate::world::{World, on_every_store};

on_every_store! {
    stages_are_in_order,
    a_deal_goes_through_stages,
    contacts_of_a_deal,
    a_pipeline_tells_how_it_does,
}

/// A pipeline with two stages: their ids.
async fn pipeline(world: &World) -> (String, String, String) {
    let pipeline = world.create("/pipelines", json!({ "name": "Sales", "currency": "EUR" })).await;
    let stages = format!("/pipelines/{pipeline}/stages");
    let lead = world.create(&stages, json!({ "name": "Lead", "probability": 0.1 })).await;
    let won = world.create(&stages, json!({ "name": "Won", "stage_type": "won" })).await;
    (pipeline, lead, won)
}

async fn stages_are_in_order(world: World) {
    let (pipeline, lead, won) = pipeline(&world).await;
    let stages = format!("/pipelines/{pipeline}/stages");
    assert_eq!(world.list(&stages, "name").await, [json!("Lead"), json!("Won")]);
    let reorder = format!("{stages}/reorder");
    let moved = world.post(&reorder, json!({ "stage_ids": [won, lead] })).await.is(200);
    assert_eq!((&moved["data"][0]["name"], &moved["has_more"]), (&json!("Won"), &json!(false)));
    assert_eq!(world.list(&stages, "name").await, [json!("Won"), json!("Lead")]);
    world.post(&reorder, json!({ "stage_ids": [won] })).await.refuses(400, "invalid_request");
    world.create("/deals", json!({ "name": "Roof" })).await;
    world.delete(&format!("/pipelines/{pipeline}")).await.refuses(409, "conflict");
}

async fn a_deal_goes_through_stages(world: World) {
    let (_, lead, won) = pipeline(&world).await;
    let made = world.post("/deals", json!({ "name": "Roof", "amount": "1500.00" })).await.is(201);
    assert_eq!((&made["stage_id"], &made["amount"]), (&json!(lead), &json!("1500.00")));
    let path = format!("/deals/{}", made["id"].as_str().unwrap());
    let shown = world.get(&path).await.is(200);
    assert_eq!((&shown["pipeline_name"], &shown["stage_name"]), (&json!("Sales"), &json!("Lead")));
    assert_eq!((&shown["effective_probability"], &shown["contacts"]), (&json!(0.1), &json!([])));
    assert_eq!(world.patch(&path, json!({ "amount": 1600.5 })).await.is(200)["amount"], "1600.5");

    let moved = world.post(&format!("{path}/move"), json!({ "stage_id": won, "reason": "price" })).await.is(200);
    assert_eq!((&moved["won_reason"], moved["closed_at"].is_string()), (&json!("price"), true));
    let wrong = world.post(&format!("{path}/move"), json!({ "stage_id": made["id"] })).await.wrong_at();
    assert_eq!(wrong, "/stage_id");
    let changes = world.list(&format!("{path}/history"), "to_stage_id").await;
    assert_eq!(changes, [json!(lead), json!(won)]);
    assert_eq!(world.list(&format!("{path}/version-history"), "version").await, [json!(3), json!(2), json!(1)]);
    assert_eq!(world.list("/deals?stage_type=won", "name").await, [json!("Roof")]);
    assert_eq!(world.list("/deals?q=roof&sort=-amount", "name").await, [json!("Roof")]);
}

async fn contacts_of_a_deal(world: World) {
    pipeline(&world).await;
    let deal = world.create("/deals", json!({ "name": "Roof" })).await;
    let mut people = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        people.push(world.create("/contacts", json!({ "display_name": name })).await);
    }
    let path = format!("/deals/{deal}/contacts");
    let reply = world.post(&path, json!({ "contact_id": people[0], "role": "buyer" })).await;
    assert_eq!(reply.header("location"), format!("/api/v1{path}/{}", people[0]));
    assert_eq!(reply.is(201)["role"], "buyer");
    world.post(&path, json!({ "contact_id": people[0] })).await.refuses(409, "conflict");
    assert_eq!(world.post(&path, json!({ "contact_id": deal })).await.wrong_at(), "/contact_id");
    for person in &people[1..] {
        world.post(&path, json!({ "contact_id": person })).await.is(201);
    }
    let first = world.get(&format!("{path}?limit=1")).await.is(200);
    world.delete(&format!("{path}/{}", people[0])).await.is(204);
    let rest = format!("{path}?limit=5&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(world.list(&rest, "contact_id").await.last(), Some(&json!(people[2])));
    world.delete(&format!("{path}/{}", people[0])).await.refuses(404, "not_found");
    assert_eq!(world.list(&format!("/deals?contact_id={}", people[1]), "id").await, [json!(deal)]);
}

async fn a_pipeline_tells_how_it_does(world: World) {
    let (pipeline, _, won) = pipeline(&world).await;
    let deal = world.create("/deals", json!({ "name": "Roof", "amount": "0.1", "currency": "EUR" })).await;
    world.create("/deals", json!({ "name": "Wall", "amount": "0.2", "currency": "EUR" })).await;
    let before = world.later();
    world.later();
    world.post(&format!("/deals/{deal}/move"), json!({ "stage_id": won })).await.is(200);
    let path = format!("/pipelines/{pipeline}/analytics");
    let euros = |answer: Value| answer["currencies"][0].clone();
    let now = euros(world.get(&path).await.is(200));
    assert_eq!((&now["open_value"], &now["won_value"]), (&json!("0.2"), &json!("0.1")));
    let then = euros(world.get(&format!("{path}?as_of={before}")).await.is(200));
    assert_eq!((&then["open_value"], &then["won_count"]), (&json!("0.3"), &json!(0)));
}
