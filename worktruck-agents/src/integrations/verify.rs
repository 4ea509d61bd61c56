use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use worktruck_core::Secret;
use worktruck_core::entity::integration_key::IntegrationKey;

/// What a provider says of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It takes the key.
    Active,
    /// It does not know the key, for this reason.
    Invalid(String),
    /// It knows the key and takes it no more, for this reason.
    Revoked(String),
    /// It said nothing of the key, for this reason.
    Unknown(String),
}

/// Asks providers whether they take keys.
#[async_trait]
pub trait KeyVerifier: fmt::Debug + Send + Sync + 'static {
    /// What the provider of `about` says of `key`. Nothing is changed there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the request.
    async fn verify(&self, about: &IntegrationKey, key: &Secret) -> Verdict;
}

/// What came of a verification, for whoever asked for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verification {
    /// Whether the provider takes the key.
    pub valid: bool,
    /// Why not, or why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Verification {
    /// What a verdict comes to; the key is in no reason, whoever gave it.
    pub(super) fn of(verdict: Verdict, key: &Secret) -> Self {
        match verdict {
            Verdict::Active => Self { valid: true, reason: None },
            Verdict::Invalid(reason) | Verdict::Revoked(reason) | Verdict::Unknown(reason) => {
                Self { valid: false, reason: Some(key.redact(&reason)) }
            }
        }
    }
}
