//! The feed of changes.

use serde_json::{Value, json};

use crate::world::{BOB, World, on_every_store};

on_every_store! {
    commits_are_told_in_order,
    a_key_sees_what_it_may_read,
}

async fn commits_are_told_in_order(world: World) {
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    world.delete(&format!("/contacts/{id}")).await.is(204);
    let first = world.get("/changes?limit=1").await.is(200);
    assert_eq!(first["has_more"], true);
    assert_eq!(
        first["data"][0]["entities"],
        json!([{ "type": "contact", "id": id, "version": 1, "operation": "created" }])
    );
    assert_eq!(first["data"][0]["captured_by"], "user:ada");
    let next = world.get(&format!("/changes?since={}", first["next_cursor"].as_str().unwrap())).await.is(200);
    assert_eq!(next["data"][0]["entities"][0]["operation"], "deleted");
    let end = next["next_cursor"].as_str().unwrap();
    let waited = world.get(&format!("/changes?since={end}&wait_secs=0")).await.is(200);
    assert_eq!((&waited["data"], waited["next_cursor"].is_string()), (&json!([]), true));
    world.get(&format!("/changes?since={end}x")).await.refuses(400, "invalid_cursor");
    let foreign = world.ask("GET", &format!("/changes?since={end}")).by(BOB).send().await;
    foreign.refuses(400, "invalid_cursor");
    assert_eq!(world.get("/changes?wait_secs=61").await.wrong_at(), "/wait_secs");

    // Whoever waits is answered when there is something.
    let path = format!("/changes?since={end}&wait_secs=30");
    let (waited, _) = tokio::join!(world.get(&path), world.post("/groups", json!({ "name": "New" })));
    assert_eq!(waited.is(200)["data"][0]["entities"][0]["type"], "group");
}

async fn a_key_sees_what_it_may_read(world: World) {
    world.create("/contacts", json!({ "display_name": "Ada" })).await;
    world.create("/notes", json!({ "title": "Engine" })).await;
    let seen = world.ask("GET", "/changes").by("notes:read").send().await.is(200);
    let kinds: Vec<&Value> = seen["data"].as_array().unwrap().iter().map(|commit| &commit["entities"]).collect();
    assert_eq!(kinds[0], &json!([]));
    assert_eq!(kinds[1][0]["type"], "note");
}
