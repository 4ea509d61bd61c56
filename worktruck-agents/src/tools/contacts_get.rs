use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use worktruck_core::entity::Kind;
use worktruck_core::store::{EntityKey, Version};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{EntityId, Timestamp};

use super::{at, parse};

/// `contacts_get`: one contact, whole.
#[derive(Debug)]
pub struct ContactsGet {
    spec: Arc<ToolSpec>,
}

impl Default for ContactsGet {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "contacts_get".to_owned(),
            title: "Get a contact".to_owned(),
            description: "Returns one contact with its channels, addresses, dates and tags.".to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "id": { "type": "string", "format": "uuid" },
                    "as_of": { "type": "string", "format": "date-time",
                               "description": "The contact as it was at this moment." }
                },
                "required": ["id"],
                "additionalProperties": false
            }),
            effect: ToolEffect::Read,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec) }
    }
}

#[derive(Debug, Deserialize)]
struct Input {
    id: EntityId,
    as_of: Option<Timestamp>,
}

#[async_trait]
impl Tool for ContactsGet {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let Input { id, as_of } = parse(input)?;
        let version = context.view.entity(EntityKey::new(Kind::Contact, id), at(as_of)).await?;
        let contact = version.as_ref().and_then(Version::resource);
        contact
            .map(ToolOutput::new)
            .ok_or_else(|| ToolError::new(format!("contact {id} does not exist; contacts_search finds those that do")))
    }
}
