//! What every kind of entity has.

use serde_json::json;

use crate::world::{BOB, World, on_every_store};

on_every_store! {
    an_entity_lives,
    a_version_is_expected,
    the_past_is_read,
    what_is_another_tenants_is_not_there,
}

async fn an_entity_lives(world: World) {
    let reply = world.post("/contacts", json!({ "display_name": "Ada" })).await;
    let (place, tag) = (reply.header("location").to_owned(), reply.header("etag").to_owned());
    let made = reply.is(201);
    assert_eq!((place, tag.as_str()), (format!("/api/v1/contacts/{}", made["id"].as_str().unwrap()), "\"1\""));
    assert_eq!((&made["kind"], &made["version"], &made["metadata"]), (&json!("person"), &json!(1), &json!({})));
    assert!(made.get("_temporal").is_none());

    let path = format!("/contacts/{}", made["id"].as_str().unwrap());
    let reply = world.get(&path).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.is(200), made);
    let reply = world.patch(&path, json!({ "bio": "wrote", "kind": null })).await;
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!(reply.is(200)["bio"], "wrote");
    let put = world.ask("PUT", &path).json(&json!({ "bio": null })).send().await.is(200);
    assert_eq!((&put["version"], put.get("bio")), (&json!(3), None), "PUT is PATCH");
    assert_eq!(world.delete(&path).await.is(204), json!(null));
    world.delete(&path).await.refuses(404, "not_found");
    world.get(&path).await.refuses(404, "not_found");
    world.ask("DELETE", &format!("{path}?purge=true")).send().await.is(204);
    world.get(&format!("{path}/history")).await.refuses(404, "not_found");
}

async fn a_version_is_expected(world: World) {
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let path = format!("/contacts/{id}");
    let patch = |tag: &str| world.ask("PATCH", &path).header("if-match", tag).json(&json!({ "bio": "x" })).send();
    for tag in ["\"2\"", "W/\"1\"", "1", "\"one\""] {
        let error = patch(tag).await.refuses(412, "version_mismatch");
        assert_eq!(error.get("details").is_some(), tag == "\"2\"", "{error}");
    }
    patch("\"1\"").await.is(200);
    let error = patch("\"1\"").await.refuses(412, "version_mismatch");
    assert_eq!(error["details"], json!({ "expected": 1, "found": 2 }));
    patch("*").await.is(200);
    let delete = |tag: &str| world.ask("DELETE", &path).header("if-match", tag).send();
    delete("\"1\"").await.refuses(412, "version_mismatch");
    delete("\"2\"").await.is(204);
}

async fn the_past_is_read(world: World) {
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let path = format!("/contacts/{id}");
    let before = world.later();
    world.later();
    let correction = world
        .ask("PATCH", &format!("{path}?valid_from=2026-04-14T10:00:00Z"))
        .header("x-capture-reason", "wedding")
        .header("x-request-id", "r-1")
        .json(&json!({ "display_name": "Ada King" }));
    let planned = correction.send().await.is(200);
    assert_eq!(planned["display_name"], "Ada King", "the answer is what was written");
    let now = world.later();
    assert_eq!(world.get(&path).await.is(200)["display_name"], "Ada", "it does not hold yet");

    let then = world.get(&format!("{path}?as_of={before}")).await.is(200);
    assert_eq!((&then["display_name"], &then["_temporal"]["as_of"]), (&json!("Ada"), &json!(before)));
    let ahead = world.get(&format!("{path}?valid_at=2026-04-14T11:00:00Z")).await.is(200);
    assert_eq!(ahead["display_name"], "Ada King");
    assert_eq!(ahead["_temporal"]["capture_reason"], "wedding");
    let listed = world.get(&format!("/contacts?as_of={before}")).await.is(200);
    assert_eq!(listed["data"][0]["_temporal"]["valid_at"], json!(before));

    let history = world.get(&format!("{path}/history")).await.is(200);
    assert_eq!(history["data"][0]["_temporal"]["captured_by"], "user:ada");
    assert_eq!(history["data"].as_array().unwrap().len(), 2);
    let first = world.get(&format!("{path}/history?limit=1")).await.is(200);
    assert_eq!(first["has_more"], true);
    let diff = format!("{path}/diff?from={before}&to={now}");
    assert_eq!(world.get(&diff).await.is(200)["intermediate_versions"], 1);
    assert_eq!(world.get(&format!("{path}/diff?from={before}")).await.wrong_at(), "/to");
    let timeline = world.get(&format!("{path}/timeline?fields=display_name")).await.is(200);
    let names: Vec<_> = timeline["data"].as_array().unwrap().iter().map(|entry| &entry["to"]).collect();
    assert_eq!(names, [&json!("Ada"), &json!("Ada King")]);
    assert_eq!(world.get(&format!("{path}/history?as_of={before}")).await.wrong_at(), "/as_of");
}

async fn what_is_another_tenants_is_not_there(world: World) {
    let id = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let as_bob = |method: &str, path: String| world.ask(method, &path).by(BOB);
    let window = "from=2026-04-14T08:00:00Z&to=2026-04-14T09:00:00Z";
    for (method, path) in [
        ("GET", format!("/contacts/{id}")),
        ("DELETE", format!("/contacts/{id}")),
        ("DELETE", format!("/contacts/{id}?purge=true")),
        ("GET", format!("/contacts/{id}/history")),
        ("GET", format!("/contacts/{id}/diff?{window}")),
        ("GET", format!("/contacts/{id}/timeline")),
        ("GET", format!("/contacts/{id}/affiliations")),
    ] {
        let foreign = as_bob(method, path.clone()).send().await.refuses(404, "not_found");
        let absent = as_bob(method, path.replace(&id, "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d")).send().await;
        let absent = absent.refuses(404, "not_found")["message"].as_str().unwrap().to_owned();
        let told = absent.replace("0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", &id);
        assert_eq!(foreign["message"], told, "{method} {path}");
    }
    as_bob("PATCH", format!("/contacts/{id}")).json(&json!({ "bio": "x" })).send().await.refuses(404, "not_found");
    assert_eq!(as_bob("GET", "/contacts".to_owned()).send().await.is(200)["data"], json!([]));
    world.get(&format!("/contacts/{id}")).await.is(200);
}
