//! Counters: what gives numbers out, and what guards a decision that many may take at once.

use serde::{Deserialize, Serialize};

use crate::Result;

use super::{Entity, Index, Kind, Locale};

/// A counter, which has the id of what it counts in.
///
/// Whoever requires its version and lets it count on takes a decision that nobody takes at the same time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// The number to be given out next, from 1.
    pub next: u64,
}

impl Entity for Counter {
    const KIND: Kind = Kind::Counter;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        Ok(())
    }

    fn index(&self) -> Result<Index> {
        Ok(Index::default())
    }
}
