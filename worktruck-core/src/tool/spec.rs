//! What a tool is and what it touches, without the port that calls it: models and journals need only this.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a tool is, for models, guardrails and people.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ToolSpec {
    /// `domain_verb`: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// For people.
    pub title: String,
    /// For the model: what it does, when to use it, what comes back.
    pub description: String,
    /// JSON Schema (2020-12) of the input, an object.
    pub input_schema: Value,
    /// What it touches.
    pub effect: ToolEffect,
    /// Whether what comes back was written by somebody outside the tenant, such as a page that is fetched: a rule
    /// may ask for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_untrusted: bool,
}

impl ToolSpec {
    /// Whether `name` can name a tool.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::tool::ToolSpec;
    ///
    /// assert!(ToolSpec::is_name("contacts_search"));
    /// assert!(!ToolSpec::is_name("contacts.search"));
    /// ```
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }
}

/// What a call of a tool touches, which decides how it is made to happen once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEffect {
    /// Nothing: it reads from the store. It may be called again after a crash.
    Read,
    /// The store: its changes are committed together with its step.
    Write,
    /// The outside, and the same call with the same key happens once there.
    OutsideIdempotent,
    /// The outside, and a second call would happen a second time. After a crash a person decides.
    Outside,
}

impl ToolEffect {
    /// Whether the call leaves the store, so that its intent is journaled first.
    #[must_use]
    pub const fn is_outside(self) -> bool {
        matches!(self, Self::OutsideIdempotent | Self::Outside)
    }
}
