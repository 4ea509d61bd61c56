use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::entity::Kind;
use crate::run::FailureCategory;
use crate::store::{Changes, EntityKey, ListQuery, Require, Version, View};
use crate::temporal::WriteOp;
use crate::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use crate::{Digest, EntityId, Result};

/// A tool that does what its input says, and counts.
///
/// The input is an object. `fail` (a text) makes the call fail, `fatal` (a text) makes it end the
/// run as `tool_failed`, `hang` (`true`) makes it never come back; an outside effect happens before
/// either. What else there is depends on the effect:
///
/// - [`read`](Self::read): nothing. It answers with the names of all contacts.
/// - [`write`](Self::write): `name`. Without `to` it creates a contact of that name, with `to` it
///   renames the contact, which must be as it was seen. It answers with the names it saw. With
///   `malformed` (`true`) it makes changes that no store takes.
/// - [`outside`](Self::outside) and [`outside_idempotent`](Self::outside_idempotent): anything in
///   `text`. It answers with what it delivered; the idempotent one delivers once for each key.
///
/// A read that fails because the store could not be reached is made again.
#[derive(Debug)]
pub struct ScriptedTool {
    spec: Arc<ToolSpec>,
    keys: Mutex<Vec<Digest>>,
}

impl ScriptedTool {
    /// A tool that reads.
    #[must_use]
    pub fn read(name: &str) -> Arc<Self> {
        Self::new(name, ToolEffect::Read)
    }

    /// A tool that writes to the store.
    #[must_use]
    pub fn write(name: &str) -> Arc<Self> {
        Self::new(name, ToolEffect::Write)
    }

    /// A tool with an effect outside that happens with every call.
    #[must_use]
    pub fn outside(name: &str) -> Arc<Self> {
        Self::new(name, ToolEffect::Outside)
    }

    /// A tool with an effect outside that happens once for each key.
    #[must_use]
    pub fn outside_idempotent(name: &str) -> Arc<Self> {
        Self::new(name, ToolEffect::OutsideIdempotent)
    }

    fn new(name: &str, effect: ToolEffect) -> Arc<Self> {
        let text = json!({ "type": "string" });
        let spec = ToolSpec {
            name: name.to_owned(),
            title: name.to_owned(),
            description: "Does what its input says.".to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "name": text, "to": text, "text": text, "fail": text, "fatal": text,
                    "hang": { "type": "boolean" }, "malformed": { "type": "boolean" },
                },
                "required": if effect == ToolEffect::Write { vec!["name"] } else { Vec::new() },
                "additionalProperties": false,
            }),
            effect,
            is_untrusted: false,
        };
        Arc::new(Self { spec: Arc::new(spec), keys: Mutex::new(Vec::new()) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The idempotency keys of all calls so far, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<Digest> {
        self.keys_mut().clone()
    }

    /// How many different calls were made.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.keys().into_iter().collect::<std::collections::BTreeSet<_>>().len()
    }

    fn keys_mut(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_contact(context: &ToolContext, input: &Value) -> Result<ToolOutput, ToolError> {
        let contacts = contacts(&context.view).await?;
        let seen: Vec<&str> = contacts.iter().map(|(name, _)| name.as_str()).collect();
        let output = json!({ "seen": seen });
        let name = input["name"].as_str().unwrap_or_default();
        let changes = match input["to"].as_str() {
            None => {
                let key = EntityKey::new(Kind::Contact, EntityId::new(&context.ids, context.now));
                let body = if input["malformed"] == true {
                    json!({ "display_name": 1 })
                } else {
                    json!({ "display_name": name })
                };
                Changes::none().create(key, body)
            }
            Some(to) => {
                let found = contacts.iter().find(|(other, _)| other == name);
                let Some((_, version)) = found else {
                    return Err(ToolError::new(format!("there is no contact named {name}")));
                };
                let require = Require::Version { key: version.key, version: version.slice.version };
                let patch = WriteOp::Patch(json!({ "display_name": to }));
                Changes::none().write(version.key, patch).require(require)
            }
        };
        Ok(ToolOutput::new(output).with_changes(changes))
    }

    fn deliver(&self, context: &ToolContext, input: &Value) -> Value {
        let mut distinct = self.keys();
        let mut known = std::collections::BTreeSet::new();
        distinct.retain(|key| known.insert(*key));
        let number = distinct.iter().position(|key| *key == context.idempotency_key).map(|at| at + 1);
        json!({ "delivered": input["text"], "number": number })
    }
}

#[async_trait]
impl Tool for ScriptedTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        self.keys_mut().push(context.idempotency_key);
        if input["hang"] == true {
            return futures::future::pending().await;
        }
        if let Some(message) = input["fail"].as_str() {
            return Err(ToolError::new(message));
        }
        if let Some(message) = input["fatal"].as_str() {
            return Err(ToolError::fatal(FailureCategory::ToolFailed, message));
        }
        match self.spec.effect {
            ToolEffect::Read => {
                let names: Vec<String> = contacts(&context.view).await?.into_iter().map(|(name, _)| name).collect();
                Ok(ToolOutput::new(json!({ "names": names })))
            }
            ToolEffect::Write => Self::write_contact(&context, &input).await,
            ToolEffect::OutsideIdempotent | ToolEffect::Outside => Ok(ToolOutput::new(self.deliver(&context, &input))),
        }
    }
}

/// The contacts that a view shows, by name.
async fn contacts(view: &View) -> Result<Vec<(String, Version)>> {
    let page = loop {
        match view.list(ListQuery::new(Kind::Contact)).await {
            Err(error) if error.is_retryable() => {}
            page => break page?,
        }
    };
    let named = |version: Version| {
        let body = version.slice.body.as_ref()?;
        Some((body["display_name"].as_str()?.to_owned(), version))
    };
    let mut contacts: Vec<_> = page.data.into_iter().filter_map(named).collect();
    contacts.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(contacts)
}
