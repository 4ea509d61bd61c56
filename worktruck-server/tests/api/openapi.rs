//! The document, and what can be asked of every operation in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::described::DOCUMENT;
use crate::world::{World, on_every_store};

on_every_store! {
    every_operation_asks_who_asks_and_for_its_scope,
    every_operation_knows_its_parameters_only,
    every_example_is_accepted,
}

/// Each operation: its method, its path with ids of nothing, and itself.
fn operations() -> Vec<(String, String, &'static Value)> {
    let mut all = Vec::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap();
        let filled: Vec<&str> = path
            .split('/')
            .map(|part| match part {
                "{name}" | "{identifier}" => "x",
                part if part.starts_with('{') => "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d",
                part => part,
            })
            .collect();
        for (method, operation) in methods.as_object().unwrap() {
            all.push((method.to_ascii_uppercase(), filled.join("/"), operation));
        }
    }
    all
}

fn scope(operation: &Value) -> Option<&str> {
    operation["description"].as_str()?.strip_prefix("Needs the scope `")?.strip_suffix("`.")
}

async fn every_operation_asks_who_asks_and_for_its_scope(world: World) {
    for (method, path, operation) in operations() {
        world.ask(&method, &path).by_nobody().send().await.refuses(401, "unauthenticated");
        let Some(scope) = scope(operation) else { continue };
        let action = if method == "GET" { "read" } else { "write" };
        assert!(scope.ends_with(action), "{method} {path} needs {scope}");
        let other = if scope.starts_with("notes") { "tasks" } else { "notes" };
        world.ask(&method, &path).by(&format!("{other}:{action}")).send().await.refuses(403, "forbidden");
        let opposite = scope.replace(action, if action == "read" { "write" } else { "read" });
        world.ask(&method, &path).by(&opposite).send().await.refuses(403, "forbidden");
        let reply = world.ask(&method, &path).by(scope).send().await;
        assert!(![401, 403, 500].contains(&reply.status), "{method} {path}: {reply:?}");
    }
}

async fn every_operation_knows_its_parameters_only(world: World) {
    for (method, path, operation) in operations() {
        let types = operation["requestBody"]["content"].as_object();
        let media_type = types.and_then(|types| types.keys().next()).map_or("", String::as_str);
        let reply = world.ask(&method, &format!("{path}?nonsense=1")).text(media_type, "{}").send().await;
        assert_eq!(reply.wrong_at(), "/nonsense", "{method} {path}");
    }
}

/// The id that stands in examples for that of something else.
const SOMETHING: &str = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d";

async fn every_example_is_accepted(world: World) {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    let example = |name: &str| schemas[&format!("{name}Create")]["examples"][0].clone();
    let mut left: BTreeSet<&String> =
        schemas.iter().filter(|(_, it)| it.get("examples").is_some()).map(|(name, _)| name).collect();
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    let acme = world.create("/contacts", json!({ "display_name": "Acme", "kind": "organization" })).await;
    for (name, path, refers_to) in [
        ("Contact", "/contacts", ""),
        ("Group", "/groups", ""),
        ("Pipeline", "/pipelines", ""),
        ("Stage", "/pipelines/Pipeline/stages", ""),
        ("Deal", "/deals", ""),
        ("Project", "/projects", ""),
        ("TaskStatus", "/projects/Project/statuses", ""),
        ("Section", "/projects/Project/sections", ""),
        ("Milestone", "/projects/Project/milestones", ""),
        ("ProjectMember", "/projects/Project/members", "Contact"),
        ("Task", "/tasks", ""),
        ("Comment", "/tasks/Task/comments", ""),
        ("TaskLink", "/tasks/Task/links", ""),
        ("Label", "/labels", ""),
        ("Calendar", "/calendars", ""),
        ("Event", "/events", "Calendar"),
        ("Attendee", "/events/Event/attendees", ""),
        ("EventLink", "/events/Event/links", "Deal"),
        ("Notebook", "/notebooks", ""),
        ("Note", "/notes", ""),
        ("NoteLink", "/notes/Note/links", "Deal"),
        ("Attachment", "/notes/Note/attachments", ""),
        ("NoteTag", "/note-tags", ""),
        ("Affiliation", "/contacts/Contact/affiliations", "Acme"),
        ("Relationship", "/contacts/Contact/relationships", "Acme"),
        ("Interaction", "/contacts/Contact/interactions", "Contact"),
    ] {
        let whole = path.split('/').nth(2).and_then(|whole| ids.get(whole));
        let path = path.split('/').map(|part| ids.get(part).map_or(part, String::as_str)).collect::<Vec<_>>().join("/");
        assert!(whole.is_some() || path.matches('/').count() == 1, "{path}");
        let other = if refers_to == "Acme" { Some(&acme) } else { ids.get(refers_to) };
        let body = example(name).to_string().replace(SOMETHING, other.map_or("", String::as_str));
        let made = world.ask("POST", &path).text("application/json", &body).send().await.is(201);
        ids.insert(name, made["id"].as_str().unwrap().to_owned());
        left.remove(&format!("{name}Create"));
    }
    assert_eq!(left, BTreeSet::new(), "every example is tried");
}

#[test]
fn the_document_is_whole() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has a name of its own");
        assert!(operation["summary"].as_str().unwrap().ends_with('.'));
    }
    assert!(names.len() > 150, "{}", names.len());
    let mut wrong = Vec::new();
    references(&DOCUMENT, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
    jsonschema::meta::validate(&json!({ "$defs": DOCUMENT["components"]["schemas"] })).unwrap();
}

/// The references that lead nowhere.
fn references(value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(to) = members.get("$ref").and_then(Value::as_str)
                && DOCUMENT.pointer(to.strip_prefix('#').unwrap()).is_none()
            {
                wrong.push(to.to_owned());
            }
            members.values().for_each(|value| references(value, wrong));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, wrong)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let world = World::in_memory().await;
    let reply = world.ask("GET", "/docs/openapi.json").by_nobody().send().await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.is(200), *DOCUMENT);
}

#[test]
fn requests_and_answers_have_the_schemas_of_their_entity() {
    let schemas = &DOCUMENT["components"]["schemas"];
    let create = &schemas["ContactCreate"];
    assert_eq!(create["required"], json!(["display_name"]));
    assert_eq!(create["additionalProperties"], false);
    assert!(create["properties"].get("id").is_none());
    let read = &schemas["Contact"]["properties"];
    assert_eq!(read["id"], json!({ "type": "string", "format": "uuid" }));
    assert!(read["display_name"]["description"].as_str().unwrap().starts_with("The name to show"));
    let stage = &schemas["StageCreate"];
    assert!(stage["properties"].get("pipeline_id").is_none(), "the path names it");
    assert_eq!(create["properties"]["display_name"]["minLength"], 1);
    let patch = &schemas["StagePatch"];
    assert!(patch.get("required").is_none() && patch["properties"].get("pipeline_id").is_none());
    assert_eq!(patch["properties"]["position"]["anyOf"][1], json!({ "type": "null" }));
    assert!(schemas["ChannelPatch"]["properties"].get("id").is_none());
    assert!(schemas["ChannelPatch"]["properties"]["value"].get("anyOf").is_none(), "there is always one");
    let task = &schemas["Task"]["properties"];
    assert!(task.get("status_category").is_none(), "nobody is shown it");
    let answered = &DOCUMENT["paths"]["/api/v1/contacts"]["post"]["responses"]["201"];
    assert_eq!(answered["content"]["application/json"]["schema"], json!({ "$ref": "#/components/schemas/Contact" }));
    let parameters = DOCUMENT["paths"]["/api/v1/contacts"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    for name in ["kind", "tag", "group_id", "organization_id", "as_of", "valid_at", "limit", "cursor", "q", "sort"] {
        assert!(names.contains(&name), "{name}");
    }
}
