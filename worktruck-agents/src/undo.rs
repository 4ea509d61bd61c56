//! What a run did can be seen, undone, checked, taken elsewhere and tried again.

use std::sync::Arc;

use worktruck_core::journal::{self, RunExport, Verification};
use worktruck_core::run::{Event, Run};
use worktruck_core::undo::Undo;
use worktruck_core::{Error, Page, PageRequest, Result, RunId, TenantId};

pub use worktruck_core::executor::{ReplayReport, replay_check};
pub use worktruck_core::undo::{Force, Obstacles, Reverted, RunChange};

use crate::Runtime;

/// How often a run is read again that went on while it was read.
const ATTEMPTS: usize = 8;

impl Runtime {
    /// A page of what the steps of a run wrote, in order; none if it wrote nothing.
    ///
    /// # Errors
    ///
    /// As for [`Undo::changes`].
    pub async fn changes(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<RunChange>> {
        self.undo().changes(tenant, run, page).await
    }

    /// Undoes what a run wrote, in one commit by `captured_by`.
    ///
    /// # Errors
    ///
    /// As for [`Undo::revert`]: above all `Conflict`, whose details are [`Obstacles`].
    pub async fn revert(&self, tenant: TenantId, run: RunId, force: &Force, captured_by: &str) -> Result<Reverted> {
        self.undo().revert(tenant, run, force, captured_by).await
    }

    /// Whether the journal of a run is what was once recorded.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such run, and those of the store.
    pub async fn verify(&self, tenant: TenantId, run: RunId) -> Result<Verification> {
        let found = self.recorded(tenant, run).await?;
        let journal = self.store().journal(tenant, run).await?.unwrap_or_default();
        journal::verify(tenant, run, &found.input, &journal)
    }

    /// A run as one document, which [`replay_check`] tries on other software.
    ///
    /// # Errors
    ///
    /// `NotFound` if the tenant has no such run, `Unavailable` if it went on all the while it was read, and those of the
    /// store.
    pub async fn export(&self, tenant: TenantId, run: RunId) -> Result<RunExport> {
        for _ in 0..ATTEMPTS {
            let before = self.recorded(tenant, run).await?;
            let journal = self.store().journal(tenant, run).await?.unwrap_or_default();
            let events = self.events_of(tenant, run).await?;
            if self.recorded(tenant, run).await? == before {
                return Ok(RunExport::new(before, journal, events));
            }
        }
        Err(Error::unavailable(format!("run {run} goes on too fast to be read as a whole; ask again")))
    }

    fn undo(&self) -> Undo {
        Undo::new(Arc::clone(self.store()), Arc::clone(&self.ports.clock))
    }

    async fn recorded(&self, tenant: TenantId, run: RunId) -> Result<Run> {
        let found = self.store().run(tenant, run).await?;
        found.ok_or_else(|| Error::not_found(format!("the run {run}")))
    }

    async fn events_of(&self, tenant: TenantId, run: RunId) -> Result<Vec<Event>> {
        let (mut events, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store().events(tenant, run, PageRequest::largest(cursor)).await?;
            events.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(events);
            }
        }
    }
}
