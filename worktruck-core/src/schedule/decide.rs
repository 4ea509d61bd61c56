use std::time::Duration;

use crate::{EntityId, Timestamp};

use super::{CatchUp, Overlap, Timetable, jitter};

/// How late a run may be enqueued before its due time counts as missed.
pub const GRACE: Duration = Duration::from_secs(60);

/// How many runs one decision enqueues at most; what is left is decided on next.
pub const MOST_AT_ONCE: usize = 100;

/// How a schedule treats its due times.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// What becomes of a due time while the run before it has not ended.
    pub overlap: Overlap,
    /// What becomes of due times that no scheduler was there for.
    pub catch_up: CatchUp,
    /// How long after its due time a run is enqueued at most.
    pub jitter_secs: u32,
}

/// How far the last run of a schedule is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Last {
    /// There is none.
    None,
    /// It has not ended.
    UnderWay,
    /// It ended at that moment.
    Ended(Timestamp),
}

/// What a scheduler has to do about a schedule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// The due times whose runs are to be enqueued, in order.
    pub enqueue: Vec<Timestamp>,
    /// The due time to look at next; none if there is none any more.
    pub next: Option<Timestamp>,
}

/// What to do at `now` about the schedule `id` whose next due time is `due`.
///
/// If the decision enqueues nothing and its next due time is `due`, there is nothing to do yet. Due times are gone
/// through in order. One is missed if nobody enqueued its run within [`GRACE`] of the moment at which that was first
/// possible.
///
/// # Examples
///
/// ```
/// use worktruck_core::schedule::{CatchUp, Last, Policy, Timetable, decide};
/// use worktruck_core::{EntityId, Timestamp};
///
/// let id: EntityId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
/// let hourly = Timetable::parse("0 * * * *", "UTC")?;
/// let [due, now]: [Timestamp; 2] = ["2026-04-14T12:00:00Z".parse()?, "2026-04-14T15:10:00Z".parse()?];
///
/// let policy = Policy { catch_up: CatchUp::Last, ..Policy::default() };
/// let decision = decide(id, &hourly, policy, due, Last::None, now);
/// assert_eq!(decision.enqueue, ["2026-04-14T15:00:00Z".parse::<Timestamp>()?]);
/// assert_eq!(decision.next, Some("2026-04-14T16:00:00Z".parse()?));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[must_use]
pub fn decide(
    id: EntityId,
    timetable: &Timetable,
    policy: Policy,
    due: Timestamp,
    last: Last,
    now: Timestamp,
) -> Decision {
    let longest = Duration::from_secs(policy.jitter_secs.into());
    let starts = |due: Timestamp| due.after(jitter(id, due, policy.jitter_secs));
    // What is not later has come, whatever its jitter.
    let surely_come = now.before(longest);
    let surely_missed = surely_come.before(GRACE).before(Duration::from_micros(1));
    let mut enqueue = Vec::new();
    let mut busy = last == Last::UnderWay;
    let held_until = match (policy.overlap, last) {
        (Overlap::Queue, Last::Ended(at)) => Some(at),
        _ => None,
    };
    // One that is not of the timetable, because that was another before, is passed over.
    let mut next = timetable.after(due.before(Duration::from_micros(1)));
    while let Some(due) = next {
        let start = starts(due);
        if now < start || enqueue.len() == MOST_AT_ONCE {
            break;
        }
        if busy && policy.overlap == Overlap::Queue {
            break;
        }
        let possible = held_until.map_or(start, |held| start.max(held));
        let is_missed = now.since(possible) > GRACE;
        let chosen = match policy.catch_up {
            CatchUp::None if is_missed => {
                next = timetable.after(due.max(surely_missed));
                continue;
            }
            CatchUp::Last if is_missed => latest(timetable, due, now, surely_come, starts),
            CatchUp::None | CatchUp::Last | CatchUp::All => due,
        };
        if busy && policy.overlap == Overlap::Skip {
            next = timetable.after(chosen.max(surely_come));
            continue;
        }
        enqueue.push(chosen);
        busy = true;
        next = timetable.after(chosen);
    }
    Decision { enqueue, next }
}

/// The latest due time from `due` on whose start has come.
fn latest(
    timetable: &Timetable,
    due: Timestamp,
    now: Timestamp,
    surely_come: Timestamp,
    starts: impl Fn(Timestamp) -> Timestamp,
) -> Timestamp {
    let mut latest = timetable.last_until(due, surely_come).unwrap_or(due);
    let mut at = latest;
    while let Some(later) = timetable.after(at).filter(|later| *later <= now) {
        at = later;
        if starts(later) <= now {
            latest = later;
        }
    }
    latest
}
