//! The parts of a statement that write what belongs to records, beside the records themselves.

use worktruck_core::store::told_of;

use crate::statement::{Rows as _, Statement};

use super::batch::{Approvals, Calls, Events, Messages, Payloads, Runs, Steps, Tried};

/// Whether the record of a row was written. So put, the records that were are looked up by their
/// hashes, and not joined.
const WRITTEN: &str = "(c.i IN (SELECT i FROM written)) IS TRUE";

pub(super) fn write_runs(runs: Runs, statement: &mut Statement) {
    if runs.is_empty() {
        return;
    }
    let rows = runs.bind(statement, "c");
    statement.with(
        "ran",
        format!(
            "UPDATE run r SET outcome = c.outcome, finished_at = c.finished_at, state = c.state::json, output = c.output::json,
                 snapshot = coalesce(c.snapshot::json, r.snapshot), blueprint_version = c.blueprint_version,
                 fence = c.fence, head_seq = c.head_seq, commits = c.commits, event_seq = c.event_seq,
                 cost = c.cost, reserved = c.reserved, forfeited = c.forfeited
             FROM {rows} WHERE r.tenant = c.tenant AND r.id = c.run AND {WRITTEN}"
        ),
    );
}

/// New rows of `step`, but for the last columns, which follow.
pub(super) const INTO_STEP: &str =
    "INSERT INTO step (tenant, run, id, started_at, completed_at, at, event_seq, cost, seq, kind,
        outcome, name, call_digest, hash, input, output, input_ref, output_ref, model, usage)
    SELECT tenant, run, id, started_at, completed_at, at, event_seq, cost, seq, kind, outcome, name::json, call_digest,
        hash, input::json, output::json";

pub(super) fn write_journal(steps: Steps, payloads: Payloads, calls: Calls, events: Events, statement: &mut Statement) {
    if !payloads.is_empty() {
        let rows = payloads.bind(statement, "c");
        statement.with(
            "paid",
            format!(
                "INSERT INTO payload (tenant, digest, body) SELECT tenant, digest, body::json FROM {rows} WHERE {WRITTEN}
                 ON CONFLICT (tenant, digest) DO NOTHING"
            ),
        );
    }
    if !steps.is_empty() {
        let rows = steps.bind(statement, "c");
        statement.with(
            "stepped",
            format!("{INTO_STEP}, input_ref, output_ref, model::json, usage::json FROM {rows} WHERE {WRITTEN}"),
        );
    }
    if !calls.is_empty() {
        let rows = calls.bind(statement, "c");
        statement.with(
            "called",
            format!(
                "INSERT INTO open_call (tenant, run, seq, body)
                 SELECT tenant, run, seq, body::json FROM {rows} WHERE {WRITTEN}
                 ON CONFLICT (tenant, run, seq) DO UPDATE SET body = excluded.body"
            ),
        );
    }
    if !events.is_empty() {
        let rows = events.bind(statement, "c");
        statement.with(
            "told",
            format!(
                "INSERT INTO event (tenant, run, last_seq, at, body)
                 SELECT tenant, run, last_seq, at, body::json FROM {rows} WHERE {WRITTEN}"
            ),
        );
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
             ON CONFLICT (tenant, run, seq) DO UPDATE SET status = excluded.status, body = excluded.body"
        ),
    );
}

/// Makes a delivery of each message to every webhook that asks for it. Its id is that of the message with
/// the last six bytes of the webhook's mixed in, as [`Message::delivery_to`] has it.
pub(super) fn write_messages(messages: Messages, statement: &mut Statement) {
    if messages.is_empty() {
        return;
    }
    let rows = messages.bind(statement, "c");
    // Only the value of the term depends on the message.
    let (kind, term) = told_of("");
    let (kind, name) = (statement.bind(kind.as_str()), statement.bind(term.name));
    statement.with(
        "informed",
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
             WHERE {WRITTEN}"
        ),
    );
}
