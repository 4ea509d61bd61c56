//! The bitemporal algebra, pure: what a write does to an entity's slices, and what a reader sees.
//!
//! Every entity is a set of [`Slice`]s, rectangles over two axes. *System time* says when the
//! store held the slice for true; *valid time* says when it holds in the world. Slices of one
//! entity never overlap in both. A write changes only its part of the valid axis: [`plan()`] closes
//! the slices it touches, puts back what it left of them, and adds its own.

mod cover;
mod diff;
mod merge_patch;
mod plan;
mod stretch;
mod timeline;
mod visible;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Period, Timestamp};

pub use diff::{FieldChange, apply_diff, diff};
pub use merge_patch::merge_patch;
pub use plan::{Planned, plan};
pub use stretch::{Stretch, compare, undo};
pub use timeline::{FieldEvent, fold_timeline, timeline};
pub use visible::visible;

/// What an entity is over one stretch of valid time, as the store held it over one stretch of
/// system time.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The write that made it: 1 for the first write to the entity.
    pub version: u64,
    /// The entity's data; `None` says that the entity is deleted.
    pub body: Option<Value>,
    /// When the store held it for true.
    pub sys: Period,
    /// When it holds in the world.
    pub valid: Period,
    /// Whether it is the rest of an older slice that a later write cut, and not a write itself.
    pub carried: bool,
    /// The commit that wrote the version, counted per tenant from 1.
    pub tx_id: u64,
}

/// What a write does to the part of the valid axis that it names.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteOp {
    /// The entity is this, whatever it was.
    Put(Value),
    /// The entity is changed by a JSON merge patch (RFC 7396), slice by slice.
    Patch(Value),
    /// The entity is not.
    Delete,
}

/// A write to one entity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Write {
    /// What to do.
    pub op: WriteOp,
    /// The first moment it holds for; the moment of the commit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The first moment it no longer holds for; open if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
}

/// What the store stamps on the slices of one commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// System time of the commit: later than that of every commit of the tenant before.
    pub sys: Timestamp,
    /// The number of the commit, counted per tenant.
    pub tx_id: u64,
}

/// One change of a row in a backend.
#[derive(Clone, Debug, PartialEq)]
pub enum RowOp {
    /// The open slice whose valid time begins at `valid_from` ends in system time at `at`.
    Close {
        /// Names the slice: open slices of one entity begin at different moments.
        valid_from: Timestamp,
        /// The end of its system time.
        at: Timestamp,
    },
    /// A new open slice.
    Insert(Slice),
}

/// The two times that a reader asks about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Point {
    /// What the store held for true at this moment.
    pub sys: Timestamp,
    /// About this moment in the world.
    pub valid: Timestamp,
}

/// The two times of a read, where a caller may leave out either.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct At {
    /// What was known then; what is known now if absent.
    pub as_of: Option<Timestamp>,
    /// What held then; at `as_of`, or now, if absent.
    pub valid_at: Option<Timestamp>,
}

impl At {
    /// What is known now about now.
    pub const NOW: Self = Self { as_of: None, valid_at: None };

    /// What was known at `at` about that moment.
    #[must_use]
    pub const fn as_of(at: Timestamp) -> Self {
        Self { as_of: Some(at), valid_at: None }
    }

    /// The point that is meant, where the tenant's newest commit is at `floor` and the clock says
    /// `now`.
    ///
    /// The present is never before the newest commit, so that a reader whose clock runs behind
    /// sees what was just written.
    #[must_use]
    pub fn resolve(self, floor: Timestamp, now: Timestamp) -> Point {
        let present = now.max(floor);
        let sys = self.as_of.unwrap_or(present);
        Point { sys, valid: self.valid_at.unwrap_or(sys) }
    }
}

#[cfg(test)]
mod tests;
