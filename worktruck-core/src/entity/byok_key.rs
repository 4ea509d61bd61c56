//! Keys of model providers that tenants bring, and what is known of them.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp};

use super::text::check_name;
use super::{Entity, Index, Kind, Locale};

/// That a tenant has brought a key of a model provider for a blueprint. The key itself is sealed elsewhere.
///
/// There is at most one for each blueprint. While there is one, no run of the blueprint asks its provider with
/// another key: one that is revoked is not replaced by the application's.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::byok_key::{ByokKey, ByokStatus};
///
/// let key = ByokKey::new("contact_deduper", "anthropic", "12E7");
/// assert_eq!(key.status, ByokStatus::Active);
/// assert!(ByokKey { key_hint: "too long".to_owned(), ..key }.check().is_err());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ByokKey {
    /// The blueprint.
    pub agent_blueprint: String,
    /// The provider of models, by the name that the runtime has for it.
    pub provider: String,
    /// The last four characters of the key; empty where that would show much of it.
    pub key_hint: String,
    /// What is known of the key.
    pub status: ByokStatus,
    /// When its provider was last asked whether it takes the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probed_at: Option<Timestamp>,
}

/// What is known of a key that a tenant has brought.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByokStatus {
    /// There is none.
    #[default]
    Inactive,
    /// Its provider took it when it was last asked.
    Active,
    /// Its provider refused it in a run.
    AuthFailed,
    /// The tenant has taken it back.
    Revoked,
}

impl ByokStatus {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::AuthFailed => "auth_failed",
            Self::Revoked => "revoked",
        }
    }
}

/// The index term that names the blueprint of a key.
pub const BLUEPRINT_TERM: &str = "agent_blueprint";

impl ByokKey {
    /// A key that its provider takes.
    pub fn new(agent_blueprint: impl Into<String>, provider: impl Into<String>, key_hint: impl Into<String>) -> Self {
        Self {
            agent_blueprint: agent_blueprint.into(),
            provider: provider.into(),
            key_hint: key_hint.into(),
            status: ByokStatus::Active,
            last_probed_at: None,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/agent_blueprint", &self.agent_blueprint)?;
        check_name("/provider", &self.provider)?;
        if self.key_hint.chars().nth(4).is_some() {
            return Err(Error::invalid("a hint has at most four characters").at("/key_hint"));
        }
        Ok(())
    }
}

impl Entity for ByokKey {
    const KIND: Kind = Kind::ByokKey;

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
        let table = [
            (json!({}), None),
            (json!({"status": "revoked", "key_hint": ""}), None),
            (json!({"agent_blueprint": ""}), Some("/agent_blueprint")),
            (json!({"provider": ""}), Some("/provider")),
            (json!({"key_hint": "abcde"}), Some("/key_hint")),
        ];
        for (fields, expected) in table {
            let mut body = serde_json::to_value(ByokKey::new("contact_deduper", "anthropic", "12E7")).unwrap();
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = index(Kind::ByokKey, &body);
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_blueprint() {
        let body = serde_json::to_value(ByokKey::new("contact_deduper", "anthropic", "12E7")).unwrap();
        assert_eq!(body["status"], ByokStatus::Active.as_str());
        assert_eq!(index(Kind::ByokKey, &body).unwrap().terms, [Term::new(BLUEPRINT_TERM, "contact_deduper")]);
    }
}
