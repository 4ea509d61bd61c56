use serde_json::Value;
use worktruck_core::journal::{StepKind, StepOutcome};

use crate::book::Entry;
use crate::part::REFUSED;

use super::{Check, Ended, Invariant};

/// A call is made only if a rule that takes effect allows it and none denies it.
pub(crate) fn at_call(entry: &Entry, tool: &str) -> Check {
    let may_run = !entry.part.is_denied && entry.part.denied != Some(tool);
    Invariant::Rules.holds(may_run, || format!("run {} calls {tool}, which no rule allows", entry.run))
}

/// A call is refused only if a rule that takes effect refuses it.
pub(super) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, journal, .. } = ended;
    for step in journal.steps.iter().filter(|step| step.kind == StepKind::Tool) {
        let may_run = !entry.part.is_denied && entry.part.denied != Some(&*step.name);
        let reason = step.output.as_ref().and_then(|output| output["error"].as_str()).unwrap_or_default();
        let refused = step.outcome == StepOutcome::Blocked && reason.starts_with(REFUSED);
        Invariant::Rules.holds(!(may_run && refused), || {
            format!("call {} of {} by run {} is refused: {reason}", step.seq, step.name, entry.run)
        })?;
    }
    // A rule in shadow never has a person asked.
    let shadows = |rule: &Value| rule["mode"] == "shadow";
    for approval in &journal.approvals {
        let Ok(index) = approval.rule_id.parse::<usize>() else { continue };
        let rule = serde_json::to_value(entry.part.rules.get(index)).unwrap_or_default();
        Invariant::Rules.holds(!shadows(&rule), || {
            format!("a person is asked about call {} of run {} for a rule in shadow", approval.step_seq, entry.run)
        })?;
    }
    Ok(())
}
