//! The tools of the front desk. Their effects are such that a second time would show.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_core::EntityId;
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::store::{Changes, EntityKey, Require};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

pub(super) const NOTE: &str = "desk_note";
pub(super) const COUNT: &str = "desk_count";

/// `desk_note`: notes down a visitor who has not come yet.
#[derive(Debug)]
pub(super) struct DeskNote {
    spec: Arc<ToolSpec>,
}

impl Default for DeskNote {
    fn default() -> Self {
        let input = json!({ "visitor": { "type": "string" } });
        Self { spec: spec(NOTE, "Note a visitor down", "Makes a contact of a visitor.", &input) }
    }
}

#[async_trait]
impl Tool for DeskNote {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let visitor = input["visitor"].as_str().unwrap_or_default();
        let mut contact = Contact { display_name: visitor.to_owned(), ..Contact::default() };
        contact.metadata.insert("visits".to_owned(), json!(0));
        contact.normalise(None)?;
        let id = EntityId::new(&context.ids, context.now);
        let changes = Changes::none().create(EntityKey::new(Kind::Contact, id), body(&contact)?);
        Ok(ToolOutput::new(json!({ "id": id })).with_changes(changes))
    }
}

/// `desk_count`: counts one more visit of a visitor.
#[derive(Debug)]
pub(super) struct DeskCount {
    spec: Arc<ToolSpec>,
}

impl Default for DeskCount {
    fn default() -> Self {
        let input = json!({ "id": { "type": "string", "format": "uuid" } });
        Self { spec: spec(COUNT, "Count a visit", "Counts one more visit of a contact.", &input) }
    }
}

#[async_trait]
impl Tool for DeskCount {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let key = EntityKey::new(Kind::Contact, input["id"].as_str().unwrap_or_default().parse()?);
        let unknown = || ToolError::new(format!("there is no {key}"));
        let version = context.view.entity(key, At::NOW).await?.ok_or_else(unknown)?;
        let mut contact: Contact = serde_json::from_value(version.slice.body.ok_or_else(unknown)?)
            .map_err(|e| ToolError::new(format!("{key} is unreadable: {e}")))?;
        let visits = contact.metadata.get("visits").and_then(Value::as_u64).unwrap_or(0) + 1;
        contact.metadata.insert("visits".to_owned(), json!(visits));
        let changes = Changes::none()
            .write(key, WriteOp::Put(body(&contact)?))
            .require(Require::Version { key, version: version.slice.version });
        Ok(ToolOutput::new(json!({ "visits": visits })).with_changes(changes))
    }
}

fn spec(name: &str, title: &str, description: &str, properties: &Value) -> Arc<ToolSpec> {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(|members| members.keys()).collect();
    Arc::new(ToolSpec {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        input_schema: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        }),
        effect: ToolEffect::Write,
        is_untrusted: false,
    })
}

fn body(contact: &Contact) -> Result<Value, ToolError> {
    serde_json::to_value(contact).map_err(|e| ToolError::new(format!("the contact has no JSON form: {e}")))
}
