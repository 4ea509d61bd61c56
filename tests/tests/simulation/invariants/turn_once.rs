use crate::book::{Caller, Entry};

use super::{Check, Invariant};

/// Who holds a run does not ask for a turn that is in its chain.
pub(crate) fn at_ask(entry: &Entry, caller: Caller, turn: usize) -> Check {
    let is_new = turn > entry.turns || caller.fence != entry.fence;
    Invariant::TurnOnce
        .holds(is_new, || format!("turn {turn} of run {} is asked for, and {} are recorded", entry.run, entry.turns))
}
