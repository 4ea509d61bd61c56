use serde::Deserialize;
use serde_json::json;
use worktruck_core::entity::Kind;
use worktruck_core::store::{EntityKey, MemoryStore, View};
use worktruck_core::{DerivedIds, Digest, EntityId, RunId, TenantId, Timestamp};

use super::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// What is ordered.
    items: Vec<Item>,
    note: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Item {
    name: String,
    #[serde(default = "one")]
    count: u8,
}

const fn one() -> u8 {
    1
}

fn context() -> ToolContext {
    let (tenant, run) = (TenantId::from_uuid(uuid::Uuid::from_u128(1)), RunId::from_uuid(uuid::Uuid::from_u128(2)));
    ToolContext {
        tenant,
        run,
        seq: 4,
        now: Timestamp::EPOCH,
        view: View::new(Arc::new(MemoryStore::default()), tenant, Timestamp::EPOCH),
        ids: DerivedIds::new(run, 4),
        idempotency_key: Digest::of_bytes(b"key"),
    }
}

async fn count(_context: ToolContext, order: Order) -> Result<u32, ToolError> {
    if order.note.as_deref() == Some("refuse") {
        return Err(ToolError::new("not today"));
    }
    Ok(order.items.iter().filter(|item| !item.name.is_empty()).map(|item| u32::from(item.count)).sum())
}

#[tokio::test]
async fn function_gets_its_input_typed_and_its_output_is_json() {
    let tool = FnTool::read("order_count", "Count", "Counts.", count);
    let input = json!({ "items": [{ "name": "pen", "count": 2 }, { "name": "ink" }] });
    assert_eq!(tool.call(context(), input).await, Ok(ToolOutput::new(json!(3))));
    let refused = tool.call(context(), json!({ "items": [], "note": "refuse" })).await;
    assert_eq!(refused, Err(ToolError::new("not today")));
}

#[tokio::test]
async fn input_that_does_not_fit_is_an_error_that_names_the_place() {
    let tool = FnTool::outside("order_count", "Count", "Counts.", count);
    for (input, said) in [
        (json!({ "items": [{ "name": "pen" }, { "name": "ink", "count": 300 }] }), "(at /items/1/count)"),
        (json!({ "items": [{ "count": 1 }] }), "missing field `name` (at /items/0)"),
        (json!({ "items": [], "paid/~": true }), "(at /paid~1~0)"),
        (json!({}), "the input is not understood: missing field `items`"),
        (json!("pens"), "the input is not understood: invalid type: string \"pens\", expected struct Order"),
    ] {
        let error = tool.call(context(), input).await.unwrap_err();
        assert!(error.message.contains(said), "{said}\nis missing in\n{error}");
        assert!(error.fatal.is_none() && !error.transient, "{error:?}");
    }
}

#[tokio::test]
async fn written_changes_go_with_the_output() {
    let tool = FnTool::write("note_add", "Add", "Adds.", async |context: ToolContext, order: Order| {
        let key = EntityKey::new(Kind::Note, EntityId::new(&context.ids, context.now));
        Ok((json!({ "id": key.id }), Changes::none().create(key, json!({ "title": order.note }))))
    });
    let made = tool.call(context(), json!({ "items": [], "note": "x" })).await.unwrap();
    assert_eq!(made.changes.writes.len(), 1);
    assert_eq!(json!(made.changes.writes[0].key.id), made.output["id"]);
    let again = tool.call(context(), json!({ "items": [], "note": "x" })).await.unwrap();
    assert_eq!(made, again, "a call that is made again makes the same");
}

#[test]
fn each_constructor_has_its_effect() {
    let changes = async |_: ToolContext, _: Order| Ok(((), Changes::none()));
    let tools = [
        (FnTool::read("a", "A", "", count), ToolEffect::Read),
        (FnTool::write("a", "A", "", changes), ToolEffect::Write),
        (FnTool::outside("a", "A", "", count), ToolEffect::Outside),
        (FnTool::outside_idempotent("a", "A", "", count), ToolEffect::OutsideIdempotent),
    ];
    for (tool, effect) in tools {
        assert_eq!(tool.spec().effect, effect);
        assert!(!tool.spec().is_untrusted);
        assert!(tool.untrusted().spec().is_untrusted);
    }
}

#[test]
fn schema_is_whole_and_refuses_what_the_type_does() {
    let spec = FnTool::read("a", "A", "", count).spec();
    let text = spec.input_schema.to_string();
    assert!(!text.contains("$ref") && !text.contains("$schema"), "{text}");
    assert_eq!(spec.input_schema["properties"]["items"]["description"], "What is ordered.");
    let schema = jsonschema::validator_for(&spec.input_schema).unwrap();
    assert!(schema.is_valid(&json!({ "items": [{ "name": "pen" }], "note": null })));
    for wrong in [
        json!({}),
        json!({ "items": [], "paid": true }),
        json!({ "items": [{ "name": 1 }] }),
        json!({ "items": [{ "name": "pen", "count": 300 }] }),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
enum Choice {
    #[expect(dead_code, reason = "only its schema is looked at")]
    Name { name: String },
    #[expect(dead_code, reason = "only its schema is looked at")]
    Number { number: u32 },
}

#[test]
fn input_is_an_object_or_the_runtime_refuses_the_tool() {
    fn tool<I: DeserializeOwned + JsonSchema + Send + 'static>() -> FnTool {
        FnTool::read("a", "A", "", async |_: ToolContext, _: I| Ok(()))
    }
    for taken in [tool::<Order>(), tool::<Value>(), tool::<Choice>()] {
        let spec = taken.spec();
        assert_eq!(spec.input_schema["type"], "object", "{}", spec.input_schema);
        assert!(crate::Runtime::builder(Arc::new(MemoryStore::default())).tool(Arc::new(taken)).build().is_ok());
    }
    for refused in [tool::<Vec<u8>>(), tool::<String>(), tool::<()>()] {
        let builder = crate::Runtime::builder(Arc::new(MemoryStore::default())).tool(Arc::new(refused));
        let error = builder.build().unwrap_err();
        assert!(error.to_string().starts_with("the input schema of the tool a is of"), "{error}");
    }
}

#[tokio::test]
async fn output_without_a_json_form_is_an_error() {
    let tool = FnTool::read("a", "A", "", async |_: ToolContext, _: Order| {
        Ok(std::collections::BTreeMap::from([((1, 2), 3)]))
    });
    let error = tool.call(context(), json!({ "items": [] })).await.unwrap_err();
    assert!(error.message.starts_with("the output has no JSON form"), "{error}");
}
