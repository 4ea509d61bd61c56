//! The OpenAPI document, made of what the routes are registered with.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::PREFIX;
use crate::route::Route;
use crate::schema::property_names;
use crate::takes::{Takes, is_id};

/// Where schemas are.
const DEFINITIONS: &str = "/components/schemas";

/// The document of these routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let settings = || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = DEFINITIONS.into());
    let mut requests = settings().for_deserialize().into_generator();
    let mut answers = settings().for_serialize().into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let operation = operation(route, &mut requests, &mut answers);
        let path = paths.entry(format!("{PREFIX}{}", route.path)).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let mut schemas = answers.take_definitions(true);
    let taken = own_names(&mut requests, &mut schemas);
    let mut paths = Value::Object(paths);
    rename(&mut paths, &taken);
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Worktruck",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Contacts, deals, tasks, events and notes over two times.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Error": {
                    "description": "What went wrong.",
                    "headers": { "X-Request-Id": header("Names the request.") },
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
            },
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The document as it is sent.
pub(crate) fn serve(document: Bytes) -> Response {
    let mut response = document.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn operation(route: &Route, requests: &mut SchemaGenerator, answers: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.domain.as_str()],
        "parameters": parameters(route, requests),
        "responses": responses(route, answers),
    });
    if let Some(scope) = route.scope {
        operation["description"] = json!(format!("Needs the scope `{scope}`."));
    }
    if let Some(schema) = requests_body(route, requests) {
        operation["requestBody"] = schema;
    }
    operation
}

/// The method and the words of the path: `get_contacts_id_history`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '-']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_"))
}

fn parameters(route: &Route, requests: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            let schema =
                if is_id(name) { json!({ "type": "string", "format": "uuid" }) } else { json!({ "type": "string" }) };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    let own = (route.query)(requests);
    for name in property_names(&own) {
        let mut schema = own["properties"][&name].clone();
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let is_required = own["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        let mut parameter = json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
        if let Some(about) = about {
            parameter["description"] = about;
        }
        all.push(parameter);
    }
    all.extend(common(&route.takes));
    let writes = route.method != Method::GET;
    if writes && route.takes.valid {
        let about = "Why, for the history: `user_edit` if left out.";
        all.push(in_header("X-Capture-Reason", about, &json!({ "type": "string", "minLength": 1, "maxLength": 200 })));
    }
    if route.method == Method::POST {
        let about = "Names the request, so that it is done once however often it is sent; for a day.";
        all.push(in_header("Idempotency-Key", about, &json!({ "type": "string", "pattern": "^[!-~]{1,255}$" })));
    }
    if writes && route.method != Method::POST {
        let about = "Only if this is its version, as an ETag has it.";
        all.push(in_header("If-Match", about, &json!({ "type": "string" })));
    }
    all
}

fn in_header(name: &str, about: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": schema })
}

/// The parameters that many routes share.
fn common(takes: &Takes) -> Vec<Value> {
    let time = json!({ "type": "string", "format": "date-time" });
    let mut all = Vec::new();
    let mut add = |name: &str, about: &str, schema: Value| {
        all.push(json!({ "name": name, "in": "query", "description": about, "schema": schema }));
    };
    if takes.at {
        add("as_of", "What was known then.", time.clone());
        add("valid_at", "What held then; at `as_of` if left out.", time.clone());
    }
    if takes.valid {
        add("valid_from", "From when on it holds; from now on if left out.", time.clone());
        add("valid_to", "Until when it holds; for ever if left out.", time);
    }
    if takes.page {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        add("limit", "How many at most.", limit);
        add("cursor", "Where the page begins: the `next_cursor` of the one before.", json!({ "type": "string" }));
    }
    if takes.search {
        add("q", "Words, each of which must begin one of the text.", json!({ "type": "string" }));
    }
    if !takes.sorts.is_empty() {
        let both: Vec<String> = takes.sorts.iter().flat_map(|by| [by.clone(), format!("-{by}")]).collect();
        add("sort", "By what; backwards with a minus.", json!({ "type": "string", "enum": both }));
    }
    all
}

fn requests_body(route: &Route, requests: &mut SchemaGenerator) -> Option<Value> {
    let schema = (route.body)(requests)?;
    Some(json!({ "required": true, "content": content(route.body_types, &schema) }))
}

/// The same schema for each media type. A file is text, unless its type says that it is JSON.
fn content(types: &[&str], schema: &Value) -> Value {
    let is_file = *schema == json!({ "type": "string" });
    let of = |name: &str| if is_file && name.ends_with("+json") { json!({}) } else { schema.clone() };
    types.iter().map(|name| ((*name).to_owned(), json!({ "schema": of(name) }))).collect::<Map<_, _>>().into()
}

fn header(about: &str) -> Value {
    json!({ "description": about, "schema": { "type": "string" } })
}

fn responses(route: &Route, answers: &mut SchemaGenerator) -> Value {
    let mut headers = json!({ "X-Request-Id": header("Names the request.") });
    for (name, about) in route.headers {
        headers[*name] = header(about);
    }
    let mut success = json!({ "description": "Done.", "headers": headers });
    if let Some(schema) = (route.answer)(answers) {
        success["content"] = content(route.answer_types, &schema);
    }
    let mut all = json!({ (route.status.as_str()): success });
    for status in failures(route) {
        all[status.to_string()] = json!({ "$ref": "#/components/responses/Error" });
    }
    all
}

/// What may go wrong.
fn failures(route: &Route) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([400, 401, 403, 404, 410, 429, 500, 503]);
    if route.method != Method::GET {
        statuses.extend([409, 412, 413]);
    }
    if route.method == Method::POST {
        statuses.insert(422);
    }
    if !route.body_types.is_empty() {
        statuses.insert(415);
    }
    statuses
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": { "type": "string", "description": "For programs." },
                    "message": { "type": "string", "description": "For people: what is wrong and what to do." },
                    "details": {
                        "type": "object",
                        "description": "More for programs: `pointer` is the JSON pointer of what is wrong.",
                    },
                },
                "additionalProperties": false,
            },
        },
    })
}

/// Puts the schemas of requests beside those of answers, and says which get a name of their own because an answer has
/// another schema under theirs.
fn own_names(requests: &mut SchemaGenerator, schemas: &mut Map<String, Value>) -> BTreeSet<String> {
    let mut own = requests.take_definitions(true);
    for schema in own.values_mut() {
        // The service chooses ids.
        if let Some(names) = schema.get_mut("required").and_then(Value::as_array_mut) {
            names.retain(|name| name != "id");
        }
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    // What refers to a schema with another name is another schema, too.
    loop {
        let differs = |(name, schema): &(&String, &Value)| {
            !taken.contains(*name)
                && schemas.get(*name).is_some_and(|known| known != *schema || refers_to_any(schema, &taken))
        };
        let more: Vec<String> = own.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        if more.is_empty() {
            break;
        }
        taken.extend(more);
    }
    for (name, mut schema) in own {
        rename(&mut schema, &taken);
        let name = if taken.contains(&name) { input(&name) } else { name };
        schemas.insert(name, schema);
    }
    taken
}

/// What the schema of a request is called that has the name of another one.
fn input(name: &str) -> String {
    format!("{name}Input")
}

fn refers_to_any(schema: &Value, names: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, value)| match value.as_str() {
            Some(to) if key == "$ref" => names.contains(to.rsplit('/').next().unwrap_or_default()),
            _ => refers_to_any(value, names),
        }),
        Value::Array(items) => items.iter().any(|item| refers_to_any(item, names)),
        _ => false,
    }
}

/// Gives references of requests the names that their schemas have got. Answers keep theirs.
fn rename(value: &mut Value, taken: &BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(to) if key == "$ref" => {
                        let name = to.rsplit('/').next().unwrap_or_default().to_owned();
                        if taken.contains(&name) {
                            *to = format!("#{DEFINITIONS}/{}", input(&name));
                        }
                    }
                    _ if key == "responses" => {}
                    _ => rename(value, taken),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, taken)),
        _ => {}
    }
}
