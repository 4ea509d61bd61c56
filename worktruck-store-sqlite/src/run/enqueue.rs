use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::SqliteConnection;
use worktruck_core::run::{Event, Fork, NewRun, Run, RunRecord};
use worktruck_core::store::run_content;
use worktruck_core::{Digest, Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, insert, to_json};
use crate::work;
use crate::writer::Transact;

use super::{journal, record};

/// Accepts runs; answers with them and the generation of work that they make, if any is new.
pub(super) struct Enqueue {
    pub(super) tenant: TenantId,
    pub(super) runs: Vec<NewRun>,
    pub(super) now: Timestamp,
}

/// Accepts a run that begins in the middle of another one; answers with it and the generation of work that it makes.
pub(super) struct EnqueueFork {
    pub(super) tenant: TenantId,
    pub(super) fork: Fork,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Transact for EnqueueFork {
    type Output = (Run, Option<u64>);

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Self::Output> {
        let Self { tenant, fork, now } = self;
        let (record, events) = RunRecord::fork(fork, *tenant, *now)?;
        if record::load(tx, *tenant, fork.run.id).await?.is_some() {
            return Err(Error::conflict(format!("run {} exists", fork.run.id)));
        }
        record::add(tx, std::slice::from_ref(&record)).await?;
        record::add_events(tx, *tenant, &[events]).await?;
        journal::begin(tx, *tenant, fork).await?;
        Ok((record.run, Some(work::count(tx).await?)))
    }
}

/// What is decided about a run to be accepted.
enum Accept {
    /// It is the first of these that are new.
    New(usize),
    /// Its key was used before, for this run.
    Again(RunId),
}

#[async_trait]
impl Transact for Enqueue {
    type Output = (Vec<Run>, Option<u64>);

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Self::Output> {
        self.runs.iter().try_for_each(NewRun::check)?;
        let mut keys = self.used_keys(tx).await?;
        let taken = self.taken_ids(tx).await?;
        let mut decided = Vec::with_capacity(self.runs.len());
        let (mut records, mut events): (Vec<RunRecord>, Vec<Vec<Event>>) = (Vec::new(), Vec::new());
        let mut ids = BTreeSet::new();
        let mut new_keys = Vec::new();
        for run in &self.runs {
            if let Some(key) = &run.idempotency_key {
                let content = run_content(run)?;
                match keys.get(key) {
                    Some((same, first)) if *same == content => {
                        decided.push(Accept::Again(*first));
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
                new_keys.push((key.clone(), content, run.id));
            }
            if taken.contains(&run.id) || !ids.insert(run.id) {
                return Err(Error::conflict(format!("run {} exists", run.id)));
            }
            decided.push(Accept::New(records.len()));
            let (record, of_run) = RunRecord::accept(run.clone(), self.tenant, self.now);
            records.push(record);
            events.push(of_run);
        }
        record::add(tx, &records).await?;
        record::add_events(tx, self.tenant, &events).await?;
        self.keep_keys(tx, &new_keys).await?;
        let generation = if records.is_empty() { None } else { Some(work::count(tx).await?) };
        let mut accepted = Vec::with_capacity(decided.len());
        for decision in decided {
            accepted.push(match decision {
                Accept::New(place) => records.get(place).map(|record| record.run.clone()),
                Accept::Again(first) => match records.iter().find(|record| record.run.id == first) {
                    Some(record) => Some(record.run.clone()),
                    None => record::load(tx, self.tenant, first).await?.map(|record| record.run),
                },
            });
        }
        let missing = || Error::internal("the run of an idempotency key is missing");
        let accepted: Option<Vec<Run>> = accepted.into_iter().collect();
        Ok((accepted.ok_or_else(missing)?, generation))
    }
}

impl Enqueue {
    async fn used_keys(&self, tx: &mut SqliteConnection) -> Result<BTreeMap<String, (Digest, RunId)>> {
        let keys: Vec<&String> = self.runs.iter().filter_map(|run| run.idempotency_key.as_ref()).collect();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = sqlx::query(
            "SELECT i.key, i.digest, i.run FROM json_each(?2) w CROSS JOIN idempotency i
             WHERE i.tenant = ?1 AND i.key = w.value",
        )
        .bind(self.tenant.bytes())
        .bind(to_json(&keys)?)
        .fetch_all(tx)
        .await
        .or_failed("look for an idempotency key")?;
        rows.iter().map(|row| Ok((row.text("key")?.to_owned(), (row.bytes("digest")?, row.bytes("run")?)))).collect()
    }

    async fn taken_ids(&self, tx: &mut SqliteConnection) -> Result<BTreeSet<RunId>> {
        let ids: Vec<String> = self.runs.iter().map(|run| run.id.hex()).collect();
        let rows = sqlx::query(
            "SELECT r.id FROM json_each(?2) w CROSS JOIN run r WHERE r.tenant = ?1 AND r.id = unhex(w.value)",
        )
        .bind(self.tenant.bytes())
        .bind(to_json(&ids)?)
        .fetch_all(tx)
        .await
        .or_failed("look for a run")?;
        rows.iter().map(|row| row.bytes("id")).collect()
    }

    async fn keep_keys(&self, tx: &mut SqliteConnection, keys: &[(String, Digest, RunId)]) -> Result<()> {
        insert(tx, "idempotency (tenant, key, digest, run)", 4, "", keys, |query, (key, digest, run)| {
            query.bind(self.tenant.bytes()).bind(key.clone()).bind(digest.as_bytes().to_vec()).bind(run.bytes())
        })
        .await
        .or_failed("keep an idempotency key")
    }
}
