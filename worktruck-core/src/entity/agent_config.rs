//! Agent configs: how a blueprint behaves for a tenant.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::guardrail::{self, Rule};
use crate::pricing::model_name;
use crate::run::OnBudget;
use crate::tool::ToolSpec;
use crate::{Error, Result};

use super::text::{check_name, check_object, check_text};
use super::{Entity, Index, Kind, Locale};

/// How a blueprint behaves for a tenant; what is absent is the blueprint's default.
///
/// There is at most one per tenant and blueprint. Its guardrails replace the blueprint's: a saved
/// config without rules denies everything. A run lives by the config of its first start, but for
/// `max_concurrent_runs`, which every claim looks up.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::agent_config::AgentConfig;
///
/// let config = AgentConfig { max_concurrent_runs: Some(3), ..AgentConfig::new("contact_deduper") };
/// config.check()?;
///
/// let none = AgentConfig { max_concurrent_runs: Some(0), ..config };
/// assert_eq!(none.check().unwrap_err().pointer(), Some("/max_concurrent_runs"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
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
    /// The models that are asked in its place while it cannot be, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback_models: Vec<String>,
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
    /// How many runs of the tenant and blueprint may run at once; as many as there are workers for
    /// if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_runs: Option<u32>,
    /// What is done when parts of a run's budget are spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_budget: Vec<OnBudget>,
    /// How many times a run may make the same call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_repeats: Option<u32>,
    /// The rules.
    #[serde(default, deserialize_with = "rules")]
    pub guardrails: Vec<Rule>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// Reads one rule after the other, so that the error says which one is wrong.
fn rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rule>, D::Error> {
    let rules = Vec::<Value>::deserialize(deserializer)?;
    let rules = rules.into_iter().enumerate().map(|(index, rule)| {
        Rule::deserialize(rule).map_err(|e| de::Error::custom(format_args!("/guardrails/{index}: {e}")))
    });
    rules.collect()
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
            fallback_models: Vec::new(),
            tools: None,
            budget_default_cents: None,
            deadline_default_seconds: None,
            max_steps: None,
            max_concurrent_runs: None,
            on_budget: Vec::new(),
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
        check_name("/agent_blueprint", &self.agent_blueprint)?;
        if let Some(prompt) = &self.system_prompt {
            check_text("/system_prompt", prompt)?;
        }
        if let Some(model) = &self.model {
            model_name(model).map_err(|e| e.at("/model"))?;
            check_name("/model", model)?;
        }
        self.check_fallbacks()?;
        OnBudget::check(&self.on_budget)?;
        self.check_tools()?;
        let positive = [
            ("/deadline_default_seconds", self.deadline_default_seconds),
            ("/max_steps", self.max_steps),
            ("/max_concurrent_runs", self.max_concurrent_runs),
            ("/max_repeats", self.max_repeats),
        ];
        for (pointer, value) in positive {
            if value == Some(0) {
                return Err(Error::invalid(format!("{} must be at least 1", &pointer[1..])).at(pointer));
            }
        }
        guardrail::check(&self.guardrails)?;
        check_object("/metadata", &self.metadata)
    }

    fn check_fallbacks(&self) -> Result<()> {
        let mut seen: HashSet<String> = self.model.iter().filter_map(|name| model_name(name).ok()).collect();
        for (index, model) in self.fallback_models.iter().enumerate() {
            let pointer = || format!("/fallback_models/{index}");
            let name = model_name(model).map_err(|e| e.at(pointer()))?;
            check_name(&pointer(), model)?;
            if !seen.insert(name) {
                return Err(Error::invalid(format!("{model} is named twice")).at(pointer()));
            }
        }
        Ok(())
    }

    fn check_tools(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for (index, tool) in self.tools.iter().flatten().enumerate() {
            if !ToolSpec::is_name(tool) {
                let message = format!("{tool:?} is not the name of a tool: 1 to 64 of a-z, A-Z, 0-9, _ and -");
                return Err(Error::invalid(message).at(format!("/tools/{index}")));
            }
            if !seen.insert(tool) {
                return Err(Error::invalid(format!("{tool} is named twice")).at(format!("/tools/{index}")));
            }
        }
        Ok(())
    }
}

impl Entity for AgentConfig {
    const KIND: Kind = Kind::AgentConfig;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term(BLUEPRINT_TERM, &self.agent_blueprint))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::{Term, index};

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let rule = json!({"type": "allowlist", "mode": "enforce", "tools": ["contacts_*"]});
        let table = [
            (json!({}), None),
            (json!({"system_prompt": "", "model": "claude-haiku-5-5", "tools": [], "budget_default_cents": 0}), None),
            (json!({"model": "local/rules", "tools": ["contacts_get", "a-B_9"], "guardrails": [rule]}), None),
            (json!({"agent_blueprint": ""}), Some("/agent_blueprint")),
            (json!({"agent_blueprint": "x".repeat(513)}), Some("/agent_blueprint")),
            (json!({"agent_blueprint": "é".repeat(512)}), None),
            (json!({"system_prompt": "a\0b"}), Some("/system_prompt")),
            (json!({"system_prompt": "x".repeat((1 << 20) + 1)}), Some("/system_prompt")),
            (json!({"model": "haiku"}), Some("/model")),
            (json!({"model": ""}), Some("/model")),
            (json!({"fallback_models": ["claude-haiku-5-5", "openai/gpt-7"]}), None),
            (json!({"fallback_models": ["claude-haiku-5-5", "gpt-7"]}), Some("/fallback_models/1")),
            (
                json!({"model": "claude-haiku-5-5", "fallback_models": ["anthropic/claude-haiku-5-5"]}),
                Some("/fallback_models/0"),
            ),
            (json!({"on_budget": [{"at_percent": 80, "action": "warn"}]}), None),
            (json!({"on_budget": [{"at_percent": 0, "action": "finish"}]}), Some("/on_budget/0/at_percent")),
            (json!({"tools": ["contacts_get", ""]}), Some("/tools/1")),
            (json!({"tools": ["contacts_*"]}), Some("/tools/0")),
            (json!({"tools": ["x".repeat(65)]}), Some("/tools/0")),
            (json!({"tools": ["a", "b", "a"]}), Some("/tools/2")),
            (json!({"deadline_default_seconds": 0}), Some("/deadline_default_seconds")),
            (json!({"max_steps": 0}), Some("/max_steps")),
            (json!({"max_concurrent_runs": 0}), Some("/max_concurrent_runs")),
            (json!({"max_concurrent_runs": 1}), None),
            (json!({"max_repeats": 0}), Some("/max_repeats")),
            (json!({"max_repeats": 1}), None),
            (
                json!({"guardrails": [rule, {"type": "denylist", "mode": "enforce", "tools": []}]}),
                Some("/guardrails/1/tools"),
            ),
            (json!({"metadata": {"a/b": [1, {"c": "\0"}]}}), Some("/metadata/a~1b/1/c")),
            (json!({"metadata": {"a\0": 1}}), Some("/metadata")),
        ];
        for (fields, expected) in table {
            let mut body = json!({"agent_blueprint": "contact_deduper"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = index(Kind::AgentConfig, &body);
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields:.100}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields:.100}");
        }
    }

    #[test]
    fn what_is_no_config_is_refused_and_a_rule_named() {
        let table = [
            (json!([]), "must be an object"),
            (json!(["x", null, null, [], null, null, null, null, null, [], null, [], {}]), "must be an object"),
            (json!({}), "agent_blueprint"),
            (json!({"agent_blueprint": "x", "max_step": 3}), "max_step"),
            (json!({"agent_blueprint": "x", "max_steps": -1}), "-1"),
            (json!({"agent_blueprint": "x", "max_concurrent_runs": 1.5}), "1.5"),
            (
                json!({"agent_blueprint": "x", "guardrails": [{"mode": "shadow"}]}),
                "/guardrails/0: missing field `type`",
            ),
            (
                json!({"agent_blueprint": "x", "guardrails": [
                    {"type": "denylist", "mode": "shadow"}, {"type": "denylist", "mode": "on"},
                ]}),
                "/guardrails/1: unknown variant `on`",
            ),
        ];
        for (body, expected) in table {
            let error = index(Kind::AgentConfig, &body).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_limit_of_runs_is_kept_in_json() {
        let body = json!({
            "agent_blueprint": "contact_deduper", "max_concurrent_runs": 3, "guardrails": [], "metadata": {},
        });
        let config = AgentConfig::deserialize(&body).unwrap();
        assert_eq!(config, AgentConfig { max_concurrent_runs: Some(3), ..AgentConfig::new("contact_deduper") });
        assert_eq!(serde_json::to_value(&config).unwrap(), body);
    }

    #[test]
    fn a_config_is_found_by_its_blueprint_and_denies_everything_without_rules() {
        let config = AgentConfig::new("contact_deduper");
        let body = serde_json::to_value(&config).unwrap();
        assert_eq!(body, json!({"agent_blueprint": "contact_deduper", "guardrails": [], "metadata": {}}));
        assert_eq!(AgentConfig::deserialize(&body).unwrap(), config);
        assert_eq!(index(Kind::AgentConfig, &body).unwrap().terms, [Term::new(BLUEPRINT_TERM, "contact_deduper")]);
        assert!(!guardrail::RuleSet::new(config.guardrails).is_offerable("contacts_get"));
    }
}
