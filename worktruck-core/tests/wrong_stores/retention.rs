use std::time::Duration;

use async_trait::async_trait;
use worktruck_core::run::{RunStatus, Signal};
use worktruck_core::store::{EntityStore as _, Expired, ListQuery, RetentionStore, RunQuery, RunStore as _};
use worktruck_core::temporal::At;
use worktruck_core::{ErrorKind, Result, TenantId, Timestamp};

use super::broken::Broken;
use super::defects::Defect::*;

#[async_trait]
impl RetentionStore for Broken {
    async fn expire(&self, tenant: TenantId, mut before: Timestamp, limit: usize, now: Timestamp) -> Result<Expired> {
        let calls = {
            let mut notes = self.notes();
            notes.expired.push((tenant, before));
            notes.expired.iter().filter(|(of, _)| *of == tenant).count()
        };
        match self.defect {
            NothingExpires => return Ok(Expired::default()),
            ExpiryBeginsLate if calls == 1 => return Ok(Expired { has_more: true, ..Expired::default() }),
            LaterRunsExpire if before < now => before = before.next(),
            LiveRunsExpire => self.end_old_runs(tenant, before, now).await?,
            BeliefsExpire => self.erase_old_beliefs(tenant, before, now).await?,
            ExpiryOfAllTenants => {
                for other in self.others(tenant) {
                    self.inner.expire(other, before, 1_000, now).await?;
                }
            }
            FutureExpires => return self.inner.expire(tenant, before.min(now), limit.max(1), now).await,
            _ => {}
        }
        let expired = self.inner.expire(tenant, before, limit, now).await?;
        Ok(match self.defect {
            RestNotTold => Expired { has_more: false, ..expired },
            RemovedTwice => Expired { runs: expired.runs * 2, ..expired },
            _ => expired,
        })
    }
}

impl Broken {
    /// The moment that was last asked to be the horizon of a tenant.
    pub(crate) fn last_expiry(&self, tenant: TenantId) -> Option<Timestamp> {
        self.notes().expired.iter().rev().find(|(of, _)| *of == tenant).map(|(_, before)| *before)
    }

    /// Whether an error says that history is gone where the defect says that it is not.
    pub(crate) fn forgives<T>(&self, tenant: TenantId, at: At, answer: &Result<T>) -> bool {
        let is_expired = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::HistoryExpired);
        let is_after_the_last = || self.last_expiry(tenant).is_some_and(|last| at.as_of.is_some_and(|at| at >= last));
        is_expired && (self.defect == HorizonUnchecked || (self.defect == HorizonGoesBack && is_after_the_last()))
    }

    async fn end_old_runs(&self, tenant: TenantId, before: Timestamp, now: Timestamp) -> Result<()> {
        let late = now.before(Duration::from_secs(1));
        for run in self.inner.runs(tenant, RunQuery::default()).await?.data {
            if run.created_at < before && before < late && run.status != RunStatus::Succeeded {
                // It may have ended by then.
                drop(self.inner.signal(tenant, run.id, Signal::Cancel { actor: None }, now).await);
            }
        }
        Ok(())
    }

    async fn erase_old_beliefs(&self, tenant: TenantId, before: Timestamp, now: Timestamp) -> Result<()> {
        for kind in worktruck_core::entity::Kind::ALL.iter().copied() {
            for old in self.inner.list(tenant, ListQuery::new(kind), now).await?.data {
                if old.sys().from() < before {
                    self.inner.purge(tenant, old.key, old.provenance.clone(), now).await?;
                }
            }
        }
        Ok(())
    }
}
