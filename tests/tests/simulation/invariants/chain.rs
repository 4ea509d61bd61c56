use serde_json::json;
use worktruck_core::Digest;
use worktruck_core::journal::{Journal, verify};

use super::{Check, Ended, Invariant};

/// The chain is what was acknowledged.
pub(super) fn is_as_acknowledged(ended: &Ended<'_>) -> Check {
    let Ended { entry, journal, .. } = ended;
    let hashes: Vec<Digest> = journal.steps.iter().map(|step| step.hash).collect();
    Invariant::Chain.holds(hashes == entry.steps, || {
        format!("run {} has {} steps, and {} were acknowledged", entry.run, hashes.len(), entry.steps.len())
    })
}

/// The chain verifies, and a change of a recorded step shows at that step.
pub(super) fn at_the_end(ended: &Ended<'_>, pick: usize) -> Check {
    let Ended { entry, run, journal, .. } = ended;
    let first_bad = |journal: &Journal| {
        let verified = verify(entry.tenant, entry.run, &run.input, journal);
        verified.map(|verified| verified.first_bad_seq).map_err(|error| Invariant::Chain.broken(error))
    };
    let bad = first_bad(journal)?;
    Invariant::Chain.holds(bad.is_none(), || format!("run {} does not verify at step {bad:?}", entry.run))?;
    if journal.steps.is_empty() {
        return Ok(());
    }
    let (mut changed, at) = (journal.clone(), pick % journal.steps.len());
    let step = &mut changed.steps[at];
    match pick / journal.steps.len() % 5 {
        0 => step.output = Some(json!("something else")),
        1 => step.cost.0 += worktruck_core::NanoUsd::new(1),
        2 => step.started_at = step.started_at.next(),
        3 => step.input = json!({ "text": "something else" }),
        _ => step.name.push('x'),
    }
    let (seq, bad) = (step.seq, first_bad(&changed)?);
    Invariant::Chain
        .holds(bad == Some(seq), || format!("step {seq} of run {} was changed, and it shows at {bad:?}", entry.run))
}
