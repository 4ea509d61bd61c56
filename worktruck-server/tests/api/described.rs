//! Every answer of every test is held against the OpenAPI document: its status and its shape are there.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};
use worktruck_server::openapi;

use crate::world::Reply;

/// The document.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi);

type Validators = HashMap<(String, String, u16), Option<Arc<Validator>>>;

static VALIDATORS: LazyLock<Mutex<Validators>> = LazyLock::new(Mutex::default);

/// The path of the document that `path` is one of.
fn template(path: &str) -> Option<&'static str> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let known: Vec<&str> = template.split('/').collect();
        known.len() == parts.len()
            && known.iter().zip(&parts).all(|(known, part)| known.starts_with('{') || known == part)
    };
    // What is written out goes before what is named.
    paths.keys().filter(fits).min_by_key(|template| template.matches('{').count()).map(String::as_str)
}

/// Fails if the answer is not one that the document describes.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    let Some(template) = template(path) else { return };
    let operation = &DOCUMENT["paths"][template][method.to_ascii_lowercase()];
    if operation.is_null() {
        return;
    }
    let key = (method.to_owned(), template.to_owned(), reply.status);
    let known = VALIDATORS.lock().unwrap().get(&key).cloned();
    let validator = known.unwrap_or_else(|| {
        let made = validator(operation, &key);
        VALIDATORS.lock().unwrap().insert(key.clone(), made.clone());
        made
    });
    let Some(validator) = validator else {
        let is_file = operation["responses"][reply.status.to_string()]["content"].get("application/json").is_none();
        assert!(reply.text.is_empty() || is_file, "{key:?} has no body");
        return;
    };
    if reply.header("content-encoding").is_empty() {
        let body: Value = serde_json::from_str(&reply.text).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{key:?}: {wrong:#?}\n{body:#}");
    }
}

fn validator(operation: &Value, key: &(String, String, u16)) -> Option<Arc<Validator>> {
    let mut response = &operation["responses"][key.2.to_string()];
    assert!(!response.is_null(), "the status of {key:?} is not described");
    if response.get("$ref").is_some() {
        response = &DOCUMENT["components"]["responses"]["Error"];
    }
    let schema = response["content"].get("application/json")?["schema"].clone();
    let whole = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
    Some(Arc::new(jsonschema::draft202012::new(&whole).unwrap()))
}
