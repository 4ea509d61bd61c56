//! Notebooks and notes.

use serde_json::{Value, json};

use crate::world::{World, on_every_store};

on_every_store! {
    links_lead_both_ways,
    a_notebook_counts_its_notes,
    notes_are_tagged_and_found,
    attachments_belong_to_a_note,
}

async fn links_lead_both_ways(world: World) {
    let plan = world.create("/notes", json!({ "title": "Plan" })).await;
    let map = world.create("/notes", json!({ "title": "Map", "body": "see the [[Plan]] first" })).await;
    let links = format!("/notes/{map}/links");
    assert_eq!(world.list(&links, "target_id").await, [json!(plan)]);
    let back = world.get(&format!("/notes/{plan}/backlinks")).await.is(200);
    let link = &back["data"][0];
    assert_eq!((&link["note_title"], &link["context"]), (&json!("Map"), &json!("see the [[Plan]] first")));
    let shown = world.get(&format!("/notes/{plan}")).await.is(200);
    assert_eq!((&shown["backlink_count"], &shown["outgoing_link_count"]), (&json!(1), &json!(0)));
    let of_text = world.list(&links, "id").await[0].as_str().unwrap().to_owned();
    world.delete(&format!("{links}/{of_text}")).await.refuses(409, "conflict");
    let ada = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    let made = world.create(&links, json!({ "target_type": "contact", "target_id": ada })).await;
    world.delete(&format!("{links}/{made}")).await.is(204);
}

async fn a_notebook_counts_its_notes(world: World) {
    let made = world.post("/notebooks", json!({ "name": "Diary" })).await.is(201);
    assert_eq!(made["note_count"], 0);
    let book = made["id"].as_str().unwrap();
    world.create("/notes", json!({ "title": "Monday", "notebook_id": book })).await;
    assert_eq!(world.get(&format!("/notebooks/{book}")).await.is(200)["note_count"], 1);
    assert_eq!(world.list("/notebooks", "note_count").await, [json!(1)]);
    assert_eq!(
        world.list(&format!("/notes?notebook_id={book}&pinned=false&archived=false"), "title").await,
        [json!("Monday")]
    );
}

async fn notes_are_tagged_and_found(world: World) {
    let body = "---\nmood: good\n---\nThe analytical engine weaves.";
    let made = world.post("/notes", json!({ "title": "Engine", "body": body })).await.is(201);
    assert_eq!((&made["body"], &made["metadata"]), (&json!(body), &json!({ "mood": "good" })));
    let id = made["id"].as_str().unwrap();
    assert_eq!(world.put(&format!("/notes/{id}/tags/looms")).await.is(200)["tags"], json!(["looms"]));
    assert_eq!(world.list("/notes?tag=looms", "id").await, [json!(id)]);
    let found = world.get("/notes?q=weaves").await.is(200);
    assert!(found["data"][0]["snippet"].as_str().unwrap().contains("weaves"), "{found}");
    assert!(world.get("/notes").await.is(200)["data"][0].get("snippet").is_none());
    let tag = world.create("/note-tags", json!({ "name": "looms", "color": "#00aa00" })).await;
    world.patch(&format!("/note-tags/{tag}"), json!({ "name": "weaving" })).await.is(200);
    assert_eq!(world.list("/notes?tag=weaving", "id").await, [json!(id)]);
    world.delete(&format!("/notes/{id}/tags/weaving")).await.is(204);
    assert_eq!(world.list("/notes?tag=weaving", "id").await, Vec::<Value>::new());
}

async fn attachments_belong_to_a_note(world: World) {
    let note = world.create("/notes", json!({ "title": "Engine" })).await;
    let path = format!("/notes/{note}/attachments");
    let file = world.create(&path, json!({ "url": "https://example.org/a.png", "size_bytes": 7 })).await;
    assert_eq!(world.list(&path, "size_bytes").await, [json!(7)]);
    world.delete(&format!("{path}/{file}")).await.is(204);
    world.delete(&format!("{path}/{file}")).await.refuses(404, "not_found");
}
