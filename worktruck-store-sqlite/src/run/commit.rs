use async_trait::async_trait;
use sqlx::SqliteConnection;
use worktruck_core::run::{Commit, CommitStep, Lease, Run, RunStatus};
use worktruck_core::store::draft::Refused;
use worktruck_core::store::{Changes, CommitOutcome, Provenance};
use worktruck_core::{ErrorKind, Result, Timestamp};

use crate::entity::apply_each;
use crate::outbox;
use crate::work;
use crate::writer::Transact;

use super::{approval, journal, record};

/// Commits what the holder of a lease did; answers with what became of it and the generation of
/// work that it makes, if any.
pub(super) struct CommitRun {
    pub(super) lease: Lease,
    pub(super) commit: Commit,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Transact for CommitRun {
    type Output = (CommitOutcome, Option<u64>);

    async fn run(&self, tx: &mut SqliteConnection) -> Result<Self::Output> {
        let Self { lease, commit, now } = self;
        let mut record = record::existing(tx, lease.tenant(), lease.run()).await?;
        if record.is_repeated(lease, commit) {
            return Ok((CommitOutcome::Committed { lease: record.lease(), run: record.run }, None));
        }
        let status = record.run.status;
        let (lease, events) = record.commit(lease, commit, *now)?;
        // Nothing is written before the changes are, so that a conflict leaves nothing behind.
        if let Some(conflicted) = self.apply(tx, &record.run).await? {
            return Ok((conflicted, None));
        }
        journal::extend(tx, lease.tenant(), lease.run(), commit).await?;
        if !commit.approvals.is_empty() {
            let stored = approval::of_run(tx, lease.tenant(), lease.run()).await?;
            let approvals = record.approve(commit, &stored, *now);
            approval::save(tx, lease.tenant(), &approvals).await?;
        }
        if record.run.status == status {
            record::advance(tx, &record).await?;
        } else {
            record::save(tx, &record).await?;
        }
        outbox::tell(tx, &record.run, &events).await?;
        record::add_events(tx, lease.tenant(), &[events]).await?;
        let generation = match record.run.status {
            RunStatus::Queued | RunStatus::Waiting => Some(work::count(tx).await?),
            _ => None,
        };
        Ok((CommitOutcome::Committed { run: record.run, lease }, generation))
    }
}

impl CommitRun {
    async fn apply(&self, tx: &mut SqliteConnection, run: &Run) -> Result<Option<CommitOutcome>> {
        let changing: Vec<&CommitStep> = self.commit.steps.iter().filter(|step| !step.changes.is_empty()).collect();
        if changing.is_empty() {
            return Ok(None);
        }
        let provenance = |step: &CommitStep| Provenance::agent_run(&run.agent_blueprint, run.id, step.step.seq);
        let sets: Vec<(&Changes, Provenance)> = changing.iter().map(|step| (&step.changes, provenance(step))).collect();
        let Err(Refused { place, error }) = apply_each(tx, run.tenant_id, &sets, self.now).await? else {
            return Ok(None);
        };
        let seq = changing.get(place).map_or(0, |step| step.step.seq);
        match error.kind() {
            ErrorKind::VersionMismatch | ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::InvalidRequest => {
                Ok(Some(CommitOutcome::Conflicted { seq, error }))
            }
            _ => Err(error),
        }
    }
}
