//! Nothing of one tenant is there for another, whatever is asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::described::DOCUMENT;
use crate::world::{BOB, World, on_every_store};

on_every_store! {
    no_operation_reaches_another_tenant,
    no_reference_reaches_another_tenant,
}

const NOBODY: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

/// One of everything: the ids by the path that they are at.
async fn everything(world: &World) -> BTreeMap<&'static str, String> {
    let mut ids: BTreeMap<&'static str, String> = BTreeMap::new();
    for (path, body) in [
        ("/contacts", json!({ "display_name": "Ada", "tags": ["x"] })),
        ("/groups", json!({ "name": "Analysts" })),
        ("/pipelines", json!({ "name": "Sales" })),
        ("/projects", json!({ "identifier": "API", "name": "Interface" })),
        ("/tasks", json!({ "title": "Begin", "labels": ["x"] })),
        ("/labels", json!({ "name": "x" })),
        ("/calendars", json!({ "name": "Work" })),
        ("/notebooks", json!({ "name": "Diary" })),
        ("/notes", json!({ "title": "Engine", "tags": ["x"] })),
        ("/note-tags", json!({ "name": "x" })),
        ("/api-keys", json!({ "name": "x" })),
    ] {
        ids.insert(path, world.create(path, body).await);
    }
    let other = world.create("/contacts", json!({ "display_name": "Acme", "kind": "organization" })).await;
    let (contact, pipeline, project) = (ids["/contacts"].clone(), ids["/pipelines"].clone(), ids["/projects"].clone());
    let stage = world.create(&format!("/pipelines/{pipeline}/stages"), json!({ "name": "Lead" })).await;
    let event = json!({
        "calendar_id": ids["/calendars"], "title": "Talk", "start_at": "2026-04-14T10:00:00Z",
        "end_at": "2026-04-14T11:00:00Z",
    });
    let call = json!({ "type": "call", "occurred_at": "2026-04-14T08:00:00Z", "summary": "x" });
    ids.insert("/deals", world.create("/deals", json!({ "name": "Roof" })).await);
    ids.insert("/events", world.create("/events", event).await);
    ids.insert("/interactions", world.create(&format!("/contacts/{contact}/interactions"), call).await);
    ids.insert("/merge-proposals", world.propose(&[&contact, &other]).await);
    let (deal, task, event, note) = (&ids["/deals"], &ids["/tasks"], &ids["/events"], &ids["/notes"]);
    world.put(&format!("/groups/{}/members/{contact}", ids["/groups"])).await.is(204);
    world.post(&format!("/deals/{deal}/contacts"), json!({ "contact_id": contact })).await.is(201);
    let mut parts = vec![("/pipelines/{id}/stages", stage)];
    for (path, whole, body) in [
        ("/contacts/{id}/channels", &contact, json!({ "type": "url", "value": "https://x.org" })),
        ("/contacts/{id}/addresses", &contact, json!({ "city": "London" })),
        ("/contacts/{id}/dates", &contact, json!({ "date_type": "birthday", "month": 12 })),
        ("/contacts/{id}/affiliations", &contact, json!({ "organization_id": other })),
        ("/contacts/{id}/relationships", &contact, json!({ "related_contact_id": other, "type": "other" })),
        ("/projects/{id}/statuses", &project, json!({ "name": "x", "category": "todo" })),
        ("/projects/{id}/sections", &project, json!({ "name": "x" })),
        ("/projects/{id}/milestones", &project, json!({ "name": "x" })),
        ("/projects/{id}/members", &project, json!({ "contact_id": contact, "role": "x" })),
        ("/tasks/{id}/comments", task, json!({ "body": "x" })),
        ("/tasks/{id}/links", task, json!({ "url": "https://x.org" })),
        ("/events/{id}/attendees", event, json!({ "email": "a@x.org" })),
        ("/events/{id}/links", event, json!({ "entity_type": "deal", "entity_id": deal })),
        ("/notes/{id}/links", note, json!({ "target_type": "deal", "target_id": deal })),
        ("/notes/{id}/attachments", note, json!({ "url": "https://x.org" })),
    ] {
        parts.push((path, world.create(&path.replace("{id}", whole), body).await));
    }
    let next = world.create("/tasks", json!({ "title": "Then" })).await;
    let depends = json!({ "task_id": next, "type": "blocks" });
    parts.push(("/tasks/{id}/dependencies", world.create(&format!("/tasks/{task}/dependencies"), depends).await));
    ids.extend(parts);
    ids
}

/// The body of a request that would do something.
fn body(path: &str, ids: &BTreeMap<&str, String>) -> Value {
    match path {
        path if path.ends_with("/merge") => json!({ "source_ids": [ids["/contacts"]] }),
        path if path.ends_with("/unmerge") => json!({ "source_id": ids["/contacts"] }),
        path if path.ends_with("/reorder") => json!({ "stage_ids": [ids["/pipelines/{id}/stages"]] }),
        path if path.ends_with("/move") => json!({ "stage_id": ids["/pipelines/{id}/stages"] }),
        path if path.ends_with("/dependencies") => json!({ "task_id": ids["/tasks"], "type": "related" }),
        path if path.ends_with("/deals/{id}/contacts") => json!({ "contact_id": ids["/contacts"] }),
        _ => json!({}),
    }
}

async fn no_operation_reaches_another_tenant(world: World) {
    let ids = everything(&world).await;
    let window = format!("from=2026-04-14T08:00:00Z&to={}", world.later());
    let mut asked = 0;
    for (template, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let template = template.strip_prefix("/api/v1").unwrap();
        let Some((kind, _)) = template.split_once("/{id}") else { continue };
        let list = template.rsplit_once("/{").map_or(template, |(list, _)| list);
        let path = template
            .replacen("{id}", &ids[kind], 1)
            .replace("{contact_id}", &ids["/contacts"])
            .replace("{name}", "x")
            .replace("{part_id}", ids.get(list.trim_end_matches("/{id}")).map_or("", String::as_str))
            .replace("{item_id}", ids.get(list).map_or("", String::as_str));
        let absent = path.replacen(&ids[kind], NOBODY, 1);
        let query = if template.ends_with("/diff") { format!("?{window}") } else { String::new() };
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_ascii_uppercase();
            let types = operation["requestBody"]["content"].as_object();
            let media_type = types.and_then(|types| types.keys().next()).map_or("", String::as_str);
            let text = match media_type {
                "text/calendar" => "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_owned(),
                "" => String::new(),
                _ => body(template, &ids).to_string(),
            };
            let ask = |path: &str| world.ask(&method, &format!("{path}{query}")).text(media_type, &text);
            let foreign = ask(&path).by(BOB).send().await.refuses(404, "not_found");
            let absent = ask(&absent).by(BOB).send().await.refuses(404, "not_found");
            let told = absent["message"].as_str().unwrap().replace(NOBODY, &ids[kind]);
            assert_eq!(foreign["message"], told, "{method} {template}");
            assert!(foreign.get("details").is_none(), "{method} {template}");
            if method == "GET" {
                let own = world.get(&format!("{path}{query}")).await;
                assert_eq!(own.status, 200, "{method} {template}: {}", own.text);
            }
            asked += 1;
        }
    }
    assert!(asked > 120, "{asked}");
    for (list, _) in ids.iter().filter(|(path, _)| !path.contains('{') && **path != "/interactions") {
        assert_eq!(world.ask("GET", list).by(BOB).send().await.is(200)["data"], json!([]), "{list}");
    }
    assert_eq!(world.ask("GET", "/changes").by(BOB).send().await.is(200)["data"], json!([]));
}

/// What refers to another tenant's entity is answered as if there were none.
async fn no_reference_reaches_another_tenant(world: World) {
    let ids = everything(&world).await;
    let (deal, task) = (json!({ "name": "Roof" }), json!({ "title": "Begin" }));
    for (path, body, field, kind) in [
        ("/deals", &deal, "contact_id", "/contacts"),
        ("/deals", &deal, "stage_id", "/pipelines/{id}/stages"),
        ("/tasks", &task, "project_id", "/projects"),
        ("/tasks", &task, "parent_id", "/tasks"),
        ("/tasks", &task, "assignee_id", "/contacts"),
        ("/notes", &task, "notebook_id", "/notebooks"),
    ] {
        if field == "stage_id" {
            let pipeline = world.ask("POST", "/pipelines").json(&json!({ "name": "x" })).by(BOB).send().await.is(201);
            let path = format!("/pipelines/{}/stages", pipeline["id"].as_str().unwrap());
            world.ask("POST", &path).json(&json!({ "name": "x" })).by(BOB).send().await.is(201);
        }
        let mut answers = Vec::new();
        for id in [ids[kind].as_str(), NOBODY] {
            let mut body = body.clone();
            body[field] = json!(id);
            let reply = world.ask("POST", path).json(&body).by(BOB).send().await;
            answers.push((reply.status, reply.text.replace(id, "ID")));
            let filtered = world.ask("GET", &format!("{path}?{field}={id}")).by(BOB).send().await;
            answers.push((filtered.status, filtered.text));
        }
        assert_eq!(answers[0], answers[2], "{path} {field}");
        assert_eq!(answers[0].0, 400);
        assert_eq!(answers[1], answers[3], "{path} {field}");
    }
}
