use uuid::Uuid;

use crate::{Result, TenantId, Timestamp};

use super::request::done_already;
use super::{AuditRecord, Changes, Effect, Message, RequestRecord, attempt_lost};

/// What a commit writes beside entities, in the same transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What webhooks are told of.
    pub messages: Vec<Message>,
    /// What is added to the audit log.
    pub audit: Vec<AuditRecord>,
    /// What is remembered of requests.
    pub effects: Vec<RequestEffect>,
}

/// What an attempt at a request did.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestEffect {
    /// The key of the request.
    pub key: String,
    /// The attempt.
    pub attempt: Uuid,
    /// What it did.
    pub effect: Effect,
}

impl Beside {
    /// Adds what the changes of commit `tx_id`, made `at` that moment, carry with them; `request` is what is remembered of
    /// the request that they are for.
    ///
    /// # Errors
    ///
    /// `LeaseLost` if another attempt at the request has begun, `Conflict` if it has had its effect.
    pub fn add(
        &mut self,
        tenant: TenantId,
        tx_id: u64,
        changes: &Changes,
        request: Option<&RequestRecord>,
        at: Timestamp,
    ) -> Result<()> {
        if let Some(mark) = &changes.request {
            let effect = request.ok_or_else(attempt_lost)?.effect(mark, tx_id, at)?;
            if self.effects.iter().any(|before| before.key == mark.key) {
                return Err(done_already());
            }
            self.effects.push(RequestEffect { key: mark.key.clone(), attempt: mark.attempt, effect });
        }
        let news = changes.news.iter().enumerate();
        self.messages.extend(news.map(|(place, news)| Message::of_commit(tenant, tx_id, place, news, at)));
        let entries = changes.audit.iter().cloned().enumerate();
        let name = format!("commit:{tx_id}");
        self.audit.extend(entries.map(|(place, entry)| entry.recorded(tenant, &name, place, at)));
        Ok(())
    }

    /// How much there is of it, for [`truncate`](Self::truncate).
    pub(super) const fn len(&self) -> [usize; 3] {
        [self.messages.len(), self.audit.len(), self.effects.len()]
    }

    /// Takes back what was added since there was this much of it.
    pub(super) fn truncate(&mut self, [messages, audit, effects]: [usize; 3]) {
        self.messages.truncate(messages);
        self.audit.truncate(audit);
        self.effects.truncate(effects);
    }
}
