//! What always holds, one file each: functions of what happened that answer with what is wrong.

pub(crate) mod budget;
pub(crate) mod chain;
pub(crate) mod effect_once;
pub(crate) mod ends;
pub(crate) mod lost_lease;
pub(crate) mod moves;
pub(crate) mod resumption;
pub(crate) mod rules;
pub(crate) mod secrecy;
pub(crate) mod turn_once;

use std::fmt;

use worktruck_core::journal::Journal;
use worktruck_core::run::{Event, Run};
use worktruck_core::store::Version;

use crate::book::Entry;

/// What was broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Invariant {
    /// An effect happens once, in the store and outside, whatever crashes when.
    EffectOnce,
    /// Whoever has lost a lease changes nothing.
    LostLease,
    /// From every journal on the way, a run is gone on with to the same end, and repeats nothing that is recorded.
    Resumption,
    /// A turn that is recorded is not bought again.
    TurnOnce,
    /// Rules in shadow change nothing, and without a rule nothing runs.
    Rules,
    /// A run costs what its steps cost, and is never billed more than its budget.
    Budget,
    /// No secret is kept.
    Secrecy,
    /// Runs and approvals make legal moves only.
    Moves,
    /// What was acknowledged is in the chain, the chain verifies, and a change of it shows.
    Chain,
    /// Every run ends, and nothing fails that nobody let fail.
    Ends,
}

/// What was broken, and how.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) detail: String,
}

pub(crate) type Check = Result<(), Violation>;

impl Invariant {
    /// Nothing if `holds`, and what is wrong otherwise.
    pub(crate) fn holds(self, holds: bool, detail: impl FnOnce() -> String) -> Check {
        if holds { Ok(()) } else { Err(self.broken(detail())) }
    }

    pub(crate) fn broken(self, detail: impl fmt::Display) -> Violation {
        Violation { invariant: self, detail: detail.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.detail)
    }
}

/// What there is of a run when all is over.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) run: Run,
    pub(crate) journal: Journal,
    pub(crate) events: Vec<Event>,
}

/// Checks what can be seen of the runs when all is over. What takes long is tried on one of them, which `pick` chooses.
pub(crate) fn at_the_end(ended: &[Ended<'_>], tally: &[Version], pick: usize) -> Check {
    effect_once::in_the_store(ended, tally)?;
    for one in ended {
        effect_once::outside(one)?;
        rules::at_the_end(one)?;
        budget::at_the_end(one)?;
        moves::at_the_end(one)?;
        chain::is_as_acknowledged(one)?;
    }
    let one = &ended[pick % ended.len()];
    secrecy::at_the_end(one)?;
    chain::at_the_end(one, pick)?;
    ended.iter().try_for_each(ends::at_the_end)?;
    resumption::at_the_end(one, pick)
}
