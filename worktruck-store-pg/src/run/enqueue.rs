#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use worktruck_core::run::{Event, NewRun, Run, RunRecord};
use worktruck_core::store::run_content;
use worktruck_core::{Digest, Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_duplicate};
use crate::rows::{Columns as _, check_kept, number, to_json};
use crate::statement::{Rows as _, Statement, columns};

use super::{batch, record};

columns! {
    /// New rows of `run` and `queue`.
    NewRows {
        id: Uuid = "uuid", blueprint: String = "text", created_at: i64 = "bigint", run_at: i64 = "bigint",
        priority: i16 = "smallint", delayed: bool = "boolean", state: String = "text", input: String = "text",
        metadata: String = "text", event_seq: i64 = "bigint", events: String = "text",
    }
}

columns! {
    /// New rows of `idempotency`.
    NewKeys { key: String = "text", digest: Vec<u8> = "bytea", run: Uuid = "uuid" }
}

/// What is decided about the runs of one call.
#[derive(Default)]
struct Decided {
    /// For each run in order: which of the new ones it is, or which older one stands for it.
    answers: Vec<Result<usize, RunId>>,
    records: Vec<RunRecord>,
    events: Vec<Vec<Event>>,
    keys: Vec<(String, Digest, RunId)>,
}

/// How often two calls that use the same new key may get in each other's way.
const ATTEMPTS: usize = 5;

/// Accepts runs; answers with them, and whether any is new.
pub(super) async fn enqueue(
    store: &PgStore,
    tenant: TenantId,
    runs: &[NewRun],
    now: Timestamp,
) -> Result<(Vec<Run>, bool)> {
    runs.iter().try_for_each(check)?;
    for attempt in 1.. {
        // Ids are new as a rule: whether they are is asked only if the database has found that not.
        let taken = if attempt == 1 { BTreeSet::new() } else { taken_ids(store, tenant, runs).await? };
        let decided = match decide(store, tenant, runs, &taken, now).await {
            // What is wrong with the first run that something is wrong with may be its id.
            Err(error) if attempt == 1 && runs.len() > 1 && !error.is_retryable() => continue,
            decided => decided?,
        };
        let first = match first_runs(store, tenant, &decided).await? {
            Some(first) => first,
            None if attempt == ATTEMPTS => return Err(missing()),
            // The run has been removed with its key since: the next look finds neither.
            None => continue,
        };
        match write(store, tenant, &decided, now).await? {
            Ok(()) => return answer(&decided, &first),
            // Another call has used a key or an id since: the next look finds it.
            Err(error) if attempt == ATTEMPTS => return Err(error).or_failed("accept a run"),
            Err(_) => {}
        }
    }
    Ok((Vec::new(), false))
}

fn check(run: &NewRun) -> Result<()> {
    run.check()?;
    check_kept("/agent_blueprint", &run.agent_blueprint)?;
    if run.agent_blueprint.len() > LONGEST_BLUEPRINT {
        return Err(Error::invalid(format!("the name is longer than {LONGEST_BLUEPRINT} bytes")).at("/agent_blueprint"));
    }
    Ok(())
}

/// The longest name of a blueprint, in bytes: it has to fit into the entry of an index.
const LONGEST_BLUEPRINT: usize = 1_000;

async fn decide(
    store: &PgStore,
    tenant: TenantId,
    runs: &[NewRun],
    taken: &BTreeSet<Uuid>,
    now: Timestamp,
) -> Result<Decided> {
    let mut keys = used_keys(store, tenant, runs).await?;
    let mut decided = Decided::default();
    let mut ids = BTreeSet::new();
    for run in runs {
        if let Some(key) = &run.idempotency_key {
            let content = run_content(run)?;
            match keys.get(key) {
                Some((same, first)) if *same == content => {
                    decided.answers.push(Err(*first));
                    continue;
                }
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::IdempotencyMismatch,
                        format!("idempotency key {key:?} was used before with other content"),
                    ));
                }
                None => keys.insert(key.clone(), (content, run.id)),
            };
            decided.keys.push((key.clone(), content, run.id));
        }
        if taken.contains(&run.id.as_uuid()) || !ids.insert(run.id) {
            return Err(Error::conflict(format!("run {} exists", run.id)));
        }
        let (record, events) = RunRecord::accept(run.clone(), tenant, now);
        decided.answers.push(Ok(decided.records.len()));
        decided.records.push(record);
        decided.events.push(events);
    }
    Ok(decided)
}

async fn used_keys(store: &PgStore, tenant: TenantId, runs: &[NewRun]) -> Result<BTreeMap<String, (Digest, RunId)>> {
    let keys: Vec<&str> = runs.iter().filter_map(|run| run.idempotency_key.as_deref()).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query("SELECT key, digest, run FROM idempotency WHERE tenant = $1 AND key = ANY($2)")
        .bind(tenant.as_uuid())
        .bind(keys)
        .fetch_all(&store.readers)
        .await
        .or_failed("look for an idempotency key")?;
    let read = |row: &sqlx::postgres::PgRow| {
        let digest = row.maybe_digest("digest")?.ok_or_else(|| Error::internal("an idempotency key has no digest"))?;
        Ok((row.text("key")?.to_owned(), (digest, RunId::from_uuid(row.id("run")?))))
    };
    rows.iter().map(read).collect()
}

async fn taken_ids(store: &PgStore, tenant: TenantId, runs: &[NewRun]) -> Result<BTreeSet<Uuid>> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id.as_uuid()).collect();
    let taken: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM run WHERE tenant = $1 AND id = ANY($2)")
        .bind(tenant.as_uuid())
        .bind(ids)
        .fetch_all(&store.readers)
        .await
        .or_failed("look for a run")?;
    Ok(taken.into_iter().collect())
}

/// Writes what is new; gives the error of a key or an id that is not new any more.
async fn write(store: &PgStore, tenant: TenantId, decided: &Decided, now: Timestamp) -> Result<sqlx::Result<()>> {
    if decided.records.is_empty() {
        return Ok(Ok(()));
    }
    let mut statement = Statement::default();
    let owner = statement.bind(tenant.as_uuid());
    let mut rows = NewRows::default();
    for (record, events) in decided.records.iter().zip(&decided.events) {
        let run = &record.run;
        rows.push(
            run.id.as_uuid(),
            run.agent_blueprint.clone(),
            run.created_at.as_micros(),
            run.run_at.as_micros(),
            i16::from(run.priority),
            run.run_at > now,
            record::state(run)?,
            to_json(&run.input)?,
            to_json(&run.metadata)?,
            number(record.event_seq)?,
            batch::compact(events)?,
        );
    }
    let rows = rows.bind(&mut statement, "c");
    statement.with("new", format!("SELECT c.* FROM {rows}"));
    statement.with(
        "accepted",
        format!(
            "INSERT INTO run (tenant, id, blueprint, created_at, state, input, metadata)
             SELECT {owner}, id, blueprint, created_at, state::json, input::json, metadata::json FROM new"
        ),
    );
    statement.with(
        "queued",
        format!(
            "INSERT INTO queue (tenant, run, created_at, run_at, attempt, priority, delayed, status, blueprint, fence,
                 updated_at, head_seq, commits, event_seq, cost, reserved, forfeited)
             SELECT {owner}, id, created_at, run_at, 0, priority, delayed, 'queued', blueprint, 0, created_at, 0, 0,
                 event_seq, 0, 0, 0
             FROM new"
        ),
    );
    statement.with(
        "told",
        format!(
            "INSERT INTO event (tenant, run, last_seq, at, body)
             SELECT {owner}, id, event_seq, created_at, events::json FROM new"
        ),
    );
    if !decided.keys.is_empty() {
        let mut keys = NewKeys::default();
        for (key, digest, run) in &decided.keys {
            keys.push(key.clone(), digest.as_bytes().to_vec(), run.as_uuid());
        }
        let keys = keys.bind(&mut statement, "k");
        statement.with(
            "kept",
            format!("INSERT INTO idempotency (tenant, key, digest, run) SELECT {owner}, key, digest, run FROM {keys}"),
        );
    }
    let mut writing = store.writing().await.or_failed("accept a run")?;
    match statement.fetch(&mut writing, "SELECT").await {
        Ok(_) => writing.done().await.or_failed("accept a run").map(Ok),
        Err(error) if is_duplicate(&error) => Ok(Err(error)),
        Err(error) => Err(error).or_failed("accept a run"),
    }
}

/// The older runs that stand for new ones; nothing if one is gone.
async fn first_runs(store: &PgStore, tenant: TenantId, decided: &Decided) -> Result<Option<Vec<Run>>> {
    let mut runs = Vec::new();
    let is_new = |first: &RunId| decided.records.iter().any(|record| record.run.id == *first);
    let older = decided.answers.iter().filter_map(|answer| answer.as_ref().err().filter(|first| !is_new(first)));
    let mut connection = None;
    for first in older {
        let connection = match &mut connection {
            Some(connection) => connection,
            none => none.insert(store.readers.acquire().await.or_failed("read a run")?),
        };
        let Some(record) = record::load(connection, tenant, *first).await.or_failed("read a run")? else {
            return Ok(None);
        };
        runs.push(record.run);
    }
    Ok(Some(runs))
}

fn answer(decided: &Decided, older: &[Run]) -> Result<(Vec<Run>, bool)> {
    let run = |answer: &Result<usize, RunId>| match answer {
        Ok(place) => decided.records.get(*place).map(|record| &record.run),
        Err(first) => {
            let new = decided.records.iter().map(|record| &record.run);
            new.chain(older).find(|run| run.id == *first)
        }
    };
    let runs: Option<Vec<Run>> = decided.answers.iter().map(|answer| run(answer).cloned()).collect();
    Ok((runs.ok_or_else(missing)?, !decided.records.is_empty()))
}

fn missing() -> Error {
    Error::internal("the run of an idempotency key is missing")
}
