//! Writes many records in one statement, each only if nobody changed it meanwhile.

#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use serde_json::Value;
use uuid::Uuid;
use worktruck_core::journal::{INLINE_PAYLOAD_BYTES, Step};
use worktruck_core::run::{Commit, Event, NewEvent, RunRecord};
use worktruck_core::{Digest, Error, Result, Timestamp};

use crate::rows::{number, to_json};
use crate::statement::{Rows as _, Statement, columns};

use super::record;

/// What a record is written over: if any of this is no longer so, nothing of the run is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Was {
    fence: u64,
    commits: u64,
    event_seq: u64,
}

impl Was {
    /// What `record` is before it is changed.
    pub(crate) const fn of(record: &RunRecord) -> Self {
        Self { fence: record.fence, commits: record.commits, event_seq: record.event_seq }
    }
}

columns! {
    /// Rows of `queue` that are written over, or deleted because their runs have ended.
    Places {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid",
        was_fence: i64 = "bigint", was_commits: i64 = "bigint", was_event_seq: i64 = "bigint",
        status: &'static str = "text", waiting_reason: Option<&'static str> = "text", attempt: i64 = "bigint",
        started_at: Option<i64> = "bigint", cancel_requested_at: Option<i64> = "bigint",
        blueprint_version: Option<i64> = "bigint", fence: i64 = "bigint", lease_expires_at: Option<i64> = "bigint",
        stride: i64 = "bigint", updated_at: i64 = "bigint", head_seq: i64 = "bigint", commits: i64 = "bigint",
        event_seq: i64 = "bigint", cost: i64 = "bigint", reserved: i64 = "bigint", forfeited: i64 = "bigint",
    }
}

columns! {
    /// Rows of `run` that are written over.
    Runs {
        i: i32 = "int", outcome: Option<&'static str> = "text", finished_at: Option<i64> = "bigint",
        state: String = "text", output: Option<String> = "text", snapshot: Option<String> = "text",
    }
}

columns! {
    /// New rows of `step`.
    Steps {
        i: i32 = "int", id: Uuid = "uuid", started_at: i64 = "bigint", completed_at: Option<i64> = "bigint",
        at: i64 = "bigint", event_seq: i64 = "bigint", cost: Option<i64> = "bigint", seq: i32 = "int",
        kind: &'static str = "text", outcome: &'static str = "text", name: String = "text",
        call_digest: Vec<u8> = "bytea", hash: Vec<u8> = "bytea", input: Option<String> = "text",
        output: Option<String> = "text", input_ref: Option<Vec<u8>> = "bytea", output_ref: Option<Vec<u8>> = "bytea",
        model: Option<String> = "text", usage: Option<String> = "text",
    }
}

columns! {
    /// New rows of `payload`.
    Payloads { i: i32 = "int", digest: Vec<u8> = "bytea", body: String = "text" }
}

columns! {
    /// Rows of `open_call`, new or written over.
    Calls { i: i32 = "int", seq: i32 = "int", body: String = "text" }
}

columns! {
    /// New rows of `event`.
    Events { i: i32 = "int", last_seq: i64 = "bigint", at: i64 = "bigint", body: String = "text" }
}

columns! {
    /// What rows of `queue` must be.
    Guards {
        tenant: Uuid = "uuid", run: Uuid = "uuid", fence: i64 = "bigint", commits: i64 = "bigint",
        event_seq: i64 = "bigint",
    }
}

/// Records to be written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    len: i32,
    staying: Places,
    leaving: Places,
    runs: Runs,
    steps: Steps,
    payloads: Payloads,
    calls: Calls,
    events: Events,
}

impl Batch {
    /// Adds a record with the events that its change made, and what its commit journals.
    pub(crate) fn push(
        &mut self,
        was: Was,
        record: &RunRecord,
        events: &[Event],
        commit: Option<&Commit>,
    ) -> Result<()> {
        let i = self.len;
        self.place(i, was, record, commit)?;
        if let Some(commit) = commit {
            self.journal(i, record, events, commit)?;
        } else {
            self.record(i, events)?;
        }
        self.len += 1;
        Ok(())
    }

    /// Whether there is no record.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(&mut self, i: i32, was: Was, record: &RunRecord, commit: Option<&Commit>) -> Result<()> {
        let run = &record.run;
        let ended = run.status.is_terminal();
        let snapshot = commit.and_then(|commit| commit.snapshot.as_ref()).map(to_json).transpose()?;
        if ended || snapshot.is_some() {
            let output = run.output.as_ref().map(to_json).transpose()?;
            let finished_at = run.finished_at.map(Timestamp::as_micros);
            self.runs.push(i, ended.then(|| run.status.as_str()), finished_at, record::state(run)?, output, snapshot);
        }
        let lease_for =
            record.lease_expires_at.map_or(0, |at| at.as_micros().saturating_sub(run.updated_at.as_micros()));
        let places = if ended { &mut self.leaving } else { &mut self.staying };
        places.push(
            i,
            run.tenant_id.as_uuid(),
            run.id.as_uuid(),
            number(was.fence)?,
            number(was.commits)?,
            number(was.event_seq)?,
            run.status.as_str(),
            run.waiting_reason.map(|reason| reason.as_str()),
            i64::from(run.attempt),
            run.started_at.map(Timestamp::as_micros),
            run.cancel_requested_at.map(Timestamp::as_micros),
            record.blueprint_version.map(i64::from),
            number(record.fence)?,
            record.lease_expires_at.map(Timestamp::as_micros),
            lease_for / 2,
            run.updated_at.as_micros(),
            i64::from(record.head_seq),
            number(record.commits)?,
            number(record.event_seq)?,
            run.cost.0.as_nanos(),
            record.reserved.as_nanos(),
            record.forfeited.as_nanos(),
        );
        Ok(())
    }

    /// Adds what a commit journals. Its own events come first, then one for each step, then those
    /// of the transition.
    fn journal(&mut self, i: i32, record: &RunRecord, events: &[Event], commit: &Commit) -> Result<()> {
        let (before, rest) = events.split_at(commit.events.len().min(events.len()));
        let (of_steps, after) = rest.split_at(commit.steps.len().min(rest.len()));
        self.record(i, before)?;
        self.record(i, after)?;
        for (step, event) in commit.steps.iter().zip(of_steps) {
            self.step(i, &step.step, event)?;
        }
        for call in &commit.calls {
            self.calls.push(i, seq(call.seq)?, to_json(call)?);
        }
        debug_assert_eq!(of_steps.len(), commit.steps.len(), "run {}", record.run.id);
        Ok(())
    }

    fn record(&mut self, i: i32, events: &[Event]) -> Result<()> {
        let Some(last) = events.last() else { return Ok(()) };
        self.events.push(i, number(last.seq)?, last.at.as_micros(), compact(events)?);
        Ok(())
    }

    fn step(&mut self, i: i32, step: &Step, event: &Event) -> Result<()> {
        let (input, input_ref) = self.payload(i, Some(&step.input))?;
        let (output, output_ref) = self.payload(i, step.output.as_ref())?;
        self.steps.push(
            i,
            step.id.as_uuid(),
            step.started_at.as_micros(),
            step.completed_at.map(Timestamp::as_micros),
            event.at.as_micros(),
            number(event.seq)?,
            Some(step.cost.0.as_nanos()).filter(|cost| *cost != 0),
            seq(step.seq)?,
            step.kind.as_str(),
            step.outcome.as_str(),
            to_json(&step.name)?,
            step.call_digest.as_bytes().to_vec(),
            step.hash.as_bytes().to_vec(),
            input,
            output,
            input_ref,
            output_ref,
            step.model.as_ref().map(to_json).transpose()?,
            step.usage.as_ref().map(to_json).transpose()?,
        );
        Ok(())
    }

    /// A payload as the row of its step has it: its text, or the name of its row of `payload`.
    ///
    /// The text is not the canonical one, which has room for fewer numbers than JSON.
    fn payload(&mut self, i: i32, value: Option<&Value>) -> Result<(Option<String>, Option<Vec<u8>>)> {
        let Some(value) = value else { return Ok((None, None)) };
        let text = to_json(value)?;
        // The canonical form of a number is at most 22 characters, and that of all else is no
        // longer than the text: a text far below the limit needs no closer look.
        if text.len() <= INLINE_PAYLOAD_BYTES / 16 {
            return Ok((Some(text), None));
        }
        let canonical = serde_json_canonicalizer::to_vec(value)
            .map_err(|e| Error::invalid("payload has no canonical JSON form").with_source(e))?;
        if canonical.len() <= INLINE_PAYLOAD_BYTES {
            return Ok((Some(text), None));
        }
        let digest = Digest::of_bytes(&canonical).as_bytes().to_vec();
        self.payloads.push(i, digest.clone(), text);
        Ok((None, Some(digest)))
    }

    /// Adds the part `runs`, which locks the runs that are still what they were; gives how many there
    /// should be.
    pub(crate) fn lock(&self, statement: &mut Statement) -> i32 {
        let mut rows = Guards::default();
        for places in [&self.staying, &self.leaving] {
            let keys = places.tenant.iter().zip(&places.run);
            let numbers = places.was_fence.iter().zip(&places.was_commits).zip(&places.was_event_seq);
            for ((tenant, run), ((fence, commits), event_seq)) in keys.zip(numbers) {
                rows.push(*tenant, *run, *fence, *commits, *event_seq);
            }
        }
        let rows = rows.bind(statement, "c");
        statement.with(
            "runs",
            format!(
                "SELECT q.run FROM {rows} JOIN queue q ON q.tenant = c.tenant AND q.run = c.run AND q.fence = c.fence
                     AND q.commits = c.commits AND q.event_seq = c.event_seq
                 ORDER BY q.tenant, q.run FOR UPDATE OF q"
            ),
        );
        self.len
    }

    /// Adds the parts that write the records. The part `written` has the numbers of those that were,
    /// from 0 in the order in which they were pushed.
    ///
    /// With `only_if`, a condition on other parts, nothing is written where it does not hold.
    pub(crate) fn write(self, statement: &mut Statement, only_if: &str) {
        let guard = format!(
            "q.tenant = c.tenant AND q.run = c.run AND q.fence = c.was_fence AND q.commits = c.was_commits
             AND q.event_seq = c.was_event_seq AND {only_if}"
        );
        let mut written = Vec::new();
        if !self.staying.is_empty() {
            let rows = self.staying.bind(statement, "c");
            statement.with(
                "stayed",
                format!(
                    "UPDATE queue q SET status = c.status, waiting_reason = c.waiting_reason, attempt = c.attempt,
                         started_at = c.started_at, cancel_requested_at = c.cancel_requested_at,
                         blueprint_version = c.blueprint_version, fence = c.fence,
                         lease_expires_at = c.lease_expires_at, updated_at = c.updated_at, head_seq = c.head_seq,
                         commits = c.commits, event_seq = c.event_seq, cost = c.cost, reserved = c.reserved,
                         forfeited = c.forfeited,
                         look_at = CASE WHEN q.look_at BETWEEN c.lease_expires_at - c.stride AND c.lease_expires_at
                             THEN q.look_at ELSE c.lease_expires_at END
                     FROM {rows} WHERE {guard} RETURNING c.i, q.tenant, q.run"
                ),
            );
            written.push("SELECT i, tenant, run FROM stayed");
        }
        if !self.leaving.is_empty() {
            let rows = self.leaving.bind(statement, "c");
            statement.with(
                "left_queue",
                format!(
                    "DELETE FROM queue q USING {rows} WHERE {guard}
                     RETURNING c.i, q.tenant, q.run, c.blueprint_version, c.fence, c.head_seq, c.commits, c.event_seq,
                         c.cost, c.reserved, c.forfeited"
                ),
            );
            written.push("SELECT i, tenant, run FROM left_queue");
            statement.with(
                "closed",
                "DELETE FROM open_call o USING left_queue l WHERE o.tenant = l.tenant AND o.run = l.run
                     AND o.seq <= l.head_seq",
            );
        }
        statement.with("written", written.join(" UNION ALL "));
        write_runs(self.runs, statement, written.iter().any(|part| part.contains("left_queue")));
        write_journal(self.steps, self.payloads, self.calls, self.events, statement);
    }
}

fn write_runs(runs: Runs, statement: &mut Statement, some_left: bool) {
    if runs.is_empty() {
        return;
    }
    let rows = runs.bind(statement, "c");
    let numbers = if some_left {
        ", blueprint_version = l.blueprint_version, fence = l.fence, head_seq = l.head_seq, commits = l.commits,
         event_seq = l.event_seq, cost = l.cost, reserved = l.reserved, forfeited = l.forfeited"
    } else {
        ""
    };
    let left = if some_left { "LEFT JOIN left_queue l ON l.i = c.i" } else { "" };
    statement.with(
        "ran",
        format!(
            "UPDATE run r SET outcome = c.outcome, finished_at = c.finished_at, state = c.state::json,
                 output = c.output::json, snapshot = coalesce(c.snapshot::json, r.snapshot){numbers}
             FROM {rows} JOIN written w ON w.i = c.i {left} WHERE r.tenant = w.tenant AND r.id = w.run"
        ),
    );
}

fn write_journal(steps: Steps, payloads: Payloads, calls: Calls, events: Events, statement: &mut Statement) {
    if !payloads.is_empty() {
        let rows = payloads.bind(statement, "c");
        statement.with(
            "paid",
            format!(
                "INSERT INTO payload (tenant, digest, body)
                 SELECT w.tenant, c.digest, c.body::json FROM {rows} JOIN written w ON w.i = c.i
                 ON CONFLICT (tenant, digest) DO NOTHING"
            ),
        );
    }
    if !steps.is_empty() {
        let rows = steps.bind(statement, "c");
        statement.with(
            "stepped",
            format!(
                "INSERT INTO step (tenant, run, id, started_at, completed_at, at, event_seq, cost, seq, kind, outcome,
                     name, call_digest, hash, input, output, input_ref, output_ref, model, usage)
                 SELECT w.tenant, w.run, c.id, c.started_at, c.completed_at, c.at, c.event_seq, c.cost, c.seq, c.kind,
                     c.outcome, c.name::json, c.call_digest, c.hash, c.input::json, c.output::json, c.input_ref,
                     c.output_ref, c.model::json, c.usage::json
                 FROM {rows} JOIN written w ON w.i = c.i"
            ),
        );
    }
    if !calls.is_empty() {
        let rows = calls.bind(statement, "c");
        statement.with(
            "called",
            format!(
                "INSERT INTO open_call (tenant, run, seq, body)
                 SELECT w.tenant, w.run, c.seq, c.body::json FROM {rows} JOIN written w ON w.i = c.i
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
                 SELECT w.tenant, w.run, c.last_seq, c.at, c.body::json FROM {rows} JOIN written w ON w.i = c.i"
            ),
        );
    }
}

/// Events that follow each other, as a row of `event` has them.
pub(super) fn compact(events: &[Event]) -> Result<String> {
    let compact =
        |event: &Event| NewEvent { event_type: event.event_type, data: event.data.clone(), actor: event.actor.clone() };
    to_json(&events.iter().map(compact).collect::<Vec<_>>())
}

fn seq(seq: u32) -> Result<i32> {
    i32::try_from(seq).map_err(|_| Error::invalid("a journal has at most 2147483647 steps"))
}
