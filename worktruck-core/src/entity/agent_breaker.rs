//! Agent breakers: whether runs of a blueprint are accepted for a tenant.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp};

use super::text::{check_name, check_optional};
use super::{Entity, Index, Kind, Locale};

/// Whether runs of a blueprint are accepted, and since when they are not.
///
/// There is at most one per tenant and blueprint; without one they are. It stands beside the agent config, so that
/// breaking off does not save a config where nobody has.
///
/// # Examples
///
/// ```
/// use worktruck_core::Timestamp;
/// use worktruck_core::entity::agent_breaker::AgentBreaker;
///
/// let breaker = AgentBreaker::new("contact_deduper").disabled("10 failed runs", Timestamp::EPOCH);
/// assert!(breaker.is_open());
/// assert!(!breaker.enabled("the key was renewed", Timestamp::EPOCH.next()).is_open());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentBreaker {
    /// The blueprint.
    pub agent_blueprint: String,
    /// Since when no run is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// When runs were last accepted again: failures before do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_reason: Option<String>,
}

/// The index term that names the blueprint of a breaker.
pub const BLUEPRINT_TERM: &str = "agent_blueprint";

impl AgentBreaker {
    /// A breaker that lets runs be accepted.
    pub fn new(agent_blueprint: impl Into<String>) -> Self {
        Self {
            agent_blueprint: agent_blueprint.into(),
            disabled_at: None,
            disabled_reason: None,
            enabled_at: None,
            enabled_reason: None,
        }
    }

    /// Whether no run is accepted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.disabled_at.is_some()
    }

    /// The same breaker, letting no run be accepted from `now` on.
    #[must_use]
    pub fn disabled(self, reason: impl Into<String>, now: Timestamp) -> Self {
        Self { disabled_at: Some(now), disabled_reason: Some(reason.into()), ..self }
    }

    /// The same breaker, letting runs be accepted from `now` on.
    #[must_use]
    pub fn enabled(self, reason: impl Into<String>, now: Timestamp) -> Self {
        let enabled_reason = Some(reason.into());
        Self { disabled_at: None, disabled_reason: None, enabled_at: Some(now), enabled_reason, ..self }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/agent_blueprint", &self.agent_blueprint)?;
        check_optional("/disabled_reason", self.disabled_reason.as_deref())?;
        check_optional("/enabled_reason", self.enabled_reason.as_deref())?;
        if self.disabled_at.is_some() != self.disabled_reason.is_some() {
            return Err(Error::invalid("what is disabled says since when, and why").at("/disabled_reason"));
        }
        Ok(())
    }
}

impl Entity for AgentBreaker {
    const KIND: Kind = Kind::AgentBreaker;

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
        let at = "2026-04-14T12:00:00Z";
        let table = [
            (json!({}), None),
            (json!({"disabled_at": at, "disabled_reason": "too many failures"}), None),
            (json!({"enabled_at": at, "enabled_reason": "mended"}), None),
            (json!({"agent_blueprint": ""}), Some("/agent_blueprint")),
            (json!({"disabled_at": at}), Some("/disabled_reason")),
            (json!({"disabled_reason": "because"}), Some("/disabled_reason")),
            (json!({"enabled_reason": "a\0b"}), Some("/enabled_reason")),
        ];
        for (fields, expected) in table {
            let mut body = json!({"agent_blueprint": "contact_deduper"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = index(Kind::AgentBreaker, &body);
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn a_breaker_is_found_by_its_blueprint() {
        let body = serde_json::to_value(AgentBreaker::new("contact_deduper")).unwrap();
        assert_eq!(body, json!({"agent_blueprint": "contact_deduper"}));
        assert_eq!(index(Kind::AgentBreaker, &body).unwrap().terms, [Term::new(BLUEPRINT_TERM, "contact_deduper")]);
    }
}
