//! Projects and tasks.

use serde_json::{Value, json};

use crate::world::{World, on_every_store};

on_every_store! {
    a_project_numbers_its_tasks,
    a_task_is_completed_once,
    dependencies_are_seen_from_both_tasks,
    what_belongs_to_a_task,
    tasks_are_filtered,
}

async fn a_project_numbers_its_tasks(world: World) {
    let made = world.post("/projects", json!({ "identifier": "API", "name": "Interface" })).await.is(201);
    assert_eq!(made["next_task_number"], 1);
    let project = made["id"].as_str().unwrap();
    let task = world.post("/tasks", json!({ "title": "Begin", "project_id": project })).await.is(201);
    assert_eq!(task["identifier"], "API-1");
    assert_eq!(world.get(&format!("/projects/{project}")).await.is(200)["next_task_number"], 2);
    assert_eq!(world.list("/projects", "next_task_number").await, [json!(2)]);
    assert_eq!(world.get("/tasks/by-identifier/API-1").await.is(200)["id"], task["id"]);
    world.get("/tasks/by-identifier/API-2").await.refuses(404, "not_found");
    world.post("/projects", json!({ "identifier": "API", "name": "Again" })).await.refuses(409, "conflict");

    let statuses = format!("/projects/{project}/statuses");
    let review = world.create(&statuses, json!({ "name": "Review", "category": "in_progress" })).await;
    assert_eq!(world.get(&format!("{statuses}/{review}")).await.is(200)["project_id"], project);
    for (part, body) in [("sections", json!({ "name": "Now" })), ("milestones", json!({ "name": "Beta" }))] {
        let path = format!("/projects/{project}/{part}");
        let id = world.create(&path, body).await;
        world.patch(&format!("{path}/{id}"), json!({ "name": "Then" })).await.is(200);
        world.delete(&format!("{path}/{id}")).await.is(204);
    }
    let ada = world.create("/contacts", json!({ "display_name": "Ada" })).await;
    world.create(&format!("/projects/{project}/members"), json!({ "contact_id": ada, "role": "lead" })).await;
}

async fn a_task_is_completed_once(world: World) {
    let weekly = json!({ "title": "Water", "due_date": "2026-04-14", "rrule": "FREQ=WEEKLY" });
    let id = world.create("/tasks", weekly).await;
    let complete = || world.ask("POST", &format!("/tasks/{id}/complete")).send();
    let done = complete().await.is(200);
    let next = done["next_task_id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/tasks/{next}")).await.is(200)["due_date"], "2026-04-21");
    complete().await.refuses(409, "conflict");
    let reply = world.ask("POST", &format!("/tasks/{id}/reopen")).json(&json!({})).send().await;
    assert!(reply.is(200).get("completed_at").is_none());
    world
        .ask("POST", &format!("/tasks/{id}/reopen"))
        .json(&json!({ "x": 1 }))
        .send()
        .await
        .refuses(400, "invalid_request");
}

async fn dependencies_are_seen_from_both_tasks(world: World) {
    let (one, other) =
        (world.create("/tasks", json!({ "title": "A" })).await, world.create("/tasks", json!({ "title": "B" })).await);
    let path = format!("/tasks/{one}/dependencies");
    let reply = world.post(&path, json!({ "task_id": other, "type": "blocks" })).await;
    assert!(reply.header("location").starts_with(&format!("/api/v1{path}/")));
    let made = reply.is(201);
    let theirs = format!("/tasks/{other}/dependencies");
    assert_eq!(world.list(&theirs, "type").await, [json!("blocked_by")]);
    world.post(&theirs, json!({ "task_id": one, "type": "blocks" })).await.refuses(409, "conflict");
    assert_eq!(world.post(&path, json!({ "task_id": one, "type": "related" })).await.wrong_at(), "/task_id");
    world.delete(&format!("{theirs}/{}", made["id"].as_str().unwrap())).await.is(204);
    assert_eq!(world.list(&path, "id").await, Vec::<Value>::new());
}

async fn what_belongs_to_a_task(world: World) {
    let id = world.create("/tasks", json!({ "title": "A" })).await;
    let child = world.create("/tasks", json!({ "title": "B", "parent_id": id })).await;
    world.create("/tasks", json!({ "title": "A", "parent_id": id, "priority": 4 })).await;
    let subtasks = format!("/tasks/{id}/subtasks");
    assert_eq!(world.list(&format!("{subtasks}?sort=-priority"), "title").await, [json!("A"), json!("B")]);
    assert_eq!(world.list(&format!("{subtasks}?limit=1"), "id").await, [json!(child)]);
    world.patch(&format!("/tasks/{id}"), json!({ "parent_id": child })).await.refuses(409, "conflict");
    let comments = format!("/tasks/{id}/comments");
    let comment = world.create(&comments, json!({ "body": "Soon" })).await;
    assert_eq!(world.patch(&format!("{comments}/{comment}"), json!({ "body": "Now" })).await.is(200)["body"], "Now");
    world.delete(&format!("{comments}/{comment}")).await.is(204);
    let links = format!("/tasks/{id}/links");
    let link = world.create(&links, json!({ "url": "https://example.org/" })).await;
    world.patch(&format!("{links}/{link}"), json!({})).await.refuses(405, "method_not_allowed");
    world.delete(&format!("{links}/{link}")).await.is(204);
    assert_eq!(world.put(&format!("/tasks/{id}/labels/home")).await.is(200)["labels"], json!(["home"]));
    assert_eq!(world.list("/tasks?label=home", "id").await, [json!(id)]);
    world.delete(&format!("/tasks/{id}/labels/home")).await.is(204);
    let label = world.create("/labels", json!({ "name": "home", "color": "#aa0000" })).await;
    world.delete(&format!("/labels/{label}")).await.is(204);
}

async fn tasks_are_filtered(world: World) {
    world.create("/tasks", json!({ "title": "Late", "due_date": "2026-04-01", "priority": 4 })).await;
    world.create("/tasks", json!({ "title": "Soon", "due_at": "2026-04-15T08:00:00Z" })).await;
    assert_eq!(world.list("/tasks?overdue=true", "title").await, [json!("Late")]);
    assert_eq!(world.list("/tasks?due_after=2026-04-10", "title").await, [json!("Soon")]);
    assert_eq!(world.list("/tasks?sort=-priority&limit=1", "title").await, [json!("Late")]);
    assert_eq!(world.list("/tasks?q=soon", "title").await, [json!("Soon")]);
    assert_eq!(world.get("/tasks?overdue=maybe").await.wrong_at(), "/overdue");
}
