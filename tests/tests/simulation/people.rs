//! People: they answer what they are asked, or do not, and end runs at any moment.

use serde_json::json;
use worktruck_core::run::{Answer, Approval, Decision, RunStatus, Signal};
use worktruck_core::{ErrorKind, RunId};

use crate::faults::{Fault, Position};
use crate::invariants::Check;
use crate::invariants::ends::unasked;
use crate::world::{What, World};

impl World {
    /// Somebody looks at what there is to decide.
    pub(crate) fn people(&mut self) -> Check {
        let next = self.seconds(1, 8);
        self.at(next, What::People);
        for place in 0..self.desk.entries.len() {
            let (run, status) = (self.desk.entries[place].run, self.desk.entries[place].status);
            let at = match status {
                RunStatus::Queued => Position::Queued,
                RunStatus::Waiting => Position::Waiting,
                RunStatus::Running => Position::Held,
                RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled => continue,
            };
            let cancels = at != Position::Held && !self.is_calm() && self.dice.one_in(30);
            if cancels {
                self.cancel(run, at)?;
                continue;
            }
            for approval in self.desk.approvals(run)? {
                // Now and then somebody answers who has not seen that it is answered.
                let answers =
                    if approval.is_pending() { self.is_calm() || self.dice.one_in(3) } else { self.dice.one_in(30) };
                if answers {
                    self.decide(run, at, &approval)?;
                }
            }
        }
        Ok(())
    }

    fn cancel(&mut self, run: RunId, at: Position) -> Check {
        self.table.count(Fault::Cancel, at);
        self.note(|| format!("!! Cancel at {at:?}, run {run}"));
        let now = self.shows(self.people_skew);
        let cancelled = self.desk.signal(run, Signal::Cancel { actor: None }, now)?;
        cancelled.map(drop).map_err(|error| unasked("a cancellation", error))
    }

    fn decide(&mut self, run: RunId, at: Position, approval: &Approval) -> Check {
        let fault = self.dice.pick(&[Fault::Approve, Fault::Edit, Fault::Respond, Fault::Reject, Fault::RejectRun]);
        let decision = match fault {
            Fault::Approve => Decision::Approve { edited_input: None },
            Fault::Edit => Decision::Approve { edited_input: Some(json!({ "text": "edited" })) },
            Fault::Respond => Decision::Respond { output: json!({ "answered": "by hand" }) },
            Fault::Reject => Decision::Reject { fail_run: false },
            _ => Decision::Reject { fail_run: true },
        };
        let answer = Answer { approval: approval.id, decision, actor: None, note: Some("so be it".to_owned()) };
        let now = self.shows(self.people_skew);
        match self.desk.signal(run, Signal::Decide(answer), now)? {
            Ok(_) => {
                // A worker may have given the run back when somebody was asked.
                if at != Position::Queued {
                    self.table.count(fault, at);
                }
                self.note(|| format!("!! {fault:?} at {at:?}, call {} of run {run}", approval.step_seq));
                Ok(())
            }
            // It was answered before, or it is too late.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(unasked("an answer", error)),
        }
    }
}
