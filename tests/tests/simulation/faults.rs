//! What goes wrong, where it strikes, and how often each has struck each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use worktruck_core::run::{Commit, Transition};
use worktruck_core::tool::ToolEffect;

/// Something that goes wrong, or that somebody does at an inconvenient moment.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fault {
    /// The worker dies before it has sent what it was about to send.
    CrashBefore,
    /// The worker dies when it has sent it, and hears no answer.
    CrashAfter,
    /// The worker is stopped before it has sent it, and goes on later as if nothing had happened.
    PauseBefore,
    /// The worker is stopped when it has sent it, and hears the answer late.
    PauseAfter,
    /// The store cannot be reached.
    FailBefore,
    /// The store does what it is asked, and its answer is lost.
    FailAfter,
    /// Somebody sets the worker's wall clock.
    ClockSet,
    /// The worker is told to stop, and gives its runs back.
    Drain,
    /// Somebody wants the run to end.
    Cancel,
    /// The model is away, and bills nothing.
    ModelAway,
    /// The model's answer breaks off, and may be billed.
    ModelBreaksOff,
    /// The model refuses the key.
    ModelRefuses,
    /// A person lets a call be made.
    Approve,
    /// A person lets a call be made with another input.
    Edit,
    /// A person answers in the tool's place.
    Respond,
    /// A person refuses a call.
    Reject,
    /// A person refuses a call, and the run with it.
    RejectRun,
    /// Nobody answers in time.
    Expire,
}

/// Where a fault strikes: the call or effect that is under way, or where the run is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Position {
    Claim,
    Journal,
    Renew,
    /// The first commit, which pins the snapshot.
    Begin,
    /// A commit that sets money aside and records nothing.
    Reserve,
    /// The commit of an answer of the model.
    Turn,
    /// A commit that says which calls will be made, and records nothing else.
    Announce,
    /// A commit of results that cannot join the chain yet.
    Receipts,
    /// The commit of the results of calls.
    Results,
    Wait,
    Release,
    End,
    /// A turn of the model.
    Ask,
    Read,
    Write,
    Publish,
    Mail,
    /// The run is in the queue.
    Queued,
    /// The run waits for a person.
    Waiting,
    /// A worker has the run.
    Held,
}

use Fault::*;
use Position::*;

impl Fault {
    pub(crate) const ALL: [Self; 18] = [
        CrashBefore,
        CrashAfter,
        PauseBefore,
        PauseAfter,
        FailBefore,
        FailAfter,
        ClockSet,
        Drain,
        Cancel,
        ModelAway,
        ModelBreaksOff,
        ModelRefuses,
        Approve,
        Edit,
        Respond,
        Reject,
        RejectRun,
        Expire,
    ];

    /// Whether it can strike there.
    pub(crate) fn can_strike(self, at: Position) -> bool {
        let is_store = matches!(at, Claim | Journal | Renew | Read | Write) || at.is_commit();
        let has_run = at.is_commit() || matches!(at, Ask | Read | Write | Publish | Mail);
        let is_worker = has_run || matches!(at, Claim | Journal | Renew);
        match self {
            CrashBefore | CrashAfter | PauseBefore | PauseAfter | ClockSet => is_worker,
            FailBefore | FailAfter => is_store,
            Drain => has_run,
            Cancel => has_run || matches!(at, Queued | Waiting),
            ModelAway | ModelBreaksOff | ModelRefuses => at == Ask,
            Approve | Edit | Respond | Reject | RejectRun => matches!(at, Waiting | Held),
            Expire => at == Held,
        }
    }
}

impl Position {
    pub(crate) const ALL: [Self; 20] = [
        Claim, Journal, Renew, Begin, Reserve, Turn, Announce, Receipts, Results, Wait, Release, End, Ask, Read, Write,
        Publish, Mail, Queued, Waiting, Held,
    ];

    /// Where a commit is.
    pub(crate) fn of(commit: &Commit) -> Self {
        match commit.transition {
            Transition::Wait { .. } => return Wait,
            Transition::Release => return Release,
            Transition::Succeed { .. } | Transition::Fail { .. } | Transition::Cancel => return End,
            Transition::Continue => {}
        }
        let answers = commit.steps.iter().any(|step| step.step.usage.is_some());
        match (commit.snapshot.is_some(), answers, commit.steps.is_empty()) {
            (true, ..) => Begin,
            (_, true, _) => Turn,
            (.., false) => Results,
            _ if commit.calls.iter().any(|call| call.receipt.is_some()) => Receipts,
            _ if commit.calls.is_empty() => Reserve,
            _ => Announce,
        }
    }

    /// Where a call of a tool is.
    pub(crate) const fn of_call(effect: ToolEffect) -> Self {
        match effect {
            ToolEffect::Read => Read,
            ToolEffect::Write => Write,
            ToolEffect::OutsideIdempotent => Publish,
            ToolEffect::Outside => Mail,
        }
    }

    const fn is_commit(self) -> bool {
        matches!(self, Begin | Reserve | Turn | Announce | Receipts | Results | Wait | Release | End)
    }

    /// Whether runs are there so seldom that everything must strike.
    pub(crate) const fn is_rare(self) -> bool {
        matches!(self, Announce | Release | Reserve | Receipts | Wait)
    }

    /// One in how many times it is struck, where one in `rate` is usual: more often where runs are less often.
    pub(crate) const fn odds(self, rate: i64) -> i64 {
        match self {
            Announce | Release => 2,
            Reserve | Begin | Receipts | Wait => rate / 2,
            Claim => 6 * rate,
            Turn | Ask => 2 * rate,
            Mail => rate / 2,
            _ => rate,
        }
    }

    /// What can be struck there while a worker is at it.
    pub(crate) fn strikes(self) -> &'static [Fault] {
        static STRIKES: OnceLock<BTreeMap<Position, Vec<Fault>>> = OnceLock::new();
        let all = STRIKES.get_or_init(|| {
            let at = |at: Self| Fault::ALL.into_iter().filter(|fault| fault.can_strike(at)).collect();
            Self::ALL.into_iter().map(|position| (position, at(position))).collect()
        });
        all.get(&self).map_or(&[], Vec::as_slice)
    }
}

/// How often each fault has struck each position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(BTreeMap<(Position, Fault), u64>);

impl Table {
    pub(crate) fn count(&mut self, fault: Fault, at: Position) {
        debug_assert!(fault.can_strike(at), "{fault:?} at {at:?}");
        *self.0.entry((at, fault)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (pair, times) in &other.0 {
            *self.0.entry(*pair).or_default() += times;
        }
    }

    /// The pairs that can meet and have met less often than `least` times.
    pub(crate) fn below(&self, least: u64) -> Vec<String> {
        let pairs = Position::ALL.into_iter().flat_map(|at| Fault::ALL.map(|fault| (at, fault)));
        let rare = pairs.filter(|(at, fault)| fault.can_strike(*at) && self.times(*at, *fault) < least);
        rare.map(|(at, fault)| format!("{fault:?} at {at:?}: {}", self.times(at, fault))).collect()
    }

    fn times(&self, at: Position, fault: Fault) -> u64 {
        self.0.get(&(at, fault)).copied().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<15}", "")?;
        for at in Position::ALL {
            write!(f, "{:>9}", format!("{at:?}"))?;
        }
        for fault in Fault::ALL {
            write!(f, "\n{:<15}", format!("{fault:?}"))?;
            for at in Position::ALL {
                let times = if fault.can_strike(at) { self.times(at, fault).to_string() } else { "·".to_owned() };
                write!(f, "{times:>9}")?;
            }
        }
        Ok(())
    }
}
