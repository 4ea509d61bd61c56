//! Agent configs: how a blueprint behaves for a tenant.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::guardrail::{self, Rule};
use crate::{Error, Result};

use super::{Index, Term};

/// How a blueprint behaves for a tenant; what is absent is the blueprint's default.
///
/// There is at most one per tenant and blueprint. Its guardrails replace the blueprint's: a saved
/// config without rules denies everything.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The blueprint.
    pub agent_blueprint: String,
    /// Replaces the blueprint's prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// `claude-…` or `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tools that may be offered, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// What a run may cost if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_default_cents: Option<u32>,
    /// How long a run may take if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_default_seconds: Option<u32>,
    /// How many steps a run may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u32>,
    /// How many times a run may make the same call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_repeats: Option<u32>,
    /// The rules.
    #[serde(default)]
    pub guardrails: Vec<Rule>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// The index term that names the blueprint of a config.
pub const BLUEPRINT_TERM: &str = "agent_blueprint";

impl AgentConfig {
    /// A config that denies everything until it gets rules.
    pub fn new(agent_blueprint: impl Into<String>) -> Self {
        Self {
            agent_blueprint: agent_blueprint.into(),
            system_prompt: None,
            model: None,
            tools: None,
            budget_default_cents: None,
            deadline_default_seconds: None,
            max_steps: None,
            max_repeats: None,
            guardrails: Vec::new(),
            metadata: Map::new(),
        }
    }

    /// Checks every field, the rules among them.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field, and the index of a rule.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("/deadline_default_seconds", self.deadline_default_seconds),
            ("/max_steps", self.max_steps),
            ("/max_repeats", self.max_repeats),
        ];
        for (pointer, value) in positive {
            if value == Some(0) {
                return Err(Error::invalid(format!("{} must be at least 1", &pointer[1..])).at(pointer));
            }
        }
        if self.agent_blueprint.is_empty() {
            return Err(Error::invalid("agent_blueprint must not be empty").at("/agent_blueprint"));
        }
        guardrail::check(&self.guardrails)
    }

    pub(super) fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index {
            terms: vec![Term::new(BLUEPRINT_TERM, self.agent_blueprint.clone())],
            sort: Vec::new(),
            text: String::new(),
        })
    }
}
