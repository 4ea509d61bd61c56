use worktruck_core::ApprovalId;
use worktruck_core::run::{ApprovalStatus, RunStatus};

use crate::book::Entry;

use super::{Check, Ended, Invariant};

/// A run that was `from` may be `to` after one effect: the table of the specification, written down again.
pub(crate) fn at_effect(entry: &Entry, to: RunStatus) -> Check {
    use RunStatus::{Cancelled, Failed, Queued, Running, Succeeded, Waiting};
    let from = entry.status;
    let legal = match from {
        Queued => matches!(to, Queued | Running | Cancelled),
        Running => true,
        Waiting => matches!(to, Waiting | Running | Failed | Cancelled),
        Succeeded | Failed | Cancelled => to == from,
    };
    Invariant::Moves.holds(legal, || format!("run {} was {from} and is {to}", entry.run))
}

/// An approval is answered once.
pub(crate) fn at_answer(entry: &Entry, approval: ApprovalId) -> Check {
    let answers = entry.answers.get(&approval).copied().unwrap_or(0);
    Invariant::Moves.holds(answers <= 1, || format!("approval {approval} was answered {answers} times"))
}

/// A run that has ended waits for nobody.
pub(super) fn at_the_end(ended: &Ended<'_>) -> Check {
    let Ended { entry, run, journal, .. } = ended;
    Invariant::Moves.holds(run.status.is_terminal() && run.status == entry.status, || {
        format!("run {} is {}, and was {}", entry.run, run.status, entry.status)
    })?;
    let pending = journal.approvals.iter().find(|approval| approval.status == ApprovalStatus::Pending);
    Invariant::Moves.holds(pending.is_none(), || {
        format!("run {} has {}, and somebody is still asked: {pending:?}", entry.run, run.status)
    })
}
