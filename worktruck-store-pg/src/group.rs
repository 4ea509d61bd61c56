//! One attempt to commit several jobs by one statement.

use std::collections::BTreeSet;

use sqlx::{PgConnection, Row as _};
use tokio::sync::oneshot;
use worktruck_core::run::{Approval, Commit, Event, Lease, RunRecord};
use worktruck_core::store::{Applied, Changes, CommitOutcome, Provenance};
use worktruck_core::{Error, ErrorKind, Result, RunId, TenantId, Timestamp};

use crate::entity::{Drafts, EntityBatch};
use crate::error::Failure;
use crate::link::Wire;
use crate::run::{Batch, Records, Was, approvals_of_run, existing};
use crate::statement::Statement;
use crate::writer::Job;

/// What became of an attempt. Jobs that are not given back have been answered.
pub(crate) enum Attempt {
    /// Nothing of these is written: somebody changed what they rest on.
    Again(Vec<Job>),
    /// The statement failed; whether it took effect is not known if the connection broke.
    Failed(Failure, Vec<Job>),
}

/// A commit of a run, and the record that it makes.
struct Advance {
    job: CommitJob,
    was: Was,
    record: RunRecord,
    renewed: Lease,
    events: Vec<Event>,
    approvals: Vec<Approval>,
}

struct CommitJob {
    lease: Lease,
    commit: Box<Commit>,
    now: Timestamp,
    reply: oneshot::Sender<Result<CommitOutcome>>,
}

struct ApplyJob {
    tenant: TenantId,
    changes: Changes,
    provenance: Provenance,
    now: Timestamp,
    reply: oneshot::Sender<Result<Applied>>,
}

/// The jobs of an attempt, by how far they have come.
#[derive(Default)]
struct Group {
    advances: Vec<Advance>,
    unplanned: Vec<ApplyJob>,
    applied: Vec<(ApplyJob, Applied)>,
    /// Jobs whose changes cannot be made after those of the others.
    refused: Vec<(Job, Refusal)>,
    later: Vec<Job>,
}

enum Refusal {
    Step(u32, Error),
    Changes(Error),
}

/// Commits `jobs` together. With `cached`, records are taken as this process remembers them.
pub(crate) async fn attempt(wire: &mut Wire, jobs: Vec<Job>, records: &Records, cached: bool) -> Attempt {
    let mut group = Group::default();
    let done = match group.run(&mut wire.connection, jobs, records, cached).await {
        Ok(written) => wire.commit().await.map(|()| written).map_err(Failure::of_write),
        failed => failed,
    };
    match done {
        Ok(true) => {
            let later = std::mem::take(&mut group.later);
            group.answer(records);
            Attempt::Again(later)
        }
        Ok(false) => Attempt::Again(group.jobs()),
        Err(failure) => Attempt::Failed(failure, group.jobs()),
    }
}

impl Group {
    /// Whether what is left of the group was written.
    async fn run(
        &mut self,
        connection: &mut PgConnection,
        jobs: Vec<Job>,
        records: &Records,
        cached: bool,
    ) -> Result<bool, Failure> {
        let mut jobs = jobs.into_iter();
        let mut runs = BTreeSet::new();
        while let Some(job) = jobs.next() {
            let taken = self.take(connection, job, &mut runs, records, cached).await;
            if taken.is_err() {
                self.later.extend(jobs);
                return taken.map(|()| false);
            }
        }
        let entities = self.draft(connection, cached).await?;
        self.write(connection, entities).await
    }

    async fn take(
        &mut self,
        connection: &mut PgConnection,
        job: Job,
        runs: &mut BTreeSet<(TenantId, RunId)>,
        records: &Records,
        cached: bool,
    ) -> Result<(), Failure> {
        match job {
            Job::Apply { tenant, changes, provenance, now, reply } => {
                self.unplanned.push(ApplyJob { tenant, changes, provenance, now, reply });
            }
            Job::Commit { lease, commit, now, reply } => {
                let job = CommitJob { lease, commit, now, reply };
                // Of one run only one commit at a time: the second rests on the first.
                if runs.insert((job.lease.tenant(), job.lease.run())) {
                    self.advance(connection, job, records, cached).await?;
                } else {
                    self.later.push(job.into());
                }
            }
        }
        Ok(())
    }

    /// Takes in a commit of a run by the rules of a record.
    async fn advance(
        &mut self,
        connection: &mut PgConnection,
        job: CommitJob,
        records: &Records,
        cached: bool,
    ) -> Result<(), Failure> {
        let known = if cached { records.take(&job.lease) } else { None };
        let is_known = known.is_some();
        let record = match known {
            Some(record) => Ok(record),
            None => existing(connection, job.lease.tenant(), job.lease.run()).await,
        };
        let mut record = match record {
            Ok(record) => record,
            Err(Failure::Core(error)) => {
                job.answer(Err(error));
                return Ok(());
            }
            Err(failure) => {
                self.later.push(job.into());
                return Err(failure);
            }
        };
        if record.is_repeated(&job.lease, &job.commit) {
            if is_known {
                // Somebody may have gone on with the run since, and the answer says how it is now.
                self.later.push(job.into());
                return Ok(());
            }
            records.keep(&record);
            job.answer(Ok(CommitOutcome::Committed { lease: record.lease(), run: record.run }));
            return Ok(());
        }
        let was = Was::of(&record);
        match record.commit(&job.lease, &job.commit, job.now) {
            Ok((renewed, events)) => {
                let mut approvals = Vec::new();
                if !job.commit.approvals.is_empty() {
                    // An answer that comes later makes an event, and the record is not what it was then.
                    match approvals_of_run(connection, job.lease.tenant(), job.lease.run()).await {
                        Ok(stored) => approvals = record.approve(&job.commit, &stored, job.now),
                        Err(failure) => {
                            self.later.push(job.into());
                            return Err(failure);
                        }
                    }
                }
                self.advances.push(Advance { job, was, record, renewed, events, approvals });
            }
            // What is remembered may be out of date.
            Err(_) if is_known => self.later.push(job.into()),
            Err(error) => job.answer(Err(error)),
        }
        Ok(())
    }

    /// Plans the changes of entities, one job after the other.
    async fn draft(&mut self, connection: &mut PgConnection, cached: bool) -> Result<EntityBatch, Failure> {
        let of_runs = self.advances.iter().flat_map(|advance| {
            let sets = advance.job.commit.steps.iter().map(|step| &step.changes);
            sets.filter(|changes| !changes.is_empty())
                .map(|changes| (advance.job.lease.tenant(), changes, advance.job.now))
        });
        let others = self.unplanned.iter().map(|job| (job.tenant, &job.changes, job.now));
        let sets: Vec<_> = of_runs.chain(others).collect();
        if sets.is_empty() {
            return Ok(EntityBatch::default());
        }
        let mut drafts = Drafts::load(connection, &sets).await?;
        let mut kept = Vec::with_capacity(self.advances.len());
        for advance in std::mem::take(&mut self.advances) {
            match drafts.apply_steps(
                &advance.job.lease,
                &advance.record.run.agent_blueprint,
                &advance.job.commit,
                advance.job.now,
            ) {
                Ok(()) => kept.push(advance),
                Err(_) if cached => self.later.push(advance.job.into()),
                Err((seq, error)) => self.refused.push((advance.job.into(), Refusal::Step(seq, error))),
            }
        }
        self.advances = kept;
        for job in std::mem::take(&mut self.unplanned) {
            match drafts.apply(job.tenant, &job.changes, job.provenance.clone(), job.now) {
                Ok(applied) => self.applied.push((job, applied)),
                Err(error) => self.refused.push((job.into(), Refusal::Changes(error))),
            }
        }
        drafts.batch().map_err(Failure::Core)
    }

    /// Writes what was planned; says whether it was. Runs that were changed meanwhile are left for
    /// later, but if there are changes of entities, it is all or nothing.
    async fn write(&mut self, connection: &mut PgConnection, entities: EntityBatch) -> Result<bool, Failure> {
        if self.advances.is_empty() && entities.is_empty() {
            return Ok(true);
        }
        let mut batch = Batch::default();
        for advance in &self.advances {
            batch
                .push(advance.was, &advance.record, &advance.events, Some(&advance.job.commit))
                .map_err(Failure::Core)?;
            batch.approve(advance.job.lease.tenant(), &advance.approvals).map_err(Failure::Core)?;
        }
        let mut statement = Statement::default();
        let together = !entities.is_empty();
        let only_if = if together {
            entities.guard(&mut statement, &batch);
            "(SELECT holds FROM guard)"
        } else {
            "TRUE"
        };
        if !batch.is_empty() {
            batch.write(&mut statement, only_if);
        }
        if together {
            entities.write(&mut statement);
            let rows = statement.fetch(connection, "SELECT holds FROM guard").await.map_err(Failure::of_write)?;
            let held = rows.first().map(|row| row.try_get("holds")).transpose()?;
            return Ok(held.unwrap_or(false));
        }
        let rows = statement.fetch(connection, "SELECT i FROM written").await.map_err(Failure::of_write)?;
        let written: BTreeSet<i32> = rows.iter().map(|row| row.try_get("i")).collect::<sqlx::Result<_>>()?;
        let advances = std::mem::take(&mut self.advances);
        for (i, advance) in (0..).zip(advances) {
            if written.contains(&i) {
                self.advances.push(advance);
            } else {
                self.later.push(advance.job.into());
            }
        }
        Ok(true)
    }

    /// Answers all that was planned and written.
    fn answer(self, records: &Records) {
        for Advance { job, record, renewed, .. } in self.advances {
            records.keep(&record);
            job.answer(Ok(CommitOutcome::Committed { run: record.run, lease: renewed }));
        }
        for (job, applied) in self.applied {
            // The caller may have gone; what it asked for is done all the same.
            drop(job.reply.send(Ok(applied)));
        }
        for (job, refusal) in self.refused {
            match (job, refusal) {
                (Job::Commit { reply, .. }, Refusal::Step(seq, error)) => drop(reply.send(conflicted(seq, error))),
                (job, Refusal::Step(_, error) | Refusal::Changes(error)) => job.fail(error),
            }
        }
    }

    /// All that has not been answered.
    fn jobs(self) -> Vec<Job> {
        let advances = self.advances.into_iter().map(|advance| advance.job.into());
        let unplanned = self.unplanned.into_iter().map(Job::from);
        let applied = self.applied.into_iter().map(|(job, _)| job.into());
        let refused = self.refused.into_iter().map(|(job, _)| job);
        self.later.into_iter().chain(advances).chain(unplanned).chain(applied).chain(refused).collect()
    }
}

fn conflicted(seq: u32, error: Error) -> Result<CommitOutcome> {
    match error.kind() {
        ErrorKind::VersionMismatch | ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::InvalidRequest => {
            Ok(CommitOutcome::Conflicted { seq, error })
        }
        _ => Err(error),
    }
}

impl CommitJob {
    fn answer(self, answer: Result<CommitOutcome>) {
        // The caller may have gone; what it asked for is done all the same.
        drop(self.reply.send(answer));
    }
}

impl From<CommitJob> for Job {
    fn from(CommitJob { lease, commit, now, reply }: CommitJob) -> Self {
        Self::Commit { lease, commit, now, reply }
    }
}

impl From<ApplyJob> for Job {
    fn from(ApplyJob { tenant, changes, provenance, now, reply }: ApplyJob) -> Self {
        Self::Apply { tenant, changes, provenance, now, reply }
    }
}
