use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use worktruck_core::journal::{Journal, Step, StepKind, StepOutcome};
use worktruck_core::run::{Cost, Event, NewEvent, RunRecord};
use worktruck_core::store::event_scope;
use worktruck_core::{Cursor, Error, NanoUsd, Page, PageRequest, Result, RunId, StepId, TenantId};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, number};

use super::{approval, record};

/// All that is recorded of a run, as of one moment.
pub(super) async fn read(store: &PgStore, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
    let mut connection = store.readers.acquire().await.or_failed("read a journal")?;
    let mut before = record::load(&mut connection, tenant, run).await.or_failed("read a run")?;
    for _ in 0..ATTEMPTS {
        let Some(record) = before else { return Ok(None) };
        let journal = read_parts(&mut connection, tenant, run, &record).await?;
        let after = record::load(&mut connection, tenant, run).await.or_failed("read a run")?;
        if after.as_ref().is_some_and(|after| after.commits == record.commits) {
            return Ok(Some(journal));
        }
        before = after;
    }
    Err(Error::unavailable(format!("run {run} commits too fast to be read")))
}

/// How often a journal is read when its run commits meanwhile.
const ATTEMPTS: usize = 50;

/// The parts of a journal, which are of one moment if the run has made no commit meanwhile.
pub(super) async fn read_parts(
    connection: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    record: &RunRecord,
) -> Result<Journal> {
    let snapshot = sqlx::query("SELECT snapshot::text AS snapshot FROM run WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_uuid())
        .bind(run.as_uuid())
        .fetch_optional(&mut *connection)
        .await
        .or_failed("read a snapshot")?;
    let steps = sqlx::query(
        "SELECT s.id, s.started_at, s.completed_at, s.cost, s.seq::bigint AS seq, s.kind, s.outcome,
             s.name::text AS name,
             s.call_digest, s.hash, coalesce(s.input, i.body)::text AS input, coalesce(s.output, o.body)::text AS output,
             s.output_ref, s.model::text AS model, s.usage::text AS usage, t.body::text AS tried
         FROM step s
         LEFT JOIN payload i ON i.tenant = s.tenant AND i.digest = s.input_ref
         LEFT JOIN payload o ON o.tenant = s.tenant AND o.digest = s.output_ref
         LEFT JOIN tried t ON t.tenant = s.tenant AND t.run = s.run AND t.seq = s.seq
         WHERE s.tenant = $1 AND s.run = $2 ORDER BY s.seq",
    )
    .bind(tenant.as_uuid())
    .bind(run.as_uuid())
    .fetch_all(&mut *connection)
    .await
    .or_failed("read a journal")?;
    let calls = sqlx::query(
        "SELECT body::text AS body FROM open_call WHERE tenant = $1 AND run = $2 AND seq > $3 ORDER BY seq",
    )
    .bind(tenant.as_uuid())
    .bind(run.as_uuid())
    .bind(i64::from(record.head_seq))
    .fetch_all(&mut *connection)
    .await
    .or_failed("read open calls")?;
    let approvals = approval::of_run(connection, tenant, run).await.or_failed("read approvals")?;
    Ok(Journal {
        // Where the run is gone by now, nobody gets to see the rest either.
        snapshot: snapshot.map_or(Ok(None), |row| row.maybe_json("snapshot"))?,
        steps: steps.iter().map(step).collect::<Result<_>>()?,
        calls: calls.iter().map(|row| row.json("body")).collect::<Result<_>>()?,
        approvals,
        commits: record.commits,
        reserved: record.reserved,
        forfeited: record.forfeited,
    })
}

fn step(row: &PgRow) -> Result<Step> {
    let output = row.maybe_text("output")?;
    Ok(Step {
        id: StepId::from_uuid(row.id("id")?),
        seq: row.number("seq")?,
        kind: kind(row)?,
        name: row.json("name")?,
        call_digest: row.maybe_digest("call_digest")?.ok_or_else(no_digest)?,
        hash: row.maybe_digest("hash")?.ok_or_else(no_digest)?,
        input: row.json("input")?,
        // A tool may well answer null, which is not nothing.
        output: output.map(|text| serde_json::from_str::<Value>(text).or_failed("read a step")).transpose()?,
        outcome: outcome(row)?,
        model: row.maybe_json("model")?,
        usage: row.maybe_json("usage")?,
        cost: Cost(NanoUsd::new(row.maybe_number("cost")?.unwrap_or(0))),
        started_at: row.time("started_at")?,
        completed_at: row.maybe_time("completed_at")?,
        payload_ref: row.maybe_digest("output_ref")?,
        tried: row.maybe_json("tried")?,
    })
}

fn kind(row: &PgRow) -> Result<StepKind> {
    serde_json::from_value(row.text("kind")?.into()).or_failed("read a step")
}

fn outcome(row: &PgRow) -> Result<StepOutcome> {
    serde_json::from_value(row.text("outcome")?.into()).or_failed("read a step")
}

fn no_digest() -> Error {
    Error::internal("the store holds a step without a digest")
}

/// A page of the events of a run. Those of steps are made of their rows.
pub(super) async fn events(store: &PgStore, tenant: TenantId, run: RunId, page: &PageRequest) -> Result<Page<Event>> {
    let scope = event_scope(tenant, run);
    let after: u64 = page.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or(0);
    // Every row has an event or more, so that these are enough rows.
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT last_seq, at, body::text AS body, NULL::bigint AS seq, NULL AS kind, NULL AS name, NULL AS outcome
             FROM event WHERE tenant = $1 AND run = $2 AND last_seq > $3 ORDER BY last_seq LIMIT $4) e
         UNION ALL
         SELECT * FROM (
             SELECT event_seq, at, NULL, seq::bigint, kind, name::text, outcome
             FROM step WHERE tenant = $1 AND run = $2 AND event_seq > $3 ORDER BY seq LIMIT $4) s
         ORDER BY last_seq LIMIT $4",
    )
    .bind(tenant.as_uuid())
    .bind(run.as_uuid())
    .bind(i64::try_from(after).unwrap_or(i64::MAX))
    .bind(number(page.limit() + 1)?)
    .fetch_all(&store.readers)
    .await
    .or_failed("read events")?;
    if rows.is_empty() && !exists(store, tenant, run).await? {
        return Err(Error::not_found(format!("run {run}")));
    }
    let mut events = Vec::new();
    for row in &rows {
        events.extend(read_events(row, run)?.into_iter().filter(|event| event.seq > after));
    }
    let has_more = events.len() > page.limit();
    events.truncate(page.limit());
    let next = match events.last() {
        Some(last) if has_more => Some(Cursor::seal(&scope, &last.seq)?),
        _ => None,
    };
    Ok(Page::new(events, next))
}

async fn exists(store: &PgStore, tenant: TenantId, run: RunId) -> Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM run WHERE tenant = $1 AND id = $2)")
        .bind(tenant.as_uuid())
        .bind(run.as_uuid())
        .fetch_one(&store.readers)
        .await
        .or_failed("read a run")
}

/// Which step a row of events is, if it is one.
fn step_of(row: &PgRow) -> Result<Option<i64>> {
    row.try_get("seq").or_failed("read events")
}

/// The events of a row: those of a commit, or that of a step.
fn read_events(row: &PgRow, run: RunId) -> Result<Vec<Event>> {
    let last: u64 = row.number("last_seq")?;
    let at = row.time("at")?;
    if step_of(row)?.is_some() {
        let name: String = row.json("name")?;
        let event = NewEvent::step_recorded(row.number("seq")?, kind(row)?, &name, outcome(row)?);
        return Ok(vec![event.placed(run, last, at)]);
    }
    let events: Vec<NewEvent> = row.json("body")?;
    let count = u64::try_from(events.len()).or_failed("read events")?;
    let first = (last + 1).saturating_sub(count);
    Ok(events.into_iter().zip(first..).map(|(event, seq)| event.placed(run, seq, at)).collect())
}
