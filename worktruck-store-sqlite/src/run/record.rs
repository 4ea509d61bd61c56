use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::run::{Event, NewEvent, Run, RunRecord};
use worktruck_core::{Error, NanoUsd, Result, RunId, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, Query, insert, number, to_json};

/// A query for records: what [`read`] reads of the run `r` and its content `c`, and then the rest.
macro_rules! records {
    ($rest:literal) => {
        concat!(
            "SELECT r.blueprint_version, r.run_at, r.lease_expires_at, r.fence, r.head_seq, r.commits, r.event_seq, r.reserved, \
             r.forfeited, r.state, c.input, c.metadata, c.output ",
            $rest
        )
    };
}
pub(super) use records;

/// The record that a row is.
pub(super) fn read(row: &SqliteRow) -> Result<RunRecord> {
    let mut state: Value = row.json("state")?;
    if let Some(members) = state.as_object_mut() {
        members.insert("input".into(), row.json("input")?);
        members.insert("metadata".into(), row.json("metadata")?);
    }
    let mut run: Run =
        serde_json::from_value(state).map_err(|e| Error::internal("the store holds a damaged run").with_source(e))?;
    run.run_at = row.time("run_at")?;
    run.output = row.maybe_json("output")?;
    let version: Option<i64> = row.try_get("blueprint_version").or_failed("read a run")?;
    Ok(RunRecord {
        run,
        blueprint_version: version.map(u32::try_from).transpose().or_failed("read a run")?,
        fence: row.number("fence")?,
        lease_expires_at: row.maybe_time("lease_expires_at")?,
        head_seq: row.number("head_seq")?,
        commits: row.number("commits")?,
        event_seq: row.number("event_seq")?,
        reserved: row.number("reserved").map(NanoUsd::new)?,
        forfeited: row.number("forfeited").map(NanoUsd::new)?,
    })
}

/// The record of a run, as the transaction sees it.
pub(super) async fn load(tx: &mut SqliteConnection, tenant: TenantId, run: RunId) -> Result<Option<RunRecord>> {
    let row = sqlx::query(records!(
        "FROM run r JOIN run_content c ON c.tenant = r.tenant AND c.id = r.id WHERE r.tenant = ? AND r.id = ?"
    ))
    .bind(tenant.bytes())
    .bind(run.bytes())
    .fetch_optional(tx)
    .await
    .or_failed("read a run")?;
    row.as_ref().map(read).transpose()
}

/// As [`load`], for a run that must exist.
pub(super) async fn existing(tx: &mut SqliteConnection, tenant: TenantId, run: RunId) -> Result<RunRecord> {
    load(tx, tenant, run).await?.ok_or_else(|| Error::not_found(format!("run {run}")))
}

/// Adds runs that were just accepted.
pub(super) async fn add(tx: &mut SqliteConnection, records: &[RunRecord]) -> Result<()> {
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let run = &record.run;
        rows.push((record, state(run)?, to_json(&run.input)?, to_json(&run.metadata)?));
    }
    insert(
        tx,
        "run (tenant, id, blueprint, status, priority, run_at, created_at, delayed, fence, head_seq, commits, event_seq,
             reserved, forfeited, state, blueprint_version)",
        16,
        "",
        &rows,
        |query, (record, state, ..)| {
            let run = &record.run;
            query
                .bind(run.tenant_id.bytes())
                .bind(run.id.bytes())
                .bind(run.agent_blueprint.clone())
                .bind(run.status.as_str())
                .bind(i64::from(run.priority))
                .bind(run.run_at.as_micros())
                .bind(run.created_at.as_micros())
                .bind(run.created_at < run.run_at)
                .bind(0)
                .bind(record.head_seq)
                .bind(0)
                // Invariant: a run that was just accepted has a handful of events.
                .bind(i64::try_from(record.event_seq).unwrap_or(i64::MAX))
                .bind(record.reserved.as_nanos())
                .bind(record.forfeited.as_nanos())
                .bind(state.clone())
                .bind(record.blueprint_version)
        },
    )
    .await
    .or_failed("accept a run")?;
    insert(tx, "run_content (tenant, id, input, metadata)", 4, "", &rows, |query, (record, _, input, metadata)| {
        let run = &record.run;
        query.bind(run.tenant_id.bytes()).bind(run.id.bytes()).bind(input.clone()).bind(metadata.clone())
    })
    .await
    .or_failed("accept a run")
}

/// Writes back a record whose run keeps its status: few of the indexes know of it. Calls that are in
/// the chain now are not open any more; the two go in one message to the database.
pub(super) async fn advance(tx: &mut SqliteConnection, record: &RunRecord) -> Result<()> {
    let sql = "DELETE FROM open_call WHERE tenant = ?1 AND run = ?2 AND seq <= ?5;
         UPDATE run SET blueprint_version = ?3, lease_expires_at = ?4, head_seq = ?5, event_seq = ?6,
             reserved = ?7, forfeited = ?8, state = ?9, commits = ?10
         WHERE tenant = ?1 AND id = ?2";
    columns(sqlx::query(sql), record)?.execute(tx).await.or_failed("write a run").map(drop)
}

/// Writes back a record whose run has another status, as [`advance`] does.
pub(super) async fn save(tx: &mut SqliteConnection, record: &RunRecord) -> Result<()> {
    let sql = "DELETE FROM open_call WHERE tenant = ?1 AND run = ?2 AND seq <= ?5;
         UPDATE run SET blueprint_version = ?3, lease_expires_at = ?4, head_seq = ?5, event_seq = ?6,
             reserved = ?7, forfeited = ?8, state = ?9, commits = ?10, status = ?11, fence = ?12, finished_at = ?13,
             run_at = ?14, delayed = iif(?11 = 'waiting' AND ?15 < ?14, 1, delayed)
         WHERE tenant = ?1 AND id = ?2";
    columns(sqlx::query(sql), record)?
        .bind(record.run.status.as_str())
        .bind(number(record.fence)?)
        .bind(record.run.finished_at.map(Timestamp::as_micros))
        .bind(record.run.run_at.as_micros())
        .bind(record.run.updated_at.as_micros())
        .execute(&mut *tx)
        .await
        .or_failed("write a run")?;
    let Some(output) = &record.run.output else { return Ok(()) };
    sqlx::query("UPDATE run_content SET output = ?3 WHERE tenant = ?1 AND id = ?2")
        .bind(record.run.tenant_id.bytes())
        .bind(record.run.id.bytes())
        .bind(to_json(output)?)
        .execute(tx)
        .await
        .or_failed("write the output of a run")
        .map(drop)
}

/// Binds what changes with every commit.
fn columns<'q>(query: Query<'q>, record: &RunRecord) -> Result<Query<'q>> {
    let run = &record.run;
    Ok(query
        .bind(run.tenant_id.bytes())
        .bind(run.id.bytes())
        .bind(record.blueprint_version)
        .bind(record.lease_expires_at.map(Timestamp::as_micros))
        .bind(record.head_seq)
        .bind(number(record.event_seq)?)
        .bind(record.reserved.as_nanos())
        .bind(record.forfeited.as_nanos())
        .bind(state(run)?)
        .bind(number(record.commits)?))
}

/// Adds the events of runs, those of one run together.
pub(super) async fn add_events(tx: &mut SqliteConnection, tenant: TenantId, runs: &[Vec<Event>]) -> Result<()> {
    let mut rows = Vec::with_capacity(runs.len());
    for events in runs {
        let Some(last) = events.last() else { continue };
        let compact: Vec<NewEvent> = events.iter().map(compact).collect();
        rows.push((last.run_id, number(last.seq)?, last.at.as_micros(), to_json(&compact)?));
    }
    insert(tx, "event (tenant, run, last_seq, at, body)", 5, "", &rows, |query, (run, seq, at, body)| {
        query.bind(tenant.bytes()).bind(run.bytes()).bind(*seq).bind(*at).bind(body.clone())
    })
    .await
    .or_failed("record events")
}

/// The events of a row of the table `event`.
pub(super) fn read_events(row: &SqliteRow, run: RunId) -> Result<Vec<Event>> {
    let events: Vec<NewEvent> = row.json("body")?;
    let last: u64 = row.number("last_seq")?;
    let at = row.time("at")?;
    let count = u64::try_from(events.len()).or_failed("read events")?;
    let first = (last + 1).saturating_sub(count);
    Ok(events.into_iter().zip(first..).map(|(event, seq)| event.placed(run, seq, at)).collect())
}

fn compact(event: &Event) -> NewEvent {
    NewEvent { event_type: event.event_type, data: event.data.clone(), actor: event.actor.clone() }
}

/// The run without what is kept beside it.
fn state(run: &Run) -> Result<String> {
    let mut state = serde_json::to_value(run).map_err(|e| Error::invalid("run has no JSON form").with_source(e))?;
    if let Some(members) = state.as_object_mut() {
        for name in ["input", "metadata", "output"] {
            members.remove(name);
        }
        // A moment after the calendar's end has no text; the column has it.
        members.insert("run_at".into(), Value::from(Timestamp::EPOCH.to_string()));
    }
    to_json(&state)
}
