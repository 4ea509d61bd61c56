//! Schemas of what goes in and out, made of those of the entities.

use std::any::type_name;
use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use worktruck_core::entity::Entity;
use worktruck_core::pim::{Nested, Temporal};
use worktruck_core::{EntityId, TenantId, Timestamp};

use crate::shown::Shown;

/// Makes a type whose schema is made of that of another, under a name of its own.
macro_rules! made_of {
    ($($(#[$doc:meta])* $name:ident<$of:ident: $bound:path> $suffix:literal $make:expr;)*) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name<$of>(PhantomData<fn() -> $of>);

        impl<$of: JsonSchema + 'static + $bound> JsonSchema for $name<$of> {
            fn schema_name() -> Cow<'static, str> {
                format!(concat!("{}", $suffix), $of::schema_name()).into()
            }

            fn schema_id() -> Cow<'static, str> {
                type_name::<Self>().into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut object = Map::from($of::json_schema(generator).to_value().as_object().cloned().unwrap_or_default());
                let make: fn(&mut Map<String, Value>, &mut SchemaGenerator) = $make;
                make(&mut object, generator);
                Schema::from(object)
            }
        })*
    };
}

/// What a store keeps, as far as it is shown.
pub(crate) trait Kept {
    /// The fields that nobody is shown.
    const INNER: &'static [&'static str];
}

impl<E: Entity> Kept for E {
    const INNER: &'static [&'static str] = E::INNER_FIELDS;
}

/// Anything.
pub(crate) trait Any {}

impl<T> Any for T {}

made_of! {
    /// An entity as it is read: with its id, tenant, times and version.
    ResourceOf<T: Kept> "" |object, generator| {
        T::INNER.iter().for_each(|name| leave_out(object, name));
        add_members(object, &T::schema_name(), generator);
    };
    /// The body of a new entity.
    NewOf<T: Shown> "Create" |object, _| {
        T::INNER_FIELDS.iter().for_each(|name| leave_out(object, name));
        require(object, T::NEEDS);
        object.insert("examples".to_owned(), json!([T::example()]));
    };
    /// The body of a new entity that belongs to another, which it does not name.
    NewInOf<T: NestedShown> "Create" |object, _| {
        require(object, T::NEEDS);
        leave_out(object, T::WHOLE);
        object.insert("examples".to_owned(), json!([T::example()]));
    };
    /// The body of a new part of an entity.
    PartOf<T: Any> "Create" |object, _| leave_out(object, "id");
    /// A JSON merge patch.
    PatchOf<T: Any> "Patch" |object, _| {
        leave_out(object, "id");
        patch(object);
    };
    /// A JSON merge patch of what belongs to another, and stays with it.
    PatchInOf<T: NestedShown> "Patch" |object, _| {
        leave_out(object, T::WHOLE);
        patch(object);
    };
}

/// What belongs to another entity and is shown.
pub(crate) trait NestedShown: Nested + Shown {}

impl<P: Nested + Shown> NestedShown for P {}

/// A version that says that an entity ended.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "its fields are those of the schema")]
pub(crate) struct Ended {
    id: EntityId,
    tenant_id: TenantId,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Always true.
    is_deleted: bool,
    _temporal: Temporal,
}

/// The schema of a page of items.
pub(crate) fn page_of(item: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next_cursor", "has_more"],
        "properties": {
            "data": { "type": "array", "items": item },
            "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins." },
            "has_more": { "type": "boolean", "description": "Whether there is a next page." },
        },
        "additionalProperties": false,
    })
}

/// The names of the properties of a schema.
pub(crate) fn property_names(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// The words that a schema of an enum allows.
pub(crate) fn words(schema: &Value) -> Vec<String> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|one| one["enum"].as_array().into_iter().flatten().chain(one.get("const")));
    plain.chain(described).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn properties(object: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    object.get_mut("properties").and_then(Value::as_object_mut)
}

fn required(object: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    object.entry("required").or_insert_with(|| json!([])).as_array_mut()
}

/// What reads add to an entity beside what the store knows.
fn added(entity: &str) -> Value {
    match entity {
        "Deal" => json!({
            "pipeline_name": { "type": ["string", "null"], "description": "What its pipeline is called." },
            "stage_name": { "type": ["string", "null"], "description": "What its stage is called." },
            "effective_probability": {
                "type": ["number", "null"], "minimum": 0, "maximum": 1,
                "description": "How likely it is to be won: its own probability, else that of its stage.",
            },
        }),
        "Event" => json!({
            "attendees": { "type": "array", "items": { "type": "object" }, "description": "Who is asked to it." },
            "links": { "type": "array", "items": { "type": "object" }, "description": "What it is about." },
        }),
        "Note" => json!({
            "outgoing_link_count": { "type": "integer", "minimum": 0, "description": "How many links lead from it." },
            "backlink_count": { "type": "integer", "minimum": 0, "description": "How many links lead to it." },
            "snippet": { "type": "string", "description": "In a search, the part of it that matches best." },
        }),
        "Notebook" => json!({
            "note_count": { "type": "integer", "minimum": 0, "description": "How many notes it has." },
        }),
        "Project" => json!({
            "next_task_number": { "type": "integer", "minimum": 1, "description": "The number of its next task." },
        }),
        "Relationship" => json!({
            "direction": { "enum": ["outgoing", "incoming"], "description": "Whether it is stored the other way round." },
        }),
        _ => json!({}),
    }
}

/// Adds what the store knows of an entity, and what reads add.
fn add_members(object: &mut Map<String, Value>, entity: &str, generator: &mut SchemaGenerator) {
    let temporal: Value = generator.subschema_for::<Temporal>().into();
    let time = json!({ "type": "string", "format": "date-time" });
    let id = json!({ "type": "string", "format": "uuid" });
    let own = [
        ("id", id.clone()),
        ("tenant_id", id),
        ("created_at", time.clone()),
        ("updated_at", time),
        ("version", json!({ "type": "integer", "minimum": 1 })),
    ];
    if let Some(names) = required(object) {
        names.extend(own.iter().map(|(name, _)| json!(name)));
    }
    if let Some(properties) = properties(object) {
        properties.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
        properties.insert("_temporal".to_owned(), temporal);
        properties.extend(added(entity).as_object().cloned().unwrap_or_default());
    }
    object.remove("additionalProperties");
}

/// Says which members must be there, and no others. A text that must be there says something.
fn require(object: &mut Map<String, Value>, names: &[&str]) {
    object.insert("required".to_owned(), json!(names));
    for (name, schema) in properties(object).into_iter().flatten() {
        let is_text = schema["type"] == "string" && schema.get("format").is_none();
        if let Some(schema) = schema.as_object_mut().filter(|_| is_text && names.contains(&name.as_str())) {
            schema.insert("minLength".to_owned(), json!(1));
        }
    }
}

fn leave_out(object: &mut Map<String, Value>, name: &str) {
    if let Some(properties) = properties(object) {
        properties.remove(name);
    }
    if let Some(names) = required(object) {
        names.retain(|known| known != name);
    }
}

/// Lets every member be left out, and taken away if there may be none.
fn patch(object: &mut Map<String, Value>) {
    let needed = object.remove("required").unwrap_or_default();
    let needed = needed.as_array().map_or(&[][..], Vec::as_slice);
    for (name, schema) in properties(object).into_iter().flatten() {
        if !needed.contains(&json!(name)) {
            let own = schema.take();
            *schema = json!({ "anyOf": [own, { "type": "null" }] });
        }
    }
}
