use std::fmt;
use std::str::FromStr;

use crate::{Announcement, CommitSummary};

/// A place in the life of a run at which a worker process can be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// On which side of the call.
    pub moment: Moment,
    /// Which commit, or which call.
    pub commit: Which,
}

/// A side of a commit, or of another call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// It has not reached the store.
    Before,
    /// It has taken effect, and the worker does not know yet.
    After,
    /// It has arrived outside, and is not answered.
    During,
}

/// Names a commit, or another call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The one with this number.
    Number(u64),
    /// The one with which this step joins the chain.
    Step(u32),
    /// The one that says that this outside call is about to be made.
    Opens(u32),
    /// The one that stores what this outside call came back with, ahead of the chain.
    Receipt(u32),
    /// The call of the store with this number, of those that a run makes: the claim that takes it,
    /// reads and commits.
    Call(usize),
    /// The call outside with this number.
    Outside(usize),
}

impl Position {
    /// Right before the commit with which this step joins the chain.
    #[must_use]
    pub const fn before_step(seq: u32) -> Self {
        Self { moment: Moment::Before, commit: Which::Step(seq) }
    }

    /// Right after the commit that says that this outside call is about to be made.
    #[must_use]
    pub const fn after_opening(seq: u32) -> Self {
        Self { moment: Moment::After, commit: Which::Opens(seq) }
    }

    /// Whether it is on this side of this commit.
    #[must_use]
    pub fn is_at(self, moment: Moment, commit: &CommitSummary) -> bool {
        moment == self.moment
            && match self.commit {
                Which::Number(number) => number == commit.number,
                Which::Step(seq) => commit.steps.contains(&seq),
                Which::Opens(seq) => commit.opened.contains(&seq),
                Which::Receipt(seq) => commit.receipts.contains(&seq),
                Which::Call(_) | Which::Outside(_) => false,
            }
    }

    /// Whether it is on this side of the call with this number.
    #[must_use]
    pub fn is_at_call(self, moment: Moment, number: usize) -> bool {
        moment == self.moment && self.commit == Which::Call(number)
    }

    /// Whether it is in the call outside with this number.
    #[must_use]
    pub fn is_in_call(self, number: usize) -> bool {
        self.moment == Moment::During && self.commit == Which::Outside(number)
    }

    /// The commit, if the announcement is the one of this place.
    #[must_use]
    pub fn reached(self, announcement: &Announcement) -> Option<&CommitSummary> {
        let (moment, commit) = match announcement {
            Announcement::Before { commit } => (Moment::Before, commit),
            Announcement::After { commit, .. } => (Moment::After, commit),
            Announcement::Ready
            | Announcement::Claimed { .. }
            | Announcement::Calls
            | Announcement::Held { .. }
            | Announcement::GoesOn
            | Announcement::Stopping => return None,
        };
        self.is_at(moment, commit).then_some(commit)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
            Moment::During => "during",
        };
        match self.commit {
            Which::Number(number) => write!(f, "{moment}:number:{number}"),
            Which::Step(seq) => write!(f, "{moment}:step:{seq}"),
            Which::Opens(seq) => write!(f, "{moment}:opens:{seq}"),
            Which::Receipt(seq) => write!(f, "{moment}:receipt:{seq}"),
            Which::Call(number) => write!(f, "{moment}:call:{number}"),
            Which::Outside(number) => write!(f, "{moment}:outside:{number}"),
        }
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not such as before:number:7, after:step:3 or after:opens:9");
        let parts: Vec<&str> = text.split(':').collect();
        let &[moment, what, number] = parts.as_slice() else { return Err(wrong()) };
        let moment = match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            "during" => Moment::During,
            _ => return Err(wrong()),
        };
        let commit = match what {
            "number" => Which::Number(number.parse().map_err(|_| wrong())?),
            "step" => Which::Step(number.parse().map_err(|_| wrong())?),
            "opens" => Which::Opens(number.parse().map_err(|_| wrong())?),
            "receipt" => Which::Receipt(number.parse().map_err(|_| wrong())?),
            "call" => Which::Call(number.parse().map_err(|_| wrong())?),
            "outside" => Which::Outside(number.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        Ok(Self { moment, commit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let commits = [Which::Number(7), Which::Step(1), Which::Opens(9), Which::Receipt(12)];
        let places = commits.into_iter().chain([Which::Call(3), Which::Outside(2)]);
        let moments = [Moment::Before, Moment::After, Moment::During];
        for (commit, moment) in places.flat_map(|commit| moments.map(|moment| (commit, moment))) {
            let position = Position { moment, commit };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for wrong in ["", "before", "before:7", "beside:number:7", "after:steps:7", "after:step:x", "a:b:c:d"] {
            assert!(wrong.parse::<Position>().is_err(), "{wrong:?}");
        }
    }
}
