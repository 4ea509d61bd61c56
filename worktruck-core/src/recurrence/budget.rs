//! How much work an answer may take.

use crate::{Error, Result};

/// Steps one question may take, each of them well under a microsecond.
pub(super) const STEPS: u64 = 400_000;

/// Counts steps: periods, days and times looked at.
#[derive(Debug)]
pub(super) struct Budget {
    used: u64,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { used: 0 }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn spend(&mut self) -> Result<()> {
        self.used += 1;
        if self.used <= STEPS {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the recurrence rule names too little or too much: {STEPS} steps did not answer the question; \
             choose a simpler rule or a nearer time"
        )))
    }
}
