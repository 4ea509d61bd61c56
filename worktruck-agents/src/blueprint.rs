//! Blueprints: kinds of agents.

use std::sync::Arc;

use serde_json::{Value, json};
use worktruck_core::guardrail::Rule;
use worktruck_core::run::BlueprintVersion;
use worktruck_core::{Error, Result};

use crate::providers::Policy;

/// A kind of agent: what it is asked, what it may use, and how it behaves by default.
///
/// A tenant's saved agent config replaces the defaults. A run pins what it starts with.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// Its name, `snake_case`.
    pub name: String,
    /// Raised whenever runs that are under way could not go on with it.
    pub version: u32,
    /// For people.
    pub title: String,
    /// For people: what it does.
    pub description: String,
    /// JSON Schema (2020-12) of a run's input.
    pub input_schema: Value,
    /// The system prompt.
    pub system_prompt: String,
    /// The tools it uses, by name.
    pub tools: Vec<String>,
    /// `claude-…` or `provider/model`.
    pub default_model: String,
    /// What a run may cost; no limit if absent.
    pub default_budget_cents: Option<u32>,
    /// How long a run may take.
    pub default_deadline_seconds: u32,
    /// How many steps a run may have.
    pub default_max_steps: u32,
    /// How many output tokens a model turn may have.
    pub max_tokens: u32,
    /// The rules, where no config is saved.
    pub default_guardrails: Vec<Rule>,
    /// What plays the model under the name `local/rules`, without a key or a network.
    pub policy: Option<Arc<dyn Policy>>,
}

impl Blueprint {
    /// Its name and version.
    #[must_use]
    pub fn reference(&self) -> BlueprintVersion {
        BlueprintVersion { blueprint: self.name.clone(), version: self.version }
    }

    /// What people are told of it: its name as `blueprint`, what it is for, the schema of its input, its tools and its
    /// defaults.
    ///
    /// # Examples
    ///
    /// ```
    /// let listed = worktruck_agents::blueprints::contact_deduper().listing();
    /// assert_eq!(listed["blueprint"], "contact_deduper");
    /// assert_eq!(listed["default_budget_cents"], 100);
    /// assert!(listed["input_schema"]["properties"]["max_candidates"].is_object());
    /// ```
    #[must_use]
    pub fn listing(&self) -> Value {
        json!({
            "blueprint": self.name,
            "title": self.title,
            "description": self.description,
            "input_schema": self.input_schema,
            "tools": self.tools,
            "default_model": self.default_model,
            "default_budget_cents": self.default_budget_cents,
            "default_deadline_seconds": self.default_deadline_seconds,
            "default_guardrails": self.default_guardrails,
        })
    }

    /// Checks what a run of it is asked, which stands at `place`.
    pub(crate) fn check_input(&self, input: &Value, place: &str) -> Result<()> {
        let validator = jsonschema::validator_for(&self.input_schema)
            .map_err(|e| Error::internal(format!("a checked schema is no longer one: {e}")))?;
        match validator.iter_errors(input).next() {
            Some(wrong) => Err(Error::invalid(format!("the input does not fit {}: {wrong}", self.name))
                .at(format!("{place}{}", wrong.instance_path().as_str()))),
            None => Ok(()),
        }
    }
}
