//! Schedules: when runs are due, and which of them to enqueue now.
//!
//! A [`Timetable`] is a cron expression read on the clocks of a time zone. [`decide()`] says what a scheduler has to do
//! at a moment, and [`due_run()`] makes the run of one due time. All are functions of their arguments, so that every
//! scheduler that looks at the same schedule comes to the same runs, under the same ids and idempotency keys.
//!
//! # Clocks that are set forward or back
//!
//! - A job at fixed times (no `*` in its seconds, minutes and hours) whose time is skipped runs when clocks have
//!   skipped it; several that are skipped together run once. One whose time comes twice runs at the first.
//! - A job that repeats (`*` or `*/n` in seconds, minutes or hours) follows elapsed time: it does nothing in a time
//!   that is skipped and runs in both of two equal hours.

mod decide;
mod due_run;
#[cfg(test)]
mod tests;
mod timetable;

use serde::{Deserialize, Serialize};

pub use decide::{Decision, GRACE, Last, MOST_AT_ONCE, Policy, decide};
pub use due_run::{due_run, due_run_id, jitter};
pub use timetable::Timetable;

/// What becomes of a due time while the run before it has not ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is passed over.
    #[default]
    Skip,
    /// It waits until that run has ended.
    Queue,
    /// Its run starts beside the other.
    Allow,
}

/// What becomes of due times that no scheduler was there for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are passed over.
    #[default]
    None,
    /// The latest of all that have come gets a run.
    Last,
    /// Each gets a run.
    All,
}
