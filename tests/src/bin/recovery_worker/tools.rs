use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_agents::tools;
use worktruck_core::EntityId;
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::store::{Changes, EntityKey};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

use crate::outside::Outside;

/// The tools that ship with Worktruck, and one more of each effect that these do not have.
pub(crate) fn all(outside: &Arc<Outside>) -> Vec<Arc<dyn Tool>> {
    let sends = |name: &str, effect| -> Arc<dyn Tool> {
        Arc::new(Sends { spec: spec(name, effect, "to"), outside: Arc::clone(outside) })
    };
    let mut all = tools::builtin();
    all.push(Arc::new(ContactsCreate { spec: spec("contacts_create", ToolEffect::Write, "name") }));
    all.push(sends("letters_send", ToolEffect::OutsideIdempotent));
    all.push(sends("faxes_send", ToolEffect::Outside));
    all
}

/// A tool whose input is one text.
fn spec(name: &str, effect: ToolEffect, input: &str) -> Arc<ToolSpec> {
    Arc::new(ToolSpec {
        name: name.to_owned(),
        title: name.to_owned(),
        description: String::new(),
        input_schema: json!({
            "type": "object",
            "properties": { input: { "type": "string" } },
            "required": [input],
            "additionalProperties": false
        }),
        effect,
        is_untrusted: false,
    })
}

#[derive(Debug)]
struct ContactsCreate {
    spec: Arc<ToolSpec>,
}

#[async_trait]
impl Tool for ContactsCreate {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let name = input["name"].as_str().unwrap_or_default().to_owned();
        let mut contact = Contact { display_name: name, ..Contact::default() };
        contact.normalise(None)?;
        let id = EntityId::new(&context.ids, context.now);
        let changes = Changes::none().create(EntityKey::new(Kind::Contact, id), json!(contact));
        Ok(ToolOutput::new(json!({ "id": id })).with_changes(changes))
    }
}

/// Something that the server in the test does, and counts.
#[derive(Debug)]
struct Sends {
    spec: Arc<ToolSpec>,
    outside: Arc<Outside>,
}

#[async_trait]
impl Tool for Sends {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let failed = |e: reqwest::Error| ToolError::new(format!("{} failed: {e}", self.spec.name));
        let key = (self.spec.effect == ToolEffect::OutsideIdempotent).then_some(context.idempotency_key);
        let body = json!({ "run": context.run, "to": input["to"], "key": key });
        let response = self.outside.call(&self.spec.name, body).await.map_err(failed)?;
        let is_refused = !response.status().is_success();
        let answer: Value = response.json().await.map_err(failed)?;
        if is_refused {
            return Err(ToolError::new(answer["error"].as_str().unwrap_or("refused")));
        }
        Ok(ToolOutput::new(answer))
    }
}
