use std::collections::BTreeMap;

use crate::Timestamp;

/// What a run did before a call, as far as rules ask for it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// When the calls of each tool were asked for that no rule blocked, in order.
    made: BTreeMap<String, Vec<Timestamp>>,
    is_untrusted: bool,
}

impl History {
    /// Counts a call of `tool` that the model asked for at `at` and no rule blocked.
    pub fn record(&mut self, tool: &str, at: Timestamp) {
        self.made.entry(tool.to_owned()).or_default().push(at);
    }

    /// Says that a result from outside the tenant is in the conversation.
    pub const fn taint(&mut self) {
        self.is_untrusted = true;
    }

    /// Whether a result from outside the tenant is in the conversation.
    #[must_use]
    pub const fn is_untrusted(&self) -> bool {
        self.is_untrusted
    }

    /// When the calls of `tool` were asked for, in order.
    #[must_use]
    pub fn calls(&self, tool: &str) -> &[Timestamp] {
        self.made.get(tool).map_or(&[], Vec::as_slice)
    }
}
