//! Webhooks: what a write to one entails, and how one that does not answer is disabled.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::entity::webhook::{Webhook, WebhookStatus};
use crate::store::{AuditEntry, Changes, Require};
use crate::temporal::WriteOp;
use crate::{Error, Result, Timestamp};

use super::{ByTime, Everything, Operation, Record, Stored, Writing};

/// What only [`disable`] writes.
const READ_ONLY: [&str; 2] = ["disabled_at", "disabled_reason"];

#[async_trait]
impl Record for Webhook {
    type Filter = Everything;
    type Sort = ByTime;

    /// Why it was disabled stays as it is.
    fn complete(body: &mut Value, old: Option<&Stored<Self>>, _: &Operation) -> Result<()> {
        let Some(members) = body.as_object_mut() else { return Ok(()) };
        let before = old.and_then(|old| old.stored.slice.body.as_ref());
        for field in READ_ONLY {
            let kept = before.and_then(|before| before.get(field)).cloned().unwrap_or_default();
            let given = members.insert(field.to_owned(), kept.clone()).filter(|given| !given.is_null());
            if given.is_some_and(|given| given != kept) {
                let message = format!("{field} is filled in by the server; leave it out");
                return Err(Error::invalid(message).at(format!("/{field}")));
            }
        }
        Ok(())
    }

    /// A webhook holds from now on: a store knows it as it is at the newest commit.
    async fn on_write(writing: &mut Writing<'_, Self>) -> Result<()> {
        let operation = writing.operation;
        if operation.valid_to.is_some() || operation.valid_from.is_some_and(|from| from > operation.now()) {
            return Err(Error::invalid("a webhook holds from now on; it cannot be scheduled"));
        }
        if writing.new.status == WebhookStatus::Active {
            writing.new.disabled_at = None;
            writing.new.disabled_reason = None;
        }
        Ok(())
    }
}

/// Disables a webhook that did not answer, if nobody has written it since it was read; the audit log says so.
#[must_use]
pub fn disable(webhook: &Stored<Webhook>, principal: &str, reason: &str, at: Timestamp) -> Changes {
    let patch = json!({ "status": WebhookStatus::Disabled, "disabled_at": at, "disabled_reason": reason });
    let key = webhook.key();
    let mut entry = AuditEntry::new(principal, "webhook.disabled").of(key.kind.as_str(), key.id);
    entry.metadata.insert("reason".to_owned(), json!(reason));
    Changes::none()
        .write(key, WriteOp::Patch(patch))
        .require(Require::Version { key, version: webhook.version() })
        .audited(entry)
}
