//! The tools that are in the store: they read and count up one record that all runs share, so that writes get in each
//! other's way and every effect is a version of it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_core::entity::Kind;
use worktruck_core::store::{Changes, EntityKey, Require};
use worktruck_core::temporal::{At, WriteOp};
use worktruck_core::testing::CountingIds;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{EntityId, Timestamp};

use crate::part;

/// The record that is counted up.
pub(crate) fn key() -> EntityKey {
    EntityKey::new(Kind::Contact, EntityId::new(&CountingIds::new(9), Timestamp::EPOCH))
}

/// It before anybody has counted.
pub(crate) fn body() -> Value {
    json!({ "display_name": "Tally", "metadata": { "count": 0 } })
}

/// How often it says that it was counted up.
pub(crate) fn count(body: Option<&Value>) -> u64 {
    body.and_then(|body| body["metadata"]["count"].as_u64()).unwrap_or_default()
}

/// A tool that reads the record, or counts it up.
#[derive(Debug)]
pub(crate) struct Tally(Arc<ToolSpec>);

impl Tally {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let spec = part::specs().iter().find(|spec| spec.name == name)?;
        (!spec.effect.is_outside()).then(|| Self(Arc::clone(spec)))
    }
}

#[async_trait]
impl Tool for Tally {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.0)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let seen = context.view.entity(key(), At::NOW).await?;
        let seen = seen.ok_or_else(|| ToolError::new("the tally is gone"))?;
        let count = count(seen.slice.body.as_ref());
        if self.0.effect == ToolEffect::Read {
            return Ok(ToolOutput::new(json!({ "count": count })));
        }
        let patch = WriteOp::Patch(json!({ "metadata": { "count": count + 1 } }));
        let require = Require::Version { key: key(), version: seen.slice.version };
        let output = ToolOutput::new(json!({ "counted": count + 1, "for": input["text"] }));
        Ok(output.with_changes(Changes::none().write(key(), patch).require(require)))
    }
}
