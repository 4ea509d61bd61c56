//! Writes many records in one statement, each only if nobody changed it meanwhile.

#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

mod beside;
mod values;

use serde_json::Value;
use uuid::Uuid;
use worktruck_core::journal::Step;
use worktruck_core::run::{Approval, Commit, Event, Fork, RunRecord, RunStatus, Transition};
use worktruck_core::store::Message;
use worktruck_core::{Result, TenantId, Timestamp};

use crate::rows::{number, to_json};
use crate::statement::{Rows as _, Statement, columns};

use beside::{Approvals, Tried, write_approvals, write_tried};

pub(crate) use beside::{Messages, write_messages};

use super::record;
use values::{payload_text, stride};

pub(super) use values::{compact, count};

/// What a record is written over: if any of this is no longer so, nothing of the run is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Was {
    fence: u64,
    commits: u64,
    event_seq: u64,
    /// Whether its deadline is another one when it goes on.
    moves_deadline: bool,
}

impl Was {
    /// What `record` is before it is changed.
    pub(crate) const fn of(record: &RunRecord) -> Self {
        let moves_deadline = record.moves_deadline();
        Self { fence: record.fence, commits: record.commits, event_seq: record.event_seq, moves_deadline }
    }
}

/// What becomes of runs that somebody else is writing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Locked {
    /// They are waited for.
    Awaited,
    /// They are left alone.
    Skipped,
}

columns! {
    /// Rows of `queue` whose runs go on after a step, and the new rows of `step`: what most commits are.
    Stepping {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", fence: i64 = "bigint", was_commits: i32 = "int",
        was_event_seq: i32 = "int", lease_expires_at: i64 = "bigint", stride: i64 = "bigint", updated_at: i64 = "bigint",
        total: i64 = "bigint", reserved: i64 = "bigint", forfeited: i64 = "bigint", id: Uuid = "uuid",
        started_at: i64 = "bigint", completed_at: Option<i64> = "bigint", at: i64 = "bigint", event_seq: i32 = "int",
        cost: Option<i64> = "bigint", seq: i32 = "int", kind: &'static str = "text", outcome: &'static str = "text",
        name: String = "text", call_digest: Vec<u8> = "bytea", hash: Vec<u8> = "bytea", input: String = "text",
        output: Option<String> = "text", model: Option<String> = "text", usage: Option<String> = "text",
    }
}

columns! {
    /// Rows of `queue` that are written over.
    Staying {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", run_at: i64 = "bigint", delayed: bool = "boolean",
        was_fence: i64 = "bigint", was_commits: i32 = "int", was_event_seq: i32 = "int",
        status: &'static str = "text", waiting_reason: Option<&'static str> = "text", attempt: i64 = "bigint",
        started_at: Option<i64> = "bigint", cancel_requested_at: Option<i64> = "bigint",
        blueprint_version: Option<i64> = "bigint", fence: i64 = "bigint", lease_expires_at: Option<i64> = "bigint",
        stride: i64 = "bigint", updated_at: i64 = "bigint", head_seq: i32 = "int", commits: i32 = "int",
        event_seq: i32 = "int", cost: i64 = "bigint", reserved: i64 = "bigint", forfeited: i64 = "bigint",
    }
}

columns! {
    /// Rows of `queue` that are deleted, because their runs have ended.
    Leaving {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid",
        was_fence: i64 = "bigint", was_commits: i32 = "int", was_event_seq: i32 = "int", head_seq: i32 = "int",
    }
}

columns! {
    /// Rows of `run` that are written over: those of runs that have ended, or begun.
    Runs {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", outcome: Option<&'static str> = "text",
        finished_at: Option<i64> = "bigint", state: String = "text", output: Option<String> = "text", snapshot: Option<String> = "text",
        blueprint_version: Option<i64> = "bigint", fence: Option<i64> = "bigint", head_seq: Option<i64> = "bigint",
        commits: Option<i64> = "bigint", event_seq: Option<i64> = "bigint", cost: Option<i64> = "bigint",
        reserved: Option<i64> = "bigint", forfeited: Option<i64> = "bigint",
    }
}

columns! {
    /// New rows of `step`.
    Steps {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", id: Uuid = "uuid", started_at: i64 = "bigint",
        completed_at: Option<i64> = "bigint", at: i64 = "bigint", event_seq: i32 = "int", cost: Option<i64> = "bigint",
        seq: i32 = "int", kind: &'static str = "text", outcome: &'static str = "text", name: String = "text",
        call_digest: Vec<u8> = "bytea", hash: Vec<u8> = "bytea", input: Option<String> = "text",
        output: Option<String> = "text", input_ref: Option<Vec<u8>> = "bytea", output_ref: Option<Vec<u8>> = "bytea",
        model: Option<String> = "text", usage: Option<String> = "text",
    }
}

columns! {
    /// New rows of `payload`.
    Payloads { i: i32 = "int", tenant: Uuid = "uuid", digest: Vec<u8> = "bytea", body: String = "text" }
}

columns! {
    /// Rows of `open_call`, new or written over.
    Calls { i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", seq: i32 = "int", body: String = "text" }
}

columns! {
    /// New rows of `event`.
    Events {
        i: i32 = "int", tenant: Uuid = "uuid", run: Uuid = "uuid", last_seq: i64 = "bigint", at: i64 = "bigint",
        body: String = "text",
    }
}

columns! {
    /// What rows of `queue` must be.
    Guards {
        tenant: Uuid = "uuid", run: Uuid = "uuid", fence: i64 = "bigint", commits: i32 = "int", event_seq: i32 = "int",
    }
}

/// The place of a record in its batch, and which run it is of.
#[derive(Clone, Copy, Debug)]
struct Key {
    i: i32,
    tenant: Uuid,
    run: Uuid,
}

/// Records to be written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    len: i32,
    guards: Guards,
    stepping: Stepping,
    staying: Staying,
    leaving: Leaving,
    runs: Runs,
    steps: Steps,
    payloads: Payloads,
    tried: Tried,
    calls: Calls,
    approvals: Approvals,
    events: Events,
    messages: Messages,
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
        let key = Key { i: self.len, tenant: record.run.tenant_id.as_uuid(), run: record.run.id.as_uuid() };
        self.len += 1;
        self.guards.push(key.tenant, key.run, number(was.fence)?, count(was.commits)?, count(was.event_seq)?);
        if let Some(commit) = commit
            && self.go_on(key, was, record, events, commit)?
        {
            return Ok(());
        }
        self.place(key, was, record)?;
        self.run(key, was, record, commit)?;
        self.tell(key, record, events)?;
        if let Some(commit) = commit { self.journal(key, events, commit) } else { self.record(key, events) }
    }

    /// Adds approvals of the record that was pushed last.
    pub(crate) fn approve(&mut self, tenant: TenantId, approvals: &[Approval]) -> Result<()> {
        for approval in approvals {
            self.approvals.push(
                self.len - 1,
                tenant.as_uuid(),
                approval.run_id.as_uuid(),
                approval.id.as_uuid(),
                approval.requested_at.as_micros(),
                count(approval.step_seq)?,
                approval.status.as_str(),
                to_json(approval)?,
            );
        }
        Ok(())
    }

    /// Whether there is no record.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a record whose run goes on after one step, if it is no more than that; says whether it was.
    fn go_on(
        &mut self,
        Key { i, tenant, run: id }: Key,
        was: Was,
        record: &RunRecord,
        events: &[Event],
        commit: &Commit,
    ) -> Result<bool> {
        let ([step], [event]) = (commit.steps.as_slice(), events) else { return Ok(false) };
        let (step, Some(lease_expires_at)) = (&step.step, record.lease_expires_at) else { return Ok(false) };
        if commit.transition != Transition::Continue
            || commit.snapshot.is_some()
            || !commit.calls.is_empty()
            || !commit.approvals.is_empty()
            || step.tried.is_some()
        {
            return Ok(false);
        }
        let (input, None) = payload_text(&step.input)? else { return Ok(false) };
        let output = match step.output.as_ref().map(payload_text).transpose()? {
            Some((_, Some(_))) => return Ok(false),
            output => output.map(|(text, _)| text),
        };
        self.stepping.push(
            i,
            tenant,
            id,
            number(was.fence)?,
            count(was.commits)?,
            count(was.event_seq)?,
            lease_expires_at.as_micros(),
            stride(record),
            record.run.updated_at.as_micros(),
            record.run.cost.0.as_nanos(),
            record.reserved.as_nanos(),
            record.forfeited.as_nanos(),
            step.id.as_uuid(),
            step.started_at.as_micros(),
            step.completed_at.map(Timestamp::as_micros),
            event.at.as_micros(),
            count(event.seq)?,
            Some(step.cost.0.as_nanos()).filter(|cost| *cost != 0),
            count(step.seq)?,
            step.kind.as_str(),
            step.outcome.as_str(),
            to_json(&step.name)?,
            step.call_digest.as_bytes().to_vec(),
            step.hash.as_bytes().to_vec(),
            input,
            output,
            step.model.as_ref().map(to_json).transpose()?,
            step.usage.as_ref().map(to_json).transpose()?,
        );
        Ok(true)
    }

    fn place(&mut self, Key { i, tenant, run: id }: Key, was: Was, record: &RunRecord) -> Result<()> {
        let run = &record.run;
        let (fence, commits, event_seq) = (number(was.fence)?, count(was.commits)?, count(was.event_seq)?);
        if run.status.is_terminal() {
            self.leaving.push(i, tenant, id, fence, commits, event_seq, count(record.head_seq)?);
            return Ok(());
        }
        self.staying.push(
            i,
            tenant,
            id,
            run.run_at.as_micros(),
            run.status == RunStatus::Waiting && run.updated_at < run.run_at,
            fence,
            commits,
            event_seq,
            run.status.as_str(),
            run.waiting_reason.map(|reason| reason.as_str()),
            i64::from(run.attempt),
            run.started_at.map(Timestamp::as_micros),
            run.cancel_requested_at.map(Timestamp::as_micros),
            record.blueprint_version.map(i64::from),
            number(record.fence)?,
            record.lease_expires_at.map(Timestamp::as_micros),
            stride(record),
            run.updated_at.as_micros(),
            count(record.head_seq)?,
            count(record.commits)?,
            count(record.event_seq)?,
            run.cost.0.as_nanos(),
            record.reserved.as_nanos(),
            record.forfeited.as_nanos(),
        );
        Ok(())
    }

    fn run(
        &mut self,
        Key { i, tenant, run: id }: Key,
        was: Was,
        record: &RunRecord,
        commit: Option<&Commit>,
    ) -> Result<()> {
        let run = &record.run;
        let snapshot = commit.and_then(|commit| commit.snapshot.as_ref()).map(to_json).transpose()?;
        let ended = run.status.is_terminal();
        if !ended && snapshot.is_none() && !was.moves_deadline {
            return Ok(());
        }
        let at_end = |value: i64| ended.then_some(value);
        self.runs.push(
            i,
            tenant,
            id,
            ended.then(|| run.status.as_str()),
            run.finished_at.map(Timestamp::as_micros),
            record::state(run)?,
            run.output.as_ref().map(to_json).transpose()?,
            snapshot,
            record.blueprint_version.map(i64::from).and_then(at_end),
            at_end(number(record.fence)?),
            at_end(i64::from(record.head_seq)),
            at_end(number(record.commits)?),
            at_end(number(record.event_seq)?),
            at_end(run.cost.0.as_nanos()),
            at_end(record.reserved.as_nanos()),
            at_end(record.forfeited.as_nanos()),
        );
        Ok(())
    }

    /// Adds what a commit journals. Its own events come first, then one for each step, then those
    /// of the transition.
    fn journal(&mut self, key: Key, events: &[Event], commit: &Commit) -> Result<()> {
        let (before, rest) = events.split_at(commit.events.len().min(events.len()));
        let (of_steps, after) = rest.split_at(commit.steps.len().min(rest.len()));
        debug_assert_eq!(of_steps.len(), commit.steps.len(), "run {}", key.run);
        self.record(key, before)?;
        self.record(key, after)?;
        for (step, event) in commit.steps.iter().zip(of_steps) {
            self.step(key, &step.step, event)?;
        }
        for call in &commit.calls {
            self.calls.push(key.i, key.tenant, key.run, count(call.seq)?, to_json(call)?);
        }
        Ok(())
    }

    fn record(&mut self, Key { i, tenant, run }: Key, events: &[Event]) -> Result<()> {
        let Some(last) = events.last() else { return Ok(()) };
        self.events.push(i, tenant, run, number(last.seq)?, last.at.as_micros(), compact(events)?);
        Ok(())
    }

    fn tell(&mut self, Key { i, tenant, .. }: Key, record: &RunRecord, events: &[Event]) -> Result<()> {
        for message in Message::of(&record.run, events) {
            self.messages.add(Some(i), tenant, message)?;
        }
        Ok(())
    }

    fn step(&mut self, key: Key, step: &Step, event: &Event) -> Result<()> {
        let (input, input_ref) = self.payload(key, Some(&step.input))?;
        let (output, output_ref) = self.payload(key, step.output.as_ref())?;
        self.steps.push(
            key.i,
            key.tenant,
            key.run,
            step.id.as_uuid(),
            step.started_at.as_micros(),
            step.completed_at.map(Timestamp::as_micros),
            event.at.as_micros(),
            count(event.seq)?,
            Some(step.cost.0.as_nanos()).filter(|cost| *cost != 0),
            count(step.seq)?,
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
        if let Some(tried) = &step.tried {
            self.tried.push(key.i, key.tenant, key.run, count(step.seq)?, to_json(tried)?);
        }
        Ok(())
    }

    /// Adds the journal that a fork begins with, whose run is none of the records.
    pub(super) fn begin(&mut self, tenant: TenantId, fork: &Fork, events: &[Event]) -> Result<()> {
        let key = Key { i: 0, tenant: tenant.as_uuid(), run: fork.run.id.as_uuid() };
        self.len = 1;
        // The first event is that of the run.
        for (step, event) in fork.steps.iter().zip(events.iter().skip(1)) {
            self.step(key, step, event)?;
        }
        self.approve(tenant, &fork.approvals)
    }

    /// Adds the parts that write the [journals](Self::begin) of forks.
    pub(super) fn write_begun(self, statement: &mut Statement) {
        if self.is_empty() {
            return;
        }
        statement.with("written", "SELECT 0 AS i");
        write_journal(self.steps, self.payloads, self.calls, self.events, statement);
        write_tried(self.tried, statement);
        write_approvals(self.approvals, statement);
    }

    /// A payload as the row of its step has it: its text, or the name of its row of `payload`.
    fn payload(&mut self, key: Key, value: Option<&Value>) -> Result<(Option<String>, Option<Vec<u8>>)> {
        let Some(value) = value else { return Ok((None, None)) };
        let (text, digest) = payload_text(value)?;
        let Some(digest) = digest else { return Ok((Some(text), None)) };
        self.payloads.push(key.i, key.tenant, digest.as_bytes().to_vec(), text);
        Ok((None, Some(digest.as_bytes().to_vec())))
    }

    /// Adds the part `runs`, which locks the runs that are still what they were, and `how` to do with
    /// those that somebody else has locked; gives how many there should be.
    pub(crate) fn lock(&self, statement: &mut Statement, how: Locked) -> i32 {
        let rows = self.guards.clone().bind(statement, "c");
        statement.with(
            "runs",
            format!(
                "SELECT q.tenant, q.run FROM {rows} JOIN queue q ON q.tenant = c.tenant AND q.run = c.run
                     AND q.fence = c.fence AND q.commits = c.commits AND q.event_seq = c.event_seq
                 ORDER BY q.tenant, q.run FOR UPDATE OF q{}",
                if how == Locked::Skipped { " SKIP LOCKED" } else { "" }
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
        if !self.stepping.is_empty() {
            let rows = self.stepping.bind(statement, "c");
            statement.with(
                "went_on",
                format!(
                    "UPDATE queue q SET lease_expires_at = GREATEST(q.lease_expires_at, c.lease_expires_at),
                         updated_at = c.updated_at, head_seq = c.seq, commits = c.was_commits + 1, event_seq = c.event_seq, cost = c.total,
                         reserved = c.reserved, forfeited = c.forfeited, look_at = {LOOK_AT}
                     FROM {rows} WHERE q.tenant = c.tenant AND q.run = c.run AND q.fence = c.fence
                         AND q.commits = c.was_commits AND q.event_seq = c.was_event_seq AND {only_if}
                     RETURNING c.*"
                ),
            );
            statement.with("stepped_on", format!("{INTO_STEP}, NULL, NULL, model::json, usage::json FROM went_on"));
            written.push("SELECT i FROM went_on");
        }
        if !self.staying.is_empty() {
            let rows = self.staying.bind(statement, "c");
            statement.with(
                "stayed",
                format!(
                    "UPDATE queue q SET status = c.status, run_at = c.run_at, delayed = c.delayed, waiting_reason = c.waiting_reason, attempt = c.attempt,
                         started_at = c.started_at, cancel_requested_at = c.cancel_requested_at,
                         blueprint_version = c.blueprint_version, fence = c.fence,
                         lease_expires_at = {LEASE}, updated_at = c.updated_at, head_seq = c.head_seq,
                         commits = c.commits, event_seq = c.event_seq, cost = c.cost, reserved = c.reserved,
                         forfeited = c.forfeited,
                         look_at = {LOOK_AT}
                     FROM {rows} WHERE {guard} RETURNING c.i, c.tenant"
                ),
            );
            written.push("SELECT i FROM stayed");
        }
        if !self.leaving.is_empty() {
            let rows = self.leaving.bind(statement, "c");
            statement.with(
                "left_queue",
                format!("DELETE FROM queue q USING {rows} WHERE {guard} RETURNING c.i, c.tenant, c.run, c.head_seq"),
            );
            written.push("SELECT i FROM left_queue");
            statement.with(
                "closed",
                "DELETE FROM open_call o USING left_queue l WHERE o.tenant = l.tenant AND o.run = l.run
                     AND o.seq <= l.head_seq",
            );
        }
        statement.with("written", written.join(" UNION ALL "));
        write_runs(self.runs, statement);
        write_journal(self.steps, self.payloads, self.calls, self.events, statement);
        write_tried(self.tried, statement);
        write_approvals(self.approvals, statement);
        write_messages(self.messages, "informed", WRITTEN, statement);
    }
}

/// How long a lease lasts: one that goes on no shorter than before, as it may have been renewed meanwhile.
const LEASE: &str = "CASE WHEN q.fence = c.fence AND c.lease_expires_at IS NOT NULL
    THEN GREATEST(q.lease_expires_at, c.lease_expires_at) ELSE c.lease_expires_at END";

/// When to see whether a lease has expired: unchanged as long as it will do.
const LOOK_AT: &str = "CASE WHEN q.look_at BETWEEN c.lease_expires_at - c.stride AND c.lease_expires_at
    THEN q.look_at ELSE c.lease_expires_at END";

/// Whether the record of a row was written. So put, the records that were are looked up by their
/// hashes, and not joined.
const WRITTEN: &str = "(c.i IN (SELECT i FROM written)) IS TRUE";

fn write_runs(runs: Runs, statement: &mut Statement) {
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
const INTO_STEP: &str = "INSERT INTO step (tenant, run, id, started_at, completed_at, at, event_seq, cost, seq, kind,
        outcome, name, call_digest, hash, input, output, input_ref, output_ref, model, usage)
    SELECT tenant, run, id, started_at, completed_at, at, event_seq, cost, seq, kind, outcome, name::json, call_digest,
        hash, input::json, output::json";

fn write_journal(steps: Steps, payloads: Payloads, calls: Calls, events: Events, statement: &mut Statement) {
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
