//! Removes what tenants need not keep, in the background.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use worktruck_core::store::{Expired, Store, Tenant};
use worktruck_core::{Clock, PageRequest, Result, Timestamp};

use crate::runtime::Runtime;

/// How what is old is removed.
#[derive(Clone, Debug)]
pub struct RetentionOptions {
    /// How many runs or commits are gone through at once: how long others wait for the store.
    pub piece: usize,
    /// How long the store is left alone between two pieces.
    pub pause: Duration,
    /// How long to wait from the end of one round to the next.
    pub every: Duration,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self { piece: 100, pause: Duration::from_millis(50), every: Duration::from_hours(1) }
    }
}

/// What a round over all tenants removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// How many tenants do not keep everything.
    pub tenants: u64,
    /// Of how many the removal broke off with an error; the next round goes on with them.
    pub failed: u64,
    /// How many runs, each with all that belongs to it.
    pub runs: u64,
    /// How many slices of entities.
    pub slices: u64,
    /// How many commits of the feed.
    pub commits: u64,
}

/// Removes, again and again, what the tenants of a store need not keep.
///
/// Any number of processes may do so for one store.
#[derive(Debug)]
pub struct Retention {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    options: RetentionOptions,
}

impl Runtime {
    /// What removes the old history and the old runs of tenants that do not keep everything.
    #[must_use]
    pub fn retention(&self, options: RetentionOptions) -> Retention {
        Retention { store: Arc::clone(&self.ports.store), clock: Arc::clone(&self.ports.clock), options }
    }
}

/// Goes over all tenants once, and removes what they need not keep.
///
/// # Cancel safety
///
/// Dropping the future leaves what is not removed yet to the next round.
///
/// # Errors
///
/// `Unavailable` if the tenants cannot be listed. An error with one tenant stops no other: it is
/// logged and counted.
///
/// # Examples
///
/// ```
/// use worktruck_agents::clock::SystemClock;
/// use worktruck_agents::retention;
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore};
/// use worktruck_core::{Clock, TenantId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let (store, clock) = (MemoryStore::default(), SystemClock::new());
/// let id: TenantId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
/// let acme = NewTenant { retention_days: Some(90), ..NewTenant::new(id, "acme") };
/// store.create_tenant(acme, clock.now()).await?;
///
/// let totals = retention::run_once(&store, &clock).await?;
/// assert_eq!((totals.tenants, totals.failed, totals.runs), (1, 0, 0));
/// # Ok(())
/// # }
/// ```
pub async fn run_once(store: &dyn Store, clock: &dyn Clock) -> Result<Totals> {
    round(store, clock, &RetentionOptions::default()).await
}

impl Retention {
    /// Removes until `stop` completes, one round after the other.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves what is not removed yet to the next round.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.run() => {}
        }
    }

    async fn run(&self) {
        loop {
            match round(&*self.store, &*self.clock, &self.options).await {
                Ok(totals) => tracing::info!(?totals, "removed what need not be kept"),
                Err(error) => tracing::warn!(error = %error.chain(), "cannot list tenants"),
            }
            tokio::time::sleep(self.options.every).await;
        }
    }
}

async fn round(store: &dyn Store, clock: &dyn Clock, options: &RetentionOptions) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut cursor = None;
    loop {
        let page = store.tenants(PageRequest::largest(cursor)).await?;
        for tenant in &page.data {
            let Some(before) = kept_from(tenant, clock.now()) else { continue };
            totals.tenants += 1;
            if let Err(error) = expire(store, clock, tenant, before, options, &mut totals).await {
                totals.failed += 1;
                tracing::warn!(error = %error.chain(), tenant = %tenant.id, "cannot remove what need not be kept");
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(totals);
        }
    }
}

/// The moment before which a tenant keeps nothing.
fn kept_from(tenant: &Tenant, now: Timestamp) -> Option<Timestamp> {
    let days = u64::from(tenant.retention_days?);
    Some(now.before(Duration::from_hours(24 * days)))
}

/// Removes piece by piece what is older than `before`. That moment is the same for all pieces, so
/// that the removal comes to an end.
async fn expire(
    store: &dyn Store,
    clock: &dyn Clock,
    tenant: &Tenant,
    before: Timestamp,
    options: &RetentionOptions,
    totals: &mut Totals,
) -> Result<()> {
    loop {
        // A wall clock may be set back in between.
        let now = clock.now().max(before);
        let Expired { runs, slices, commits, has_more } =
            store.expire(tenant.id, before, options.piece.max(1), now).await?;
        totals.runs += runs;
        totals.slices += slices;
        totals.commits += commits;
        if !has_more {
            return Ok(());
        }
        tokio::time::sleep(options.pause).await;
    }
}
