use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use worktruck_core::run::{Event, Fork, NewRun, Run, RunRecord};
use worktruck_core::store::run_content;
use worktruck_core::{Digest, Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use crate::PgStore;
use crate::error::OrFailed as _;
use crate::rows::{Columns as _, check_kept};

use super::accept::NewRuns;
use super::record;

/// What is decided about the runs of one call.
#[derive(Default)]
struct Decided {
    /// For each run in order: which of the new ones it is, or which older one stands for it.
    answers: Vec<Result<usize, RunId>>,
    runs: Vec<(RunRecord, Vec<Event>)>,
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
    for attempt in 1..=ATTEMPTS {
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
        let new: Vec<Run> = decided.runs.iter().map(|(record, _)| record.run.clone()).collect();
        let answer = answer(&decided.answers, &new, &first)?;
        if new.is_empty() {
            return Ok((answer, false));
        }
        let new = NewRuns::new(tenant, now, decided.runs, decided.keys);
        if store.writer.accept(new).await? {
            return Ok((answer, true));
        }
        // Another call has used a key or an id since: the next look finds it.
    }
    Err(Error::unavailable("others use the same keys or ids too fast; try again"))
}

/// Accepts a run that goes on from the middle of another one.
pub(super) async fn fork(store: &PgStore, tenant: TenantId, fork: Fork, now: Timestamp) -> Result<Run> {
    check(&fork.run)?;
    let record = RunRecord::fork(&fork, tenant, now)?;
    let run = record.0.run.clone();
    if store.writer.accept(NewRuns::fork(tenant, now, record, fork)).await? {
        return Ok(run);
    }
    Err(Error::conflict(format!("run {} exists", run.id)))
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
        decided.answers.push(Ok(decided.runs.len()));
        decided.runs.push(RunRecord::accept(run.clone(), tenant, now));
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

/// The older runs that stand for new ones; nothing if one is gone.
async fn first_runs(store: &PgStore, tenant: TenantId, decided: &Decided) -> Result<Option<Vec<Run>>> {
    let mut runs = Vec::new();
    let is_new = |first: &RunId| decided.runs.iter().any(|(record, _)| record.run.id == *first);
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

/// The run that each asked for is: one of the `new` ones or an `older` one.
fn answer(answers: &[Result<usize, RunId>], new: &[Run], older: &[Run]) -> Result<Vec<Run>> {
    let run = |answer: &Result<usize, RunId>| match answer {
        Ok(place) => new.get(*place),
        Err(first) => new.iter().chain(older).find(|run| run.id == *first),
    };
    answers.iter().map(|answer| run(answer).cloned()).collect::<Option<_>>().ok_or_else(missing)
}

fn missing() -> Error {
    Error::internal("the run of an idempotency key is missing")
}
