//! Time and chance: what happens when, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use worktruck_core::executor::Event;
use worktruck_core::journal::Journal;
use worktruck_core::run::{Claimed, Commit, Lease, Renewal, Signal};
use worktruck_core::store::CommitOutcome;
use worktruck_core::testing::Dice;
use worktruck_core::{Result, RunId, Timestamp};

use crate::breach::Breach;
use crate::calls::Errand;
use crate::desk::Desk;
use crate::faults::{Fault, Position, Table};
use crate::invariants::{self, Check, Ended, Violation, ends};
use crate::part::Part;
use crate::worker::Worker;

/// The workers, the people and the outside of one seed, over one store.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) dice: Dice,
    /// The time that passes for everybody, and that monotonic clocks show.
    pub(crate) time: Duration,
    queue: BTreeMap<(Duration, u64), What>,
    queued: u64,
    pub(crate) desk: Desk,
    pub(crate) workers: Vec<Worker>,
    pub(crate) table: Table,
    /// What happened, a line each, where somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
    /// One in so many moments something goes wrong, until [`CALM`].
    rate: i64,
    pub(crate) clocks_agree: bool,
    /// How far the clock of people is off.
    pub(crate) people_skew: i64,
    pub(crate) jobs: u64,
}

/// A worker in one of its lives: what belongs to an earlier one goes nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Who {
    pub(crate) worker: usize,
    pub(crate) life: u32,
}

/// A run in the hands of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) who: Who,
    pub(crate) job: u64,
    pub(crate) run: RunId,
    /// Counts how often what was under way has been dropped.
    pub(crate) epoch: u32,
}

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum What {
    /// The worker looks for work.
    Look(Who),
    /// The worker renews its leases.
    Renew(Who),
    /// A worker that died is back.
    Rise(usize),
    /// The worker stops after what is under way.
    Drain(Who),
    /// The worker stops at once.
    Abort(Who),
    /// The executor wants to be asked.
    Wake(Who, u64),
    /// A worker sends a request that it was about to send when it was stopped.
    Send(Who, Box<Request>),
    /// A request reaches the store.
    Arrive(Who, Box<Request>),
    /// The answer of the store reaches the worker.
    Hear(Who, Box<Answer>),
    /// A worker makes a call, or asks the model; the second time if it was stopped at that moment.
    Hand(Hold, Box<Errand>),
    /// The call, or the turn, is made.
    Happen(Hold, Box<Errand>),
    /// What came of it reaches the worker.
    Return(Hold, Box<Event>, bool),
    /// Somebody looks what is to be decided.
    People,
}

/// What is asked of the store.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) asks: Asks,
    /// When, on the clock of who asks.
    pub(crate) now: Timestamp,
    /// When, on its monotonic clock.
    pub(crate) asked_at: Duration,
    pub(crate) fault: Option<Fault>,
}

#[derive(Debug)]
pub(crate) enum Asks {
    Claim { limit: usize },
    Journal { job: u64, run: RunId },
    Renew { leases: Vec<(u64, Lease)> },
    Commit { job: u64, lease: Lease, commit: Box<Commit> },
}

/// What the store answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Claimed { asked_at: Duration, claimed: Result<Vec<Claimed>> },
    Journal { job: u64, journal: Result<Box<Journal>> },
    Renewed { asked_at: Duration, now: Timestamp, jobs: Vec<u64>, renewals: Result<Vec<Renewal>> },
    Committed { job: u64, commit: Box<Commit>, outcome: Result<Box<CommitOutcome>> },
}

/// What came of a seed.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) table: Table,
    pub(crate) trace: Vec<String>,
    pub(crate) outcome: Check,
}

/// From here on nothing goes wrong any more, so that every run can end.
const CALM: Duration = Duration::from_secs(150);
/// More than any seed needs.
const MOST: u64 = 60_000;
/// 2026-04-14T12:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_776_168_000_000_000);
/// How far a clock may be off, in microseconds; two of them differ by twice as much at most.
const SKEW: i64 = 10_000_000;

impl World {
    pub(crate) fn new(seed: u64, breach: Option<Breach>, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let runs = dice.pick(&[1, 1, 2, 3]);
        let parts: Vec<Part> = (0..runs).map(|number| Part::draw(&mut dice, number)).collect();
        let clocks_agree = dice.one_in(2);
        let rate = dice.pick(&[6, 8, 12, 40]);
        let mut world = Self {
            time: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            desk: Desk::open(parts, breach, START),
            workers: Vec::new(),
            table: Table::default(),
            trace: traced.then(Vec::new),
            rate,
            clocks_agree,
            people_skew: 0,
            jobs: 0,
            dice,
        };
        world.people_skew = world.skew();
        for worker in 0..2 + world.dice.place(2) {
            world.workers.push(Worker::default());
            world.at(Duration::ZERO, What::Rise(worker));
        }
        world.at(Duration::from_secs(1), What::People);
        world
    }

    /// Plays until all runs have ended and nothing is under way, and checks what there is then.
    pub(crate) fn play(mut self) -> Played {
        let outcome = self.play_on().and_then(|()| self.look_back());
        if let Err(violation) = &outcome {
            self.note(|| violation.to_string());
        }
        Played { table: self.table, trace: self.trace.unwrap_or_default(), outcome }
    }

    fn play_on(&mut self) -> Check {
        while let Some(((at, _), what)) = self.queue.pop_first() {
            self.time = at;
            let over = self.desk.are_over();
            if over && matches!(what, What::Look(_) | What::Renew(_) | What::Rise(_) | What::People) {
                continue;
            }
            if self.queued > MOST {
                break;
            }
            self.happen(what)?;
        }
        if self.desk.are_over() { Ok(()) } else { Err(ends::never(&self.desk.entries)) }
    }

    fn look_back(&mut self) -> Check {
        let unasked = |error| ends::unasked("looking back", error);
        let pick = self.dice.place(1_000);
        let tally = self.desk.tally().map_err(unasked)?;
        let mut ended = Vec::new();
        for entry in &self.desk.entries {
            let run = self.desk.run(entry.run).map_err(unasked)?;
            let journal = self.desk.journal(entry.run).map_err(unasked)?;
            let events = self.desk.events(entry.run).map_err(unasked)?;
            ended.push(Ended { entry, run, journal, events });
        }
        invariants::at_the_end(&ended, &tally, pick)
    }

    fn happen(&mut self, what: What) -> Check {
        let who = match &what {
            What::Rise(_) | What::People | What::Arrive(..) | What::Happen(..) => None,
            What::Look(who) | What::Renew(who) | What::Drain(who) | What::Abort(who) => Some(*who),
            What::Wake(who, _) | What::Send(who, _) | What::Hear(who, _) => Some(*who),
            What::Hand(hold, _) | What::Return(hold, ..) => Some(hold.who),
        };
        if let Some(who) = who {
            let worker = &self.workers[who.worker];
            if worker.life != who.life {
                return Ok(());
            }
            if self.time < worker.awake_at {
                let at = worker.awake_at;
                self.queue_at(at, what);
                return Ok(());
            }
        }
        match what {
            What::Look(who) => self.look(who),
            What::Renew(who) => self.renew(who),
            What::Rise(worker) => self.rise(worker),
            What::Drain(who) => self.order(who, || Event::Drain),
            What::Abort(who) => self.order(who, || Event::Abort),
            What::Wake(who, job) => self.wake(who, job),
            What::Send(who, request) => self.sent(who, request),
            What::Arrive(who, request) => self.arrive(who, *request),
            What::Hear(who, answer) => self.hear(who, *answer),
            What::Hand(hold, errand) => self.hand(hold, errand),
            What::Happen(hold, errand) => self.carry_out(hold, *errand),
            What::Return(hold, event, outside) => self.returned(hold, *event, outside),
            What::People => self.people(),
        }
    }

    /// Something happens after a while.
    pub(crate) fn at(&mut self, after: Duration, what: What) {
        self.queue_at(self.time + after, what);
    }

    pub(crate) fn queue_at(&mut self, at: Duration, what: What) {
        self.queued += 1;
        self.queue.insert((at, self.queued), what);
    }

    /// How long something is on its way: nearly always next to nothing, and now and then longer than a lease.
    pub(crate) fn delay(&mut self) -> Duration {
        match self.dice.roll(60) {
            _ if self.is_calm() => self.dice.micros(60_000),
            0 => self.dice.micros(45_000_000),
            1..=6 => self.dice.micros(4_000_000),
            _ => self.dice.micros(60_000),
        }
    }

    pub(crate) fn seconds(&mut self, from: i64, to: i64) -> Duration {
        Duration::from_micros((from * 1_000_000).unsigned_abs()) + self.dice.micros((to - from) * 1_000_000)
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.time >= CALM
    }

    /// How far the next clock that is looked at is off.
    pub(crate) fn skew(&mut self) -> i64 {
        if self.clocks_agree { 0 } else { self.dice.roll(2 * SKEW + 1) - SKEW }
    }

    /// What a clock shows that is so far off.
    pub(crate) fn shows(&self, skew: i64) -> Timestamp {
        Timestamp::from_micros(START.after(self.time).as_micros() + skew)
    }

    /// What goes wrong at this moment with what a worker does. It goes wrong at once, but for what the caller must do
    /// or leave.
    pub(crate) fn strike(&mut self, who: Who, at: Position, run: Option<RunId>) -> Result<Option<Fault>, Violation> {
        let (odds, strikes) = (at.odds(self.rate).max(2), at.strikes());
        if self.is_calm() || strikes.is_empty() || !self.dice.one_in(odds) {
            return Ok(None);
        }
        let sets = !self.clocks_agree && strikes.contains(&Fault::ClockSet) && self.dice.one_in(16);
        let fault = if sets { Fault::ClockSet } else { self.dice.pick(strikes) };
        // Where clocks agree nobody sets one, and what ends many runs is rarer than what does not.
        let ends = matches!(fault, Fault::Cancel | Fault::ModelRefuses) && !at.is_rare();
        if (fault == Fault::ClockSet && self.clocks_agree) || (ends && !self.dice.one_in(2)) {
            return Ok(None);
        }
        self.table.count(fault, at);
        self.note(|| format!("!! {fault:?} at {at:?}, worker {}", who.worker));
        match (fault, run) {
            (Fault::ClockSet, _) => self.workers[who.worker].skew = self.skew(),
            (Fault::Drain, _) => {
                self.at(Duration::ZERO, What::Drain(who));
                let grace = self.seconds(2, 8);
                self.at(grace, What::Abort(who));
            }
            (Fault::Cancel, Some(run)) => {
                let now = self.shows(self.people_skew);
                // The run may have ended: then it is too late.
                let _ = self.desk.signal(run, Signal::Cancel { actor: None }, now)?;
            }
            _ => {}
        }
        Ok(Some(fault))
    }

    /// Writes a line of the trace.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>11.6} {}", self.time.as_secs_f64(), line()));
        }
    }
}
