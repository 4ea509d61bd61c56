//! Writes new runs: what is accepted at the same time is written by one statement.

#![expect(clippy::too_many_arguments, reason = "rows are pushed column by column")]

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;
use worktruck_core::run::{Event, Fork, RunRecord};
use worktruck_core::{Digest, Error, Result, RunId, TenantId, Timestamp};

use crate::error::{Failure, is_disconnected, is_duplicate, out_of_time};
use crate::link::Link;
use crate::rows::to_json;
use crate::statement::{Rows as _, Statement, columns};

use super::batch::{self, Batch};
use super::record;

columns! {
    /// New rows of `run` and `queue`.
    NewRows {
        tenant: Uuid = "uuid", id: Uuid = "uuid", blueprint: String = "text", created_at: i64 = "bigint",
        run_at: i64 = "bigint", priority: i16 = "smallint", delayed: bool = "boolean", state: String = "text",
        input: String = "text", metadata: String = "text", event_seq: i32 = "int", last_seq: i32 = "int",
        events: String = "text", head_seq: i32 = "int", blueprint_version: Option<i64> = "bigint",
        snapshot: Option<String> = "text",
    }
}

columns! {
    /// New rows of `idempotency`.
    NewKeys { tenant: Uuid = "uuid", key: String = "text", digest: Vec<u8> = "bytea", run: Uuid = "uuid" }
}

/// The new runs of one call.
#[derive(Debug)]
pub(crate) struct NewRuns {
    tenant: TenantId,
    now: Timestamp,
    runs: Vec<(RunRecord, Vec<Event>)>,
    keys: Vec<(String, Digest, RunId)>,
    /// What the only run begins with, if it is a fork.
    fork: Option<Box<Fork>>,
}

/// Runs to be written, and whoever waits for that: they are told whether they were, or else some key or
/// id of theirs was used before.
#[derive(Debug)]
pub(crate) struct Accept {
    pub(crate) new: NewRuns,
    pub(crate) reply: oneshot::Sender<Result<bool>>,
}

const ACCEPT: &str = "accept runs";
/// What has more runs is written by itself.
const MANY: usize = 64;
/// How often the runs of a call are written when the server gives up the statement for another.
const ATTEMPTS: usize = 5;
/// A connection that was not used for so long may have broken unnoticed.
const LONG_IDLE: Duration = Duration::from_secs(1);

impl NewRuns {
    /// The runs of a tenant, with the keys that name them.
    pub(super) fn new(
        tenant: TenantId,
        now: Timestamp,
        runs: Vec<(RunRecord, Vec<Event>)>,
        keys: Vec<(String, Digest, RunId)>,
    ) -> Self {
        Self { tenant, now, runs, keys, fork: None }
    }

    /// A run that goes on from the middle of another one.
    pub(super) fn fork(tenant: TenantId, now: Timestamp, run: (RunRecord, Vec<Event>), fork: Fork) -> Self {
        Self { tenant, now, runs: vec![run], keys: Vec::new(), fork: Some(Box::new(fork)) }
    }

    fn push(&self, rows: &mut NewRows, keys: &mut NewKeys, begun: &mut Batch) -> Result<()> {
        let tenant = self.tenant.as_uuid();
        for (record, events) in &self.runs {
            let run = &record.run;
            // The events of steps are no rows of their own.
            let own = if self.fork.is_some() { events.get(..1).unwrap_or_default() } else { events };
            rows.push(
                tenant,
                run.id.as_uuid(),
                run.agent_blueprint.clone(),
                run.created_at.as_micros(),
                run.run_at.as_micros(),
                i16::from(run.priority),
                run.run_at > self.now,
                record::state(run)?,
                to_json(&run.input)?,
                to_json(&run.metadata)?,
                batch::count(record.event_seq)?,
                batch::count(own.last().map_or(0, |event| event.seq))?,
                batch::compact(own)?,
                batch::count(record.head_seq)?,
                record.blueprint_version.map(i64::from),
                self.fork.as_ref().map(|fork| to_json(&fork.snapshot)).transpose()?,
            );
            if let Some(fork) = &self.fork {
                begun.begin(self.tenant, fork, events)?;
            }
        }
        for (key, digest, run) in &self.keys {
            keys.push(tenant, key.clone(), digest.as_bytes().to_vec(), run.as_uuid());
        }
        Ok(())
    }
}

/// The connection for new runs.
#[derive(Debug)]
pub(crate) struct Intake {
    link: Link,
    used_at: Instant,
}

impl Intake {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, used_at: Instant::now() }
    }

    pub(crate) async fn close(self) {
        self.link.close().await;
    }

    /// Writes what came together, by one statement if it can be, and answers.
    pub(crate) async fn take_in(&mut self, group: Vec<Accept>) {
        let is_small = |accept: &Accept| accept.new.runs.len() <= MANY;
        let (together, mut alone): (Vec<Accept>, Vec<Accept>) = group.into_iter().partition(is_small);
        if together.len() < 2 {
            alone.extend(together);
        } else {
            match self.write(&together).await {
                Ok(()) => together.into_iter().for_each(|accept| accept.answer(Ok(true))),
                Err(failure) if failure.is_unanswered() => {
                    tracing::debug!(%failure, "accepting runs was not answered");
                    let lost =
                        || Error::unavailable("the store went away: whether the runs were accepted is not known");
                    together.into_iter().for_each(|accept| accept.answer(Err(lost())));
                }
                Err(failure) if failure.is_disconnected() => {
                    tracing::debug!(%failure, "runs cannot be accepted");
                    let away = || Error::unavailable("the store could not accept runs: its server cannot be reached");
                    together.into_iter().for_each(|accept| accept.answer(Err(away())));
                }
                Err(failure) if failure.is_out_of_time() => {
                    together.into_iter().for_each(|accept| accept.answer(Err(out_of_time(ACCEPT))));
                }
                Err(failure) => {
                    tracing::debug!(%failure, "accepting one by one after a failed statement");
                    alone.extend(together);
                }
            }
        }
        for accept in alone {
            match self.write_again(&accept).await {
                Ok(()) => accept.answer(Ok(true)),
                Err(failure) => accept.refuse(failure),
            }
        }
    }

    /// Writes the runs of one call, once more as long as that may help.
    async fn write_again(&mut self, accept: &Accept) -> Result<(), Failure> {
        for _ in 1..ATTEMPTS {
            match self.write(std::slice::from_ref(accept)).await {
                Err(failure) if failure.is_transient() => tracing::debug!(%failure, "runs are written again"),
                done => return done,
            }
        }
        self.write(std::slice::from_ref(accept)).await
    }

    async fn write(&mut self, group: &[Accept]) -> Result<(), Failure> {
        let (mut rows, mut keys, mut begun) = (NewRows::default(), NewKeys::default(), Batch::default());
        for accept in group {
            accept.new.push(&mut rows, &mut keys, &mut begun)?;
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = Statement::default();
        let rows = rows.bind(&mut statement, "c");
        statement.with("new", format!("SELECT c.* FROM {rows}"));
        statement.with(
            "accepted",
            "INSERT INTO run (tenant, id, blueprint, created_at, state, input, metadata, snapshot)
             SELECT tenant, id, blueprint, created_at, state::json, input::json, metadata::json, snapshot::json FROM new",
        );
        statement.with(
            "queued",
            "INSERT INTO queue (tenant, run, created_at, run_at, attempt, priority, delayed, status, blueprint, fence,
                 updated_at, head_seq, commits, event_seq, cost, reserved, forfeited, blueprint_version)
             SELECT tenant, id, created_at, run_at, 0, priority, delayed, 'queued', blueprint, 0, created_at, head_seq, 0,
                 event_seq, 0, 0, 0, blueprint_version
             FROM new",
        );
        statement.with(
            "told",
            "INSERT INTO event (tenant, run, last_seq, at, body)
             SELECT tenant, id, last_seq, created_at, events::json FROM new",
        );
        begun.write_begun(&mut statement);
        if !keys.is_empty() {
            let keys = keys.bind(&mut statement, "k");
            statement.with(
                "kept",
                format!(
                    "INSERT INTO idempotency (tenant, key, digest, run) SELECT tenant, key, digest, run FROM {keys}"
                ),
            );
        }
        let done = self.run(statement).await;
        self.used_at = Instant::now();
        if done.as_ref().is_err_and(Failure::is_disconnected) {
            self.link.drop_connection();
        }
        self.link.roll_back().await;
        done
    }

    async fn run(&mut self, statement: Statement) -> Result<(), Failure> {
        if self.used_at.elapsed() > LONG_IDLE {
            self.link.check().await;
        }
        let wire = match self.link.wire().await {
            // Nothing was sent yet.
            Err(error) if is_disconnected(&error) => self.link.wire().await?,
            wire => wire?,
        };
        statement.fetch(&mut wire.connection, "SELECT").await.map_err(Failure::of_write)?;
        wire.commit().await.map_err(Failure::of_write)
    }
}

impl Accept {
    fn answer(self, answer: Result<bool>) {
        // The caller may have gone; what it asked for is done all the same.
        drop(self.reply.send(answer));
    }

    fn refuse(self, failure: Failure) {
        let answer = match failure {
            Failure::Sql(error) if is_duplicate(&error) => Ok(false),
            failure => Err(failure.or_failed(ACCEPT)),
        };
        self.answer(answer);
    }
}
