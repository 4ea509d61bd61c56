use worktruck_core::run::Lease;

use crate::book::{Caller, Entry};

use super::{Check, Invariant};

/// A commit takes effect under the newest fencing number only.
pub(crate) fn at_commit(entry: &Entry, lease: &Lease) -> Check {
    Invariant::LostLease.holds(lease.fence() == entry.fence, || {
        format!("run {} took a commit under {}, and its fence is {}", entry.run, lease.fence(), entry.fence)
    })
}

/// A call outside is handed over by who holds the run. Where clocks differ somebody else may have taken the run
/// early; then it is handed over while the lease lasts as it was given.
pub(crate) fn at_call(entry: &Entry, caller: Caller, what: &str) -> Check {
    Invariant::LostLease.holds(caller.lasts, || {
        format!("{what} of run {} was handed over when the lease of {} was over", entry.run, caller.fence)
    })?;
    let holds = caller.fence == entry.fence && !entry.status.is_terminal();
    Invariant::LostLease.holds(holds || !caller.clocks_agree, || {
        format!(
            "{what} was handed over under {}; run {} is {} under {}",
            caller.fence, entry.run, entry.status, entry.fence
        )
    })
}
