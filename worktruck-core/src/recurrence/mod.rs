//! Recurrence: which moments a series with RRULE, RDATE and EXDATE (RFC 5545) has.
//!
//! [`RuleSet::new`] reads a series, [`expand()`] finds its occurrences in a window. Both are functions
//! of their arguments: nothing here reads a clock, and no input makes it panic or run for long.
//!
//! # How rules are read
//!
//! A rule walks through periods (years, weeks, hours) from the one that holds the start, `INTERVAL`
//! apart. A day of a period belongs to it if every BY part that speaks of days has a value that
//! matches, a time if the parts that speak of times do; `BYSETPOS` then chooses among all of the
//! period, also among those before the start. What no part says comes from the start, in the way of
//! RFC 8984, section 4.3.3.1: `BYWEEKNO` alone takes its weekday, `YEARLY` with `BYMONTHDAY` alone
//! its month. Days that do not exist are left out. A week belongs to a year by its number, but to
//! the period of the year its days lie in.
//!
//! - The start is always the first instance, and counts for `COUNT`, as RFC 5545 says of DTSTART;
//!   whether the rule names it too, which that RFC leaves undefined, does not matter.
//! - `COUNT` counts before EXDATEs are taken out.
//! - Rules repeat wall-clock time. A time that clocks skip is moved on by the length of the gap, a
//!   time that they show twice is the first of the two. That goes for `HOURLY` and finer rules as
//!   well, which step from one reading of the clock to the next: an hourly rule has nothing in the
//!   second of two equal hours. Two readings that are one moment are one occurrence.
//! - A leap second, 60, is the second before it. Zones are known up to the year 2100; later they
//!   keep their last offset.
//!
//! # Why there is an engine here
//!
//! The `rrule` crate agrees with python-dateutil, and with it differs from the RFCs where the start
//! implies a weekday or a month, gives one moment twice where clocks are set forward, takes no
//! window names, and visits every occurrence from the start on, so that a far window is slow. Its
//! results could be corrected only by knowing them better than it does. Deciding day by day whether
//! all parts match is little code, and makes a far window a division.

mod budget;
mod calendar;
mod expand;
mod moment;
mod parse;
mod plan;
mod rule;
mod rule_set;
mod sets;
mod span;
mod split;
#[cfg(test)]
mod tests;
mod walk;
mod windows_zones;
mod zone;

pub use expand::{Occurrences, Window, expand};
pub use moment::{Moment, Start};
pub use parse::Warning;
pub use rule::Rule;
pub use rule_set::RuleSet;
pub use split::Split;
pub use zone::Zone;

/// What becomes of a rule that RFC 5545 forbids.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It is refused.
    Strict,
    /// It is read in the way that was most likely meant, with a [`Warning`].
    Lenient {
        /// Where a time is read that stands where a date belongs.
        zone: Zone,
    },
}
