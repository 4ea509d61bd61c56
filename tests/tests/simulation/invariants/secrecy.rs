use serde_json::json;

use crate::part::SECRET;

use super::{Check, Ended, Invariant};

/// What the outside told in confidence is nowhere in what is kept of a run.
pub(super) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, run, journal, events } = ended;
    for (place, kept) in [("run", json!(run)), ("journal", json!(journal)), ("events", json!(events))] {
        Invariant::Secrecy.holds(!kept.to_string().contains(SECRET), || {
            format!("the secret is in the {place} of run {}", entry.run)
        })?;
    }
    Ok(())
}
