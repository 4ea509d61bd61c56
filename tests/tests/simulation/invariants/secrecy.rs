use serde_json::to_string;

use crate::part::SECRET;

use super::{Check, Ended, Invariant};

/// What the outside told in confidence is nowhere in what is kept of a run.
pub(super) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, run, journal, events } = ended;
    let written = [to_string(run), to_string(journal), to_string(events)];
    for (place, kept) in ["run", "journal", "events"].into_iter().zip(written) {
        let kept = kept.map_err(|error| Invariant::Secrecy.broken(error))?;
        Invariant::Secrecy
            .holds(!kept.contains(SECRET), || format!("the secret is in the {place} of run {}", entry.run))?;
    }
    Ok(())
}
