use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_core::run::RunStatus;
use worktruck_core::store::{NewTenant, RunQuery, RunStore as _, TenantStore as _};
use worktruck_core::{Clock as _, TenantId};
use worktruck_store_pg::{PgOptions, PgStore};

use crate::Result;

/// How many connections a store needs beside those that read: two that write journals, one that writes
/// entities, one that accepts runs, one that claims, one that listens.
const BESIDE: u32 = 6;

/// The store in the database at `url`, with so many connections in all.
pub(crate) async fn open(url: &str, pool: u32) -> Result<PgStore> {
    let options = PgOptions::parse(url)?.with_readers(pool.saturating_sub(BESIDE));
    Ok(PgStore::open_with(options).await?)
}

/// So many new tenants.
pub(crate) async fn tenants(store: &PgStore, count: usize) -> Result<Vec<TenantId>> {
    let (ids, now) = (RandomIds::new(), SystemClock::new().now());
    let mut tenants = Vec::with_capacity(count);
    for n in 0..count {
        let id = TenantId::new(&ids, now);
        store.create_tenant(NewTenant::new(id, format!("bench-{n}")), now).await?;
        tenants.push(id);
    }
    Ok(tenants)
}

/// Fails unless every run of the tenants has succeeded: what has not was not measured.
pub(crate) async fn check_all_ended(store: &PgStore, tenants: &[TenantId]) -> Result<()> {
    let not = [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting, RunStatus::Failed, RunStatus::Cancelled];
    for tenant in tenants {
        for status in not {
            let found = store.runs(*tenant, RunQuery { status: Some(status), ..RunQuery::default() }).await?;
            if let Some(run) = found.data.first() {
                return Err(format!("run {} is {status}: {:?}", run.id, run.failure_detail).into());
            }
        }
    }
    Ok(())
}
