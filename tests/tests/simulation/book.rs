//! What really happened, as an observer knows who sees every effect: what invariants are about.

use std::collections::{BTreeMap, BTreeSet};

use worktruck_core::journal::Journal;
use worktruck_core::run::RunStatus;
use worktruck_core::{ApprovalId, Digest, NanoUsd, RunId, TenantId};

use crate::part::Part;

/// A run, and all that was done for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) tenant: TenantId,
    pub(crate) run: RunId,
    pub(crate) part: Part,
    pub(crate) status: RunStatus,
    /// The fencing number of the newest claim.
    pub(crate) fence: u64,
    /// The number of the last commit that took effect.
    pub(crate) commits: u64,
    /// The hashes of the steps in the chain, as they were acknowledged.
    pub(crate) steps: Vec<Digest>,
    /// How many turns of the model are in the chain.
    pub(crate) turns: usize,
    /// What the provider of the model has billed.
    pub(crate) bill: NanoUsd,
    /// The keys of all calls that reached a page, by place in the journal.
    pub(crate) pages: BTreeMap<u32, Vec<Digest>>,
    /// How many mails went out, by place in the journal.
    pub(crate) mails: BTreeMap<u32, u32>,
    /// How often a person had a call made of which nobody knew whether it had been.
    pub(crate) again: BTreeMap<u32, u32>,
    /// How many answers were accepted.
    pub(crate) answers: BTreeMap<ApprovalId, u32>,
    /// Some of the journals that there were on the way.
    pub(crate) prefixes: Vec<Journal>,
}

impl Entry {
    pub(crate) fn new(tenant: TenantId, run: RunId, part: Part) -> Self {
        Self {
            tenant,
            run,
            part,
            status: RunStatus::Queued,
            fence: 0,
            commits: 0,
            steps: Vec::new(),
            turns: 0,
            bill: NanoUsd::ZERO,
            pages: BTreeMap::new(),
            mails: BTreeMap::new(),
            again: BTreeMap::new(),
            answers: BTreeMap::new(),
            prefixes: Vec::new(),
        }
    }

    /// How many different pages a call has made.
    pub(crate) fn pages_at(&self, seq: u32) -> usize {
        self.pages.get(&seq).map_or(0, |keys| keys.iter().collect::<BTreeSet<_>>().len())
    }
}

/// Whoever makes a call outside, at the moment of handing it over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) fence: u64,
    /// Whether its lease lasts, by the time that passes for everybody.
    pub(crate) lasts: bool,
    /// Whether all clocks have always shown the same.
    pub(crate) clocks_agree: bool,
}
