use worktruck_core::journal::{StepKind, StepOutcome};
use worktruck_core::store::Version;

use crate::book::Entry;
use crate::part::{ADD, MAIL, PUBLISH};
use crate::tally;

use super::{Check, Ended, Invariant};

/// Every step that counts has counted once, and nothing else has.
pub(super) fn in_the_store(ended: &[Ended<'_>], tally: &[Version]) -> Check {
    let mut made = 0;
    for Ended { entry, journal, .. } in ended {
        for step in &journal.steps {
            let writes = step.kind == StepKind::Tool && step.name == ADD && step.outcome == StepOutcome::Ok;
            let counted = writes && step.output.as_ref().is_some_and(|output| output["counted"].is_u64());
            let by = (Some(entry.run), Some(step.seq));
            let versions =
                tally.iter().filter(|version| (version.provenance.run_id, version.provenance.step_seq) == by);
            let versions = versions.count();
            made += versions;
            Invariant::EffectOnce.holds(versions == usize::from(counted), || {
                format!("step {} of run {} has changed the store {versions} times", step.seq, entry.run)
            })?;
        }
    }
    // The newest is first, and the first write of all was made by nobody's step.
    let count = tally.first().map_or(0, |newest| tally::count(newest.slice.body.as_ref()));
    Invariant::EffectOnce.holds(count == made as u64 && tally.len() == made + 1, || {
        format!("{made} steps have counted to {count} in {} versions", tally.len())
    })
}

/// A call that is recorded as made was made, and no call more than once, but for those that a person had made again.
pub(super) fn outside(ended: &Ended<'_>) -> Check {
    let Ended { entry, journal, .. } = ended;
    for step in &journal.steps {
        let delivered = step.output.as_ref().is_some_and(|output| output.get("delivered").is_some());
        let times = match &*step.name {
            PUBLISH => entry.pages_at(step.seq),
            MAIL => entry.mails.get(&step.seq).map_or(0, |times| *times as usize),
            _ => continue,
        };
        Invariant::EffectOnce.holds(!delivered || times > 0, || {
            format!("{} at {} of run {} is recorded and never happened", step.name, step.seq, entry.run)
        })?;
    }
    Ok(())
}

/// A page is made once for each call.
pub(crate) fn at_page(entry: &Entry, seq: u32) -> Check {
    let pages = entry.pages_at(seq);
    Invariant::EffectOnce.holds(pages <= 1, || format!("call {seq} of run {} has made {pages} pages", entry.run))
}

/// A mail goes out once, and once more each time a person wants it who cannot know either.
pub(crate) fn at_mail(entry: &Entry, seq: u32) -> Check {
    let times = |of: &std::collections::BTreeMap<u32, u32>| of.get(&seq).copied().unwrap_or(0);
    let (sent, again) = (times(&entry.mails), times(&entry.again));
    Invariant::EffectOnce.holds(sent <= 1 + again, || {
        format!("call {seq} of run {} has sent {sent} mails, where a person wanted {again} more", entry.run)
    })
}
