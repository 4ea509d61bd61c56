use std::time::Duration;

use crate::{RunId, TenantId, Timestamp};

use super::Run;

/// The right to go on with a run, until it expires or somebody else takes the run.
///
/// A lease comes from a claim. The constructor is for backends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    tenant: TenantId,
    run: RunId,
    fence: u64,
    expires_at: Timestamp,
}

impl Lease {
    /// The lease of `run` under fencing number `fence` until `expires_at`.
    #[must_use]
    pub const fn new(tenant: TenantId, run: RunId, fence: u64, expires_at: Timestamp) -> Self {
        Self { tenant, run, fence, expires_at }
    }

    /// Whose run it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Which run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The fencing number: every claim of the run gets a higher one.
    #[must_use]
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// The first moment at which somebody else may take the run.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// A blueprint at one version, as a worker has it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlueprintVersion {
    /// The name of the blueprint.
    pub blueprint: String,
    /// Its version. A run that has started goes on only where its own version is.
    pub version: u32,
}

/// What a worker can take.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// What it has.
    pub blueprints: Vec<BlueprintVersion>,
    /// How many runs at most.
    pub limit: usize,
    /// How long the leases last.
    pub lease_for: Duration,
}

/// A run that a worker has taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The run.
    pub run: Run,
    /// The right to go on with it.
    pub lease: Lease,
    /// The number of its last commit.
    pub commits: u64,
    /// Whether it has a journal already, so that it is gone on with and not begun.
    pub has_journal: bool,
}

/// What became of one lease in a renewal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Renewal {
    /// It lasts on.
    Renewed {
        /// The lease as it is now.
        lease: Lease,
        /// When somebody asked for the end of the run.
        cancel_requested_at: Option<Timestamp>,
    },
    /// The run was taken by somebody else, has ended, or does not exist.
    Lost(RunId),
}
