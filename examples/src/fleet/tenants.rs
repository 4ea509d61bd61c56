//! Whose runs they are.

use worktruck_agents::Runtime;
use worktruck_core::run::NewRun;
use worktruck_core::store::NewTenant;
use worktruck_core::{Result, RunId, TenantId};

use super::desk::{FRONT_DESK, input};

/// The tenants, and how large a part of the runs each has, in tenths.
const SHARES: [(&str, usize); 4] = [("acme", 4), ("birch", 3), ("cedar", 2), ("dune", 1)];

/// A tenant whose runs were accepted.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Names it.
    pub id: TenantId,
    /// Its short name.
    pub slug: &'static str,
    /// Its runs.
    pub runs: Vec<RunId>,
}

/// Makes the tenants and accepts `count` runs of theirs. Nobody executes them yet.
///
/// # Errors
///
/// Those of the store.
pub async fn accept(runtime: &Runtime, count: usize) -> Result<Vec<Tenant>> {
    let mut accepted = Vec::with_capacity(SHARES.len());
    let mut left = count;
    for (n, (slug, tenths)) in SHARES.into_iter().enumerate() {
        let is_last = n + 1 == SHARES.len();
        let runs = if is_last { left } else { count * tenths / 10 };
        let new: Vec<NewRun> =
            (count - left..count - left + runs).map(|visitor| runtime.new_run(FRONT_DESK, input(visitor))).collect();
        left -= runs;
        let id = TenantId::new(runtime.ids(), runtime.now());
        let tenant = NewTenant::new(id, slug);
        runtime.store().create_tenant(tenant, runtime.now()).await?;
        let runs = runtime.store().enqueue(id, new, runtime.now()).await?;
        accepted.push(Tenant { id, slug, runs: runs.into_iter().map(|run| run.id).collect() });
    }
    Ok(accepted)
}
