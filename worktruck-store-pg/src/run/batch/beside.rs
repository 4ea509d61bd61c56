//! What is written beside runs and their steps: what was only tried out, what people are asked, and what webhooks are told.

use uuid::Uuid;
use worktruck_core::store::{Message, told_of};
use worktruck_core::{Result, RunId};

use crate::rows::{number, to_json};
use crate::statement::{Rows as _, Statement, columns};

use super::WRITTEN;

columns! {
    /// New rows of `tried`.
    Tried { i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", seq: i32 = "int", body: String = "text" }
}

columns! {
    /// Rows of `approval`, new or written over.
    Approvals {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", id: Uuid = "uuid", requested_at: i64 = "bigint",
        seq: i32 = "int", status: &'static str = "text", body: String = "text",
    }
}

columns! {
    /// What webhooks may ask for, with the record in the batch that it is of.
    Messages {
        i: Option<i32> = "int", tenant: Uuid = "uuid", id: Uuid = "uuid", run: Option<Uuid> = "uuid",
        seq: Option<i64> = "bigint", told: String = "text", at: i64 = "bigint", body: String = "text",
    }
}

impl Messages {
    /// Adds a message of a tenant, of the record at `i` of the batch if it is of one.
    pub(crate) fn add(&mut self, i: Option<i32>, tenant: Uuid, message: Message) -> Result<()> {
        let body = to_json(&message.body)?;
        let (run, seq) = message.event.unzip();
        let (run, seq) = (run.map(RunId::as_uuid), seq.map(number).transpose()?);
        self.push(i, tenant, message.id, run, seq, message.event_type, message.at.as_micros(), body);
        Ok(())
    }
}

pub(super) fn write_tried(tried: Tried, statement: &mut Statement) {
    if tried.is_empty() {
        return;
    }
    let rows = tried.bind(statement, "c");
    statement.with(
        "tried_out",
        format!(
            "INSERT INTO tried (tenant, run, seq, body)
             SELECT tenant, run, seq, body::json FROM {rows} WHERE {WRITTEN}"
        ),
    );
}

pub(super) fn write_approvals(approvals: Approvals, statement: &mut Statement) {
    if approvals.is_empty() {
        return;
    }
    let rows = approvals.bind(statement, "c");
    statement.with(
        "asked",
        format!(
            "INSERT INTO approval (tenant, run, id, requested_at, seq, status, body)
             SELECT tenant, run, id, requested_at, seq, status, body::json FROM {rows} WHERE {WRITTEN}
             ON CONFLICT (tenant, run, seq) DO UPDATE
             SET id = excluded.id, requested_at = excluded.requested_at, status = excluded.status, body = excluded.body"
        ),
    );
}

/// Makes a delivery of each message `c` to every webhook that asks for it, where the condition holds. Its id is that of
/// the message with the last six bytes of the webhook's mixed in, as `Message::delivery_to` of core has it.
pub(crate) fn write_messages(messages: Messages, part: &str, only_if: &str, statement: &mut Statement) {
    if messages.is_empty() {
        return;
    }
    let rows = messages.bind(statement, "c");
    // Only the value of the term depends on the message.
    let (kind, term) = told_of("");
    let (kind, name) = (statement.bind(kind.as_str()), statement.bind(term.name));
    statement.with(
        part,
        format!(
            "INSERT INTO delivery (tenant, id, webhook, run, seq, type, status, attempts, failures, next_attempt_at,
                 created_at, body)
             SELECT c.tenant, (left(c.id::text, 24) || lpad(to_hex(
                     (('x' || right(c.id::text, 12))::bit(48) # ('x' || right(t.id::text, 12))::bit(48))::bigint),
                     12, '0'))::uuid,
                 t.id, c.run, c.seq, c.told, 'pending', 0, 0, c.at, c.at, c.body::json
             FROM {rows} CROSS JOIN LATERAL (
                 SELECT w.id FROM term w WHERE w.tenant = c.tenant AND w.kind = {kind}::text AND w.name = {name}::text
                     AND w.value = convert_to(c.told, 'UTF8') OFFSET 0) t
             WHERE {only_if}"
        ),
    );
}
