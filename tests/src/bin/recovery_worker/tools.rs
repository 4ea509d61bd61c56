use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Client;
use serde_json::{Value, json};
use worktruck_agents::tools;
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::store::{Changes, EntityKey};
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{EntityId, Error, Result};

/// The tools that ship with Worktruck, and one more of each effect that these do not have.
pub(crate) fn all(server: &str) -> Result<Vec<Arc<dyn Tool>>> {
    let outside = |name: &str, effect| -> Result<Arc<dyn Tool>> {
        Ok(Arc::new(Outside { spec: spec(name, effect, "to"), client: client()?, url: format!("{server}/{name}") }))
    };
    let mut all = tools::builtin();
    all.push(Arc::new(ContactsCreate { spec: spec("contacts_create", ToolEffect::Write, "name") }));
    all.push(outside("letters_send", ToolEffect::OutsideIdempotent)?);
    all.push(outside("faxes_send", ToolEffect::Outside)?);
    Ok(all)
}

/// A client that goes to no proxy: the test is on this machine.
pub(crate) fn client() -> Result<Client> {
    Client::builder().no_proxy().build().map_err(|e| Error::internal("there is no HTTP client").with_source(e))
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
struct Outside {
    spec: Arc<ToolSpec>,
    client: Client,
    url: String,
}

#[async_trait]
impl Tool for Outside {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let failed = |e: reqwest::Error| ToolError::new(format!("{} failed: {e}", self.spec.name));
        let key = (self.spec.effect == ToolEffect::OutsideIdempotent).then_some(context.idempotency_key);
        let body = json!({ "run": context.run, "to": input["to"], "key": key });
        let response = self.client.post(&self.url).json(&body).send().await.map_err(failed)?;
        let is_refused = !response.status().is_success();
        let answer: Value = response.json().await.map_err(failed)?;
        if is_refused {
            return Err(ToolError::new(answer["error"].as_str().unwrap_or("refused")));
        }
        Ok(ToolOutput::new(answer))
    }
}
