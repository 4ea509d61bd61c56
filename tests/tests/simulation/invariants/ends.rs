use worktruck_core::run::{EventType, Run, RunStatus};

use crate::book::Entry;

use super::{Check, Ended, Invariant, Violation};

/// Nothing fails that nobody let fail.
pub(crate) fn unasked(what: &str, error: impl std::fmt::Display) -> Violation {
    Invariant::Ends.broken(format!("{what}: {error}"))
}

/// A run that goes on for ever.
pub(crate) fn never(entries: &[Entry]) -> Violation {
    let open = entries.iter().filter(|entry| !entry.status.is_terminal());
    let open: Vec<String> = open.map(|entry| format!("run {} is {}", entry.run, entry.status)).collect();
    Invariant::Ends.broken(open.join(", "))
}

/// No replay found another history, and a run that succeeded has played its part to the end.
pub(crate) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, run, events, .. } = ended;
    let diverged = events.iter().find(|event| event.event_type == EventType::ReplayDiverged);
    Invariant::Ends.holds(diverged.is_none(), || format!("run {} diverges: {diverged:?}", entry.run))?;
    let Run { status, .. } = run;
    let whole = entry.turns == entry.part.turns.len() + 1;
    Invariant::Ends.holds(*status != RunStatus::Succeeded || whole, || {
        format!("run {} succeeded after {} of {} turns", entry.run, entry.turns, entry.part.turns.len() + 1)
    })
}
