//! Contacts and what belongs to them.

use serde_json::{Value, json};

use crate::world::{World, on_every_store};

on_every_store! {
    a_contact_is_found_by_a_channel,
    parts_of_a_contact_come_and_go,
    affiliations_belong_to_a_contact,
    relationships_are_read_from_both_ends,
    interactions_and_groups,
    contacts_are_merged_and_parted,
    proposals_are_decided,
    files_come_and_go,
    a_search_finds_the_best_first,
}

async fn ada(world: &World) -> String {
    let channels = json!([{ "type": "email", "value": "Ada@Example.org" }]);
    world.create("/contacts", json!({ "display_name": "Ada Lovelace", "channels": channels })).await
}

async fn a_contact_is_found_by_a_channel(world: World) {
    let id = ada(&world).await;
    let found = world.get("/contacts/find-by-channel?type=email&value=ADA%40example.ORG").await;
    assert_eq!(found.header("etag"), "\"1\"");
    assert_eq!(found.is(200)["id"], id.as_str());
    world.get("/contacts/find-by-channel?type=email&value=b%40x.org").await.refuses(404, "not_found");
    assert_eq!(world.get("/contacts/find-by-channel?type=email").await.wrong_at(), "/value");
    assert_eq!(world.get("/contacts/find-by-channel?type=pigeon&value=x").await.wrong_at(), "/type");
}

async fn parts_of_a_contact_come_and_go(world: World) {
    let id = ada(&world).await;
    let channels = format!("/contacts/{id}/channels");
    let reply = world.post(&channels, json!({ "type": "phone", "value": "+44 20 7946 0958" })).await;
    let place = reply.header("location").to_owned();
    let phone = reply.is(201);
    assert_eq!(phone["canonical_value"], "+442079460958");
    assert_eq!(place, format!("/api/v1{channels}/{}", phone["id"].as_str().unwrap()));
    world.post(&channels, json!({ "type": "email", "value": "ada@example.org" })).await.refuses(409, "conflict");
    let item = format!("{channels}/{}", phone["id"].as_str().unwrap());
    assert_eq!(world.patch(&item, json!({ "label": "work" })).await.is(200)["label"], "work");
    world.delete(&item).await.is(204);
    world.delete(&item).await.refuses(404, "not_found");
    world.delete(&format!("{channels}/nothing")).await.refuses(404, "not_found");
    let impossible = json!({ "date_type": "birthday", "month": 2, "day": 31 });
    world.post(&format!("/contacts/{id}/dates"), impossible).await.refuses(400, "invalid_request");
    world.post(&format!("/contacts/{id}/dates"), json!({ "date_type": "birthday", "month": 12 })).await.is(201);
    world.post(&format!("/contacts/{id}/addresses"), json!({ "city": "London" })).await.is(201);

    assert_eq!(world.put(&format!("/contacts/{id}/tags/vip%2Fold")).await.is(200)["tags"], json!(["vip/old"]));
    assert_eq!(world.list("/contacts?tag=vip/old", "id").await, [json!(id)]);
    world.delete(&format!("/contacts/{id}/tags/vip%2Fold")).await.is(204);
    let now = world.get(&format!("/contacts/{id}")).await.is(200);
    assert_eq!((&now["tags"], &now["addresses"][0]["city"]), (&json!([]), &json!("London")));
}

async fn affiliations_belong_to_a_contact(world: World) {
    let (ada, bob) = (ada(&world).await, world.create("/contacts", json!({ "display_name": "Bob" })).await);
    let acme = world.create("/contacts", json!({ "display_name": "Acme", "kind": "organization" })).await;
    let path = format!("/contacts/{ada}/affiliations");
    let wrong = world.post(&path, json!({ "organization_id": bob })).await.wrong_at();
    assert_eq!(wrong, "/organization_id");
    let named = json!({ "organization_id": acme, "contact_id": bob });
    assert_eq!(world.post(&path, named).await.wrong_at(), "/contact_id");
    let made = world.post(&path, json!({ "organization_id": acme, "title": "Analyst" })).await.is(201);
    assert_eq!((&made["contact_id"], &made["is_current"]), (&json!(ada), &json!(true)));
    let item = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(world.patch(&item, json!({ "is_current": false })).await.is(200)["version"], 2);
    assert_eq!(world.get(&item).await.header("etag"), "\"2\"");
    assert_eq!(world.list(&path, "title").await, [json!("Analyst")]);
    assert_eq!(world.list(&format!("/contacts?organization_id={acme}"), "id").await, [json!(ada)]);
    let elsewhere = item.replace(&ada, &bob);
    world.get(&elsewhere).await.refuses(404, "not_found");
    world.patch(&elsewhere, json!({})).await.refuses(404, "not_found");
    world.delete(&elsewhere).await.refuses(404, "not_found");
    world.delete(&item).await.is(204);
    assert_eq!(world.list(&path, "id").await, Vec::<Value>::new());

    // What ended has a history, below what it belonged to.
    assert_eq!(world.list(&format!("{item}/history"), "version").await, [json!(3), json!(2), json!(1)]);
    let fields = world.list(&format!("{item}/timeline?fields=is_current"), "to").await;
    assert_eq!(fields[..2], [json!(true), json!(false)]);
    world.get(&format!("{elsewhere}/history")).await.refuses(404, "not_found");
    world.delete(&format!("{elsewhere}?purge=true")).await.refuses(404, "not_found");
    let narrow = world.ask("DELETE", &format!("{item}?purge=true")).by("contacts:write");
    narrow.send().await.refuses(403, "forbidden");
    world.delete(&format!("{item}?purge=true")).await.is(204);
    world.get(&format!("{item}/history")).await.refuses(404, "not_found");
}

async fn relationships_are_read_from_both_ends(world: World) {
    let (ada, bob) = (ada(&world).await, world.create("/contacts", json!({ "display_name": "Bob" })).await);
    let path = format!("/contacts/{ada}/relationships");
    let made = world.post(&path, json!({ "related_contact_id": bob, "type": "manages" })).await.is(201);
    let other = world.get(&format!("/contacts/{bob}/relationships")).await.is(200);
    let seen = &other["data"][0];
    assert_eq!((&seen["type"], &seen["related_contact_id"]), (&json!("reports_to"), &json!(ada)));
    assert_eq!(seen["direction"], "incoming");
    let item = format!("/contacts/{bob}/relationships/{}", made["id"].as_str().unwrap());
    assert_eq!(world.get(&item).await.is(200)["type"], "reports_to");
    world.delete(&item).await.is(204);
    assert_eq!(world.list(&path, "id").await, Vec::<Value>::new());
}

async fn interactions_and_groups(world: World) {
    let ada = ada(&world).await;
    let call = json!({ "type": "call", "occurred_at": "2026-04-14T08:00:00Z", "summary": "Engines" });
    let reply = world.post(&format!("/contacts/{ada}/interactions"), call).await;
    let place = reply.header("location").to_owned();
    let made = reply.is(201);
    assert_eq!(place, format!("/api/v1/interactions/{}", made["id"].as_str().unwrap()));
    assert_eq!(made["contact_ids"], json!([ada]));
    let item = format!("/interactions/{}", made["id"].as_str().unwrap());
    world.patch(&item, json!({ "duration_minutes": 30 })).await.is(200);
    assert_eq!(world.list(&format!("/contacts/{ada}/interactions"), "duration_minutes").await, [json!(30)]);
    world.delete(&item).await.is(204);
    world.get(&item).await.refuses(404, "not_found");

    let group = world.create("/groups", json!({ "name": "Analysts" })).await;
    let member = format!("/groups/{group}/members/{ada}");
    world.put(&member).await.is(204);
    world.put(&member).await.is(204);
    assert_eq!(world.list(&format!("/groups/{group}/members"), "id").await, [json!(ada)]);
    assert_eq!(world.list(&format!("/contacts?group_id={group}"), "id").await, [json!(ada)]);
    world.delete(&member).await.is(204);
    assert_eq!(world.list(&format!("/groups/{group}/members"), "id").await, Vec::<Value>::new());
}

async fn contacts_are_merged_and_parted(world: World) {
    let (ada, other) = (ada(&world).await, world.create("/contacts", json!({ "display_name": "A. L." })).await);
    let before = world.later();
    world.later();
    let survivor = world.post(&format!("/contacts/{ada}/merge"), json!({ "source_ids": [other] })).await.is(200);
    assert_eq!(survivor["merged_ids"], json!([other]));
    let reply = world.get(&format!("/contacts/{other}")).await;
    assert_eq!(reply.header("etag"), format!("\"{}\"", survivor["version"]));
    assert_eq!(reply.is(200)["id"], ada.as_str());
    let error = world.patch(&format!("/contacts/{other}"), json!({ "bio": "x" })).await.refuses(409, "conflict");
    assert_eq!(error["details"]["survivor_id"], ada.as_str());
    world
        .post(&format!("/contacts/{other}/affiliations"), json!({ "organization_id": ada }))
        .await
        .refuses(409, "conflict");
    let then = world.get(&format!("/contacts/{other}?as_of={before}")).await.is(200);
    assert_eq!(then["display_name"], "A. L.");
    let unmerge = format!("/contacts/{ada}/unmerge");
    assert_eq!(world.post(&unmerge, json!({})).await.wrong_at(), "/source_id");
    assert_eq!(world.post(&unmerge, json!({ "source_id": other })).await.is(200)["id"], other.as_str());
    world.post(&unmerge, json!({ "source_id": other })).await.refuses(409, "conflict");
    let twice = world.post(&format!("/contacts/{ada}/merge"), json!({ "source_ids": "x" })).await.wrong_at();
    assert_eq!(twice, "/source_ids");
}

async fn proposals_are_decided(world: World) {
    assert_eq!(world.get("/merge-proposals?status=pending").await.is(200)["data"], json!([]));
    assert_eq!(world.get("/merge-proposals?status=perhaps").await.wrong_at(), "/status");
    world.ask("POST", "/merge-proposals").json(&json!({})).send().await.refuses(405, "method_not_allowed");
    let (ada, other) = (ada(&world).await, world.create("/contacts", json!({ "display_name": "A. L." })).await);
    let id = world.propose(&[&ada, &other]).await;
    assert_eq!(world.list("/merge-proposals?status=pending", "id").await, [json!(id)]);
    assert_eq!(world.get(&format!("/merge-proposals/{id}")).await.is(200)["score"], 0.9);
    let accept = world.ask("POST", &format!("/merge-proposals/{id}/accept")).send().await.is(200);
    assert_eq!(accept["status"], "accepted");
    world.ask("POST", &format!("/merge-proposals/{id}/reject")).send().await.refuses(409, "conflict");
    assert_eq!(world.get(&format!("/contacts/{other}")).await.is(200)["id"], ada.as_str());
}

async fn files_come_and_go(world: World) {
    let import = |media_type: &'static str, text: &'static str| {
        world.ask("POST", "/contacts/import").text(media_type, text).send()
    };
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:ada\r\nFN:Ada Lovelace\r\nEND:VCARD\r\n";
    let report = import("text/vcard; charset=utf-8", card).await.is(200);
    assert_eq!(report, json!({ "created": 1, "updated": 0, "skipped": 0, "errors": [] }));
    assert_eq!(import("text/vcard", card).await.is(200)["created"], 0);
    let rows = "display_name,email\nBob,bob@example.org\nEve,nobody\n";
    let report = import("text/csv", rows).await.is(200);
    assert_eq!(report["created"], 2);
    assert_eq!(report["errors"][0]["line"], 3);
    import("application/json", "{}").await.refuses(415, "unsupported_media_type");
    let long = "x".repeat(20_000);
    let reply = world.ask("POST", "/contacts/import").text("text/csv", &long).send().await;
    reply.refuses(413, "payload_too_large");

    let file = world.get("/contacts/export").await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/vcard; charset=utf-8"));
    assert!(file.text.contains("UID:ada") && file.text.contains("FN:Bob"), "{}", file.text);
    let file = world.get("/contacts/export?format=csv").await;
    assert_eq!(file.text.lines().count(), 4, "{}", file.text);
    let cards = world.get("/contacts/export?format=jscontact").await.is(200);
    assert_eq!(cards.as_array().unwrap().len(), 3);
    assert_eq!(world.get("/contacts/export?format=pdf").await.wrong_at(), "/format");
}

async fn a_search_finds_the_best_first(world: World) {
    world.create("/contacts", json!({ "display_name": "Bob", "bio": "knows Ada" })).await;
    ada(&world).await;
    assert_eq!(world.list("/contacts?q=ada", "display_name").await, [json!("Ada Lovelace"), json!("Bob")]);
    let sorted = world.list("/contacts?q=ada&sort=-display_name", "display_name").await;
    assert_eq!(sorted, [json!("Bob"), json!("Ada Lovelace")]);
}
